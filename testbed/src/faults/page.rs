//! `docs/faults.md`: the rows as a page, made from the rows themselves.

use super::{row::Group, rows};

const HEAD: &str = "\
# The fault suite

<!-- Made by `cargo xtask faults --page > docs/faults.md`: change the rows in testbed/src/faults/, not this page. -->

`cargo xtask faults` does each of these to a running path (real Envoy, collector and Kafka, under load), heals it, and
judges what came out. `cargo xtask faults ROW…` runs some (a name, or its beginning), `--full` the large counts, `--seed N`
repeats a run. The result stands in `target/faults/report.json`; a failed row keeps its logs beside it. It runs on Linux and
takes `strace`, `faketime` and `unshare` for some rows; one that is missing is named with the command that installs it.

After each row must hold, or it has failed:

- **missing 0**: each exchange whose client saw an answer came out, but for what the row may cost;
- **spurious 0, altered 0**: nothing came out that nobody made, and nothing but as it was made;
- **unexplained gap 0**: each missing number of a source stands in that source's own counters;
- **identity exact**: `seen = excluded + captured`, `captured = acked + rejected + dropped + pending` in Envoy and for each
  source, `received = accepted + rejected + repeated + refused` in the collector;
- **user traffic unhurt**: every client got the origin's answer, byte for byte;
- **alive**: an exchange made after healing comes out within 10 s;
- **proof**: the fault really happened: what the row counts is above 0.

Lines that come twice are counted, not condemned: delivery is at least once.

Where Envoy itself ends without a drain, what clients had finished since its last post is reckoned with what it had told to
be pending: nobody else can know of it, and it is at most a flush interval of traffic.

With all rows of the full form come 10,000 spools that are damaged at random, each laid beside a model that knows what is
still intact (`collector/src/spool/mutations.rs`; `cargo xtask test` does 100 of them).

The real parts cannot set the filter's clocks, so these have no row: both set by two hours, jumping and stopped, are injected
in its own scenarios (`filter/tests/scenarios/clocks.rs`), natively and in wasm.
";

/// The page, Markdown.
pub fn page() -> String {
    let mut page = HEAD.to_owned();
    let rows = rows();
    for group in Group::ALL {
        let mut of_group = rows.iter().filter(|row| row.group == group).peekable();
        if of_group.peek().is_none() {
            continue;
        }
        page.push_str(&format!("\n## {}\n\n| row | fault | proof | may cost |\n|---|---|---|---|\n", group.heading()));
        for row in of_group {
            page.push_str(&format!("| `{}` | {} | {} | {} |\n", row.id, row.fault, row.proof, row.expects));
        }
    }
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn page_has_every_row_once() {
        let page = page();

        for row in rows() {
            assert_eq!(page.matches(&format!("| `{}` |", row.id)).count(), 1, "{}", row.id);
        }
    }
}
