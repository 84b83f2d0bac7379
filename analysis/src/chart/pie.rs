//! Pies: shares of a whole, the largest clockwise from the top.

use std::{
    collections::{HashMap, HashSet},
    f64::consts::TAU,
};

use polars::prelude::DataFrame;

use super::{
    ChartError, data,
    legend::{self, Entry, Swatch},
    page::Page,
    palette::{self, CATEGORIES},
    scene::{Anchor, Color, Point, Rect},
};

/// Part of the width that a pie takes at most where its legend stands beside it.
const WIDEST_PIE: f32 = 0.5;

/// A slice per name; the rest is taken together.
#[derive(Debug, PartialEq)]
pub(crate) struct Slices(Vec<Slice>);

#[derive(Debug, PartialEq)]
struct Slice {
    name: String,
    value: f64,
    color: Color,
}

/// Names with their values, in the order of the frame's names.
pub(crate) fn parts(frame: &DataFrame, x: &str, y: &str) -> Result<Vec<(String, f64)>, ChartError> {
    if frame.height() == 0 {
        return Err(ChartError::NoRows);
    }
    let names = data::levels(frame, x, "x")?.into_names();
    let values = data::numbers(frame, y, "y")?;
    if values.iter().flatten().any(|value| *value < 0.0) {
        return Err(ChartError::Negative { column: y.to_owned() });
    }
    let mut taken = HashSet::new();
    let mut parts = Vec::new();
    for (place, value) in names.of_row.iter().zip(values) {
        let (Some(place), Some(value)) = (place, value) else { continue };
        let name = names.domain.describe(*place);
        if !taken.insert(place.to_bits()) {
            return Err(ChartError::Repeated { place: format!("{x} = {name}") });
        }
        parts.push((name, value));
    }
    data::refuse_unpaired(!parts.is_empty(), &[x, y])?;
    Ok(parts)
}

impl Slices {
    /// The largest values with a colour each, or those with a given colour; `None` where there is nothing to share.
    pub fn of(mut parts: Vec<(String, f64)>, given: &HashMap<&str, (usize, Color)>) -> Option<Self> {
        parts.retain(|(_, value)| *value > 0.0);
        parts.sort_by(|a, b| b.1.total_cmp(&a.1));
        if parts.iter().map(|part| part.1).sum::<f64>().is_infinite() {
            // Only shares are shown.
            let largest = parts[0].1;
            parts.iter_mut().for_each(|(_, value)| *value /= largest);
        }
        let color = |position: usize, name: &str| match given.is_empty() {
            true => CATEGORIES.get(position).copied().unwrap_or(palette::OTHERS),
            false => given.get(name).map_or(palette::OTHERS, |(_, color)| *color),
        };
        let slices = parts.into_iter().enumerate();
        let slices = slices.map(|(position, (name, value))| Slice { color: color(position, &name), name, value });
        let (rest, mut slices): (Vec<Slice>, Vec<Slice>) = slices.partition(|slice| slice.color == palette::OTHERS);
        if !rest.is_empty() {
            let name = format!("{} others", crate::format::count(rest.len() as u64));
            slices.push(Slice { name, value: rest.iter().map(|part| part.value).sum(), color: palette::OTHERS });
        }
        (!slices.is_empty()).then_some(Self(slices))
    }

    fn total(&self) -> f64 {
        self.0.iter().map(|slice| slice.value).sum()
    }
}

/// Draws the slices; each entry of the legend begins with its share.
pub(crate) fn draw(page: &mut Page, slices: &Slices) {
    let total = slices.total();
    let share = |value: f64| percent(value / total);
    // The share first: a long name is cut at its end.
    let entry = |slice: &Slice| Entry { name: format!("{} · {}", share(slice.value), slice.name), color: slice.color };
    let entries: Vec<Entry> = slices.0.iter().map(entry).collect();
    let area = beside_legend(page, &entries);
    let radius = (area.width().min(area.height()) / 2.0).max(4.0);
    let middle = Point { x: (area.left + area.right) / 2.0, y: (area.top + area.bottom) / 2.0 };
    let at = |turn: f64, radius: f32| Point {
        x: middle.x + radius * (turn * TAU).sin() as f32,
        y: middle.y - radius * (turn * TAU).cos() as f32,
    };
    let mut from = 0.0;
    for slice in &slices.0 {
        let to = from + slice.value / total;
        // A point for every two pixels of the rim.
        let steps = ((to - from) * TAU * f64::from(radius) / 2.0).ceil().max(2.0) as u32;
        let rim = (0..=steps).map(|step| at(from + (to - from) * f64::from(step) / f64::from(steps), radius));
        let whole = slices.0.len() == 1;
        page.scene.polygon(rim.chain((!whole).then_some(middle)).collect(), slice.color, 1.0);
        from = to;
    }
    if slices.0.len() > 1 {
        separate(page, slices, middle, &at, radius);
    }
    shares(page, slices, &at, radius);
}

/// A share in whole percents; a part is never `0 %`, and never all of it.
pub(crate) fn percent(share: f64) -> String {
    match 100.0 * share {
        percent if percent < 0.5 => "<1 %".to_owned(),
        percent if (99.5..100.0).contains(&percent) => ">99 %".to_owned(),
        percent => format!("{percent:.0} %"),
    }
}

/// Draws the legend where it has most room, which on a wide page is beside the pie, and gives what is left for the pie.
fn beside_legend(page: &mut Page, entries: &[Entry]) -> Rect {
    let free = page.free;
    let pie = Rect { right: free.left + free.height().min(free.width() * WIDEST_PIE), ..free };
    let beside = Rect { left: pie.right + 3.0 * page.gap(), ..free };
    if legend::column(page, entries, Swatch::Square, beside) {
        return pie;
    }
    legend::entries(page, entries, Swatch::Square);
    page.free
}

/// Lines of paper between the slices, beside none that they would hide.
fn separate(page: &mut Page, slices: &Slices, middle: Point, at: &impl Fn(f64, f32) -> Point, radius: f32) {
    const LEAST_RIM: f64 = 5.0;
    let total = slices.total();
    let is_wide = |slice: &Slice| slice.value / total * TAU * f64::from(radius) >= LEAST_RIM;
    let mut turn = 0.0;
    for (place, slice) in slices.0.iter().enumerate() {
        let before = place.checked_sub(1).unwrap_or(slices.0.len() - 1);
        if is_wide(slice) && is_wide(&slices.0[before]) {
            page.scene.line(vec![middle, at(turn, radius)], palette::PAPER, 1.5);
        }
        turn += slice.value / total;
    }
}

/// The share of every slice that is wide enough for it.
fn shares(page: &mut Page, slices: &Slices, at: &impl Fn(f64, f32) -> Point, radius: f32) {
    let mut from = 0.0;
    for slice in &slices.0 {
        let part = slice.value / slices.total();
        let text = percent(part);
        let room = part * TAU * f64::from(radius) * 0.68;
        if f64::from(page.width(&text) + page.gap()) < room && radius > page.label.size * 3.0 {
            let place = if slices.0.len() == 1 { at(0.0, 0.0) } else { at(from + part / 2.0, radius * 0.68) };
            page.label(text, place, Anchor::Middle, palette::ink_on(slice.color));
        }
        from += part;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_neither_nothing_nor_all() {
        assert_eq!(
            [0.000_1, 0.004_9, 0.006, 0.994, 0.999, 1.0].map(percent),
            ["<1 %", "<1 %", "1 %", "99 %", ">99 %", "100 %"]
        );
    }

    #[test]
    fn nulls_are_a_slice_and_values_below_zero_are_refused() {
        use polars::prelude::df;
        let frame = df!("k" => [Some("a"), None], "year" => [Some(2009), None], "n" => [203, 28]).expect("a frame");
        assert_eq!(parts(&frame, "k", "n").expect("parts"), [("a".to_owned(), 203.0), ("none".to_owned(), 28.0)]);
        assert_eq!(parts(&frame, "year", "n").expect("parts"), [("2009".to_owned(), 203.0), ("none".to_owned(), 28.0)]);
        let negative = df!("k" => ["a", "b"], "n" => [1, -1]).expect("a frame");
        assert!(matches!(parts(&negative, "k", "n"), Err(ChartError::Negative { .. })));
        let twice = df!("k" => [None::<&str>, None, Some("a")], "n" => [1, 1, 1]).expect("a frame");
        assert!(matches!(parts(&twice, "k", "n"), Err(ChartError::Repeated { .. })));
    }

    #[test]
    fn the_largest_get_a_colour_and_the_rest_is_one_slice() {
        let parts = (0..9).map(|part| (format!("p{part}"), f64::from(part))).collect();
        let slices = Slices::of(parts, &HashMap::new()).expect("slices");
        let names: Vec<&str> = slices.0.iter().map(|slice| slice.name.as_str()).collect();
        assert_eq!(names, ["p8", "p7", "p6", "p5", "p4", "p3", "2 others"]);
        assert_eq!(slices.total(), 36.0);
        assert_eq!(Slices::of(vec![("none".into(), 0.0)], &HashMap::new()), None);
    }
}
