//! What small multiples agree on, so that the eye may compare them: scales, and the colours of names.

use std::collections::HashMap;

use super::{
    ChartError, Figure, Kind,
    data::{self, Domain},
    histogram::{self, Step},
    palette::{self, CATEGORIES},
    scene::Color,
};

/// What every panel takes from the whole; empty for a figure of its own.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Shared {
    pub extent: Extent,
    /// Every name with its colour, in the order of legends.
    pub colors: Vec<(String, Color)>,
    /// The bins of a histogram.
    pub step: Option<Step>,
    /// The numbers or dates below box plots.
    pub levels: Vec<String>,
}

impl Shared {
    /// What the panels of `whole` agree on, as far as that follows from all rows together.
    pub fn of(whole: &Figure) -> Result<Self, ChartError> {
        let step = match (whole.kind, whole.x.as_deref()) {
            (Kind::Histogram, Some(x)) => Some(histogram::step_of(&whole.frame, x)?),
            _ => None,
        };
        Ok(Self { extent: Extent::default(), colors: colors(whole)?, step, levels: levels(whole)? })
    }

    /// The colour of every name, and its place in legends.
    pub fn color_of(&self) -> HashMap<&str, (usize, Color)> {
        self.colors.iter().enumerate().map(|(place, (name, color))| (name.as_str(), (place, *color))).collect()
    }
}

/// What stands below box plots, unless it is texts, of which every panel may have its own.
fn levels(whole: &Figure) -> Result<Vec<String>, ChartError> {
    let (Kind::Box, Some(x)) = (whole.kind, &whole.x) else { return Ok(Vec::new()) };
    let places = data::places(&whole.frame, x, "x")?;
    if matches!(places.domain, Domain::Category(_)) {
        return Ok(Vec::new());
    }
    let levels = super::series::distinct(places.of_row.into_iter().flatten());
    Ok(levels.into_iter().map(|level| places.domain.describe(level)).collect())
}

/// How far data reaches.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Extent {
    /// Least and greatest value; logarithms where the scale is one of logarithms.
    pub values: Option<(f64, f64)>,
    /// Whether some value is no whole number, so that ticks may stand between them.
    pub fractions: bool,
    /// Least and greatest value of the second axis.
    pub right: Option<(f64, f64)>,
    /// Every place once, ascending; none for names, which have no distance.
    pub places: Vec<f64>,
}

impl Extent {
    /// As far as both reach.
    pub fn and(mut self, other: Self) -> Self {
        let both = |a: Option<(f64, f64)>, b: Option<(f64, f64)>| match (a, b) {
            (Some(a), Some(b)) => Some(around(a, b)),
            (a, b) => a.or(b),
        };
        self.places.extend(other.places);
        Self {
            values: both(self.values, other.values),
            fractions: self.fractions || other.fractions,
            right: both(self.right, other.right),
            places: super::series::distinct(self.places.into_iter()),
        }
    }

    /// A panel's range of values, widened to that of all panels.
    pub fn values_with(&self, own: (f64, f64)) -> (f64, f64) {
        self.values.map_or(own, |values| around(values, own))
    }

    /// A panel's range of the second axis, widened to that of all panels.
    pub fn right_with(&self, own: (f64, f64)) -> (f64, f64) {
        self.right.map_or(own, |right| around(right, own))
    }
}

/// The range that holds both.
pub(crate) fn around(a: (f64, f64), b: (f64, f64)) -> (f64, f64) {
    (a.0.min(b.0), a.1.max(b.1))
}

/// The colours of the names of a figure: a ramp for numbers in their order, a colour each for the texts with the largest sums, or
/// with most points in a scatter plot, and grey for the others.
fn colors(whole: &Figure) -> Result<Vec<(String, Color)>, ChartError> {
    let pie = whole.kind == Kind::Pie;
    let Some(column) = (if pie { whole.x.as_ref() } else { whole.by.as_ref() }) else { return Ok(Vec::new()) };
    let places = data::places(&whole.frame, column, if pie { "x" } else { "by" })?;
    let weights = match &whole.y {
        Some(y) if whole.kind != Kind::Scatter => data::numbers(&whole.frame, y, "y")?,
        _ => vec![Some(1.0); places.of_row.len()],
    };
    let mut totals: HashMap<Option<u64>, (Option<f64>, f64)> = HashMap::new();
    for (place, weight) in places.of_row.iter().zip(weights) {
        totals.entry(place.map(f64::to_bits)).or_insert((*place, 0.0)).1 += weight.unwrap_or(0.0).abs();
    }
    let mut levels: Vec<(Option<f64>, f64)> = totals.into_values().collect();
    levels.sort_by(|a, b| a.0.unwrap_or(f64::INFINITY).total_cmp(&b.0.unwrap_or(f64::INFINITY)));
    let ordered = !pie && !matches!(places.domain, Domain::Category(_));
    if !ordered {
        levels.sort_by(|a, b| b.1.total_cmp(&a.1));
    }
    let count = levels.len();
    let color = |position: usize| match ordered {
        true => palette::ordered(position, count),
        false => CATEGORIES.get(position).copied().unwrap_or(palette::OTHERS),
    };
    let name = |place: Option<f64>| place.map_or_else(|| "none".to_owned(), |place| places.domain.describe(place));
    Ok(levels.into_iter().enumerate().map(|(position, (place, _))| (name(place), color(position))).collect())
}
