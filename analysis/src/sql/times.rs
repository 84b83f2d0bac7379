//! Dates and instants as SQL has them: texts of one form each, `2020-05-31` and `2020-05-31 18:00:00` in UTC, so that they compare by
//! letters. A text of another form is brought into it.

use jiff::civil::Date;
use model::{
    calendar::{DAY_MS, day_of_date, first_instant_of},
    moment::{self, Reading},
};

use crate::format;

/// How a date or an instant can be written in a query.
pub(super) const FORMS: &str = "'2020-05-31', '2020-05-31 18:00:00' or '2020-05-31T18:00:00+02:00'";

/// What a text says of a time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Instant {
    millis: i64,
    /// Decimals of the second after the third, without zeros at their end.
    finer: String,
}

impl Instant {
    /// Reads a date, or an instant as [`moment::read`] does. A time without an offset is one in UTC.
    pub fn read(text: &str) -> Option<Self> {
        let text = text.trim();
        // Most texts are no times, and cheap to refuse.
        if text.len() < 10 || !text.starts_with(|first: char| first.is_ascii_digit() || matches!(first, '+' | '-')) {
            return None;
        }
        if text.len() == 10
            && let Ok(date) = text.parse::<Date>()
        {
            return Some(Self { millis: day_of_date(date) * DAY_MS, finer: String::new() });
        }
        let (Reading::Instant(millis) | Reading::Civil(millis)) = moment::read(text).ok()?;
        let decimals = text.find(['.', ',']).map_or("", |mark| &text[mark + 1..]);
        let decimals: String = decimals.chars().take_while(char::is_ascii_digit).skip(3).collect();
        Some(Self { millis, finer: decimals.trim_end_matches('0').to_owned() })
    }

    /// As [`read`](Self::read), and the first instant of a year or a month.
    pub fn first_of(text: &str) -> Option<Self> {
        let text = text.trim();
        let is_range = matches!(text.len(), 4 | 7) && text.starts_with(|first: char| first.is_ascii_digit());
        match is_range {
            true => Some(Self { millis: first_instant_of(text)?, finer: String::new() }),
            false => Self::read(text),
        }
    }

    /// The first instant of a year of four digits.
    pub fn of_year(year: i64) -> Option<Self> {
        (1_000..=9_999).contains(&year).then(|| Self::first_of(&year.to_string())).flatten()
    }

    /// The form of a date; `None` for an instant within a day.
    pub fn day(&self) -> Option<String> {
        let is_midnight = self.millis.rem_euclid(DAY_MS) == 0 && self.finer.is_empty();
        let day = i32::try_from(self.millis.div_euclid(DAY_MS)).ok().filter(|_| is_midnight)?;
        Some(format::date(day))
    }

    /// The form of an instant.
    pub fn text(&self) -> String {
        if self.finer.is_empty() {
            return format::exact_timestamp(self.millis);
        }
        let millis = self.millis.rem_euclid(1_000);
        format!("{}.{millis:03}{}", format::exact_timestamp(self.millis - millis), self.finer)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_form_becomes_one() {
        for (text, form) in [
            ("2024-02-01", "2024-02-01 00:00:00"),
            ("2024-02-01T00:00:00", "2024-02-01 00:00:00"),
            ("2024-02-01T01:30:00+01:30", "2024-02-01 00:00:00"),
            ("2024-02-01t00:00:00.25z", "2024-02-01 00:00:00.25"),
            (" 2024-02-01 00:00 ", "2024-02-01 00:00:00"),
            ("20240201T000000Z", "2024-02-01 00:00:00"),
            ("2024-02-01T01:00:00[Europe/Berlin]", "2024-02-01 00:00:00"),
            ("2024-02-01 10:00:00.123456789", "2024-02-01 10:00:00.123456789"),
            ("2024-02-01 10:00:00.0005000", "2024-02-01 10:00:00.0005"),
            ("1969-12-31T23:59:59.9999Z", "1969-12-31 23:59:59.9999"),
            ("9999-12-31T23:59:59Z", "9999-12-31 23:59:59"),
        ] {
            assert_eq!(Instant::read(text).map(|instant| instant.text()).as_deref(), Some(form), "{text}");
        }
        for text in ["2024", "2024-02", "20240201", "2024-2-1", "01.02.2024", "2024-02-30", "yesterday", "", "10:00"] {
            assert_eq!(Instant::read(text), None, "{text}");
        }
        assert_eq!(Instant::first_of("2024-02").and_then(|first| first.day()).as_deref(), Some("2024-02-01"));
        assert_eq!(Instant::of_year(1987).and_then(|first| first.day()).as_deref(), Some("1987-01-01"));
        assert_eq!((Instant::of_year(20_240_501), Instant::of_year(5)), (None, None));
    }

    proptest! {
        #[test]
        fn forms_go_by_letters_as_instants_do(a in 0_i64..4_000_000_000_000, b in 0_i64..4_000_000_000_000, near in -2_i64..3) {
            for b in [b, a + near, a.div_euclid(1_000) * 1_000] {
                let text = |millis: i64| Instant::read(&format!("{}Z", format::exact_timestamp(millis))).unwrap().text();
                prop_assert_eq!(a.cmp(&b), text(a).cmp(&text(b)));
            }
        }
    }
}
