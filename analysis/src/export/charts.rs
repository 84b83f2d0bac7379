//! The first chart of a table: how much there is over time, or of which keys there is most.

use polars::prelude::DataFrame;

use super::ExportError;
use crate::{
    chart::{Figure, heading},
    format::words,
    load::{ColumnRole, TableInfo},
    reshape::{keep_largest, regroup},
};

/// Bars that still have readable names.
const BARS: usize = 20;

/// Draws the table as `svg` and `png`; nothing where it has no rows, counts nothing, or its windows overlap and would be added up.
pub(crate) fn draw(table: &TableInfo, frame: &DataFrame) -> Result<Vec<(&'static str, Vec<u8>)>, ExportError> {
    let failed =
        |source: Box<dyn std::error::Error + Send + Sync>| ExportError::Chart { table: table.name.clone(), source };
    let Some(figure) = figure(table, frame).map_err(failed)? else {
        return Ok(Vec::new());
    };
    let svg = figure.svg().map_err(|error| failed(error.into()))?;
    let png = figure.png().map_err(|error| failed(error.into()))?;
    Ok(vec![("svg", svg.into_bytes()), ("png", png)])
}

fn figure(table: &TableInfo, frame: &DataFrame) -> Result<Option<Figure>, Box<dyn std::error::Error + Send + Sync>> {
    let start = table.columns.iter().find(|column| column.role == ColumnRole::WindowStart);
    let there = |name: &&str| frame.column(name).is_ok();
    let (Some(start), Some(count)) = (start, table.count_column().filter(there)) else {
        return Ok(None);
    };
    if frame.height() == 0 || frame.column(&start.name).is_err() {
        return Ok(None);
    }
    let key = table.keys().find(there);
    if key.is_some() && table.has_overlapping_windows() {
        return Ok(None);
    }
    Ok(Some(match key {
        Some(key) => {
            let sums = regroup(frame, &table.columns, &[key], None)?;
            let largest = keep_largest(&sums, key, count, BARS)?;
            let (counted, key_words) = (words(count), words(key));
            let title = format!("{}: most {counted}", heading(table, None));
            let figure = Figure::bar(&largest).table(table).x(key).y(count).title(title);
            let (all, shown) = (sums.height(), largest.height());
            let figure = if shown < all { figure.note(format!("only the {shown} largest of {all}")) } else { figure };
            match table.is_ranked() {
                true => figure.subtitle(format!("{counted} of the windows in which a {key_words} was among the first")),
                false => figure,
            }
        }
        None => {
            let title = heading(table, Some(&table.window));
            Figure::line(frame).table(table).x(start.name.as_str()).y(count).title(title)
        }
    }))
}
