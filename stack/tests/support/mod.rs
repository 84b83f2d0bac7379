//! What the tests of the program `stack` share: running it with a temporary folder of its own, and looking for leftovers.

#![allow(dead_code, reason = "each test program uses a part of this")]

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

/// The program, with `temporary` as the folder for temporary files and no servers in the environment.
pub(crate) fn stack(temporary: &TempDir) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_stack"));
    command.env("TMPDIR", temporary.path()).env_remove("KAFKA_BROKERS").env_remove("MONGODB_URI");
    command
}

/// Starts the program and returns once its command has printed a line, with that line.
pub(crate) fn start_until_line(command: &mut Command) -> (Child, String) {
    let mut child = command.stdout(Stdio::piped()).spawn().expect("the program starts");
    let mut line = String::new();
    let output = child.stdout.take().expect("the output is piped");
    BufReader::new(output).read_line(&mut line).expect("the command prints a line");
    assert!(!line.is_empty(), "the program ended before its command began");
    (child, line.trim().to_owned())
}

/// Sends a signal to the program alone.
pub(crate) fn send(child: &Child, signal: Signal) {
    kill(Pid::from_raw(child.id().cast_signed()), signal).expect("the program is there");
}

/// Waits for a condition that is bound to come true.
pub(crate) fn wait_until(what: &str, condition: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !condition() {
        assert!(Instant::now() < deadline, "waited in vain: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Waits until no process uses the folder and the folder is empty. Every server and guardian names its folder among its
/// arguments.
pub(crate) fn assert_nothing_is_left(folder: &Path) {
    let name = folder.to_str().expect("temporary folders have readable names");
    wait_until("every process has ended", || !processes().contains(name));
    wait_until("the temporary folder is empty", || is_empty(folder));
}

/// The arguments of every process, one process a line.
pub(crate) fn processes() -> String {
    let listed = Command::new("ps").args(["-A", "-o", "args"]).output().expect("ps runs");
    String::from_utf8_lossy(&listed.stdout).into_owned()
}

fn is_empty(folder: &Path) -> bool {
    std::fs::read_dir(folder).expect("the folder is there").next().is_none()
}
