//! Readable ticks on an axis of time, from milliseconds to centuries.
//!
//! Of a ladder of steps the smallest is taken whose labels do not touch. A label has a short line ("Apr", "06:00") and, where it
//! changes, the period it belongs to below ("2004", "3 Mar 2020").

use jiff::{SignedDuration, civil};
use model::calendar;

const SECOND: i64 = 1_000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// One tick; `at` in milliseconds since 1970-01-01T00:00:00Z.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct TimeTick {
    pub at: i64,
    pub label: String,
    pub period: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Step {
    Millis(i64),
    Months(i64),
}

const LADDER: [Step; 35] = [
    Step::Millis(1),
    Step::Millis(2),
    Step::Millis(5),
    Step::Millis(10),
    Step::Millis(20),
    Step::Millis(50),
    Step::Millis(100),
    Step::Millis(200),
    Step::Millis(500),
    Step::Millis(SECOND),
    Step::Millis(5 * SECOND),
    Step::Millis(15 * SECOND),
    Step::Millis(30 * SECOND),
    Step::Millis(MINUTE),
    Step::Millis(5 * MINUTE),
    Step::Millis(15 * MINUTE),
    Step::Millis(30 * MINUTE),
    Step::Millis(HOUR),
    Step::Millis(3 * HOUR),
    Step::Millis(6 * HOUR),
    Step::Millis(12 * HOUR),
    Step::Millis(DAY),
    Step::Millis(2 * DAY),
    Step::Millis(7 * DAY),
    Step::Months(1),
    Step::Months(3),
    Step::Months(6),
    Step::Months(12),
    Step::Months(2 * 12),
    Step::Months(5 * 12),
    Step::Months(10 * 12),
    Step::Months(20 * 12),
    Step::Months(50 * 12),
    Step::Months(100 * 12),
    Step::Months(1_000 * 12),
];

/// An axis that is to get ticks.
pub(crate) struct TimeAxis<'a> {
    /// First and last instant.
    pub range: (i64, i64),
    /// Its length in pixels.
    pub length: f32,
    /// Distance of the data in milliseconds: no ticks between data.
    pub finest: i64,
    /// Width of a text in pixels.
    pub width: &'a dyn Fn(&str) -> f32,
    /// Least distance between labels in pixels.
    pub gap: f32,
}

impl TimeAxis<'_> {
    /// The most ticks whose labels do not touch; none where not even one fits or no calendar reaches.
    pub fn ticks(&self) -> Vec<TimeTick> {
        let candidates = LADDER.iter().filter(|step| step.length() * 11 >= self.finest.saturating_mul(10));
        candidates.filter_map(|step| self.ticks_of(*step)).find(|ticks| self.fits(ticks)).unwrap_or_default()
    }

    fn ticks_of(&self, step: Step) -> Option<Vec<TimeTick>> {
        let (first, last) = self.range;
        let most = (self.length / self.gap.max(1.0)) as i64 + 2;
        if last.saturating_sub(first) / step.length() > most {
            return None;
        }
        let instants = step.instants(first, last);
        if instants.is_empty() {
            return None;
        }
        let mut previous = None;
        let label = |at: i64| {
            let (label, period) = step.label(at)?;
            let shown = period.clone().filter(|_| period != previous);
            previous = period;
            Some(TimeTick { at, label, period: shown })
        };
        instants.into_iter().map(label).collect()
    }

    fn fits(&self, ticks: &[TimeTick]) -> bool {
        let labels = ticks.iter().map(|tick| (tick.at, tick.label.as_str()));
        let periods = ticks.iter().filter_map(|tick| Some((tick.at, tick.period.as_deref()?)));
        self.apart(labels) && self.apart(periods)
    }

    /// Whether texts of one line, each centred on its instant, leave gaps.
    fn apart<'t>(&self, mut texts: impl Iterator<Item = (i64, &'t str)>) -> bool {
        let mut free_from = f32::NEG_INFINITY;
        texts.all(|(at, text)| {
            let (middle, half) = (self.pixel(at), (self.width)(text) / 2.0);
            let fits = middle - half >= free_from;
            free_from = middle + half + self.gap;
            fits
        })
    }

    fn pixel(&self, at: i64) -> f32 {
        let (first, last) = self.range;
        ((at - first) as f64 / (last - first).max(1) as f64) as f32 * self.length
    }
}

impl Step {
    /// In milliseconds; months count as long as the shortest that recur.
    fn length(self) -> i64 {
        match self {
            Self::Millis(millis) => millis,
            Self::Months(months) => months * 28 * DAY,
        }
    }

    /// Multiples of the step from `first` to `last`: weeks begin on Monday, years with the calendar. None where `first` lies beyond
    /// it, near the ends of what numbers there are.
    fn instants(self, first: i64, last: i64) -> Vec<i64> {
        let Some(date) = date_of(first) else {
            return Vec::new();
        };
        match self {
            Self::Millis(step) => {
                // 1970-01-05 was a Monday.
                let origin = if step == 7 * DAY { 4 * DAY } else { 0 };
                let start = (first - origin + step - 1).div_euclid(step) * step + origin;
                (start..=last).step_by(step as usize).collect()
            }
            Self::Months(step) => {
                let months = i64::from(date.year()) * 12 + i64::from(date.month()) - 1;
                let start = months.div_euclid(step) * step;
                (start..)
                    .step_by(step as usize)
                    .map_while(first_of_month)
                    .skip_while(|at| *at < first)
                    .take_while(|at| *at <= last)
                    .collect()
            }
        }
    }

    /// The short line and the period of a tick.
    fn label(self, at: i64) -> Option<(String, Option<String>)> {
        let civil = datetime_of(at)?;
        let (format, period) = match self {
            Self::Millis(step) if step < SECOND => ("%H:%M:%S%.3f", Some("%-d %b %Y")),
            Self::Millis(step) if step < MINUTE => ("%H:%M:%S", Some("%-d %b %Y")),
            Self::Millis(step) if step < DAY => ("%H:%M", Some("%-d %b %Y")),
            Self::Millis(_) => ("%-d %b", Some("%Y")),
            Self::Months(months) if months < 12 => ("%b", Some("%Y")),
            Self::Months(_) => ("%Y", None),
        };
        let text = |format: &str| civil.strftime(format).to_string();
        Some((text(format), period.map(text)))
    }
}

/// Milliseconds of the first day of a month, counted from year 0.
pub(crate) fn first_of_month(months: i64) -> Option<i64> {
    let year = i16::try_from(months.div_euclid(12)).ok()?;
    let month = i8::try_from(months.rem_euclid(12) + 1).ok()?;
    Some(calendar::day_of_date(civil::Date::new(year, month, 1).ok()?) * DAY)
}

/// The month of an instant, counted from year 0, where it is the first instant of one.
pub(crate) fn month_starting_at(millis: i64) -> Option<i64> {
    let date = date_of(millis)?;
    let month = i64::from(date.year()) * 12 + i64::from(date.month()) - 1;
    (first_of_month(month) == Some(millis)).then_some(month)
}

fn date_of(millis: i64) -> Option<civil::Date> {
    datetime_of(millis).map(civil::DateTime::date)
}

/// What a clock in UTC shows, on all days of the years -9999 to 9999.
fn datetime_of(millis: i64) -> Option<civil::DateTime> {
    civil::date(1970, 1, 1).at(0, 0, 0, 0).checked_add(SignedDuration::from_millis(millis)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn millis(date: &str) -> i64 {
        date.parse::<crate::load::Moment>().expect("a date").millis()
    }

    fn shown(from: &str, to: &str, length: f32, finest: i64) -> Vec<String> {
        let width = |text: &str| text.len() as f32 * 6.0;
        let axis = TimeAxis { range: (millis(from), millis(to)), length, finest, width: &width, gap: 12.0 };
        let text = |tick: TimeTick| match tick.period {
            Some(period) => format!("{}/{period}", tick.label),
            None => tick.label,
        };
        axis.ticks().into_iter().map(text).collect()
    }

    #[test]
    fn takes_the_smallest_step_whose_labels_do_not_touch() {
        assert_eq!(shown("1998-10", "2020-10", 340.0, 28 * DAY), ["2000", "2005", "2010", "2015", "2020"]);
        assert_eq!(shown("2018-11", "2019-12", 260.0, 28 * DAY), ["Jan/2019", "Apr", "Jul", "Oct"]);
        assert_eq!(
            shown("2020-02-27", "2020-03-03", 400.0, DAY),
            ["27 Feb/2020", "28 Feb", "29 Feb", "1 Mar", "2 Mar", "3 Mar"]
        );
        assert_eq!(
            shown("2020-01-01T20:00:00Z", "2020-01-02T08:00:00Z", 300.0, HOUR),
            ["21:00/1 Jan 2020", "00:00/2 Jan 2020", "03:00", "06:00"]
        );
        assert_eq!(shown("0850", "1950", 400.0, DAY).first().map(String::as_str), Some("0900"));
    }

    #[test]
    fn puts_no_ticks_between_the_data() {
        assert_eq!(shown("2019", "2021", 900.0, 366 * DAY), ["2019", "2020", "2021"]);
        assert_eq!(shown("2019-01", "2019-03", 900.0, 28 * DAY), ["Jan/2019", "Feb", "Mar"]);
    }

    #[test]
    fn weeks_begin_on_monday_and_years_before_1970_have_ticks() {
        assert_eq!(
            shown("2020-06-01", "2020-06-30", 300.0, DAY),
            ["1 Jun/2020", "8 Jun", "15 Jun", "22 Jun", "29 Jun"]
        );
        assert_eq!(shown("1950", "1970", 200.0, DAY), ["1950", "1955", "1960", "1965", "1970"]);
    }

    #[test]
    fn a_tenth_of_a_second_has_ticks() {
        let ticks = shown("2020-06-01T00:00:00.000Z", "2020-06-01T00:00:00.090Z", 400.0, 10);
        assert_eq!(ticks, ["00:00:00.000/1 Jun 2020", "00:00:00.020", "00:00:00.040", "00:00:00.060", "00:00:00.080"]);
    }

    #[test]
    fn a_single_instant_or_no_room_gives_at_most_one_tick() {
        assert_eq!(shown("2004-05", "2004-05", 300.0, 28 * DAY), ["May/2004"]);
        assert!(shown("1998", "2020", 3.0, DAY).len() <= 1);
    }

    #[test]
    fn instants_beyond_the_calendar_have_no_ticks_and_take_none_from_others() {
        let width = |text: &str| text.len() as f32 * 6.0;
        let ticks = |range, finest| TimeAxis { range, length: 400.0, finest, width: &width, gap: 12.0 }.ticks();
        let usual = millis("2020-09-13");
        for range in
            [(i64::MIN, usual), (usual, i64::MAX), (i64::MIN, i64::MAX), (i64::MIN, i64::MIN), (i64::MAX, i64::MAX)]
        {
            for finest in [0, DAY, i64::MAX] {
                assert!(ticks(range, finest).is_empty(), "{range:?} {finest}");
            }
        }
        // 31 December 9999, which stands for "never" in many tables.
        let never = 253_402_214_400_000;
        assert_eq!(ticks((usual, never), DAY).first().map(|tick| tick.label.as_str()), Some("3000"));
        let labels = |range| ticks(range, DAY).into_iter().map(|tick| tick.label).collect::<Vec<_>>();
        assert_eq!(labels((never - 2 * DAY, never)), ["29 Dec", "30 Dec", "31 Dec"]);
        assert_eq!(labels((-377_705_116_800_000, -377_705_116_800_000 + DAY)), ["1 Jan", "2 Jan"]);
    }

    #[test]
    fn months_are_recognised_by_their_first_instant() {
        assert_eq!(month_starting_at(millis("2004-05")), Some(2004 * 12 + 4));
        assert_eq!(month_starting_at(millis("2004-05-02")), None);
        assert_eq!(month_starting_at(millis("2004-05") + 1), None);
        assert_eq!(first_of_month(1969 * 12 + 11), Some(millis("1969-12")));
    }
}
