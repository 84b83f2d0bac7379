//! What small multiples agree on, so that the eye may compare them: scales, and the colours of names.

use std::collections::{BTreeMap, HashMap};

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
    let places = data::levels(&whole.frame, x, "x")?;
    if matches!(places.domain, Domain::Category(_)) {
        return Ok(Vec::new());
    }
    match places.into_names().domain {
        Domain::Category(names) => Ok(names),
        Domain::Time { .. } | Domain::Number => Ok(Vec::new()),
    }
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

/// The values that a figure tells apart by colours.
struct Ranking {
    column: String,
    /// Whether they are numbers or dates, which get a ramp.
    is_ordered: bool,
    /// Numbers ascending; texts by their sum, or number of points in a scatter plot, largest first.
    names: Vec<(Option<f64>, String)>,
}

/// The column whose values a figure tells apart by colours.
fn colored_column(figure: &Figure) -> Option<(&str, &'static str)> {
    match figure.kind {
        Kind::Pie => Some((figure.x.as_deref()?, "x")),
        _ => Some((figure.by.as_deref()?, "by")),
    }
}

fn ranking(figure: &Figure) -> Result<Option<Ranking>, ChartError> {
    let Some((column, role)) = colored_column(figure) else { return Ok(None) };
    let places = data::levels(&figure.frame, column, role)?;
    let places = if figure.kind == Kind::Pie { places.into_names() } else { places };
    let weights = match &figure.y {
        Some(y) if figure.kind != Kind::Scatter => data::numbers(&figure.frame, y, "y")?,
        _ => vec![Some(1.0); places.of_row.len()],
    };
    let mut totals: HashMap<Option<u64>, (Option<f64>, f64)> = HashMap::new();
    for (place, weight) in places.of_row.iter().zip(weights) {
        totals.entry(place.map(f64::to_bits)).or_insert((*place, 0.0)).1 += weight.unwrap_or(0.0).abs();
    }
    let mut levels: Vec<(Option<f64>, f64)> = totals.into_values().collect();
    levels.sort_by(|a, b| a.0.unwrap_or(f64::INFINITY).total_cmp(&b.0.unwrap_or(f64::INFINITY)));
    let is_ordered = !matches!(places.domain, Domain::Category(_));
    if !is_ordered {
        levels.sort_by(|a, b| b.1.total_cmp(&a.1));
    }
    let name = |place: Option<f64>| place.map_or_else(|| "none".to_owned(), |place| places.domain.describe(place));
    let names = levels.into_iter().map(|(place, _)| (place, name(place))).collect();
    Ok(Some(Ranking { column: column.to_owned(), is_ordered, names }))
}

/// The colours of the names of a figure: a ramp for numbers in their order, a colour each for the texts with the largest sums, or
/// with most points in a scatter plot, and grey for the others.
fn colors(whole: &Figure) -> Result<Vec<(String, Color)>, ChartError> {
    if !whole.shared.colors.is_empty() {
        return Ok(whole.shared.colors.clone());
    }
    let Some(ranking) = ranking(whole)? else { return Ok(Vec::new()) };
    let count = ranking.names.len();
    let color = |position: usize| match ranking.is_ordered {
        true => palette::ordered(position, count),
        false => CATEGORIES.get(position).copied().unwrap_or(palette::OTHERS),
    };
    Ok(ranking.names.iter().enumerate().map(|(position, (_, name))| (name.clone(), color(position))).collect())
}

/// Gives figures that tell apart the values of one column one colour for each of them. A figure that cannot be drawn keeps its own.
pub(crate) fn share_colors(figures: &mut [Figure]) {
    let rankings: Vec<Option<Ranking>> = figures.iter().map(|figure| ranking(figure).ok().flatten()).collect();
    let mut columns: BTreeMap<(&str, bool), Vec<usize>> = BTreeMap::new();
    for (place, ranking) in rankings.iter().enumerate() {
        if let Some(ranking) = ranking {
            columns.entry((ranking.column.as_str(), ranking.is_ordered)).or_default().push(place);
        }
    }
    for ((_, is_ordered), places) in columns.into_iter().filter(|(_, places)| places.len() > 1) {
        let together: Vec<&[(Option<f64>, String)]> =
            places.iter().filter_map(|place| Some(rankings[*place].as_ref()?.names.as_slice())).collect();
        let colors = if is_ordered { one_ramp(&together) } else { one_color_each(&together) };
        places.iter().for_each(|place| figures[*place].shared.colors = colors.clone());
    }
}

/// A ramp over the numbers of all figures.
fn one_ramp(rankings: &[&[(Option<f64>, String)]]) -> Vec<(String, Color)> {
    let mut all: Vec<&(Option<f64>, String)> = rankings.iter().copied().flatten().collect();
    all.sort_by(|a, b| a.0.unwrap_or(f64::INFINITY).total_cmp(&b.0.unwrap_or(f64::INFINITY)));
    all.dedup_by(|a, b| a.1 == b.1);
    let count = all.len();
    all.into_iter().enumerate().map(|(position, (_, name))| (name.clone(), palette::ordered(position, count))).collect()
}

/// A colour for each name that is the same in every figure, and that no other name of one of its figures has; grey for those that are
/// left without one. Names come in the order of their best place in a figure.
fn one_color_each(rankings: &[&[(Option<f64>, String)]]) -> Vec<(String, Color)> {
    let mut names: HashMap<&str, (usize, Vec<usize>)> = HashMap::new();
    let mut order: Vec<&str> = Vec::new();
    for (figure, ranking) in rankings.iter().enumerate() {
        for (position, (_, name)) in ranking.iter().enumerate() {
            let known = names.entry(name).or_insert_with(|| {
                order.push(name);
                (position, Vec::new())
            });
            known.0 = known.0.min(position);
            known.1.push(figure);
        }
    }
    order.sort_by_key(|name| (names[name].0, std::cmp::Reverse(names[name].1.len())));
    let mut taken = vec![[false; CATEGORIES.len()]; rankings.len()];
    let mut color_of = |figures: &[usize]| {
        let free = (0..CATEGORIES.len()).find(|color| figures.iter().all(|figure| !taken[*figure][*color]))?;
        figures.iter().for_each(|figure| taken[*figure][free] = true);
        Some(CATEGORIES[free])
    };
    order.into_iter().map(|name| (name.to_owned(), color_of(&names[name].1).unwrap_or(palette::OTHERS))).collect()
}
