//! The flags that bound posts, lines and connections.

use std::time::Duration;

use super::values::{bytes, duration};

/// The bounds as they are given.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Limits")]
pub struct LimitSettings {
    /// Bytes of a post as sent, 1KiB to 1GiB
    #[arg(long, env = "TRIBUTARY_MAX_ENCODED_BYTES", default_value = "8MiB", value_name = "SIZE")]
    #[arg(value_parser = bytes::<1024, 1_073_741_824>)]
    pub max_encoded_bytes: u64,

    /// Bytes of a post when unpacked, 1KiB to 1GiB
    #[arg(long, env = "TRIBUTARY_MAX_DECODED_BYTES", default_value = "32MiB", value_name = "SIZE")]
    #[arg(value_parser = bytes::<1024, 1_073_741_824>)]
    pub max_decoded_bytes: u64,

    /// Bytes of a line, 1KiB to 1GiB
    #[arg(long, env = "TRIBUTARY_MAX_LINE_BYTES", default_value = "2MiB", value_name = "SIZE")]
    #[arg(value_parser = bytes::<1024, 1_073_741_824>)]
    pub max_line_bytes: u64,

    /// Lines of a post, 1 to 1000000
    #[arg(long, env = "TRIBUTARY_MAX_LINES", default_value_t = 10_000, value_name = "N")]
    #[arg(value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    pub max_lines: u64,

    /// Levels of nesting in a line, 4 to 128
    #[arg(long, env = "TRIBUTARY_MAX_JSON_DEPTH", default_value_t = 64, value_name = "N")]
    #[arg(value_parser = clap::value_parser!(u64).range(4..=128))]
    pub max_json_depth: u64,

    /// Bytes of one compressed body inside an exchange when unpacked, 1KiB to 1GiB; over it the body is left out
    #[arg(long, env = "TRIBUTARY_MAX_UNPACKED_BODY_BYTES", default_value = "1MiB", value_name = "SIZE")]
    #[arg(value_parser = bytes::<1024, 1_073_741_824>)]
    pub max_unpacked_body_bytes: u64,

    /// Bytes of all posts in flight, 64KiB to 64GiB; over it posts get 503
    #[arg(long, env = "TRIBUTARY_MAX_BYTES_IN_FLIGHT", default_value = "64MiB", value_name = "SIZE")]
    #[arg(value_parser = bytes::<65_536, 68_719_476_736>)]
    pub max_bytes_in_flight: u64,

    /// Sources that are accounted for by name, 1 to 100000
    #[arg(long, env = "TRIBUTARY_MAX_SOURCES", default_value_t = 1024, value_name = "N")]
    #[arg(value_parser = clap::value_parser!(u64).range(1..=100_000))]
    pub max_sources: u64,

    /// Acknowledged batches that are remembered, 0 to 1000000, so that a filter that sends one again gets the same
    /// answer and nothing is stored twice; 0 for none
    #[arg(long, env = "TRIBUTARY_MAX_ACKED_BATCHES", default_value_t = 4096, value_name = "N")]
    #[arg(value_parser = clap::value_parser!(u64).range(0..=1_000_000))]
    pub max_acked_batches: u64,

    /// From the end of a post's body to the answer, 100ms to 5m; give it less than the filter's timeout_ms
    #[arg(long, env = "TRIBUTARY_REQUEST_TIMEOUT", default_value = "8s", value_name = "TIME")]
    #[arg(value_parser = duration::<100, 300_000>)]
    pub request_timeout: Duration,

    /// From a post's head to the end of its body, 100ms to 10m
    #[arg(long, env = "TRIBUTARY_BODY_TIMEOUT", default_value = "30s", value_name = "TIME")]
    #[arg(value_parser = duration::<100, 600_000>)]
    pub body_timeout: Duration,

    /// From a connection to its first byte, 100ms to 10m
    #[arg(long, env = "TRIBUTARY_FIRST_BYTE_TIMEOUT", default_value = "5s", value_name = "TIME")]
    #[arg(value_parser = duration::<100, 600_000>)]
    pub first_byte_timeout: Duration,

    /// From the first byte to the end of the TLS handshake, 100ms to 10m
    #[arg(long, env = "TRIBUTARY_TLS_HANDSHAKE_TIMEOUT", default_value = "5s", value_name = "TIME")]
    #[arg(value_parser = duration::<100, 600_000>)]
    pub tls_handshake_timeout: Duration,

    /// From the first byte of a request to the end of its head, 100ms to 10m
    #[arg(long, env = "TRIBUTARY_HEADER_TIMEOUT", default_value = "10s", value_name = "TIME")]
    #[arg(value_parser = duration::<100, 600_000>)]
    pub header_timeout: Duration,

    /// How long a connection may be without a request, 100ms to 1h
    #[arg(long, env = "TRIBUTARY_IDLE_TIMEOUT", default_value = "60s", value_name = "TIME")]
    #[arg(value_parser = duration::<100, 3_600_000>)]
    pub idle_timeout: Duration,

    /// How long a client may keep an answer from being written by not reading, 100ms to 10m
    #[arg(long, env = "TRIBUTARY_WRITE_TIMEOUT", default_value = "10s", value_name = "TIME")]
    #[arg(value_parser = duration::<100, 600_000>)]
    pub write_timeout: Duration,

    /// Bytes of a request's head, 8KiB to 1MiB
    #[arg(long, env = "TRIBUTARY_MAX_HEADER_BYTES", default_value = "32KiB", value_name = "SIZE")]
    #[arg(value_parser = bytes::<8192, 1_048_576>)]
    pub max_header_bytes: u64,

    /// Headers of a request, 16 to 1000
    #[arg(long, env = "TRIBUTARY_MAX_HEADERS", default_value_t = 100, value_name = "N")]
    #[arg(value_parser = clap::value_parser!(u64).range(16..=1000))]
    pub max_headers: u64,

    /// Connections at a time, 1 to 1000000
    #[arg(long, env = "TRIBUTARY_MAX_CONNECTIONS", default_value_t = 1024, value_name = "N")]
    #[arg(value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    pub max_connections: u64,

    /// Requests at a time on one HTTP/2 connection, 1 to 1000
    #[arg(long, env = "TRIBUTARY_MAX_STREAMS", default_value_t = 64, value_name = "N")]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub max_streams: u32,
}
