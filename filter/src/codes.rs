//! The numbers by which the ABI names maps, buffers, statistics and levels.
//!
//! Source: proxy-wasm ABI 0.2.1. The tests lay them beside those of the Rust SDK, which the module itself is not built on
//! (ARCHITECTURE, "Why no SDK").

use crate::Level;

/// Header maps.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Map {
    RequestHeaders = 0,
    RequestTrailers = 1,
    ResponseHeaders = 2,
    ResponseTrailers = 3,
    CallResponseHeaders = 6,
}

/// Buffers.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Buffer {
    RequestBody = 0,
    ResponseBody = 1,
    CallResponseBody = 4,
    PluginConfiguration = 7,
}

/// Kinds of Envoy's statistics.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Statistic {
    Counter = 0,
    Gauge = 1,
}

/// What a callback answers: go on. There is no other answer in this module.
pub(crate) const CONTINUE: u32 = 0;

/// A level of Envoy's log.
pub(crate) fn of_level(level: Level) -> u32 {
    match level {
        Level::Info => 2,
        Level::Warn => 3,
        Level::Error => 4,
        Level::Critical => 5,
    }
}

#[cfg(all(test, not(target_arch = "wasm32")))]
mod tests {
    use proxy_wasm::types::{Action, BufferType, LogLevel, MapType, MetricType};

    use super::*;

    #[test]
    fn they_are_the_numbers_of_the_sdk() {
        let pairs = [
            (Map::RequestHeaders as u32, MapType::HttpRequestHeaders as u32),
            (Map::RequestTrailers as u32, MapType::HttpRequestTrailers as u32),
            (Map::ResponseHeaders as u32, MapType::HttpResponseHeaders as u32),
            (Map::ResponseTrailers as u32, MapType::HttpResponseTrailers as u32),
            (Map::CallResponseHeaders as u32, MapType::HttpCallResponseHeaders as u32),
            (Buffer::RequestBody as u32, BufferType::HttpRequestBody as u32),
            (Buffer::ResponseBody as u32, BufferType::HttpResponseBody as u32),
            (Buffer::CallResponseBody as u32, BufferType::HttpCallResponseBody as u32),
            (Buffer::PluginConfiguration as u32, BufferType::PluginConfiguration as u32),
            (Statistic::Counter as u32, MetricType::Counter as u32),
            (Statistic::Gauge as u32, MetricType::Gauge as u32),
            (of_level(Level::Info), LogLevel::Info as u32),
            (of_level(Level::Warn), LogLevel::Warn as u32),
            (of_level(Level::Error), LogLevel::Error as u32),
            (of_level(Level::Critical), LogLevel::Critical as u32),
            (CONTINUE, Action::Continue as u32),
        ];

        for (place, (ours, theirs)) in pairs.into_iter().enumerate() {
            assert_eq!(ours, theirs, "pair {place}");
        }
    }
}
