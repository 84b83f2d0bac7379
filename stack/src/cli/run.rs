//! `stack run`: servers for the duration of a command.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, ErrorKind};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, ExitCode, ExitStatus, Stdio};

use nix::sys::signal::{self, Signal};
use nix::unistd::{Pid, getpgrp, tcgetpgrp};
use stack::{KAFKA_BROKERS, MONGODB_URI, Stack, StackOptions, output};
use tokio::signal::unix::{self, SignalKind};

/// Starts the servers, runs `command`, stops the servers; the exit code is the command's.
pub(crate) async fn run(options: StackOptions, command: &[OsString]) -> anyhow::Result<ExitCode> {
    let mut signals = Signals::listen()?;
    let stack = tokio::select! {
        stack = Stack::start(options) => stack?,
        signal = signals.next() => return Ok(exit_code(128 + signal as i32)),
    };
    let code = match signals.pending().await {
        Some(signal) => Ok(128 + signal as i32),
        None => foreground(&stack, command, &mut signals).await,
    };
    stack.stop().await?;
    code.map(exit_code)
}

async fn foreground(stack: &Stack, command: &[OsString], signals: &mut Signals) -> anyhow::Result<i32> {
    let (program, arguments) = command.split_first().ok_or_else(|| anyhow::anyhow!("no command was given"))?;
    let mut child = tokio::process::Command::new(program);
    child.args(arguments);
    child.envs(stack.kafka_brokers().map(|brokers| (KAFKA_BROKERS, brokers)));
    child.envs(stack.mongodb_uri().map(|uri| (MONGODB_URI, uri)));
    let mut child = match child.spawn() {
        Ok(child) => child,
        Err(error) => return Ok(not_started(program, &error)),
    };
    let pid = child.id().map(|id| Pid::from_raw(id.cast_signed()));
    let _leash = pid.map(Leash::on).transpose()?;
    loop {
        tokio::select! {
            status = child.wait() => return Ok(code_of(status?)),
            signal = signals.next() => {
                if let Some(pid) = pid && !was_typed(signal) {
                    signal::kill(pid, signal)?;
                }
            }
        }
    }
}

/// Exit codes as shells use them.
fn not_started(program: &OsString, error: &io::Error) -> i32 {
    output::note(format!("stack: cannot run {}: {error}", program.display()));
    if error.kind() == ErrorKind::NotFound { 127 } else { 126 }
}

fn code_of(status: ExitStatus) -> i32 {
    status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or_default())
}

fn exit_code(code: i32) -> ExitCode {
    ExitCode::from(u8::try_from(code).unwrap_or(u8::MAX))
}

/// Returns true if a signal came from the keyboard. The terminal then sent it to the command as well, and a second one would end many
/// programs at once.
fn was_typed(signal: Signal) -> bool {
    signal == Signal::SIGINT
        && File::open("/dev/tty").is_ok_and(|terminal| tcgetpgrp(terminal).is_ok_and(|group| group == getpgrp()))
}

/// Signals that ask a program to end.
struct Signals {
    interrupt: unix::Signal,
    terminate: unix::Signal,
    hang_up: unix::Signal,
}

impl Signals {
    fn listen() -> io::Result<Self> {
        Ok(Self {
            interrupt: unix::signal(SignalKind::interrupt())?,
            terminate: unix::signal(SignalKind::terminate())?,
            hang_up: unix::signal(SignalKind::hangup())?,
        })
    }

    /// Returns a signal that arrived earlier, if any.
    async fn pending(&mut self) -> Option<Signal> {
        tokio::select! {
            biased;
            signal = self.next() => Some(signal),
            () = std::future::ready(()) => None,
        }
    }

    async fn next(&mut self) -> Signal {
        tokio::select! {
            _ = self.interrupt.recv() => Signal::SIGINT,
            _ = self.terminate.recv() => Signal::SIGTERM,
            _ = self.hang_up.recv() => Signal::SIGHUP,
        }
    }
}

/// Ends the command if this process is killed. The command must stay in the terminal's foreground group, so it cannot be the child of a
/// guardian like the servers. Instead, a shell waits for the end of a pipe that only this process holds.
struct Leash(Child);

impl Leash {
    fn on(pid: Pid) -> io::Result<Self> {
        let mut shell = Command::new("/bin/sh");
        shell.args(["-c", "read -r _; kill -TERM \"$1\"", "leash"]).arg(pid.to_string());
        shell.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).process_group(0);
        shell.spawn().map(Self)
    }
}

impl Drop for Leash {
    /// Kill the shell before the pipe closes, so that it signals no other process: the command has ended.
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
