//! Exchanges made to measure: distinct ids in path, headers and bodies, and contents that are awkward to write as JSON.

use bytes::Bytes;

use crate::{
    message::{Asked, Call},
    origin::Answer,
    random::Random,
};

/// Pieces of the payloads: what JSON has to escape, and characters of one to four bytes.
const PIECES: [&str; 12] = [
    "plain text ",
    "\"quoted\" ",
    "back\\slash ",
    "line\nend\r\n",
    "tab\t",
    "\u{1}\u{1f}",
    "caf\u{e9} ",
    "\u{20ac}uro ",
    "\u{2028}\u{2029}",
    "\u{1f600} ",
    "</script> ",
    "{\"a\":[1,2.50,null]}",
];

/// The longest payload in bytes, more or less; far below the filter's limit, so that bodies come out whole.
const MAX_PAYLOAD_BYTES: u64 = 3_000;

/// The header that carries the id, in the request and in the response.
pub(super) const ID_HEADER: &str = "x-exchange";

/// A header that each request carries twice. None that Envoy knows: of those it joins the values itself.
pub(super) const REPEATED_HEADER: (&str, [&str; 2]) = ("x-part", ["a, b", "c;q=0.5"]);

/// Makes the exchanges of one run. The same run name makes the same exchanges.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mint {
    run: String,
}

/// One exchange as it has to be: what is asked and what the origin answers.
#[derive(Clone, Debug)]
pub struct Made {
    /// `<run>-<number>`.
    pub id: String,
    /// The request.
    pub call: Call,
    /// The status of the answer.
    pub status: u16,
    /// The body of the answer.
    pub answer: Bytes,
}

impl Mint {
    /// A run with this name: letters and digits.
    pub fn new(run: impl Into<String>) -> Mint {
        Mint { run: run.into() }
    }

    /// Exchange number `number` of the run.
    pub fn exchange(&self, number: u64) -> Made {
        let id = format!("{}-{number}", self.run);
        let mut random = Random::seeded(&self.run, number);
        let target = format!("/orders/{id}?page={}&q=caf%C3%A9", random.below(9));
        let call = match random.below(4) {
            0 => Call::get(target),
            1 => Call::new("DELETE", target),
            2 => Call::put(target).body(payload(&id, &mut random)),
            _ => Call::post(target).body(payload(&id, &mut random)),
        };
        let (repeated, [first, second]) = REPEATED_HEADER;
        let call = call.header(ID_HEADER, id.clone()).header(repeated, first).header(repeated, second);
        let statuses = [200, 200, 200, 201, 404, 500];
        let status = statuses.get(random.below(6) as usize).copied().unwrap_or(200);
        let answer = Bytes::from(payload(&id, &mut random));
        Made { id, call, status, answer }
    }

    /// What every id of the run begins with; its number follows.
    pub fn id_before_number(&self) -> String {
        format!("{}-", self.run)
    }

    /// The exchange with this id, if it is of this run.
    pub fn of_id(&self, id: &str) -> Option<Made> {
        let (run, number) = id.rsplit_once('-')?;
        let made = (run == self.run).then(|| number.parse().ok()).flatten().map(|number| self.exchange(number))?;
        (made.id == id).then_some(made)
    }

    /// The exchange that a target belongs to.
    pub fn of_target(&self, target: &str) -> Option<Made> {
        let made = self.of_id(target.strip_prefix("/orders/")?.split('?').next()?)?;
        (made.call.target == target).then_some(made)
    }

    /// The origin's part: answers each exchange of the run as made, half of them in chunks. A request that does not arrive
    /// as it was sent is answered 599, so that client and judge see it.
    pub fn answer(&self, asked: &Asked) -> Answer {
        let made = self.of_target(&asked.target).filter(|made| {
            let body: Vec<u8> = made.call.body.pieces().concat();
            asked.method == made.call.method && asked.body == body && asked.headers.text(ID_HEADER) == Some(&made.id)
        });
        let Some(made) = made else { return Answer::new(599).body("not as it was sent") };
        let head =
            Answer::new(made.status).header(ID_HEADER, made.id).header("content-type", "text/plain; charset=utf-8");
        match made.answer.len() % 2 {
            0 => head.body(made.answer),
            _ => {
                let half = made.answer.len() / 2;
                head.chunks([made.answer.slice(..half), made.answer.slice(half..)])
            }
        }
    }
}

/// A text that begins with the id.
fn payload(id: &str, random: &mut Random) -> String {
    let length = random.below(MAX_PAYLOAD_BYTES) as usize;
    let mut text = format!("{id}|");
    while text.len() < length {
        let piece = PIECES.get(random.below(PIECES.len() as u64) as usize);
        text.push_str(piece.copied().unwrap_or_default());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_exchange_is_the_same_each_time_and_unlike_every_other() {
        let mint = Mint::new("run");

        let first = mint.exchange(7);

        assert_eq!(first.answer, mint.exchange(7).answer);
        assert_eq!(first.call.target, mint.of_id("run-7").unwrap().call.target);
        assert_ne!(first.answer, mint.exchange(8).answer);
        assert!(mint.of_id("other-7").is_none() && mint.of_id("run-07").is_none());
    }

    #[test]
    fn all_methods_statuses_and_awkward_pieces_come_up() {
        let mint = Mint::new("run");

        let made: Vec<Made> = (0..200).map(|number| mint.exchange(number)).collect();

        for method in ["GET", "DELETE", "PUT", "POST"] {
            assert!(made.iter().any(|made| made.call.method == method), "{method}");
        }
        for status in [200, 201, 404, 500] {
            assert!(made.iter().any(|made| made.status == status), "{status}");
        }
        let all: Vec<u8> = made.iter().flat_map(|made| made.answer.to_vec()).collect();
        let all = String::from_utf8(all).unwrap();
        assert!(PIECES.iter().all(|piece| all.contains(piece)));
    }
}
