//! Ends: with a response, with half of one, with none; seen in `on_log`, in `on_done`, or only when dropped.

use std::time::Duration;

use serde_json::{Value, json};
use tributary_filter::{Clock, Counter, Fact, Facts, ListenerDirection, MissingHeads, Need, Side, Stream};
use tributary_http_types::Timestamp;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use crate::support::{Call, REFUSED, ROOT, Vm, facts, wire};

/// What Envoy does at the end of a stream in which `on_log` finds these maps.
fn log(vm: &mut Vm, stream: &mut Stream, request: Option<&Call>, response: &[(&str, &[u8])]) {
    let (now, clock) = (vm.now(), vm.clock());
    if let Some(missing) = stream.missing_head() {
        let empty = Ok(Vec::new());
        let request = (missing == MissingHeads::Both).then(|| request.map_or(empty, Call::request_head));
        stream.late_heads(&mut vm.plugin, request, Ok(wire(response)), now);
    }
    stream.finish(&mut vm.plugin, facts(), clock);
    vm.assert_exact();
}

fn only_line(vm: &mut Vm) -> Value {
    let sent = vm.flush();
    let mut exchanges: Vec<Value> = sent.iter().flat_map(|sent| sent.exchanges()).collect();
    assert_eq!(exchanges.len(), 1);
    exchanges.remove(0)
}

#[test]
fn an_exchange_without_a_response_says_why() {
    let call = Call::get("/").not_answered().facts(|facts| {
        facts.response_flags = "DC".to_owned();
        facts.code_details = Some(b"downstream_remote_disconnect".to_vec());
        facts.upstream_address = None;
    });

    let exchange = Vm::default().record(call);

    assert_eq!(exchange.get("response"), None);
    assert_eq!(exchange["meta"]["responseFlags"], "DC");
    assert_eq!(exchange["meta"]["codeDetails"], "downstream_remote_disconnect");
    assert_eq!(exchange["meta"].get("upstreamAddress"), None);
}

#[test]
fn a_response_that_breaks_off_is_recorded_as_far_as_it_came() {
    let call = Call::get("/").answered_with("content-length", b"100").returns(&[b"half of"]);
    let exchange = Vm::default().record(call.facts(|facts| facts.response_flags = "UC".to_owned()));

    assert_eq!((&exchange["response"]["body"], &exchange["meta"]["responseFlags"]), (&json!("half of"), &json!("UC")));
}

#[test]
fn a_stream_ends_once_however_often_it_is_told() {
    let mut vm = Vm::default();
    let mut stream = vm.stream();
    let call = Call::get("/");

    call.pass(&mut vm, &mut stream);
    let clock = vm.clock();
    stream.finish(&mut vm.plugin, facts(), clock);
    call.pass(&mut vm, &mut stream);

    assert_eq!((vm.count(Counter::Seen), vm.pending().queued), (1, 1));
}

#[test]
fn http3_ends_without_on_log() {
    let mut vm = Vm::default();
    let mut stream = vm.stream();
    let call = Call::get("/");
    call.pass_open(&mut vm, &mut stream);

    let clock = vm.clock();
    stream.finish(&mut vm.plugin, Facts { http_version: Some(b"HTTP/3".to_vec()), ..facts() }, clock);

    let exchange = only_line(&mut vm);
    assert_eq!(exchange["meta"]["httpVersion"], "HTTP/3");
    // What an HTTP/1 client sends as the header `host` is a pseudo-header here.
    assert_eq!(exchange["request"]["headers"].get("host"), None);
}

#[test]
fn a_dropped_stream_is_recorded_without_envoys_facts() {
    let mut vm = Vm::default();
    let mut stream = vm.stream();
    Call::get("/").pass_open(&mut vm, &mut stream);
    vm.wait(40);

    let clock = vm.clock();
    stream.finish(&mut vm.plugin, Facts::default(), clock);

    let exchange = only_line(&mut vm);
    assert_eq!(exchange["meta"].get("cluster"), None);
    assert_eq!(exchange["meta"]["durationMs"], 40);
    assert_eq!(exchange["request"]["timestamp"], "2026-01-01T00:00:01.000Z");
    assert_eq!(exchange["response"]["timestamp"], "2026-01-01T00:00:01.040Z");
}

#[test]
fn a_request_refused_before_the_filter_is_recorded_from_the_log() {
    let mut vm = Vm::default();
    let mut stream = vm.stream();

    log(&mut vm, &mut stream, Some(&Call::get("/denied")), &[(":status", b"403"), ("server", b"envoy")]);

    let exchange = only_line(&mut vm);
    assert_eq!(exchange["request"]["path"], "/denied");
    assert_eq!((&exchange["response"]["statusCode"], &exchange["response"]["body"]), (&json!(403), &json!("")));
    assert_eq!((vm.count(Counter::Seen), vm.count(Counter::Captured)), (1, 1));
}

#[test]
fn bytes_that_were_no_request_are_no_exchange() {
    let mut vm = Vm::default();
    let mut stream = vm.stream();

    log(&mut vm, &mut stream, None, &[(":status", b"400")]);

    assert_eq!((vm.count(Counter::Seen), vm.pending().total()), (0, 0));
}

#[test]
fn a_response_that_never_passed_is_taken_from_the_log() {
    let mut vm = Vm::default();
    let mut stream = vm.stream();
    Call::get("/").not_answered().pass_open(&mut vm, &mut stream);

    log(&mut vm, &mut stream, None, &[(":status", b"503")]);

    assert_eq!(only_line(&mut vm)["response"]["statusCode"], 503);
}

#[test]
fn a_response_that_passed_is_not_read_again() {
    let mut vm = Vm::default();
    let mut stream = vm.stream();
    Call::get("/").pass_open(&mut vm, &mut stream);

    assert_eq!(stream.missing_head(), None);
}

#[test]
fn a_response_head_that_the_host_refuses_is_taken_from_the_log() {
    let mut vm = Vm::default();
    let mut stream = vm.stream();
    Call::get("/").not_answered().pass_open(&mut vm, &mut stream);
    stream.response_head(&mut vm.plugin, Err(REFUSED));

    log(&mut vm, &mut stream, None, &[(":status", b"200")]);

    assert_eq!(only_line(&mut vm)["response"]["statusCode"], 200);
}

#[test]
fn a_response_without_a_readable_status_is_no_response() {
    let mut vm = Vm::default();
    let mut stream = vm.stream();
    Call::get("/").not_answered().pass_open(&mut vm, &mut stream);

    for status in [&b""[..], b"20", b"2000", b"+20", b"099", b"\xff\xff\xff"] {
        stream.response_head(&mut vm.plugin, Ok(wire(&[(":status", status)])));
    }
    log(&mut vm, &mut stream, None, &[]);

    assert_eq!(only_line(&mut vm).get("response"), None);
}

#[test]
fn an_interim_response_gives_way_to_the_final_one() {
    let mut vm = Vm::default();
    let mut stream = vm.stream();
    Call::get("/").answered(103).answered_with("link", b"</a.css>").pass_open(&mut vm, &mut stream);

    stream.response_head(&mut vm.plugin, Ok(wire(&[(":status", b"200"), ("x", b"1")])));
    log(&mut vm, &mut stream, None, &[]);

    let exchange = only_line(&mut vm);
    assert_eq!(
        (&exchange["response"]["statusCode"], &exchange["response"]["headers"]),
        (&json!(200), &json!({"x": "1"}))
    );
}

#[test]
fn trailers_both_ways_go_into_meta() {
    let call =
        Call::post(&[b"a"]).sends_trailer("x-sum", b"1").returns_trailer("x-t", b"a").returns_trailer("x-t", b"b");
    let exchange = Vm::default().record(call);

    assert_eq!(exchange["meta"]["requestTrailers"], json!({"x-sum": "1"}));
    assert_eq!(exchange["meta"]["responseTrailers"], json!({"x-t": ["a", "b"]}));
}

#[test]
fn trailers_that_the_host_refuses_are_left_out() {
    let mut vm = Vm::default();
    let mut stream = vm.stream();
    let call = Call::get("/");
    call.pass_open(&mut vm, &mut stream);

    stream.trailers(&mut vm.plugin, Side::Response, Err(REFUSED));
    stream.trailers(&mut vm.plugin, Side::Request, Ok(b"nonsense".to_vec()));
    log(&mut vm, &mut stream, None, &[]);

    assert_eq!(only_line(&mut vm)["meta"].get("responseTrailers"), None);
}

#[test]
fn facts_that_envoy_does_not_have_are_left_out() {
    let call = Call::get("/").facts(|facts| *facts = Facts::read(Need::default(), |_| None));
    let exchange = Vm::default().record(call);

    let keys: Vec<&String> = exchange["meta"].as_object().unwrap().keys().collect();
    assert_eq!(keys, ["id", "source", "seq", "durationMs"]);
}

#[test]
fn the_duration_is_envoys_and_the_arrival_that_long_before_the_end() {
    let mut vm = Vm::default();
    let mut stream = vm.stream();
    Call::get("/").pass_open(&mut vm, &mut stream);

    let clock = Clock { wall: Timestamp::from_unix_millis(1_582_886_368_874), ..vm.clock() };
    let facts = Facts { duration: Some(Duration::from_micros(41_900)), ..facts() };
    stream.finish(&mut vm.plugin, facts, clock);

    let exchange = only_line(&mut vm);
    assert_eq!(exchange["request"]["timestamp"], "2020-02-28T10:39:28.833Z");
    assert_eq!(exchange["response"]["timestamp"], "2020-02-28T10:39:28.874Z");
    assert_eq!(exchange["meta"]["durationMs"], 41);
}

#[test]
fn times_beyond_all_bounds_are_cut_and_do_no_harm() {
    for (millis, duration) in [(i64::MAX, Duration::MAX), (i64::MIN, Duration::MAX), (i64::MIN, Duration::ZERO)] {
        let mut vm = Vm::default();
        let mut stream = vm.stream();
        Call::get("/").pass_open(&mut vm, &mut stream);

        let clock = Clock { wall: Timestamp::from_unix_millis(millis), ..vm.clock() };
        stream.finish(&mut vm.plugin, Facts { duration: Some(duration), ..facts() }, clock);

        let took = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        assert_eq!(only_line(&mut vm)["meta"]["durationMs"], took);
    }
}

#[test]
fn the_direction_of_a_root_is_asked_for_once() {
    let mut vm = Vm::default();
    let mut stream = vm.stream();
    assert_eq!(stream.need(&vm.plugin, ROOT), None);
    Call::get("/").pass_open(&mut vm, &mut stream);
    assert_eq!(stream.need(&vm.plugin, ROOT), Some(Need::default()));

    vm.plugin.know_direction(ROOT, None);
    vm.plugin.know_direction(ROOT, Some(ListenerDirection::from_number(2)));
    vm.plugin.know_direction(ROOT + 1, Some(ListenerDirection::from_number(1)));

    let known = Need { direction: Some(ListenerDirection::from_number(2)), ..Need::default() };
    assert_eq!(stream.need(&vm.plugin, ROOT), Some(known));
    assert_eq!(stream.need(&vm.plugin, ROOT + 1), Some(Need::default()));
}

#[test]
fn omitted_facts_are_those_of_the_configuration() {
    let mut vm = Vm::with(json!({"omit_facts": ["cluster", "codeDetails"]}));
    let mut stream = vm.stream();
    Call::get("/").pass_open(&mut vm, &mut stream);

    let omitted = [Fact::Cluster, Fact::CodeDetails].into_iter().collect();

    assert_eq!(stream.need(&vm.plugin, ROOT), Some(Need { omitted, ..Need::default() }));
}

#[test]
fn the_local_address_is_needed_by_a_request_that_names_no_host() {
    let cases = [
        (Call::get("/"), false),
        (Call::get("/").without(":authority"), true),
        (Call::get("/").with(":authority", b""), true),
        (Call::get("/").without(":authority").with("host", b"shop.example"), false),
    ];

    for (call, local_address) in cases {
        let mut vm = Vm::default();
        let mut stream = vm.stream();
        call.pass_open(&mut vm, &mut stream);

        let need = stream.need(&vm.plugin, ROOT).unwrap();

        assert_eq!(need, Need { local_address, ..Need::default() });
    }
}

#[test]
fn a_stream_of_a_root_without_configuration_is_passed_over() {
    let mut vm = Vm::default();
    let mut stream = Stream::new(None);

    Call::post(&[b"abc"]).pass(&mut vm, &mut stream);

    assert_eq!((vm.count(Counter::Seen), vm.plugin.held_bytes()), (0, 0));
}
