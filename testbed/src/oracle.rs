//! The judge: knows each exchange that was made, reads what came out, and says what does not fit.
//!
//! ```text
//! Mint ──► Load ──► Ledger (what each client asked and saw)
//!                      │
//!                      ▼
//! Evidence ────────► judge ──► Verdict: hurt, missing, spurious, altered, duplicates, gaps, identities
//! (lines of the topic, what the sources said by the records beside them, the filter's counters from Envoy, the
//! collector's account)
//! ```
//! [`Mint`] makes exchange number n the same way each time, so clients, origin and judge agree on every byte without
//! talking to each other. [`judge()`] is a pure function, and its tests show that it catches each kind of fault.

mod death;
mod evidence;
mod identity;
mod judge;
mod load;
mod mint;
mod verdict;

pub use death::Death;
pub use evidence::{Counters, Evidence, letters_of_spool, newest_accounts};
pub use identity::unsettled;
pub use judge::judge;
pub use load::{Attempt, Ledger, Load, Outcome};
pub use mint::{Made, Mint};
pub use verdict::Verdict;

/// The default bound for an account to settle: the filter reports after a second of idleness, and retries within ten.
pub const SETTLED_WITHIN: std::time::Duration = std::time::Duration::from_secs(30);
