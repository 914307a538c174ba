use super::*;

const FILE: &str = "/data/x.jsonl";
const POST: &str = "TCP:[127.0.0.1:1->127.0.0.1:50]";
const KAFKA: &str = "TCP:[127.0.0.1:60->127.0.0.1:9]";

fn call(name: &str, what: &str, bytes: impl Into<Vec<u8>>, moments: (usize, usize)) -> Call {
    Call { name: name.to_owned(), what: what.to_owned(), bytes: bytes.into(), began: moments.0, ended: moments.1 }
}

fn post(at: usize) -> Call {
    let body = "POST /v1/exchanges HTTP/1.1\r\n\r\n{\"path\":\"/orders/run-7?a\"}\n{\"path\":\"/orders/run-8?a\"}\n";
    call("recvfrom", POST, body, (at, at))
}

fn acknowledged(at: usize) -> Call {
    call("writev", POST, "HTTP/1.1 200 OK\r\nx-tributary-ack: s-3\r\n\r\n{}", (at, at + 100))
}

fn hear(calls: &[Call], promise: &Promise) -> (u64, u64, Vec<String>) {
    let witness = Witness::hear(calls, "127.0.0.1:1", &Mint::new("run"), promise).unwrap();
    (witness.acknowledgements, witness.exchanges, witness.too_early)
}

fn early(ids: &str) -> Vec<String> {
    vec![format!("batch s-3 was acknowledged before exchanges {ids} were durable")]
}

/// A whole story with a file: the folder is synced at first, the sync of the lines begins and ends as given.
fn with_file(sync: (usize, usize)) -> Vec<Call> {
    vec![
        call("fsync", "/data", "", (1, 1)),
        post(2),
        call("write", FILE, "..\"/orders/run-7?a\"..\"/orders/ru", (3, 3)),
        call("write", FILE, "n-8?a\"\n", (4, 5)),
        call("fdatasync", FILE, "", sync),
        acknowledged(20),
    ]
}

#[test]
fn sync_that_begins_after_the_write_and_ends_before_the_reply_is_in_order() {
    assert_eq!(hear(&with_file((6, 19)), &Promise::Synced), (1, 2, Vec::new()));
}

#[test]
fn reply_before_the_end_of_the_sync_is_too_early() {
    assert_eq!(hear(&with_file((6, 21)), &Promise::Synced), (1, 2, early("[7, 8]")));
}

#[test]
fn sync_that_began_before_the_write_had_ended_proves_nothing_of_it() {
    assert_eq!(hear(&with_file((4, 19)), &Promise::Synced), (1, 2, early("[8]")));
}

#[test]
fn file_in_a_folder_that_was_never_synced_is_not_durable() {
    let mut calls = with_file((6, 19));
    calls.remove(0);

    assert_eq!(hear(&calls, &Promise::Synced), (1, 2, early("[7, 8]")));
}

#[test]
fn folder_may_be_synced_after_the_file() {
    let mut calls = with_file((6, 17));
    let folder = call("fsync", "/data", "", (18, 19));
    calls[0] = folder;

    assert_eq!(hear(&calls, &Promise::Synced), (1, 2, Vec::new()));
}

#[test]
fn refused_posts_promise_nothing() {
    let refused = call("writev", POST, "HTTP/1.1 503 Service Unavailable\r\n\r\n", (3, 3));
    let mut calls = vec![post(2), refused];
    calls.extend(with_file((16, 17)).into_iter().skip(1).map(|mut call| {
        (call.began, call.ended) = (call.began + 4, call.ended + 4);
        call
    }));
    calls.insert(0, call("fsync", "/data", "", (1, 1)));

    assert_eq!(hear(&calls, &Promise::Synced).0, 1);
}

/// A produce request with the lines, and the reply to it, in pieces.
fn with_kafka(correlation: u8, answered: usize) -> Vec<Call> {
    let content = b"..\"/orders/run-7?a\"..\"/orders/run-8?a\"";
    let mut request = vec![0, 0, 0, (8 + content.len()) as u8, 0, 0, 0, 7, 0, 0, 0, 5];
    request.extend(content);
    let (first, second) = request.split_at(20);
    vec![
        post(1),
        call("sendmsg", KAFKA, first, (2, 2)),
        call("sendmsg", KAFKA, second, (3, 3)),
        call("recvmsg", KAFKA, [0, 0, 0, 6, 0], (4, 5)),
        call("recvmsg", KAFKA, [0, 0, correlation, 0, 0], (answered, answered)),
        acknowledged(20),
    ]
}

#[test]
fn reply_after_the_answer_to_the_produce_request_is_in_order() {
    let promise = Promise::Produced { brokers: "127.0.0.1:9".to_owned() };

    assert_eq!(hear(&with_kafka(5, 19), &promise), (1, 2, Vec::new()));
    assert_eq!(hear(&with_kafka(5, 21), &promise), (1, 2, early("[7, 8]")));
    assert_eq!(hear(&with_kafka(6, 19), &promise), (1, 2, early("[7, 8]")));
}

#[test]
fn calls_without_an_acknowledgement_are_no_evidence() {
    assert!(Witness::hear(&[post(1)], "127.0.0.1:1", &Mint::new("run"), &Promise::Synced).is_err());
}
