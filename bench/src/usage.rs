//! Memory and processor time of processes, as Linux counts them; nothing elsewhere.

use crate::report::{Column, Figures, median};

/// What a process has used so far.
#[derive(Debug, Clone, Copy)]
pub struct Usage {
    /// Largest resident size so far, in megabytes (10⁶ bytes).
    pub peak_mb: f64,
    /// Resident size now, in megabytes.
    pub resident_mb: f64,
    /// Processor seconds, of user and system.
    pub cpu_s: f64,
}

impl Usage {
    /// That of a process; `None` where it has ended, or the system does not tell.
    #[cfg(target_os = "linux")]
    pub fn of(pid: u32) -> Option<Self> {
        let process = procfs::process::Process::new(pid.cast_signed()).ok()?;
        let (status, stat) = (process.status().ok()?, process.stat().ok()?);
        // What Linux calls kB are 1,024 bytes.
        let megabytes = |kilobytes: u64| kilobytes as f64 * 1_024.0 / 1e6;
        Some(Self {
            peak_mb: megabytes(status.vmhwm?),
            resident_mb: megabytes(status.vmrss?),
            cpu_s: (stat.utime + stat.stime) as f64 / procfs::ticks_per_second() as f64,
        })
    }

    /// Nothing is known on this system.
    #[cfg(not(target_os = "linux"))]
    pub fn of(_pid: u32) -> Option<Self> {
        None
    }
}

/// The process on this machine that listens on a TCP port.
#[cfg(target_os = "linux")]
pub fn listener(port: u16) -> Option<u32> {
    use procfs::net::{TcpState, tcp, tcp6};
    use procfs::process::{FDTarget, all_processes};
    let all = tcp().into_iter().flatten().chain(tcp6().into_iter().flatten());
    let listens =
        |entry: &procfs::net::TcpNetEntry| entry.state == TcpState::Listen && entry.local_address.port() == port;
    let inode = all.filter(listens).map(|entry| entry.inode).next()?;
    let owns = |process: &procfs::process::Process| {
        let sockets = process.fd().into_iter().flatten().flatten();
        sockets.into_iter().any(|fd| matches!(fd.target, FDTarget::Socket(found) if found == inode))
    };
    all_processes().ok()?.flatten().find(owns).map(|process| process.pid.unsigned_abs())
}

/// Nothing is known on this system.
#[cfg(not(target_os = "linux"))]
pub fn listener(_port: u16) -> Option<u32> {
    None
}

/// Watches some processes from their start to their end.
#[derive(Debug, Default)]
pub struct Watch {
    peak_mb: f64,
    resident_mb: Vec<f64>,
    cpu_s: Vec<f64>,
}

impl Watch {
    /// Looks at the processes. `steady`: their size counts for the median, since they are past their start.
    pub fn look(&mut self, pids: &[u32], steady: bool) {
        self.cpu_s.resize(pids.len(), 0.0);
        for (&pid, cpu_s) in pids.iter().zip(&mut self.cpu_s) {
            let Some(usage) = Usage::of(pid) else { continue };
            self.peak_mb = self.peak_mb.max(usage.peak_mb);
            *cpu_s = usage.cpu_s;
            if steady {
                self.resident_mb.push(usage.resident_mb);
            }
        }
    }

    /// Peak and median of one process's memory, and the processor time of all.
    pub fn figures(&self) -> Figures {
        let known = |value: f64| (self.peak_mb > 0.0).then_some(value);
        vec![
            (Column::RssMb, known(self.peak_mb)),
            (Column::SteadyMb, known(median(&self.resident_mb))),
            (Column::CpuS, known(self.cpu_s.iter().sum())),
        ]
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn this_process_has_memory_and_listens() {
        let listening = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let me = std::process::id();
        assert_eq!(listener(listening.local_addr().unwrap().port()), Some(me));
        let usage = Usage::of(me).unwrap();
        assert!(usage.peak_mb >= usage.resident_mb && usage.resident_mb > 1.0, "{usage:?}");
    }

    #[test]
    fn nothing_is_known_of_a_process_that_is_not_there() {
        let mut watch = Watch::default();
        watch.look(&[u32::MAX >> 1], true);
        assert!(watch.figures().iter().all(|(_, value)| value.is_none()), "{watch:?}");
    }
}
