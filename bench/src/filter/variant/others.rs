//! What else records traffic in Envoy, set up to record the same as far as it can.

use std::path::Path;

use anyhow::Context as _;
use serde_json::{Value, json};
use tributary_testbed::envoy::EnvoyBuilder;

use super::super::sink::SINGLE;

/// The filter's default limit of a body.
const MOST_BODY_BYTES: usize = 65_536;

/// Puts an HTTP filter in front of all others.
pub(super) fn put_first(builder: EnvoyBuilder, filter: Value) -> EnvoyBuilder {
    builder.edit(move |config| {
        let filters = config.manager()?.get_mut("http_filters").and_then(Value::as_array_mut);
        filters.context("the connection manager has no list of filters")?.insert(0, filter);
        Ok(())
    })
}

/// The tap filter: one file an exchange.
pub(super) fn tap(format: &str, folder: &Path) -> Value {
    let prefix = folder.join("tap").to_string_lossy().into_owned();
    let output = json!({
        "max_buffered_rx_bytes": MOST_BODY_BYTES, "max_buffered_tx_bytes": MOST_BODY_BYTES,
        "sinks": [{"format": format, "file_per_tap": {"path_prefix": prefix}}],
    });
    json!({
        "name": "envoy.filters.http.tap",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.tap.v3.Tap",
            "common_config": {"static_config": {"match": {"any_match": true}, "output_config": output}},
        },
    })
}

/// A script as people write it: collects heads and bodies chunk by chunk and posts them, one call an exchange. It neither
/// escapes nor masks, nor does it try again.
pub(super) fn lua() -> Value {
    let script = LUA.replace("LIMIT", &MOST_BODY_BYTES.to_string()).replace("PATH", SINGLE);
    json!({
        "name": "envoy.filters.http.lua",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.lua.v3.Lua",
            "default_source_code": {"inline_string": script},
        },
    })
}

const LUA: &str = r#"
local function fields(handle)
  local lines = {}
  for name, value in pairs(handle:headers()) do
    lines[#lines + 1] = name .. ": " .. value
  end
  return table.concat(lines, "\n")
end

local function body(handle)
  local pieces, room = {}, LIMIT
  for chunk in handle:bodyChunks() do
    local length = math.min(room, chunk:length())
    if length > 0 then
      pieces[#pieces + 1] = chunk:getBytes(0, length)
      room = room - length
    end
  end
  return table.concat(pieces)
end

function envoy_on_request(handle)
  local head = fields(handle)
  handle:streamInfo():dynamicMetadata():set("bench", "request", head .. "\n\n" .. body(handle))
end

function envoy_on_response(handle)
  local request = handle:streamInfo():dynamicMetadata():get("bench")["request"]
  local head = fields(handle)
  local text = request .. "\n\n" .. head .. "\n\n" .. body(handle)
  local call = {[":method"] = "POST", [":path"] = "PATH", [":authority"] = "collector"}
  handle:httpCall("collector", call, text, 5000, true)
end
"#;

/// The file access log, in JSON, with what the filter records of the heads.
pub(super) fn access_log(folder: &Path) -> Value {
    json!([{
        "name": "envoy.access_loggers.file",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog",
            "path": folder.join("access.log").to_string_lossy(),
            "log_format": {"json_format": {
                "start": "%START_TIME%", "duration": "%DURATION%", "method": "%REQ(:METHOD)%", "path": "%REQ(:PATH)%",
                "authority": "%REQ(:AUTHORITY)%", "agent": "%REQ(USER-AGENT)%", "accept": "%REQ(ACCEPT)%",
                "request_id": "%REQ(X-REQUEST-ID)%", "protocol": "%PROTOCOL%", "status": "%RESPONSE_CODE%",
                "type": "%RESP(CONTENT-TYPE)%", "flags": "%RESPONSE_FLAGS%", "details": "%RESPONSE_CODE_DETAILS%",
                "received": "%BYTES_RECEIVED%", "sent": "%BYTES_SENT%", "client": "%DOWNSTREAM_REMOTE_ADDRESS%",
                "upstream": "%UPSTREAM_HOST%", "cluster": "%UPSTREAM_CLUSTER%", "route": "%ROUTE_NAME%",
            }},
        },
    }])
}
