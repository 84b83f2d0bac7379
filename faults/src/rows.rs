//! What the rows of three rollups must be: from the generator's own readings and the order in which they are stored, by divisions and
//! sorting, without any of the product's code.

use crate::records::Reading;
use std::collections::BTreeMap;

const MINUTE: i64 = 60_000;
const DAY: i64 = 24 * 60 * MINUTE;
// The windows of `readings.toml`.
const WEEK: i64 = 7 * DAY;
const HOP: i64 = DAY;
const HOPS: i64 = 2;
const GAP: i64 = 30 * MINUTE;
const ALLOWED_LATENESS: i64 = 60 * MINUTE;

/// Start and end of a window, in milliseconds since 1970, and the site: empty where the rollup has no keys.
pub type Key = (i64, i64, String);

/// The numbers of a row.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Row {
    /// Events.
    pub readings: i64,
    /// Those with a value.
    pub values: i64,
    /// The sum of their values.
    pub sum: i64,
    /// Those that came after their window had closed.
    pub late: i64,
}

impl Row {
    fn add(&mut self, other: Self) {
        self.readings += other.readings;
        self.values += other.values;
        self.sum += other.sum;
        self.late += other.late;
    }
}

/// A reading, and the place of the copy that was stored.
#[derive(Debug, Clone, Copy)]
pub struct Stored<'a> {
    /// The partition of the copy.
    pub partition: i32,
    /// Its offset.
    pub offset: i64,
    /// What it says.
    pub reading: &'a Reading,
}

/// The rows that must be there.
#[derive(Debug, Default)]
pub struct Rows {
    /// `readings_by_week`.
    pub weeks: BTreeMap<Key, Row>,
    /// `readings_by_two_days`.
    pub two_days: BTreeMap<Key, Row>,
    /// `site_sessions`.
    pub sessions: BTreeMap<Key, Row>,
    /// The event clock of each partition, in milliseconds since 1970.
    pub clocks: BTreeMap<i32, i64>,
    /// Events that each partition has brought.
    pub stored: BTreeMap<i32, i64>,
}

impl Rows {
    /// The rows of all that is stored.
    pub fn new(mut stored: Vec<Stored<'_>>) -> Self {
        stored.sort_unstable_by_key(|stored| (stored.partition, stored.offset));
        let mut rows = Self::default();
        let mut by_site: BTreeMap<&str, Vec<(i64, Row)>> = BTreeMap::new();
        for Stored { partition, reading, .. } in stored {
            let (at, site) = (reading.at, &reading.site);
            let clock = rows.clocks.get(&partition).copied();
            // What it adds to a window that ends then: late where the end, and the allowed lateness, are not after the clock.
            let of_window = |end: i64| Row {
                readings: 1,
                values: i64::from(reading.value.is_some()),
                sum: reading.value.unwrap_or_default(),
                late: i64::from(clock.is_some_and(|clock| end + ALLOWED_LATENESS <= clock)),
            };
            let week = at.div_euclid(WEEK) * WEEK;
            let key = (week, week + WEEK, site.clone());
            rows.weeks.entry(key).or_default().add(of_window(week + WEEK));
            for hop in 0..HOPS {
                let start = (at.div_euclid(HOP) - hop) * HOP;
                let end = start + HOPS * HOP;
                rows.two_days.entry((start, end, String::new())).or_default().add(of_window(end));
            }
            // It is late for its session where it would be late for one of its own.
            by_site.entry(site).or_default().push((at, of_window(at + GAP)));
            *rows.stored.entry(partition).or_default() += 1;
            rows.clocks.insert(partition, clock.map_or(at, |clock| clock.max(at)));
        }
        for (site, readings) in by_site {
            rows.sessions
                .extend(sessions(readings).into_iter().map(|(start, end, row)| ((start, end, site.into()), row)));
        }
        rows
    }

    /// The watermark of a stream that was never idle: every window that ends here or earlier is final, and no other.
    pub fn watermark(&self) -> Option<i64> {
        self.clocks.values().min().map(|clock| clock - ALLOWED_LATENESS)
    }
}

/// Runs of readings of one site, each less than the gap after the one before: start, end and numbers.
fn sessions(mut readings: Vec<(i64, Row)>) -> Vec<(i64, i64, Row)> {
    readings.sort_unstable_by_key(|(at, _)| *at);
    let mut sessions: Vec<(i64, i64, Row)> = Vec::new();
    for (at, row) in readings {
        match sessions.last_mut() {
            Some((_, end, session)) if at < *end => {
                *end = at + GAP;
                session.add(row);
            }
            _ => sessions.push((at, at + GAP, row)),
        }
    }
    sessions
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reading(at: i64, value: Option<i64>) -> Reading {
        Reading { id: at, at, site: "a".into(), value, celsius: None }
    }

    fn row(readings: i64, values: i64, sum: i64, late: i64) -> Row {
        Row { readings, values, sum, late }
    }

    fn rows(places: &[(i32, i64)], readings: &[Reading]) -> Rows {
        let stored = |(&(partition, offset), reading)| Stored { partition, offset, reading };
        Rows::new(places.iter().zip(readings).map(stored).collect())
    }

    #[test]
    fn a_reading_is_in_its_week_in_two_hops_and_in_a_session() {
        // Two minutes apart, then half an hour; the fourth came behind its clock, and is before 1970.
        let times = [0, 2 * MINUTE, 32 * MINUTE, -3 * WEEK];
        let readings: Vec<_> = times.iter().map(|at| reading(*at, (*at != 0).then_some(4))).rev().collect();
        let rows = rows(&[(3, 9), (3, 7), (3, 5), (3, 4)], &readings);
        let key = |start: i64, end: i64| (start, end, "a".to_owned());
        let weeks = [(key(-3 * WEEK, -2 * WEEK), row(1, 1, 4, 1)), (key(0, WEEK), row(3, 2, 8, 0))];
        assert_eq!(rows.weeks, BTreeMap::from(weeks));
        let hop = |start: i64| (start, start + 2 * DAY, String::new());
        let early = -3 * WEEK;
        assert_eq!(
            rows.two_days,
            BTreeMap::from([
                (hop(early - DAY), row(1, 1, 4, 1)),
                (hop(early), row(1, 1, 4, 1)),
                (hop(-DAY), row(3, 2, 8, 0)),
                (hop(0), row(3, 2, 8, 0)),
            ])
        );
        assert_eq!(
            rows.sessions,
            BTreeMap::from([
                (key(early, early + GAP), row(1, 1, 4, 1)),
                (key(0, 32 * MINUTE), row(2, 1, 4, 0)),
                (key(32 * MINUTE, 62 * MINUTE), row(1, 1, 4, 0)),
            ])
        );
        assert_eq!(rows.watermark(), Some(32 * MINUTE - ALLOWED_LATENESS));
    }

    #[test]
    fn late_is_what_came_after_its_own_partitions_clock_had_closed_the_window() {
        // The end of a hop and the lateness: the clock that closes it.
        let closes = 2 * DAY + ALLOWED_LATENESS;
        let late = |clock: i64, partition: i32| {
            let readings = [reading(clock, None), reading(DAY, None)];
            let rows = rows(&[(0, 0), (partition, 1)], &readings);
            let hop = |start: i64| rows.two_days[&(start, start + 2 * DAY, String::new())].late;
            (hop(0), hop(DAY))
        };
        assert_eq!(late(closes, 0), (1, 0));
        assert_eq!(late(closes - 1, 0), (0, 0));
        assert_eq!(late(closes, 1), (0, 0), "another partition's clock closes nothing");
    }
}
