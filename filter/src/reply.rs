//! What the collector's answer to a post means: the table of DESIGN §5, in one place.

use std::{fmt, time::Duration};

use serde::{
    Deserialize, Deserializer,
    de::{Error, IgnoredAny, MapAccess, SeqAccess, Visitor},
};

use crate::{counters::Counter, head::Head, retry::Wait};

/// How much of an answer's body is read; the collector's longest (10,000 rejected lines) stays below.
pub const REPLY_BODY_LIMIT: usize = 1_048_576;

/// What to do with the batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The collector holds `accepted` of its lines as durable, and `rejected` will never be. They add up to the batch.
    Acked { accepted: u64, rejected: u64 },
    /// It can never work: dropped under this reason.
    Hopeless(Counter),
    /// Nothing is promised: the same bytes again, after a wait.
    Again { wait: Wait, status: Option<u16> },
}

impl Verdict {
    /// Reads an answer: `head` is `None` if there was none, or none that can be read.
    ///
    /// Only a 200 that names this very batch is an acknowledgement; a 200 of a captive portal, or one that belongs to
    /// another batch, promises nothing.
    pub(crate) fn of(head: Option<&Head>, body: &[u8], expected_ack: &str, count: u64) -> Verdict {
        let Some(status) = head.and_then(|head| status_code(head.first(b":status")?)) else {
            return Verdict::Again { wait: Wait::Usual, status: None };
        };
        let header = |name: &[u8]| head.and_then(|head| head.first(name));
        match status {
            200 if header(b"x-tributary-ack") == Some(expected_ack.as_bytes()) => acked(body, count),
            400 => Verdict::Hopeless(Counter::DroppedBadRequest),
            413 => Verdict::Hopeless(Counter::DroppedTooLarge),
            415 => Verdict::Hopeless(Counter::DroppedUnsupported),
            401 | 403 => Verdict::Again { wait: Wait::Long, status: Some(status) },
            _ => {
                let wait = header(b"retry-after").and_then(seconds).map_or(Wait::Usual, Wait::AtLeast);
                Verdict::Again { wait, status: Some(status) }
            }
        }
    }
}

/// A status of three digits, 100 to 999.
pub(crate) fn status_code(value: &[u8]) -> Option<u16> {
    let digits: &[u8; 3] = value.try_into().ok()?;
    let code = std::str::from_utf8(digits).ok()?.parse().ok()?;
    (digits.iter().all(u8::is_ascii_digit) && code >= 100).then_some(code)
}

/// `Retry-After` in seconds. Its other form, a date, needs a wall clock that both sides share: not taken.
fn seconds(value: &[u8]) -> Option<Duration> {
    std::str::from_utf8(value).ok()?.trim().parse().ok().map(Duration::from_secs)
}

/// `{"accepted":2,"rejected":[{"line":3,"error":"…"}]}`; other fields are left to later versions.
#[derive(Default)]
struct Counts {
    accepted: Option<u64>,
    rejected: Option<u64>,
}

/// A value of an answer, as far as it is looked at.
///
/// Not derived: what that brings along to explain a wrong type in words weighs as much as all of the delivery.
enum Shape {
    Null,
    Number(u64),
    /// Of so many values.
    Array(u64),
    Object(Counts),
    Other,
}

impl Shape {
    fn number(self) -> Result<Option<u64>, &'static str> {
        match self {
            Shape::Number(number) => Ok(Some(number)),
            Shape::Null => Ok(None),
            _ => Err("not a count"),
        }
    }

    fn length(self) -> Result<Option<u64>, &'static str> {
        match self {
            Shape::Array(length) => Ok(Some(length)),
            Shape::Null => Ok(None),
            _ => Err("not an array"),
        }
    }
}

impl<'de> Deserialize<'de> for Shape {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Shape, D::Error> {
        deserializer.deserialize_any(ShapeVisitor)
    }
}

struct ShapeVisitor;

impl<'de> Visitor<'de> for ShapeVisitor {
    type Value = Shape;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Shape, E> {
        Ok(Shape::Null)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Shape, E> {
        Ok(Shape::Other)
    }

    fn visit_u64<E>(self, number: u64) -> Result<Shape, E> {
        Ok(Shape::Number(number))
    }

    fn visit_i64<E>(self, _: i64) -> Result<Shape, E> {
        Ok(Shape::Other)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Shape, E> {
        Ok(Shape::Other)
    }

    fn visit_str<E>(self, _: &str) -> Result<Shape, E> {
        Ok(Shape::Other)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut values: A) -> Result<Shape, A::Error> {
        let mut count: u64 = 0;
        while values.next_element::<IgnoredAny>()?.is_some() {
            count = count.saturating_add(1);
        }
        Ok(Shape::Array(count))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Shape, A::Error> {
        let mut counts = Counts::default();
        while let Some(field) = fields.next_key::<String>()? {
            match field.as_str() {
                "accepted" => counts.accepted = fields.next_value::<Shape>()?.number().map_err(A::Error::custom)?,
                "rejected" => counts.rejected = fields.next_value::<Shape>()?.length().map_err(A::Error::custom)?,
                _ => drop(fields.next_value::<IgnoredAny>()?),
            }
        }
        Ok(Shape::Object(counts))
    }
}

/// The header has acknowledged the batch; the body only says how it splits. So a body that cannot be read must not
/// make the batch travel again: all its lines are taken as accepted. Counts that do not add up to the batch are cut
/// or filled, so that the accounting stays exact.
fn acked(body: &[u8], count: u64) -> Verdict {
    let rejected = match serde_json::from_slice(body) {
        Ok(Shape::Object(Counts { accepted: Some(accepted), .. })) => count.saturating_sub(accepted),
        Ok(Shape::Object(Counts { rejected: Some(rejected), .. })) => count.min(rejected),
        _ => 0,
    };
    Verdict::Acked { accepted: count.saturating_sub(rejected), rejected }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(pairs: &[(&str, &str)]) -> Head {
        let mut raw = (pairs.len() as u32).to_le_bytes().to_vec();
        for (name, value) in pairs {
            raw.extend((name.len() as u32).to_le_bytes());
            raw.extend((value.len() as u32).to_le_bytes());
        }
        for (name, value) in pairs {
            raw.extend([name.as_bytes(), b"\0", value.as_bytes(), b"\0"].concat());
        }
        Head::from_wire(raw).unwrap()
    }

    fn verdict(pairs: &[(&str, &str)], body: &str) -> Verdict {
        Verdict::of(Some(&head(pairs)), body.as_bytes(), "src-7", 3)
    }

    fn acked(body: &str) -> (u64, u64) {
        match verdict(&[(":status", "200"), ("x-tributary-ack", "src-7")], body) {
            Verdict::Acked { accepted, rejected } => (accepted, rejected),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn an_acknowledged_batch_splits_as_the_body_says() {
        assert_eq!(acked(r#"{"accepted":3,"rejected":[]}"#), (3, 0));
        assert_eq!(acked(r#"{"accepted":2,"rejected":[{"line":1,"error":"x"}],"new":{}}"#), (2, 1));
        assert_eq!(acked(r#"{"rejected":[{},{}]}"#), (1, 2));
    }

    #[test]
    fn counts_that_do_not_add_up_are_made_to() {
        assert_eq!(acked(r#"{"accepted":9,"rejected":[{}]}"#), (3, 0));
        assert_eq!(acked(r#"{"rejected":[1,2,3,4,5]}"#), (0, 3));
        assert_eq!(acked(r#"{"accepted":null,"rejected":[null]}"#), (2, 1));
        assert_eq!(acked(r#"{"accepted":"2","rejected":[1]}"#), (3, 0));
        assert_eq!(acked(r#"{"rejected":{"1":2}}"#), (3, 0));
        for other in ["[1,2]", "7", "-7", "0.5", "true", "null", "\"accepted\"", "{}", "{\"accepted\":-1}", "{\"a"] {
            assert_eq!(acked(other), (3, 0), "{other}");
        }
        assert_eq!(acked("nonsense"), (3, 0));
        assert_eq!(acked(""), (3, 0));
    }

    #[test]
    fn a_200_without_the_very_ack_promises_nothing() {
        let again = Verdict::Again { wait: Wait::Usual, status: Some(200) };

        assert_eq!(verdict(&[(":status", "200")], ""), again);
        assert_eq!(verdict(&[(":status", "200"), ("x-tributary-ack", "src-8")], ""), again);
        assert_eq!(verdict(&[(":status", "200"), ("x-tributary-ack", "src-70")], ""), again);
        assert_eq!(
            verdict(&[(":status", "202"), ("x-tributary-ack", "src-7")], ""),
            Verdict::Again { wait: Wait::Usual, status: Some(202) }
        );
    }

    #[test]
    fn a_batch_that_can_never_work_is_dropped_under_its_reason() {
        assert_eq!(verdict(&[(":status", "400")], ""), Verdict::Hopeless(Counter::DroppedBadRequest));
        assert_eq!(verdict(&[(":status", "413")], ""), Verdict::Hopeless(Counter::DroppedTooLarge));
        assert_eq!(verdict(&[(":status", "415")], ""), Verdict::Hopeless(Counter::DroppedUnsupported));
    }

    #[test]
    fn credential_trouble_is_kept_and_waits_long() {
        for status in [401, 403] {
            assert_eq!(
                verdict(&[(":status", &status.to_string())], ""),
                Verdict::Again { wait: Wait::Long, status: Some(status) }
            );
        }
    }

    #[test]
    fn everything_else_is_tried_again() {
        for status in [201, 204, 301, 404, 408, 429, 500, 502, 503, 504] {
            assert_eq!(
                verdict(&[(":status", &status.to_string())], ""),
                Verdict::Again { wait: Wait::Usual, status: Some(status) }
            );
        }
        assert_eq!(Verdict::of(None, b"", "src-7", 3), Verdict::Again { wait: Wait::Usual, status: None });
        assert_eq!(verdict(&[], ""), Verdict::Again { wait: Wait::Usual, status: None });
        assert_eq!(verdict(&[(":status", "+20")], ""), Verdict::Again { wait: Wait::Usual, status: None });
    }

    #[test]
    fn retry_after_is_read_in_seconds() {
        let wait = |value: &str| verdict(&[(":status", "503"), ("retry-after", value)], "");

        assert_eq!(wait("7"), Verdict::Again { wait: Wait::AtLeast(Duration::from_secs(7)), status: Some(503) });
        assert_eq!(wait("soon"), Verdict::Again { wait: Wait::Usual, status: Some(503) });
        assert_eq!(wait("Fri, 31 Dec 1999 23:59:59 GMT"), Verdict::Again { wait: Wait::Usual, status: Some(503) });
    }
}
