//! Bounds of a time range as people write them.
//!
//! Everything is UTC. A bound without a time of day is its first instant: `2004` is 2004-01-01T00:00:00Z.

use std::{convert::Infallible, fmt, str::FromStr};

use jiff::{Timestamp, civil};

use model::calendar;

const MILLIS_PER_DAY: i64 = 86_400_000;

/// An instant in milliseconds since 1970-01-01T00:00:00Z, made from a date, a timestamp, a text or a year.
///
/// ```
/// use analysis::load::Moment;
///
/// let month: Moment = "2004-05".parse()?;
/// assert_eq!(month.to_string(), "2004-05-01");
/// assert_eq!(month, "2004-05-01".parse()?);
/// assert_eq!(Moment::try_from(2004)?, "2004-01-01".parse()?);
/// # Ok::<(), analysis::load::MomentError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(i64);

/// A text that is no moment.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a date; write 2004, 2004-05, 2004-05-31 or 2004-05-31T18:00:00Z")]
pub struct MomentError(pub(crate) String);

impl Moment {
    /// Milliseconds since 1970-01-01T00:00:00Z.
    pub fn millis(self) -> i64 {
        self.0
    }

    /// The instant so many milliseconds after 1970-01-01T00:00:00Z.
    pub(crate) fn of_millis(millis: i64) -> Self {
        Self(millis)
    }

    fn from_date(date: civil::Date) -> Self {
        Self(calendar::day_of_date(date) * MILLIS_PER_DAY)
    }
}

impl From<Timestamp> for Moment {
    fn from(instant: Timestamp) -> Self {
        Self(instant.as_millisecond())
    }
}

impl From<civil::Date> for Moment {
    fn from(date: civil::Date) -> Self {
        Self::from_date(date)
    }
}

impl TryFrom<&str> for Moment {
    type Error = MomentError;

    fn try_from(text: &str) -> Result<Self, MomentError> {
        text.parse()
    }
}

impl TryFrom<&String> for Moment {
    type Error = MomentError;

    fn try_from(text: &String) -> Result<Self, MomentError> {
        text.parse()
    }
}

/// A year, whose first instant is meant.
impl TryFrom<i32> for Moment {
    type Error = MomentError;

    fn try_from(year: i32) -> Result<Self, MomentError> {
        let first_day = i16::try_from(year).ok().and_then(|year| civil::Date::new(year, 1, 1).ok());
        first_day.map(Self::from_date).ok_or_else(|| MomentError(year.to_string()))
    }
}

impl From<Infallible> for MomentError {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}

impl FromStr for Moment {
    type Err = MomentError;

    fn from_str(text: &str) -> Result<Self, MomentError> {
        let text = text.trim();
        calendar::first_instant_of(text).map(Self).ok_or_else(|| MomentError(text.to_owned()))
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let time_of_day = self.0.rem_euclid(MILLIS_PER_DAY);
        match calendar::civil_of(self.0).filter(|_| time_of_day == 0) {
            Some(day) => write!(f, "{}", day.date()),
            None => f.write_str(&crate::format::timestamp(self.0)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_years_months_days_and_instants() {
        for (text, millis) in [
            ("1970", 0),
            ("1970-02", 31 * 86_400_000),
            ("1969-12-31", -86_400_000),
            ("1970-01-01T00:00:01Z", 1_000),
            ("1970-01-01T01:00:00+01:00", 0),
            ("9999-12-31", 253_402_214_400_000),
            ("9999-12-31T23:59:59Z", 253_402_300_799_000),
            ("0001-01-01", -62_135_596_800_000),
        ] {
            assert_eq!(text.parse::<Moment>().map(Moment::millis), Ok(millis), "{text}");
        }
    }

    #[test]
    fn is_written_as_a_date_where_it_is_one() {
        for text in ["1969-12-31", "2004-05-31T18:00:00Z", "1970-01-01", "9999-12-31", "9999-12-31T23:59:59Z"] {
            assert_eq!(text.parse::<Moment>().map(|moment| moment.to_string()), Ok(text.to_owned()));
        }
    }

    #[test]
    fn refuses_what_is_not_a_date_and_says_how_to_write_one() {
        for text in ["", "yesterday", "2004-13", "2004-02-30", "04-05-31", "2004-05-31T18:00"] {
            let error = text.parse::<Moment>().expect_err(text).to_string();
            assert!(error.contains("write 2004, 2004-05"), "{error}");
        }
    }
}
