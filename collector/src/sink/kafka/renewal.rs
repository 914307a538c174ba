//! Kafka's settings while we run: passwords and certificates are renewed in their files, and the producer has to be built
//! anew to see it, for librdkafka reads them only once.

use std::path::{Path, PathBuf};

use tributary_topic::{Setting, TopicError, Writer};

use crate::stamp::Stamp;

/// The settings of librdkafka whose values are files.
const FILES: &[&str] = &[
    "ssl.ca.location",
    "ssl.certificate.location",
    "ssl.crl.location",
    "ssl.key.location",
    "ssl.keystore.location",
    "sasl.kerberos.keytab",
];

/// Reads a file of settings.
pub(crate) type ReadFile = fn(&Path) -> Result<Vec<Setting>, String>;

/// Where librdkafka's settings come from, those of the file first.
#[derive(Clone, Debug, Default)]
pub struct SettingSources {
    /// `--kafka-config-file`.
    pub file: Option<PathBuf>,
    /// How it is read; the error is for the log and names no value.
    pub read: Option<ReadFile>,
    /// `--kafka-config`.
    pub given: Vec<Setting>,
}

impl SettingSources {
    fn settings(&self) -> Result<Vec<Setting>, String> {
        let mut settings = match (&self.file, self.read) {
            (Some(file), Some(read)) => read(file)?,
            _ => Vec::new(),
        };
        settings.extend(self.given.iter().cloned());
        Ok(settings)
    }
}

/// Sees to it that the producer knows what stands in the files.
#[derive(Debug)]
pub(super) struct Renewal {
    sources: SettingSources,
    /// Each file with what it was when the producer was built.
    stamps: Vec<(PathBuf, Stamp)>,
}

impl Renewal {
    /// The producer has just been built from these.
    pub(super) fn new(sources: SettingSources) -> Renewal {
        let settings = sources.settings().unwrap_or_default();
        let stamps = stamps(&sources, &settings);
        Renewal { sources, stamps }
    }

    /// Builds the producer anew if a file has changed. If what stands there cannot be used, the old one stays, and the
    /// next change is another try.
    pub(super) fn look(&mut self, writer: &Writer) {
        if self.stamps.iter().all(|(file, known)| Stamp::of(file) == *known) {
            return;
        }
        let outcome = self.sources.settings().and_then(|settings| {
            self.stamps = stamps(&self.sources, &settings);
            writer.reconfigure(settings).map_err(|error: TopicError| error.to_string())
        });
        match outcome {
            Ok(()) => tracing::info!("Kafka settings read again."),
            Err(error) => {
                tracing::error!(error, "Kafka settings cannot be used, the known ones stay.");
                for (file, known) in &mut self.stamps {
                    *known = Stamp::of(file);
                }
            }
        }
    }
}

fn stamps(sources: &SettingSources, settings: &[Setting]) -> Vec<(PathBuf, Stamp)> {
    let named = settings.iter().filter(|setting| FILES.contains(&setting.name()));
    let named = named.map(|setting| PathBuf::from(setting.reveal()));
    sources.file.clone().into_iter().chain(named).map(|file| (file.clone(), Stamp::of(&file))).collect()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use tributary_topic::WriterConfig;

    use super::*;

    fn sources(file: &Path) -> SettingSources {
        let read = |file: &Path| {
            let text = fs::read_to_string(file).map_err(|error| error.to_string())?;
            Ok(text.lines().filter_map(|line| line.parse().ok()).collect())
        };
        SettingSources { file: Some(file.to_owned()), read: Some(read), given: vec![] }
    }

    #[tokio::test]
    async fn a_changed_file_is_read_again_and_a_bad_one_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let (file, ca) = (folder.path().join("kafka.conf"), folder.path().join("ca.pem"));
        fs::write(&file, format!("ssl.ca.location={}\n", ca.display())).unwrap();
        let writer = Writer::new(WriterConfig::new("127.0.0.1:1", "t")).unwrap();
        let mut renewal = Renewal::new(sources(&file));
        let watched = |renewal: &Renewal| renewal.stamps.iter().map(|(file, _)| file.clone()).collect::<Vec<_>>();
        assert_eq!(watched(&renewal), [file.clone(), ca.clone()]);

        // Longer than before: the time alone may be the same.
        fs::write(&file, "client.id=another-one-than-before-with-a-name-that-is-quite-long-indeed\n").unwrap();
        renewal.look(&writer);
        assert_eq!(watched(&renewal), std::slice::from_ref(&file));

        fs::write(&file, "no.such.setting=1\n").unwrap();
        renewal.look(&writer);

        let known = renewal.stamps.clone();
        renewal.look(&writer);
        assert_eq!(renewal.stamps, known, "it is not tried again until the file changes");
    }

    #[test]
    fn debug_form_shows_no_value() {
        let given = vec![Setting::new("sasl.password", "hunter2")];

        let shown = format!("{:?}", SettingSources { given, ..SettingSources::default() });

        assert!(!shown.contains("hunter2"), "{shown}");
    }
}
