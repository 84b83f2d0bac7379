//! The log of a worker in the background: appended to, rotated by its size, read across its files.

use std::collections::VecDeque;
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// Older files that are kept beside the log: `worker.log.1` is the newest of them.
pub const OLDER_LOGS: usize = 4;

/// Writes to stderr, which is the log, and gives the process another log when it has become too large.
#[derive(Debug)]
pub struct RotatingLog {
    path: PathBuf,
    most_bytes: u64,
    bytes: u64,
}

impl RotatingLog {
    /// The log that stderr already goes to.
    pub fn of_this_process(path: PathBuf, most_bytes: u64) -> Self {
        let bytes = path.metadata().map_or(0, |log| log.len());
        Self { path, most_bytes, bytes }
    }

    /// Begins another log. Where that fails, the present one grows on, and it is tried again when as much has been written once more.
    fn rotate(&mut self) {
        self.bytes = 0;
        let Ok(log) = begin_next(&self.path) else { return };
        // Panics and the final counts go there too.
        let _ = nix::unistd::dup2_stderr(&log);
        let _ = nix::unistd::dup2_stdout(&log);
    }
}

impl Write for RotatingLog {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if self.bytes > 0 && self.bytes + line.len() as u64 > self.most_bytes {
            self.rotate();
        }
        let written = io::stderr().write(line)?;
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

/// Opens the log to append to it.
pub(super) fn append(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).append(true).open(path)
}

/// Moves every file one number on, the oldest out, and begins the log again.
fn begin_next(path: &Path) -> io::Result<File> {
    for number in (1..OLDER_LOGS).rev() {
        // One that is not there yet has nothing to move.
        let _ = std::fs::rename(older(path, number), older(path, number + 1));
    }
    std::fs::rename(path, older(path, 1))?;
    append(path)
}

fn older(path: &Path, number: usize) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{number}"));
    name.into()
}

/// The last lines of a log, from older files where the newest has fewer.
///
/// # Errors
/// There is no log, or it cannot be read.
pub fn last_lines(path: &Path, count: usize) -> io::Result<Vec<String>> {
    let mut lines = lines_from(path, 0, count)?;
    for number in 1..=OLDER_LOGS {
        if lines.len() >= count {
            break;
        }
        let Ok(mut before) = lines_from(&older(path, number), 0, count - lines.len()) else { break };
        before.append(&mut lines);
        lines = before;
    }
    Ok(lines)
}

/// The last lines of a file after its first `skipped` bytes; of the whole file, where it has fewer than that.
pub(super) fn lines_from(path: &Path, skipped: u64, count: usize) -> io::Result<Vec<String>> {
    let mut file = File::open(path)?;
    if file.metadata()?.len() >= skipped {
        file.seek(SeekFrom::Start(skipped))?;
    }
    let mut lines = VecDeque::with_capacity(count.min(1_000) + 1);
    for line in BufReader::new(file).split(b'\n') {
        lines.push_back(String::from_utf8_lossy(&line?).into_owned());
        if lines.len() > count {
            lines.pop_front();
        }
    }
    Ok(lines.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn older_logs_are_kept_and_read_in_order() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("worker.log");
        assert!(last_lines(&path, 5).is_err(), "nothing was logged yet");
        let mut log = append(&path).unwrap();
        for number in 0..4 * OLDER_LOGS {
            writeln!(log, "line {number}").unwrap();
            if number % 2 == 1 {
                log = begin_next(&path).unwrap();
            }
        }
        writeln!(log, "last").unwrap();
        assert_eq!(folder.path().read_dir().unwrap().count(), OLDER_LOGS + 1);
        assert_eq!(last_lines(&path, 1).unwrap(), ["last"]);
        let newest = 4 * OLDER_LOGS;
        let expected = [format!("line {}", newest - 2), format!("line {}", newest - 1), "last".to_owned()];
        assert_eq!(last_lines(&path, 3).unwrap(), expected);
        assert_eq!(last_lines(&path, 1_000).unwrap().len(), 2 * OLDER_LOGS + 1);
        assert_eq!(last_lines(&path, 0).unwrap(), [""; 0]);
    }

    #[test]
    fn lines_of_one_start_are_told_from_those_before() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("worker.log");
        std::fs::write(&path, "before\n").unwrap();
        append(&path).unwrap().write_all(b"after\nnot UTF-8: \xff\n").unwrap();
        assert_eq!(lines_from(&path, 7, 10).unwrap(), ["after", "not UTF-8: \u{fffd}"]);
        assert_eq!(lines_from(&path, 1_000, 1).unwrap(), ["not UTF-8: \u{fffd}"], "it was rotated meanwhile");
    }
}
