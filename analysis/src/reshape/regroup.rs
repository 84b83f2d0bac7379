//! Rollup rows added up to fewer keys or longer windows.
//!
//! What a column means decides how: counts, sums and histograms are added, the smallest minimum and the largest maximum stay, a
//! mean is the sum over the count again (never a mean of means). Standard deviations, quantiles and distinct counts cannot be had
//! from published rows and are left out.

use std::str::FromStr;

use model::layout::{Column, ColumnRole};
use polars::prelude::{
    DataFrame, DataType, Expr, IntoLazy, LazyFrame, NULL, SortMultipleOptions, TimeUnit, col, lit, when,
};

use super::ReshapeError;
use crate::load::Moment;

/// A calendar window to which dates are cut, in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Every {
    /// A day.
    Day,
    /// A week from Monday.
    Week,
    /// A month.
    Month,
    /// Three months from January, April, July or October.
    Quarter,
    /// A year.
    Year,
}

impl Every {
    const ALL: [Self; 5] = [Self::Day, Self::Week, Self::Month, Self::Quarter, Self::Year];

    /// The name on the command line: `year`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Day => "day",
            Self::Week => "week",
            Self::Month => "month",
            Self::Quarter => "quarter",
            Self::Year => "year",
        }
    }

    /// In the notation of polars.
    fn duration(self) -> &'static str {
        match self {
            Self::Day => "1d",
            Self::Week => "1w",
            Self::Month => "1mo",
            Self::Quarter => "1q",
            Self::Year => "1y",
        }
    }
}

impl FromStr for Every {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let known = || Self::ALL.map(Self::name).join(", ");
        let found = Self::ALL.into_iter().find(|every| every.name() == name);
        found.ok_or_else(|| format!("no window {name:?}; there are {}", known()))
    }
}

/// One row per value of `keys`, ordered by them in their order of importance; `columns` tell what the frame's columns mean.
///
/// With `every`, a date or instant among the keys is first cut to the start of its window. A session or another window shorter
/// than a day counts where it begins.
///
/// # Errors
/// When a key is not in the frame, polars cannot cut it, or a window of a day or more lies in two windows of `every`, as a
/// week does in two months; that can be seen where the frame has the column of the windows' ends.
pub fn regroup(
    frame: &DataFrame,
    columns: &[Column],
    keys: &[&str],
    every: Option<Every>,
) -> Result<DataFrame, ReshapeError> {
    let mut lazy = frame.clone().lazy();
    for key in keys {
        let column = frame.column(key).map_err(|_| ReshapeError::no_column(frame, key))?;
        if let (Some(every), DataType::Date | DataType::Datetime(..)) = (every, column.dtype()) {
            check_whole(frame, columns, key, every)?;
            lazy = lazy.with_column(col(*key).dt().truncate(lit(every.duration())));
        }
    }
    let in_frame = |column: &&Column| frame.column(&column.name).is_ok() && !keys.contains(&column.name.as_str());
    let columns: Vec<&Column> = columns.iter().filter(in_frame).collect();
    let sums: Vec<Expr> = columns.iter().filter_map(|column| combined(column)).collect();
    let means = columns.iter().filter_map(|column| mean(column, &columns));
    let kept = columns.iter().filter(|column| combined(column).is_some() || mean(column, &columns).is_some());
    let order: Vec<Expr> = keys.iter().copied().chain(kept.map(|column| column.name.as_str())).map(col).collect();
    let by: Vec<Expr> = keys.iter().copied().map(col).collect();
    let ascending = SortMultipleOptions::default().with_maintain_order(true);
    check_sums(&lazy, frame, &columns, &by)?;
    let grouped = lazy.group_by_stable(by.clone()).agg(sums).with_columns(means.collect::<Vec<_>>());
    Ok(grouped.select(order).sort_by_exprs(by, ascending).collect()?)
}

/// Refuses windows of which a part would be counted in the wrong window of `every`.
fn check_whole(frame: &DataFrame, columns: &[Column], start: &str, every: Every) -> Result<(), ReshapeError> {
    const DAY_MS: i64 = 86_400_000;
    let is_start = columns.iter().any(|column| column.role == ColumnRole::WindowStart && column.name == start);
    let end = columns.iter().find(|column| column.role == ColumnRole::WindowEnd);
    let Some(end) = end.filter(|end| is_start && frame.column(&end.name).is_ok()) else { return Ok(()) };
    let instant = match frame.column(start)?.dtype() {
        DataType::Datetime(_, zone) => DataType::Datetime(TimeUnit::Milliseconds, zone.clone()),
        _ => DataType::Datetime(TimeUnit::Milliseconds, None),
    };
    let millis = |name: &str| col(name).cast(instant.clone()).cast(DataType::Int64);
    let window_of = |millis: Expr| millis.cast(instant.clone()).dt().truncate(lit(every.duration()));
    let (first, end) = (millis(start), millis(&end.name));
    let straddles = window_of(first.clone()).neq(window_of(end.clone() - lit(1)));
    let whole_days = (end.clone() - first.clone()).gt_eq(lit(DAY_MS));
    let found = frame.clone().lazy().select([
        first.alias("start"),
        end.alias("end"),
        (straddles.and(whole_days)).alias("found"),
    ]);
    let found = found.filter(col("found")).limit(1).collect()?;
    let moment =
        |name: &str| Ok::<_, ReshapeError>(found.column(name)?.i64()?.iter().next().flatten().map(Moment::of_millis));
    match moment("start")?.zip(moment("end")?) {
        Some((start, end)) => Err(ReshapeError::Straddles { start, end, every: every.name() }),
        None => Ok(()),
    }
}

/// Refuses sums of integers that polars would wrap around.
fn check_sums(lazy: &LazyFrame, frame: &DataFrame, columns: &[&Column], by: &[Expr]) -> Result<(), ReshapeError> {
    const LIMIT: f64 = i64::MAX as f64;
    for Column { name, role, .. } in columns.iter().filter(|column| is_added(column.role)) {
        let too_large = || ReshapeError::TooLarge { column: name.clone() };
        match frame.column(name)?.dtype() {
            // Digits of integers beyond 64 bits.
            DataType::String if *role == ColumnRole::Sum => return Err(too_large()),
            kind if kind.is_integer() => {
                let sums = [col(name.as_str()).cast(DataType::Float64).sum()];
                let sums = lazy.clone().group_by_stable(by).agg(sums).collect()?;
                if sums.column(name)?.f64()?.iter().flatten().any(|sum| sum.abs() >= LIMIT) {
                    return Err(too_large());
                }
            }
            _ => {}
        }
    }
    Ok(())
}

fn is_added(role: ColumnRole) -> bool {
    matches!(role, ColumnRole::Count | ColumnRole::Sum | ColumnRole::Histogram | ColumnRole::Late)
}

/// How rows of a column are put together, where that is possible from the column alone.
fn combined(column: &Column) -> Option<Expr> {
    let values = col(column.name.as_str());
    match column.role {
        role if is_added(role) => Some(values.sum()),
        ColumnRole::Min => Some(values.min()),
        ColumnRole::Max => Some(values.max()),
        ColumnRole::IsFinal => Some(values.all(true)),
        _ => None,
    }
}

/// Sum over count of the same measure; null where nothing was counted.
fn mean(column: &Column, columns: &[&Column]) -> Option<Expr> {
    if column.role != ColumnRole::Mean {
        return None;
    }
    let of_measure = |role: ColumnRole| {
        columns
            .iter()
            .find(|other| other.role == role && other.measure == column.measure)
            .map(|other| col(other.name.as_str()))
    };
    let (sum, count) = (of_measure(ColumnRole::Sum)?, of_measure(ColumnRole::Count)?);
    let quotient = sum.cast(DataType::Float64) / count.clone().cast(DataType::Float64);
    Some(when(count.gt(lit(0))).then(quotient).otherwise(lit(NULL)).alias(column.name.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::layout::ColumnType;
    use polars::prelude::{Column as Values, df};

    fn column(name: &str, role: ColumnRole, measure: Option<&str>) -> Column {
        Column {
            name: name.into(),
            kind: ColumnType::Int,
            role,
            measure: measure.map(Into::into),
            relative_error: None,
        }
    }

    fn columns() -> Vec<Column> {
        vec![
            column("window_start", ColumnRole::WindowStart, None),
            column("movie", ColumnRole::Key, None),
            column("reviews", ColumnRole::Count, None),
            column("rated", ColumnRole::Count, Some("rating")),
            column("rating_sum", ColumnRole::Sum, Some("rating")),
            column("rating_mean", ColumnRole::Mean, Some("rating")),
            column("rating_min", ColumnRole::Min, Some("rating")),
            column("rating_p50", ColumnRole::Quantile, Some("rating")),
            column("is_final", ColumnRole::IsFinal, None),
        ]
    }

    fn frame() -> DataFrame {
        let frame = df!(
            // 2019-12-31, 2020-01-01, 2020-12-01, 2020-12-01
            "window_start" => [18_261_i32, 18_262, 18_597, 18_597],
            "movie" => ["A", "A", "A", "B"],
            "reviews" => [1_i64, 2, 3, 4],
            "rated" => [0_i64, 1, 3, 1],
            "rating_sum" => [0_i64, 10, 6, 1],
            "rating_mean" => [None, Some(10.0), Some(2.0), Some(1.0)],
            "rating_min" => [None, Some(10_i64), Some(1), Some(1)],
            "rating_p50" => [None, Some(10.0), Some(2.0), Some(1.0)],
            "is_final" => [true, true, false, true],
        );
        let dates = col("window_start").cast(DataType::Date);
        frame.expect("a frame").lazy().with_column(dates).collect().expect("dates")
    }

    #[test]
    fn a_sum_that_does_not_fit_is_refused_and_never_wraps_around() {
        let mut large = frame();
        large.replace("rating_sum", Values::new("rating_sum".into(), [0, i64::MAX, 1, 1])).expect("a column");
        let refused = |frame: &DataFrame, keys: &[&str], every| matches!(regroup(frame, &columns(), keys, every), Err(ReshapeError::TooLarge { column }) if column == "rating_sum");
        assert!(refused(&large, &["window_start"], Some(Every::Year)));
        let small: Vec<i64> = vec![0, 1 << 40, 1, 1];
        large.replace("rating_sum", Values::new("rating_sum".into(), small)).expect("a column");
        assert!(!refused(&large, &["window_start"], Some(Every::Year)));
        let digits = ["0", "18446744073709551616", "1", "1"];
        large.replace("rating_sum", Values::new("rating_sum".into(), digits)).expect("a column");
        assert!(refused(&large, &["movie"], None));
    }

    #[test]
    fn years_add_counts_and_divide_sums_again() {
        let years = regroup(&frame(), &columns(), &["window_start"], Some(Every::Year)).expect("years");
        let expected = df!(
            "window_start" => [17_897_i32, 18_262],
            "reviews" => [1_i64, 9],
            "rated" => [0_i64, 5],
            "rating_sum" => [0_i64, 17],
            "rating_mean" => [None, Some(3.4)],
            "rating_min" => [None, Some(1_i64)],
            "is_final" => [true, false],
        );
        let dates = col("window_start").cast(DataType::Date);
        let expected = expected.expect("a frame").lazy().with_column(dates).collect().expect("dates");
        assert_eq!(
            years,
            expected
                .select(["window_start", "reviews", "rated", "rating_sum", "rating_mean", "rating_min", "is_final"])
                .expect("columns")
        );
    }

    #[test]
    fn other_keys_are_kept_apart_and_sorted() {
        let movies = regroup(&frame(), &columns(), &["movie"], None).expect("movies");
        let reviews = movies.select(["movie", "reviews"]).expect("columns");
        assert_eq!(reviews, df!("movie" => ["A", "B"], "reviews" => [6_i64, 4]).expect("a frame"));
    }

    #[test]
    fn a_key_that_is_not_there_is_named() {
        let error = regroup(&frame(), &columns(), &["film"], None).expect_err("no film").to_string();
        assert!(error.starts_with("the frame has no column \"film\""), "{error}");
    }

    #[test]
    fn weeks_that_lie_in_two_months_are_not_added_to_one() {
        // Monday 2020-01-27 to Monday 2020-02-03, and the week before.
        let columns = [
            column("window_start", ColumnRole::WindowStart, None),
            column("window_end", ColumnRole::WindowEnd, None),
            column("reviews", ColumnRole::Count, None),
        ];
        let frame = df!("window_start" => [18_281, 18_288], "window_end" => [18_288, 18_295], "reviews" => [1_i64, 2]);
        let frame = frame.expect("a frame");
        for (kind, per_day) in [
            (DataType::Date, 1),
            (DataType::Datetime(TimeUnit::Milliseconds, None), 86_400_000_i64),
            (DataType::Datetime(TimeUnit::Microseconds, None), 86_400_000_000),
        ] {
            let times = ["window_start", "window_end"].map(|name| match per_day {
                1 => col(name).cast(kind.clone()),
                _ => (col(name).cast(DataType::Int64) * lit(per_day)).cast(kind.clone()),
            });
            let weeks = frame.clone().lazy().with_columns(times).collect().expect("times");
            let error = regroup(&weeks, &columns, &["window_start"], Some(Every::Month)).expect_err("two months");
            assert_eq!(
                error.to_string(),
                "the window from 2020-01-27 to 2020-02-03 lies in two windows by month; take a table of shorter windows, such as days"
            );
            for (every, rows) in [(Every::Week, 2), (Every::Quarter, 1), (Every::Year, 1)] {
                let sums = regroup(&weeks, &columns, &["window_start"], Some(every)).expect("sums");
                assert_eq!(sums.height(), rows, "{every:?}");
            }
            // Cut by another time, or by none, a week is one row.
            assert!(regroup(&weeks, &columns, &["window_start"], None).is_ok());
        }
    }
}
