//! Columns of a histogram as rows: `rating_1..rating_10` becomes a column `rating` and a column of counts.

use std::{fmt, str::FromStr};

use polars::prelude::{Column, DataFrame, NamedFrom, Series};

use super::ReshapeError;

/// Neighbouring columns, written `rating_1..rating_10`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ColumnRange {
    first: String,
    last: String,
}

impl ColumnRange {
    /// What the names share before their numbers: `rating`.
    pub fn name(&self) -> Option<&str> {
        let (first, _) = split_number(&self.first)?;
        let (last, _) = split_number(&self.last)?;
        (first == last).then_some(first)
    }
}

impl FromStr for ColumnRange {
    type Err = ReshapeError;

    fn from_str(text: &str) -> Result<Self, ReshapeError> {
        match text.split_once("..") {
            Some((first, last)) if !first.is_empty() && !last.is_empty() => {
                Ok(Self { first: first.to_owned(), last: last.to_owned() })
            }
            _ => Err(ReshapeError::Range(text.to_owned())),
        }
    }
}

impl fmt::Display for ColumnRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}..{}", self.first, self.last)
    }
}

/// One row per row and column of `range`: the columns `keep`, the number at the end of the column's name, and its value as
/// `value`.
///
/// # Errors
/// When a column is missing, or the range is no histogram: names with a number at the end and equal before it.
///
/// ```
/// use analysis::{polars::prelude::df, reshape::unpivot};
///
/// let frame = df!("year" => [2019, 2020], "rating_1" => [5, 6], "rating_2" => [7, 8])?;
/// let long = unpivot(&frame, &"rating_1..rating_2".parse()?, &["year"], "reviews")?;
/// let expected = df!("year" => [2019, 2020, 2019, 2020], "rating" => [1_i64, 1, 2, 2], "reviews" => [5, 6, 7, 8])?;
/// assert_eq!(long, expected);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn unpivot(frame: &DataFrame, range: &ColumnRange, keep: &[&str], value: &str) -> Result<DataFrame, ReshapeError> {
    let refuse = || ReshapeError::NoHistogram { first: range.first.clone(), last: range.last.clone() };
    let find = |name: &str| frame.get_column_index(name).ok_or_else(|| ReshapeError::no_column(frame, name));
    let (first, last) = (find(&range.first)?, find(&range.last)?);
    let name = range.name().ok_or_else(refuse)?;
    let kept =
        keep.iter().map(|name| Ok(frame.columns()[find(name)?].clone())).collect::<Result<Vec<_>, ReshapeError>>()?;
    let columns = frame.columns().get(first..=last).ok_or_else(refuse)?;

    let mut long: Option<DataFrame> = None;
    for column in columns {
        let number = split_number(column.name()).filter(|(shared, _)| *shared == name).ok_or_else(refuse)?.1;
        let numbers = Series::new(name.into(), vec![number; frame.height()]);
        let mut part = kept.clone();
        part.push(Column::from(numbers));
        part.push(column.clone().with_name(value.into()));
        let part = DataFrame::new(frame.height(), part)?;
        match &mut long {
            None => long = Some(part),
            Some(long) => {
                long.vstack_mut(&part)?;
            }
        }
    }
    long.ok_or_else(refuse)
}

/// `rating_10` as `rating` and 10.
fn split_number(name: &str) -> Option<(&str, i64)> {
    let shared = name.trim_end_matches(|c: char| c.is_ascii_digit());
    let number = name[shared.len()..].parse().ok()?;
    Some((shared.trim_end_matches('_'), number))
}

#[cfg(test)]
mod tests {
    use super::*;
    use polars::prelude::df;

    fn range(text: &str) -> ColumnRange {
        text.parse().expect("a range")
    }

    #[test]
    fn only_a_histogram_can_be_unpivoted() {
        let frame = df!("rating_2" => [1], "reviews" => [1], "rating_1" => [1]).expect("a frame");
        for (text, reason) in [
            ("rating_2..rating_1", "is not a histogram"),
            ("rating_1..rating_2", "is not a histogram"),
            ("rating_2..reviews", "is not a histogram"),
            ("rating_1..rating_9", "no column \"rating_9\""),
        ] {
            let error = unpivot(&frame, &range(text), &[], "n").expect_err(text).to_string();
            assert!(error.contains(reason), "{text}: {error}");
        }
    }

    #[test]
    fn a_range_has_two_ends() {
        for text in ["rating_1", "..rating_2", "rating_1.."] {
            assert!(text.parse::<ColumnRange>().is_err(), "{text}");
        }
        assert_eq!(range("rating_1..rating_10").name(), Some("rating"));
        assert_eq!(range("rating_1..rating_10").to_string(), "rating_1..rating_10");
    }
}
