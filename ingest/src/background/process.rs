//! Which process a pid means: the system gives pids out again.

use nix::unistd::Pid;
use serde::{Deserialize, Serialize};

/// A process, told from a later one with the same pid by when it was started.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Process {
    /// Its process id; 0 where there is none.
    pub pid: i32,
    /// When it was started, in the system's own form; `None` where the system does not tell.
    pub process_started: Option<String>,
}

impl Process {
    /// This process.
    pub fn this() -> Self {
        let pid = Pid::this().as_raw();
        Self { pid, process_started: started(pid) }
    }

    /// Whether the pid still means this process. One whose start is not known, as an earlier program wrote it, is taken for it.
    pub fn is_the_same(&self) -> bool {
        self.process_started.is_none() || started(self.pid) == self.process_started
    }
}

/// When the process was started: clock ticks since the system was booted.
#[cfg(target_os = "linux")]
fn started(pid: i32) -> Option<String> {
    /// Its place among the fields after the name, which may hold spaces: `starttime` is the 22nd of all.
    const START_TIME: usize = 19;
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, fields) = stat.rsplit_once(") ")?;
    fields.split(' ').nth(START_TIME).map(str::to_owned)
}

/// When the process was started: its date and second.
#[cfg(not(target_os = "linux"))]
fn started(pid: i32) -> Option<String> {
    let ps = std::process::Command::new("ps").args(["-o", "lstart=", "-p", &pid.to_string()]).output().ok()?;
    let shown = String::from_utf8_lossy(&ps.stdout).trim().to_owned();
    Some(shown).filter(|shown| !shown.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pid_that_was_given_out_again_is_another_process() {
        let this = Process::this();
        assert!(this.process_started.is_some() && this.is_the_same());
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let pid = i32::try_from(child.id()).unwrap();
        let other = Process { pid, process_started: started(pid) };
        assert!(other.is_the_same());
        assert!(!Process { process_started: Some("1".into()), ..other.clone() }.is_the_same());
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(!other.is_the_same(), "it is gone");
        assert!(Process { pid, process_started: None }.is_the_same(), "not known");
    }
}
