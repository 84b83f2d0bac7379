//! Child processes that do not outlive the benchmark.

use anyhow::{Context, Result, ensure};
use std::collections::BTreeSet;
use std::fs::File;
use std::io::{Read, Seek, Write};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Mutex;

/// Those that are running now.
static RUNNING: Mutex<BTreeSet<u32>> = Mutex::new(BTreeSet::new());

/// A running child. Dropping it kills it.
#[derive(Debug)]
pub struct Running {
    child: Child,
    /// What it says on stderr, for the message where it fails.
    said: File,
}

impl Running {
    /// Starts a program without input, whose output is kept.
    pub fn start(command: &mut Command) -> Result<Self> {
        let said = tempfile::tempfile()?;
        command.stdin(Stdio::null()).stdout(said.try_clone()?).stderr(said.try_clone()?);
        let child = command.spawn().with_context(|| format!("cannot run {}", command.get_program().display()))?;
        RUNNING.lock().expect("nobody panics while holding it").insert(child.id());
        Ok(Self { child, said })
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Whether it is still there; an error where it has failed, with what it said at last.
    pub fn is_running(&mut self) -> Result<bool> {
        let Some(status) = self.child.try_wait()? else { return Ok(true) };
        self.check(status)?;
        Ok(false)
    }

    /// Asks it to end, and waits.
    pub fn stop(mut self) -> Result<()> {
        use nix::sys::signal::{Signal, kill};
        kill(nix::unistd::Pid::from_raw(self.pid().cast_signed()), Signal::SIGTERM)?;
        self.child.wait()?;
        Ok(())
    }

    fn check(&mut self, status: ExitStatus) -> Result<()> {
        let mut said = String::new();
        if !status.success() {
            self.said.rewind()?;
            self.said.read_to_string(&mut said)?;
        }
        let lines: Vec<&str> = said.lines().filter(|line| !line.trim().is_empty()).collect();
        ensure!(status.success(), "it ended with {status}: {}", lines[lines.len().saturating_sub(5)..].join(" / "));
        Ok(())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        RUNNING.lock().expect("nobody panics while holding it").remove(&self.child.id());
    }
}

/// Kills what is running; for the end by a signal, at which nothing is dropped.
pub fn kill_all() {
    use nix::sys::signal::{Signal, kill};
    for &pid in RUNNING.lock().expect("nobody panics while holding it").iter() {
        let _ = kill(nix::unistd::Pid::from_raw(pid.cast_signed()), Signal::SIGKILL);
    }
    let _ = std::io::stderr().flush();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_tells_what_was_said_at_last() {
        let mut child =
            Running::start(Command::new("sh").args(["-c", "echo first; echo no disk >&2; exit 3"])).unwrap();
        let error = loop {
            match child.is_running() {
                Ok(true) => std::thread::yield_now(),
                Ok(false) => panic!("it fails"),
                Err(error) => break error.to_string(),
            }
        };
        assert!(error.contains("exit status: 3") && error.contains("no disk"), "{error}");
    }

    #[test]
    fn a_dropped_child_is_gone() {
        let child = Running::start(Command::new("sleep").arg("600")).unwrap();
        let pid = child.pid();
        drop(child);
        assert!(!stack::process::Server::is_alive(pid));
    }
}
