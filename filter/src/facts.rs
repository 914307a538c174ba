//! What Envoy knows about an exchange beside its bytes: addresses, names, times, flags.

use std::time::Duration;

use tributary_http_types::Direction;

use crate::flags;

/// The properties read at the end of each exchange that has its facts whole, segments joined by NUL as the host wants
/// them.
///
/// Each costs a call into the host, a search there, and a call back for room: with the callbacks they are what a recorded
/// exchange costs beside its bytes. So what is known otherwise is not asked for: the arrival is the end less the
/// duration. `xds.*` and not the older bare names, which answer nothing since Envoy 1.33.
pub const PATHS: [&[u8]; 8] =
    [DURATION, PROTOCOL, CLIENT_ADDRESS, UPSTREAM_ADDRESS, CLUSTER, ROUTE, RESPONSE_FLAGS, CODE_DETAILS];

const DURATION: &[u8] = b"request\0duration";
const PROTOCOL: &[u8] = b"request\0protocol";
const CLIENT_ADDRESS: &[u8] = b"source\0address";
const UPSTREAM_ADDRESS: &[u8] = b"upstream\0address";
const CLUSTER: &[u8] = b"xds\0cluster_name";
const ROUTE: &[u8] = b"xds\0route_name";
const RESPONSE_FLAGS: &[u8] = b"response\0flags";
const CODE_DETAILS: &[u8] = b"response\0code_details";

/// Read for a request that names no host.
pub const LOCAL_ADDRESS: &[u8] = b"destination\0address";

/// Read once for each root. Envoy makes a root for one direction only (it is a part of the plugin's key, envoy
/// `source/extensions/common/wasm/plugin.h`), and knows it from the listener, as this property does.
pub const DIRECTION: &[u8] = b"xds\0listener_direction";

/// A fact of `meta` that may be left out (setting `omit_facts`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fact {
    /// `clientAddress`
    ClientAddress,
    /// `upstreamAddress`
    UpstreamAddress,
    /// `cluster`
    Cluster,
    /// `route`
    Route,
    /// `direction`
    Direction,
    /// `responseFlags`
    ResponseFlags,
    /// `codeDetails`
    CodeDetails,
}

impl Fact {
    /// All of them. Not among them: the duration, for the times of an exchange rest on it, and the version of HTTP, for by
    /// it `host` is told from `:authority`.
    pub const ALL: [Fact; 7] = [
        Fact::ClientAddress,
        Fact::UpstreamAddress,
        Fact::Cluster,
        Fact::Route,
        Fact::Direction,
        Fact::ResponseFlags,
        Fact::CodeDetails,
    ];

    /// The name in `meta` and in the setting.
    pub const fn name(self) -> &'static str {
        match self {
            Fact::ClientAddress => "clientAddress",
            Fact::UpstreamAddress => "upstreamAddress",
            Fact::Cluster => "cluster",
            Fact::Route => "route",
            Fact::Direction => "direction",
            Fact::ResponseFlags => "responseFlags",
            Fact::CodeDetails => "codeDetails",
        }
    }
}

/// The facts that are left out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Omitted {
    /// In the order of [`Fact::ALL`].
    facts: [bool; Fact::ALL.len()],
}

impl Omitted {
    /// Whether this one is.
    pub fn has(self, fact: Fact) -> bool {
        self.facts.get(fact as usize).copied().unwrap_or_default()
    }
}

impl FromIterator<Fact> for Omitted {
    fn from_iter<I: IntoIterator<Item = Fact>>(facts: I) -> Omitted {
        let mut omitted = Omitted::default();
        for fact in facts {
            if let Some(is_omitted) = omitted.facts.get_mut(fact as usize) {
                *is_omitted = true;
            }
        }
        omitted
    }
}

/// What has to be read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Need {
    /// Not read.
    pub omitted: Omitted,
    /// The request names no host.
    pub local_address: bool,
    /// The direction of the root, if it was read before.
    pub direction: Option<ListenerDirection>,
}

/// Envoy's number of a listener's direction.
///
/// Source: envoy.config.core.v3.TrafficDirection: 0 unspecified, 1 inbound, 2 outbound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListenerDirection(i64);

impl ListenerDirection {
    /// The direction with Envoy's number; one that is none of the above is as good as 0.
    pub const fn from_number(number: i64) -> ListenerDirection {
        ListenerDirection(number)
    }

    fn as_direction(self) -> Option<Direction> {
        match self.0 {
            1 => Some(Direction::Inbound),
            2 => Some(Direction::Outbound),
            _ => None,
        }
    }
}

/// The facts; each may be missing, and a missing one is left out of the line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// From the arrival of the request to the end of the exchange.
    pub duration: Option<Duration>,
    /// `HTTP/1.1`, `HTTP/2`, `HTTP/3`.
    pub http_version: Option<Vec<u8>>,
    /// `ip:port` of the client.
    pub client_address: Option<Vec<u8>>,
    /// `ip:port` the client connected to; the host of a request that names none.
    pub local_address: Option<Vec<u8>>,
    /// `ip:port` of the upstream that answered.
    pub upstream_address: Option<Vec<u8>>,
    /// The upstream cluster.
    pub cluster: Option<Vec<u8>>,
    /// The route.
    pub route: Option<Vec<u8>>,
    /// Which way, from the workload's side: [`Facts::direction`].
    pub listener_direction: Option<ListenerDirection>,
    /// Short names joined by `,`.
    pub response_flags: String,
    /// `via_upstream`, `route_not_found` …
    pub code_details: Option<Vec<u8>>,
}

impl Facts {
    /// Asks for all that is needed. `ask` gives the value of a property; one of the wrong size is as good as none.
    pub fn read(need: Need, ask: impl Fn(&[u8]) -> Option<Vec<u8>>) -> Facts {
        let ask = |path: &[u8]| ask(path).filter(|value| !value.is_empty());
        let ask_unless = |fact, path| if need.omitted.has(fact) { None } else { ask(path) };
        let direction = || ask_unless(Fact::Direction, DIRECTION).and_then(number).map(ListenerDirection::from_number);
        let nanos = ask(DURATION).and_then(number).and_then(|nanos| u64::try_from(nanos).ok());
        let flags = ask_unless(Fact::ResponseFlags, RESPONSE_FLAGS).and_then(number).map(mask);
        Facts {
            duration: nanos.map(Duration::from_nanos),
            http_version: ask(PROTOCOL),
            client_address: ask_unless(Fact::ClientAddress, CLIENT_ADDRESS),
            local_address: need.local_address.then(|| ask(LOCAL_ADDRESS)).flatten(),
            upstream_address: ask_unless(Fact::UpstreamAddress, UPSTREAM_ADDRESS),
            cluster: ask_unless(Fact::Cluster, CLUSTER),
            route: ask_unless(Fact::Route, ROUTE),
            listener_direction: need.direction.filter(|_| !need.omitted.has(Fact::Direction)).or_else(direction),
            response_flags: flags.map(flags::short_names).unwrap_or_default(),
            code_details: ask_unless(Fact::CodeDetails, CODE_DETAILS),
        }
    }

    /// Which way, from the workload's side.
    pub fn direction(&self) -> Option<Direction> {
        self.listener_direction.and_then(ListenerDirection::as_direction)
    }
}

/// Envoy's integers: 8 bytes, little endian, signed.
fn number(bytes: Vec<u8>) -> Option<i64> {
    Some(i64::from_le_bytes(bytes.try_into().ok()?))
}

fn mask(bits: i64) -> u64 {
    u64::from_le_bytes(bits.to_le_bytes())
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    fn text(text: &str) -> Option<Vec<u8>> {
        Some(text.as_bytes().to_vec())
    }

    fn number(number: i64) -> Option<Vec<u8>> {
        Some(number.to_le_bytes().to_vec())
    }

    /// What an Envoy says that knows everything.
    fn envoy(path: &[u8]) -> Option<Vec<u8>> {
        match path {
            b"request\0duration" => number(41_900_000),
            b"request\0protocol" => text("HTTP/2"),
            b"source\0address" => text("10.0.0.1:4000"),
            b"destination\0address" => text("10.0.0.2:80"),
            b"upstream\0address" => text("10.0.0.3:8080"),
            b"xds\0cluster_name" => text("users"),
            b"xds\0route_name" => text("main"),
            b"xds\0listener_direction" => number(1),
            b"response\0flags" => number(1 << 6),
            b"response\0code_details" => text("via_upstream"),
            _ => None,
        }
    }

    /// The same, but one of its answers is another.
    fn facts_with(other: &[u8], answer: &[u8]) -> Facts {
        let ask = |path: &[u8]| if path == other { Some(answer.to_vec()) } else { envoy(path) };
        Facts::read(Need::default(), ask)
    }

    fn asked(need: Need) -> Vec<Vec<u8>> {
        let asked = RefCell::default();
        let record: &RefCell<Vec<Vec<u8>>> = &asked;
        Facts::read(need, |path| {
            record.borrow_mut().push(path.to_vec());
            envoy(path)
        });
        asked.into_inner()
    }

    fn sorted(mut paths: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
        paths.sort_unstable();
        paths
    }

    #[test]
    fn each_value_becomes_its_fact() {
        let facts = Facts::read(Need { local_address: true, ..Need::default() }, envoy);

        assert_eq!(
            facts,
            Facts {
                duration: Some(Duration::from_nanos(41_900_000)),
                http_version: text("HTTP/2"),
                client_address: text("10.0.0.1:4000"),
                local_address: text("10.0.0.2:80"),
                upstream_address: text("10.0.0.3:8080"),
                cluster: text("users"),
                route: text("main"),
                listener_direction: Some(ListenerDirection(1)),
                response_flags: "UC".to_owned(),
                code_details: text("via_upstream"),
            }
        );
        assert_eq!(facts.direction(), Some(Direction::Inbound));
    }

    #[test]
    fn what_is_missing_empty_or_of_a_wrong_size_is_no_fact() {
        let all = Facts::read(Need::default(), envoy);

        assert_eq!(Facts::read(Need { local_address: true, ..Need::default() }, |_| None), Facts::default());
        assert_eq!(facts_with(b"request\0protocol", b""), Facts { http_version: None, ..all.clone() });
        assert_eq!(facts_with(b"request\0duration", b"short"), Facts { duration: None, ..all.clone() });
        assert_eq!(facts_with(b"request\0duration", &(-1i64).to_le_bytes()), Facts { duration: None, ..all.clone() });
        assert_eq!(facts_with(DIRECTION, b"short"), Facts { listener_direction: None, ..all });
        assert_eq!(facts_with(DIRECTION, &0i64.to_le_bytes()).direction(), None);
        assert_eq!(facts_with(DIRECTION, &2i64.to_le_bytes()).direction(), Some(Direction::Outbound));
    }

    #[test]
    fn what_is_known_or_not_needed_is_not_asked_for() {
        let known = Need { direction: Some(ListenerDirection(2)), ..Need::default() };

        assert_eq!(sorted(asked(known)), sorted(PATHS.map(<[u8]>::to_vec).to_vec()));
        assert_eq!(Facts::read(known, envoy).direction(), Some(Direction::Outbound));
        assert!(asked(Need::default()).contains(&DIRECTION.to_vec()));
        assert!(asked(Need { local_address: true, ..known }).contains(&LOCAL_ADDRESS.to_vec()));
    }

    #[test]
    fn an_omitted_fact_is_not_asked_for_and_all_others_are() {
        let all = Facts::read(Need::default(), envoy);
        let without = |fact| {
            let mut facts = all.clone();
            match fact {
                Fact::ClientAddress => facts.client_address = None,
                Fact::UpstreamAddress => facts.upstream_address = None,
                Fact::Cluster => facts.cluster = None,
                Fact::Route => facts.route = None,
                Fact::Direction => facts.listener_direction = None,
                Fact::ResponseFlags => facts.response_flags = String::new(),
                Fact::CodeDetails => facts.code_details = None,
            }
            facts
        };

        for fact in Fact::ALL {
            let need = Need { omitted: [fact].into_iter().collect(), ..Need::default() };

            assert_eq!(Facts::read(need, envoy), without(fact), "{}", fact.name());
            assert_eq!(asked(need).len(), PATHS.len());
        }
        let none = Need {
            omitted: Fact::ALL.into_iter().collect(),
            direction: Some(ListenerDirection(1)),
            local_address: false,
        };
        assert_eq!(sorted(asked(none)), [DURATION.to_vec(), PROTOCOL.to_vec()]);
        assert_eq!(Facts::read(none, envoy).direction(), None);
    }
}
