//! Configurations that the filter refuses: every field, every way to get it wrong, at an update and at the start.
//!
//! The table is written out by hand and not taken from the filter's own list; that it is complete is checked against
//! the names that the filter itself lists when it refuses an unknown one.

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::{Value, json};
use tributary_testbed::{
    envoy::{Config, Envoy, Update},
    message::Call,
    origin::{Answer, Origin},
    recordings::Line,
    stack::{Bed, Stack},
};

/// Whole numbers: field, smallest, largest.
const NUMBERS: &[(&str, i64, i64)] = &[
    ("collector.timeout_ms", 100, 60_000),
    ("max_request_body_bytes", 0, 1_048_576),
    ("max_response_body_bytes", 0, 1_048_576),
    ("max_memory_bytes", 65_536, 268_435_456),
    ("flush_after_ms", 10, 10_000),
    ("max_batch_bytes", 1_024, 4_194_304),
    ("max_batch_exchanges", 1, 10_000),
    ("retry_min_ms", 10, 60_000),
    ("retry_max_ms", 10, 600_000),
    ("give_up_after_ms", 1_000, 3_600_000),
    ("heartbeat_ms", 1_000, 60_000),
];

const CLUSTER: &str = "a text of 1 to 512 bytes without control characters";
const AUTHORITY: &str = "a host with an optional port, 1 to 255 visible ASCII characters";
const PATH: &str = "a path of 1 to 2048 visible ASCII characters that starts with /";
const FACTS: &str = "an array of at most 7 of clientAddress, upstreamAddress, cluster, route, direction, responseFlags, \
                     codeDetails";
const VARIABLE: &str = "a name of 1 to 128 letters, digits and _, no digit first";

/// What must not be in a log, whichever field it was pasted into.
const PASTED_TOKEN: &str = "s3cret-token";

/// A configuration and what the filter says to it.
struct Refusal {
    configuration: Configuration,
    /// The whole message behind `Configuration refused. `.
    says: String,
}

enum Configuration {
    /// These fields over the good ones.
    Fields(Value),
    /// This text instead of the good one.
    Text(&'static str),
    /// This value of the variable `TOKEN` in the VM's environment, and its name in `collector.token_env`.
    Token(&'static str),
}

impl Configuration {
    fn apply(&self, config: &mut Config) -> Result<()> {
        match self {
            Configuration::Fields(fields) => config.set_filter(fields),
            Configuration::Text(text) => config.set_filter_text(text),
            Configuration::Token(value) => {
                config.set_filter_variable("TOKEN", value)?;
                config.set_filter(&field("collector.token_env", json!("TOKEN")))
            }
        }
    }
}

/// One field by its whole name, as an object.
fn field(name: &str, value: Value) -> Value {
    match name.split_once('.') {
        Some((outer, inner)) => json!({outer: {inner: value}}),
        None => json!({name: value}),
    }
}

fn refusal(name: &str, value: Value, says: impl AsRef<str>) -> Refusal {
    Refusal { configuration: Configuration::Fields(field(name, value)), says: format!("{name}: {}", says.as_ref()) }
}

fn numbers() -> Vec<Refusal> {
    let each = |&(name, min, max): &(&str, i64, i64)| {
        let allowed = format!("a whole number from {min} to {max}");
        let outside =
            |value: Value| refusal(name, value.clone(), format!("{value} is not allowed; allowed: {allowed}"));
        [
            outside(json!(min - 1)),
            outside(json!(max + 1)),
            outside(json!(min as f64 + 0.5)),
            refusal(name, json!("many"), format!("is a string; allowed: {allowed}")),
        ]
    };
    NUMBERS.iter().flat_map(each).collect()
}

fn texts() -> Vec<Refusal> {
    let long = "c".repeat(513);
    let shown = format!("\"{}…", "c".repeat(59));
    let mut refusals = vec![
        refusal("collector.cluster", json!(""), format!("\"\" is not allowed; allowed: {CLUSTER}")),
        refusal("collector.cluster", json!("a\u{1}b"), format!("\"a\\u{{1}}b\" is not allowed; allowed: {CLUSTER}")),
        refusal("collector.cluster", json!(long), format!("{shown} is not allowed; allowed: {CLUSTER}")),
        refusal("collector.authority", json!("a/b"), format!("\"a/b\" is not allowed; allowed: {AUTHORITY}")),
        refusal("collector.authority", json!(""), format!("\"\" is not allowed; allowed: {AUTHORITY}")),
        refusal("collector.path", json!("v1"), format!("\"v1\" is not allowed; allowed: {PATH}")),
        refusal("collector.path", json!("/a b"), format!("\"/a b\" is not allowed; allowed: {PATH}")),
        // A token may have been pasted here: neither the log nor the message may show it.
        refusal(
            "collector.token_env",
            json!(PASTED_TOKEN),
            format!("the text (not shown) is not allowed; allowed: {VARIABLE}"),
        ),
        refusal(
            "collector.token_env",
            json!("NOBODY_SET_THIS"),
            "the VM has no environment variable NOBODY_SET_THIS; allowed: a name in vm_config.environment_variables",
        ),
    ];
    for (name, allowed) in [("cluster", CLUSTER), ("authority", AUTHORITY), ("path", PATH), ("token_env", VARIABLE)] {
        let name = format!("collector.{name}");
        refusals.push(refusal(&name, json!(7), format!("is a number; allowed: {allowed}")));
        refusals.push(refusal(&name, json!([]), format!("is an array; allowed: {allowed}")));
    }
    refusals
}

fn shapes() -> Vec<Refusal> {
    let text =
        |text: &'static str, says: &str| Refusal { configuration: Configuration::Text(text), says: says.to_owned() };
    vec![
        refusal("collector", json!("collector"), "is a string; allowed: an object"),
        refusal("collector", json!(null), "is null; allowed: an object"),
        refusal("omit_facts", json!(["httpVersion"]), format!("\"httpVersion\" is not allowed; allowed: {FACTS}")),
        text("", &format!("collector.cluster: missing; allowed: {CLUSTER}")),
        text("{}", &format!("collector.cluster: missing; allowed: {CLUSTER}")),
        text("[]", "configuration: is an array; allowed: an object"),
        text("{\"collector\":\n{\"cluster\":collector}}", "configuration: not JSON at line 2, column 12"),
        Refusal {
            configuration: Configuration::Fields(json!({"retry_min_ms": 2_000, "retry_max_ms": 1_000})),
            says: "retry_min_ms: 2000 is not allowed; allowed: at most retry_max_ms, which is 1000".to_owned(),
        },
        Refusal {
            configuration: Configuration::Fields(json!({"max_batch_bytes": 65_537, "max_memory_bytes": 65_536})),
            says: "max_batch_bytes: 65537 is not allowed; allowed: at most max_memory_bytes, which is 65536".to_owned(),
        },
        Refusal {
            configuration: Configuration::Fields(json!({"redact": {"allow": ["authorization"]}})),
            says: "redact.allow: \"authorization\" is not allowed; allowed: a name that is not sensitive for good \
                   (a password, a token …)"
                .to_owned(),
        },
        Refusal {
            configuration: Configuration::Token("two words"),
            says: "collector.token_env: the value of the environment variable TOKEN cannot be sent; \
                   allowed: visible ASCII characters, at least one"
                .to_owned(),
        },
    ]
}

/// Refused, with the names of all fields: those of the table, if it is complete.
fn unknown() -> Vec<Refusal> {
    let mut top = vec!["collector"];
    for name in NUMBERS.iter().map(|(name, ..)| *name).filter(|name| !name.contains('.')) {
        if name == "flush_after_ms" {
            top.push("omit_facts");
        }
        top.push(name);
    }
    top.push("redact");
    let collector =
        ["cluster", "authority", "path", "timeout_ms", "token_env"].map(|name| format!("collector.{name}")).join(", ");
    vec![
        refusal("max_body_bytes", json!(1), format!("no such field; known: {}", top.join(", "))),
        refusal("collector.url", json!(PASTED_TOKEN), format!("no such field; known: {collector}")),
    ]
}

fn refusals() -> Vec<Refusal> {
    [numbers(), texts(), shapes(), unknown()].into_iter().flatten().collect()
}

/// Each of the table is refused with its message and counted, and the old configuration records the call after it; at the end a
/// good one is taken.
pub(super) async fn updates_are_refused_and_the_old_one_serves(bed: &Bed) -> Result<()> {
    let stack = bed.stack("refused").await?.envoy(super::updatable).origin(|_| Answer::new(200)).await?;
    let mut stack = stack.start().await?;
    let refusals = refusals();

    let mut paths = Vec::new();
    for (index, refusal) in refusals.iter().enumerate() {
        refuse(&mut stack, refusal).await?;
        let path = format!("/refused/{index}");
        let reply = stack.call(&Call::get(&path)).await?;
        ensure!(reply.status == 200, "{} after: {}", reply.status, refusal.says);
        paths.push(path);
    }
    let rejected = stack.envoy.stats().await?.value("listener_manager.lds.update_rejected");
    ensure!(rejected == refusals.len() as u64, "update_rejected is {rejected}, not {}", refusals.len());

    let good = stack.envoy.update(|config| super::name_route(config, "good")).await?;
    ensure!(good == Update::Accepted, "a good configuration after the bad ones: {good:?}");
    paths.extend(until_served_by("good", &stack).await?);
    let lines = stack.lines(paths.len()).await?;
    super::each_once(&lines, &paths)?;
    let (meanwhile, _): (Vec<Line>, Vec<Line>) = lines.into_iter().partition(|line| line_has(line, "/refused/"));
    let sources = super::sources(&meanwhile)?;
    ensure!(sources.len() == 1, "the old configuration did not stay in its VM: {sources:?}");
    super::settles(&stack).await
}

fn line_has(line: &Line, words: &str) -> bool {
    line.text().is_ok_and(|text| text.contains(words))
}

async fn refuse(stack: &mut Stack, refusal: &Refusal) -> Result<()> {
    let Refusal { configuration, says } = refusal;
    let update = stack.envoy.update(|config| configuration.apply(config)).await;
    let Update::Refused(log) = update.with_context(|| says.clone())? else { bail!("accepted instead of: {says}") };
    let line = format!("Configuration refused. {says}");
    let is_said = log.lines().any(|logged| logged.ends_with(&line));
    ensure!(is_said, "{line:?} is not in what Envoy logged meanwhile:\n{log}");
    ensure!(!log.contains(PASTED_TOKEN), "a token pasted into a wrong field is in the log:\n{log}");
    Ok(())
}

/// Calls until the route of this name serves, which is soon after Envoy took the update; the paths called.
async fn until_served_by(route: &str, stack: &Stack) -> Result<Vec<String>> {
    let mut paths = Vec::new();
    for call in 0..100 {
        let path = format!("/{route}/{call}");
        let reply = stack.call(&Call::get(&path)).await?;
        ensure!(reply.status == 200, "{} after a good update", reply.status);
        paths.push(path.clone());
        if stack.line_of(&path).await?.pointer("/meta/route") == Some(&json!(route)) {
            return Ok(paths);
        }
    }
    bail!("the route {route} never served")
}

/// With listeners that stand in Envoy's own file, a configuration that is refused ends Envoy, with the reason.
pub(super) async fn starts_are_refused_with_the_reason(_: &Bed) -> Result<()> {
    let app = Origin::start(|_| Answer::new(200)).await?;
    let chosen = [
        refusal("flush_after_ms", json!(9), "9 is not allowed; allowed: a whole number from 10 to 10000"),
        refusal("collector.cluster", json!(7), format!("is a number; allowed: {CLUSTER}")),
        Refusal {
            configuration: Configuration::Text("{"),
            says: "configuration: not JSON at line 1, column 1".to_owned(),
        },
    ];

    for Refusal { configuration, says } in chosen {
        let envoy = Envoy::builder().users(app.address()).collector(app.address());
        let error = match envoy.edit(move |config| configuration.apply(config)).start().await {
            Ok(_) => bail!("Envoy started with: {says}"),
            Err(error) => format!("{error:#}"),
        };
        ensure!(error.contains("envoy ended while starting (exit code 1)"), "another error: {error}");
        let line = format!("Configuration refused. {says}");
        ensure!(error.lines().any(|logged| logged.ends_with(&line)), "{line:?} is not in: {error}");
    }
    Ok(())
}
