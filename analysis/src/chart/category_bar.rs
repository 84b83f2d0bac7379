//! Bars of names: one row each, in the order of the frame, name on the left and value at the end.

use std::collections::HashSet;

use super::{
    bar::{self, Arrangement, Stack, Stacks, value_labels},
    font,
    page::Page,
    palette,
    pie::percent,
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

/// What the rows are.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rows<'a> {
    pub names: &'a [String],
    /// The place of nulls.
    pub null: Option<f64>,
    /// Whether values of several rows add up to a value of all of them.
    pub are_parts: bool,
}

/// Draws all series, each to the right of the one before or below it. Of rows for which there is no height the smallest are left out,
/// and what they amount to is said below.
pub(crate) fn draw(page: &mut Page, set: &SeriesSet, arrangement: Arrangement, rows: Rows<'_>) {
    let names = rows.names;
    let layers = set.layers();
    bar::legend_of(page, &layers);

    let parts = if arrangement == Arrangement::Grouped { layers.len() } else { 1 };
    let mut stacks = Stacks::new(&layers, arrangement);
    let all = stacks.total();
    let left_out = cut(page, &mut stacks, parts, rows);
    if !left_out.stacks.is_empty() {
        note(page, &left_out, all, rows);
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
        name_row(page, &layout, row, name_of(names, Some(stack.place)));
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

/// Says in the last line of the page how many rows are missing, and what they amount to: as briefly as its width demands.
fn note(page: &mut Page, left_out: &Stacks, all: f64, rows: Rows<'_>) {
    let count = format!("{} more not shown", crate::format::count(left_out.stacks.len() as u64));
    let has_null = left_out.stacks.iter().any(|stack| Some(stack.place) == rows.null);
    let count = if has_null { format!("{count}, {} too", name_of(rows.names, rows.null)) } else { count };
    let amount = match rows.are_parts {
        true => format!("together {}", share(left_out.total(), all)),
        false => format!("the largest {}", value_labels(&[left_out.farthest()]).concat()),
    };
    let text = format!("{count}, {amount}");
    let text = if page.width(&text) <= page.free.width() { text } else { count };
    let text = font::shortened(&text, page.label, page.free.width());
    let at = Point { x: page.free.left, y: page.free.bottom - page.line_height() / 2.0 };
    page.label(text, at, Anchor::Start, palette::MUTED);
    page.free.bottom -= page.line_height() + page.gap();
}

/// A part of a whole: `1,234 of 56,789 (2 %)`; without the percentage where it would say nothing, because values below zero are among
/// them.
pub fn share(part: f64, whole: f64) -> String {
    let labels = value_labels(&[part, whole]);
    let percent = if 0.0 < part && part <= whole { format!(" ({})", percent(part / whole)) } else { String::new() };
    format!("{} of {}{percent}", labels[0], labels[1])
}

fn name_of(names: &[String], place: Option<f64>) -> &str {
    place.and_then(|place| names.get(place as usize)).map_or("", String::as_str)
}

/// Takes out the smallest rows if all of them would be lower than a line of text. That of nulls stays.
fn cut(page: &Page, stacks: &mut Stacks, parts: usize, rows: Rows<'_>) -> Stacks {
    let least = (page.label.size * 1.2).max(parts as f32 * LEAST_BAR / FILLED);
    let fit = |height: f32| (height / least).max(1.0) as usize;
    let all = stacks.stacks.len();
    if all <= fit(page.free.height()) {
        return Stacks { stacks: Vec::new() };
    }
    let room = fit(page.free.height() - page.line_height() - page.gap());
    let stays = |stack: &Stack| room > 1 && stack.has_value() && Some(stack.place) == rows.null;
    let size = |stack: &Stack| if rows.are_parts { stack.size() } else { stack.farthest().abs() };
    let mut order: Vec<usize> = (0..all).collect();
    let key = |place: &usize| (stays(&stacks.stacks[*place]), size(&stacks.stacks[*place]));
    order.sort_by(|a, b| key(b).0.cmp(&key(a).0).then(key(b).1.total_cmp(&key(a).1)));
    let shown: HashSet<usize> = order.into_iter().take(room).collect();
    let numbered = std::mem::take(&mut stacks.stacks).into_iter().enumerate();
    let (shown, left_out): (Vec<_>, Vec<_>) = numbered.partition(|(place, _)| shown.contains(place));
    let plain = |stacks: Vec<(usize, Stack)>| stacks.into_iter().map(|(_, stack)| stack).collect();
    stacks.stacks = plain(shown);
    Stacks { stacks: plain(left_out) }
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
