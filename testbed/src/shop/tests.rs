//! How near the inferred description comes to the contract: the figures of docs/openapi-figures.md.

use std::fs;

use serde_json::Value;
use tributary_http_types::HttpExchange;
use tributary_openapi::{Learner, Settings, Version, describe};
use xtask::parts;

use super::*;

/// Exchanges the description is inferred from: about 190 an operation.
const EXCHANGES: usize = 12_000;

/// Nothing was chosen by it.
const SEED: u64 = 1;

/// What stands around the figures in the document.
const MARKS: (&str, &str) =
    ("<!-- The figures of the shop, written by UPDATE=1 -->\n", "<!-- End of the figures -->\n");

fn document(seed: u64, exchanges: usize) -> (Shop, Value) {
    let shop = Shop::read().unwrap();
    let mut learner = Learner::new();
    for made in shop.traffic(seed).take(exchanges) {
        learner.learn(&HttpExchange::from_line(&made.line).unwrap());
    }
    assert_eq!(learner.hosts().collect::<Vec<_>>(), ["api.shop.example"]);
    // Nullable stands in 3.0 where 3.1 has a type: the contract is 3.0.
    let settings = Settings { version: Version::V30, ..Settings::default() };
    let document = describe(&learner, "api.shop.example", &settings, None).document;
    (shop, document)
}

fn table(figures: &Figures) -> String {
    let Figures { operations, templates, required, types, formats, enums, .. } = figures;
    let wrong_merges = figures.wrong_merges.len();
    format!(
        "| what | right | promised |\n|---|---|---|\n\
         | operations found | {operations} | 95 % |\n\
         | path templates | {templates} | 98 % |\n\
         | paths merged that are not one | {wrong_merges} | 0 |\n\
         | required or not | {required} | 97 % |\n\
         | types, with null; answers and media types | {types} | 97 % |\n\
         | formats | {formats} | – |\n\
         | enumerations | {enums} | – |\n"
    )
}

#[test]
fn description_of_the_shop_is_as_near_to_its_contract_as_promised() {
    let (shop, document) = document(SEED, EXCHANGES);

    let figures = compare(&shop, &document).unwrap();

    println!("{}{}", table(&figures), figures.wrong.join("\n"));
    assert_eq!(figures.wrong_merges, Vec::<String>::new());
    let promised =
        [(figures.operations, 95.0), (figures.templates, 98.0), (figures.required, 97.0), (figures.types, 97.0)];
    for (share, least) in promised {
        assert!(share.per_cent() >= least, "{share}, promised are {least} %");
    }
    let file = parts::workspace_root().join("docs").join("openapi-figures.md");
    let text = fs::read_to_string(&file).unwrap();
    let (before, rest) = text.split_once(MARKS.0).unwrap();
    let (told, after) = rest.split_once(MARKS.1).unwrap();
    let now = format!("\n{}\n", table(&figures));
    if std::env::var_os("UPDATE").is_some() {
        fs::write(&file, [before, MARKS.0, &now, MARKS.1, after].concat()).unwrap();
    } else {
        assert_eq!(told, now, "docs/openapi-figures.md has other figures: review them after UPDATE=1");
    }
}

/// What was inferred from the traffic is no drift of it, and the contract is none either but for what scanners and
/// malformed requests show.
#[test]
fn traffic_of_the_shop_does_not_drift_from_its_own_contract() {
    let shop = Shop::read().unwrap();
    let contract = tributary_openapi::diff::Contract::of(shop.document.clone()).unwrap();
    let mut comparison = tributary_openapi::diff::Comparison::with(&contract);

    for made in shop.traffic(SEED).take(4_000) {
        comparison.add(&HttpExchange::from_line(&made.line).unwrap(), String::new);
    }

    let drift = comparison.drift();
    assert!(drift.is_none(), "{}", drift.text());
    assert_eq!(drift.operations_seen, shop.operations.len());
    assert!(drift.compared > 3_000 && drift.repeated > 0 && !drift.left_out.is_empty(), "{}", drift.text());
}
