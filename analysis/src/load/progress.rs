//! How far a long read is.

use std::{fmt, sync::Arc};

/// Rows that have arrived so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Rows that are decoded.
    pub rows: u64,
    /// Rows that will come, where the database can tell without counting: a whole collection or a limit.
    pub expected: Option<u64>,
}

impl fmt::Display for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rows = crate::format::count(self.rows);
        match self.expected {
            Some(expected) if expected >= self.rows && expected > 0 => {
                let percent = self.rows * 100 / expected;
                write!(f, "{rows} of {} rows ({percent} %)", crate::format::count(expected))
            }
            _ => write!(f, "{rows} rows"),
        }
    }
}

/// What is called for every batch of an answer, on the thread that decodes it.
#[derive(Clone, Default)]
pub(crate) struct OnProgress(Option<Arc<dyn Fn(Progress) + Send + Sync>>);

impl OnProgress {
    pub fn new(tell: impl Fn(Progress) + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(tell)))
    }

    pub fn is_wanted(&self) -> bool {
        self.0.is_some()
    }

    pub fn tell(&self, progress: Progress) {
        if let Some(tell) = &self.0 {
            tell(progress);
        }
    }
}

impl fmt::Debug for OnProgress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_wanted() { "OnProgress(…)" } else { "OnProgress(None)" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_the_share_where_the_whole_is_known() {
        let progress = Progress { rows: 1_500, expected: Some(6_000) };
        assert_eq!(progress.to_string(), "1,500 of 6,000 rows (25 %)");
        assert_eq!(Progress { expected: None, ..progress }.to_string(), "1,500 rows");
        assert_eq!(Progress { expected: Some(0), ..progress }.to_string(), "1,500 rows");
    }
}
