//! The loads: how large the answers are, over which protocol, with how many workers.

use std::net::SocketAddr;

use super::load::{Load, Pace};

/// One load.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Case {
    /// The answers.
    pub size: Size,
    /// From the client to Envoy and from Envoy to the origin.
    pub protocol: Protocol,
    /// Worker threads of Envoy.
    pub workers: u32,
    /// Whether latency is measured too.
    pub latency: bool,
    /// Divides the number of requests: 1 unless a test has no time.
    pub fewer: usize,
}

/// How large the body of an answer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Size {
    /// 70 bytes of JSON.
    Bytes70,
    /// 1,000 bytes of JSON.
    Kilo1,
    /// 10,000 bytes of JSON.
    Kilo10,
    /// 64,000 bytes of JSON, which the filter keeps whole.
    Kilo64,
    /// A million bytes that are no text, of which 65,536 are kept.
    Mega1,
}

/// What is spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// HTTP/1.1.
    Http1,
    /// HTTP/2 without TLS.
    Http2,
}

/// All cells, or those of the budgets.
pub(super) fn chosen(quick: bool) -> Vec<Case> {
    let case = |size, protocol, workers| {
        let latency = workers == 1 && protocol == Protocol::Http1 && matches!(size, Size::Bytes70 | Size::Kilo10);
        Case { size, protocol, workers, latency, fewer: 1 }
    };
    if quick {
        return [Size::Bytes70, Size::Kilo10, Size::Kilo64].map(|size| case(size, Protocol::Http1, 1)).to_vec();
    }
    let mut all = Vec::new();
    for workers in [1, 2] {
        for protocol in [Protocol::Http1, Protocol::Http2] {
            all.extend(Size::ALL.map(|size| case(size, protocol, workers)));
        }
    }
    all
}

impl Size {
    /// All of them, the smallest first.
    pub const ALL: [Size; 5] = [Size::Bytes70, Size::Kilo1, Size::Kilo10, Size::Kilo64, Size::Mega1];

    /// Bytes of the body.
    pub fn bytes(self) -> usize {
        match self {
            Size::Bytes70 => 70,
            Size::Kilo1 => 1_000,
            Size::Kilo10 => 10_000,
            Size::Kilo64 => 64_000,
            Size::Mega1 => 1_000_000,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Size::Bytes70 => "70 B JSON",
            Size::Kilo1 => "1 KB JSON",
            Size::Kilo10 => "10 KB JSON",
            Size::Kilo64 => "64 KB JSON",
            Size::Mega1 => "1 MB binary",
        }
    }

    /// Requests a turn: about half a second of Envoy without the filter.
    fn requests(self) -> usize {
        match self {
            Size::Bytes70 | Size::Kilo1 => 6_000,
            Size::Kilo10 => 4_000,
            Size::Kilo64 => 1_200,
            Size::Mega1 => 150,
        }
    }
}

impl Protocol {
    /// The first segment of the paths by which Envoy knows how to speak to the origin.
    pub(super) fn segment(self) -> &'static str {
        match self {
            Protocol::Http1 => "h1",
            Protocol::Http2 => "h2",
        }
    }
}

impl Case {
    /// `70 B JSON, HTTP/1.1, 1 worker`.
    pub fn name(&self) -> String {
        let protocol = match self.protocol {
            Protocol::Http1 => "HTTP/1.1",
            Protocol::Http2 => "HTTP/2",
        };
        format!("{}, {protocol}, {}", self.size.name(), workers(self.workers))
    }

    /// Requests a turn.
    pub fn requests(&self) -> usize {
        (self.size.requests() / self.fewer.max(1)).max(1)
    }

    /// The load on an Envoy at this address, as fast as it goes.
    pub(super) fn load(&self, address: SocketAddr) -> Load {
        Load {
            address,
            protocol: self.protocol,
            path: format!("/{}/{}", self.protocol.segment(), self.size.bytes()),
            requests: self.requests(),
            body_bytes: self.size.bytes(),
            pace: Pace::Full,
        }
    }
}

/// `1 worker`, `2 workers`.
pub(super) fn workers(count: u32) -> String {
    if count == 1 { "1 worker".to_owned() } else { format!("{count} workers") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::budget::BUDGETS;

    #[test]
    fn a_quick_run_has_each_load_of_the_budgets() {
        let quick: Vec<String> = chosen(true).iter().map(Case::name).collect();
        let all: Vec<String> = chosen(false).iter().map(Case::name).collect();
        let loads = BUDGETS.iter().filter(|budget| budget.area == "filter" && budget.case.contains("HTTP"));

        for budget in loads {
            assert!(quick.iter().any(|name| name == budget.case), "{}", budget.case);
        }
        assert!(quick.iter().all(|name| all.contains(name)));
        assert_eq!(all.len(), 20);
    }
}
