//! Box plots: median, quartiles and range of the values of each name.
//!
//! A box reaches from the first to the third quartile, the line in it is the median. Whiskers reach to the farthest values within
//! 1.5 times the box's length, as Tukey drew them ("Exploratory Data Analysis", 1977); values beyond are points.

use std::collections::HashMap;

use polars::prelude::DataFrame;

use super::{
    ChartError,
    axes::{self, Frame},
    data::{self, Domain, Places},
    page::Page,
    palette::{self, CATEGORIES},
    scene::{Point, Rect},
    shared::Extent,
};

const WHISKERS: f64 = 1.5;
/// Part of a slot that its box takes.
const FILLED: f32 = 0.6;

/// The values of each name, ascending.
#[derive(Debug, PartialEq)]
pub(crate) struct Groups {
    names: Vec<String>,
    values: Vec<Vec<f64>>,
}

impl Groups {
    /// Values of `y` by the texts, numbers or dates of `x`; all together where there is no `x`.
    pub fn from_frame(frame: &DataFrame, x: Option<&str>, y: &str) -> Result<Self, ChartError> {
        if frame.height() == 0 {
            return Err(ChartError::NoRows);
        }
        let values = data::numbers(frame, y, "y")?;
        let places = match x {
            Some(x) => data::levels(frame, x, "x")?.into_names(),
            None => Places::all(values.len()),
        };
        let kept = super::series::distinct(places.of_row.iter().flatten().copied());
        let mut groups = Self {
            names: kept.iter().map(|place| places.domain.describe(*place)).collect(),
            values: vec![Vec::new(); kept.len()],
        };
        for (place, value) in places.of_row.iter().zip(values) {
            if let (Some(place), Some(value)) = (place, value)
                && let Ok(at) = kept.binary_search_by(|known| known.total_cmp(place))
            {
                groups.values[at].push(value);
            }
        }
        let columns: Vec<&str> = x.into_iter().chain([y]).collect();
        data::refuse_unpaired(groups.values.iter().any(|values| !values.is_empty()), &columns)?;
        groups.values.iter_mut().for_each(|values| values.sort_by(f64::total_cmp));
        Ok(groups)
    }

    /// How many names there are.
    pub fn count(&self) -> usize {
        self.names.len()
    }

    /// The groups among others, in their order.
    pub fn among(self, names: Vec<String>) -> Self {
        let mut own: HashMap<String, Vec<f64>> = self.names.into_iter().zip(self.values).collect();
        Self { values: names.iter().map(|name| own.remove(name).unwrap_or_default()).collect(), names }
    }

    /// Least and greatest value.
    pub fn range(&self) -> (f64, f64) {
        let ends = self.values.iter().flat_map(|values| values.first().into_iter().chain(values.last()));
        ends.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| (low.min(*value), high.max(*value)))
    }
}

/// Draws a box per name.
pub(crate) fn draw(page: &mut Page, groups: &Groups, x_name: &str, extent: &Extent) {
    let domain = Domain::Category(groups.names.clone());
    let count = groups.names.len() as f64;
    let frame = Frame {
        domain: &domain,
        places: (-0.5, count - 0.5),
        finest: 1.0,
        tick_at: &|place| place,
        inset: 0.0,
        x_name,
        log: false,
        whole: false,
        right: None,
    };
    let plot = axes::upright(page, &frame, extent.values_with(groups.range()));
    let slot = plot.x.at(1.0) - plot.x.at(0.0);
    let half = (slot * FILLED / 2.0).clamp(1.0, page.label.size * 3.0);
    for (place, values) in groups.values.iter().enumerate() {
        let Some(summary) = Summary::of(values) else { continue };
        let x = plot.x.at(place as f64).round();
        let y = |value: f64| plot.y.at(value);
        let box_ = Rect {
            left: x - half,
            right: x + half,
            top: y(summary.q3),
            bottom: y(summary.q1).max(y(summary.q3) + 1.0),
        };
        for (from, to) in [(summary.high, summary.q3), (summary.q1, summary.low)] {
            page.scene.line(vec![Point { x, y: y(from) }, Point { x, y: y(to) }], palette::MUTED, 1.2);
        }
        page.scene.rect(box_.snapped(), CATEGORIES[0]);
        let middle = y(summary.median).round();
        // In a box that is a mere line, a median of paper would hide it.
        let median = if box_.height() > 4.0 { palette::PAPER } else { CATEGORIES[0] };
        page.scene.rect(Rect { top: middle - 1.0, bottom: middle + 1.0, ..box_ }.snapped(), median);
        let outliers: Vec<f64> =
            values.iter().copied().filter(|value| *value < summary.low || *value > summary.high).collect();
        // Points of one pixel are one point.
        let mut drawn = None;
        for value in outliers {
            if drawn.replace(y(value).round()) != Some(y(value).round()) {
                page.scene.circle(Point { x, y: y(value) }, (page.label.size / 6.0).min(half), palette::MUTED);
            }
        }
    }
}

#[derive(Debug, PartialEq)]
struct Summary {
    low: f64,
    q1: f64,
    median: f64,
    q3: f64,
    high: f64,
}

impl Summary {
    /// Of ascending values.
    fn of(values: &[f64]) -> Option<Self> {
        let (q1, median, q3) = (quantile(values, 0.25)?, quantile(values, 0.5)?, quantile(values, 0.75)?);
        let reach = WHISKERS * (q3 - q1);
        let low = values.iter().copied().find(|value| *value >= q1 - reach)?;
        let high = values.iter().rev().copied().find(|value| *value <= q3 + reach)?;
        Some(Self { low: low.min(q1), q1, median, q3, high: high.max(q3) })
    }
}

/// Interpolated linearly between the two nearest values, as in a rollup.
fn quantile(values: &[f64], share: f64) -> Option<f64> {
    let place = values.len().checked_sub(1)? as f64 * share;
    let (below, above) = (values[place.floor() as usize], values[place.ceil() as usize]);
    let (distance, share) = (above - below, place.fract());
    Some(if distance.is_finite() { below + distance * share } else { below * (1.0 - share) + above * share })
}

#[cfg(test)]
mod tests {
    use super::*;
    use polars::prelude::df;

    #[test]
    fn whiskers_end_at_the_last_value_within_reach() {
        let values = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 30.0];
        let expected = Summary { low: 1.0, q1: 3.0, median: 5.0, q3: 7.0, high: 8.0 };
        assert_eq!(Summary::of(&values), Some(expected));
        assert_eq!(Summary::of(&[]), None);
        let one = Summary::of(&[4.0]).expect("one value");
        assert_eq!((one.low, one.median, one.high), (4.0, 4.0, 4.0));
    }

    #[test]
    fn values_are_gathered_by_name_and_those_without_one_have_a_box() {
        let frame = df!("k" => [Some("b"), Some("a"), Some("b"), None], "n" => [Some(3), None, Some(1), Some(9)]);
        let groups = Groups::from_frame(&frame.expect("a frame"), Some("k"), "n").expect("groups");
        let names = ["b", "a", "none"].map(str::to_owned).to_vec();
        assert_eq!(groups, Groups { names, values: vec![vec![1.0, 3.0], vec![], vec![9.0]] });
    }
}
