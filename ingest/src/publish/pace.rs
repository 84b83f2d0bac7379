//! How often a table is published: often enough for people who watch, and seldom enough to leave the ingest its share of the time.

use std::ops::RangeInclusive;
use std::time::Duration;

/// Publishing one table takes at most this share of the time, so that a large table leaves the ingest its share.
const SHARE: f64 = 0.1;
/// How long what waits is put off for that, while the worker is behind the topic: nobody watches single records then.
const WAIT_BEHIND: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(30);
/// The same while it is not.
const WAIT: RangeInclusive<Duration> = Duration::ZERO..=Duration::from_secs(1);

/// How long after a round the next one begins that takes so long, so that it takes no more than its share of the time.
pub(super) fn time_between_rounds(cost: Duration, is_behind: bool) -> Duration {
    let limits = if is_behind { WAIT_BEHIND } else { WAIT };
    cost.div_f64(SHARE).clamp(*limits.start(), *limits.end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_large_round_waits_and_never_for_ever() {
        let (small, large, huge) = (Duration::from_millis(2), Duration::from_millis(500), Duration::from_secs(60));
        assert_eq!(time_between_rounds(small, false), Duration::from_millis(20));
        assert_eq!(time_between_rounds(large, false), Duration::from_secs(1), "people watch the stream");
        assert_eq!(time_between_rounds(small, true), Duration::from_secs(1), "nobody watches single records");
        assert_eq!(time_between_rounds(large, true), Duration::from_secs(5));
        assert_eq!(time_between_rounds(huge, true), Duration::from_secs(30));
    }
}
