//! Which partitions bring nothing any more, whatever happens to the clocks on the walls.

use crate::store::Position;
use std::collections::HashMap;
use std::time::{Duration, Instant};

/// Remembers since when nothing was stored from each partition, by a clock that nobody sets.
#[derive(Debug, Default)]
pub(super) struct Quiet(HashMap<i32, (i64, Instant)>);

impl Quiet {
    /// Whether nothing was stored from a partition for `timeout_ms`: by the server's clock, whose `now` a worker that has just started
    /// can hold against what is stored; or, where that clock was set back since, by what this worker has seen.
    pub(super) fn is_quiet(&mut self, position: &Position, now: i64, seen: Instant, timeout_ms: i64) -> bool {
        let stored = position.counts.stored;
        let (before, since) = self.0.entry(position.partition).or_insert((stored, seen));
        if *before != stored {
            (*before, *since) = (stored, seen);
        }
        let timeout = Duration::from_millis(u64::try_from(timeout_ms).unwrap_or_default());
        let by_server = position.stored_at.is_none_or(|at| now.saturating_sub(at.timestamp_millis()) > timeout_ms);
        by_server || seen.saturating_duration_since(*since) > timeout
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Counts;
    use bson::DateTime;

    const TIMEOUT: i64 = 60_000;

    fn position(stored: i64, stored_at: i64) -> Position {
        Position {
            partition: 0,
            next: stored,
            clock: Default::default(),
            counts: Counts { stored, ..Counts::default() },
            plan: 1,
            worker: String::new(),
            stored_at: Some(DateTime::from_millis(stored_at)),
            topic_id: None,
            gaps: Vec::new(),
        }
    }

    #[test]
    fn a_worker_that_starts_trusts_what_is_stored() {
        let seen = Instant::now();
        assert!(!Quiet::default().is_quiet(&position(1, 0), TIMEOUT, seen, TIMEOUT));
        assert!(Quiet::default().is_quiet(&position(1, 0), TIMEOUT + 1, seen, TIMEOUT));
        assert!(!Quiet::default().is_quiet(&position(1, i64::MAX), i64::MIN, seen, TIMEOUT), "no overflow");
    }

    #[test]
    fn a_clock_that_was_set_back_holds_no_window_open_for_ever() {
        let (mut quiet, start) = (Quiet::default(), Instant::now());
        let after = |ms: u64| start + Duration::from_millis(ms);
        let a_year_ahead = 31_536_000_000;
        assert!(!quiet.is_quiet(&position(1, a_year_ahead), 0, start, TIMEOUT));
        assert!(!quiet.is_quiet(&position(2, a_year_ahead), 50_000, after(50_000), TIMEOUT));
        assert!(!quiet.is_quiet(&position(2, a_year_ahead), 100_000, after(100_000), TIMEOUT), "it brought something");
        assert!(quiet.is_quiet(&position(2, a_year_ahead), 110_001, after(110_001), TIMEOUT));
    }
}
