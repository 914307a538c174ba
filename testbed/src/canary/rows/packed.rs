//! Secrets in compressed bodies: the collector unpacks them, and masks them before anything is stored.

use super::{Plant, Rows, Said};
use crate::{
    canary::{BODY_LIMIT, forms},
    message::Call,
    random::Random,
};

/// A coding, and who packs so.
type Coding = (&'static str, fn(&[u8]) -> Vec<u8>);

const CODINGS: &[Coding] = &[
    ("gzip", |bytes| forms::gzip(bytes).unwrap_or_default()),
    ("deflate", |bytes| forms::deflate(bytes).unwrap_or_default()),
    ("zstd", |bytes| forms::zstd(bytes).unwrap_or_default()),
    ("br", forms::brotli),
];

/// What a body is, what it says of its coding, and how it is packed.
type Odd = (&'static str, &'static str, fn(&[u8]) -> Vec<u8>);

/// A body, given its secrets.
type Form = (&'static str, &'static str, fn(&mut Plant) -> String);

const BODIES: &[Form] = &[
    ("JSON", "application/json", json),
    ("a form", "application/x-www-form-urlencoded", |plant| {
        format!("user=kimmo&password={}&text={}", plant.word(), FILLING.replace(' ', "+").repeat(10))
    }),
    ("text", "text/plain", |plant| {
        format!("it is {} . {}", forms::jwt(&plant.word(), &plant.word_of(43)), FILLING.repeat(10))
    }),
];

/// Said often enough, it makes packing worth while: no packer then leaves the text as it is.
const FILLING: &str = "all is well and nothing is new; ";

fn json(plant: &mut Plant) -> String {
    format!(r#"{{"user":"kimmo","password":"{}","text":"{}"}}"#, plant.word(), FILLING.repeat(10))
}

pub(super) fn plant(rows: &mut Rows) {
    for (coding, pack) in CODINGS {
        for (kind, content_type, body) in BODIES {
            rows.add(format!("request {kind} as {coding}"), |plant| {
                let call = Call::post("/canary").header("content-type", (*content_type).to_owned());
                let call = call.header("content-encoding", (*coding).to_owned());
                (call.body(pack(body(plant).as_bytes())), Said::default())
            });
            rows.add(format!("response {kind} as {coding}"), |plant| {
                let said = Said::default().header("content-type", (*content_type).to_owned());
                let said = said.header("content-encoding", (*coding).to_owned());
                (Call::get("/canary"), said.body(pack(body(plant).as_bytes())))
            });
        }
    }
    undeclared(rows);
    cut(rows);
}

/// Packed bodies over the limit: what is kept of one can still be unpacked up to the cut.
fn cut(rows: &mut Rows) {
    for (coding, pack) in CODINGS {
        rows.add(format!("{coding} that is cut"), |plant| {
            let mut body = |side: &str| {
                // Text that no packer makes much shorter.
                let noise: String = (0..BODY_LIMIT / 16).map(|number| noise(side, number)).collect();
                pack(format!(r#"{{"password":"{}","text":"{noise}"}}"#, plant.word()).as_bytes())
            };
            let call = Call::post("/canary").header("content-type", "application/json");
            let said = Said::default().header("content-type", "application/json");
            let (call, said) = (call.body(body("request")), said.body(body("response")));
            (
                call.header("content-encoding", (*coding).to_owned()),
                said.header("content-encoding", (*coding).to_owned()),
            )
        });
    }
}

/// 32 hexadecimal digits without order.
fn noise(side: &str, number: usize) -> String {
    let mut random = Random::seeded(side, number as u64);
    (0..4).map(|_| format!("{:08x}", random.below(1 << 32))).collect()
}

/// What says something else of itself than it is, or cannot be unpacked.
fn undeclared(rows: &mut Rows) {
    let kinds: &[Odd] = &[
        ("zstd as gzip", "gzip", |bytes| forms::zstd(bytes).unwrap_or_default()),
        ("plain text as gzip", "gzip", <[u8]>::to_vec),
        ("plain text as identity", "identity", <[u8]>::to_vec),
        ("a coding nobody knows", "rot13", <[u8]>::to_vec),
        ("gzip in brotli", "gzip, br", |bytes| forms::brotli(&forms::gzip(bytes).unwrap_or_default())),
        ("gzip whose end is missing", "gzip", |bytes| {
            let mut packed = forms::gzip(bytes).unwrap_or_default();
            packed.truncate(packed.len().saturating_sub(9));
            packed
        }),
    ];
    for (kind, coding, pack) in kinds {
        rows.add(format!("request {kind}"), |plant| {
            let call = Call::post("/canary").header("content-type", "application/json");
            let call = call.header("content-encoding", (*coding).to_owned());
            (call.body(pack(json(plant).as_bytes())), Said::default())
        });
        rows.add(format!("response {kind}"), |plant| {
            let said = Said::default().header("content-type", "application/json");
            let said = said.header("content-encoding", (*coding).to_owned());
            (Call::get("/canary"), said.body(pack(json(plant).as_bytes())))
        });
    }
}
