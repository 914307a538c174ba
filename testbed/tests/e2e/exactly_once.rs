//! Many exchanges, each recorded exactly once and byte for byte, and every account exact.

use std::sync::Arc;

use anyhow::Result;
use libtest_mimic::Trial;
use tributary_testbed::{
    oracle::{self, Load, Mint},
    stack::Bed,
};

use crate::harness::trials;

/// What issue 3 asks for, at least.
const EXCHANGES: u64 = 2_000;

pub(crate) fn trials(bed: &Arc<Bed>) -> Vec<Trial> {
    trials!(bed, "exactly_once": two_thousand_exchanges_over_eight_connections_come_out_exactly_once)
}

async fn two_thousand_exchanges_over_eight_connections_come_out_exactly_once(bed: &Bed) -> Result<()> {
    let mint = Mint::new("exact");
    let answers = mint.clone();
    let stack = bed.stack("exactly-once").await?.origin(move |asked| answers.answer(asked)).await?;
    let stack = stack.envoy(|envoy| envoy.concurrency(2)).start().await?;

    let ledger = Load::start(&mint, stack.envoy.address(), 8, EXCHANGES).finish().await?;
    let evidence = stack.evidence_of(&ledger).await?;

    let verdict = oracle::judge(&ledger, &evidence);
    verdict.exactly_once()?;
    assert_eq!((verdict.exchanges as u64, verdict.lines as u64), (EXCHANGES, EXCHANGES));
    assert_eq!(evidence.accounting.kafka_acked, EXCHANGES);
    assert_eq!(evidence.filter["seen"], EXCHANGES);
    Ok(())
}
