//! The budgets. Names of cases, variants and measures are those that the areas give them.

use super::{Bounds, Budget};

/// All budgets, by area.
pub const BUDGETS: &[Budget] = &[
    Budget {
        what: "Envoy CPU per request, 70 B",
        must: 1.30,
        aim: Some(1.15),
        ..filter("70 B JSON, HTTP/1.1, 1 worker")
    },
    Budget {
        what: "Envoy CPU per request, 10 KB kept whole",
        must: 1.90,
        aim: Some(1.50),
        ..filter("10 KB JSON, HTTP/1.1, 1 worker")
    },
    Budget {
        what: "Envoy CPU added per request, 64 KB, of what the native tap adds",
        bounds: Bounds::ShareOfAdded { to: "off", by: "native tap" },
        must: 0.50,
        aim: Some(0.25),
        ..filter("64 KB JSON, HTTP/1.1, 1 worker")
    },
    Budget {
        what: "Envoy CPU per request, bodies off, 70 B",
        variant: "bodies off",
        must: 1.15,
        aim: Some(1.08),
        ..filter("70 B JSON, HTTP/1.1, 1 worker")
    },
    Budget {
        what: "Envoy CPU per request, bodies off, 10 KB",
        variant: "bodies off",
        must: 1.15,
        aim: Some(1.08),
        ..filter("10 KB JSON, HTTP/1.1, 1 worker")
    },
    Budget {
        what: "p99 added at half load, 70 B",
        measure: "p99",
        bounds: Bounds::Over("off"),
        unit: "ms",
        must: 0.5,
        ..filter("70 B JSON, HTTP/1.1, 1 worker")
    },
    Budget {
        what: "p99 added at half load, 10 KB",
        measure: "p99",
        bounds: Bounds::Over("off"),
        unit: "ms",
        must: 0.5,
        ..filter("10 KB JSON, HTTP/1.1, 1 worker")
    },
    Budget {
        what: "memory of the VMs beyond what they start with",
        measure: "VM growth",
        bounds: Bounds::Value,
        unit: "MiB",
        // The filter's default budget, and 4.
        must: 20.0,
        ..filter("memory, 1 worker")
    },
    Budget {
        what: "size of the module",
        measure: "size",
        bounds: Bounds::Value,
        unit: "KB",
        must: 400.0,
        aim: Some(200.0),
        ..filter("module")
    },
    Budget {
        what: "collector CPU per line, 100 a post",
        must: 1.5,
        aim: Some(1.1),
        ..collector("100 a post, 8 connections")
    },
    Budget {
        what: "collector CPU per line, 100 a post, to a floor that writes the same records",
        bounds: Bounds::RatioTo("floor, same records"),
        must: 1.5,
        aim: Some(1.1),
        ..collector("100 a post, 8 connections")
    },
    Budget {
        what: "collector CPU per line, 100 a post, to a Node service with kafkajs",
        bounds: Bounds::RatioTo("Node, a send a post"),
        must: 0.1,
        ..collector("100 a post, 8 connections")
    },
    Budget {
        what: "collector CPU per line, 1000 a post",
        must: 1.3,
        aim: Some(1.1),
        ..collector("1000 a post, 8 connections")
    },
    Budget {
        what: "collector CPU per line, 1000 a post, to a floor that writes the same records",
        bounds: Bounds::RatioTo("floor, same records"),
        must: 1.3,
        aim: Some(1.1),
        ..collector("1000 a post, 8 connections")
    },
    Budget {
        what: "collector peak RSS",
        measure: "peak RSS",
        bounds: Bounds::Value,
        unit: "MiB",
        must: 128.0,
        aim: Some(64.0),
        ..collector("whole run")
    },
    Budget {
        what: "from the answer to the record in Kafka, p99 at half load, beyond the flush interval",
        area: "end-to-end",
        variant: "path",
        measure: "p99 beyond the flush interval",
        bounds: Bounds::Value,
        unit: "ms",
        must: 50.0,
        ..filter("50 % of it")
    },
];

const fn collector(case: &'static str) -> Budget {
    Budget { area: "collector", measure: "CPU per line", bounds: Bounds::RatioTo("floor"), ..filter(case) }
}

const fn filter(case: &'static str) -> Budget {
    Budget {
        what: "",
        area: "filter",
        case,
        variant: "ours",
        measure: "CPU per request",
        bounds: Bounds::RatioTo("off"),
        unit: "x",
        must: 0.0,
        aim: None,
    }
}
