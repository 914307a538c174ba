//! The whole path wired together: app ← Envoy with the filter → collector → topic (or file).

use std::{net::SocketAddr, path::Path, time::Duration};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use tokio::sync::{MappedMutexGuard, Mutex, MutexGuard};

use crate::{
    client,
    collector::{Collector, CollectorBuilder},
    envoy::{Envoy, EnvoyBuilder},
    message::{Asked, Call, Reply},
    oracle::Death,
    origin::{Answer, Origin},
    process::Scratch,
    proxy::Proxy,
    recordings::{Line, Recordings},
    users::Users,
};

mod bed;
mod books;
mod topic;

pub use bed::Bed;

/// The most time from the end of an exchange to its line in the topic, on a busy machine without faults.
pub const DELIVERED_WITHIN: Duration = Duration::from_secs(30);

/// What answers behind Envoy.
#[derive(Debug)]
enum App {
    Origin(Origin),
    Users(Users),
    /// Something that the test runs itself.
    At(SocketAddr),
}

/// Where the lines go.
#[derive(Clone, Debug)]
enum Sink {
    Topic { brokers: String, topic: String },
    File,
}

impl Sink {
    fn topic(&self) -> Result<&str> {
        match self {
            Sink::Topic { topic, .. } => Ok(topic),
            Sink::File => anyhow::bail!("this stack has no topic"),
        }
    }
}

/// How a stack is to be put together.
pub struct StackBuilder {
    name: String,
    sink: Sink,
    app: Option<App>,
    envoy: EnvoyBuilder,
    collector: CollectorBuilder,
    way: Way,
    way_in: Option<String>,
}

/// How Envoy reaches the collector.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Way {
    #[default]
    Direct,
    /// Through a proxy of ours.
    Proxied,
    /// Directly, but it is down when Envoy starts.
    Down,
}

impl StackBuilder {
    /// A scripted origin behind Envoy, which answers each request by `handler`.
    ///
    /// # Errors
    /// No port is free.
    pub async fn origin(self, handler: impl Fn(&Asked) -> Answer + Send + Sync + 'static) -> Result<StackBuilder> {
        let origin = Origin::start(handler).await?;
        Ok(self.with_origin(origin))
    }

    /// An origin that the test has started itself (for early answers); the stack owns it from now on.
    #[must_use]
    pub fn with_origin(mut self, origin: Origin) -> StackBuilder {
        self.app = Some(App::Origin(origin));
        self
    }

    /// Whatever listens at this address behind Envoy.
    #[must_use]
    pub fn app_at(mut self, address: SocketAddr) -> StackBuilder {
        self.app = Some(App::At(address));
        self
    }

    /// Changes how Envoy is started: `.envoy(|envoy| envoy.every_shape().concurrency(4))`.
    #[must_use]
    pub fn envoy(mut self, change: impl FnOnce(EnvoyBuilder) -> EnvoyBuilder) -> StackBuilder {
        self.envoy = change(self.envoy);
        self
    }

    /// Sets fields of the filter's configuration.
    #[must_use]
    pub fn filter(self, fields: Value) -> StackBuilder {
        self.envoy(|envoy| envoy.filter(fields))
    }

    /// Changes how the collector is started: `.collector(|collector| collector.args(&["--key", "host"]))`.
    #[must_use]
    pub fn collector(mut self, change: impl FnOnce(CollectorBuilder) -> CollectorBuilder) -> StackBuilder {
        self.collector = change(self.collector);
        self
    }

    /// Puts a [`Proxy`] between Envoy and the collector: see [`Stack::proxy`].
    #[must_use]
    pub fn proxied(mut self) -> StackBuilder {
        self.way = Way::Proxied;
        self
    }

    /// Sends the collector to these brokers, another way in to the same Kafka.
    #[must_use]
    pub fn way_in(mut self, brokers: &str) -> StackBuilder {
        self.way_in = Some(brokers.to_owned());
        self
    }

    /// The topic that it will write to.
    ///
    /// # Errors
    /// It writes to a file.
    pub fn topic(&self) -> Result<&str> {
        self.sink.topic()
    }

    /// Ends the collector before Envoy is started: [`Collector::start_again`] is the test's.
    #[must_use]
    pub fn collector_down(mut self) -> StackBuilder {
        self.way = Way::Down;
        self
    }

    /// Starts all of it, and waits until Envoy takes traffic and the collector takes lines. Without an origin the
    /// real `users` app runs behind Envoy.
    ///
    /// # Errors
    /// A part is missing or does not start; the error says which and why.
    pub async fn start(self) -> Result<Stack> {
        let scratch = Scratch::new(&self.name)?;
        let collector = match &self.sink {
            Sink::Topic { brokers, topic } => self.collector.kafka(self.way_in.as_ref().unwrap_or(brokers), topic),
            Sink::File => self.collector.file(&scratch.file("exchanges.jsonl")),
        };
        let collector = collector.start().await?;
        collector.ready(DELIVERED_WITHIN).await?;
        let app = match self.app {
            Some(app) => app,
            None => App::Users(Users::start().await?),
        };
        let proxy = match self.way {
            Way::Proxied => Some(Proxy::start(collector.address()).await?),
            Way::Direct | Way::Down => None,
        };
        if self.way == Way::Down {
            collector.terminate(DELIVERED_WITHIN).await?;
        }
        let posts_to = proxy.as_ref().map_or(collector.address(), Proxy::address);
        let envoy = self.envoy.users(app.address()).collector(posts_to);
        let envoy = envoy.with_bare_listener().start().await?;
        Ok(Stack {
            envoy,
            collector,
            proxy,
            app,
            sink: self.sink,
            recordings: Mutex::default(),
            deaths: Vec::new(),
            scratch,
        })
    }
}

/// A running stack. Dropping it ends its Envoy, collector and app; Kafka is the [`Bed`]'s.
pub struct Stack {
    /// Envoy with the filter; [`Envoy::bare_address`] is the same proxy without it.
    pub envoy: Envoy,
    /// The collector.
    pub collector: Collector,
    proxy: Option<Proxy>,
    app: App,
    sink: Sink,
    /// Opened with the first look: the topic may come late.
    recordings: Mutex<Option<Recordings>>,
    /// The Envoys of this stack that have ended.
    deaths: Vec<Death>,
    scratch: Scratch,
}

impl Stack {
    /// A stack that writes to a new topic of this Kafka. `name` (letters, digits, dashes) goes into the topic's name.
    pub fn on(brokers: &str, name: &str) -> StackBuilder {
        let unique = uuid::Uuid::new_v4().simple().to_string();
        let topic = format!("{name}-{}", unique.get(..8).unwrap_or(&unique));
        Stack::building(name, Sink::Topic { brokers: brokers.to_owned(), topic })
    }

    /// A stack that writes to a file; no Kafka.
    pub fn on_file(name: &str) -> StackBuilder {
        Stack::building(name, Sink::File)
    }

    fn building(name: &str, sink: Sink) -> StackBuilder {
        let (envoy, collector) = (Envoy::builder(), Collector::builder());
        StackBuilder { name: name.to_owned(), sink, app: None, envoy, collector, way: Way::default(), way_in: None }
    }

    /// Calls the app through Envoy with the filter, over a new HTTP/1.1 connection.
    ///
    /// # Errors
    /// No reply.
    pub async fn call(&self, call: &Call) -> Result<Reply> {
        client::call(self.envoy.address(), call).await
    }

    /// The same call twice, with and without the filter, on two fresh connections: `(with, without)`.
    ///
    /// # Errors
    /// No reply to one of them.
    pub async fn call_both(&self, call: &Call) -> Result<(Reply, Reply)> {
        let without = client::call(self.envoy.bare_address()?, call).await?;
        Ok((self.call(call).await?, without))
    }

    /// The scripted origin.
    ///
    /// # Errors
    /// The stack has the real app.
    pub fn origin(&self) -> Result<&Origin> {
        match &self.app {
            App::Origin(origin) => Ok(origin),
            App::Users(_) | App::At(_) => anyhow::bail!("this stack has no scripted origin"),
        }
    }

    /// The proxy between Envoy and the collector.
    ///
    /// # Errors
    /// The stack was not built [`proxied`](StackBuilder::proxied).
    pub fn proxy(&self) -> Result<&Proxy> {
        self.proxy.as_ref().context("this stack has no proxy: build it proxied()")
    }

    /// The topic.
    ///
    /// # Errors
    /// The stack writes to a file.
    pub fn topic(&self) -> Result<&str> {
        self.sink.topic()
    }

    /// The folder of its files: of a stack that writes to a file, the recordings and the accounts.
    pub fn folder(&self) -> &Path {
        self.scratch.path()
    }

    /// Waits until at least `count` lines are there, and returns all.
    ///
    /// # Errors
    /// They do not come within [`DELIVERED_WITHIN`]; the error has the ends of Envoy's and the collector's logs.
    pub async fn lines(&self, count: usize) -> Result<Vec<Line>> {
        self.lines_until(&format!("line {count}"), |lines| {
            ensure!(lines.len() >= count, "{} lines", lines.len());
            Ok(lines.to_vec())
        })
        .await
    }

    /// Waits for the line of a path (`request.path`, with the query) and returns it.
    ///
    /// # Errors
    /// It does not come within [`DELIVERED_WITHIN`].
    pub async fn line_of(&self, path: &str) -> Result<Value> {
        self.lines_until(&format!("a line of {path}"), |lines| {
            let values = lines.iter().map(Line::json).collect::<Result<Vec<_>>>()?;
            let is_it = |line: &Value| line.pointer("/request/path").and_then(Value::as_str) == Some(path);
            values.into_iter().find(is_it).context("none of the lines is it")
        })
        .await
    }

    /// Waits until `found` finds in the lines what it looks for.
    ///
    /// # Errors
    /// It does not within [`DELIVERED_WITHIN`].
    pub async fn lines_until<T>(&self, what: &str, found: impl FnMut(&[Line]) -> Result<T>) -> Result<T> {
        self.lines_within(what, DELIVERED_WITHIN, found).await
    }

    /// The same with a time of one's own.
    ///
    /// # Errors
    /// It does not within that time.
    pub async fn lines_within<T>(
        &self,
        what: &str,
        within: Duration,
        found: impl FnMut(&[Line]) -> Result<T>,
    ) -> Result<T> {
        let result = self.recordings().await?.until(what, within, found).await;
        result.map_err(|error| self.collector.process().with_log(self.envoy.process().with_log(error)))
    }

    /// The lines of the dead-letter topic, as of now.
    ///
    /// # Errors
    /// The stack writes to a file, or Kafka does not answer.
    pub async fn dead_letters(&self) -> Result<Vec<Line>> {
        let Sink::Topic { brokers, topic } = &self.sink else { anyhow::bail!("this stack has no topic") };
        let mut recordings = Recordings::of_topic(brokers, &format!("{topic}.dead-letter")).await?;
        Ok(recordings.read().await?.to_vec())
    }

    async fn recordings(&self) -> Result<MappedMutexGuard<'_, Recordings>> {
        let mut held = self.recordings.lock().await;
        if held.is_none() {
            *held = Some(match &self.sink {
                Sink::Topic { brokers, topic } => Recordings::of_topic(brokers, topic).await?,
                Sink::File => Recordings::of_file(self.scratch.file("exchanges.jsonl")),
            });
        }
        MutexGuard::try_map(held, Option::as_mut).ok().context("recordings")
    }
}

impl App {
    fn address(&self) -> SocketAddr {
        match self {
            App::Origin(origin) => origin.address(),
            App::Users(users) => users.address(),
            App::At(address) => *address,
        }
    }
}
