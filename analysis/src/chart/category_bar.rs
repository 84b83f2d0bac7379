//! Bars of names: one row each, in the order of the frame, name on the left and value at the end.

use super::{
    bar::{self, Stacks, value_labels},
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

/// Distances of the rows, in pixels.
struct Layout {
    area: Rect,
    row_height: f32,
    values: Scale,
}

/// Draws all series, each to the right of the one before; rows for which there is no height are counted below.
pub(crate) fn draw(page: &mut Page, set: &SeriesSet, names: &[String]) {
    let layers = set.layers();
    bar::legend_of(page, &layers);

    let mut stacks = Stacks::new(&layers);
    let left_out = cut(page, &mut stacks);
    if left_out > 0 {
        note(page, left_out);
    }
    let totals: Vec<f64> = stacks.stacks.iter().map(bar::Stack::top).collect();
    let labels = value_labels(&totals);
    let range = set.extent.values_with(stacks.range());
    let layout = Layout::new(page, names, &stacks, range, &labels);
    for (layer, series) in layers.iter().enumerate() {
        for (row, stack) in stacks.stacks.iter().enumerate() {
            let (from, to) = stack.pieces[layer];
            let area = layout.bar(row, from, to);
            if area.width() >= 1.0 {
                page.scene.rect(area, series.color);
            }
        }
    }
    for (row, stack) in stacks.stacks.iter().enumerate() {
        let name = names.get(stack.place as usize).map_or("", String::as_str);
        let value = if stack.has_value { labels[row].as_str() } else { "" };
        label_row(page, &layout, row, name, value, stack.top());
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
fn cut(page: &Page, stacks: &mut Stacks) -> usize {
    let fit = |height: f32| (height / (page.label.size * 1.2)).max(1.0) as usize;
    let all = stacks.stacks.len();
    if all > fit(page.free.height()) {
        stacks.stacks.truncate(fit(page.free.height() - page.line_height()));
    }
    all - stacks.stacks.len()
}

impl Layout {
    fn new(page: &Page, names: &[String], stacks: &Stacks, range: (f64, f64), labels: &[String]) -> Self {
        let shown = stacks.stacks.iter().filter_map(|stack| names.get(stack.place as usize));
        let names_width = font::widest(shown.map(String::as_str), page.label).min(page.free.width() * NAMES);
        let values_width = font::widest(labels.iter().map(String::as_str), page.label) + page.gap();
        // Rounded up, so that the longest name is not shortened for the sake of half a pixel.
        let area = Rect { left: (page.free.left + names_width + page.gap()).ceil(), ..page.free }.snapped();
        let negative = if range.0 < 0.0 { values_width } else { 0.0 };
        let positive = if range.1 > 0.0 { values_width } else { 0.0 };
        let values = Scale { values: range, pixels: (area.left + negative, area.right - positive) };
        let row_height = (area.height() / stacks.stacks.len().max(1) as f32).min(page.label.size * 2.6);
        Self { area, row_height, values }
    }

    fn middle(&self, row: usize) -> f32 {
        self.area.top + (row as f32 + 0.5) * self.row_height
    }

    fn bar(&self, row: usize, from: f64, to: f64) -> Rect {
        let height = (self.row_height * FILLED).floor().max(1.0);
        let top = (self.middle(row) - height / 2.0).round();
        let (from, to) = (self.values.at(from), self.values.at(to));
        Rect { left: from.min(to).round(), right: from.max(to).round(), top, bottom: top + height }
    }
}

fn label_row(page: &mut Page, layout: &Layout, row: usize, name: &str, value: &str, total: f64) {
    let (gap, y) = (page.gap(), layout.middle(row));
    let name = font::shortened(name, page.label, layout.area.left - gap - page.free.left);
    page.label(name, Point { x: layout.area.left - gap, y }, Anchor::End, palette::INK);
    let end = layout.values.at(total);
    let (x, anchor) = if total < 0.0 { (end - gap * 0.7, Anchor::End) } else { (end + gap * 0.7, Anchor::Start) };
    if !value.is_empty() {
        page.label(value.to_owned(), Point { x, y }, anchor, palette::MUTED);
    }
}

fn baseline(page: &mut Page, layout: &Layout, rows: usize) {
    let x = layout.values.at(0.0).round();
    let bottom = (layout.area.top + layout.row_height * rows as f32).round();
    page.scene.rect(Rect { left: x - 1.0, top: layout.area.top, right: x, bottom }, palette::BASELINE);
}
