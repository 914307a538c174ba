//! Whatever ends the owner, what it owns ends with it: the owner here is this test program, run a second time.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test: what does not hold must fail")]

use std::{
    io::{BufRead as _, BufReader},
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::Duration,
};

use rustix::process::{Pid, Signal};
use tributary_testbed::{
    process::{Launch, Scratch},
    wait,
};

/// Set in the second run, and only there.
const OWNER: &str = "TRIBUTARY_TEST_OWNER";

/// Not a test: the owner that the tests start and end. It starts a process that has a child, says who they are, and waits.
#[test]
fn owner() {
    if std::env::var_os(OWNER).is_none() {
        return;
    }
    let scratch = Scratch::new("ownership").unwrap();
    let launch = Launch::new("owned", "/bin/sh").args(["-c", "sleep 300 & echo $!; wait"]);
    let owned = launch.start(&scratch.log("owned")).unwrap();
    // What SIGSTOP froze must die as well.
    let frozen = launch.start(&scratch.log("frozen")).unwrap();
    frozen.pause().unwrap();
    println!("\nowned {} {} {}", owned.id(), frozen.id(), scratch.path().display());
    loop {
        std::thread::park();
    }
}

/// The running owner, the groups that it owns, and its scratch folder.
fn start_owner() -> (Child, [u32; 2], PathBuf) {
    let mut owner = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "owner", "--nocapture"])
        .env(OWNER, "yes")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(owner.stdout.take().unwrap()).lines();
    let said = lines.map(Result::unwrap).find(|line| line.starts_with("owned ")).unwrap();
    let words: Vec<&str> = said.split(' ').collect();
    (owner, [words[1].parse().unwrap(), words[2].parse().unwrap()], words[3].into())
}

fn lives(group: u32) -> bool {
    let listed = Command::new("ps").args(["-A", "-o", "pgid=,stat="]).output().unwrap();
    String::from_utf8(listed.stdout).unwrap().lines().any(|line| {
        let mut words = line.split_whitespace();
        words.next() == Some(&group.to_string()) && !words.next().unwrap_or_default().starts_with('Z')
    })
}

async fn ends_with_its_owner(signal: Signal) {
    let (mut owner, groups, folder) = start_owner();
    assert!(groups.iter().all(|group| lives(*group)) && folder.is_dir());

    rustix::process::kill_process(Pid::from_child(&owner), signal).unwrap();
    owner.wait().unwrap();

    let probe = async || {
        let left: Vec<_> = groups.iter().filter(|group| lives(**group)).collect();
        anyhow::ensure!(left.is_empty(), "groups {left:?} live");
        anyhow::ensure!(!folder.exists(), "{} exists", folder.display());
        Ok(())
    };
    wait::until("the end of what the owner owned", Duration::from_secs(20), probe).await.unwrap();
}

#[tokio::test]
async fn what_is_owned_ends_when_the_owner_is_killed() {
    ends_with_its_owner(Signal::KILL).await;
}

#[tokio::test]
async fn what_is_owned_ends_when_the_owner_is_terminated() {
    ends_with_its_owner(Signal::TERM).await;
}

#[tokio::test]
async fn what_is_owned_ends_when_the_owner_crashes() {
    ends_with_its_owner(Signal::ABORT).await;
}
