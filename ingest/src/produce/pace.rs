//! Holding a run to a number of records a second.

use std::num::NonZeroU32;
use std::time::Duration;

/// When which record is due. Time the run loses (a slow broker) is not made up for by a burst longer than a second.
#[derive(Debug, Clone)]
pub(super) struct Pace {
    interval: Duration,
    /// When the next record is due, since the start of the run.
    due: Duration,
}

/// How far the pace may lag behind the clock before it gives the lost time up.
const LONGEST_BURST: Duration = Duration::from_secs(1);

impl Pace {
    pub(super) fn new(records_per_second: NonZeroU32) -> Self {
        Self { interval: Duration::from_secs(1) / records_per_second.get(), due: Duration::ZERO }
    }

    /// Takes the turn of one record at `now`, since the start of the run; how long it has to wait.
    pub(super) fn wait(&mut self, now: Duration) -> Duration {
        self.due = self.due.max(now.saturating_sub(LONGEST_BURST));
        let wait = self.due.saturating_sub(now);
        self.due += self.interval;
        wait
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_due_at_even_intervals() {
        let mut pace = Pace::new(NonZeroU32::new(4).unwrap());
        let waits: Vec<_> = (0..4).map(|_| pace.wait(Duration::ZERO).as_millis()).collect();
        assert_eq!(waits, [0, 250, 500, 750]);
        assert_eq!(pace.wait(Duration::from_millis(990)).as_millis(), 10);
    }

    #[test]
    fn a_stall_is_made_up_for_by_one_second_at_most() {
        let mut pace = Pace::new(NonZeroU32::new(10).unwrap());
        let stalled = Duration::from_secs(60);
        let at_once = (0..100).take_while(|_| pace.wait(stalled).is_zero()).count();
        assert_eq!(at_once, 11);
    }
}
