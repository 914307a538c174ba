//! Traffic of an interface of 500 operations: ten areas of ten resources, each listed, created, read, written, deleted.

use std::ops::Range;

use serde_json::json;

/// How many operations it has.
pub(super) const OPERATIONS: usize = 500;

const AREAS: [&str; 10] =
    ["billing", "catalog", "shipping", "identity", "search", "reviews", "support", "pricing", "returns", "reports"];
const RESOURCES: [&str; 10] =
    ["accounts", "invoices", "orders", "items", "labels", "members", "tickets", "offers", "rules", "charts"];

/// Where all of it goes.
pub(super) const HOST: &str = "shop.example";

/// The source of all lines, as the filter names itself.
pub(super) const SOURCE: &str = "5f0c3a9e7b214d6c8a1e0f2d4b6c8e0a";

/// Exchange number `seq`; every [`OPERATIONS`] of them in a row touch each operation once.
pub(super) fn line(seq: u64) -> String {
    let operation = usize::try_from(seq).unwrap() % OPERATIONS;
    let collection = format!("/{}/{}", AREAS[operation / 50], RESOURCES[operation / 5 % 10]);
    let item = format!("{collection}/{}", 100_000 + seq);
    let resource =
        json!({"id": 100_000 + seq, "name": format!("thing {seq}"), "active": seq.is_multiple_of(3), "price": 1.5});
    let (method, path, status, sent, answer) = match operation % 5 {
        0 => ("get", collection, 200, String::new(), json!({"items": [resource], "total": seq}).to_string()),
        1 => ("post", collection, 201, json!({"name": "thing", "price": 1.5}).to_string(), resource.to_string()),
        2 => ("get", item, 200, String::new(), resource.to_string()),
        3 => ("put", item, 200, resource.to_string(), resource.to_string()),
        _ => ("delete", item, 204, String::new(), String::new()),
    };
    let time = format!("2026-01-01T{:02}:{:02}:{:02}.000Z", seq / 3600 % 24, seq / 60 % 60, seq % 60);
    let headers = |body: &str| match body {
        "" => json!({}),
        _ => json!({"content-type": "application/json"}),
    };
    json!({
        "request": {
            "timestamp": time, "method": method, "protocol": "http", "host": HOST, "headers": headers(&sent),
            "body": sent, "path": path, "pathname": path, "query": {},
        },
        "response": {"timestamp": time, "statusCode": status, "headers": headers(&answer), "body": answer},
        "meta": {"id": format!("{SOURCE}-{seq}"), "source": SOURCE, "seq": seq, "durationMs": seq % 40},
    })
    .to_string()
}

/// These exchanges, one a line.
pub(super) fn lines(seqs: Range<u64>) -> String {
    seqs.map(|seq| line(seq) + "\n").collect()
}
