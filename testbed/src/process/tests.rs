use super::*;

fn scratch() -> Scratch {
    Scratch::new("process-test").unwrap()
}

fn sleeper(scratch: &Scratch) -> Process {
    Launch::new("sleeper", "/bin/sh").args(["-c", "sleep 300 & wait"]).start(&scratch.log("sleeper")).unwrap()
}

/// Whether a process of this group is left (zombies aside).
fn group_lives(group: u32) -> bool {
    let output = Command::new("ps").args(["-A", "-o", "pgid=,stat="]).output().unwrap();
    String::from_utf8(output.stdout).unwrap().lines().any(|line| {
        let mut words = line.split_whitespace();
        words.next() == Some(&group.to_string()) && !words.next().unwrap_or_default().starts_with('Z')
    })
}

async fn gone(group: u32) {
    let probe = async || {
        anyhow::ensure!(!group_lives(group), "group {group} lives");
        Ok(())
    };
    wait::until("the end of the group", Duration::from_secs(10), probe).await.unwrap();
}

#[tokio::test]
async fn dropping_a_process_ends_its_children_too() {
    let scratch = scratch();
    let process = sleeper(&scratch);
    let group = process.id();
    assert!(process.is_running() && group_lives(group));

    drop(process);

    gone(group).await;
}

#[tokio::test]
async fn children_left_behind_by_a_process_are_ended() {
    let scratch = scratch();
    let launch = Launch::new("leaver", "/bin/sh").args(["-c", "sleep 300 & exit 3"]);

    let process = launch.start(&scratch.log("leaver")).unwrap();

    let probe = async || process.exit().context("runs");
    let status = wait::until("its end", Duration::from_secs(10), probe).await.unwrap();
    assert_eq!(status.code(), Some(3));
    gone(process.id()).await;
}

#[tokio::test]
async fn failed_start_shows_the_end_of_the_log() {
    let scratch = scratch();
    let launch = Launch::new("talker", "/bin/sh").args(["-c", "echo first; echo 'no such setting: x' >&2; exit 64"]);
    let process = launch.start(&scratch.log("talker")).unwrap();

    let never = async || anyhow::bail!("not yet");
    let error = process.ready(Duration::from_secs(10), never).await.unwrap_err().to_string();

    assert!(error.contains("talker ended while starting (exit code 64)"), "{error}");
    assert!(error.contains("no such setting: x"), "{error}");
}

#[test]
fn missing_program_is_named_before_anything_starts() {
    let scratch = scratch();

    let error = Launch::new("collector", "/no/such/program").start(&scratch.log("x")).unwrap_err();

    assert!(error.to_string().starts_with("collector is missing: there is no /no/such/program; "), "{error}");
}

#[tokio::test]
async fn process_that_ignores_sigterm_is_killed_after_the_deadline() {
    let scratch = scratch();
    let launch = Launch::new("deaf", "/bin/sh").args(["-c", "trap '' TERM; echo ready; while :; do sleep 1; done"]);
    let process = launch.start(&scratch.log("deaf")).unwrap();
    let ready = async || {
        anyhow::ensure!(process.log().has("ready"), "silent");
        Ok(())
    };
    process.ready(Duration::from_secs(10), ready).await.unwrap();

    let error = process.terminate(Duration::from_millis(50)).await.unwrap_err();

    assert!(error.to_string().contains("the end of deaf after SIGTERM"), "{error}");
    gone(process.id()).await;
}

#[tokio::test]
async fn paused_process_is_not_over_and_can_be_resumed() {
    let scratch = scratch();
    let process = sleeper(&scratch);

    process.pause().unwrap();

    assert!(process.is_running());
    process.resume().unwrap();
    let status = process.terminate(Duration::from_secs(10)).await.unwrap();
    assert_eq!(status.signal(), Some(15));
    assert!(process.signal(Signal::TERM).is_err(), "nothing is sent to a number that is no longer its own");
}
