//! HTTP calls through the Envoy of the containers: one at a time, or a stream of them from a thread.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};

/// Where docker-compose.yml publishes Envoy.
const ENVOY: &str = "127.0.0.1:3000";
const TIMEOUT: Duration = Duration::from_secs(20);
/// Between two calls: some hundred exchanges over a restart, not a load test.
const PAUSE: Duration = Duration::from_millis(50);

/// A user that was created through Envoy.
#[derive(Debug)]
pub(super) struct User {
    /// Made by the app, in no other exchange.
    pub(super) id: String,
    /// The whole answer.
    pub(super) body: String,
}

impl User {
    /// `POST /users`, as the tutorial's curl makes it.
    ///
    /// # Errors
    /// No answer, not 200, or one without an id.
    pub(super) fn create(name: &str, email: &str) -> Result<Self> {
        let body = json!({ "name": name, "email": email }).to_string();
        let request = format!(
            "POST /users HTTP/1.1\r\nHost: localhost:3000\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
            body.len()
        );
        let answer = exchange(&request).context("POST /users through Envoy")?;
        let (head, body) = answer.split_once("\r\n\r\n").context("an answer without an end of its head")?;
        ensure!(head.starts_with("HTTP/1.1 200 "), "POST /users was answered {head}\n{body}");
        let user: Value = serde_json::from_str(body).with_context(|| format!("no JSON: {body}"))?;
        let id = user.get("id").and_then(Value::as_str).with_context(|| format!("no id in {body}"))?;
        Ok(Self { id: id.to_owned(), body: body.to_owned() })
    }
}

fn exchange(request: &str) -> Result<String> {
    let mut stream = TcpStream::connect(ENVOY)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    stream.set_write_timeout(Some(TIMEOUT))?;
    stream.write_all(request.as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

/// Calls that go on until they are stopped.
#[derive(Debug)]
pub(super) struct Traffic {
    thread: JoinHandle<Result<BTreeSet<String>>>,
    count: Arc<AtomicUsize>,
    stop: Arc<AtomicBool>,
}

impl Traffic {
    /// Starts a client.
    pub(super) fn start() -> Result<Self> {
        let (count, stop) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
        let (counted, stopped) = (Arc::clone(&count), Arc::clone(&stop));
        let calls = move || {
            let mut ids = BTreeSet::new();
            while !stopped.load(Ordering::Relaxed) {
                ids.insert(User::create("Load", "load@example.com")?.id);
                counted.store(ids.len(), Ordering::Relaxed);
                thread::sleep(PAUSE);
            }
            Ok(ids)
        };
        let thread = thread::Builder::new().name("traffic".to_owned()).spawn(calls).context("start the client")?;
        Ok(Self { thread, count, stop })
    }

    /// Waits until so many more calls were answered.
    ///
    /// # Errors
    /// The client failed: some call was not answered with 200, which nothing behind Envoy's filter may cause.
    pub(super) fn wait_for_more(&self, more: usize) -> Result<()> {
        let enough = self.count.load(Ordering::Relaxed) + more;
        let deadline = Instant::now() + TIMEOUT * 2;
        while self.count.load(Ordering::Relaxed) < enough {
            if self.thread.is_finished() || Instant::now() > deadline {
                bail!("the calls through Envoy do not go on");
            }
            thread::sleep(PAUSE);
        }
        Ok(())
    }

    /// Ends the client and returns the ids of all users it created.
    ///
    /// # Errors
    /// As [`wait_for_more`](Self::wait_for_more), with what was answered.
    pub(super) fn stop(self) -> Result<BTreeSet<String>> {
        self.stop.store(true, Ordering::Relaxed);
        match self.thread.join() {
            Ok(ids) => ids,
            Err(_) => bail!("the client's thread died"),
        }
    }
}
