//! Exchanges that came before: what a consumer needs to drop the repeats of an at-least-once stream.

use std::collections::{HashMap, HashSet, VecDeque};

use tributary_http_types::{Seen, check_line};

use crate::numbers::Numbers;

/// Ids of other programs that are remembered, and sources that are known by their numbers.
const MAX_IDS: usize = 100_000;
const MAX_SOURCES: usize = 65_536;

/// The exchanges seen so far.
///
/// An exchange of the filter is known by source and number, one bit each, for ever. One of another program is known by its
/// `meta.id`: the last 100,000 of them, so that an older one is taken for new. One without an id is always new.
#[derive(Debug, Default)]
pub(crate) struct Repeats {
    sources: HashMap<String, Numbers>,
    ids: HashSet<String>,
    /// The same ids, the oldest first.
    order: VecDeque<String>,
    dropped: u64,
}

impl Repeats {
    /// Whether the exchange in this line was seen before; from now on it was. A line that is no exchange is new.
    pub(crate) fn is_repeat(&mut self, line: &[u8]) -> bool {
        let Ok(line) = check_line(line) else { return false };
        let numbered = match (&line.source, line.seq) {
            (Some(source), Some(seq)) => {
                let named = line.id.as_ref().is_none_or(|id| **id == format!("{source}-{seq}"));
                named.then_some((source.as_ref(), seq))
            }
            _ => None,
        };
        let is_repeat = match (numbered, &line.id) {
            (Some((source, seq)), _) if self.knows_or_has_room_for(source) => {
                self.sources.entry(source.to_owned()).or_default().add(seq) == Seen::Again
            }
            (Some((source, seq)), None) => self.is_known_id(format!("{source}-{seq}")),
            (_, Some(id)) => self.is_known_id(id.to_string()),
            (None, None) => false,
        };
        self.dropped += u64::from(is_repeat);
        is_repeat
    }

    /// How many were.
    pub(crate) fn dropped(&self) -> u64 {
        self.dropped
    }

    fn knows_or_has_room_for(&self, source: &str) -> bool {
        self.sources.len() < MAX_SOURCES || self.sources.contains_key(source)
    }

    fn is_known_id(&mut self, id: String) -> bool {
        if !self.ids.insert(id.clone()) {
            return true;
        }
        self.order.push_back(id);
        if self.order.len() > MAX_IDS
            && let Some(oldest) = self.order.pop_front()
        {
            self.ids.remove(&oldest);
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(meta: &str) -> String {
        format!(r#"{{"request":{{"method":"get","host":"h"}},"meta":{meta}}}"#)
    }

    fn repeats(metas: &[&str]) -> Vec<bool> {
        let mut repeats = Repeats::default();
        metas.iter().map(|meta| repeats.is_repeat(line(meta).as_bytes())).collect()
    }

    #[test]
    fn exchange_is_known_by_source_and_number() {
        let metas = [
            r#"{"id":"a-1","source":"a","seq":1}"#,
            r#"{"id":"a-0","source":"a","seq":0}"#,
            r#"{"id":"b-1","source":"b","seq":1}"#,
            r#"{"id":"a-1","source":"a","seq":1}"#,
            r#"{"source":"a","seq":0}"#,
        ];

        assert_eq!(repeats(&metas), [false, false, false, true, true]);
    }

    #[test]
    fn exchange_of_another_program_is_known_by_its_id() {
        let metas = [r#"{"id":"x"}"#, r#"{"id":"x","source":"a","seq":1}"#, r#"{"id":"a-1","source":"a","seq":1}"#];

        assert_eq!(repeats(&metas), [false, true, false]);
    }

    #[test]
    fn exchange_without_an_id_is_always_new() {
        assert_eq!(repeats(&["{}", "{}", r#"{"seq":1}"#, r#"{"seq":1}"#]), [false; 4]);
    }

    #[test]
    fn past_the_bound_the_oldest_id_is_forgotten() {
        let mut repeats = Repeats::default();
        let mut id = |number: usize| repeats.is_repeat(line(&format!(r#"{{"id":"x{number}"}}"#)).as_bytes());

        for number in 0..=MAX_IDS {
            assert!(!id(number));
        }

        assert!(id(1) && id(MAX_IDS));
        assert!(!id(0));
    }
}
