//! The program: exit codes, signals, and that nothing is left however it ends.

mod support;

use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use support::{assert_nothing_is_left, processes, send, stack, start_until_line, wait_until};
use tempfile::TempDir;

const PRINT_AND_WAIT: &str = "echo $KAFKA_BROKERS $MONGODB_URI; exec sleep 1000";

#[test]
fn the_exit_code_is_the_commands() {
    let temporary = tempfile::tempdir().unwrap();
    let status = |command: &str| stack(&temporary).args(["run", "--mongod-only", "--", "sh", "-c", command]).status();
    assert_eq!(status("exit 0").unwrap().code(), Some(0));
    assert_eq!(status("exit 7").unwrap().code(), Some(7));
    assert_eq!(status("kill -SEGV $$").unwrap().code(), Some(128 + 11));
    assert_eq!(status("exec /nowhere/command 2>&-").unwrap().code(), Some(127));
    assert_nothing_is_left(temporary.path());
}

#[test]
fn a_command_that_does_not_exist_is_named() {
    let temporary = tempfile::tempdir().unwrap();
    let output = stack(&temporary).args(["run", "--mongod-only", "--", "no-such-command"]).output().unwrap();
    assert_eq!(output.status.code(), Some(127));
    assert!(String::from_utf8_lossy(&output.stderr).contains("no-such-command"));
    assert_nothing_is_left(temporary.path());
}

#[test]
fn wrong_use_is_two() {
    let temporary = tempfile::tempdir().unwrap();
    for arguments in [&["run"][..], &["run", "--kafka-only", "--mongod-only", "--", "true"], &["up", "--name", "a/b"]] {
        assert_eq!(stack(&temporary).args(arguments).output().unwrap().status.code(), Some(2), "{arguments:?}");
    }
}

#[test]
fn the_command_sees_both_servers() {
    let temporary = tempfile::tempdir().unwrap();
    let print = "echo $KAFKA_BROKERS; echo $MONGODB_URI";
    let output = stack(&temporary).args(["run", "--", "sh", "-c", print]).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let [brokers, uri] = text.lines().collect::<Vec<_>>()[..] else { panic!("{text}") };
    assert!(brokers.starts_with("127.0.0.1:"), "{brokers}");
    assert!(uri.starts_with("mongodb://127.0.0.1:") && uri.ends_with("replicaSet=rs0"), "{uri}");
    assert_nothing_is_left(temporary.path());
}

#[test]
fn servers_of_the_environment_are_used_unless_private_is_said() {
    let temporary = tempfile::tempdir().unwrap();
    let run = |flags: &[&str]| {
        let mut command = stack(&temporary);
        command.env("MONGODB_URI", "mongodb://elsewhere").args(["run", "--mongod-only"]).args(flags);
        let output = command.args(["--", "sh", "-c", "echo $MONGODB_URI"]).output().unwrap();
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    };
    assert_eq!(run(&[]), "mongodb://elsewhere");
    assert!(run(&["--private"]).starts_with("mongodb://127.0.0.1:"));
}

#[test]
fn a_killed_program_leaves_nothing() {
    let temporary = tempfile::tempdir().unwrap();
    // With the name of the folder among its arguments the command is one of the leftovers that are looked for.
    let script = format!("echo $$; while :; do sleep 0.05; done # {}", temporary.path().display());
    let (mut child, pid) = start_until_line(stack(&temporary).args(["run", "--", "sh", "-c", &script]));
    wait_until("the command is watched", || processes().contains(&format!("leash {pid}")));
    send(&child, Signal::SIGKILL);
    assert_eq!(child.wait().unwrap().signal(), Some(9));
    assert_nothing_is_left(temporary.path());
}

#[test]
fn an_interrupt_ends_the_command_and_the_servers() {
    let temporary = tempfile::tempdir().unwrap();
    let (mut child, _) = start_until_line(stack(&temporary).args(["run", "--", "sh", "-c", PRINT_AND_WAIT]));
    send(&child, Signal::SIGINT);
    assert_eq!(child.wait().unwrap().code(), Some(128 + 2));
    assert_nothing_is_left(temporary.path());
}

#[test]
fn an_interrupt_of_the_whole_group_lets_the_command_finish() {
    let temporary = tempfile::tempdir().unwrap();
    let tidy = "trap 'exit 5' INT; echo ready; while :; do sleep 0.05; done";
    let mut command = stack(&temporary);
    command.args(["run", "--mongod-only", "--", "sh", "-c", tidy]).process_group(0);
    let (mut child, _) = start_until_line(&mut command);
    killpg(Pid::from_raw(child.id().cast_signed()), Signal::SIGINT).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(5));
    assert_nothing_is_left(temporary.path());
}

#[test]
fn a_server_that_ends_at_once_is_explained() {
    let temporary = tempfile::tempdir().unwrap();
    let mut command = stack(&temporary);
    command.env("RUSHES_MONGOD", "/bin/false").args(["run", "--mongod-only", "--", "true"]);
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1));
    assert!(text.contains("mongod did not start: it ended by itself"), "{text}");
    assert!(text.contains("the server ended with status 1"), "{text}");
    assert!(text.contains("what to do"), "{text}");
    assert_nothing_is_left(temporary.path());
}

/// A mongod that says the first time that its port is taken.
fn unlucky_mongod(temporary: &TempDir, folder: &Path) -> PathBuf {
    let fetched = stack(temporary).arg("fetch").output().unwrap();
    let listed = String::from_utf8(fetched.stdout).unwrap();
    let real = listed.lines().find_map(|line| line.strip_prefix("mongod")).unwrap().trim().to_owned();
    let program = folder.join("mongod");
    let script = format!(
        "#!/bin/sh\n[ -e \"$0.tried\" ] || {{ : >\"$0.tried\"; echo Address already in use; exit 48; }}\nexec '{real}' \"$@\"\n"
    );
    std::fs::write(&program, script).unwrap();
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
    program
}

#[test]
fn a_port_that_another_program_takes_is_chosen_anew() {
    let temporary = tempfile::tempdir().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let mongod = unlucky_mongod(&temporary, folder.path());
    let status = stack(&temporary).env("RUSHES_MONGOD", &mongod).args(["run", "--mongod-only", "--", "true"]).status();
    assert!(status.unwrap().success());
    assert!(folder.path().join("mongod.tried").exists());
    assert_nothing_is_left(temporary.path());
}

#[test]
fn missing_tools_are_named_with_the_way_to_get_them() {
    let temporary = tempfile::tempdir().unwrap();
    let cache = tempfile::tempdir().unwrap();
    let fail = |flag: &str| {
        let mut command = stack(&temporary);
        command.env("RUSHES_CACHE", cache.path()).env("PATH", "/nowhere").env("RUSHES_JAVA", "/nowhere/java");
        let output = command.args(["run", flag, "--", "true"]).output().unwrap();
        assert_eq!(output.status.code(), Some(1));
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    let text = fail("--kafka-only");
    assert!(text.contains("mvn") && text.contains("apt-get install maven"), "{text}");
    let text = fail("--mongod-only");
    assert!(text.contains("python3") && text.contains("MONGODB_URI"), "{text}");
    assert_nothing_is_left(temporary.path());
}
