//! Bars of names: one row each, in the order of the frame, name on the left and value at the end.

use super::{
    bar::{self, Arrangement, Stacks, value_labels},
    font,
    page::Page,
    palette,
    scale::Scale,
    scene::{Anchor, Point, Rect},
    series::SeriesSet,
};

/// Part of a row that its bar takes.
const FILLED: f32 = 0.72;
/// Part of the width that names may take.
const NAMES: f32 = 0.42;

/// Pixels that a bar takes at least.
const LEAST_BAR: f32 = 3.0;

/// Distances of the rows, in pixels.
struct Layout {
    area: Rect,
    row_height: f32,
    /// How many bars of a row stand below one another.
    parts: usize,
    values: Scale,
}

/// Draws all series, each to the right of the one before or below it; rows for which there is no height are counted below.
pub(crate) fn draw(page: &mut Page, set: &SeriesSet, arrangement: Arrangement, names: &[String]) {
    let layers = set.layers();
    bar::legend_of(page, &layers);

    let parts = if arrangement == Arrangement::Grouped { layers.len() } else { 1 };
    let mut stacks = Stacks::new(&layers, arrangement);
    let left_out = cut(page, &mut stacks, parts);
    if left_out > 0 {
        note(page, left_out);
    }
    // Values at the ends of bars: the last piece ends where its stack does.
    let labelled =
        |stack: &bar::Stack| stack.pieces[stack.pieces.len() - parts..].iter().map(|piece| piece.1).collect();
    let ends: Vec<Vec<f64>> = stacks.stacks.iter().map(labelled).collect();
    let labels = page.numerals(value_labels(&ends.concat()));
    let range = set.extent.values_with(stacks.range());
    let layout = Layout::new(page, names, &stacks, parts, range, &labels);
    for (layer, series) in layers.iter().enumerate() {
        for (row, stack) in stacks.stacks.iter().enumerate() {
            let (from, to) = stack.pieces[layer];
            let area = layout.bar(row, layer % parts, from, to);
            if area.width() >= 1.0 {
                page.scene.rect(area, series.color);
            }
        }
    }
    for (row, stack) in stacks.stacks.iter().enumerate() {
        let name = names.get(stack.place as usize).map_or("", String::as_str);
        name_row(page, &layout, row, name);
        for (part, end) in ends[row].iter().enumerate() {
            let is_value = if parts > 1 { stack.is_value[part] } else { stack.has_value() };
            if is_value && layout.has_room(page) {
                let y = layout.middle_of(row, part);
                label_bar(page, &layout, y, &labels[row * parts + part], *end);
            }
        }
    }
    baseline(page, &layout, stacks.stacks.len());
}

/// Says in the last line of the page how many rows are missing.
fn note(page: &mut Page, left_out: usize) {
    let text = format!("{} more not shown", crate::format::count(left_out as u64));
    let at = Point { x: page.free.left, y: page.free.bottom - page.line_height() / 2.0 };
    page.label(text, at, Anchor::Start, palette::MUTED);
    page.free.bottom -= page.line_height() + page.gap();
}

/// Takes out the rows that would be lower than a line of text; says how many.
fn cut(page: &Page, stacks: &mut Stacks, parts: usize) -> usize {
    let least = (page.label.size * 1.2).max(parts as f32 * LEAST_BAR / FILLED);
    let fit = |height: f32| (height / least).max(1.0) as usize;
    let all = stacks.stacks.len();
    if all > fit(page.free.height()) {
        stacks.stacks.truncate(fit(page.free.height() - page.line_height()));
    }
    all - stacks.stacks.len()
}

impl Layout {
    fn new(page: &Page, names: &[String], stacks: &Stacks, parts: usize, range: (f64, f64), labels: &[String]) -> Self {
        let shown = stacks.stacks.iter().filter_map(|stack| names.get(stack.place as usize));
        let names_width = font::widest(shown.map(String::as_str), page.label).min(page.free.width() * NAMES);
        let values_width = font::widest(labels.iter().map(String::as_str), page.label) + page.gap();
        // Rounded up, so that the longest name is not shortened for the sake of half a pixel.
        let area = Rect { left: (page.free.left + names_width + page.gap()).ceil(), ..page.free }.snapped();
        let negative = if range.0 < 0.0 { values_width } else { 0.0 };
        let positive = if range.1 > 0.0 { values_width } else { 0.0 };
        let values = Scale { values: range, pixels: (area.left + negative, area.right - positive) };
        let row_height =
            (area.height() / stacks.stacks.len().max(1) as f32).min(page.label.size * (1.2 + 1.4 * parts as f32));
        Self { area, row_height, parts, values }
    }

    fn middle(&self, row: usize) -> f32 {
        self.area.top + (row as f32 + 0.5) * self.row_height
    }

    /// The middle of a bar of a row.
    fn middle_of(&self, row: usize, part: usize) -> f32 {
        self.middle(row) + (part as f32 + 0.5 - self.parts as f32 / 2.0) * self.bar_height()
    }

    fn bar_height(&self) -> f32 {
        (self.row_height * FILLED / self.parts as f32).floor().max(1.0)
    }

    /// Whether every bar is high enough for its value.
    fn has_room(&self, page: &Page) -> bool {
        self.parts == 1 || self.bar_height() >= page.label.size * 0.9
    }

    /// A bar of a row, or one of its parts.
    fn bar(&self, row: usize, part: usize, from: f64, to: f64) -> Rect {
        let height = self.bar_height();
        let top = (self.middle(row) - height * self.parts as f32 / 2.0).round() + height * part as f32;
        let (from, to) = (self.values.at(from), self.values.at(to));
        Rect { left: from.min(to).round(), right: from.max(to).round(), top, bottom: top + height }
    }
}

fn name_row(page: &mut Page, layout: &Layout, row: usize, name: &str) {
    let (gap, y) = (page.gap(), layout.middle(row));
    let name = font::shortened(name, page.label, layout.area.left - gap - page.free.left);
    page.label(name, Point { x: layout.area.left - gap, y }, Anchor::End, palette::INK);
}

/// The value at the end of a bar that reaches from zero to there.
fn label_bar(page: &mut Page, layout: &Layout, y: f32, value: &str, end: f64) {
    let (gap, x) = (page.gap() * 0.7, layout.values.at(end));
    let (x, anchor) = if end < 0.0 { (x - gap, Anchor::End) } else { (x + gap, Anchor::Start) };
    page.label(value.to_owned(), Point { x, y }, anchor, palette::MUTED);
}

fn baseline(page: &mut Page, layout: &Layout, rows: usize) {
    let x = layout.values.at(0.0).round();
    let bottom = (layout.area.top + layout.row_height * rows as f32).round();
    page.scene.rect(Rect { left: x - 1.0, top: layout.area.top, right: x, bottom }, palette::BASELINE);
}
