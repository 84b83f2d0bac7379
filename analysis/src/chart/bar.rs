//! Upright bars over time or numbers: plain, side by side or stacked.
//!
//! A bar takes the slot from its place to the next one: a month's bar is a month wide, and a missing month is a gap. Names have no
//! order of their own and need room: they become rows, see [`super::category_bar`].

use super::{
    axes::{self, Frame, Plot},
    data::{Domain, MILLIS_PER_DAY},
    legend::{self, Entry, Swatch},
    page::Page,
    palette,
    scene::{Anchor, Point, Rect},
    series::{Series, SeriesSet, distinct},
    time_ticks::{first_of_month, month_starting_at},
};

/// Bars narrower than this, in pixels, stand without gaps: a silhouette instead of stripes.
const LEAST_SLOT: f32 = 5.0;
/// Part of a slot that its bar takes.
const FILLED: f32 = 0.8;

/// Where the tick of a bar stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TickAt {
    /// Below the bar, which stands for one place.
    Middle,
    /// Where the bar starts, which stands for all from there to the next tick.
    Edge,
}

/// How the bars of one place stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Arrangement {
    /// Each on top of the one before.
    Stacked,
    /// Side by side.
    Grouped,
}

/// Draws all series.
pub(crate) fn draw(page: &mut Page, set: &SeriesSet, arrangement: Arrangement, x_name: &str) {
    let slots = Slots::new(&set.places(), &set.domain);
    draw_in(page, set, arrangement, x_name, &slots, TickAt::Middle);
}

/// As [`draw`], in slots that do not follow from the places.
pub(crate) fn draw_in(
    page: &mut Page,
    set: &SeriesSet,
    arrangement: Arrangement,
    x_name: &str,
    slots: &Slots,
    tick_at: TickAt,
) {
    let layers = set.layers();
    legend_of(page, &layers);

    let frame = Frame {
        domain: &set.domain,
        places: slots.range(),
        finest: slots.typical,
        tick_at: &|place| if tick_at == TickAt::Middle { slots.middle(place) } else { place },
        inset: 0.0,
        x_name,
        log: false,
        whole: set.is_whole(),
        right: None,
    };
    let stacks = Stacks::new(&layers, arrangement);
    let plot = axes::upright(page, &frame, set.extent.values_with(stacks.range()));
    let narrowest =
        slots.ends.iter().map(|(start, end)| plot.x.at(*end) - plot.x.at(*start)).fold(f32::INFINITY, f32::min);
    let grouped = arrangement == Arrangement::Grouped;
    for (layer, series) in layers.iter().enumerate() {
        let area = |(stack, piece): (&Stack, (f64, f64))| {
            let slot = slots.pixels(stack.place, &plot, narrowest);
            let (left, right) = if grouped { part(slot, layer, layers.len()) } else { slot };
            let (from, to) = (plot.y.at(piece.0), plot.y.at(piece.1));
            Rect { left, right, top: from.min(to), bottom: from.max(to) }
        };
        for area in merged(stacks.pieces(layer).map(area)) {
            draw_piece(page, area, series);
        }
    }
    axes::baseline(page, &plot);
    if layers.len() == 1 {
        values_above(page, &plot, &stacks, slots, narrowest);
    }
}

/// Colours of a stack, the topmost last.
pub(crate) fn legend_of(page: &mut Page, layers: &[Series]) {
    let named = layers.iter().filter(|series| !series.name.is_empty());
    let entries: Vec<Entry> = named.map(|series| Entry { name: series.name.clone(), color: series.color }).collect();
    legend::entries(page, &entries, Swatch::Square);
}

/// One of some equally wide parts of a slot, on whole pixels.
fn part((left, right): (f32, f32), number: usize, of: usize) -> (f32, f32) {
    let edge = |number: usize| (left + (right - left) * number as f32 / of as f32).round();
    (edge(number), edge(number + 1).max(edge(number) + 1.0))
}

/// Bars from left to right; of several on one pixel the highest and the deepest are what shows.
fn merged(areas: impl Iterator<Item = Rect>) -> Vec<Rect> {
    let mut merged: Vec<Rect> = Vec::new();
    for area in areas {
        match merged.last_mut() {
            Some(before) if before.left == area.left => {
                before.top = before.top.min(area.top);
                before.bottom = before.bottom.max(area.bottom);
                before.right = before.right.max(area.right);
            }
            _ => merged.push(area),
        }
    }
    merged
}

fn draw_piece(page: &mut Page, area: Rect, series: &Series) {
    let area = area.snapped();
    if area.height() >= 1.0 {
        page.scene.rect(area, series.color);
    }
}

/// Values over the bars, if all of them have room.
fn values_above(page: &mut Page, plot: &Plot, stacks: &Stacks, slots: &Slots, slot: f32) {
    let values: Vec<f64> = stacks.stacks.iter().map(Stack::top).collect();
    let labels = page.numerals(value_labels(&values));
    let fits = labels.iter().all(|label| page.width(label) + page.gap() / 2.0 <= slot);
    if !fits {
        return;
    }
    for (stack, label) in stacks.stacks.iter().zip(labels).filter(|(stack, _)| stack.has_value()) {
        let (left, right) = slots.pixels(stack.place, plot, slot);
        let above = if stack.top() < 0.0 { -1.0 } else { 1.0 };
        let middle = Point { x: (left + right) / 2.0, y: plot.y.at(stack.top()) - above * page.label.size * 0.75 };
        clear_behind(page, &label, middle);
        page.label(label, middle, Anchor::Middle, palette::INK);
    }
}

/// Paper behind a label, so that no grid line runs through it.
fn clear_behind(page: &mut Page, label: &str, middle: Point) {
    let (half_width, half_height) = (page.width(label) / 2.0 + 1.0, page.label.size * 0.5);
    let area = Rect {
        left: middle.x - half_width,
        right: middle.x + half_width,
        top: middle.y - half_height,
        bottom: middle.y + half_height,
    };
    page.scene.rect(area.snapped(), palette::PAPER);
}

/// Values with as few decimals as tell them apart.
pub(crate) fn value_labels(values: &[f64]) -> Vec<String> {
    let whole = values.iter().all(|value| value.fract() == 0.0);
    let largest = values.iter().map(|value| value.abs()).fold(0.0, f64::max);
    if crate::format::needs_exponent(largest) {
        return values.iter().map(|value| crate::format::scientific(*value, 2)).collect();
    }
    let decimals = match largest {
        _ if whole => 0,
        // Three digits of the largest.
        largest if largest < 1.0 => usize::try_from(2 - crate::format::magnitude(largest)).unwrap_or(3),
        largest if largest < 100.0 => 2,
        _ => 1,
    };
    let text = |value: f64| match crate::format::decimal(value, decimals) {
        // A value that is not zero never reads as zero.
        zero if value != 0.0 && !zero.contains(|digit| ('1'..='9').contains(&digit)) => {
            crate::format::scientific(value, 1)
        }
        text => text,
    };
    values.iter().map(|value| text(*value)).collect()
}

/// All values of one place, upon one another or each from zero.
#[derive(Debug, PartialEq)]
pub(crate) struct Stack {
    pub place: f64,
    /// From and to, one per layer.
    pub pieces: Vec<(f64, f64)>,
    /// Which of them are values: a null is no zero, and neither is a sum of nulls.
    pub is_value: Vec<bool>,
}

impl Stack {
    /// Whether any piece is a value.
    pub fn has_value(&self) -> bool {
        self.is_value.contains(&true)
    }

    /// Lengths of all pieces together.
    pub fn size(&self) -> f64 {
        self.values().map(f64::abs).sum()
    }

    /// The value that is farthest from zero.
    pub fn farthest(&self) -> f64 {
        farthest(self.values())
    }

    fn values(&self) -> impl Iterator<Item = f64> {
        self.pieces.iter().map(|(from, to)| to - from)
    }

    /// Where the last piece ends.
    pub fn top(&self) -> f64 {
        self.pieces.last().map_or(0.0, |piece| piece.1)
    }
}

/// Values added up per place, ascending.
#[derive(Debug, PartialEq)]
pub(crate) struct Stacks {
    pub stacks: Vec<Stack>,
}

impl Stacks {
    /// Adds each layer to those before it where they are stacked.
    pub fn new(layers: &[Series], arrangement: Arrangement) -> Self {
        let places = distinct(layers.iter().flat_map(|layer| &layer.points).map(|(place, _)| *place));
        let mut stacks: Vec<Stack> =
            places.iter().map(|&place| Stack { place, pieces: Vec::new(), is_value: Vec::new() }).collect();
        for layer in layers {
            let mut points = layer.points.iter().peekable();
            for stack in &mut stacks {
                let value = points.next_if(|(place, _)| *place == stack.place).and_then(|(_, value)| *value);
                let from = if arrangement == Arrangement::Stacked { stack.top() } else { 0.0 };
                stack.is_value.push(value.is_some());
                stack.pieces.push((from, (from + value.unwrap_or(0.0)).clamp(f64::MIN, f64::MAX)));
            }
        }
        Self { stacks }
    }

    /// All values added up.
    pub fn total(&self) -> f64 {
        self.stacks.iter().flat_map(Stack::values).sum()
    }

    /// The value that is farthest from zero.
    pub fn farthest(&self) -> f64 {
        farthest(self.stacks.iter().flat_map(Stack::values))
    }

    /// From zero, always, to the farthest end.
    pub fn range(&self) -> (f64, f64) {
        let ends = self.stacks.iter().flat_map(|stack| &stack.pieces).map(|piece| piece.1);
        ends.fold((0.0, 0.0), |(low, high), end| (f64::min(low, end), f64::max(high, end)))
    }

    /// The pieces of one layer that have a height.
    pub fn pieces(&self, layer: usize) -> impl Iterator<Item = (&Stack, (f64, f64))> {
        self.stacks.iter().map(move |stack| (stack, stack.pieces[layer])).filter(|(_, piece)| piece.0 != piece.1)
    }
}

fn farthest(values: impl Iterator<Item = f64>) -> f64 {
    values.fold(0.0, |far, value| if value.abs() > far.abs() { value } else { far })
}

/// From where to where a place reaches.
pub(crate) struct Slots {
    pub ends: Vec<(f64, f64)>,
    /// The least length.
    pub typical: f64,
}

impl Slots {
    /// Months where every place is the first of one (a quarter or a year where none is closer), otherwise the least distance.
    pub fn new(places: &[f64], domain: &Domain) -> Self {
        let months = match domain {
            Domain::Time { .. } => {
                places.iter().map(|place| month_starting_at(*place as i64)).collect::<Option<Vec<_>>>()
            }
            _ => None,
        };
        let ends: Vec<(f64, f64)> = match months {
            Some(months) => {
                let step = months.windows(2).map(|pair| pair[1] - pair[0]).fold(0, greatest_common_divisor).max(1);
                let end = |month: i64| first_of_month(month + step).map(|end| end as f64);
                // After December 9999 no month follows.
                let least = |place: f64| place + 28.0 * MILLIS_PER_DAY as f64 * step as f64;
                places.iter().zip(months).map(|(&place, month)| (place, end(month).unwrap_or(least(place)))).collect()
            }
            None => {
                let length = match domain {
                    Domain::Time { days: true } if places.len() < 2 => 86_400_000.0,
                    Domain::Time { days: false } if places.len() < 2 => 3_600_000.0,
                    _ => finest(places),
                };
                return Self::of_length(places, length);
            }
        };
        Self::of_ends(ends)
    }

    /// Slots of one length.
    pub fn of_length(places: &[f64], length: f64) -> Self {
        Self::of_ends(places.iter().map(|&place| (place, (place + length).min(f64::MAX))).collect())
    }

    fn of_ends(ends: Vec<(f64, f64)>) -> Self {
        let typical = ends.iter().map(|(start, end)| end - start).fold(f64::INFINITY, f64::min);
        Self { ends, typical }
    }

    /// From the first start to the last end.
    pub fn range(&self) -> (f64, f64) {
        let first = self.ends.first().map_or(0.0, |slot| slot.0);
        (first, self.ends.last().map_or(1.0, |slot| slot.1))
    }

    /// Edges of a bar on whole pixels; all bars are equally wide where there are gaps.
    fn pixels(&self, place: f64, plot: &Plot, narrowest: f32) -> (f32, f32) {
        let (left, right) = self.edges(place, plot);
        if narrowest < LEAST_SLOT {
            return (left, right.max(left + 1.0));
        }
        let width = (narrowest * FILLED).floor();
        let left = ((left + right - width) / 2.0).round();
        (left, left + width)
    }

    /// Edges of the whole slot on whole pixels.
    pub fn edges(&self, place: f64, plot: &Plot) -> (f32, f32) {
        let (start, end) = self.slot(place);
        (plot.x.at(start).round(), plot.x.at(end).round())
    }

    /// The middle of the slot that starts at `place`, whether there is a bar in it or not.
    pub fn middle(&self, place: f64) -> f64 {
        let (start, end) = self.slot(place);
        f64::midpoint(start, end)
    }

    fn slot(&self, place: f64) -> (f64, f64) {
        let found = self.ends.binary_search_by(|slot| slot.0.total_cmp(&place));
        found.map_or((place, (place + self.typical).min(f64::MAX)), |at| self.ends[at])
    }
}

/// The least distance of neighbours, 1 where there are none.
pub(crate) fn finest(places: &[f64]) -> f64 {
    let least = places.windows(2).map(|pair| pair[1] - pair[0]).fold(f64::INFINITY, f64::min);
    if least.is_finite() { least } else { 1.0 }
}

fn greatest_common_divisor(a: i64, b: i64) -> i64 {
    if b == 0 { a } else { greatest_common_divisor(b, a % b) }
}

#[cfg(test)]
mod tests;
