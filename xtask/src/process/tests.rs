use rustix::process::test_kill_process_group;

use std::time::Instant;

use super::*;

/// Polls until the group has no process any more; a minute is far above what ending a `sleep` takes.
fn group_ends(group: Pid) -> bool {
    let deadline = Instant::now() + Duration::from_secs(60);
    while Instant::now() < deadline {
        if test_kill_process_group(group).is_err() {
            return true;
        }
        thread::sleep(Duration::from_millis(10));
    }
    false
}

fn sh(script: &str) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", script]);
    command
}

#[test]
fn output_comes_piece_by_piece_and_the_exit_code_with_it() {
    let mut text = Vec::new();

    let status = run_reading(&mut sh("echo one; echo two; exit 3"), |piece| text.extend_from_slice(piece)).unwrap();

    assert_eq!(text, b"one\ntwo\n");
    assert_eq!(status.code(), Some(3));
}

#[test]
fn failure_names_the_command_and_how_it_ended() {
    let error = |script: &str| output(&mut sh(script)).unwrap_err().to_string();

    assert_eq!(error("exit 3"), "`sh -c exit 3` failed with exit code 3");
    assert_eq!(error("kill -s KILL $$"), "`sh -c kill -s KILL $$` was ended by signal 9");
}

#[test]
fn program_that_does_not_exist_is_named() {
    assert_eq!(run(&mut Command::new("no-such-program")).unwrap_err().to_string(), "start no-such-program");
}

#[test]
fn grandchild_that_outlives_its_parent_is_ended() {
    let mut owned = Owned::spawn(&mut sh("sleep 1000 >/dev/null & exit 0")).unwrap();
    let group = owned.group;
    owned.child.wait().unwrap();
    assert!(test_kill_process_group(group).is_ok());

    drop(owned);

    assert!(group_ends(group));
}

#[test]
fn guard_ends_the_group_when_its_pipe_closes_without_a_word() {
    let mut owned = Owned::spawn(&mut sh("sleep 1000")).unwrap();

    // What the system does when xtask is killed.
    drop(owned.guard.stdin.take());

    assert_eq!(owned.child.wait().unwrap().signal(), Some(SIGTERM));
    assert!(group_ends(owned.group));
}
