//! One call, twice: past the filter and through it. The client must see the same, the origin must be asked the same,
//! and exactly the expected records must come out of Kafka.
//!
//! All cases share one origin, one Envoy (one worker) and one collector, and take turns, so that every counter and
//! every line can be told to belong to the case at hand.

mod record;
mod script;

use std::{
    fmt::Debug,
    net::SocketAddr,
    sync::{Arc, OnceLock},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use bytes::Bytes;
use libtest_mimic::{Failed, Trial};
use serde_json::json;
use tokio::{runtime::Runtime, sync::Mutex};
use tributary_testbed::{
    client::{self, h1},
    envoy::{Config, EnvoyBuilder, Upstream},
    message::{Asked, Call, Fields, Head},
    oracle::Counters,
    ports::Port,
    stack::{Bed, Stack},
    wait,
};

pub(crate) use record::{Expected, Record};
pub(crate) use script::Script;

/// What differs between two equal calls by itself: the time, Envoy's request id, its timing, and in a retry what is left of the time-out.
const VOLATILE: [&str; 4] = ["date", "x-request-id", "x-envoy-upstream-service-time", "x-envoy-expected-rq-timeout-ms"];

/// The time-out of the routes under `/hasty`.
pub(crate) const HASTY: Duration = Duration::from_millis(300);

/// The longest that anything here may take on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// The longest that a case may take, its turns included.
const CASE_WITHIN: Duration = Duration::from_secs(300);

/// The twin that the cases of all modules share, started by the first one that runs.
pub(crate) struct Shared {
    bed: Arc<Bed>,
    started: OnceLock<Result<Started, String>>,
}

/// The twin before its runtime: that is the order in which they end.
struct Started {
    twin: Twin,
    runtime: Runtime,
}

impl Shared {
    /// Not started yet.
    pub(crate) fn new(bed: &Arc<Bed>) -> Arc<Shared> {
        Arc::new(Shared { bed: Arc::clone(bed), started: OnceLock::new() })
    }

    fn run(&self, case: impl AsyncFnOnce(&Twin) -> Result<()>) -> Result<()> {
        let started = self.started.get_or_init(|| self.start().map_err(|error| format!("{error:#}")));
        let started = started.as_ref().map_err(|error| anyhow::anyhow!("{error}"))?;
        started.runtime.block_on(async {
            let bounded = tokio::time::timeout(CASE_WITHIN, case(&started.twin)).await;
            bounded.with_context(|| format!("not finished within {} s", CASE_WITHIN.as_secs()))?
        })
    }

    /// On a runtime of its own, which outlives each single case.
    fn start(&self) -> Result<Started> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
        let twin = runtime.block_on(Twin::start(&self.bed))?;
        Ok(Started { twin, runtime })
    }
}

/// The cases of a module as tests: `cases!(shared, "streams": first_case, second_case)`.
macro_rules! cases {
    ($shared:expr, $module:literal: $($case:ident),+ $(,)?) => {
        vec![$(crate::twin::trial($shared, concat!($module, "::", stringify!($case)), $case)),+]
    };
}
pub(crate) use cases;

/// One case as a test.
pub(crate) fn trial<T>(shared: &Arc<Shared>, name: &str, case: T) -> Trial
where
    T: AsyncFnOnce(&Twin) -> Result<()> + Send + 'static,
{
    let shared = Arc::clone(shared);
    Trial::test(name, move || shared.run(case).map_err(|error| Failed::from(format!("{error:#}"))))
}

/// One of the two ways to the origin.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Way<'a> {
    /// Where HTTP/1.1 and cleartext HTTP/2 go in.
    pub(crate) address: SocketAddr,
    /// Where HTTP/3 goes in.
    pub(crate) http3: SocketAddr,
    /// The certificate of the HTTP/3 listener, PEM.
    pub(crate) certificate: &'a str,
    /// What the origin says.
    pub(crate) script: &'a Script,
    twin: &'a Twin,
}

impl Way<'_> {
    /// Waits until Envoy has this many requests with the origin at once; 0: until all have ended.
    pub(crate) async fn upstream_active(&self, cluster: &str, count: u64) -> Result<()> {
        let gauge = format!("cluster.{cluster}.upstream_rq_active");
        wait::until(&gauge, PATIENCE, async || {
            let now = self.twin.stack.envoy.stats().await?.value(&gauge);
            ensure!(now == count, "{now}");
            Ok(())
        })
        .await
    }
}

/// What came of a case.
#[derive(Debug)]
pub(crate) struct Outcome<T> {
    /// What the client saw, both ways.
    pub(crate) seen: T,
    /// What the origin was asked, both ways.
    pub(crate) asked: Vec<Asked>,
    /// The records, in the order of `seq`.
    pub(crate) records: Vec<Record>,
}

impl<T> Outcome<T> {
    /// The only record.
    pub(crate) fn record(&self) -> Result<&Record> {
        ensure!(self.records.len() == 1, "{} records", self.records.len());
        self.records.first().context("no record")
    }
}

/// The proxy with and without the filter, and what stands around it.
pub(crate) struct Twin {
    stack: Stack,
    script: Script,
    certificate: String,
    /// Nobody ever listens here.
    refused: Port,
    /// How many lines the cases so far have accounted for.
    turn: Mutex<Told>,
}

/// What is accounted for.
#[derive(Debug, Default)]
struct Told {
    lines: usize,
    fences: u64,
    /// A case has begun and not come to its good end: what it left is not the next one's.
    unfinished: bool,
}

impl std::fmt::Debug for Twin {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Twin").field("envoy", &self.stack.envoy).finish_non_exhaustive()
    }
}

impl Twin {
    /// Starts everything, on a topic of its own.
    pub(crate) async fn start(bed: &Bed) -> Result<Twin> {
        let script = Script::default();
        let origin = script.origin().await?;
        let refused = Port::tcp()?;
        let (at, nobody) = (origin.address(), refused.address());
        let stack = bed.stack("shapes").await?.with_origin(origin).filter(json!({"flush_after_ms": 20}));
        let stack = stack.envoy(|envoy| configured(envoy.every_shape().with_http3(), at, nobody)).start().await?;
        let certificate = stack.envoy.certificate_pem()?;
        Ok(Twin { stack, script, certificate, refused, turn: Mutex::default() })
    }

    /// Drives a case past the filter and through it, and waits for its `expected` records.
    ///
    /// # Errors
    /// Client or origin saw a difference; records are missing or too many; the filter's account does not add up.
    pub(crate) async fn compare<T: PartialEq + Debug>(
        &self,
        expected: usize,
        drive: impl AsyncFn(Way<'_>) -> Result<T>,
    ) -> Result<Outcome<T>> {
        let mut told = self.turn.lock().await;
        let before = self.begin(&mut told).await.context("before the case")?;
        let (seen_without, asked_without) = self.drive(&drive, Filter::Without).await.context("without the filter")?;
        let began = Instant::now();
        let (seen, asked) = self.drive(&drive, Filter::With).await.context("with the filter")?;
        ensure!(seen == seen_without, "the client saw\n{seen:#?}\nwith the filter, and without\n{seen_without:#?}");
        ensure!(
            asked == asked_without,
            "the origin was asked\n{asked:#?}\nwith the filter, and without\n{asked_without:#?}"
        );

        let lines = self.stack.lines(told.lines + expected).await?.len();
        let longest = began.elapsed();
        let path = self.fence(&mut told).await?;
        let lines = lines.max(told.lines + expected) + 1;
        let mut records = self.new_records(told.lines, lines).await?;
        told.lines += records.len();
        let fence = records.pop().context("not even the fence")?;
        ensure!(fence.text("/request/path") == Some(&path), "the last record is not the fence: {}", fence.line);
        ensure!(records.len() == expected, "{} records instead of {expected}:\n{records:#?}", records.len());
        for record in &records {
            ensure!(
                u128::from(record.duration_ms) <= longest.as_millis(),
                "{} ms took longer than all",
                record.duration_ms
            );
        }
        self.account(&before, records.len() as u64 + 1).await?;
        told.unfinished = false;
        Ok(Outcome { seen, asked, records })
    }

    /// Nothing is pending, and no line has come since the last case.
    async fn begin(&self, told: &mut Told) -> Result<Counters> {
        let unfinished = std::mem::replace(&mut told.unfinished, true);
        if unfinished {
            // What a case without a good end has set off comes before this.
            let fence = self.fence(told).await?;
            self.stack.line_of(&fence).await?;
        }
        let before = self.settled().await?;
        let lines = self.stack.lines(0).await?.len();
        let spurious = lines - std::mem::replace(&mut told.lines, lines);
        ensure!(unfinished || spurious == 0, "{spurious} lines came after the end of the case before");
        Ok(before)
    }

    async fn drive<T>(&self, drive: &impl AsyncFn(Way<'_>) -> Result<T>, filter: Filter) -> Result<(T, Vec<Asked>)> {
        let envoy = &self.stack.envoy;
        let (address, http3) = match filter {
            Filter::With => (envoy.address(), envoy.http3_address()?),
            Filter::Without => (envoy.bare_address()?, envoy.bare_http3_address()?),
        };
        let origin = self.stack.origin()?;
        let earlier = origin.asked().len();
        let way = Way { address, http3, certificate: &self.certificate, script: &self.script, twin: self };
        let seen = tokio::time::timeout(PATIENCE, drive(way)).await.context("the case hangs")??;
        let asked = origin.asked().into_iter().skip(earlier);
        Ok((seen, asked.map(|asked| Asked { headers: asked.headers.without(&VOLATILE), ..asked }).collect()))
    }

    /// A last exchange: Envoy's worker has ended all earlier ones when this one is recorded. Its path.
    async fn fence(&self, told: &mut Told) -> Result<String> {
        told.fences += 1;
        let path = format!("/fence/{}", told.fences);
        self.script.answer(&path, tributary_testbed::origin::Answer::new(204));
        let reply = client::call(self.stack.envoy.address(), &Call::get(&path)).await?;
        ensure!(reply.status == 204, "fence: {reply:?}");
        Ok(path)
    }

    /// The records after the first `known`, in the order of `seq`; at least up to `count`.
    async fn new_records(&self, known: usize, count: usize) -> Result<Vec<Record>> {
        let names = [
            (self.stack.origin()?.address(), "ORIGIN"),
            (self.refused.address(), "REFUSED"),
            (self.stack.envoy.address(), "LISTENER"),
        ];
        let lines = self.stack.lines(count).await?;
        let new = lines.iter().skip(known).map(|line| Record::of(&line.bytes, &names)).collect::<Result<Vec<_>>>();
        let mut new = new.context("a line that cannot be")?;
        new.sort_by_key(|record| record.seq);
        Ok(new)
    }

    /// The filter's counters once nothing is pending.
    async fn settled(&self) -> Result<Counters> {
        wait::until("a settled filter", PATIENCE, async || {
            let now = self.stack.envoy.stats().await?.filter();
            let value = |name: &str| now.get(name).copied().unwrap_or(0);
            let dropped: u64 =
                now.iter().filter(|(name, _)| name.starts_with("dropped_")).map(|(_, count)| count).sum();
            let pending = value("captured") - value("acked") - value("rejected") - dropped;
            ensure!(pending == 0, "{pending} pending");
            Ok(now)
        })
        .await
    }

    /// Since `before`, the filter saw and delivered exactly `count` exchanges, and nothing else happened to any.
    async fn account(&self, before: &Counters, count: u64) -> Result<()> {
        let after = self.settled().await?;
        let growth = |name: &str| after.get(name).copied().unwrap_or(0) - before.get(name).copied().unwrap_or(0);
        let told =
            |name: &&String| name.starts_with("excluded_") || name.starts_with("dropped_") || *name == "rejected";
        let odd: Vec<_> = after.keys().filter(told).filter(|name| growth(name) > 0).collect();
        let counts = ["seen", "captured", "acked"].map(growth);
        ensure!(counts == [count; 3] && odd.is_empty(), "seen, captured, acked {counts:?} instead of {count}; {odd:?}");
        Ok(())
    }
}

#[derive(Clone, Copy)]
enum Filter {
    With,
    Without,
}

/// A response head without what differs by itself.
pub(crate) fn comparable(head: Head) -> Head {
    Head { headers: head.headers.without(&VOLATILE), ..head }
}

/// Reads up to and including these bytes, which must be the last that are there.
pub(crate) async fn read_until(connection: &mut h1::Connection, end: &[u8]) -> Result<Bytes> {
    let mut all = Vec::new();
    while !all.ends_with(end) {
        let bytes = connection.bytes(PATIENCE).await?;
        ensure!(!bytes.is_empty(), "the connection ended after {:?}", String::from_utf8_lossy(&all));
        all.extend_from_slice(&bytes);
    }
    Ok(all.into())
}

/// Header or trailer fields of these pairs.
pub(crate) fn fields<const N: usize>(pairs: [(&str, &str); N]) -> Fields {
    pairs.into_iter().map(|(name, value)| (name, value.to_owned())).collect()
}

/// The routes and clusters that the cases need beside those of the repository's file.
fn configured(envoy: EnvoyBuilder, origin: SocketAddr, refused: SocketAddr) -> EnvoyBuilder {
    let to = |name: &str, prefix: &str, action: serde_json::Value| json!({"name": name, "match": {"prefix": prefix}, "route": action});
    let retries = json!({"retry_on": "5xx,reset", "num_retries": 2, "retry_back_off": {"base_interval": "0.001s"}});
    let hasty = format!("{}s", HASTY.as_secs_f32());
    envoy
        .cluster("over2", origin, Upstream::Http2)
        .cluster("refused", refused, Upstream::Http1)
        .route(to("over2", "/over2", json!({"cluster": "over2"})))
        .route(to("grpc", "/testbed.Greeter/", json!({"cluster": "over2"})))
        .route(to("hasty", "/hasty", json!({"cluster": "users", "timeout": hasty})))
        .route(to("retried", "/retried", json!({"cluster": "users", "retry_policy": retries})))
        .route(to("refused", "/refused", json!({"cluster": "refused"})))
        .route(to("nobody", "/nobody", json!({"cluster": "nobody"})))
        .route(to(
            "hop",
            "/hop",
            json!({"cluster": "users", "internal_redirect_policy": {"max_internal_redirects": 1}}),
        ))
        .route(json!({"name": "direct", "match": {"prefix": "/direct"},
            "direct_response": {"status": 418, "body": {"inline_string": "short and stout"}}}))
        .route(json!({"name": "moved", "match": {"prefix": "/moved"}, "redirect": {"path_redirect": "/new-place"}}))
        .edit(odd_ends)
}

/// A host without routes, a cluster without hosts, and a filter before ours that refuses what asks for it.
fn odd_ends(config: &mut Config) -> Result<()> {
    let hosts = config.manager()?.pointer_mut("/route_config/virtual_hosts").and_then(|hosts| hosts.as_array_mut());
    hosts.context("virtual hosts")?.push(json!({"name": "unrouted", "domains": ["unrouted.example"], "routes": [
        {"name": "known", "match": {"path": "/known"}, "route": {"cluster": "users"}}
    ]}));
    let filters = config.manager()?.pointer_mut("/http_filters").and_then(|filters| filters.as_array_mut());
    filters.context("http filters")?.insert(
        0,
        json!({"name": "refusing", "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.fault.v3.HTTPFault",
            "abort": {"header_abort": {}, "percentage": {"numerator": 100}}
        }}),
    );
    let clusters = config.root().pointer_mut("/static_resources/clusters").and_then(|clusters| clusters.as_array_mut());
    clusters.context("clusters")?.push(json!({
        "name": "nobody", "type": "STATIC", "connect_timeout": "2s", "load_assignment": {"cluster_name": "nobody"}
    }));
    Ok(())
}
