//! Batches that come again: one store, the same answer.

use super::*;

const COUNTERS: &str = "seen=1,captured=1,in_flight=1";

fn batch(number: &'static str, body: &'static str) -> Request<Body> {
    let headers = [("x-tributary-source", "ab"), ("x-tributary-batch", number), ("x-tributary-counters", COUNTERS)];
    request(&headers, body)
}

#[tokio::test]
async fn a_batch_that_comes_again_is_answered_and_not_stored_again() {
    let rig = Rig::new();
    let body = concat!(r#"{"request":{"method":"get","host":"h"}}"#, "\nbad\n");
    let first = rig.send(batch("7", body)).await;

    let again = rig.send(batch("7", body)).await;

    assert_eq!((again.status, &again.body), (200, &first.body));
    assert_eq!(again.headers["x-tributary-ack"], "ab-7");
    assert_eq!(rig.sink.lines().len(), 1);
    let account = rig.accounting().await;
    assert_eq!((&account["received"], &account["accepted"], &account["repeated"]), (&json!(4), &json!(1), &json!(2)));
    assert_eq!(account["posts"]["repeated"], 1);
    let metrics = rig.app.router().oneshot(Request::get("/metrics").body(Body::empty()).expect("a request")).await;
    let metrics = metrics.expect("a router never fails").into_body().collect().await.expect("a body").to_bytes();
    let metrics = String::from_utf8_lossy(&metrics).into_owned();
    assert!(metrics.contains("tributary_collector_lines_repeated_total 2"), "{metrics}");
    assert!(metrics.contains("tributary_collector_identity_exact 1"), "{metrics}");
}

#[tokio::test]
async fn another_body_under_a_known_number_is_stored() {
    let rig = Rig::new();
    rig.send(batch("7", r#"{"request":{"method":"get","host":"h"}}"#)).await;

    rig.send(batch("7", r#"{"request":{"method":"get","host":"i"}}"#)).await;

    assert_eq!(rig.sink.lines().len(), 2);
}

#[tokio::test]
async fn a_batch_that_was_refused_is_stored_when_it_comes_again() {
    let rig = Rig::new();
    rig.sink.behave(Behaviour::Fail);
    assert_eq!(rig.send(batch("7", GOOD)).await.status, 503);
    rig.sink.behave(Behaviour::Store);

    assert_eq!(rig.send(batch("7", GOOD)).await.status, 200);

    assert_eq!(rig.sink.lines().len(), 1);
}

#[tokio::test]
async fn a_batch_that_comes_twice_at_a_time_is_stored_once_and_answered_twice() {
    let rig = Rig::new();

    let replies = futures_util::future::join_all((0..8).map(|_| rig.send(batch("7", GOOD)))).await;

    for reply in replies {
        assert_eq!((reply.status, reply.body), (200, json!({"accepted": 1, "rejected": []})));
    }
    assert_eq!(rig.sink.lines().len(), 1);
    assert_eq!(rig.accounting().await["posts"]["repeated"], 7);
}

#[tokio::test]
async fn both_are_refused_when_the_one_store_fails() {
    let rig = Rig::new();
    rig.sink.behave(Behaviour::Hang);

    let replies = futures_util::future::join_all((0..2).map(|_| rig.send(batch("7", GOOD)))).await;

    assert!(replies.iter().all(|reply| reply.status == 503));
    assert_eq!(rig.accounting().await["posts"]["refused"]["busy"], 2);
}
