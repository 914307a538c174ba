//! What the origin says in a case: answers by path, given by the case just before it calls.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, PoisonError},
};

use anyhow::Result;
use tributary_testbed::{
    message::Asked,
    origin::{Answer, Origin},
};

/// The answers of one origin. An answer that nobody has given is a 500, so that no case passes on it by accident.
#[derive(Clone, Debug, Default)]
pub(crate) struct Script(Arc<Mutex<HashMap<String, Part>>>);

#[derive(Debug, Default)]
struct Part {
    /// Given once each, the last one for good.
    answers: VecDeque<Answer>,
    /// Given on the head alone.
    early: Option<Answer>,
}

impl Script {
    /// Starts an origin that follows this script.
    pub(crate) async fn origin(&self) -> Result<Origin> {
        let (early, whole) = (self.clone(), self.clone());
        let origin = Origin::builder().early(move |asked| early.early(asked.path()));
        origin.start(move |asked| whole.next(asked)).await
    }

    /// Answers the requests for a path, once the whole request is there.
    pub(crate) fn answer(&self, path: &str, answer: Answer) {
        self.answers(path, [answer]);
    }

    /// Answers the requests for a path one after the other; the last answer is given for good.
    pub(crate) fn answers(&self, path: &str, answers: impl IntoIterator<Item = Answer>) {
        self.set(path, Part { answers: answers.into_iter().collect(), early: None });
    }

    /// Answers the requests for a path as soon as the head is there.
    pub(crate) fn answer_early(&self, path: &str, answer: Answer) {
        self.set(path, Part { answers: VecDeque::new(), early: Some(answer) });
    }

    fn set(&self, path: &str, part: Part) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(path.to_owned(), part);
    }

    fn early(&self, path: &str) -> Option<Answer> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(path)?.early.clone()
    }

    fn next(&self, asked: &Asked) -> Answer {
        let mut parts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let answer = parts.get_mut(asked.path()).and_then(|part| match part.answers.len() {
            0 | 1 => part.answers.front().cloned(),
            _ => part.answers.pop_front(),
        });
        answer.unwrap_or_else(|| Answer::new(500).body("the script has no answer for this path"))
    }
}
