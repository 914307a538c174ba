//! One call as Envoy would pass it: heads, chunks and trailers in their order, then the end.

use std::time::Duration;

use tributary_filter::{Facts, ListenerDirection, Refusal, Side, Stream};

use super::Vm;

type Pairs = Vec<(String, Vec<u8>)>;

/// The wire form of a header map.
pub(crate) fn wire(pairs: &[(&str, &[u8])]) -> Vec<u8> {
    let mut raw = (pairs.len() as u32).to_le_bytes().to_vec();
    for (name, value) in pairs {
        raw.extend((name.len() as u32).to_le_bytes());
        raw.extend((value.len() as u32).to_le_bytes());
    }
    for (name, value) in pairs {
        raw.extend([name.as_bytes(), b"\0", value, b"\0"].concat());
    }
    raw
}

fn wire_of(pairs: &Pairs) -> Vec<u8> {
    let borrowed: Vec<(&str, &[u8])> = pairs.iter().map(|(name, value)| (name.as_str(), value.as_slice())).collect();
    wire(&borrowed)
}

/// What Envoy knows of an ordinary exchange.
pub(crate) fn facts() -> Facts {
    let text = |text: &str| Some(text.as_bytes().to_vec());
    Facts {
        duration: Some(Duration::from_millis(7)),
        http_version: text("HTTP/1.1"),
        client_address: text("10.0.0.1:40000"),
        local_address: text("10.0.0.2:3000"),
        upstream_address: text("10.0.0.3:8080"),
        cluster: text("users"),
        route: text("main"),
        listener_direction: Some(ListenerDirection::from_number(1)),
        response_flags: String::new(),
        code_details: text("via_upstream"),
    }
}

pub(crate) struct Call {
    request: Pairs,
    request_body: Vec<Vec<u8>>,
    request_trailers: Pairs,
    response: Option<Pairs>,
    response_body: Vec<Vec<u8>>,
    response_trailers: Pairs,
    facts: Facts,
}

impl Call {
    pub(crate) fn new(method: &str, path: &str) -> Call {
        let request = [(":authority", "shop.example"), (":path", path), (":method", method), (":scheme", "http")];
        Call {
            request: request.map(|(name, value)| (name.to_owned(), value.into())).to_vec(),
            request_body: Vec::new(),
            request_trailers: Vec::new(),
            response: Some(vec![(":status".to_owned(), b"200".to_vec())]),
            response_body: Vec::new(),
            response_trailers: Vec::new(),
            facts: facts(),
        }
    }

    pub(crate) fn get(path: &str) -> Call {
        Call::new("GET", path)
    }

    pub(crate) fn post(chunks: &[&[u8]]) -> Call {
        Call::new("POST", "/").sends(chunks)
    }

    /// Sets a header of the request; a pseudo-header takes the place of the one that is there.
    pub(crate) fn with(mut self, name: &str, value: &[u8]) -> Call {
        if name.starts_with(':') {
            self.request.retain(|(found, _)| found != name);
        }
        self.request.push((name.to_owned(), value.to_vec()));
        self
    }

    pub(crate) fn without(mut self, name: &str) -> Call {
        self.request.retain(|(found, _)| found != name);
        self
    }

    pub(crate) fn sends(mut self, chunks: &[&[u8]]) -> Call {
        self.request_body = chunks.iter().map(|chunk| chunk.to_vec()).collect();
        self
    }

    pub(crate) fn sends_trailer(mut self, name: &str, value: &[u8]) -> Call {
        self.request_trailers.push((name.to_owned(), value.to_vec()));
        self
    }

    pub(crate) fn answered(mut self, status: u16) -> Call {
        self.response = Some(vec![(":status".to_owned(), status.to_string().into_bytes())]);
        self
    }

    pub(crate) fn not_answered(mut self) -> Call {
        self.response = None;
        self
    }

    pub(crate) fn answered_with(mut self, name: &str, value: &[u8]) -> Call {
        self.response.as_mut().unwrap().push((name.to_owned(), value.to_vec()));
        self
    }

    pub(crate) fn returns(mut self, chunks: &[&[u8]]) -> Call {
        self.response_body = chunks.iter().map(|chunk| chunk.to_vec()).collect();
        self
    }

    pub(crate) fn returns_trailer(mut self, name: &str, value: &[u8]) -> Call {
        self.response_trailers.push((name.to_owned(), value.to_vec()));
        self
    }

    pub(crate) fn facts(mut self, change: impl FnOnce(&mut Facts)) -> Call {
        change(&mut self.facts);
        self
    }

    /// Passes everything but the end.
    pub(crate) fn pass_open(&self, vm: &mut Vm, stream: &mut Stream) {
        let now = vm.now();
        stream.request_head(&mut vm.plugin, Ok(wire_of(&self.request)), now);
        pass_body(vm, stream, Side::Request, &self.request_body);
        pass_trailers(vm, stream, Side::Request, &self.request_trailers);
        self.pass_response(vm, stream);
    }

    /// Passes the response alone: head, body, trailers.
    pub(crate) fn pass_response(&self, vm: &mut Vm, stream: &mut Stream) {
        if let Some(response) = &self.response {
            stream.response_head(&mut vm.plugin, Ok(wire_of(response)));
        }
        pass_body(vm, stream, Side::Response, &self.response_body);
        pass_trailers(vm, stream, Side::Response, &self.response_trailers);
        vm.assert_exact();
    }

    pub(crate) fn pass(&self, vm: &mut Vm, stream: &mut Stream) {
        self.pass_open(vm, stream);
        let clock = vm.clock();
        stream.finish(&mut vm.plugin, self.facts.clone(), clock);
        vm.assert_exact();
    }

    pub(crate) fn request_head(&self) -> Result<Vec<u8>, Refusal> {
        Ok(wire_of(&self.request))
    }
}

/// Passes chunks as the shell does: asks for what is wanted, and gives that much of the chunk.
pub(crate) fn pass_body(vm: &mut Vm, stream: &mut Stream, side: Side, chunks: &[Vec<u8>]) {
    for chunk in chunks {
        let given = stream.wanted(&vm.plugin, side, chunk.len()).map(|wanted| Ok(chunk[..wanted].to_vec()));
        stream.body(&mut vm.plugin, side, chunk.len(), given);
    }
}

fn pass_trailers(vm: &mut Vm, stream: &mut Stream, side: Side, trailers: &Pairs) {
    if !trailers.is_empty() {
        stream.trailers(&mut vm.plugin, side, Ok(wire_of(trailers)));
    }
}
