//! The writer: an exchange into one line, straight into a `Vec<u8>`.
//!
//! It emits the profile that all published readers of the format accept: names in lower case, one value as a string,
//! several as an array, no null, no unknown key, no pseudo-header. Keys stand in the order of the original writer.

use serde_json::{Map, Number, Value};

use crate::{
    ExchangeRef, Fields, HttpExchange, HttpRequest, HttpResponse, MetaRef, RequestRef, ResponseRef, Shown, Timestamp,
    WriteError,
    exchange::Written,
    grouping::first_and_next,
    json::{self, number, string, text_of},
    query::Target,
};

mod bound;

impl ExchangeRef<'_> {
    /// Appends the exchange as one line, with its `\n`.
    ///
    /// # Errors
    /// [`WriteError::EmptyHost`]: count the exchange and leave it out. Nothing was appended.
    pub fn write_line(&self, out: &mut Vec<u8>) -> Result<(), WriteError> {
        if self.request.host.is_empty() {
            return Err(WriteError::EmptyHost);
        }
        let request_body = self.request.body.written();
        let response_body = self.response.as_ref().map(|response| response.body.written());
        let mut line = Object::open(out);
        write_request(line.key("request"), &self.request, request_body);
        if let (Some(response), Some(body)) = (&self.response, response_body) {
            write_response(line.key("response"), response, body);
        }
        write_meta(
            line.key("meta"),
            &self.meta,
            [("requestBody", Some(request_body)), ("responseBody", response_body)],
        );
        line.close();
        out.push(b'\n');
        Ok(())
    }
}

fn write_request(out: &mut Vec<u8>, request: &RequestRef<'_>, body: Written<'_>) {
    let path = text_of(request.path);
    let target = Target::of(&path);
    let mut object = Object::open(out);
    write_timestamp(object.key("timestamp"), request.timestamp);
    string(object.key("method"), request.method.as_str());
    string(object.key("protocol"), request.protocol.as_str());
    json::bytes(object.key("host"), request.host);
    write_headers(object.key("headers"), request.headers);
    string(object.key("body"), body.text.unwrap_or_default());
    if target.path_is_safe {
        string(object.key("path"), &path);
    }
    string(object.key("pathname"), target.pathname);
    let query: Vec<(&[u8], &[u8])> =
        target.query.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes())).collect();
    write_grouped(object.key("query"), &query);
    object.close();
}

fn write_response(out: &mut Vec<u8>, response: &ResponseRef<'_>, body: Written<'_>) {
    let mut object = Object::open(out);
    write_timestamp(object.key("timestamp"), response.timestamp);
    number(object.key("statusCode"), response.status_code.into());
    write_headers(object.key("headers"), response.headers);
    string(object.key("body"), body.text.unwrap_or_default());
    object.close();
}

fn write_meta(out: &mut Vec<u8>, meta: &MetaRef<'_>, bodies: [(&str, Option<Written<'_>>); 2]) {
    let mut object = Object::open(out);
    write_id(object.key("id"), meta);
    string(object.key("source"), meta.source);
    number(object.key("seq"), meta.seq);
    if let Some(duration) = meta.duration_ms {
        number(object.key("durationMs"), duration);
    }
    for (key, body) in bodies {
        write_body_facts(&mut object, key, body);
    }
    for (key, trailers) in [("requestTrailers", meta.request_trailers), ("responseTrailers", meta.response_trailers)] {
        if !trailers.is_empty() {
            write_headers(object.key(key), trailers);
        }
    }
    let facts = [
        ("httpVersion", meta.http_version),
        ("clientAddress", meta.client_address),
        ("upstreamAddress", meta.upstream_address),
        ("cluster", meta.cluster),
        ("route", meta.route),
        ("direction", meta.direction.map(|direction| direction.as_str().as_bytes())),
        ("responseFlags", Some(meta.response_flags.as_bytes()).filter(|flags| !flags.is_empty())),
        ("codeDetails", meta.code_details),
        ("degraded", meta.degraded.map(|step| step.as_str().as_bytes())),
    ];
    for (key, fact) in facts {
        if let Some(fact) = fact {
            json::bytes(object.key(key), fact);
        }
    }
    if !meta.redactions.is_empty() {
        let mut redactions = Object::open(object.key("redactions"));
        meta.redactions.iter().for_each(|(place, count)| number(redactions.key_bytes(place.as_bytes()), *count));
        redactions.close();
    }
    // Not by the standard library's printer of floats: it weighs 20 KB, and this one is there anyway.
    if let Some(rate) = meta.sample_rate.and_then(Number::from_f64) {
        object.key("sampleRate").extend_from_slice(rate.to_string().as_bytes());
    }
    object.close();
}

fn write_id(out: &mut Vec<u8>, meta: &MetaRef<'_>) {
    string(out, meta.source);
    // Inside the quotes: the source is escaped as any other text, and `-<seq>` needs no escape.
    out.pop();
    out.push(b'-');
    number(out, meta.seq);
    out.push(b'"');
}

fn write_body_facts(object: &mut Object<'_>, key: &str, written: Option<Written<'_>>) {
    let Some(Written { body, kept, text, packed }) = written else { return };
    if body.bytes == 0 && body.kept.is_empty() {
        return;
    }
    let mut facts = Object::open(object.key(key));
    number(facts.key("bytes"), body.bytes);
    number(facts.key("kept"), kept);
    facts.key("truncated").extend_from_slice(if body.bytes > kept { b"true" } else { b"false" });
    match body.shown {
        Shown::Withheld(reason) => string(facts.key("withheld"), reason),
        _ if text.is_none() => write_base64(facts.key("base64"), packed),
        _ => (),
    }
    facts.close();
}

/// Appends bytes in base64, with its quotes.
fn write_base64(out: &mut Vec<u8>, bytes: &[u8]) {
    use base64::{Engine, engine::general_purpose::STANDARD};

    out.push(b'"');
    let start = out.len();
    out.resize(start.saturating_add(bytes.len().div_ceil(3).saturating_mul(4)), b'=');
    let written = out.get_mut(start..).map_or(Ok(0), |room| STANDARD.encode_slice(bytes, room)).unwrap_or(0);
    out.truncate(start.saturating_add(written));
    out.push(b'"');
}

fn write_timestamp(out: &mut Vec<u8>, timestamp: Timestamp) {
    out.push(b'"');
    timestamp.write(out);
    out.push(b'"');
}

/// Appends headers or trailers: pseudo-headers left out, names in lower case, values of one name together.
fn write_headers(out: &mut Vec<u8>, pairs: &[(&[u8], &[u8])]) {
    // Without a way out on the way: most names are plain, and a loop without one is taken several bytes at a time.
    let is_odd = |byte: &u8| !byte.is_ascii() | byte.is_ascii_uppercase();
    let is_plain = |name: &[u8]| !name.starts_with(b":") && !name.iter().fold(false, |odd, byte| odd | is_odd(byte));
    if pairs.iter().all(|(name, _)| is_plain(name)) {
        return write_grouped(out, pairs);
    }
    let names: Vec<String> = pairs.iter().map(|(name, _)| text_of(name).to_ascii_lowercase()).collect();
    let pairs = names.iter().zip(pairs).map(|(name, (_, value))| (name.as_bytes(), *value));
    let pairs: Vec<_> = pairs.filter(|(name, _)| !name.starts_with(b":")).collect();
    write_grouped(out, &pairs);
}

/// Appends `{"name":"value","other":["one","two"]}`: each name where it stood first, its values in order.
fn write_grouped(out: &mut Vec<u8>, pairs: &[(&[u8], &[u8])]) {
    let mut object = Object::open(out);
    let Some(links) = first_and_next(pairs) else {
        pairs.iter().for_each(|(name, value)| json::bytes(object.key_bytes(name), value));
        return object.close();
    };
    for ((name, value), link) in pairs.iter().zip(&links).filter(|(_, link)| link.is_first) {
        let out = object.key_bytes(name);
        if link.next.is_none() {
            json::bytes(out, value);
            continue;
        }
        let mut opening = b'[';
        let mut at = Some((*value, link.next));
        while let Some((value, next)) = at {
            out.push(opening);
            opening = b',';
            json::bytes(out, value);
            at = next.and_then(|next| Some((pairs.get(next)?.1, links.get(next)?.next)));
        }
        out.push(b']');
    }
    object.close();
}

impl HttpExchange {
    /// The exchange as one line, with its `\n`. What was read comes out again, in the order of the format's keys.
    pub fn to_line(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(1024);
        let mut line = Object::open(&mut out);
        write_owned_request(line.key("request"), &self.request);
        if let Some(response) = &self.response {
            write_owned_response(line.key("response"), response);
        }
        if let Some(meta) = &self.meta {
            write_object(line.key("meta"), meta);
        }
        line.close();
        out.push(b'\n');
        out
    }
}

fn write_owned_request(out: &mut Vec<u8>, request: &HttpRequest) {
    let mut object = Object::open(out);
    if let Some(timestamp) = request.timestamp {
        write_timestamp(object.key("timestamp"), timestamp);
    }
    string(object.key("method"), request.method.as_str());
    if let Some(protocol) = request.protocol {
        string(object.key("protocol"), protocol.as_str());
    }
    object.text("host", &request.host);
    object.fields("headers", &request.headers);
    object.text("body", &request.body);
    object.text("path", &request.path);
    object.text("pathname", &request.pathname);
    object.fields("query", &request.query);
    object.text("url", &request.url);
    object.close();
}

fn write_owned_response(out: &mut Vec<u8>, response: &HttpResponse) {
    let mut object = Object::open(out);
    if let Some(timestamp) = response.timestamp {
        write_timestamp(object.key("timestamp"), timestamp);
    }
    number(object.key("statusCode"), response.status_code.into());
    object.fields("headers", &response.headers);
    object.text("body", &response.body);
    object.close();
}

fn write_fields(out: &mut Vec<u8>, fields: &Fields) {
    let mut object = Object::open(out);
    for (name, values) in fields.iter() {
        let out = object.key_bytes(name.as_bytes());
        match values {
            [one] => string(out, one),
            several => write_array(out, several, |out, value| string(out, value)),
        }
    }
    object.close();
}

fn write_object(out: &mut Vec<u8>, object: &Map<String, Value>) {
    let mut written = Object::open(out);
    for (key, value) in object {
        write_value(written.key_bytes(key.as_bytes()), value);
    }
    written.close();
}

fn write_value(out: &mut Vec<u8>, value: &Value) {
    match value {
        Value::Null => out.extend_from_slice(b"null"),
        Value::Bool(true) => out.extend_from_slice(b"true"),
        Value::Bool(false) => out.extend_from_slice(b"false"),
        Value::Number(number) => out.extend_from_slice(number.to_string().as_bytes()),
        Value::String(text) => string(out, text),
        Value::Array(values) => write_array(out, values, write_value),
        Value::Object(object) => write_object(out, object),
    }
}

fn write_array<T>(out: &mut Vec<u8>, values: &[T], write: impl Fn(&mut Vec<u8>, &T)) {
    out.push(b'[');
    for (index, value) in values.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        write(out, value);
    }
    out.push(b']');
}

/// A JSON object under way: it sets the commas.
struct Object<'o> {
    out: &'o mut Vec<u8>,
    is_empty: bool,
}

impl<'o> Object<'o> {
    fn open(out: &'o mut Vec<u8>) -> Object<'o> {
        out.push(b'{');
        Object { out, is_empty: true }
    }

    /// Appends a key that needs no escape, and gives the place for its value.
    fn key(&mut self, key: &str) -> &mut Vec<u8> {
        self.comma();
        self.out.push(b'"');
        self.out.extend_from_slice(key.as_bytes());
        self.out.extend_from_slice(b"\":");
        self.out
    }

    /// Appends any key, and gives the place for its value.
    fn key_bytes(&mut self, key: &[u8]) -> &mut Vec<u8> {
        self.comma();
        json::bytes(self.out, key);
        self.out.push(b':');
        self.out
    }

    fn text(&mut self, key: &str, text: &Option<String>) {
        if let Some(text) = text {
            string(self.key(key), text);
        }
    }

    fn fields(&mut self, key: &str, fields: &Option<Fields>) {
        if let Some(fields) = fields {
            write_fields(self.key(key), fields);
        }
    }

    fn comma(&mut self) {
        if !self.is_empty {
            self.out.push(b',');
        }
        self.is_empty = false;
    }

    fn close(self) {
        self.out.push(b'}');
    }
}

#[cfg(test)]
mod tests;
