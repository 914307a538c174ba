//! What is no secret comes out as it went in, and nothing is counted as masked.

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use tributary_testbed::{
    canary::{BODY_LIMIT, ROW, Row, harmless},
    message::Fields,
    recordings::Line,
    stack::Bed,
};

use super::rig::{self, Way};

/// Names and values that look like secrets, in every place of an exchange.
pub(super) async fn harmless_names_and_values_pass_unchanged(bed: &Bed) -> Result<()> {
    let rows = harmless::rows();
    let stack = rig::stack_of(bed.stack("harmless").await?, &rows).await?.start().await?;

    for way in [Way::Http1, Way::Http2] {
        rig::send(&stack, &rows, way).await?;
    }
    let lines = stack.lines(rows.len() * 2).await?;

    ensure!(lines.len() == rows.len() * 2, "{} lines", lines.len());
    let mut changed = Vec::new();
    for line in &lines {
        let number = rig::number_of(line)?;
        let row = rows.iter().find(|row| row.number() == number).context("a line of no row")?;
        let found = changes(row, line)?;
        changed.extend(found.into_iter().map(|what| format!("{}: {what}", row.name)));
    }
    ensure!(changed.is_empty(), "{} things were changed:\n{}", changed.len(), changed.join("\n"));
    Ok(())
}

/// All that is not in the line as it was sent.
fn changes(row: &Row, line: &Line) -> Result<Vec<String>> {
    let json = line.json()?;
    let at = |pointer: &str| json.pointer(pointer).cloned().unwrap_or(Value::Null);
    let mut changes = Vec::new();
    let mut compare = |what: &str, sent: Value, recorded: Value| {
        if sent != recorded {
            changes.push(format!("{what} was {sent} and became {recorded}"));
        }
    };
    compare("host", row.call.authority.clone().into(), at("/request/host"));
    compare("path", row.call.target.clone().into(), at("/request/path"));
    for (side, fields) in [("request", &row.call.headers), ("response", &row.said.headers)] {
        let headers = at(&format!("/{side}/headers"));
        for (name, value) in sent(fields) {
            compare(&format!("{side} header {name}"), value.into(), headers.get(name).cloned().unwrap_or(Value::Null));
        }
    }
    for (side, payload) in [("request", &row.call.body), ("response", &row.said.body)] {
        let body = String::from_utf8(payload.pieces().concat())?;
        let kept = body.get(..body.len().min(BODY_LIMIT)).context("cut inside a character")?;
        compare(&format!("{side} body"), kept.into(), at(&format!("/{side}/body")));
    }
    compare("count of redactions", Value::Null, at("/meta/redactions"));
    Ok(changes)
}

/// Name and value of the headers that stand for themselves.
fn sent(fields: &Fields) -> Vec<(&str, String)> {
    let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
    fields.iter().filter(|(name, _)| *name != ROW).map(|(name, value)| (name, text(value))).collect()
}
