//! One exchange as one line for people.
//!
//! ```text
//! TIME                     METHOD  STATUS    TOOK REQUEST   REPLY HOST AND PATH
//! 2020-02-28T10:39:28.833Z POST    200       12ms     48B     88B localhost:3000/users
//! 2020-02-28T10:39:29.101Z GET     ---        3ms      0B       - localhost:3000/slow [no response] [DC]
//! ```
//! Nothing that traffic can choose reaches the terminal as a control character.

use std::fmt::Write as _;

use anstyle::{AnsiColor, Style};
use tributary_http_types::{BodyFacts, Degraded, Fields, HttpExchange, HttpRequest, Meta, Timestamp};

use crate::terminal::push_visible;

/// The names of the columns, as wide as what stands in them.
pub(crate) const HEADING: &str = "TIME                     METHOD  STATUS    TOOK REQUEST   REPLY HOST AND PATH";

/// The colours of a line.
#[derive(Clone, Debug, Default)]
pub(crate) struct Palette {
    quiet: Style,
    method: Style,
    success: Style,
    redirect: Style,
    client_error: Style,
    server_error: Style,
    flag: Style,
}

impl Palette {
    /// Text and nothing else.
    pub(crate) fn plain() -> Palette {
        Palette::default()
    }

    /// The 16 colours that every terminal has, so that the user's theme decides.
    pub(crate) fn coloured() -> Palette {
        Palette {
            quiet: Style::new().dimmed(),
            method: Style::new().bold(),
            success: AnsiColor::Green.on_default(),
            redirect: AnsiColor::Cyan.on_default(),
            client_error: AnsiColor::Yellow.on_default(),
            server_error: AnsiColor::Red.on_default().bold(),
            flag: AnsiColor::Magenta.on_default(),
        }
    }

    fn of_status(&self, status: Option<u16>) -> Style {
        match status {
            Some(..200) => self.quiet,
            Some(200..300) => self.success,
            Some(300..400) => self.redirect,
            Some(400..500) => self.client_error,
            Some(500..) => self.server_error,
            None => self.flag,
        }
    }
}

/// The exchange as a line, with its line break. `stored_millis`: when Kafka got it, for a line without any time.
pub(crate) fn human_line(exchange: &HttpExchange, stored_millis: Option<i64>, palette: &Palette) -> String {
    let facts = exchange.facts();
    let status = exchange.response.as_ref().map(|response| response.status_code);
    let mut line = Line { text: String::with_capacity(160) };

    line.styled(palette.quiet, &format!("{:24}", time(exchange, stored_millis)));
    line.styled(palette.method, &format!("{:7}", exchange.request.method.as_str().to_ascii_uppercase()));
    let code = status.map_or_else(|| "---".to_owned(), |status| status.to_string());
    line.styled(palette.of_status(status), &format!("{code:6}"));
    line.styled(Style::new(), &format!("{:>7}", duration(exchange, &facts)));
    let [request_bytes, response_bytes] = sizes(exchange, &facts);
    line.styled(palette.quiet, &format!("{request_bytes:>7} {response_bytes:>7}"));
    line.styled(Style::new(), &target(&exchange.request));
    for flag in flags(exchange, &facts) {
        line.styled(palette.flag, &flag);
    }
    line.text.push('\n');
    line.text
}

struct Line {
    text: String,
}

impl Line {
    /// Appends a column; `text` is visible already.
    fn styled(&mut self, style: Style, text: &str) {
        if !self.text.is_empty() {
            self.text.push(' ');
        }
        // Writing into a String does not fail.
        let _ = write!(self.text, "{style}{text}{style:#}");
    }
}

/// When the request arrived; else when the response was complete; else when Kafka got it.
fn time(exchange: &HttpExchange, stored_millis: Option<i64>) -> String {
    let of_response = || exchange.response.as_ref().and_then(|response| response.timestamp);
    let stored = || stored_millis.map(Timestamp::from_unix_millis);
    let time = exchange.request.timestamp.or_else(of_response).or_else(stored);
    time.map_or_else(|| "-".to_owned(), |time| time.to_string())
}

/// How long the exchange took, by the filter's clock, else from one timestamp to the other.
fn duration(exchange: &HttpExchange, facts: &Meta) -> String {
    let between = || {
        let end = exchange.response.as_ref()?.timestamp?;
        u64::try_from(end.unix_millis().checked_sub(exchange.request.timestamp?.unix_millis())?).ok()
    };
    match facts.duration_ms.or_else(between) {
        None => "-".to_owned(),
        Some(millis @ ..10_000) => format!("{millis}ms"),
        Some(millis @ ..600_000) => format!("{}.{}s", millis / 1000, millis % 1000 / 100),
        Some(millis @ ..36_000_000) => format!("{}m{:02}s", millis / 60_000, millis / 1000 % 60),
        Some(millis) => format!("{}h{:02}m", millis / 3_600_000, millis / 60_000 % 60),
    }
}

/// Bytes of the request body and of the response body, as they passed, else as they stand in the line.
fn sizes(exchange: &HttpExchange, facts: &Meta) -> [String; 2] {
    let of = |passed: Option<u64>, kept: Option<&String>| match (passed, kept) {
        (Some(bytes), _) => bytes_shown(bytes),
        (None, Some(body)) => bytes_shown(body.len() as u64),
        (None, None) => "-".to_owned(),
    };
    let response_body = exchange.response.as_ref().and_then(|response| response.body.as_ref());
    [
        of(facts.request_body.as_ref().map(|body| body.bytes), exchange.request.body.as_ref()),
        of(facts.response_body.as_ref().map(|body| body.bytes), response_body),
    ]
}

/// At most seven characters: `9999B`, `64.0KiB`, `1023KiB`, `17.2MiB`.
fn bytes_shown(bytes: u64) -> String {
    if bytes < 10_000 {
        return format!("{bytes}B");
    }
    // In tenths of a unit; the rest is cut, so that no size looks larger than it is.
    let (mut tenths, mut unit) = (u128::from(bytes) * 10 / 1024, "KiB");
    for larger in ["MiB", "GiB", "TiB", "PiB", "EiB"] {
        if tenths < 10_240 {
            break;
        }
        (tenths, unit) = (tenths / 1024, larger);
    }
    match tenths {
        ..1000 => format!("{}.{}{unit}", tenths / 10, tenths % 10),
        _ => format!("{}{unit}", tenths / 10),
    }
}

/// Host and path, visible: `localhost:3000/users?page=2`; `-` if the line has neither.
fn target(request: &HttpRequest) -> String {
    let mut target = String::new();
    let host = request.host.as_deref().unwrap_or_default();
    let path = request.path.as_deref().or(request.pathname.as_deref()).or(request.url.as_deref()).unwrap_or_default();
    push_visible(&mut target, host);
    // `OPTIONS *`, CONNECT and absolute-form targets.
    if !host.is_empty() && !path.is_empty() && !path.starts_with('/') {
        target.push(' ');
    }
    push_visible(&mut target, path);
    if let (None, Some(query)) = (&request.path, &request.query) {
        push_query(&mut target, query);
    }
    if target.is_empty() {
        target.push('-');
    }
    target
}

/// The query of a line that has it only in its decoded form.
fn push_query(target: &mut String, query: &Fields) {
    let pairs = query.iter().flat_map(|(name, values)| values.iter().map(move |value| (name, value)));
    for (place, (name, value)) in pairs.enumerate() {
        target.push(if place == 0 { '?' } else { '&' });
        push_visible(target, name);
        target.push('=');
        push_visible(target, value);
    }
}

/// What is odd about the exchange, visible.
fn flags(exchange: &HttpExchange, facts: &Meta) -> Vec<String> {
    let is_cut = |body: &Option<BodyFacts>| body.as_ref().is_some_and(|body| body.truncated);
    let mut flags = Vec::new();
    if exchange.response.is_none() {
        flags.push("[no response]".to_owned());
    }
    match facts.degraded {
        Some(Degraded::Heads) => flags.push("[memory short: heads only]".to_owned()),
        Some(Degraded::Meta) => flags.push("[memory short: no headers]".to_owned()),
        None => {}
    }
    if is_cut(&facts.request_body) {
        flags.push("[request cut]".to_owned());
    }
    if is_cut(&facts.response_body) {
        flags.push("[response cut]".to_owned());
    }
    if let Some(response_flags) = facts.response_flags.as_deref().filter(|flags| !flags.is_empty()) {
        let mut flag = "[".to_owned();
        push_visible(&mut flag, response_flags);
        if let Some(details) = &facts.code_details {
            flag.push(' ');
            push_visible(&mut flag, details);
        }
        flag.push(']');
        flags.push(flag);
    }
    flags
}

#[cfg(test)]
mod tests;
