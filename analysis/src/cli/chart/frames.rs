//! Rows on their way into a figure: which columns are keys, clocks of a zone, the largest groups.

use analysis::{
    chart::share,
    load::TableInfo,
    polars::prelude::{DataFrame, DataType, IntoLazy, TimeZone, col},
    reshape::{keep_highest, keep_largest},
};
use model::layout::ColumnRole;

/// Whether the column tells things apart that are no times.
pub(super) fn is_key(frame: &DataFrame, table: &TableInfo, name: &str) -> bool {
    let is_time = |kind: &DataType| matches!(kind, DataType::Date | DataType::Datetime(..));
    let key = table.columns.iter().any(|column| column.name == name && column.role == ColumnRole::Key);
    key && frame.column(name).is_ok_and(|column| !is_time(column.dtype()))
}

pub(super) fn is_text(frame: &DataFrame, column: &str) -> bool {
    frame.column(column).is_ok_and(|column| column.dtype() == &DataType::String)
}

/// Instants as those of the table's zone, so that its days are those of its clocks.
pub(super) fn in_zone(frame: &DataFrame, table: &TableInfo) -> anyhow::Result<DataFrame> {
    let mut frame = frame.clone();
    if table.time_zone == "UTC" {
        return Ok(frame);
    }
    let zone = TimeZone::opt_try_new(Some(table.time_zone.as_str()))?;
    for column in frame.columns().to_vec() {
        if let DataType::Datetime(unit, None) = column.dtype() {
            let zoned = DataType::Datetime(*unit, zone.clone());
            frame.with_column(column.cast(&DataType::Int64)?.cast(&zoned)?)?;
        }
    }
    Ok(frame)
}

/// The starts of calendar windows of a zone as the dates that they are.
pub(super) fn with_dates(frame: DataFrame, keys: &[&str]) -> anyhow::Result<DataFrame> {
    let is_zoned =
        |key: &&&str| frame.column(key).is_ok_and(|column| matches!(column.dtype(), DataType::Datetime(_, Some(_))));
    let dates: Vec<_> = keys.iter().filter(is_zoned).map(|key| col(*key).dt().date()).collect();
    Ok(frame.lazy().with_columns(dates).collect()?)
}

/// Rows of the `top` values of `column` with the largest sums of `value`, or the largest values where these do not add up; and which
/// these are of how many, where some are left out.
pub(super) fn largest(
    frame: &DataFrame,
    table: &TableInfo,
    [column, value]: [&str; 2],
    top: usize,
) -> anyhow::Result<(DataFrame, Option<String>)> {
    use ColumnRole::{Count, Histogram, Late, Sum};
    let role = table.columns.iter().find(|known| known.name == value).map(|known| known.role);
    let adds_up = role.is_none_or(|role| matches!(role, Count | Sum | Histogram | Late));
    let kept =
        if adds_up { keep_largest(frame, column, value, top)? } else { keep_highest(frame, column, value, top)? };
    let (all, shown) = (frame.column(column)?.n_unique()?, kept.column(column)?.n_unique()?);
    if shown == all {
        return Ok((kept, None));
    }
    let by = if adds_up { "with most" } else { "with the highest" };
    let mut note =
        format!("only {shown} of {all} values of {}, those {by} {}", column.replace('_', " "), value.replace('_', " "));
    if adds_up {
        note.push_str(&format!(": together {}", share(total(&kept, value)?, total(frame, value)?)));
    }
    if frame.column(column)?.null_count() > 0 && kept.column(column)?.null_count() == 0 {
        note.push_str("; rows without one are left out");
    }
    Ok((kept, Some(note)))
}

fn total(frame: &DataFrame, value: &str) -> anyhow::Result<f64> {
    Ok(frame.column(value)?.cast(&DataType::Float64)?.f64()?.iter().flatten().sum())
}
