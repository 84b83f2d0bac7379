//! What a run tells while it works: a bar on a terminal, a line every five seconds elsewhere.

use crate::files::FileError;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::{self, IsTerminal};
use std::time::Duration;

/// Where a run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Bytes read of the files as they lie on the disk.
    pub bytes_read: u64,
    /// Bytes of all files; none if one of them is a pipe.
    pub bytes_total: Option<u64>,
    /// The file that is being read, from 1.
    pub file: usize,
    /// Number of files.
    pub files: usize,
    /// Records delivered.
    pub records: u64,
    /// Broken records skipped.
    pub broken: u64,
    /// Since the start.
    pub elapsed: Duration,
}

/// Hears how a run goes.
pub trait Observer {
    /// Called some times a second and at the end.
    fn progress(&mut self, progress: &Progress);
    /// Called for each broken record that is skipped.
    fn broken(&mut self, error: &FileError);
    /// Called when a file is read in a form that was recognised and is not the usual.
    fn noticed(&mut self, _: &str) {}
    /// Called at the end of a file in which rows may be read wrongly.
    fn doubted(&mut self, _: &str) {}
}

/// Hears nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Observer for Silent {
    fn progress(&mut self, _: &Progress) {}
    fn broken(&mut self, _: &FileError) {}
}

/// Shows progress on stderr.
#[derive(Debug)]
pub struct ProgressDisplay {
    bar: Option<ProgressBar>,
    last_line: Duration,
    broken: u64,
}

const LINE_EVERY: Duration = Duration::from_secs(5);
/// After this many broken records only their number is told, at the end.
const TOLD_BROKEN: u64 = 20;

impl ProgressDisplay {
    /// A bar if stderr is a terminal, else a log line every five seconds.
    #[must_use]
    pub fn new() -> Self {
        let bar = io::stderr()
            .is_terminal()
            .then(|| ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::stderr()).with_style(style()));
        Self { bar, last_line: Duration::ZERO, broken: 0 }
    }
}

impl Default for ProgressDisplay {
    fn default() -> Self {
        Self::new()
    }
}

impl Observer for ProgressDisplay {
    fn progress(&mut self, progress: &Progress) {
        if let Some(bar) = &self.bar {
            progress.bytes_total.iter().for_each(|bytes| bar.set_length(*bytes));
            bar.set_position(progress.bytes_read);
            bar.set_message(message(progress));
        } else if progress.elapsed - self.last_line >= LINE_EVERY {
            self.last_line = progress.elapsed;
            let read = match progress.bytes_total {
                Some(total) => {
                    format!("{} % of {:.0} MB", progress.bytes_read * 100 / total.max(1), total as f64 / 1e6)
                }
                None => format!("{:.0} MB", progress.bytes_read as f64 / 1e6),
            };
            tracing::info!("{read}, {}", message(progress));
        }
    }

    fn broken(&mut self, error: &FileError) {
        self.broken += 1;
        let tell = || match self.broken {
            ..=TOLD_BROKEN => tracing::warn!("{error}"),
            _ if self.broken == TOLD_BROKEN + 1 => tracing::warn!("more broken records follow; they are counted only"),
            _ => {}
        };
        self.beside_bar(tell);
    }

    fn noticed(&mut self, what: &str) {
        self.beside_bar(|| tracing::info!("{what}"));
    }

    fn doubted(&mut self, what: &str) {
        self.beside_bar(|| tracing::warn!("{what}"));
    }
}

impl ProgressDisplay {
    fn beside_bar(&self, tell: impl FnOnce()) {
        match &self.bar {
            Some(bar) => bar.suspend(tell),
            None => tell(),
        }
    }
}

impl Drop for ProgressDisplay {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

fn style() -> ProgressStyle {
    ProgressStyle::with_template("{bar:30} {percent:>3} %  {decimal_bytes}/{decimal_total_bytes}  {msg}  {eta} left")
        .expect("the template is a constant, which a test compiles")
}

fn message(progress: &Progress) -> String {
    let rate = progress.records as f64 / progress.elapsed.as_secs_f64().max(1e-3);
    let broken = if progress.broken > 0 { format!(", {} broken", progress.broken) } else { String::new() };
    format!("file {}/{}, {} records, {rate:.0}/s{broken}", progress.file, progress.files, progress.records)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_display_takes_progress_with_and_without_a_bar() {
        let mut progress = Progress {
            bytes_read: 5,
            bytes_total: Some(10),
            file: 1,
            files: 1,
            records: 1,
            broken: 0,
            elapsed: LINE_EVERY,
        };
        let hidden = ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::hidden()).with_style(style());
        let mut with_bar = ProgressDisplay { bar: Some(hidden.clone()), last_line: Duration::ZERO, broken: 0 };
        with_bar.progress(&progress);
        assert_eq!((hidden.position(), hidden.length()), (5, Some(10)));
        let mut without = ProgressDisplay { bar: None, last_line: Duration::ZERO, broken: 0 };
        without.progress(&progress);
        assert_eq!(without.last_line, LINE_EVERY);
        progress.elapsed += Duration::from_secs(1);
        without.progress(&progress);
        assert_eq!(without.last_line, LINE_EVERY, "the next line is not due yet");
    }

    #[test]
    fn the_message_says_what_counts() {
        let progress = Progress {
            bytes_read: 1,
            bytes_total: Some(2),
            file: 2,
            files: 6,
            records: 3000,
            broken: 1,
            elapsed: Duration::from_secs(2),
        };
        assert_eq!(message(&progress), "file 2/6, 3000 records, 1500/s, 1 broken");
    }
}
