//! The calls of `docker compose` for one project.

use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use xtask::parts::{self, Tool};

use crate::process;

/// Not the name in docker-compose.yml: whoever has the demo running keeps it.
const PROJECT: &str = "tributary-check";
const TOPIC: &str = "http_recordings";
/// For a service to become healthy, once its image is built.
const PATIENCE: Duration = Duration::from_secs(300);

const DOCKER: Tool = Tool {
    program: "docker",
    purpose: "run the containers (with its compose plugin)",
    debian: "sudo apt-get install docker.io docker-compose-v2",
    macos: "brew install --cask docker",
};

/// An engine that answers.
#[derive(Debug)]
pub(super) struct Engine;

impl Engine {
    /// Looks for docker, its compose plugin and a running engine.
    ///
    /// # Errors
    /// One of them is missing; the error says which and what to do.
    pub(super) fn find() -> Result<Self> {
        DOCKER.path()?;
        let answers = |words: &[&str]| process::output(Command::new("docker").args(words)).is_ok();
        ensure!(answers(&["compose", "version"]), "docker has no compose plugin; {}", DOCKER.missing());
        ensure!(answers(&["version"]), "the docker engine does not answer: start it, or see that you may use it");
        Ok(Self)
    }

    /// Builds the images, starts the services, and waits until all are healthy.
    pub(super) fn up(&self) -> Result<()> {
        println!("\n── compose: up --build --wait");
        run(&mut compose(&["up", "--build", "--detach", "--wait", "--wait-timeout", &PATIENCE.as_secs().to_string()]))
            .context("the services did not come up; the ports 3000 and 9092 have to be free")
    }

    /// Ends and removes everything of the project.
    pub(super) fn down(&self) -> Result<()> {
        run(&mut compose(&["--profile", "*", "down", "--volumes", "--remove-orphans"]))
    }

    /// Restarts one service.
    pub(super) fn restart(&self, service: &str) -> Result<()> {
        run(&mut compose(&["restart", service]))
    }

    /// Waits until all services are healthy again.
    pub(super) fn wait_healthy(&self) -> Result<()> {
        run(&mut compose(&["up", "--no-build", "--no-recreate", "--detach", "--wait"]))
    }

    /// Everything that is in the topic now, one record a line.
    pub(super) fn consume(&self) -> Result<String> {
        let mut consumer = compose(&["exec", "-T", "kafka", "/opt/kafka/bin/kafka-console-consumer.sh"]);
        consumer.args(["--bootstrap-server", "localhost:9092", "--topic", TOPIC, "--from-beginning"]);
        // Ends when nothing has come for this long, and calls that a failure, with a trace.
        consumer.args(["--timeout-ms", "5000"]).stderr(Stdio::null());
        process::output_of_any_end(&mut consumer).context("read the topic with Kafka's console consumer")
    }

    /// What `tributary tail --json` in its container shows of the topic as it is now.
    pub(super) fn tail(&self) -> Result<String> {
        process::output(&mut compose(&[
            "run",
            "--rm",
            "-T",
            "cli",
            "tail",
            "--from-beginning",
            "--until-end",
            "--json",
        ]))
    }

    /// # Errors
    /// Something of the project is still there.
    pub(super) fn is_gone(&self) -> Result<()> {
        let label = format!("label=com.docker.compose.project={PROJECT}");
        for words in [&["ps", "--all"][..], &["network", "ls"], &["volume", "ls"]] {
            let left = process::output(Command::new("docker").args(words).args(["--quiet", "--filter", &label]))?;
            if !left.trim().is_empty() {
                bail!("`docker {}` still has: {}", words.join(" "), left.trim());
            }
        }
        Ok(())
    }

    /// Shows how the containers are and what they said last; a failure here must not hide the one before.
    pub(super) fn show_logs(&self) {
        for words in [&["ps", "--all"][..], &["logs", "--tail", "40"]] {
            if let Err(error) = run(&mut compose(words)) {
                println!("xtask: {error:#}");
            }
        }
    }
}

fn compose(words: &[&str]) -> Command {
    let mut docker = Command::new("docker");
    docker.args(["compose", "--project-name", PROJECT, "--progress", "plain"]).args(words);
    docker.current_dir(parts::workspace_root());
    docker
}

fn run(command: &mut Command) -> Result<()> {
    let status = process::run(command)?;
    process::succeeded(command, status)
}
