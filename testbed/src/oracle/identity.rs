//! The accounting identities of DESIGN §7, on the numbers of Envoy and of the collector.

use super::evidence::{Counters, sum, value};
use crate::collector::{Accounting, SourceAccount};

/// Counters that a report itself changes, so that the last report cannot hold their last value.
const OF_POSTS: [&str; 2] = ["posts", "post_failures"];

/// Gauges that only the post header carries.
pub(super) const GAUGES: [&str; 3] = ["open", "queued", "in_flight"];

/// Why the account is not at rest: something is pending in a VM, or the collector has not heard the last word of one.
/// Empty when it is.
pub fn unsettled(filter: &Counters, accounting: &Accounting) -> Vec<String> {
    let mut reasons = Vec::new();
    let captured = value(filter, "captured");
    let settled = value(filter, "acked") + value(filter, "rejected") + sum(filter, "dropped_");
    if captured != settled {
        reasons.push(format!("envoy: captured {captured}, but acked + rejected + dropped = {settled}"));
    }
    if accounting.spool.waiting > 0 {
        reasons.push(format!("{} items wait in the spool", accounting.spool.waiting));
    }
    for (name, told) in filter {
        if OF_POSTS.contains(&name.as_str()) {
            continue;
        }
        let heard: u64 = accounting.sources.values().map(|source| value(&source.counters, name)).sum();
        if heard != *told {
            reasons.push(format!("{name}: envoy says {told}, the sources told the collector {heard}"));
        }
    }
    reasons
}

/// The identities that do not hold. Empty when all do.
pub(super) fn broken(filter: &Counters, accounting: &Accounting) -> Vec<String> {
    let mut broken = Vec::new();
    let (seen, explained) = (value(filter, "seen"), sum(filter, "excluded_") + value(filter, "captured"));
    if seen != explained {
        broken.push(format!("envoy: seen {seen}, but excluded + captured = {explained}"));
    }
    broken.extend(unsettled(filter, accounting));
    broken.extend(of_totals(accounting));
    for (name, source) in &accounting.sources {
        broken.extend(of_source(source).into_iter().map(|reason| format!("source {name}: {reason}")));
    }
    broken
}

/// `received = accepted + rejected + repeated + refused`, `accepted = kafka_acked + spooled + file_synced`, in lines.
fn of_totals(accounting: &Accounting) -> Vec<String> {
    let mut broken = Vec::new();
    let refused = accounting.refused.busy + accounting.refused.auth + accounting.refused.limit;
    let explained = accounting.accepted + accounting.rejected + accounting.repeated + refused;
    if accounting.received != explained {
        broken.push(format!(
            "collector: received {}, but accepted + rejected + repeated + refused = {explained}",
            accounting.received
        ));
    }
    let stored = accounting.kafka_acked + accounting.spooled + accounting.file_synced;
    if accounting.accepted != stored {
        broken.push(format!("collector: accepted {}, but acked + spooled + synced = {stored}", accounting.accepted));
    }
    if !accounting.identity_exact {
        broken.push("collector: it finds its own account inexact".to_owned());
    }
    broken
}

fn of_source(source: &SourceAccount) -> Vec<String> {
    let counters = &source.counters;
    let mut broken = Vec::new();
    // A source that never reported is one that posted by hand, without counters.
    if source.identity_exact.is_none() {
        return broken;
    }
    let (seen, captured) = (value(counters, "seen"), value(counters, "captured"));
    let explained = sum(counters, "excluded_") + captured;
    if seen != explained {
        broken.push(format!("seen {seen}, but excluded + captured = {explained}"));
    }
    let pending: u64 = GAUGES.iter().map(|name| value(counters, name)).sum();
    let settled = value(counters, "acked") + value(counters, "rejected") + sum(counters, "dropped_") + pending;
    if captured != settled {
        broken.push(format!("captured {captured}, but acked + rejected + dropped + pending = {settled}"));
    }
    if source.identity_exact != Some(true) {
        broken.push("the collector finds its report inexact".to_owned());
    }
    broken
}
