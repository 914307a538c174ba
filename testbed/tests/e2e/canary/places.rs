//! Where an exchange leaves a trace: all of it as bytes, to be searched.

use std::{fs, path::Path};

use anyhow::{Context as _, Result};
use tributary_testbed::{
    collector::Collector,
    message::Call,
    recordings::{Line, Recordings},
    stack::Stack,
};

/// Pages of Envoy that show what it holds.
const ENVOYS_PAGES: [&str; 5] = ["/config_dump", "/stats", "/stats?format=prometheus", "/clusters", "/server_info"];

/// Pages of the collector.
const COLLECTORS_PAGES: [&str; 4] = ["/metrics", "/ready", "/live", "/v1/accounting"];

/// Bytes with the name of the place where they were found.
#[derive(Default)]
pub(super) struct Documents(Vec<(String, Vec<u8>)>);

impl Documents {
    /// Lines with all that stands around them.
    pub(super) fn of_lines(place: &str, lines: &[Line]) -> Documents {
        let mut documents = Documents::default();
        for line in lines {
            documents.0.push((place.to_owned(), line.bytes.clone()));
            documents.0.extend(line.key.clone().map(|key| (format!("{place}, key"), key)));
            let headers = line.headers.iter().map(|(name, value)| [name.as_bytes(), b": ", value.as_slice()].concat());
            documents.0.push((format!("{place}, headers"), headers.collect::<Vec<_>>().join(&b'\n')));
        }
        documents
    }

    /// Adds others.
    pub(super) fn extend(&mut self, others: Documents) {
        self.0.extend(others.0);
    }

    /// Adds all of a topic.
    pub(super) async fn add_topic(&mut self, brokers: &str, topic: &str) -> Result<()> {
        let lines = Recordings::of_topic(brokers, topic).await?.read().await?.to_vec();
        self.extend(Documents::of_lines(topic, &lines));
        Ok(())
    }

    /// Adds all files in a folder, at any depth; says how many bytes.
    pub(super) fn add_folder(&mut self, place: &str, folder: &Path) -> Result<u64> {
        let mut bytes = 0;
        for entry in fs::read_dir(folder).with_context(|| format!("read {}", folder.display()))? {
            let path = entry?.path();
            if path.is_dir() {
                bytes += self.add_folder(place, &path)?;
            } else if path.is_file() {
                let content = fs::read(&path).with_context(|| format!("read {}", path.display()))?;
                bytes += content.len() as u64;
                self.0.push((format!("{place}: {}", path.display()), content));
            }
        }
        Ok(bytes)
    }

    /// Adds what Envoy and the collector show to whoever asks, and what they have logged, the filter's lines among it.
    pub(super) async fn add_pages(&mut self, stack: &Stack) -> Result<()> {
        for page in ENVOYS_PAGES {
            self.0.push((format!("Envoy's {page}"), stack.envoy.admin(page).await?.into_bytes()));
        }
        self.0.push(("Envoy's log".to_owned(), stack.envoy.log().text().into_bytes()));
        self.add_collector(&stack.collector).await
    }

    /// Adds the pages and the log of a collector that stands alone.
    pub(super) async fn add_collector(&mut self, collector: &Collector) -> Result<()> {
        for page in COLLECTORS_PAGES {
            let reply = collector.call(&Call::get(page)).await?;
            self.0.push((format!("the collector's {page}"), reply.body.to_vec()));
        }
        self.0.push(("the collector's log".to_owned(), collector.log().text().into_bytes()));
        Ok(())
    }

    /// Name and bytes of each.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.0.iter().map(|(place, bytes)| (place.as_str(), bytes.as_slice()))
    }
}
