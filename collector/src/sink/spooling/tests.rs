use std::{
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
};

use super::*;
use crate::{
    lines::{self, LineLimits},
    sink::memory::{Behaviour, MemorySink},
    spool::SpoolSettings,
};

const MIB: u64 = 1024 * 1024;
const PATIENCE: Duration = Duration::from_secs(60);

/// A memory sink that can be replaced by a hanging one, under a spool.
struct Rig {
    below: Arc<MemorySink>,
    sink: SpoolingSink,
}

fn rig(folder: &Path) -> Rig {
    let below = Arc::new(MemorySink::default());
    let sink = over(&below, folder, Duration::from_secs(3600));
    Rig { below, sink }
}

fn over(below: &Arc<MemorySink>, folder: &Path, take_over_after: Duration) -> SpoolingSink {
    let settings = SpoolSettings { folder: folder.to_owned(), max_bytes: 16 * MIB, segment_bytes: MIB };
    let spool = Spool::open(settings).expect("a good folder");
    SpoolingSink::new(Arc::clone(below) as Arc<dyn Sink>, spool, take_over_after)
}

fn text(number: usize) -> String {
    serde_json::json!({
        "request": {
            "timestamp": "2026-01-01T00:00:00.000Z", "method": "get", "protocol": "http", "host": "shop.example",
            "headers": {}, "body": "", "path": "/", "pathname": "/", "query": {},
        },
        "meta": {"id": format!("ab-{number}"), "source": "ab", "seq": number},
    })
    .to_string()
}

fn exchanges(numbers: std::ops::Range<usize>) -> Vec<Exchange> {
    let body: String = numbers.map(|number| text(number) + "\n").collect();
    let limits = LineLimits {
        max_line_bytes: 1 << 20,
        max_lines: 10_000,
        max_depth: 64,
        max_unpacked_body_bytes: 1 << 20,
        max_unpacked_bytes: 1 << 20,
    };
    let lines = lines::judge(&body.into(), &limits, &crate::wall::Wall::default()).expect("good lines");
    assert!(lines.rejected.is_empty(), "{:?}", lines.rejected);
    lines.exchanges
}

fn texts(numbers: std::ops::Range<usize>) -> Vec<String> {
    numbers.map(text).collect()
}

impl Rig {
    async fn store(&self, numbers: std::ops::Range<usize>) -> Vec<Verdict> {
        self.sink.store(&exchanges(numbers), &[]).await.verdicts
    }

    async fn until(&self, what: &str, mut holds: impl FnMut(&Rig) -> bool) {
        let held = async {
            while !holds(self) {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        assert!(timeout(PATIENCE, held).await.is_ok(), "{what}: {:?}", self.sink.condition());
    }

    async fn until_direct(&self) {
        self.until("exchanges go straight into the sink below again", |rig| {
            rig.sink.shared.gate.phase().0 == Phase::Direct
        })
        .await;
    }

    fn causes(&self) -> Vec<&'static str> {
        self.sink.condition().degraded.iter().map(|trouble| trouble.cause).collect()
    }

    fn report(&self) -> SpoolReport {
        self.sink.spool().expect("a spool")
    }
}

#[tokio::test]
async fn while_all_is_well_the_spool_is_not_touched() {
    let folder = tempfile::tempdir().unwrap();
    let rig = rig(folder.path());

    assert_eq!(rig.store(0..3).await, vec![Verdict::Stored; 3]);

    assert_eq!(rig.below.lines(), texts(0..3));
    assert_eq!((rig.report().appended, rig.causes()), (0, vec![]));
}

#[tokio::test]
async fn what_the_sink_below_does_not_take_is_spooled_and_replayed_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let rig = rig(folder.path());
    rig.below.behave(Behaviour::Fail);

    for first in [0, 10, 20] {
        assert_eq!(rig.store(first..first + 10).await, vec![Verdict::Spooled; 10]);
    }
    assert!(rig.causes().contains(&"spooling"), "{:?}", rig.causes());
    assert!(!rig.sink.condition().refuses);
    rig.below.behave(Behaviour::Store);
    rig.until_direct().await;
    assert_eq!(rig.store(30..33).await, vec![Verdict::Stored; 3]);

    assert_eq!(rig.below.lines(), texts(0..33));
    let SpoolReport { appended, replayed, waiting, identity_exact, .. } = rig.report();
    assert_eq!((appended, replayed, waiting, identity_exact), (30, 30, 0, true));
    assert_eq!(rig.causes(), Vec::<&str>::new());
}

#[tokio::test]
async fn posts_that_wait_too_long_for_the_rest_of_the_spool_go_into_it_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let rig = rig(folder.path());
    rig.below.behave(Behaviour::Fail);
    for first in (0..2000).step_by(500) {
        assert_eq!(rig.store(first..first + 500).await, vec![Verdict::Spooled; 500]);
    }
    rig.below.behave(Behaviour::OnPermit);
    rig.until("the rest is being handed over", |rig| {
        let handing_over = rig.sink.shared.gate.phase().0 == Phase::HandingOver;
        if !handing_over {
            rig.below.permits.notify_one();
        }
        handing_over
    })
    .await;

    assert_eq!(rig.store(2000..2001).await, [Verdict::Spooled]);

    rig.below.behave(Behaviour::Store);
    rig.below.permits.notify_one();
    rig.until_direct().await;
    assert_eq!(rig.below.lines(), texts(0..2001));
}

#[tokio::test]
async fn replayed_exchanges_say_so_and_others_do_not() {
    let folder = tempfile::tempdir().unwrap();
    let rig = rig(folder.path());
    rig.below.behave(Behaviour::Fail);
    rig.store(0..2).await;
    rig.below.behave(Behaviour::Store);
    rig.until_direct().await;
    rig.store(2..3).await;

    let stored = rig.below.stored.lock().unwrap();
    let facts: Vec<_> = stored.iter().map(|exchange| (exchange.seq, exchange.replayed)).collect();
    assert_eq!(facts, [(Some(0), true), (Some(1), true), (Some(2), false)]);
    assert_eq!(stored[0], Exchange { replayed: true, number: 0, ..exchanges(0..1).remove(0) });
}

#[tokio::test]
async fn a_sink_that_hangs_costs_one_deadline_and_no_more() {
    let folder = tempfile::tempdir().unwrap();
    let below = Arc::new(MemorySink::default());
    let rig = Rig { sink: over(&below, folder.path(), Duration::from_millis(50)), below };
    rig.below.behave(Behaviour::Hang);

    assert_eq!(rig.store(0..1).await, [Verdict::Spooled]);
    // With the first deadline the way is known: nobody else asks the sink below.
    assert_eq!(rig.sink.shared.gate.phase().0, Phase::Spooling);
    assert_eq!(rig.store(1..2).await, [Verdict::Spooled]);
}

#[tokio::test]
async fn a_sink_that_is_known_to_be_away_is_not_asked() {
    let folder = tempfile::tempdir().unwrap();
    let rig = rig(folder.path());
    rig.below.behave(Behaviour::Blocked);

    assert_eq!(rig.store(0..1).await, [Verdict::Spooled]);

    assert_eq!(rig.below.lines(), Vec::<String>::new());
    assert!(!rig.sink.is_blocked());
}

#[tokio::test]
async fn a_full_spool_promises_nothing_and_blocks() {
    let folder = tempfile::tempdir().unwrap();
    let below = Arc::new(MemorySink::default());
    below.behave(Behaviour::Blocked);
    let settings = SpoolSettings { folder: folder.path().to_owned(), max_bytes: MIB, segment_bytes: MIB / 8 };
    let spool = Spool::open(settings).unwrap();
    let rig = Rig { sink: SpoolingSink::new(Arc::clone(&below) as Arc<dyn Sink>, spool, PATIENCE), below };
    let mut kept = 0;
    while rig.store(kept..kept + 100).await == vec![Verdict::Spooled; 100] {
        kept += 100;
        assert!(kept < 100_000, "it is never full");
    }

    assert_eq!(rig.store(kept..kept + 100).await, vec![Verdict::Unknown; 100]);
    assert!(rig.sink.is_blocked());
    assert!(rig.sink.condition().refuses);
    assert!(rig.causes().contains(&"spool_full"), "{:?}", rig.causes());

    rig.below.behave(Behaviour::Store);
    rig.until_direct().await;
    assert_eq!(rig.below.lines(), texts(0..kept));
    assert!(!rig.sink.condition().refuses);
}

#[tokio::test]
async fn a_line_that_is_refused_in_replay_hurts_no_neighbour() {
    let folder = tempfile::tempdir().unwrap();
    let rig = rig(folder.path());
    rig.below.behave(Behaviour::Fail);
    let large = Exchange { line: (text(1) + &" ".repeat(2000)).into(), ..exchanges(1..2).remove(0) };
    let posted = [exchanges(0..1).remove(0), large, exchanges(2..3).remove(0)];
    assert_eq!(rig.sink.store(&posted, &[]).await.verdicts, vec![Verdict::Spooled; 3]);

    rig.below.behave(Behaviour::RejectOver(1000));
    rig.until_direct().await;

    assert_eq!(rig.below.lines(), [text(0), text(2)]);
    let SpoolReport { replayed, dead_lettered, identity_exact, .. } = rig.report();
    assert_eq!((replayed, dead_lettered, identity_exact), (2, 1, true));
}

#[tokio::test]
async fn accounts_are_spooled_with_their_lines_and_the_last_of_each_source_is_replayed() {
    let folder = tempfile::tempdir().unwrap();
    let rig = rig(folder.path());
    rig.below.behave(Behaviour::Fail);
    let account = |acked: u64| {
        let at = "2026-01-01T00:00:00.000Z";
        let line = serde_json::json!({"source": "ab", "at": at, "batch": acked, "counters": {"acked": acked}});
        Account::recall(&line.to_string().into()).expect("a good account")
    };
    for acked in [1, 2] {
        let stored = rig.sink.store(&exchanges(0..1), &[account(acked)]).await;
        assert_eq!(stored, Stored { verdicts: vec![Verdict::Spooled], accounts: true });
    }

    rig.below.behave(Behaviour::Store);
    rig.until_direct().await;

    assert_eq!(rig.below.accounts.lock().unwrap().last(), Some(&account(2)));
    assert_eq!((rig.report().replayed, rig.report().identity_exact), (4, true));
}

#[tokio::test]
async fn an_account_that_is_never_taken_stops_no_exchange() {
    let folder = tempfile::tempdir().unwrap();
    let rig = rig(folder.path());
    rig.below.behave(Behaviour::Fail);
    let account = Account::for_test("ab", r#"{"source":"ab","at":"2026-01-01T00:00:00.000Z","batch":1,"counters":{}}"#);
    rig.sink.store(&exchanges(0..1), &[account]).await;

    rig.below.behave(Behaviour::NoAccounts);
    rig.until_direct().await;

    assert_eq!(rig.below.lines(), texts(0..1));
    let SpoolReport { replayed, set_aside, identity_exact, .. } = rig.report();
    assert_eq!((replayed, set_aside, identity_exact), (1, 1, true));
}

#[tokio::test]
async fn what_waits_at_the_end_is_replayed_by_the_next_process() {
    let folder = tempfile::tempdir().unwrap();
    let first = rig(folder.path());
    first.below.behave(Behaviour::Hang);
    // The collector ends while the sink below hangs: whatever is under way is taken over at once.
    first.sink.prepare_to_end(Duration::ZERO);
    assert_eq!(first.store(0..5).await, vec![Verdict::Spooled; 5]);
    first.sink.close(PATIENCE).await;
    drop(first);

    let second = rig(folder.path());
    second.until_direct().await;

    assert_eq!(second.below.lines(), texts(0..5));
    assert_eq!((second.report().recovered, second.report().replayed), (5, 5));
}

#[tokio::test]
async fn sources_that_post_one_after_the_other_keep_their_order_through_every_change() {
    let folder = tempfile::tempdir().unwrap();
    let rig = Arc::new(rig(folder.path()));
    let ended = Arc::new(AtomicBool::new(false));
    let changing = tokio::spawn({
        let (rig, ended) = (Arc::clone(&rig), Arc::clone(&ended));
        async move {
            let mut taken = 0;
            while !ended.load(Ordering::Relaxed) {
                rig.below.behave(Behaviour::Fail);
                tokio::task::yield_now().await;
                rig.below.behave(Behaviour::Store);
                tokio::time::sleep(Duration::from_millis(3)).await;
                taken += 1;
            }
            taken
        }
    });
    let sources = (0..4_usize).map(|source| {
        let rig = Arc::clone(&rig);
        tokio::spawn(async move {
            for step in 0..100 {
                let number = source * 1_000_000 + step;
                assert_ne!(rig.store(number..number + 1).await, [Verdict::Unknown]);
            }
        })
    });
    for source in sources.collect::<Vec<_>>() {
        timeout(PATIENCE, source).await.expect("in time").unwrap();
    }
    ended.store(true, Ordering::Relaxed);
    assert!(changing.await.unwrap() > 0);
    rig.below.behave(Behaviour::Store);
    rig.until("everything is replayed", |rig| rig.report().waiting == 0).await;

    let stored = rig.below.stored.lock().unwrap();
    for source in 0..4_u64 {
        let seqs: Vec<u64> =
            stored.iter().filter_map(|exchange| exchange.seq).filter(|seq| seq / 1_000_000 == source).collect();
        assert_eq!(seqs, (0..100).map(|step| source * 1_000_000 + step).collect::<Vec<_>>());
    }
    assert!(rig.report().identity_exact);
}
