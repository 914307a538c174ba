//! What an operator does with Kafka's own tools while it runs: topics and their settings, passwords, rights. Each call is a
//! Java program that takes some seconds.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};

use super::Kafka;
use crate::{process::Scratch, wait};

/// How long a tool may take on a busy machine.
const TOOL_WITHIN: Duration = Duration::from_secs(60);

const TOPICS: &str = "org.apache.kafka.tools.TopicCommand";
const CONFIGS: &str = "kafka.admin.ConfigCommand";
const ACLS: &str = "org.apache.kafka.tools.AclCommand";

impl Kafka {
    /// Creates a topic of so many partitions.
    ///
    /// # Errors
    /// The tool fails.
    pub async fn create_topic(&self, topic: &str, partitions: u32) -> Result<()> {
        self.administer(TOPICS, &["--create", "--topic", topic, "--partitions", &partitions.to_string()]).await
    }

    /// Deletes a topic, and waits until the broker has let go of its partitions: until then it acknowledges records that
    /// nobody will ever see. Its metadata may be known to clients a moment longer.
    ///
    /// # Errors
    /// The tool fails: there is no such topic, for one; or the broker does not let go.
    pub async fn delete_topic(&self, topic: &str) -> Result<()> {
        self.administer(TOPICS, &["--delete", "--topic", topic]).await?;
        wait::until("a broker without the topic", TOOL_WITHIN, async || {
            ensure!(!self.has_partitions_of(topic)?, "it still has partitions of {topic}");
            Ok(())
        })
        .await
    }

    /// Changes a setting of a topic: `("max.message.bytes", "2000")`.
    ///
    /// # Errors
    /// The tool fails.
    pub async fn set_of_topic(&self, topic: &str, name: &str, value: &str) -> Result<()> {
        let setting = format!("{name}={value}");
        let entity = ["--alter", "--entity-type", "topics", "--entity-name", topic];
        self.administer(CONFIGS, &[&entity[..], &["--add-config", &setting]].concat()).await
    }

    /// Gives a user of the guarded door this password, whatever it was before.
    ///
    /// # Errors
    /// The tool fails.
    pub async fn set_password(&self, user: &str, password: &str) -> Result<()> {
        let setting = format!("SCRAM-SHA-256=[iterations=4096,password={password}]");
        let entity = ["--alter", "--entity-type", "users", "--entity-name", user];
        self.administer(CONFIGS, &[&entity[..], &["--add-config", &setting]].concat()).await
    }

    /// Grants a user these operations (`Write`, `Describe` …) on all topics whose names begin so.
    ///
    /// # Errors
    /// The tool fails.
    pub async fn grant(&self, user: &str, operations: &[&str], prefix: &str) -> Result<()> {
        self.change_rights("--add", user, operations, prefix).await
    }

    /// Takes back what was [granted](Self::grant).
    ///
    /// # Errors
    /// The tool fails.
    pub async fn revoke(&self, user: &str, operations: &[&str], prefix: &str) -> Result<()> {
        self.change_rights("--remove", user, operations, prefix).await
    }

    async fn change_rights(&self, change: &str, user: &str, operations: &[&str], prefix: &str) -> Result<()> {
        let user = format!("User:{user}");
        let mut arguments = vec![change, "--allow-principal", &user, "--topic", prefix];
        arguments.extend(["--resource-pattern-type", "prefixed"]);
        arguments.extend(operations.iter().flat_map(|operation| ["--operation", operation]));
        if change == "--remove" {
            arguments.push("--force");
        }
        self.administer(ACLS, &arguments).await
    }

    async fn administer(&self, class: &str, arguments: &[&str]) -> Result<()> {
        let scratch = Scratch::new("kafka-tool")?;
        let tool = self.tool(class)?.args(["--bootstrap-server", self.brokers()]).args(arguments);
        let tool = tool.start(&scratch.log("kafka-tool"))?;
        let ended = wait::until("the end of Kafka's tool", TOOL_WITHIN, async || tool.exit().context("it runs")).await;
        let status = ended.map_err(|error| tool.with_log(error))?;
        ensure!(status.success(), tool.with_log(anyhow::anyhow!("{class} {} failed", arguments.join(" "))));
        Ok(())
    }
}
