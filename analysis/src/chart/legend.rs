//! What the colours mean, above the plot, where it covers no data.

use super::{
    font,
    page::Page,
    palette,
    scene::{Anchor, Color, Point, Rect},
};

/// One colour and its meaning.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Entry {
    pub name: String,
    pub color: Color,
}

/// The form in which a colour appears in the chart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Swatch {
    Line,
    Square,
}

/// Part of the free height that a legend may take.
const MOST_HEIGHT: f32 = 0.24;
/// Longest names as parts of the width, tried one after the other until all entries fit.
const LONGEST_NAMES: [f32; 7] = [0.6, 0.4, 0.31, 0.27, 0.24, 0.21, 0.18];
/// Names in a column have room for so many times the size of their letters.
const LEAST_EMS: f32 = 8.0;
/// Strips of a colour bar: more than the eye can tell apart at its length.
const STRIPS: u16 = 48;

/// Draws entries in reading order and takes their room from the top of the page. Where that would be more than a quarter of it, names
/// are shortened; what does not fit even then is counted.
pub(crate) fn entries(page: &mut Page, entries: &[Entry], swatch: Swatch) {
    if entries.is_empty() {
        return;
    }
    let flow = Flow::new(page, swatch);
    let places = flow.places(page, entries);
    for (entry, place) in entries.iter().zip(&places) {
        draw_entry(page, place.at, place.text.clone(), swatch, entry.color);
    }
    let left_out = entries.len() - places.len();
    let rows = places.last().map_or(0, |place| place.row + 1);
    if left_out > 0 {
        let at = Point { x: page.free.right, y: page.free.top + (rows as f32 - 0.5) * page.line_height() };
        page.label(format!("+ {left_out}"), at, Anchor::End, palette::MUTED);
    }
    page.free.top += rows as f32 * page.line_height() + page.gap();
}

/// Draws entries below one another in the middle of `area`'s height, names cut at its right edge. False, and nothing is drawn,
/// where they would not all fit.
pub(crate) fn column(page: &mut Page, entries: &[Entry], swatch: Swatch, area: Rect) -> bool {
    let height = entries.len() as f32 * page.line_height();
    let room = area.width() - mark(page, swatch) - text_gap(page);
    if height > area.height() || room < page.label.size * LEAST_EMS {
        return false;
    }
    let top = (area.top + area.bottom - height) / 2.0;
    for (row, entry) in entries.iter().enumerate() {
        let at = Point { x: area.left, y: top + (row as f32 + 0.5) * page.line_height() };
        draw_entry(page, at, font::shortened(&entry.name, page.label, room), swatch, entry.color);
    }
    true
}

/// Draws the ramp from `low` to `high` and takes its room from the top of the page.
pub(crate) fn color_bar(page: &mut Page, low: String, high: String) {
    let middle = page.free.top + page.line_height() / 2.0;
    let gap = page.gap();
    let mut x = page.free.left;
    let start = x + page.width(&low) + gap;
    let length = (page.free.width() * 0.25).clamp(60.0, 160.0).round();
    page.label(low, Point { x, y: middle }, Anchor::Start, palette::MUTED);
    let height = (page.label.size * 0.8).round();
    let strip = |position: u16| start + length * f32::from(position) / f32::from(STRIPS);
    for position in 0..STRIPS {
        let area = Rect {
            left: strip(position),
            top: middle - height / 2.0,
            right: strip(position + 1),
            bottom: middle + height / 2.0,
        };
        page.scene.rect(area.snapped(), palette::ramp(f64::from(position) / f64::from(STRIPS - 1)));
    }
    x = start + length + gap;
    page.label(high, Point { x, y: middle }, Anchor::Start, palette::MUTED);
    page.free.top += page.line_height() + gap;
}

struct Place {
    /// Left end, at half the height of the row.
    at: Point,
    row: usize,
    text: String,
}

/// Distances of a legend in pixels.
struct Flow {
    mark: f32,
    text_gap: f32,
    entry_gap: f32,
    most_rows: usize,
    /// Kept free at the end of the last row for the number of entries that do not fit.
    count: f32,
}

impl Flow {
    fn new(page: &Page, swatch: Swatch) -> Self {
        let rows = (page.free.height() * MOST_HEIGHT / page.line_height()) as usize;
        Self {
            mark: mark(page, swatch),
            text_gap: text_gap(page),
            entry_gap: page.label.size * 1.3,
            most_rows: rows.clamp(1, 3),
            count: page.width("+ 000") + page.gap(),
        }
    }

    /// Places of all entries with names as long as possible, or of as many as fit.
    fn places(&self, page: &Page, entries: &[Entry]) -> Vec<Place> {
        let longest = LONGEST_NAMES.map(|part| part * page.free.width() - self.mark);
        let complete = longest.iter().map(|longest| self.places_of(page, entries, *longest, 0.0));
        complete
            .into_iter()
            .find(|places| places.len() == entries.len())
            .unwrap_or_else(|| self.places_of(page, entries, longest[LONGEST_NAMES.len() - 1], self.count))
    }

    /// Places from left to right and down, names cut to `longest`, the last row ending `kept_free` before the others.
    fn places_of(&self, page: &Page, entries: &[Entry], longest: f32, kept_free: f32) -> Vec<Place> {
        let mut places = Vec::new();
        let (mut x, mut row) = (page.free.left, 0);
        for entry in entries {
            let text = font::shortened(&entry.name, page.label, longest);
            let width = self.mark + self.text_gap + page.width(&text);
            let end = if row + 1 == self.most_rows { page.free.right - kept_free } else { page.free.right };
            if x > page.free.left && x + width > end {
                (x, row) = (page.free.left, row + 1);
            }
            if row == self.most_rows {
                break;
            }
            let y = page.free.top + (row as f32 + 0.5) * page.line_height();
            places.push(Place { at: Point { x, y }, row, text });
            x += width + self.entry_gap;
        }
        places
    }
}

/// Length of a swatch.
fn mark(page: &Page, swatch: Swatch) -> f32 {
    match swatch {
        Swatch::Line => page.label.size * 1.4,
        Swatch::Square => page.label.size * 0.85,
    }
}

/// Between a swatch and its name.
fn text_gap(page: &Page) -> f32 {
    page.label.size * 0.45
}

fn draw_entry(page: &mut Page, at: Point, text: String, swatch: Swatch, color: Color) {
    let mark = mark(page, swatch);
    draw_swatch(page, at, mark, swatch, color);
    let at = Point { x: at.x + mark + text_gap(page), y: at.y };
    page.label(text, at, Anchor::Start, palette::MUTED);
}

fn draw_swatch(page: &mut Page, at: Point, mark: f32, swatch: Swatch, color: Color) {
    match swatch {
        Swatch::Line => {
            page.scene.line(vec![at, Point { x: at.x + mark, ..at }], color, 3.0);
        }
        Swatch::Square => {
            let half = mark / 2.0;
            let area = Rect { left: at.x, top: at.y - half, right: at.x + mark, bottom: at.y + half };
            page.scene.rect(area.snapped(), color);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn legend(names: &[String]) -> (Page, Vec<Place>) {
        let page = Page::new(400, 300, "", "");
        let entries: Vec<Entry> = names.iter().map(|name| Entry { name: name.clone(), color: palette::INK }).collect();
        let places = Flow::new(&page, Swatch::Square).places(&page, &entries);
        (page, places)
    }

    #[test]
    fn names_are_shortened_before_entries_are_left_out() {
        let names: Vec<String> = (0..7).map(|n| format!("{n}: a film with a name of its own")).collect();
        let (page, places) = legend(&names);
        assert!(places.len() == names.len() && places.iter().all(|place| place.row < 3));
        assert!(places.iter().all(|place| place.text.ends_with('…')));
        for place in &places {
            assert!(place.at.x + 10.0 + 5.0 + page.width(&place.text) <= page.free.right + 1.0, "{}", place.text);
        }
    }

    #[test]
    fn what_does_not_fit_leaves_room_for_its_count() {
        let names: Vec<String> = (0..40).map(|n| format!("A film with a name of its own, part {n}")).collect();
        let (page, places) = legend(&names);
        let last = places.last().expect("some entries");
        assert!(places.len() < names.len() && last.row == 2);
        assert!(last.at.x + 15.0 + page.width(&last.text) + page.width("+ 40") < page.free.right);
    }

    #[test]
    fn short_names_share_a_row() {
        let names: Vec<String> = (1..=10).map(|rating| rating.to_string()).collect();
        let (_, places) = legend(&names);
        assert!(places.len() == 10 && places.iter().all(|place| place.row == 0));
    }
}
