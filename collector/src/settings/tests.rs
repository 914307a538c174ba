use super::*;
use crate::door::San;
use clap::{CommandFactory as _, error::ErrorKind};

mod fuzz;

fn parse(flags: &[&str]) -> Result<Settings, clap::Error> {
    Settings::read(["tributary-collector"].iter().chain(flags))
}

fn kafka(flags: &[&str]) -> Settings {
    parse(&[&["--brokers", "b:9092"], flags].concat()).expect("good flags")
}

#[test]
fn the_command_is_consistent() {
    Settings::command().debug_assert();
}

#[test]
fn one_sink_is_needed_and_no_more() {
    assert_eq!(parse(&[]).map_err(|error| error.kind()).err(), Some(ErrorKind::MissingRequiredArgument));
    let both = parse(&["--brokers", "b:1", "--file", "f"]);
    assert_eq!(both.map_err(|error| error.kind()).err(), Some(ErrorKind::ArgumentConflict));
    assert!(parse(&["--file", "f"]).is_ok());
}

#[test]
fn the_defaults_are_those_of_the_design() {
    let settings = kafka(&[]);

    assert_eq!(settings.listen.to_string(), "127.0.0.1:8088");
    assert!(settings.check().is_ok());
    let kafka = settings.kafka().expect("no file").expect("brokers");
    assert_eq!((kafka.partitions, kafka.replication, kafka.key), (3, -1, Key::Id));
    assert_eq!(kafka.writer.topic, "http_recordings");
    assert_eq!(kafka.writer.delivery_timeout, Duration::from_secs(5));
    assert_eq!(kafka.dead_letter_topic.as_deref(), Some("http_recordings.dead-letter"));
    assert_eq!(kafka.accounts_topic.as_deref(), Some("http_recordings.accounts"));
    let limits = settings.limits();
    assert_eq!(limits.answer_within, Duration::from_secs(8));
    assert_eq!((limits.body.max_encoded_bytes, limits.body.max_decoded_bytes), (8 << 20, 32 << 20));
    assert_eq!((limits.lines.max_line_bytes, limits.lines.max_lines, limits.lines.max_depth), (2 << 20, 10_000, 64));
}

#[test]
fn every_flag_has_a_variable_named_after_it() {
    for flag in Settings::command().get_arguments() {
        let Some(long) = flag.get_long().filter(|long| !["help", "version"].contains(long)) else { continue };
        let expected = format!("TRIBUTARY_{}", long.to_uppercase().replace('-', "_"));

        assert_eq!(flag.get_env().and_then(|name| name.to_str()), Some(expected.as_str()), "--{long}");
    }
}

// Passwords of Kafka may stand there.
#[test]
fn help_does_not_show_what_the_environment_holds_for_kafka() {
    let command = Settings::command();
    let flag = command.get_arguments().find(|flag| flag.get_long() == Some("kafka-config")).expect("the flag");

    assert!(flag.is_hide_env_values_set());
}

#[test]
fn every_flag_says_what_it_is_for() {
    for flag in Settings::command().get_arguments() {
        assert!(flag.get_help().is_some_and(|help| help.to_string().len() > 10), "{}", flag.get_id());
    }
}

#[test]
fn each_bound_is_checked_at_its_edge() {
    for (flag, lowest, below, highest, above) in [
        ("--partitions", "1", "0", "10000", "10001"),
        ("--replication", "1", "0", "100", "101"),
        ("--delivery-timeout", "100ms", "99ms", "5m", "301s"),
        ("--linger", "0ms", "", "1s", "1001ms"),
        ("--max-queue-bytes", "64KiB", "65535", "2GiB", "2147483649"),
        ("--max-encoded-bytes", "1KiB", "1023", "1GiB", "1073741825"),
        ("--max-decoded-bytes", "1KiB", "1023", "1GiB", "1073741825"),
        ("--max-line-bytes", "1KiB", "1023", "1GiB", "1073741825"),
        ("--max-lines", "1", "0", "1000000", "1000001"),
        ("--max-json-depth", "4", "3", "128", "129"),
        ("--max-unpacked-body-bytes", "1KiB", "1023", "1GiB", "1073741825"),
        ("--max-bytes-in-flight", "64KiB", "65535", "64GiB", "65GiB"),
        ("--max-sources", "1", "0", "100000", "100001"),
        ("--request-timeout", "100ms", "99ms", "5m", "301s"),
        ("--body-timeout", "100ms", "99ms", "10m", "601s"),
        ("--first-byte-timeout", "100ms", "99ms", "10m", "601s"),
        ("--tls-handshake-timeout", "100ms", "99ms", "10m", "601s"),
        ("--header-timeout", "100ms", "99ms", "10m", "601s"),
        ("--idle-timeout", "100ms", "99ms", "1h", "3601s"),
        ("--write-timeout", "100ms", "99ms", "10m", "601s"),
        ("--max-header-bytes", "8KiB", "8191", "1MiB", "1048577"),
        ("--max-headers", "16", "15", "1000", "1001"),
        ("--max-connections", "1", "0", "1000000", "1000001"),
        ("--max-streams", "1", "0", "1000", "1001"),
        ("--grace", "1s", "999ms", "10m", "601s"),
    ] {
        for (value, fits) in [(lowest, true), (highest, true), (below, false), (above, false)] {
            let outcome = parse(&["--file", "f", &format!("{flag}={value}")]);
            assert_eq!(outcome.is_ok(), fits, "{flag}={value}");
        }
    }
}

#[test]
fn values_of_a_wrong_kind_are_refused() {
    for flag in [
        "--listen=somewhere",
        "--listen=localhost",
        "--topic=",
        "--topic=a b",
        "--topic=..",
        "--dead-letter-topic=a/b",
        "--key=path",
        "--compression=brotli",
        "--linger=5",
        "--max-line-bytes=2MB",
        "--max-line-bytes=99999999999999999999",
        "--grace=-1s",
        "--kafka-config=linger.ms",
        "--kafka-config==1",
        "--log-format=xml",
        "--no-such-flag=1",
    ] {
        assert!(parse(&["--file", "f", flag]).is_err(), "{flag}");
    }
}

#[test]
fn a_certificate_needs_its_key() {
    assert!(parse(&["--file", "f", "--tls-cert", "c"]).is_err());
    assert!(parse(&["--file", "f", "--tls-key", "k"]).is_err());
    assert!(parse(&["--file", "f", "--tls-cert", "c", "--tls-key", "k"]).is_ok());
}

#[test]
fn client_certificates_need_tls_and_their_names_an_authority() {
    let tls = ["--file", "f", "--tls-cert", "c", "--tls-key", "k"];
    let names = |flags: &[&str]| parse(&[&tls[..], flags].concat()).map(|settings| settings.security.tls_client_san);

    assert!(parse(&["--file", "f", "--tls-client-ca", "a"]).is_err());
    assert!(names(&["--tls-client-san", "envoy.example"]).is_err());
    assert!(names(&["--tls-client-ca", "a", "--tls-client-san", "*.example"]).is_err());
    let two = names(&["--tls-client-ca", "a", "--tls-client-san", "Envoy.example,spiffe://mesh/envoy"]);
    let expected = [San::Dns("envoy.example".to_owned()), San::Uri("spiffe://mesh/envoy".to_owned())];
    assert_eq!(two.expect("good names"), expected);
}

#[test]
fn an_address_that_others_reach_needs_a_wall_or_a_loud_word() {
    let check = |flags: &[&str]| kafka(flags).check();

    for public in ["0.0.0.0:8088", "[::]:8088", "192.0.2.1:8088"] {
        assert!(matches!(check(&["--listen", public]), Err(SettingsError::NoAuth { .. })), "{public}");
    }
    let tls = ["--listen", "0.0.0.0:1", "--tls-cert", "c", "--tls-key", "k"];
    assert!(matches!(check(&tls), Err(SettingsError::NoAuth { .. })));
    assert!(check(&[&tls[..], &["--tls-client-ca", "a"]].concat()).is_ok());
    assert!(check(&["--listen", "0.0.0.0:8088", "--token-file", "t"]).is_ok());
    assert!(check(&["--listen", "0.0.0.0:8088", "--insecure-no-auth"]).is_ok());
    assert!(check(&["--listen", "127.0.0.2:8088"]).is_ok() && check(&["--listen", "[::1]:8088"]).is_ok());
}

#[test]
fn settings_that_contradict_each_other_are_refused() {
    let late = kafka(&["--delivery-timeout", "8s"]);
    let tight = kafka(&["--max-bytes-in-flight", "4MiB"]);
    let loops = kafka(&["--dead-letter-topic", "http_recordings"]);

    assert!(matches!(late.check(), Err(SettingsError::TimeoutsDoNotNest { .. })));
    assert!(matches!(tight.check(), Err(SettingsError::PostDoesNotFit { .. })));
    assert!(matches!(loops.check(), Err(SettingsError::DeadLetterLoop)));
}

#[test]
fn a_spool_stands_beside_kafka_only() {
    let beside_a_file = parse(&["--file", "f", "--spool", "s"]).expect("clap looks at each flag alone");

    assert!(matches!(beside_a_file.check(), Err(SettingsError::SpoolBesideFile)));
    assert!(kafka(&["--spool", "s"]).check().is_ok());
    assert_eq!(kafka(&[]).spool.settings(), None);
}

#[test]
fn a_spool_has_to_hold_the_largest_post() {
    let limits = ["--spool", "s", "--max-decoded-bytes", "2MiB"];
    let of = |bytes| kafka(&[&limits[..], &["--spool-max-bytes", bytes]].concat()).check();

    assert!(of("8388608").is_ok());
    assert!(matches!(of("8388607"), Err(SettingsError::PostDoesNotFitSpool { .. })));
    assert!(parse(&["--brokers", "b:1", "--spool-max-bytes", "4194303"]).is_err());
}

#[test]
fn dead_letters_can_be_turned_off() {
    let kafka = kafka(&["--dead-letter-topic", ""]).kafka().expect("no file").expect("brokers");

    assert_eq!(kafka.dead_letter_topic, None);
}

#[test]
fn librdkafka_settings_come_from_the_file_first_and_the_flags_last() {
    let file = tempfile::NamedTempFile::new().expect("a temporary file");
    std::fs::write(file.path(), "# secret\n\nsasl.password = a=b \nlinger.ms=1\n").expect("written");
    let path = file.path().to_str().expect("utf-8");

    let settings = kafka(&["--kafka-config-file", path, "--kafka-config", "linger.ms=2", "--kafka-config", "a=\nb=1"]);

    let pairs = settings.kafka().expect("a good file").expect("brokers").writer.settings;
    let pairs: Vec<(&str, &str)> = pairs.iter().map(|setting| (setting.name(), setting.reveal())).collect();
    assert_eq!(pairs, [("sasl.password", "a=b"), ("linger.ms", "1"), ("linger.ms", "2"), ("a", ""), ("b", "1")]);
}

#[test]
fn settings_show_no_password_however_they_are_printed() {
    let good = kafka(&["--kafka-config", "sasl.password=hunter2"]);
    let kafka = good.kafka().expect("no file").expect("brokers");
    let bad = parse(&["--brokers", "b:1", "--kafka-config", "hunter2"]).expect_err("no name");

    for shown in [format!("{good:?} {kafka:#?} {:?}", kafka.writer), format!("{bad} {}", bad.render().ansi())] {
        assert!(shown.contains("kafka") && !shown.contains("hunter2"), "{shown}");
    }
    assert!(bad.to_string().contains("not name=value"), "{bad}");
}

#[test]
fn a_bad_file_of_settings_names_the_line_and_not_its_text() {
    let file = tempfile::NamedTempFile::new().expect("a temporary file");
    std::fs::write(file.path(), "linger.ms=1\nhunter2\n").expect("written");
    let path = file.path().to_str().expect("utf-8");

    let error = kafka(&["--kafka-config-file", path]).kafka().map(drop).expect_err("a bad line").to_string();

    assert!(error.ends_with("line 2: not name=value") && !error.contains("hunter2"), "{error}");
}
