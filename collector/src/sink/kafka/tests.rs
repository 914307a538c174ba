use super::*;

fn record(exchange: &Exchange, by: Key) -> Record {
    Record::of(&Keyed { exchange, by })
}

fn exchange(source: Option<&'static str>, seq: Option<u64>) -> Exchange {
    Exchange {
        number: 1,
        line: "{}".into(),
        id: Some("ab-7".into()),
        source: source.map(Arc::from),
        seq,
        host: Some("shop.example".into()),
        replayed: false,
        has_packed_body: false,
    }
}

fn nowhere() -> KafkaSettings {
    KafkaSettings {
        // Port 1 is nobody's (tcpmux, RFC 1078).
        writer: WriterConfig::new("127.0.0.1:1", "t"),
        sources: SettingSources::default(),
        partitions: 1,
        replication: -1,
        key: Key::Id,
        dead_letter_topic: None,
        accounts_topic: Some("t.accounts".to_owned()),
    }
}

fn facts(replicas: usize, min_in_sync_replicas: Option<u64>) -> TopicFacts {
    TopicFacts {
        created: false,
        partitions: 3,
        replicas,
        in_sync_replicas: replicas,
        max_message_bytes: None,
        min_in_sync_replicas,
    }
}

#[test]
fn a_record_carries_the_line_and_where_it_comes_from() {
    let record = record(&exchange(Some("ab"), Some(7)), Key::Id);

    let expected = Record {
        key: Some("ab-7".into()),
        value: "{}".into(),
        headers: vec![("source", "ab".into()), ("seq", "7".into()), ("content-type", "application/json".into())],
    };
    assert_eq!(record, expected);
}

#[test]
fn a_record_has_the_number_of_its_exchange_whatever_the_id_says() {
    for id in ["ab-7", "ab-07", "ab-+7", "ab-8", "ab7", "ac-7", "ab-"] {
        let exchange = Exchange { id: Some(id.into()), ..exchange(Some("ab"), Some(7)) };

        let record = record(&exchange, Key::Id);

        assert_eq!((record.key, record.headers[1].clone()), (Some(id.into()), ("seq", "7".into())));
    }
}

#[test]
fn a_record_of_another_program_has_no_source() {
    let record = record(&exchange(None, None), Key::Host);

    assert_eq!(record.key, Some("shop.example".into()));
    assert_eq!(record.headers, [("content-type", "application/json".into())]);
}

#[test]
fn an_account_is_kept_under_its_source() {
    let record = account_record(&Account::for_test("ab", "{}"));

    assert_eq!((record.key, record.value), (Some("ab".into()), "{}".into()));
}

#[test]
fn weak_topics_are_warned_of() {
    assert_eq!(warnings_of("t", &facts(1, Some(1))).len(), 1);
    assert_eq!(warnings_of("t", &facts(3, Some(1))).len(), 1);
    assert_eq!(warnings_of("t", &facts(3, Some(2))), Vec::<String>::new());
    assert_eq!(warnings_of("t", &facts(3, None)), Vec::<String>::new());
}

#[tokio::test]
async fn a_sink_that_never_saw_its_topic_is_not_ready() {
    let sink = KafkaSink::open(nowhere()).expect("good settings");

    let condition = sink.condition();
    assert!(condition.refuses && !condition.degraded.is_empty());
    sink.close(Duration::from_secs(5)).await;
}

#[tokio::test]
async fn a_closed_sink_stores_nothing() {
    let sink = KafkaSink::open(nowhere()).expect("good settings");

    sink.close(Duration::from_secs(5)).await;

    let accounts = [Account::for_test("ab", "{}")];
    assert_eq!(sink.store(&[exchange(None, None)], &accounts).await, Stored::unknown(1));
    assert!(sink.is_blocked());
}

#[tokio::test]
async fn a_wrong_setting_opens_no_sink() {
    let mut settings = nowhere();
    settings.writer.settings.push(tributary_topic::Setting::new("no.such.setting", ""));

    assert!(matches!(KafkaSink::open(settings), Err(TopicError::Setting { .. })));
}

#[tokio::test]
async fn kafka_that_is_not_verified_shows_until_it_is_again() {
    let off = [
        ("enable.ssl.certificate.verification", "false", "kafka's certificates are not verified: "),
        ("ssl.endpoint.identification.algorithm", "none", "kafka's host names are not verified: "),
    ];
    for (name, value, warning) in off {
        let setting = |value: &str| tributary_topic::Setting::new(name, value);
        let mut settings = nowhere();
        settings.writer.settings.push(setting(value));
        let sink = KafkaSink::open(settings).expect("good settings");
        let shows = || {
            let warned = sink.condition().warnings.iter().any(|known| known.starts_with(warning));
            (warned, sink.kafka_counts().expect("a writer").is_unverified)
        };

        assert_eq!(shows(), (true, true), "{name}");
        sink.shared.writer().expect("a writer").reconfigure(vec![]).expect("good settings");
        assert_eq!(shows(), (false, false), "{name}");

        sink.close(Duration::from_secs(5)).await;
    }
}
