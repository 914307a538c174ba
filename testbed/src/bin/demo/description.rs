//! The description of the app, written by `tributary openapi` from the exchanges that came out.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use tributary_testbed::{
    process::{Launch, Scratch},
    wait,
};

use crate::parts::{Parts, Sink};

/// For four exchanges, on a slow machine.
const WRITTEN_WITHIN: Duration = Duration::from_secs(60);

/// What the tutorial's calls teach: path, method, statuses.
const TAUGHT: [(&str, &str, [&str; 2]); 2] =
    [("/users", "post", ["200", "400"]), ("/users/{userId}", "get", ["200", "404"])];

/// Writes the description, prints it, and looks whether it is what the calls of the tutorial teach.
///
/// # Errors
/// It is not written, or says something else.
pub(crate) async fn write_and_show(parts: &Parts) -> Result<()> {
    let (scratch, file) = (Scratch::new("openapi")?, place(parts)?);
    let launch = Launch::new("tributary openapi", xtask::parts::binary("tributary"));
    let launch = match parts.target() {
        Sink::Topic { kafka, topic } => launch.args(["openapi", "--brokers", kafka.brokers(), "--topic", topic]),
        Sink::File(path) => launch.arg("openapi").arg(path),
    };
    let launch = launch.args(["--host", &parts.traffic(), "--out"]).arg(&file);
    let process = launch.start(&scratch.log("openapi"))?;
    let ended = wait::until("the description", WRITTEN_WITHIN, async || process.exit().context("it is being written"));
    let status = ended.await.map_err(|error| process.with_log(error))?;
    ensure!(status.success(), process.with_log(anyhow::anyhow!("the description was not written ({status})")));

    let text = std::fs::read_to_string(&file).with_context(|| format!("read {}", file.display()))?;
    println!("\nThe description that these exchanges wrote ({}):\n\n{text}", file.display());
    must_teach(&serde_saphyr::from_str(&text).context("the description is no YAML")?)
}

/// One file for each port, so that two demos do not share it.
fn place(parts: &Parts) -> Result<PathBuf> {
    let folder = xtask::parts::workspace_root().join("target").join(format!("demo-{}", parts.envoy.address().port()));
    std::fs::create_dir_all(&folder).with_context(|| format!("make {}", folder.display()))?;
    Ok(folder.join(Path::new("openapi.yaml")))
}

fn must_teach(document: &Value) -> Result<()> {
    for (path, method, statuses) in TAUGHT {
        let responses = document.get("paths").and_then(|paths| paths.get(path)?.get(method)?.get("responses"));
        let responses = responses.with_context(|| format!("the description has no {method} {path}"))?;
        for status in statuses {
            ensure!(responses.get(status).is_some(), "the description of {method} {path} has no {status}");
        }
    }
    let user = document.pointer("/components/schemas/User/properties");
    let user = user.context("the description has no schema User")?;
    for property in ["id", "name", "email"] {
        ensure!(user.get(property).is_some(), "the schema User has no {property}");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn description_without_a_status_or_a_property_is_not_the_tutorials() {
        let document = json!({
            "paths": {
                "/users": {"post": {"responses": {"200": {}, "400": {}}}},
                "/users/{userId}": {"get": {"responses": {"200": {}, "404": {}}}},
            },
            "components": {"schemas": {"User": {"properties": {"id": {}, "name": {}, "email": {}}}}},
        });
        assert!(must_teach(&document).is_ok());

        for part in ["/paths/~1users/post", "/paths/~1users~1{userId}/get/responses/404", "/components/schemas/User"] {
            let mut lacking = document.clone();
            let (parent, name) = part.rsplit_once('/').unwrap();
            lacking.pointer_mut(parent).unwrap().as_object_mut().unwrap().remove(name).unwrap();

            assert!(must_teach(&lacking).is_err(), "{part}");
        }
    }
}
