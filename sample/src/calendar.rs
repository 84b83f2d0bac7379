//! Dates of reviews: from July 1998 to December 2020, more in later years and in winter.

use super::random::{Random, Weighted};

/// A day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Day {
    pub(super) year: u16,
    /// From 1.
    pub(super) month: u8,
    /// From 1.
    pub(super) day: u8,
}

/// First year with reviews.
pub(super) const FIRST_YEAR: u16 = 1998;
/// Its first month with reviews.
const FIRST_MONTH: usize = 7;

/// Relative number of reviews of each year: growth, a plateau and a steep end.
const YEARS: [u64; 23] =
    [9, 22, 27, 33, 40, 47, 54, 62, 71, 68, 60, 55, 52, 58, 66, 74, 79, 85, 92, 108, 131, 152, 170];
/// Relative number of reviews of each month: more in winter and on holidays.
const SEASON: [u64; 12] = [118, 98, 97, 90, 88, 92, 101, 99, 86, 95, 104, 132];

/// 2^64 divided by the golden ratio.
const GOLDEN_RATIO: u64 = 0x9e37_79b9_7f4a_7c15;
/// Adjacent reviews are from a few weeks or months: a 128th of the whole time.
const STRETCH_LENGTH: u64 = 1 << 57;

/// Last year with reviews.
pub(super) const LAST_YEAR: u16 = FIRST_YEAR + YEARS.len() as u16 - 1;

pub(super) const MONTH_NAMES: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

/// Chooses days.
#[derive(Debug)]
pub(super) struct Calendar {
    months: Weighted,
}

impl Calendar {
    pub(super) fn new() -> Self {
        let weights = YEARS.iter().flat_map(|year| SEASON.iter().map(move |season| year * season));
        let before = FIRST_MONTH - 1;
        Self {
            months: Weighted::new(weights.enumerate().map(|(month, weight)| if month < before { 0 } else { weight })),
        }
    }

    /// A day shortly after the `stretch`-th point in time.
    ///
    /// The points are multiples of the golden ratio on the line of all reviews. Any number of them is evenly distributed, and adjacent points
    /// are far apart.
    pub(super) fn day(&self, stretch: u64, random: &mut Random) -> Day {
        let point = stretch.wrapping_mul(GOLDEN_RATIO);
        let chosen = self.months.at(point.wrapping_add(random.below(STRETCH_LENGTH)));
        let year = FIRST_YEAR + (chosen.index / 12) as u16;
        let month = (chosen.index % 12) as u8 + 1;
        let day = (u64::from(length_of(year, month)) * chosen.within / chosen.weight) as u8 + 1;
        Day { year, month, day }
    }
}

fn length_of(year: u16, month: u8) -> u8 {
    let is_leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    match month {
        2 if is_leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_lie_in_the_period_and_exist() {
        let calendar = Calendar::new();
        let mut random = Random::new(1, "test", 0);
        let mut per_year = [0_u32; YEARS.len()];
        for number in 0..50_000 {
            let Day { year, month, day } = calendar.day(number / 100, &mut random);
            assert!((year, month) >= (1998, 7) && year <= LAST_YEAR && day >= 1 && day <= length_of(year, month));
            per_year[usize::from(year - FIRST_YEAR)] += 1;
        }
        assert!(per_year[22] > 3 * per_year[2] && per_year[1] > 2 * per_year[0], "{per_year:?}");
    }

    #[test]
    fn a_stretch_is_some_weeks_and_the_next_is_elsewhere() {
        let calendar = Calendar::new();
        let mut random = Random::new(1, "test", 0);
        let months = |stretch, random: &mut Random| {
            let days = (0..100).map(|_| calendar.day(stretch, random));
            days.map(|day| usize::from(day.year) * 12 + usize::from(day.month)).collect::<Vec<_>>()
        };
        for stretch in 1..100 {
            let (here, there) = (months(stretch, &mut random), months(stretch + 1, &mut random));
            assert!(here.iter().max().unwrap() - here.iter().min().unwrap() <= 20 || here.contains(&(1998 * 12 + 7)));
            assert!(here.iter().all(|month| !there.contains(month)));
        }
    }

    #[test]
    fn leap_years_have_their_day() {
        assert_eq!([length_of(2000, 2), length_of(2004, 2), length_of(2005, 2), length_of(2020, 4)], [29, 29, 28, 30]);
    }
}
