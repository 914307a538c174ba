use clap::Parser as _;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use super::*;

const LINE: &str = r#"{"request":{"method":"get"}}"#;

struct Rig(tempfile::TempDir);

impl Rig {
    fn new() -> Rig {
        Rig(tempfile::tempdir().expect("a temporary directory"))
    }

    fn settings(&self, flags: &[&str]) -> Settings {
        let file = self.0.path().join("exchanges.jsonl");
        let file = file.to_str().expect("utf-8");
        let all = ["tributary-collector", "--listen", "127.0.0.1:0", "--file", file];
        Settings::try_parse_from(all.iter().chain(flags)).expect("good flags")
    }

    fn write(&self, name: &str, text: &str) -> String {
        let path = self.0.path().join(name);
        std::fs::write(&path, text).expect("written");
        path.to_str().expect("utf-8").to_owned()
    }
}

async fn start_error(settings: &Settings) -> StartError {
    Collector::start(settings).await.map(drop).expect_err("a wrong setting")
}

#[tokio::test]
async fn a_collector_stores_what_it_acknowledges_and_ends_in_time() {
    let rig = Rig::new();
    let collector = Collector::start(&rig.settings(&[])).await.expect("good settings");
    let mut stream = TcpStream::connect(collector.address()).await.expect("it listens");

    let head = "POST /v1/exchanges HTTP/1.1\r\nhost: c\r\nconnection: close\r\ncontent-type: application/x-ndjson";
    let post = format!("{head}\r\ncontent-length: {}\r\n\r\n{LINE}", LINE.len());
    stream.write_all(post.as_bytes()).await.expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("an answer");

    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    assert!(collector.end(Duration::from_secs(10)).await);
    let stored = std::fs::read_to_string(rig.0.path().join("exchanges.jsonl")).expect("readable");
    assert_eq!(stored, format!("{LINE}\n"));
}

#[tokio::test]
async fn a_port_that_is_taken_is_no_wrong_setting_and_leaves_nothing_open() {
    let rig = Rig::new();
    let first = Collector::start(&Rig::new().settings(&[])).await.expect("good settings");
    let mut settings = rig.settings(&[]);
    settings.listen = first.address();

    let error = start_error(&settings).await;

    assert!(matches!(error, StartError::Listen { .. }) && !error.is_of_settings());
    // The file is free again: its lock is gone.
    settings.listen = SocketAddr::from(([127, 0, 0, 1], 0));
    assert!(Collector::start(&settings).await.is_ok());
}

#[tokio::test]
async fn settings_are_refused_before_a_port_is_opened() {
    let rig = Rig::new();
    let empty = rig.write("empty", "");
    let tls = rig.settings(&["--tls-cert", &empty, "--tls-key", &empty]);
    let tokens = rig.settings(&["--token-file", &empty]);
    let tight = rig.settings(&["--max-bytes-in-flight", "1MiB"]);
    let mut kafka = rig.settings(&["--kafka-config", "no.such.setting=1"]);
    (kafka.brokers, kafka.file) = (Some("127.0.0.1:1".to_owned()), None);

    assert!(matches!(start_error(&tls).await, StartError::Tls(_)));
    assert!(matches!(start_error(&tokens).await, StartError::Tokens(_)));
    assert!(matches!(start_error(&tight).await, StartError::Settings(_)));
    let error = start_error(&kafka).await;
    assert!(matches!(error, StartError::Kafka(_)) && error.is_of_settings());
}

#[tokio::test]
async fn a_spool_that_cannot_be_used_is_refused_before_a_port_is_opened() {
    let rig = Rig::new();
    let with_spool = |place: &std::path::Path| {
        let mut settings = rig.settings(&[]);
        (settings.brokers, settings.file) = (Some("127.0.0.1:1".to_owned()), None);
        settings.spool.spool = Some(place.to_owned());
        settings
    };
    let (file, place) = (rig.write("file", ""), rig.0.path().join("spool"));

    let no_directory = start_error(&with_spool(file.as_ref())).await;
    assert!(matches!(no_directory, StartError::Spool(_)) && no_directory.is_of_settings());
    let first = Collector::start(&with_spool(&place)).await.expect("good settings");
    // Kafka is away, and posts would be taken all the same.
    assert!(first.app.is_ready());
    let in_use = start_error(&with_spool(&place)).await;
    assert!(matches!(in_use, StartError::Spool(_)) && !in_use.is_of_settings());
    assert!(first.end(Duration::from_secs(10)).await);
    let next = Collector::start(&with_spool(&place)).await.expect("the spool is free again");
    assert!(next.end(Duration::from_secs(10)).await);
}

#[tokio::test]
async fn kafka_need_not_be_there() {
    let mut settings = Rig::new().settings(&[]);
    (settings.brokers, settings.file) = (Some("127.0.0.1:1".to_owned()), None);

    let collector = Collector::start(&settings).await.expect("good settings");

    assert!(!collector.app.is_ready());
    assert!(collector.end(Duration::from_secs(10)).await);
}
