//! Runs the cases of a table: each past the filter and through it, one after the other, over one Envoy.
//!
//! What is asked of each run: the client sees the same bytes with the filter as without (without `date`,
//! `x-request-id` and Envoy's timing, which differ between any two calls), the origin is asked the same, and the topic
//! has the expected line, once. At the end the filter's counters say the same as the table.

use std::{
    collections::{BTreeMap, HashMap},
    net::SocketAddr,
    time::Duration,
};

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::json;
use tributary_testbed::{
    client::{PATIENCE, h1, h2},
    collector::Accounting,
    envoy::{Config, EnvoyBuilder, Upstream},
    message::{Asked, Call, Payload, Reply},
    oracle::{self, Counters, Evidence},
    origin::{Answer, Origin},
    recordings::Line,
    stack::{Bed, Stack},
};

use super::{
    case::{Ask, Case, LABEL, Outcome, Way},
    line::{Hosts, comparable, difference, short},
    profile,
};

/// How many complaints are shown; what is wrong is often wrong in many cases.
const SHOWN: usize = 25;

/// Nothing is pending any more within this time, on a busy machine.
pub(crate) const SETTLED_WITHIN: Duration = Duration::from_secs(60);

/// Headers that differ between two equal calls by themselves.
const VOLATILE: &[&str] = &["date", "x-request-id", "x-envoy-upstream-service-time"];

/// Runs a table on a stack of its own.
///
/// # Errors
/// All that is wrong with any of the cases.
pub(crate) async fn run(bed: &Bed, name: &str, cases: Vec<Case>) -> Result<()> {
    run_on(bed, name, cases, |envoy| envoy).await
}

/// The same with a change to Envoy.
pub(crate) async fn run_on(
    bed: &Bed,
    name: &str,
    cases: Vec<Case>,
    change: impl FnOnce(EnvoyBuilder) -> EnvoyBuilder,
) -> Result<()> {
    let origin = origin_of(&cases).await?;
    let address = origin.address();
    let stack = bed.stack(name).await?.with_origin(origin).filter(json!({"flush_after_ms": 50}));
    let stack = stack.envoy(|envoy| change(two_origins(envoy, address))).start().await?;
    let mut complaints = Vec::new();
    for case in &cases {
        for way in case.ways {
            if let Err(error) = asked_twice(&stack, case, *way).await {
                complaints.push(format!("{}: {error:#}", case.label(*way)));
            }
        }
    }
    let recorded = expected_count(&cases, |outcome| outcome == Outcome::Recorded);
    // More than these would be in the evidence, which is taken when nothing is pending.
    let awaited = stack.lines(recorded).await.map(|_| ());
    complaints.extend(awaited.err().map(|error| format!("{error:#}")));
    let evidence = stack.evidence(SETTLED_WITHIN).await?;
    let hosts = Hosts { listener: stack.envoy.address(), origin: address };
    complaints.extend(lines_against(&cases, &evidence.lines, hosts));
    complaints.extend(counters_against(&cases, &evidence));
    verdict(&complaints)
}

fn verdict(complaints: &[String]) -> Result<()> {
    if complaints.is_empty() {
        return Ok(());
    }
    let shown: Vec<&str> = complaints.iter().take(SHOWN).map(String::as_str).collect();
    bail!("{} complaints, the first {}:\n{}", complaints.len(), shown.len(), shown.join("\n"))
}

/// The scripted origin: it finds the answer by the header with the name of the run.
async fn origin_of(cases: &[Case]) -> Result<Origin> {
    let runs = cases.iter().flat_map(|case| case.ways.iter().map(move |way| (case.label(*way), case.says.answer())));
    let answers: HashMap<String, Answer> = runs.collect();
    let find = move |asked: &Asked| answers.get(asked.headers.text(LABEL).unwrap_or_default()).cloned();
    Origin::start(move |asked| find(asked).unwrap_or_else(|| Answer::new(599).body("no such case"))).await
}

/// Every shape is let through, heads of 60 KiB in both directions too, and the header `x-upstream: http2` leads to the
/// same origin over HTTP/2.
fn two_origins(envoy: EnvoyBuilder, origin: SocketAddr) -> EnvoyBuilder {
    let route = json!({
        "name": "users-http2",
        "match": {"prefix": "/", "headers": [{"name": "x-upstream", "string_match": {"exact": "http2"}}]},
        "route": {"cluster": "users-http2", "timeout": "15s"}
    });
    envoy
        .every_shape()
        .cluster("users-http2", origin, Upstream::Http2)
        .route(route)
        .edit(|config| ["users", "users-http2"].iter().try_for_each(|cluster| allow_long_heads(config, cluster)))
}

fn allow_long_heads(config: &mut Config, cluster: &str) -> Result<()> {
    const OPTIONS: &str = "/typed_extension_protocol_options/envoy.extensions.upstreams.http.v3.HttpProtocolOptions";
    let options = config.cluster(cluster)?.pointer_mut(OPTIONS).and_then(|options| options.as_object_mut());
    let limit = json!({"max_response_headers_kb": 96});
    options.context("no protocol options")?.insert("common_http_protocol_options".to_owned(), limit);
    Ok(())
}

/// One run, past the filter and through it.
async fn asked_twice(stack: &Stack, case: &Case, way: Way) -> Result<()> {
    let without = replied(stack.envoy.bare_address()?, case, way).await;
    let with = replied(stack.envoy.address(), case, way).await;
    ensure!(without == with, "the client saw\n  {}\nbut without the filter\n  {}", told(&with), told(&without));
    let label = case.label(way);
    let asked: Vec<Asked> = stack.origin()?.asked().into_iter().filter(|asked| is_of(asked, &label)).collect();
    if let [without, with] = asked.as_slice() {
        let [without, with] = [without, with].map(unchanging);
        ensure!(without == with, "the origin was asked\n  {with:?}\nbut without the filter\n  {without:?}");
    } else {
        ensure!(asked.is_empty(), "the origin was asked {} times in two calls", asked.len());
    }
    match with {
        Ok(reply) => (case.sees)(&reply, way).with_context(|| format!("the client saw {reply:?}")),
        Err(reason) => bail!("no reply: {reason}"),
    }
}

fn is_of(asked: &Asked, label: &str) -> bool {
    asked.headers.text(LABEL) == Some(label)
}

fn unchanging(asked: &Asked) -> Asked {
    Asked { headers: asked.headers.without(VOLATILE), ..asked.clone() }
}

fn told(reply: &Result<Reply, String>) -> String {
    short(&format!("{reply:?}"))
}

/// The reply without what differs by itself, or why there is none.
async fn replied(address: SocketAddr, case: &Case, way: Way) -> Result<Reply, String> {
    let reply = tokio::time::timeout(PATIENCE, reply(address, case, way)).await;
    match reply {
        Ok(Ok(reply)) => Ok(reply.comparable()),
        Ok(Err(error)) => Err(format!("{error:#}")),
        Err(_) => Err("not in time".to_owned()),
    }
}

async fn reply(address: SocketAddr, case: &Case, way: Way) -> Result<Reply> {
    let call = case.call(way);
    if way.is_from_http2() {
        return h2::Connection::open(address).await?.call(&call).await;
    }
    let mut connection = h1::Connection::open(address).await?;
    match &case.ask {
        Ask::Call => connection.call(&call).await,
        Ask::Head(head) => {
            connection.send(&[*head, labels(&call).as_slice()].concat()).await?;
            connection.reply(&call.method).await
        }
        Ask::InTwoSteps => in_two_steps(&mut connection, &call).await,
    }
}

/// The lines that name the run, and the end of the head.
fn labels(call: &Call) -> Vec<u8> {
    let mut lines = Vec::new();
    for (name, value) in call.headers.iter().filter(|(name, _)| [LABEL, "x-upstream"].contains(name)) {
        lines.extend([name.as_bytes(), b": ", value, b"\r\n"].concat());
    }
    lines.extend(b"\r\n");
    lines
}

/// Sends the head, waits for the word to go on, sends the body.
async fn in_two_steps(connection: &mut h1::Connection, call: &Call) -> Result<Reply> {
    let Payload::Whole(body) = &call.body else { bail!("only a body of known length is sent in two steps") };
    let mut head = format!("{} {} HTTP/1.1\r\nhost: {}\r\n", call.method, call.target, call.authority).into_bytes();
    for (name, value) in call.headers.iter() {
        head.extend([name.as_bytes(), b": ", value, b"\r\n"].concat());
    }
    head.extend(format!("content-length: {}\r\n\r\n", body.len()).bytes());
    connection.send(&head).await?;
    let interim = connection.head().await?;
    ensure!(interim.status == 100, "{interim:?} instead of 100 Continue");
    connection.send(body).await?;
    let mut reply = connection.reply(&call.method).await?;
    reply.interim.insert(0, interim);
    Ok(reply)
}

fn expected_count(cases: &[Case], wanted: impl Fn(Outcome) -> bool) -> usize {
    cases.iter().filter(|case| wanted(case.outcome)).map(|case| case.ways.len()).sum()
}

/// Every line against its case, and every case against its lines.
fn lines_against(cases: &[Case], lines: &[Line], hosts: Hosts) -> Vec<String> {
    let mut complaints = Vec::new();
    let mut by_label: BTreeMap<String, Vec<&Line>> = BTreeMap::new();
    for line in lines {
        let label = line.exchange().ok().and_then(|exchange| {
            let headers = exchange.request.headers?;
            headers.first(LABEL).map(str::to_owned)
        });
        by_label.entry(label.unwrap_or_else(|| "a line without a case".to_owned())).or_default().push(line);
        complaints.extend(profile::broken_by(line).into_iter().map(|rule| format!("{rule}: {}", short(&text(line)))));
    }
    for case in cases.iter().filter(|case| case.outcome == Outcome::Recorded) {
        for way in case.ways {
            let label = case.label(*way);
            let found = by_label.remove(&label).unwrap_or_default();
            let complaint = match found.as_slice() {
                [line] => line_against(case, *way, line, hosts).err().map(|error| format!("{error:#}")),
                several => Some(format!("{} lines instead of one", several.len())),
            };
            complaints.extend(complaint.map(|complaint| format!("{label}: {complaint}")));
        }
    }
    let spurious = by_label.iter().map(|(label, lines)| format!("{} lines that must not be: {label}", lines.len()));
    complaints.extend(spurious);
    complaints
}

fn line_against(case: &Case, way: Way, line: &Line, hosts: Hosts) -> Result<()> {
    let expected = case.expected(way, hosts).into_exchange();
    let found = comparable(line.exchange()?)?;
    let difference = difference(&expected, &found);
    ensure!(difference.is_empty(), "the line differs\n  {}", difference.join("\n  "));
    Ok(())
}

fn text(line: &Line) -> String {
    String::from_utf8_lossy(&line.bytes).into_owned()
}

/// The counters of filter and collector against the table: each run counted under its outcome, and nothing else.
fn counters_against(cases: &[Case], evidence: &Evidence) -> Vec<String> {
    let recorded = expected_count(cases, |outcome| outcome == Outcome::Recorded) as u64;
    let mut expected = Counters::from([("captured".to_owned(), recorded), ("acked".to_owned(), recorded)]);
    for case in cases {
        if let Outcome::Excluded(counter) = case.outcome {
            *expected.entry(counter.to_owned()).or_default() += case.ways.len() as u64;
        }
    }
    let seen = recorded + expected_count(cases, |outcome| matches!(outcome, Outcome::Excluded(_))) as u64;
    expected.insert("seen".to_owned(), seen);
    let counts_exchanges = |name: &str| {
        ["seen", "captured", "acked", "rejected"].contains(&name)
            || name.starts_with("excluded_")
            || name.starts_with("dropped_")
    };
    let found: Counters = evidence
        .filter
        .iter()
        .filter(|(name, value)| counts_exchanges(name) && **value > 0)
        .map(|(name, value)| (name.clone(), *value))
        .collect();
    let mut complaints = oracle::unsettled(&evidence.filter, &evidence.accounting);
    if found != expected {
        complaints.push(format!("the filter counted {found:?} instead of {expected:?}"));
    }
    let Accounting { received, accepted, kafka_acked, identity_exact, .. } = evidence.accounting;
    if [received, accepted, kafka_acked] != [recorded; 3] || !identity_exact {
        let told = format!("received {received}, accepted {accepted}, acked by Kafka {kafka_acked}");
        complaints.push(format!("the collector's account is {told}; exact: {identity_exact}"));
    }
    complaints
}
