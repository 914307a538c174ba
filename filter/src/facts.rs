//! What Envoy knows about an exchange beside its bytes: addresses, names, times, flags.

use std::time::Duration;

use tributary_http_types::{Direction, Timestamp};

use crate::flags;

/// The properties read at the end of an exchange, segments joined by NUL as the host wants them.
///
/// `xds.*` and not the older bare names: those answer nothing since Envoy 1.33.
pub const PATHS: [&[u8]; 11] = [
    b"request\0time",
    b"request\0duration",
    b"request\0protocol",
    b"source\0address",
    b"destination\0address",
    b"upstream\0address",
    b"xds\0cluster_name",
    b"xds\0route_name",
    b"xds\0listener_direction",
    b"response\0flags",
    b"response\0code_details",
];

/// The facts; each may be missing, and a missing one is left out of the line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// When the request arrived.
    pub arrived: Option<Timestamp>,
    /// From there to the end of the exchange.
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
    /// Which way, from the workload's side.
    pub direction: Option<Direction>,
    /// Short names joined by `,`.
    pub response_flags: String,
    /// `via_upstream`, `route_not_found` …
    pub code_details: Option<Vec<u8>>,
}

impl Facts {
    /// The facts of the values of [`PATHS`], in that order. A value of the wrong size is as good as none.
    pub fn from_values(values: [Option<Vec<u8>>; PATHS.len()]) -> Facts {
        let [
            arrived,
            duration,
            http_version,
            client_address,
            local_address,
            upstream_address,
            cluster,
            route,
            direction,
            response_flags,
            code_details,
        ] = values.map(|value| value.filter(|bytes| !bytes.is_empty()));
        Facts {
            arrived: arrived.and_then(number).map(Timestamp::from_unix_nanos),
            duration: duration.and_then(number).and_then(|nanos| u64::try_from(nanos).ok()).map(Duration::from_nanos),
            http_version,
            client_address,
            local_address,
            upstream_address,
            cluster,
            route,
            direction: direction.and_then(number).and_then(direction_of),
            response_flags: response_flags.and_then(number).map(mask).map(flags::short_names).unwrap_or_default(),
            code_details,
        }
    }
}

/// Envoy's integers: 8 bytes, little endian, signed.
fn number(bytes: Vec<u8>) -> Option<i64> {
    Some(i64::from_le_bytes(bytes.try_into().ok()?))
}

fn mask(bits: i64) -> u64 {
    u64::from_le_bytes(bits.to_le_bytes())
}

/// Source: envoy.config.core.v3.TrafficDirection: 0 unspecified, 1 inbound, 2 outbound.
fn direction_of(number: i64) -> Option<Direction> {
    match number {
        1 => Some(Direction::Inbound),
        2 => Some(Direction::Outbound),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(at: usize, value: &[u8]) -> [Option<Vec<u8>>; PATHS.len()] {
        let mut values = std::array::from_fn(|_| None);
        values[at] = Some(value.to_vec());
        values
    }

    #[test]
    fn each_value_becomes_its_fact() {
        let text = |text: &str| Some(text.as_bytes().to_vec());
        let number = |number: i64| Some(number.to_le_bytes().to_vec());

        let facts = Facts::from_values([
            number(1_582_886_368_833_000_000),
            number(41_900_000),
            text("HTTP/2"),
            text("10.0.0.1:4000"),
            text("10.0.0.2:80"),
            text("10.0.0.3:8080"),
            text("users"),
            text("main"),
            number(1),
            number(1 << 6),
            text("via_upstream"),
        ]);

        assert_eq!(
            facts,
            Facts {
                arrived: Some(Timestamp::from_unix_millis(1_582_886_368_833)),
                duration: Some(Duration::from_nanos(41_900_000)),
                http_version: text("HTTP/2"),
                client_address: text("10.0.0.1:4000"),
                local_address: text("10.0.0.2:80"),
                upstream_address: text("10.0.0.3:8080"),
                cluster: text("users"),
                route: text("main"),
                direction: Some(Direction::Inbound),
                response_flags: "UC".to_owned(),
                code_details: text("via_upstream"),
            }
        );
    }

    #[test]
    fn what_is_missing_empty_or_of_a_wrong_size_is_no_fact() {
        assert_eq!(Facts::from_values(std::array::from_fn(|_| None)), Facts::default());
        assert_eq!(Facts::from_values(values(2, b"")), Facts::default());
        assert_eq!(Facts::from_values(values(0, b"short")), Facts::default());
        assert_eq!(Facts::from_values(values(1, &(-1i64).to_le_bytes())), Facts::default());
        assert_eq!(Facts::from_values(values(8, &0i64.to_le_bytes())), Facts::default());
    }
}
