//! The testbed's own parts: what the other tests build on must do what it says.

use std::{sync::Arc, time::Duration};

use anyhow::{Result, ensure};
use libtest_mimic::Trial;
use tributary_testbed::{
    client::{self, h1, h2},
    envoy::Envoy,
    kafka::Kafka,
    message::{Call, End, Fields},
    origin::{Answer, Gate, Origin},
    recordings::{Line, Recordings},
    stack::Bed,
};
use tributary_topic::{Record, Writer, WriterConfig};

use crate::harness::trials;

pub(crate) fn trials(bed: &Arc<Bed>) -> Vec<Trial> {
    trials!(bed, "parts":
        origin_answers_the_same_over_both_protocols,
        origin_can_break_off_hold_back_and_hang_up,
        origin_echoes_a_tunnel_and_a_stream,
        envoy_without_the_filter_lets_every_shape_through,
        killed_kafka_comes_back_on_its_data,
    )
}

fn scripted(asked: &tributary_testbed::message::Asked) -> Answer {
    match asked.path() {
        "/echo" => Answer::new(200)
            .header("x-got", asked.trailers.text("sum").unwrap_or("none").to_owned())
            .body(asked.body.clone()),
        "/streamed" => Answer::new(201).chunks(["one", "", "two"]).trailer("sum", "42"),
        "/early-hints" => Answer::new(204).interim(103, [("link", "</a.css>")].into_iter().collect()),
        "/cut" => Answer::new(200).declare_length(100).chunks(["half"]).reset(),
        "/hang-up" => Answer::hang_up(),
        "/closed" => Answer::new(200).until_close().chunks(Vec::<&str>::new()),
        _ => Answer::new(404).body("no such path"),
    }
}

async fn origin_answers_the_same_over_both_protocols(_: &Bed) -> Result<()> {
    let origin = Origin::start(scripted).await?;
    let streamed = Call::put("/echo").chunks(["abc", "def"]).trailer("sum", "7");

    for call in [streamed, Call::get("/streamed"), Call::get("/early-hints"), Call::get("/other")] {
        let one = client::call(origin.address(), &call).await?;
        let two = h2::Connection::open(origin.address()).await?.call(&call).await?;

        let framing = ["content-length", "transfer-encoding"];
        let without_framing = |reply: &tributary_testbed::message::Reply| {
            (
                reply.status,
                reply.headers.without(&framing),
                reply.body.clone(),
                reply.trailers.clone(),
                reply.end.clone(),
            )
        };
        assert_eq!(without_framing(&one), without_framing(&two), "{}", call.target);
        assert_eq!(one.interim, two.interim);
    }
    let echoed = origin.asked_for("/echo");
    assert_eq!(echoed.iter().map(|asked| asked.version).collect::<Vec<_>>(), ["HTTP/1.1", "HTTP/2"]);
    assert!(echoed.iter().all(|asked| &asked.body[..] == b"abcdef" && asked.trailers.text("sum") == Some("7")));
    let reply = client::call(origin.address(), &Call::get("/streamed")).await?;
    assert_eq!((reply.status, &reply.body[..], reply.trailers.text("sum")), (201, &b"onetwo"[..], Some("42")));
    Ok(())
}

async fn origin_can_break_off_hold_back_and_hang_up(_: &Bed) -> Result<()> {
    let gate = Gate::closed();
    let held = gate.clone();
    let origin = Origin::start(move |asked| match asked.path() {
        "/held" => Answer::new(200).chunks(["a"]).wait(&held).chunks(["b"]),
        _ => scripted(asked),
    })
    .await?;

    for version in ["1.1", "2"] {
        let cut = match version {
            "1.1" => client::call(origin.address(), &Call::get("/cut")).await?,
            _ => h2::Connection::open(origin.address()).await?.call(&Call::get("/cut")).await?,
        };
        assert_eq!(&cut.body[..], b"half", "HTTP/{version}");
        assert!(matches!(cut.end, End::Cut(_)), "HTTP/{version}: {:?}", cut.end);
    }
    assert!(client::call(origin.address(), &Call::get("/hang-up")).await.is_err());

    let mut connection = h1::Connection::open(origin.address()).await?;
    connection.send_call(&Call::get("/held")).await?;
    assert_eq!(connection.head().await?.status, 200);
    let first = connection.bytes(Duration::from_secs(5)).await?;
    assert_eq!(&first[..], b"1\r\na\r\n");
    assert!(connection.bytes(Duration::from_millis(50)).await.is_err(), "the rest is held back");
    gate.open();
    let mut rest = Vec::new();
    while !rest.ends_with(b"0\r\n\r\n") {
        rest.extend_from_slice(&connection.bytes(Duration::from_secs(5)).await?);
    }
    assert_eq!(rest, b"1\r\nb\r\n0\r\n\r\n");
    Ok(())
}

async fn origin_echoes_a_tunnel_and_a_stream(_: &Bed) -> Result<()> {
    let early = |asked: &tributary_testbed::message::Asked| match asked.path() {
        "/socket" => Some(Answer::new(101).header("upgrade", "echo").header("connection", "upgrade").echo()),
        "/stream" => Some(Answer::new(200).echo().trailer("grpc-status", "0")),
        _ => None,
    };
    let origin = Origin::builder().early(early).start(scripted).await?;

    let mut tunnel = h1::Connection::open(origin.address()).await?;
    tunnel.send(b"GET /socket HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\nping").await?;
    assert_eq!(tunnel.reply("GET").await?.status, 101);
    assert_eq!(&tunnel.bytes(Duration::from_secs(5)).await?[..], b"ping");

    let mut connection = h2::Connection::open(origin.address()).await?;
    let stream = connection.start(&Call::post("/stream"), false).await?;
    let (head, mut body) = stream.head().await?;
    assert_eq!(head.status, 200);
    body.send("one".into(), false).await?;
    assert_eq!(body.next().await?.as_deref(), Some(&b"one"[..]), "before the request ends");
    body.send("two".into(), true).await?;
    assert_eq!(body.next().await?.as_deref(), Some(&b"two"[..]));
    assert_eq!(body.next().await?, None);
    let expected: Fields = [("grpc-status", "0")].into_iter().collect();
    assert_eq!(body.trailers().await?, expected);
    Ok(())
}

async fn envoy_without_the_filter_lets_every_shape_through(_: &Bed) -> Result<()> {
    let origin = Origin::start(scripted).await?;
    // Nobody listens for posts: without the filter there are none.
    let envoy = Envoy::builder().users(origin.address()).collector(origin.address()).every_shape();
    let envoy = envoy.without_filter().start().await?;

    let streamed = Call::put("/echo").chunks(["abc", "def"]).trailer("sum", "7");
    let one = client::call(envoy.address(), &streamed).await?;
    let two = h2::Connection::open(envoy.address()).await?.call(&streamed).await?;
    let hints = client::call(envoy.address(), &Call::get("/early-hints")).await?;
    let answer = client::call(envoy.address(), &Call::get("/streamed")).await?;

    assert_eq!((one.status, &one.body[..], one.headers.text("x-got")), (200, &b"abcdef"[..], Some("7")));
    assert_eq!((two.status, &two.body[..], two.headers.text("x-got")), (200, &b"abcdef"[..], Some("7")));
    assert_eq!((hints.status, hints.interim.len()), (204, 1));
    assert_eq!(answer.trailers.text("sum"), Some("42"));
    assert!(envoy.stats().await?.filter().is_empty());
    assert_eq!(envoy.stats().await?.value("cluster.users.upstream_rq_total"), 4);
    Ok(())
}

async fn killed_kafka_comes_back_on_its_data(_: &Bed) -> Result<()> {
    let mut kafka = Kafka::builder().start().await?;
    let writer = Writer::new(WriterConfig::new(kafka.brokers(), "kept"))?;
    writer.ensure_topic(1, 1).await?;
    let written = writer.write([Record { value: "before".into(), ..Record::default() }]).await;
    ensure!(written == [Ok(())], "{written:?}");

    kafka.pause()?;
    kafka.resume().await?;
    kafka.kill()?;
    ensure!(kafka.pause().is_err(), "a killed broker is not there to be paused");
    kafka.start_again().await?;

    let mut recordings = Recordings::of_topic(kafka.brokers(), "kept").await?;
    let lines = recordings.read().await?;
    assert_eq!(lines.iter().map(Line::text).collect::<Result<Vec<_>>>()?, ["before"]);
    Ok(())
}
