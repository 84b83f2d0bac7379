//! From the frame that a figure was given to the one that is drawn: hours in the table's zone, keys as names, rows for missing
//! windows, and what is to be said about the rows.

use polars::prelude::{Column, DataFrame, DataType, PolarsError, SortMultipleOptions};

use super::{
    ChartError, Figure, Kind, data,
    gaps::{self, Filled, Lines, Windows},
    notes,
};
use crate::reshape;

/// Numbers that are read as years.
const YEARS: std::ops::RangeInclusive<i64> = 1_000..=2_999;
/// Keys of neighbouring whole numbers that are a scale, such as ratings, and no names.
const MOST_LEVELS: usize = 24;

impl Figure {
    /// The figure of the rows that are drawn, which says what is to be said about them.
    pub(super) fn prepared(&self) -> Result<Self, ChartError> {
        let mut figure = self.clone();
        if figure.frame.height() == 0 {
            return Ok(figure);
        }
        figure.refuse_no_sum()?;
        let failed = |error: PolarsError| ChartError::Draw(error.to_string());
        figure.frame = figure.with_floats().map_err(failed)?;
        figure.frame = figure.in_zone().map_err(failed)?;
        figure.frame = figure.with_names().map_err(failed)?;
        figure.remarks = notes::of(&figure, self);
        if let Some(Filled { frame, windows }) = figure.filled().map_err(failed)? {
            figure.remarks.extend(figure.note_on_missing(windows));
            figure.frame = frame;
        }
        Ok(figure)
    }

    /// Values of more than 64 bits, which a frame has as digits, as floats.
    fn with_floats(&self) -> Result<DataFrame, PolarsError> {
        let mut frame = self.frame.clone();
        for name in self.values() {
            let Ok(column) = frame.column(name) else { continue };
            if reshape::has_long_digits(column) {
                let floats = column.cast(&DataType::Float64)?;
                frame.with_column(floats)?;
            }
        }
        Ok(frame)
    }

    /// The columns that are drawn by their numbers.
    pub(super) fn values(&self) -> Vec<&str> {
        let is_measured = matches!(self.kind, Kind::Histogram | Kind::Scatter);
        let x = self.x.as_deref().filter(|x| is_measured && !self.meaning.is_key(&self.frame, x, || false));
        let y = self.y.as_deref().filter(|_| self.kind != Kind::HeatMap);
        [x, y, self.color.as_deref(), self.right.as_deref()].into_iter().flatten().collect()
    }

    /// Instants along the axis with the zone of the table, as whose clocks they are shown.
    fn in_zone(&self) -> Result<DataFrame, PolarsError> {
        let mut frame = self.frame.clone();
        let zone = self.meaning.zone().and_then(|zone| polars::prelude::TimeZone::opt_try_new(Some(zone)).ok()?);
        for name in [Some(self.x_name()), self.by.as_deref(), self.facet.as_deref()].into_iter().flatten() {
            let Ok(column) = frame.column(name) else { continue };
            if let (Some(zone), DataType::Datetime(unit, None)) = (&zone, column.dtype()) {
                let zoned = DataType::Datetime(*unit, Some(zone.clone()));
                let column = column.cast(&DataType::Int64)?.cast(&zoned)?;
                frame.with_column(column)?;
            }
        }
        Ok(frame)
    }

    /// Keys of whole numbers that are no scale as texts: the distance of two of them says nothing.
    fn with_names(&self) -> Result<DataFrame, PolarsError> {
        let mut frame = self.frame.clone();
        let is_bar = || matches!(self.kind, Kind::Bar | Kind::StackedBar);
        let is_key = |frame: &DataFrame, name: &str| {
            let whole = frame.column(name).is_ok_and(|column| column.dtype().is_integer());
            whole && self.meaning.is_key(frame, name, is_bar)
        };
        let x = self.x_name();
        let (measured, named) = (self.kind == Kind::Histogram, matches!(self.kind, Kind::Pie | Kind::Box));
        if !measured && !named && is_key(&frame, x) && !are_years(frame.column(x)?) {
            if !is_bar() {
                frame = frame.sort([x], SortMultipleOptions::default().with_maintain_order(true))?;
            }
            let names = frame.column(x)?.cast(&DataType::String)?;
            frame.with_column(names)?;
        }
        if let Some(by) = self.by.as_deref().filter(|by| *by != x && is_key(&frame, by)) {
            let column = frame.column(by)?;
            if !are_years(column) && !are_neighbours(column) {
                let names = column.cast(&DataType::String)?;
                frame.with_column(names)?;
            }
        }
        Ok(frame)
    }

    /// The frame with rows for windows that have none, where lines would run over them.
    fn filled(&self) -> Result<Option<Filled>, PolarsError> {
        let is_line = matches!(self.kind, Kind::Line | Kind::Area | Kind::StackedArea);
        // As wide as windows are, and not as the distance of those that have rows.
        let is_cell = matches!(self.kind, Kind::Bar | Kind::StackedBar | Kind::HeatMap);
        let x = self.x_name();
        if !(is_line || is_cell) || self.frame.column(x).is_err() || !self.meaning.is_window_start(&self.frame, x) {
            return Ok(None);
        }
        let row = self.color.as_ref().and(self.y.as_deref());
        let value = self.color.as_deref().or(self.y.as_deref());
        let keys: Vec<&str> = [self.by.as_deref(), self.facet.as_deref(), row].into_iter().flatten().collect();
        let values: Vec<&str> = [value, self.right.as_deref()].into_iter().flatten().collect();
        let all: Vec<&str> = [x].into_iter().chain(keys.iter().copied()).chain(values.iter().copied()).collect();
        let are_apart = all.iter().enumerate().all(|(place, name)| !all[..place].contains(name));
        if !are_apart || all.iter().any(|name| self.frame.column(name).is_err()) {
            return Ok(None);
        }
        let Some(starts) = self.frame.column(x).ok().and_then(gaps::millis) else { return Ok(None) };
        let windows = match self.meaning.window() {
            Some(kind) => Windows::of_table(kind),
            None => Windows::of_rows(&self.frame, &starts),
        };
        let Some(windows) = windows else { return Ok(None) };
        let is_zero = |name: &&str| is_line && !self.log && self.meaning.is_zero_where_missing(&self.frame, name);
        let values: Vec<(&str, bool)> = values.iter().map(|name| (*name, is_zero(name))).collect();
        let series = series_of(&self.frame, &keys);
        gaps::filled(&self.frame.select(all.iter().copied())?, &Lines { x, series: &series, values: &values }, &windows)
    }

    fn note_on_missing(&self, windows: u64) -> Option<String> {
        let value = self.color.as_deref().or(self.y.as_deref())?;
        let is_zero = !self.log && self.meaning.is_zero_where_missing(&self.frame, value);
        let is_cell = matches!(self.kind, Kind::Bar | Kind::StackedBar | Kind::HeatMap);
        let shown = match is_zero {
            // No bar is a bar of 0.
            true if is_cell => return None,
            true => "shown as 0",
            false if self.kind == Kind::StackedArea => "shown as 0",
            false => "left as gaps",
        };
        (windows > 0)
            .then(|| format!("{} {shown}", notes::counted(windows, "window without rows", "windows without rows")))
    }
}

/// A number per row that tells the series apart.
fn series_of(frame: &DataFrame, keys: &[&str]) -> Vec<u64> {
    let levels = |key: &&str| data::levels(frame, key, "by").ok().map(|levels| levels.of_row);
    let levels: Vec<Vec<Option<f64>>> = keys.iter().filter_map(levels).collect();
    let mut known = std::collections::HashMap::new();
    let mut number = |row: usize| {
        let key: Vec<Option<u64>> = levels.iter().map(|level| level[row].map(f64::to_bits)).collect();
        let next = known.len() as u64;
        *known.entry(key).or_insert(next)
    };
    (0..frame.height()).map(&mut number).collect()
}

fn whole_numbers(column: &Column) -> Vec<i64> {
    let numbers = column.cast(&DataType::Int64).ok();
    numbers.as_ref().and_then(|numbers| numbers.i64().ok()).map_or_else(Vec::new, |n| n.iter().flatten().collect())
}

/// Whether whole numbers are years: a scale with a meaning.
fn are_years(column: &Column) -> bool {
    let numbers = whole_numbers(column);
    !numbers.is_empty() && numbers.iter().all(|number| YEARS.contains(number))
}

/// Whether whole numbers are a few that follow one another.
fn are_neighbours(column: &Column) -> bool {
    let mut numbers = whole_numbers(column);
    numbers.sort_unstable();
    numbers.dedup();
    let close = |pair: &[i64]| pair[1].saturating_sub(pair[0]) <= 2;
    numbers.len() <= MOST_LEVELS && numbers.windows(2).all(close)
}
