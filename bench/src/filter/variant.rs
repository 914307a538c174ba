//! The variants: Envoys that differ in what records the traffic, and in nothing else.

mod others;

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use tributary_testbed::{
    envoy::{Envoy, EnvoyBuilder, Upstream},
    process::Scratch,
};

use super::{OFF, Protocol, sink::Sink};
use crate::builds;

/// What is compared.
#[derive(Clone, Debug, PartialEq)]
pub struct Variant {
    /// Its name in the tables.
    pub name: String,
    /// What it is.
    pub kind: Kind,
}

/// What records the traffic.
#[derive(Clone, Debug, PartialEq)]
pub enum Kind {
    /// Nothing.
    Off,
    /// The filter.
    Ours {
        /// Another build than that of this repository.
        wasm: Option<PathBuf>,
        /// Fields of its configuration beside those of `envoy.yaml`; null for none.
        settings: Value,
    },
    /// Envoy's tap filter, one file an exchange, in this format.
    Tap(&'static str),
    /// A Lua script that posts heads and bodies.
    Lua,
    /// A JSON access log.
    AccessLog,
}

/// After this time without a post, what is still missing does not come any more.
const NO_MORE_AFTER: Duration = Duration::from_secs(2);

/// How often the sink is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// The variants of a run: the builds given, or what else there is.
pub(super) fn chosen(wasm: &[PathBuf], quick: bool) -> Result<Vec<Variant>> {
    let mut variants = vec![Variant::new(OFF, Kind::Off)];
    if !wasm.is_empty() {
        let ours = |path| Kind::Ours { wasm: Some(path), settings: Value::Null };
        let builds = builds::named("--wasm", wasm, OFF)?.into_iter();
        variants.extend(builds.map(|(name, path)| Variant::new(&name, ours(path))));
        return Ok(variants);
    }
    let ours = |settings| Kind::Ours { wasm: None, settings };
    let no_bodies = json!({"max_request_body_bytes": 0, "max_response_body_bytes": 0});
    variants.push(Variant::new("ours", ours(Value::Null)));
    variants.push(Variant::new("bodies off", ours(no_bodies)));
    variants.push(Variant::new("native tap", Kind::Tap("JSON_BODY_AS_STRING")));
    if !quick {
        let unmasked = json!({"redact": {"bodies": false, "query": false}});
        variants.push(Variant::new("bodies unmasked", ours(unmasked)));
        variants.push(Variant::new("native tap, protobuf", Kind::Tap("PROTO_BINARY")));
        variants.push(Variant::new("Lua", Kind::Lua));
        variants.push(Variant::new("access log", Kind::AccessLog));
    }
    Ok(variants)
}

impl Variant {
    /// A variant.
    pub fn new(name: &str, kind: Kind) -> Variant {
        Variant { name: name.to_owned(), kind }
    }

    /// Starts its Envoy, in front of this origin.
    pub(super) async fn start(&self, workers: u32, origin: SocketAddr, sink: SocketAddr) -> Result<Running> {
        let mut running = self.start_as(Envoy::builder().concurrency(workers), origin, sink).await?;
        if self.kind.is_ours() {
            running.vm_bytes = Some(running.envoy.vm_bytes()?);
        }
        Ok(running)
    }

    /// Starts such an Envoy with it. What the VMs hold is not asked.
    pub(super) async fn start_as(
        &self,
        builder: EnvoyBuilder,
        origin: SocketAddr,
        sink: SocketAddr,
    ) -> Result<Running> {
        let scratch = Scratch::new("bench")?;
        let builder = builder.users(origin).collector(sink);
        // Two ways to the same origin, chosen by the path.
        let prefix = format!("/{}/", Protocol::Http2.segment());
        let route =
            json!({"name": "h2", "match": {"prefix": prefix}, "route": {"cluster": "users-h2", "timeout": "15s"}});
        let builder = builder.cluster("users-h2", origin, Upstream::Http2).route(route);
        let envoy = self.kind.put_into(builder, scratch.path()).start().await;
        let envoy = envoy.with_context(|| format!("start Envoy with {}", self.name))?;
        Ok(Running { variant: self.clone(), envoy, scratch, vm_bytes: None })
    }
}

impl Kind {
    fn is_ours(&self) -> bool {
        matches!(self, Kind::Ours { .. })
    }

    /// Whether it posts to the sink.
    fn posts(&self) -> bool {
        matches!(self, Kind::Ours { .. } | Kind::Lua)
    }

    /// Puts it into an Envoy. Files that it writes go into `folder`.
    fn put_into(&self, builder: EnvoyBuilder, folder: &Path) -> EnvoyBuilder {
        match self.clone() {
            Kind::Off => builder.without_filter(),
            Kind::Ours { wasm, settings } => {
                let builder = if settings.is_null() { builder } else { builder.filter(settings) };
                match wasm {
                    Some(file) => builder.edit(move |config| config.set_wasm(&file)),
                    None => builder,
                }
            }
            Kind::Tap(format) => others::put_first(builder.without_filter(), others::tap(format, folder)),
            Kind::Lua => others::put_first(builder.without_filter(), others::lua()),
            Kind::AccessLog => {
                let log = others::access_log(folder);
                builder.without_filter().edit(move |config| {
                    let manager = config.manager()?.as_object_mut().context("the connection manager is no object")?;
                    manager.insert("access_log".to_owned(), log);
                    Ok(())
                })
            }
        }
    }
}

/// A variant with its Envoy.
#[derive(Debug)]
pub(super) struct Running {
    variant: Variant,
    envoy: Envoy,
    scratch: Scratch,
    /// What the VMs began with, where that is asked.
    vm_bytes: Option<u64>,
}

impl Running {
    pub(super) fn name(&self) -> &str {
        &self.variant.name
    }

    pub(super) fn envoy(&self) -> &Envoy {
        &self.envoy
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.envoy.address()
    }

    /// Waits until all of `count` exchanges have been posted, or until no more are; at once if this one posts nothing.
    /// `posted` is what the sink had counted before.
    pub(super) async fn rest(&self, sink: &Sink, posted: u64, count: u64) -> Result<()> {
        let Some(came) = self.posted_since(sink, posted, count, NO_MORE_AFTER).await else { return Ok(()) };
        // Ours tells what it has dropped; whoever else loses some must not look cheap by it.
        ensure!(self.variant.kind.is_ours() || came >= count, "{came} of {count} exchanges were posted");
        ensure!(came > 0, "nothing was posted");
        Ok(())
    }

    /// How many exchanges of `count` have been posted, once all are or none came for this long; `None` if this one posts
    /// nothing.
    pub(super) async fn posted_since(
        &self,
        sink: &Sink,
        posted: u64,
        count: u64,
        no_more_after: Duration,
    ) -> Option<u64> {
        if !self.variant.kind.posts() {
            return None;
        }
        let (mut last, mut since) = (sink.exchanges(), Instant::now());
        while last < posted + count && since.elapsed() < no_more_after {
            tokio::time::sleep(LOOK_EVERY).await;
            if sink.exchanges() != last {
                (last, since) = (sink.exchanges(), Instant::now());
            }
        }
        Some(last - posted)
    }

    /// Exchanges that the filter has dropped or cut short so far; none of a variant that is not ours.
    pub(super) async fn lost(&self) -> Result<Option<u64>> {
        if !self.variant.kind.is_ours() {
            return Ok(None);
        }
        let counters = self.envoy.stats().await?.filter();
        let is_loss = |name: &str| name.starts_with("dropped_") || name.starts_with("degraded_");
        Ok(Some(counters.iter().filter(|(name, _)| is_loss(name)).map(|(_, value)| value).sum()))
    }

    /// What the VMs have grown by, in bytes; none of a variant that has none.
    pub(super) fn vm_growth(&self) -> Result<Option<u64>> {
        self.vm_bytes.map(|before| Ok(self.envoy.vm_bytes()?.saturating_sub(before))).transpose()
    }

    /// Removes the files that the variant has written: thousands a turn.
    pub(super) fn clear(&self) -> Result<()> {
        if matches!(self.variant.kind, Kind::Tap(_)) {
            let files = std::fs::read_dir(self.scratch.path()).context("the files of the tap")?;
            let mut count = 0usize;
            for file in files {
                std::fs::remove_file(file.context("the files of the tap")?.path())
                    .context("remove a file of the tap")?;
                count += 1;
            }
            ensure!(count > 0, "the tap has written nothing");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::budget::BUDGETS;

    fn names(variants: &[Variant]) -> Vec<&str> {
        variants.iter().map(|variant| variant.name.as_str()).collect()
    }

    #[test]
    fn a_quick_run_has_each_variant_of_the_budgets() {
        let variants = chosen(&[], true).unwrap();
        let quick = names(&variants);

        let named = BUDGETS.iter().filter(|budget| budget.area == "filter").map(|budget| budget.variant);
        assert!(named.into_iter().all(|name| quick.contains(&name)));
        assert_eq!(quick.first(), Some(&OFF));
        assert_eq!(chosen(&[], false).unwrap().get(..quick.len()).map(names), Some(quick.clone()));
    }

    #[test]
    fn builds_are_named_by_their_files_and_told_apart() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str| {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, "").unwrap();
            path
        };

        let variants = chosen(&[file("a.wasm"), file("deep/a.wasm"), file("b.wasm")], true).unwrap();

        assert_eq!(names(&variants), [OFF, "a", "a (2)", "b"]);
        let error = chosen(&[folder.path().join("none.wasm")], true).unwrap_err();
        assert!(format!("{error:#}").contains("--wasm"), "{error:#}");
    }
}
