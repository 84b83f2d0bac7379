//! What a picture does not show of its rows, or shows of rows that are not complete, as remarks below its subtitle.

use model::layout::column::IS_FINAL;
use polars::prelude::DataFrame;

use super::{
    Figure, Kind,
    data::{self, Domain},
    time_ticks,
};
use crate::format::{count, words};

/// Remarks on the rows of a figure, before rows for missing windows are added.
/// `given` is the figure with the frame as it was given.
pub(super) fn of(figure: &Figure, given: &Figure) -> Vec<String> {
    let mut notes = figure.meaning.notes.clone();
    notes.extend(rounded(figure, given));
    notes.extend(ranked(figure));
    notes.extend(open_windows(figure));
    notes.extend(left_out(figure));
    notes.extend(not_finite(figure));
    notes.extend(without_logarithm(figure));
    notes.extend(clock(figure));
    notes
}

/// `1 row`, `2,000 rows`.
pub(super) fn counted(number: u64, one: &str, several: &str) -> String {
    format!("{} {}", count(number), if number == 1 { one } else { several })
}

fn ranked(figure: &Figure) -> Option<String> {
    let (window, rows) = figure.meaning.ranked(&figure.frame)?;
    let first = rows.map_or_else(|| "first rows".to_owned(), |rows| format!("first {}", count(rows)));
    Some(format!("only the {first} of each {window} are in the table, not all"))
}

/// Integers that are drawn as floats.
fn rounded(figure: &Figure, given: &Figure) -> Option<String> {
    let is_float =
        |figure: &Figure, name: &str| figure.frame.column(name).is_ok_and(|column| column.dtype().is_float());
    let is_rounded =
        |name: &&str| is_float(figure, name) && (!is_float(given, name) || figure.meaning.is_integer(name));
    let names: Vec<String> = figure.values().into_iter().filter(is_rounded).map(words).collect();
    (!names.is_empty()).then(|| format!("{}: numbers beyond 64 bits, rounded to 15 digits", names.join(" and ")))
}

/// Rows without a place or a value. Names that are null have a place; a null on a line is a gap that can be seen.
fn left_out(figure: &Figure) -> Option<String> {
    let (x, y) = (figure.x_name(), figure.y.as_deref());
    let needed: Vec<&str> = match figure.kind {
        Kind::Line | Kind::Area => vec![x],
        Kind::StackedArea | Kind::Bar | Kind::StackedBar | Kind::Scatter | Kind::HeatMap => {
            [Some(x), y].into_iter().flatten().collect()
        }
        Kind::Histogram => vec![x],
        Kind::Box | Kind::Pie => y.into_iter().collect(),
    };
    let zero_is_nothing = figure.kind == Kind::Pie;
    let columns = needed.into_iter().filter_map(|name| Some((name, has_place(figure, name)?)));
    let columns: Vec<(&str, Vec<bool>)> = columns.filter(|(_, has_place)| has_place.contains(&false)).collect();
    let rows = (0..figure.frame.height()).filter(|row| columns.iter().any(|(_, has_place)| !has_place[*row])).count();
    let names: Vec<String> = columns.iter().map(|(name, _)| words(name)).collect();
    let rows_without = counted(rows as u64, "row", "rows");
    let verb = if rows == 1 { "is" } else { "are" };
    let or_zero = if zero_is_nothing { ", or with 0," } else { "" };
    (rows > 0).then(|| format!("{rows_without} without {}{or_zero} {verb} not shown", names.join(" or ")))
}

/// Whether each row has a place or value in a column; for a slice of a pie a value above zero.
fn has_place(figure: &Figure, name: &str) -> Option<Vec<bool>> {
    let frame = &figure.frame;
    let is_value = figure.y.as_deref() == Some(name) && figure.kind != Kind::HeatMap;
    let has_place = match is_value {
        true => data::numbers(frame, name, "y").ok()?,
        false => match data::levels(frame, name, "x").ok()? {
            // Rows of a heat map are names.
            levels if figure.kind == Kind::HeatMap && figure.y.as_deref() == Some(name) => levels.into_names().of_row,
            levels => levels.of_row,
        },
    };
    let is_slice = is_value && figure.kind == Kind::Pie;
    Some(has_place.into_iter().map(|place| place.is_some_and(|place| !is_slice || place > 0.0)).collect())
}

/// Values that lines and cells leave out like nulls, although they are some.
fn not_finite(figure: &Figure) -> Option<String> {
    let value = if figure.kind == Kind::HeatMap { &figure.color } else { &figure.y };
    let lines = matches!(figure.kind, Kind::Line | Kind::Area | Kind::HeatMap);
    let columns = [value, &figure.right].into_iter().flatten().filter(|_| lines);
    let values: usize = columns.filter_map(|name| Some(data::not_finite(figure.frame.column(name).ok()?))).sum();
    let text = counted(values as u64, "value that is NaN or infinite is", "values that are NaN or infinite are");
    (values > 0).then(|| format!("{text} not shown"))
}

fn without_logarithm(figure: &Figure) -> Option<String> {
    let values = data::numbers(&figure.frame, figure.y.as_deref().filter(|_| figure.log)?, "y").ok()?;
    let values = values.into_iter().flatten().filter(|value| *value <= 0.0).count();
    let text = counted(values as u64, "value of 0 or less has", "values of 0 or less have");
    (values > 0).then(|| format!("{text} no place on the logarithmic scale"))
}

/// The windows along the axis that may still change.
fn open_windows(figure: &Figure) -> Option<String> {
    let shows_windows = !matches!(figure.kind, Kind::Histogram | Kind::Box | Kind::Scatter | Kind::Pie);
    let x = figure.x_name();
    if !shows_windows || !figure.meaning.is_window_start(&figure.frame, x) {
        return None;
    }
    let places = data::places(&figure.frame, x, "x").ok()?;
    let windows = finality(&figure.frame, &places.of_row)?;
    let open: Vec<f64> = windows.iter().filter(|(_, is_final)| !is_final).map(|(place, _)| *place).collect();
    let all: Vec<f64> = windows.iter().map(|(place, _)| *place).collect();
    let name = |place: f64| window_name(&places.domain, &all, place);
    match (open.as_slice(), open.len() == windows.len()) {
        ([], _) => None,
        // Where lateness is not bounded no window is ever final, and old ones change no more.
        ([.., last], true) => Some(format!("the last window, {}, may not be complete", name(*last))),
        ([only], false) => Some(format!("the window {} is not final", name(*only))),
        ([first, ..], false) => {
            Some(format!("{} windows are not final, the first is {}", count(open.len() as u64), name(*first)))
        }
    }
}

/// Each window, ascending, and whether all of its rows are final.
fn finality(frame: &DataFrame, places: &[Option<f64>]) -> Option<Vec<(f64, bool)>> {
    let finality = frame.column(IS_FINAL).ok()?.bool().ok()?;
    let mut rows: Vec<(f64, bool)> =
        places.iter().zip(finality.iter()).filter_map(|(place, is_final)| Some(((*place)?, is_final?))).collect();
    // Rows that are not final come first.
    rows.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    rows.dedup_by_key(|row| row.0);
    Some(rows)
}

/// A window as briefly as its neighbours allow: a year, a month or a date.
fn window_name(domain: &Domain, all: &[f64], place: f64) -> String {
    let text = domain.describe(place);
    let months: Option<Vec<i64>> = all.iter().map(|place| time_ticks::month_starting_at(*place as i64)).collect();
    let end = match (domain, months) {
        (Domain::Time { .. }, Some(months)) if months.iter().all(|month| month.rem_euclid(12) == 0) => "-01-01",
        (Domain::Time { .. }, Some(_)) => "-01",
        _ => "",
    };
    text.strip_suffix(end).unwrap_or(&text).to_owned()
}

/// Whose hours the axis shows.
fn clock(figure: &Figure) -> Option<String> {
    let x =
        if matches!(figure.kind, Kind::Histogram | Kind::Box) { figure.x.as_deref() } else { Some(figure.x_name()) };
    let columns = [x, figure.by.as_deref(), figure.facet.as_deref()].into_iter().flatten();
    let clock = columns.filter_map(|name| data::places(&figure.frame, name, "x").ok()?.clock).next()?;
    Some(format!("hours of {clock}"))
}
