//! Sends the rows of the canaries through a stack, and searches what came out.

use std::{collections::BTreeMap, net::SocketAddr, time::Duration};

use anyhow::{Context as _, Result, bail, ensure};
use futures_util::future::try_join_all;
use tributary_testbed::{
    canary::{self, Posted, ROW, Row, Said, Searcher, Secret},
    client::{h1, h2},
    message::{Asked, Call, End, Reply},
    origin::Answer,
    recordings::Line,
    stack::{Stack, StackBuilder},
};

use super::places::Documents;

/// For anything here, on a busy machine.
pub(super) const PATIENCE: Duration = Duration::from_secs(90);

/// Connections over which rows are sent at a time.
const CONNECTIONS: usize = 4;

/// Where the filter finds the key of its tokens.
pub(super) const KEY_VARIABLE: &str = "CANARY_KEY";

/// Documents over this hold many lines.
const LARGE_BYTES: usize = 512 * 1024;

/// How many leaks are shown; what is wrong is often wrong in many rows.
const SHOWN: usize = 60;

/// How the client speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    Http1,
    Http2,
}

/// The rows, and who finds their secrets.
pub(super) struct Canaries {
    pub(super) rows: Vec<Row>,
    searcher: Searcher,
}

impl Canaries {
    /// All rows.
    pub(super) fn new() -> Canaries {
        Canaries::of(canary::rows(), &[])
    }

    /// Every third row, beginning with this one: more secrets than are promised, in a third of the time.
    fn third(first: usize) -> Vec<Row> {
        canary::rows().into_iter().skip(first).step_by(3).collect()
    }

    /// A third of the rows and one more, named `large`, whose bodies are this large each and cannot be made smaller.
    pub(super) fn with_large(bytes: usize) -> Canaries {
        let mut rows = Canaries::third(0);
        let secrets = ["request", "response"].map(|side| Secret::word(format!("large {side}")));
        let [request, response] = secrets.each_ref().map(|secret| large(bytes, secret));
        let json = |call: Call| call.header("content-type", "application/json").header("x-note", "large");
        let call = json(Call::post("/canary")).body(request).header(ROW, "large");
        let said = Said::default().header("content-type", "application/json").body(response);
        rows.push(Row { name: "large".to_owned(), call, said, secrets: secrets.to_vec() });
        Canaries::of(rows, &[])
    }

    /// Another third.
    pub(super) fn few() -> Canaries {
        Canaries::of(Canaries::third(2), &[])
    }

    /// Another third, and a key that counts as a secret too.
    pub(super) fn with_key() -> (Canaries, String) {
        let key = Secret::word("the key of the tokens");
        let text = key.whole().to_owned();
        (Canaries::of(Canaries::third(1), &[key]), text)
    }

    /// No rows, and the secrets of lines that are posted.
    pub(super) fn posted(lines: &[Posted]) -> Canaries {
        Canaries { rows: Vec::new(), searcher: Searcher::new(lines.iter().map(|line| &line.secret)) }
    }

    fn of(rows: Vec<Row>, more: &[Secret]) -> Canaries {
        let planted: usize = rows.iter().map(|row| row.secrets.len()).sum();
        assert!(planted >= 300, "{planted} secrets");
        let searcher = Searcher::new(rows.iter().flat_map(|row| &row.secrets).chain(more));
        Canaries { rows, searcher }
    }

    /// A stack whose app answers the rows, with the filter's settings for them.
    pub(super) async fn stack(&self, stack: StackBuilder) -> Result<StackBuilder> {
        stack_of(stack, &self.rows).await
    }

    /// Sends each row, and looks that client and app got what was planted.
    pub(super) async fn sent(&self, stack: &Stack) -> Result<()> {
        send(stack, &self.rows, Way::Http1).await
    }

    /// Sends every third row once more, over HTTP/2, where heads and trailers come in another way; says how many. Not
    /// those with a user in the host: Envoy resets such a stream.
    pub(super) async fn sent_again_over_http2(&self, stack: &Stack) -> Result<usize> {
        let may_be_sent = |row: &&Row| !row.call.authority.contains('@');
        let rows: Vec<Row> = self.rows.iter().filter(may_be_sent).step_by(3).cloned().collect();
        send(stack, &rows, Way::Http2).await?;
        Ok(rows.len())
    }

    /// The lines, when each row has one, `again` have another, and nothing else came.
    pub(super) async fn travelled(&self, stack: &Stack, again: usize) -> Result<Vec<Line>> {
        self.all_but(stack, again, None).await
    }

    /// The same but for the row of this name, which must not have come this way.
    pub(super) async fn travelled_but(&self, stack: &Stack, name: &str) -> Result<Vec<Line>> {
        self.all_but(stack, 0, Some(name)).await
    }

    async fn all_but(&self, stack: &Stack, again: usize, but: Option<&str>) -> Result<Vec<Line>> {
        let wanted = self.rows.iter().filter(|row| Some(row.name.as_str()) != but).count() + again;
        let lines = stack.lines_within("a line of each row", PATIENCE, |lines| {
            ensure!(lines.len() >= wanted, "{} of {wanted}", lines.len());
            Ok(lines.to_vec())
        });
        let lines = lines.await?;
        ensure!(lines.len() == wanted, "{} lines instead of {wanted}", lines.len());
        for (row, came) in self.by_row(&lines)? {
            let must_come = Some(row.name.as_str()) != but;
            ensure!(came.is_empty() != must_come, "{}: {} lines", row.name, came.len());
        }
        Ok(lines)
    }

    /// Which lines are whose.
    pub(super) fn by_row<'a>(&'a self, lines: &'a [Line]) -> Result<Vec<(&'a Row, Vec<&'a Line>)>> {
        let mut by_number: BTreeMap<String, Vec<&Line>> = BTreeMap::new();
        for line in lines {
            by_number.entry(number_of(line)?).or_default().push(line);
        }
        let of = |row: &'a Row| (row, by_number.remove(row.number()).unwrap_or_default());
        Ok(self.rows.iter().map(of).collect())
    }

    /// No secret is in any of the documents.
    pub(super) fn none_in(&self, documents: &Documents) -> Result<()> {
        let mut leaks: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (place, bytes) in documents.iter() {
            for found in self.searcher.find_within(bytes, depth_for(bytes)) {
                let told = format!("{place}, {}: …{}…", found.form, found.around);
                leaks.entry(found.label).or_default().push(told);
            }
        }
        if leaks.is_empty() {
            return Ok(());
        }
        let told: Vec<String> = leaks
            .iter()
            .take(SHOWN)
            .map(|(label, places)| {
                format!("{label} ({} times)\n    {}", places.len(), places.first().map_or("", String::as_str))
            })
            .collect();
        bail!("{} of the secrets came out:\n{}", leaks.len(), told.join("\n"))
    }
}

/// How deep to look: a file of many lines holds what each line of it shows when it is read, so there the first layers do.
fn depth_for(bytes: &[u8]) -> usize {
    if bytes.len() > LARGE_BYTES { 2 } else { canary::DEEPEST }
}

/// A body of JSON with random text in it.
fn large(bytes: usize, secret: &Secret) -> String {
    let head = format!(r#"{{"password":"{}","filling":""#, secret.first(canary::USUAL));
    let uuid = || uuid::Uuid::new_v4().simple().to_string();
    let filling: String = std::iter::repeat_with(uuid).take(bytes / 32 + 1).collect();
    let room = bytes.saturating_sub(head.len() + 2);
    head + filling.get(..room).unwrap_or_default() + "\"}"
}

/// A stack whose app answers these rows, with the filter's settings for them.
pub(super) async fn stack_of(stack: StackBuilder, rows: &[Row]) -> Result<StackBuilder> {
    let answers: BTreeMap<String, Answer> =
        rows.iter().map(|row| (row.number().to_owned(), row.said.answer())).collect();
    let find = move |asked: &Asked| answers.get(asked.headers.text(ROW).unwrap_or_default()).cloned();
    let answer = move |asked: &Asked| find(asked).unwrap_or_else(|| Answer::new(599).body("no such row"));
    let stack = stack.filter(canary::settings()).envoy(|envoy| envoy.every_shape());
    stack.origin(answer).await
}

/// Sends rows, over a few connections at a time, and looks that client and app got what is in them.
pub(super) async fn send(stack: &Stack, rows: &[Row], way: Way) -> Result<()> {
    let before = stack.origin()?.asked().len();
    let address = stack.envoy.address();
    let share = rows.len().div_ceil(CONNECTIONS).max(1);
    try_join_all(rows.chunks(share).map(|rows| async move {
        match way {
            Way::Http1 => over_http1(address, rows).await,
            Way::Http2 => over_http2(address, rows).await,
        }
    }))
    .await?;
    let asked = stack.origin()?.asked();
    ensure!(asked.len() == before + rows.len(), "the app was asked {} times", asked.len());
    let asked: BTreeMap<&str, &Asked> =
        asked.iter().skip(before).map(|asked| (asked.headers.text(ROW).unwrap_or_default(), asked)).collect();
    for row in rows {
        let asked = asked.get(row.number()).with_context(|| format!("{}: the app was not asked", row.name))?;
        ensure!(asked.target == row.call.target, "{}: the app was asked for {}", row.name, asked.target);
        ensure!(asked.body_bytes == row.call.body.len(), "{}: the app got another body", row.name);
    }
    Ok(())
}

async fn over_http1(address: SocketAddr, rows: &[Row]) -> Result<()> {
    let mut connection = h1::Connection::open(address).await?;
    for row in rows {
        if !connection.is_reusable() {
            connection = h1::Connection::open(address).await?;
        }
        answered(row, connection.call(&row.call).await)?;
    }
    Ok(())
}

async fn over_http2(address: SocketAddr, rows: &[Row]) -> Result<()> {
    let mut connection = h2::Connection::open(address).await?;
    for row in rows {
        answered(row, connection.call(&row.call).await)?;
    }
    Ok(())
}

/// The client got what the app said.
fn answered(row: &Row, reply: Result<Reply>) -> Result<()> {
    let reply = reply.with_context(|| row.name.clone())?;
    ensure!(reply.status == 200 && reply.end == End::Complete, "{}: {reply:?}", row.name);
    ensure!(reply.body == row.said.body.pieces().concat(), "{}: the client got another body", row.name);
    Ok(())
}

/// The number of the row that a line is of.
pub(super) fn number_of(line: &Line) -> Result<String> {
    let exchange = line.exchange()?;
    let headers = exchange.request.headers.context("a line without headers")?;
    let number = headers.first(ROW).with_context(|| format!("no {ROW} in {}", String::from_utf8_lossy(&line.bytes)))?;
    Ok(number.to_owned())
}
