//! A server process that cannot outlive its parent.
//!
//! A destructor is not enough: statics are never dropped, and SIGKILL runs no destructors. So each server is the child of a
//! *guardian*, a small `/bin/sh` script (`guardian.sh`) that reads a pipe whose only write end this process holds. When this process
//! ends for any reason, the kernel closes the pipe. The guardian then stops the server, by id, and deletes its folder. A regular stop
//! closes the pipe and waits for the guardian.
//!
//! Guardian and server are in a separate process group, so Ctrl-C reaches only the program in the foreground.

use std::ffi::OsString;
use std::fs;
use std::io::{self, BufRead, BufReader};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;

use crate::StackError;
use crate::log::{remedy, tail};

const GUARDIAN: &str = include_str!("guardian.sh");
/// Interval at which the end of a process or an open port is polled.
const POLL: Duration = Duration::from_millis(10);
/// What the guardian writes into the log when the server ends, followed by the status.
const ENDED: &str = "the server ended with status";

/// The command of a server and the handling of its folder.
#[derive(Debug, Clone)]
pub(crate) struct Spec {
    /// `Kafka` or `mongod`, for messages.
    pub name: &'static str,
    /// Program and arguments.
    pub command: Vec<OsString>,
    /// The server's own folder. The log is in it.
    pub folder: PathBuf,
    /// True if the folder stays after the end of the server. Otherwise no orderly shutdown is needed.
    pub keep: bool,
    /// Time between SIGTERM and SIGKILL if the folder stays, in whole seconds.
    pub grace: Duration,
}

impl Spec {
    fn log(&self) -> PathBuf {
        self.folder.join("server.log")
    }

    fn grace(&self) -> Duration {
        if self.keep { self.grace } else { Duration::ZERO }
    }
}

/// A running server and its guardian. Dropping it closes the pipe and so ends the server, at once if its data is temporary.
#[derive(Debug)]
pub struct Server {
    spec: Spec,
    pid: Pid,
    guardian: Child,
    /// The write end of the guardian's pipe; `None` after a stop was requested.
    leash: Option<ChildStdin>,
}

impl Server {
    /// Runs any program in the same way. It cannot outlive this process, and its output goes to `server.log` in `folder`, which must exist
    /// and stays.
    ///
    /// # Errors
    /// If the folder cannot be written or the process cannot be started.
    pub fn run(name: &'static str, command: Vec<OsString>, folder: PathBuf) -> Result<Self, StackError> {
        Self::start(Spec { name, command, folder, keep: true, grace: Duration::from_secs(1) })
    }

    /// Starts the guardian and, through it, the server. The folder must exist.
    pub(crate) fn start(spec: Spec) -> Result<Self, StackError> {
        let log = spec.log();
        fs::write(&log, "").map_err(StackError::file("write", &log))?;
        Self::launch(spec)
    }

    fn launch(spec: Spec) -> Result<Self, StackError> {
        let shell = Path::new("/bin/sh");
        let mut guardian = guardian_command(&spec).spawn().map_err(StackError::file("run", shell))?;
        let leash = guardian.stdin.take();
        let pid = read_pid(&mut guardian).map_err(StackError::file("read the process id from", shell))?;
        Ok(Self { spec, pid, guardian, leash })
    }

    /// Returns the process id of the server.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.pid.as_raw().unsigned_abs()
    }

    /// Returns the file with the server's output.
    #[must_use]
    pub fn log(&self) -> PathBuf {
        self.spec.log()
    }

    /// Returns true if the server is running. The guardian reaps it, so no zombie process remains.
    #[must_use]
    pub fn is_running(&self) -> bool {
        Self::is_alive(self.pid())
    }

    /// Returns true if a server with this process id is running; for processes other than its parent.
    #[must_use]
    pub fn is_alive(pid: u32) -> bool {
        kill(Pid::from_raw(pid.cast_signed()), None).is_ok()
    }

    /// Waits until the server accepts connections on `address`.
    pub(crate) async fn listening(&self, address: SocketAddr, deadline: Instant) -> Result<(), StackError> {
        while tokio::net::TcpStream::connect(address).await.is_err() {
            self.still_starting(deadline, "it opened no port").await?;
            tokio::time::sleep(POLL).await;
        }
        Ok(())
    }

    /// Returns an error if the server has ended or the time is over. `missing` describes what is awaited.
    pub(crate) async fn still_starting(&self, deadline: Instant, missing: &str) -> Result<(), StackError> {
        if !self.is_running() {
            self.last_words().await;
            return Err(self.failed("it ended by itself".to_owned()));
        }
        if Instant::now() > deadline {
            return Err(self.failed(format!("it was not ready in time: {missing}")));
        }
        Ok(())
    }

    /// Waits until the guardian has written the exit status into the log.
    async fn last_words(&self) {
        for _ in 0..100 {
            let log = fs::read_to_string(self.log()).unwrap_or_default();
            if log.contains(ENDED) {
                return;
            }
            tokio::time::sleep(POLL).await;
        }
    }

    /// Creates the error for this server, with the end of its log.
    pub(crate) fn failed(&self, reason: String) -> StackError {
        let tail = tail(&self.log());
        StackError::Start { server: self.spec.name, reason, remedy: remedy(&tail), tail }
    }

    /// Stops the server and waits for its end and the removal of a temporary folder.
    ///
    /// # Errors
    /// If it has not ended ten seconds after its grace time. It is killed then, and its folder stays.
    pub async fn stop(mut self) -> Result<(), StackError> {
        self.end().await
    }

    /// Kills the server like a crash and waits for its end. Its guardian and its folder stay.
    pub async fn crash(&self) {
        // It may have ended by itself.
        let _ = kill(self.pid, Signal::SIGKILL);
        while self.is_running() {
            tokio::time::sleep(POLL).await;
        }
    }

    /// Runs the same command again in the same folder, which must be permanent. The log is appended to.
    pub(crate) async fn restart(&mut self) -> Result<(), StackError> {
        self.end().await?;
        *self = Self::launch(self.spec.clone())?;
        Ok(())
    }

    async fn end(&mut self) -> Result<(), StackError> {
        self.leash = None;
        let deadline = Instant::now() + self.spec.grace() + Duration::from_secs(10);
        while self.guardian.try_wait().map_err(StackError::file("wait for", Path::new("/bin/sh")))?.is_none() {
            if Instant::now() > deadline {
                // By process group: its leader was not reaped, so the id is not reused.
                let _ = killpg(Pid::from_raw(self.guardian.id().cast_signed()), Signal::SIGKILL);
                return Err(self.failed("it did not end when it was stopped, so it was killed".to_owned()));
            }
            tokio::time::sleep(POLL).await;
        }
        Ok(())
    }
}

fn guardian_command(spec: &Spec) -> Command {
    let mut command = Command::new("/bin/sh");
    command.arg("-c").arg(GUARDIAN).arg("guardian");
    command.arg(if spec.keep { Path::new("") } else { &spec.folder });
    command.arg(spec.log()).arg(spec.grace().as_secs().to_string()).args(&spec.command);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    command.process_group(0);
    command
}

fn read_pid(guardian: &mut Child) -> io::Result<Pid> {
    let mut line = String::new();
    if let Some(output) = guardian.stdout.take() {
        BufReader::new(output).read_line(&mut line)?;
    }
    line.trim().parse().map(Pid::from_raw).map_err(|_| io::Error::other(format!("unexpected answer {line:?}")))
}

/// Returns `N` different ports of `127.0.0.1` that were free a moment ago.
///
/// # Errors
/// If the system has no free port.
pub fn free_ports<const N: usize>() -> Result<[u16; N], StackError> {
    let error = |source| StackError::Prerequisite {
        what: format!("no free port on 127.0.0.1: {source}"),
        remedy: "end programs that hold many connections".to_owned(),
    };
    let mut held = Vec::with_capacity(N);
    let mut ports = [0; N];
    for port in &mut ports {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(error)?;
        *port = listener.local_addr().map_err(error)?.port();
        held.push(listener);
    }
    Ok(ports)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn free_ports_differ() {
        let ports: [u16; 8] = free_ports().unwrap();
        let different: std::collections::HashSet<_> = ports.iter().collect();
        assert_eq!(different.len(), ports.len());
    }
}
