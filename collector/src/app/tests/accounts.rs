//! Which accounts the sink gets, and when.

use super::*;
use crate::accounts::tell;

fn line(seq: u64) -> String {
    format!(r#"{{"request":{{"method":"get","host":"h"}},"meta":{{"id":"ab-{seq}","source":"ab","seq":{seq}}}}}"#)
}

impl Rig {
    async fn post_of_filter(&self, batch: u64, counters: &str, seqs: &[u64]) -> Reply {
        let batch = batch.to_string();
        let headers = [
            ("x-tributary-source", "ab"),
            ("x-tributary-batch", batch.as_str()),
            ("x-tributary-counters", counters),
            ("x-tributary-heartbeat", "5000"),
        ];
        let lines: String = seqs.iter().map(|seq| line(*seq) + "\n").collect();
        self.send(request(&headers, lines)).await
    }

    fn accounts_stored(&self) -> usize {
        self.sink.accounts().len()
    }
}

#[tokio::test]
async fn lines_in_order_bring_no_account_until_it_is_due() {
    let rig = Rig::new();

    rig.post_of_filter(0, "seen=2,captured=2,in_flight=2", &[0, 1]).await;
    rig.post_of_filter(1, "seen=3,captured=3,acked=2,in_flight=1", &[2]).await;
    assert_eq!(rig.accounts_stored(), 0);
    assert!(tell(&rig.app).await);

    let accounts = rig.sink.accounts();
    let [account] = accounts.as_slice() else { panic!("{accounts:?}") };
    assert_eq!(
        (&account["source"], &account["batch"], &account["heartbeatMs"]),
        (&json!("ab"), &json!(1), &json!(5000))
    );
    assert_eq!(account["counters"], json!({"seen": 3, "captured": 3, "acked": 2, "in_flight": 1}));
    assert_eq!(account["acknowledged"], json!([[0, 2]]));
    assert!(tell(&rig.app).await);
    assert_eq!(rig.accounts_stored(), 1);
}

#[tokio::test]
async fn an_account_is_stored_before_a_post_with_a_gap_is_answered() {
    let rig = Rig::new();

    rig.post_of_filter(0, "seen=4,captured=4,dropped_budget=1,in_flight=3", &[0, 1, 3]).await;

    let accounts = rig.sink.accounts();
    assert_eq!((accounts.len(), &accounts[0]["counters"]["dropped_budget"]), (1, &json!(1)));
    // The same gap is explained; a new one is not.
    rig.post_of_filter(1, "seen=5,captured=5,acked=3,dropped_budget=1,in_flight=1", &[4]).await;
    assert_eq!(rig.accounts_stored(), 1);
    rig.post_of_filter(2, "seen=7,captured=7,acked=4,dropped_budget=2,in_flight=1", &[6]).await;
    assert_eq!(rig.accounts_stored(), 2);
}

#[tokio::test]
async fn accounts_that_cannot_be_stored_hold_up_no_line_and_come_later() {
    let rig = Rig::new();
    rig.sink.behave(Behaviour::NoAccounts);

    let reply = rig.post_of_filter(0, "seen=2,captured=2,dropped_budget=1,in_flight=1", &[1]).await;
    assert_eq!(reply.status, 200);
    assert!(!tell(&rig.app).await);

    rig.sink.behave(Behaviour::Store);
    assert!(tell(&rig.app).await);
    assert_eq!(rig.accounts_stored(), 1);
}

#[tokio::test]
async fn what_a_refused_post_reports_is_stored_when_the_sink_is_back() {
    let rig = Rig::new();
    rig.sink.behave(Behaviour::Blocked);

    let reply = rig.post_of_filter(0, "seen=1,captured=1,in_flight=1", &[0]).await;
    assert_eq!(reply.status, 503);
    assert!(!tell(&rig.app).await);

    rig.sink.behave(Behaviour::Store);
    assert!(tell(&rig.app).await);
    assert_eq!(rig.sink.accounts()[0]["counters"]["in_flight"], 1);
}

#[tokio::test]
async fn a_post_without_lines_reports_too() {
    let rig = Rig::new();

    assert_eq!(rig.post_of_filter(9, "seen=1,captured=1,dropped_expired=1", &[]).await.status, 200);
    assert!(tell(&rig.app).await);

    assert_eq!(rig.sink.accounts()[0]["counters"]["dropped_expired"], 1);
}

#[tokio::test]
async fn many_accounts_are_all_stored() {
    let rig = Rig::with(None, Limits { max_sources: 1000, ..LIMITS });
    for n in 0..600 {
        let source = format!("s{n}");
        let headers =
            [("x-tributary-source", &*source), ("x-tributary-batch", "0"), ("x-tributary-counters", "seen=0")];
        rig.send(request(&headers, "")).await;
    }

    assert!(tell(&rig.app).await);

    assert_eq!(rig.accounts_stored(), 600);
}
