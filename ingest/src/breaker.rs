//! Stops a run that sends a whole topic to the dead letters, because then the schema is wrong, not the data.
//!
//! Records that the filter leaves out are not judged: a stream of a few kinds of message in a topic of many is wrong if none of its own
//! can be used.

use crate::batch::Added;

/// Records that a ratio is judged over.
const SAMPLE: u64 = 1_000;

/// Counts the dead letters of one partition.
#[derive(Debug, Clone, Copy, Default)]
pub struct Breaker {
    in_a_row: u64,
    records: u64,
    dead: u64,
}

/// When a breaker trips.
#[derive(Debug, Clone, Copy)]
pub struct BreakerLimits {
    /// Dead letters in a row; 0 never trips.
    pub in_a_row: u64,
    /// Share of dead letters among a thousand records; 1 never trips.
    pub ratio: f64,
}

impl Breaker {
    /// Takes a record into account; says why the run must stop, if it must.
    pub fn record(&mut self, added: Added, limits: BreakerLimits) -> Option<String> {
        let dead = match added {
            Added::Filtered => return None,
            Added::Event => false,
            Added::Dead => true,
        };
        self.records += 1;
        self.dead += u64::from(dead);
        self.in_a_row = if dead { self.in_a_row + 1 } else { 0 };
        if limits.in_a_row > 0 && self.in_a_row >= limits.in_a_row {
            return Some(format!("{} records in a row cannot be used", self.in_a_row));
        }
        if self.records < SAMPLE {
            return None;
        }
        let (dead, records) = (self.dead, self.records);
        (self.records, self.dead) = (0, 0);
        (dead as f64 > limits.ratio * records as f64).then(|| format!("{dead} of {records} records cannot be used"))
    }
}

/// Judges a run at its end, however few of its records the filter let through; says what is wrong, if anything is.
///
/// A run of which every such record is dead is wrong at any limits.
pub fn judge(passed: i64, dead: i64, ratio: f64) -> Option<String> {
    let is_wrong = dead > 0 && (dead == passed || dead as f64 > ratio * passed as f64);
    is_wrong.then(|| format!("{dead} of {passed} records cannot be used"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_judged_however_short_it_is() {
        for (read, dead, ratio, is_wrong) in [
            (0, 0, 0.5, false),
            (1, 0, 0.0, false),
            (1, 1, 0.5, true),
            (300, 300, 1.0, true),
            (300, 299, 1.0, false),
            (300, 151, 0.5, true),
            (300, 150, 0.5, false),
            (5, 1, 0.0, true),
        ] {
            assert_eq!(judge(read, dead, ratio).is_some(), is_wrong, "{dead} of {read} at {ratio}");
        }
    }

    const LIMITS: BreakerLimits = BreakerLimits { in_a_row: 3, ratio: 0.5 };

    fn dead_if(dead: bool) -> Added {
        if dead { Added::Dead } else { Added::Event }
    }

    #[test]
    fn a_run_of_dead_letters_trips() {
        let mut breaker = Breaker::default();
        for added in
            [Added::Dead, Added::Dead, Added::Event, Added::Dead, Added::Filtered, Added::Dead, Added::Filtered]
        {
            assert_eq!(breaker.record(added, LIMITS), None);
        }
        assert_eq!(breaker.record(Added::Dead, LIMITS).as_deref(), Some("3 records in a row cannot be used"));
    }

    #[test]
    fn a_ratio_trips_over_a_thousand_records() {
        let mut breaker = Breaker::default();
        let tripped: Vec<_> = (0..1_000).filter_map(|at| breaker.record(dead_if(at % 3 != 0), LIMITS)).collect();
        assert_eq!(tripped, ["666 of 1000 records cannot be used"]);
        let mut breaker = Breaker::default();
        assert!((0..10_000).all(|at| breaker.record(dead_if(at % 2 == 0), LIMITS).is_none()));
        let mut breaker = Breaker::default();
        let limits = BreakerLimits { in_a_row: 0, ratio: 0.5 };
        let kinds = |at: u32| if at.is_multiple_of(10) { Added::Dead } else { Added::Filtered };
        let tripped: Vec<_> = (0..10_000).filter_map(|at| breaker.record(kinds(at), limits)).collect();
        assert_eq!(tripped, ["1000 of 1000 records cannot be used"], "the filter leaves nothing that can be used");
    }

    #[test]
    fn limits_can_be_switched_off() {
        let mut breaker = Breaker::default();
        let off = BreakerLimits { in_a_row: 0, ratio: 1.0 };
        assert!((0..5_000).all(|_| breaker.record(Added::Dead, off).is_none()));
    }
}
