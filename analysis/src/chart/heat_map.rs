//! Heat maps: one cell per place of two axes, the darker the larger.

use std::collections::HashSet;

use polars::prelude::DataFrame;

use super::{
    ChartError,
    axes::{self, Frame, Plot},
    bar::{Slots, value_labels},
    data::{self, Domain},
    legend,
    page::Page,
    palette,
    scale::Scale,
    scene::{Anchor, Point, Rect},
    series::distinct,
    shared::{Extent, around},
};

/// Cells at least this large, in pixels, are set apart by a line of paper.
const APART: f32 = 7.0;

/// Columns by their role.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Roles<'a> {
    pub x: &'a str,
    pub y: &'a str,
    pub color: &'a str,
}

/// What a heat map shows.
#[derive(Debug, PartialEq)]
pub(crate) struct Cells {
    x: Domain,
    columns: Vec<f64>,
    /// Names of the rows, from the bottom.
    names: Vec<String>,
    cells: Vec<Cell>,
    /// Least and greatest value of charts that are to be compared with this one.
    values: Option<(f64, f64)>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
struct Cell {
    place: f64,
    /// From the bottom.
    row: usize,
    value: f64,
}

impl Cells {
    /// Numbers of the y column ascend from the bottom, names descend from the top in order of appearance.
    pub fn from_frame(frame: &DataFrame, roles: Roles<'_>) -> Result<Self, ChartError> {
        if frame.height() == 0 {
            return Err(ChartError::NoRows);
        }
        let x = data::places(frame, roles.x, "x")?;
        let y = data::levels(frame, roles.y, "y")?;
        let downwards = matches!(y.domain, Domain::Category(_));
        let y = y.into_names();
        let color = data::numbers(frame, roles.color, "color")?;

        let levels = distinct(y.of_row.iter().flatten().copied());
        let mut cells = Vec::new();
        let mut taken = HashSet::new();
        for ((place, level), value) in x.of_row.iter().zip(&y.of_row).zip(color) {
            let (Some(place), Some(level), Some(value)) = (*place, *level, value) else {
                continue;
            };
            if !taken.insert((place.to_bits(), level.to_bits())) {
                let place = x.domain.describe(place);
                let level = y.domain.describe(level);
                return Err(ChartError::Repeated { place: format!("{} = {place} and {} = {level}", roles.x, roles.y) });
            }
            let row = levels.binary_search_by(|known| known.total_cmp(&level)).unwrap_or_default();
            let row = if downwards { levels.len() - 1 - row } else { row };
            cells.push(Cell { place, row, value });
        }
        data::refuse_unpaired(!cells.is_empty(), &[roles.x, roles.y, roles.color])?;
        Ok(Self {
            columns: distinct(x.of_row.into_iter().flatten()),
            names: names_upwards(&levels, &y.domain, downwards),
            x: x.domain,
            cells,
            values: None,
        })
    }

    /// Columns and rows.
    pub fn size(&self) -> (usize, usize) {
        (self.columns.len(), self.names.len())
    }

    /// The cells on the scales that several charts agree on.
    pub fn sharing(mut self, extent: &Extent) -> Self {
        self.columns = distinct(self.columns.into_iter().chain(extent.places.iter().copied()));
        self.values = extent.values;
        self
    }

    /// How far the cells reach.
    pub fn extent(&self) -> Extent {
        let places = if matches!(self.x, Domain::Category(_)) { Vec::new() } else { self.columns.clone() };
        Extent { values: Some(self.range()), places, ..Extent::default() }
    }

    /// From zero unless a value lies below it.
    fn range(&self) -> (f64, f64) {
        let values = self.cells.iter().map(|cell| cell.value);
        let own =
            values.fold((0.0, f64::NEG_INFINITY), |(low, high), value| (f64::min(low, value), f64::max(high, value)));
        self.values.map_or(own, |values| around(values, own))
    }
}

/// What the rows are called, from the bottom.
fn names_upwards(levels: &[f64], domain: &Domain, downwards: bool) -> Vec<String> {
    let mut names: Vec<String> = levels.iter().map(|level| domain.describe(*level)).collect();
    if downwards {
        names.reverse();
    }
    names
}

/// Draws the cells, the names of their rows and what the colours mean.
pub(crate) fn draw(page: &mut Page, cells: &Cells, x_name: &str) {
    let (low, high) = cells.range();
    let ends = page.numerals(value_labels(&[low, high]));
    legend::color_bar(page, ends[0].clone(), ends[1].clone());

    let slots = Slots::new(&cells.columns, &cells.x);
    let frame = Frame {
        domain: &cells.x,
        places: slots.range(),
        finest: slots.typical,
        tick_at: &|place| slots.middle(place),
        inset: 0.0,
        x_name,
        log: false,
        whole: false,
        right: None,
    };
    let plot = axes::rows(page, &frame, &cells.names);
    page.scene.rect(plot.area, palette::NO_VALUE);
    let values: Vec<f64> = cells.cells.iter().map(|cell| cell.value).collect();
    let labels = page.numerals(value_labels(&values));
    let labelled = labels_fit(page, &plot, cells, &slots, &labels);
    let shade = Scale { values: (low, high), pixels: (0.0, 1.0) };
    for (cell, label) in cells.cells.iter().zip(labels) {
        let color = palette::ramp(shade.at(cell.value).into());
        let area = cell_area(&plot, &slots, cell);
        page.scene.rect(area, color);
        if labelled {
            let middle = Point { x: (area.left + area.right) / 2.0, y: (area.top + area.bottom) / 2.0 };
            page.label(label, middle, Anchor::Middle, palette::ink_on_ramp(color));
        }
    }
}

/// On whole pixels, without the line of paper between large cells.
fn cell_area(plot: &Plot, slots: &Slots, cell: &Cell) -> Rect {
    let (left, right) = slots.edges(cell.place, plot);
    let (bottom, top) = (plot.y.at(cell.row as f64), plot.y.at(cell.row as f64 + 1.0));
    let area = Rect { left, top, right: right.max(left + 1.0), bottom }.snapped();
    let apart = |length: f32| if length >= APART { 1.0 } else { 0.0 };
    Rect { right: area.right - apart(area.width()), bottom: area.bottom - apart(area.height()), ..area }
}

/// Whether every cell has room for its value.
fn labels_fit(page: &Page, plot: &Plot, cells: &Cells, slots: &Slots, labels: &[String]) -> bool {
    cells.cells.iter().zip(labels).all(|(cell, label)| {
        let area = cell_area(plot, slots, cell);
        area.height() >= page.line_height() && area.width() >= page.width(label) + page.gap() / 2.0
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use polars::prelude::df;

    const ROLES: Roles<'_> = Roles { x: "x", y: "y", color: "n" };

    #[test]
    fn numbers_ascend_and_names_keep_their_order_from_the_top() {
        let frame = df!("x" => [1_i64, 1], "y" => [10_i64, 2], "n" => [5_i64, 6]).expect("a frame");
        assert_eq!(Cells::from_frame(&frame, ROLES).expect("cells").names, ["2", "10"]);
        let frame = df!("x" => [1_i64, 1], "y" => ["first", "second"], "n" => [5_i64, 6]).expect("a frame");
        assert_eq!(Cells::from_frame(&frame, ROLES).expect("cells").names, ["second", "first"]);
    }

    #[test]
    fn a_cell_without_a_value_is_not_drawn_and_one_with_two_is_refused() {
        let frame = df!("x" => [1_i64, 2], "y" => [1_i64, 1], "n" => [Some(5_i64), None]).expect("a frame");
        let cells = Cells::from_frame(&frame, ROLES).expect("cells");
        assert_eq!((cells.cells.len(), cells.columns), (1, vec![1.0, 2.0]));
        let frame = df!("x" => [1_i64, 1], "y" => [1_i64, 1], "n" => [5_i64, 6]).expect("a frame");
        let error = Cells::from_frame(&frame, ROLES).expect_err("two values").to_string();
        assert!(error.contains("several rows have x = 1 and y = 1"), "{error}");
    }
}
