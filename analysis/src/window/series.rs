//! What one asks of a table of windows next: changes, moving means, shares, running totals, the largest, missing windows.
//!
//! All take the column of windows (`window_start` in a rollup) and the key columns that tell the series apart, keep the order of
//! the rows, and add a column or leave rows out. Nulls and NaN become null and count for nothing.

use std::collections::BTreeMap;

use model::{
    layout::column::{WINDOW_END, WINDOW_START},
    window::{WindowKind, WindowSpec},
};
use polars::prelude::{
    DataFrame, DataType, IdxCa, IdxSize, IntoColumn, IntoLazy, JoinArgs, JoinType, NamedFrom, Series,
    SortMultipleOptions, TimeUnit, col,
};

use super::{Spec, WindowError, assign::Times, keys::Keys};
use crate::load::Moment;

const DAY_MS: i64 = 86_400_000;
/// Rows that a filled frame may have.
const MOST_FILLED: usize = 10_000_000;

/// Adds `NAME_change`: the value less that of the window before, per key. Null where there is none before.
///
/// The window before is the row before; where windows may be missing, [`fill_windows`] first.
///
/// # Errors
/// When a column is missing, `value` holds no numbers, or the frame has a column of the new name.
///
/// ```
/// use analysis::{polars::prelude::{DataType, IntoLazy, col, df}, window::change};
///
/// let frame = df!("window_start" => [1, 1, 2], "movie" => ["A", "B", "A"], "reviews" => [5_i64, 7, 8])?;
/// let frame = frame.lazy().with_column(col("window_start").cast(DataType::Date)).collect()?;
/// let changes = change(&frame, "reviews", &["movie"])?;
/// let column = changes.column("reviews_change")?.f64()?.clone();
/// assert_eq!(column.iter().collect::<Vec<_>>(), [None, None, Some(3.0)]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn change(frame: &DataFrame, value: &str, keys: &[&str]) -> Result<DataFrame, WindowError> {
    let values = numbers(frame, value)?;
    let mut changes = vec![None; values.len()];
    for rows in in_time(frame, keys)? {
        for pair in rows.windows(2) {
            changes[pair[1]] = values[pair[1]].zip(values[pair[0]]).map(|(now, before)| now - before);
        }
    }
    with(frame, &format!("{value}_change"), changes)
}

/// Adds `NAME_moving_mean`: the mean of the value in this window and those before it, `windows` at most, per key. Null where all
/// of them are null.
///
/// # Errors
/// As [`change`].
///
/// ```
/// use analysis::{polars::prelude::{DataType, IntoLazy, col, df}, window::moving_mean};
///
/// let frame = df!("window_start" => [1, 2, 3], "reviews" => [2_i64, 4, 9])?;
/// let frame = frame.lazy().with_column(col("window_start").cast(DataType::Date)).collect()?;
/// let means = moving_mean(&frame, "reviews", 2, &[])?;
/// let column = means.column("reviews_moving_mean")?.f64()?.clone();
/// assert_eq!(column.iter().collect::<Vec<_>>(), [Some(2.0), Some(3.0), Some(6.5)]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn moving_mean(frame: &DataFrame, value: &str, windows: usize, keys: &[&str]) -> Result<DataFrame, WindowError> {
    let values = numbers(frame, value)?;
    let mut means = vec![None; values.len()];
    for rows in in_time(frame, keys)? {
        for last in 0..rows.len() {
            let first = (last + 1).saturating_sub(windows.max(1));
            // Summed anew each time: a running sum would carry rounding errors from window to window.
            let some: Vec<f64> = rows[first..=last].iter().filter_map(|row| values[*row]).collect();
            means[rows[last]] = (!some.is_empty()).then(|| some.iter().sum::<f64>() / some.len() as f64);
        }
    }
    with(frame, &format!("{value}_moving_mean"), means)
}

/// Adds `NAME_share`: the value over the sum of all rows of its window, 0 to 1. Null where that sum is 0.
///
/// # Errors
/// As [`change`].
///
/// ```
/// use analysis::{polars::prelude::{DataType, IntoLazy, col, df}, window::share};
///
/// let frame = df!("window_start" => [1, 1, 2], "movie" => ["A", "B", "A"], "reviews" => [1_i64, 3, 5])?;
/// let frame = frame.lazy().with_column(col("window_start").cast(DataType::Date)).collect()?;
/// let shares = share(&frame, "reviews")?;
/// let column = shares.column("reviews_share")?.f64()?.clone();
/// assert_eq!(column.iter().collect::<Vec<_>>(), [Some(0.25), Some(0.75), Some(1.0)]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn share(frame: &DataFrame, value: &str) -> Result<DataFrame, WindowError> {
    let values = numbers(frame, value)?;
    let mut shares = vec![None; values.len()];
    for rows in windows(frame)?.into_values() {
        let sum: f64 = rows.iter().filter_map(|row| values[*row]).sum();
        rows.iter().filter(|_| sum != 0.0).for_each(|row| shares[*row] = values[*row].map(|value| value / sum));
    }
    with(frame, &format!("{value}_share"), shares)
}

/// Adds `NAME_total`: the sum of the value up to and with this window, per key. Null where the value is.
///
/// # Errors
/// As [`change`].
///
/// ```
/// use analysis::{polars::prelude::{DataType, IntoLazy, col, df}, window::cumulative};
///
/// let frame = df!("window_start" => [1, 1, 2], "movie" => ["A", "B", "A"], "reviews" => [1_i64, 3, 5])?;
/// let frame = frame.lazy().with_column(col("window_start").cast(DataType::Date)).collect()?;
/// let totals = cumulative(&frame, "reviews", &["movie"])?;
/// let column = totals.column("reviews_total")?.f64()?.clone();
/// assert_eq!(column.iter().collect::<Vec<_>>(), [Some(1.0), Some(3.0), Some(6.0)]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn cumulative(frame: &DataFrame, value: &str, keys: &[&str]) -> Result<DataFrame, WindowError> {
    let values = numbers(frame, value)?;
    let mut totals = vec![None; values.len()];
    for rows in in_time(frame, keys)? {
        let mut total = 0.0;
        for row in rows {
            total += values[row].unwrap_or(0.0);
            totals[row] = values[row].map(|_| total);
        }
    }
    with(frame, &format!("{value}_total"), totals)
}

/// The `rows` rows of each window with the largest values, with their `rank` from 1, the largest first within its window; of
/// equal values the one that came first. Rows without a value have no rank and are left out.
///
/// # Errors
/// As [`change`].
///
/// ```
/// use analysis::{polars::prelude::{DataType, IntoLazy, col, df}, window::top_per_window};
///
/// let frame = df!("window_start" => [1, 1, 2], "movie" => ["A", "B", "A"], "reviews" => [1_i64, 3, 5])?;
/// let frame = frame.lazy().with_column(col("window_start").cast(DataType::Date)).collect()?;
/// let top = top_per_window(&frame, "reviews", 1)?;
/// assert_eq!(top.select(["movie", "rank"])?, df!("movie" => ["B", "A"], "rank" => [1_i64, 1])?);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn top_per_window(frame: &DataFrame, value: &str, rows: usize) -> Result<DataFrame, WindowError> {
    let values = numbers(frame, value)?;
    let (mut order, mut ranks) = (Vec::new(), Vec::new());
    for mut window in windows(frame)?.into_values() {
        window.retain(|row| values[*row].is_some());
        window.sort_by(|a, b| values[*b].unwrap_or_default().total_cmp(&values[*a].unwrap_or_default()));
        window.truncate(rows);
        ranks.extend(1..=window.len() as i64);
        order.extend(window.into_iter().map(|row| row as IdxSize));
    }
    let top = frame.take(&IdxCa::from_vec("".into(), order))?;
    added(top, Series::new("rank".into(), ranks))
}

/// Rows for the windows without events, from the first to the last window of the frame, for every key that it has, with
/// `window_end` where there is such a column: counts and everything else null. Ordered by window and keys.
///
/// `every` is the window of the rows: `month`, `15m` and the like.
///
/// # Errors
/// When that is no window that fills time without gaps or one in which no row's window begins, a column is missing, a window lies
/// beyond the years -9998 to 9998, or there would be more than ten million rows.
///
/// ```
/// use analysis::{polars::prelude::{DataType, IntoLazy, col, df}, window::fill_windows};
///
/// let frame = df!("window_start" => [1, 3], "movie" => ["A", "A"], "reviews" => [1_i64, 5])?;
/// let frame = frame.lazy().with_column(col("window_start").cast(DataType::Date)).collect()?;
/// let filled = fill_windows(&frame, "day", &["movie"])?;
/// let column = filled.column("reviews")?.i64()?.clone();
/// assert_eq!(column.iter().collect::<Vec<_>>(), [Some(1), None, Some(5)]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn fill_windows(frame: &DataFrame, every: &str, keys: &[&str]) -> Result<DataFrame, WindowError> {
    let spec = Spec::new(WINDOW_START, every)?;
    if matches!(spec.windows, WindowKind::Hopping(_) | WindowKind::Session { .. }) {
        return Err(WindowError::Window(every.to_owned()));
    }
    let times = Times::of(frame, WINDOW_START)?;
    // Labels of calendar windows are civil dates, whatever the type of their column.
    let windows = spec.windows_of(true);
    let (Some(first), Some(last)) = (times.millis.iter().flatten().min(), times.millis.iter().flatten().max()) else {
        return Ok(frame.clone());
    };
    let distinct = if keys.is_empty() { None } else { Some(distinct_rows(&frame.select(keys.iter().copied())?)?) };
    let count = distinct.as_ref().map_or(1, DataFrame::height);
    let mut starts = Vec::new();
    let mut window = windows.at_start(first);
    while window.start <= last {
        if starts.len() >= MOST_FILLED / count.max(1) {
            return Err(WindowError::TooMany { every: every.to_owned(), keys: count, most: MOST_FILLED });
        }
        starts.push(window.start);
        window = windows.at_start(window.end);
    }
    if let Some(start) = times.millis.iter().flatten().find(|start| starts.binary_search(start).is_err()) {
        return Err(WindowError::NoStart { every: every.to_owned(), start: Moment::of_millis(start) });
    }
    let series = labels(WINDOW_START, starts, frame.column(WINDOW_START)?.dtype())?;
    let on: Vec<_> = std::iter::once(WINDOW_START).chain(keys.iter().copied()).map(col).collect();
    let places = match distinct {
        None => series.into_frame(),
        Some(distinct) => every_pair(&series.into_frame(), &distinct)?,
    };
    let joined = JoinArgs { nulls_equal: true, ..JoinArgs::new(JoinType::Left) };
    let names: Vec<_> = frame.get_column_names().into_iter().map(|name| col(name.clone())).collect();
    let filled = places.lazy().join(frame.clone().lazy(), on.clone(), on.clone(), joined).select(names);
    let order = SortMultipleOptions::default().with_maintain_order(true);
    with_ends(filled.sort_by_exprs(on, order).collect()?, &windows)
}

/// Puts the ends of windows where they are null.
fn with_ends(mut frame: DataFrame, windows: &WindowSpec) -> Result<DataFrame, WindowError> {
    let Ok(known) = frame.column(WINDOW_END) else { return Ok(frame) };
    let starts = Times::of(&frame, WINDOW_START)?.millis;
    let ends: Vec<i64> = starts.iter().flatten().map(|start| windows.at_start(start).end).collect();
    let ends = labels(WINDOW_END, ends, known.dtype())?.into_column();
    let ends = known.zip_with(&known.is_not_null(), &ends)?;
    frame.with_column(ends)?;
    Ok(frame)
}

/// Milliseconds as dates or instants.
fn labels(name: &str, millis: Vec<i64>, kind: &DataType) -> Result<Series, WindowError> {
    let series = Series::new(name.into(), millis);
    Ok(match kind {
        DataType::Date => (series / DAY_MS).cast(&DataType::Int32)?.cast(&DataType::Date)?,
        kind => series.cast(&DataType::Datetime(TimeUnit::Milliseconds, None))?.cast(kind)?,
    })
}

/// Each row once, in order of appearance.
fn distinct_rows(frame: &DataFrame) -> Result<DataFrame, WindowError> {
    let all: Vec<_> = frame.get_column_names().into_iter().map(|name| col(name.clone())).collect();
    Ok(frame.clone().lazy().group_by_stable(all.clone()).agg([]).select(all).collect()?)
}

/// Each row of the first with each of the second.
fn every_pair(first: &DataFrame, second: &DataFrame) -> Result<DataFrame, WindowError> {
    let (rows, times) = (first.height() as IdxSize, second.height() as IdxSize);
    let of_first = (0..rows).flat_map(|row| (0..times).map(move |_| row)).collect();
    let of_second = (0..rows).flat_map(|_| 0..times).collect();
    let mut pairs = first.take(&IdxCa::from_vec("".into(), of_first))?;
    pairs.hstack_mut(second.take(&IdxCa::from_vec("".into(), of_second))?.columns())?;
    Ok(pairs)
}

fn with(frame: &DataFrame, name: &str, values: Vec<Option<f64>>) -> Result<DataFrame, WindowError> {
    added(frame.clone(), Series::new(name.into(), values))
}

/// The frame with one more column.
fn added(mut frame: DataFrame, column: Series) -> Result<DataFrame, WindowError> {
    if frame.column(column.name()).is_ok() {
        return Err(WindowError::Taken(column.name().to_string()));
    }
    frame.with_column(column.into_column())?;
    Ok(frame)
}

/// The values of a column; NaN is none.
fn numbers(frame: &DataFrame, name: &str) -> Result<Vec<Option<f64>>, WindowError> {
    let column = frame.column(name).map_err(|_| WindowError::no_column(frame, name))?;
    if !column.dtype().is_primitive_numeric() {
        return Err(WindowError::wrong_type(column, "a value", "numbers"));
    }
    let values = column.cast(&DataType::Float64)?;
    Ok(values.f64()?.iter().map(|value| value.filter(|value| !value.is_nan())).collect())
}

/// The rows of each key in order of their windows; rows without a window are left out.
fn in_time(frame: &DataFrame, keys: &[&str]) -> Result<Vec<Vec<usize>>, WindowError> {
    let times = Times::of(frame, WINDOW_START)?;
    let mut known = Keys::new(&keys.iter().map(ToString::to_string).collect::<Vec<_>>());
    known.check(frame)?;
    let mut series: BTreeMap<u32, Vec<(i64, usize)>> = BTreeMap::new();
    for (row, (key, time)) in known.of_rows(frame)?.into_iter().zip(times.millis.iter()).enumerate() {
        series.entry(key).or_default().extend(time.map(|time| (time, row)));
    }
    let sorted = series.into_values().map(|mut rows| {
        rows.sort();
        rows.into_iter().map(|(_, row)| row).collect()
    });
    Ok(sorted.collect())
}

/// The rows of each window.
fn windows(frame: &DataFrame) -> Result<BTreeMap<i64, Vec<usize>>, WindowError> {
    let mut windows: BTreeMap<i64, Vec<usize>> = BTreeMap::new();
    for (row, time) in Times::of(frame, WINDOW_START)?.millis.iter().enumerate() {
        if let Some(time) = time {
            windows.entry(time).or_default().push(row);
        }
    }
    Ok(windows)
}

#[cfg(test)]
mod tests;
