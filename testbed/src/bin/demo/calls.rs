//! The tutorial's calls, and whether each of them came out as it was made.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use tributary_testbed::{
    client,
    message::{Call, Reply},
    recordings::Line,
};

use crate::parts::Parts;

/// The user that the tutorial creates.
const KIMMO: &str = r#"{"name":"Kimmo","email":"kimmo@example.com"}"#;

/// A user that nobody has.
const NOBODY: &str = "/users/00000000-0000-4000-8000-000000000000";

/// From the end of a call to its line, on a slow machine.
const CAME_OUT_WITHIN: Duration = Duration::from_secs(30);

/// The calls that were made, and the replies to them.
pub(crate) struct Calls {
    made: Vec<(Call, Reply)>,
    user: String,
    /// Lines that were there before: a file may be written to again.
    before: usize,
}

impl Calls {
    /// Creates a user, gets it, sends a user without a name, asks for one that is not there; prints each.
    ///
    /// # Errors
    /// A call has no reply, or another one than the tutorial says.
    pub(crate) async fn make(parts: &Parts) -> Result<Calls> {
        let before = parts.recordings().await?.read().await?.len();
        println!("\nThe calls of the tutorial:");
        let mut calls = Calls { made: Vec::new(), user: String::new(), before };
        let created = calls.call(parts, create(KIMMO), 200).await?;
        let id = created.json()?.get("id").and_then(Value::as_str).context("the created user has no id")?.to_owned();
        calls.user = format!("/users/{id}");
        calls.call(parts, Call::get(calls.user.clone()), 200).await?;
        calls.call(parts, create(r#"{"email":"nobody@example.com"}"#), 400).await?;
        calls.call(parts, Call::get(NOBODY), 404).await?;
        Ok(calls)
    }

    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        self.made.len()
    }

    /// The path of the user that was made.
    pub(crate) fn user(&self) -> &str {
        &self.user
    }

    /// Waits for the lines of all calls and compares each with what was sent and what was answered.
    ///
    /// # Errors
    /// A line is missing, or says something else than what happened.
    pub(crate) async fn came_out(&self, parts: &Parts) -> Result<()> {
        let mut recordings = parts.recordings().await?;
        let found = |lines: &[Line]| {
            let new = lines.get(self.before..).unwrap_or_default();
            let values = new.iter().map(Line::json).collect::<Result<Vec<_>>>()?;
            ensure!(values.len() == self.made.len(), "{} lines for {} calls", values.len(), self.made.len());
            self.made.iter().try_for_each(|(call, reply)| is_among(&values, call, reply))
        };
        recordings.until("the lines of the calls", CAME_OUT_WITHIN, found).await
    }

    async fn call(&mut self, parts: &Parts, call: Call, status: u16) -> Result<Reply> {
        let call = call.authority(parts.traffic()).header("user-agent", "tributary-demo").header("accept", "*/*");
        let reply = client::call(parts.envoy.address(), &call).await?;
        println!("  {:4} {} → {}", call.method, call.target, reply.status);
        let body = String::from_utf8_lossy(&reply.body);
        ensure!(reply.status == status, "the tutorial says {status}, Envoy and the users app say: {body}");
        self.made.push((call, reply.clone()));
        Ok(reply)
    }
}

fn create(body: &'static str) -> Call {
    Call::post("/users").header("content-type", "application/json").body(body)
}

/// Whether one of the lines is this exchange: what was sent and what was answered, whole.
fn is_among(lines: &[Value], call: &Call, reply: &Reply) -> Result<()> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let expected = json!([
        call.method.to_lowercase(),
        call.authority,
        call.target,
        text(&call.body.pieces().concat()),
        reply.status,
        text(&reply.body),
    ]);
    let parts = [
        "/request/method",
        "/request/host",
        "/request/path",
        "/request/body",
        "/response/statusCode",
        "/response/body",
    ];
    let recorded = |line: &Value| parts.iter().map(|part| line.pointer(part).cloned().unwrap_or_default()).collect();
    let is_it = lines.iter().any(|line| Value::Array(recorded(line)) == expected);
    ensure!(is_it, "{} {} is not among the lines as it was made", call.method, call.target);
    Ok(())
}
