//! The identities at every scrape, while posts of all kinds come from all sides.

use std::collections::BTreeMap;

use super::*;

const POSTERS: u64 = 6;
const POSTS: u64 = 60;
const SCRAPES: usize = 200;

/// The body and headers of post `number` of a poster: good, bad, repeated, too large, without a sender …
fn post_of(poster: u64, number: u64) -> Request<Body> {
    let source = format!("s{}", poster % 4);
    // Every third batch comes again.
    let number = number - u64::from(number % 3 == 1);
    let batch = (poster * POSTS + number).to_string();
    let captured = (number + 1) * 3;
    let counters = format!("seen={captured},captured={captured},acked={},in_flight=3", captured - 3);
    let headers = [
        ("x-tributary-source", source.as_str()),
        ("x-tributary-batch", batch.as_str()),
        ("x-tributary-counters", counters.as_str()),
        ("content-type", if number % 17 == 16 { "text/plain" } else { "application/x-ndjson" }),
    ];
    let headers = if number % 5 == 4 { &headers[3..] } else { &headers[..] };
    let line = |seq: u64| {
        format!(r#"{{"request":{{"method":"get","host":"h"}},"meta":{{"source":"{source}","seq":{seq}}}}}"#) + "\n"
    };
    let mut body: String = (0..1 + number % 4).map(|place| line(number * 4 + place)).collect();
    if number % 7 == 6 {
        body.push_str("no exchange\n");
    }
    if number % 11 == 10 {
        body = line(0).repeat(11);
    }
    if number % 13 == 12 {
        body = " ".repeat(4001);
    }
    request(headers, body)
}

/// The values of the metrics by name and labels.
fn values(text: &str) -> BTreeMap<String, u64> {
    let samples = text.lines().filter(|line| !line.starts_with('#'));
    samples
        .filter_map(|line| line.rsplit_once(' '))
        .filter_map(|(name, value)| Some((name.to_owned(), value.parse().ok()?)))
        .collect()
}

fn sum(values: &BTreeMap<String, u64>, prefix: &str) -> u64 {
    let name = format!("tributary_collector_{prefix}");
    values.iter().filter(|(key, _)| key.starts_with(&name)).map(|(_, value)| value).sum()
}

async fn scrape(app: &Arc<App>) {
    let get = |path| app.router().oneshot(Request::get(path).body(Body::empty()).expect("a request"));
    let text = get("/metrics").await.expect("an answer").into_body().collect().await.expect("a body").to_bytes();
    let values = values(&String::from_utf8_lossy(&text));
    let received = sum(&values, "lines_received_total");
    let explained: u64 = ["lines_accepted", "lines_rejected", "lines_repeated", "lines_refused"]
        .map(|name| sum(&values, name))
        .iter()
        .sum();
    assert_eq!(received, explained, "{values:?}");
    assert_eq!(sum(&values, "lines_accepted"), sum(&values, "lines_stored"), "{values:?}");
    assert_eq!(sum(&values, "identity_exact"), 1);
    assert_eq!(sum(&values, "sources_inexact"), 0);

    let answer =
        get("/v1/accounting").await.expect("an answer").into_body().collect().await.expect("a body").to_bytes();
    let account: Value = serde_json::from_slice(&answer).expect("JSON");
    assert_eq!(account["identity_exact"], true, "{account}");
    let posts = &account["posts"];
    let refused: u64 = posts["refused"].as_object().expect("by reason").values().filter_map(Value::as_u64).sum();
    let number = |name: &str| posts[name].as_u64().expect("a number");
    assert_eq!(number("received"), number("accepted") + number("repeated") + refused, "{account}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_identities_hold_at_every_scrape_whatever_comes() {
    let rig = Rig::with(None, Limits { max_sources: 3, ..LIMITS });
    let posters: Vec<_> = (0..POSTERS)
        .map(|poster| {
            let (app, sink) = (Arc::clone(&rig.app), Arc::clone(&rig.sink));
            tokio::spawn(async move {
                for number in 0..POSTS {
                    let behaviour = match (poster + number) % 9 {
                        7 => Behaviour::Fail,
                        8 => Behaviour::RejectOver(90),
                        _ => Behaviour::Store,
                    };
                    sink.behave(behaviour);
                    app.router().oneshot(post_of(poster, number)).await.expect("a router never fails");
                }
            })
        })
        .collect();

    for _ in 0..SCRAPES {
        scrape(&rig.app).await;
        tokio::task::yield_now().await;
    }
    for poster in posters {
        poster.await.expect("no panic");
    }
    scrape(&rig.app).await;

    let (totals, _) = rig.app.accounting.totals(Now::read());
    assert_eq!(totals.posts.received, POSTERS * POSTS);
    let kinds = [totals.accepted, totals.rejected, totals.repeated, totals.refused.busy, totals.refused.limit];
    assert!(kinds.iter().all(|count| *count > 0), "{totals:?}");
}
