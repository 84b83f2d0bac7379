//! `up`, `status` and `down`.

mod support;

use std::process::Output;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use support::{assert_nothing_is_left, stack, wait_until};
use tempfile::TempDir;

/// A stack of this test alone; stopped at the end, also after a failed assertion.
struct Named {
    temporary: TempDir,
    name: String,
}

impl Named {
    fn new(test: &str) -> Self {
        Self { temporary: tempfile::tempdir().unwrap(), name: format!("test-{test}-{}", std::process::id()) }
    }

    fn call(&self, subcommand: &str, flags: &[&str]) -> Output {
        stack(&self.temporary).args([subcommand, "--name", &self.name]).args(flags).output().unwrap()
    }

    fn status(&self) -> (Option<i32>, serde_json::Value) {
        let output = self.call("status", &["--json"]);
        (output.status.code(), serde_json::from_slice(&output.stdout).unwrap())
    }
}

impl Drop for Named {
    fn drop(&mut self) {
        self.call("down", &[]);
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn up_stays_and_down_leaves_nothing() {
    let named = Named::new("up");
    let up = named.call("up", &[]);
    assert!(up.status.success(), "{}", text(&up.stderr));
    let exports = text(&up.stdout);
    assert!(exports.contains("export KAFKA_BROKERS='127.0.0.1:"), "{exports}");
    assert!(exports.contains("export MONGODB_URI='mongodb://127.0.0.1:"), "{exports}");

    let (code, status) = named.status();
    assert_eq!(code, Some(0));
    assert_eq!(status[0]["running"], true);
    let again = named.call("up", &[]);
    assert_eq!(text(&again.stdout), exports);

    assert!(named.call("down", &[]).status.success());
    assert_eq!(named.status(), (Some(1), serde_json::json!([])));
    assert_nothing_is_left(named.temporary.path());
    assert!(named.call("down", &[]).status.success(), "done as well where none runs");
}

#[test]
fn a_server_that_was_killed_is_reported() {
    let named = Named::new("killed-server");
    assert!(named.call("up", &["--mongod-only"]).status.success());
    let pid = named.status().1[0]["mongod_pid"].as_i64().unwrap();
    kill(Pid::from_raw(i32::try_from(pid).unwrap()), Signal::SIGKILL).unwrap();
    wait_until("the end is seen", || named.status().0 == Some(1));
    let report = text(&named.call("status", &[]).stdout);
    assert!(report.contains("mongod has ended by itself") && report.contains("server.log"), "{report}");
}

#[test]
fn a_killed_owner_leaves_no_server() {
    let named = Named::new("killed-owner");
    assert!(named.call("up", &["--mongod-only"]).status.success());
    let pid = named.status().1[0]["pid"].as_i64().unwrap();
    kill(Pid::from_raw(i32::try_from(pid).unwrap()), Signal::SIGKILL).unwrap();
    assert_nothing_is_left(named.temporary.path());
    let report = text(&named.call("status", &[]).stdout);
    assert!(report.contains("was killed"), "{report}");
    assert!(named.call("up", &["--mongod-only"]).status.success(), "the name is free again");
}

#[test]
fn a_failed_start_is_shown() {
    let named = Named::new("failed");
    let mut command = stack(&named.temporary);
    command.env("RUSHES_MONGOD", "/bin/false").args(["up", "--mongod-only", "--name", &named.name]);
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("mongod did not start"), "{}", text(&output.stderr));
    assert_nothing_is_left(named.temporary.path());
}
