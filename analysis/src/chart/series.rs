//! A frame as series of points: what lines and bars are made of.

use std::collections::{BTreeMap, HashMap};

use polars::prelude::DataFrame;

use super::{
    ChartError,
    data::{self, Domain},
    palette::{self, CATEGORIES},
    scene::Color,
    shared::{Extent, Shared},
};

/// Points of one colour.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Series {
    /// Empty where there is only one.
    pub name: String,
    pub color: Color,
    /// By place, each place once; `None` is a gap.
    pub points: Vec<(f64, Option<f64>)>,
}

impl Series {
    /// Smallest and largest value.
    pub fn range(&self) -> (f64, f64) {
        range(self.points.iter().filter_map(|(_, value)| *value))
    }

    pub fn total(&self) -> f64 {
        self.points.iter().filter_map(|(_, value)| *value).map(f64::abs).sum()
    }
}

/// Columns by their role.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Roles<'a> {
    pub x: &'a str,
    pub y: &'a str,
    pub by: Option<&'a str>,
}

/// All series of a figure.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct SeriesSet {
    pub domain: Domain,
    /// The place of nulls, where they have a name.
    pub null: Option<f64>,
    /// In legend order.
    pub series: Vec<Series>,
    /// Series for which there was no colour left.
    pub others: Vec<Series>,
    /// How far other charts reach that are to be compared with this one.
    pub extent: Extent,
}

impl SeriesSet {
    /// Groups the rows by `by`. Numbers keep their order and get a ramp; texts are sorted by their total and the largest get a
    /// colour each.
    pub fn from_frame(frame: &DataFrame, roles: Roles<'_>) -> Result<Self, ChartError> {
        if frame.height() == 0 {
            return Err(ChartError::NoRows);
        }
        let x = data::places(frame, roles.x, "x")?;
        let y = data::numbers(frame, roles.y, "y")?;
        let by = roles.by.map(|by| data::levels(frame, by, "by")).transpose()?;

        let mut points: BTreeMap<Group, Vec<(f64, Option<f64>)>> = BTreeMap::new();
        for (row, (place, value)) in x.of_row.iter().zip(&y).enumerate() {
            let group = Group::new(by.as_ref().and_then(|by| by.of_row[row]));
            if let Some(place) = place {
                points.entry(group).or_default().push((*place, *value));
            }
        }
        let values = points.values().flatten().filter_map(|(_, value)| *value);
        data::refuse_unpaired(values.count() > 0, &[roles.x, roles.y])?;
        let mut series = Vec::with_capacity(points.len());
        for (group, mut points) in points {
            points.sort_by(|a, b| a.0.total_cmp(&b.0));
            let name = by.as_ref().map_or_else(String::new, |by| group.name(&by.domain));
            refuse_repeats(&points, &x.domain, roles, &name)?;
            series.push(Series { name, color: CATEGORIES[0], points });
        }
        let ordered = by.as_ref().is_some_and(|by| !matches!(by.domain, Domain::Category(_)));
        let others = if ordered { Vec::new() } else { keep_largest(&mut series) };
        color(&mut series, ordered);
        Ok(Self { domain: x.domain, null: x.null, series, others, extent: Extent::default() })
    }

    /// The set with the logarithms of its values; values of zero and below become gaps.
    pub fn logarithms(mut self) -> Self {
        let points = self.series.iter_mut().chain(&mut self.others).flat_map(|series| &mut series.points);
        points.for_each(|(_, value)| *value = value.filter(|value| *value > 0.0).map(f64::log10));
        self
    }

    /// The set with the scales and colours that several charts agree on.
    pub fn sharing(mut self, shared: &Shared) -> Self {
        self.extent = shared.extent.clone();
        if shared.colors.is_empty() {
            return self;
        }
        let known = shared.color_of();
        let all = self.series.into_iter().chain(self.others);
        let mut all: Vec<(usize, Series)> = all
            .map(|series| {
                let (place, color) = known.get(series.name.as_str()).copied().unwrap_or((usize::MAX, palette::OTHERS));
                (place, Series { color, ..series })
            })
            .collect();
        all.sort_by_key(|(place, _)| *place);
        let all = all.into_iter().map(|(_, series)| series);
        (self.others, self.series) = all.partition(|series| series.color == palette::OTHERS);
        self
    }

    /// Smallest and largest value of all series.
    pub fn value_range(&self) -> (f64, f64) {
        range(self.all().flat_map(|series| &series.points).filter_map(|(_, value)| *value))
    }

    /// Whether all values are whole numbers, those of the other charts, too.
    pub fn is_whole(&self) -> bool {
        !self.extent.fractions
            && self
                .all()
                .flat_map(|series| &series.points)
                .filter_map(|(_, value)| *value)
                .all(|value| value.fract() == 0.0)
    }

    /// Smallest and largest place of all series.
    pub fn place_range(&self) -> (f64, f64) {
        range(self.places().into_iter())
    }

    /// Every place once, ascending, those of the other charts, too.
    pub fn places(&self) -> Vec<f64> {
        let own = self.all().flat_map(|series| &series.points).map(|(place, _)| *place);
        distinct(own.chain(self.extent.places.iter().copied()))
    }

    /// The series without a colour, added up.
    pub fn others_summed(&self) -> Option<Series> {
        let mut sums: HashMap<u64, (f64, Option<f64>)> = HashMap::new();
        for (place, value) in self.others.iter().flat_map(|series| &series.points) {
            let sum = sums.entry(place.to_bits()).or_insert((*place, None));
            sum.1 = match (sum.1, value) {
                (sum, None) => sum,
                (sum, Some(value)) => Some(sum.unwrap_or(0.0) + value),
            };
        }
        let mut points: Vec<_> = sums.into_values().collect();
        points.sort_by(|a, b| a.0.total_cmp(&b.0));
        (!points.is_empty()).then(|| Series { name: self.others_name(), color: palette::OTHERS, points })
    }

    /// The series that stand on one another, those without a colour as one.
    pub fn layers(&self) -> Vec<Series> {
        self.series.iter().cloned().chain(self.others_summed()).collect()
    }

    /// Legend entry of the series without a colour.
    pub fn others_name(&self) -> String {
        format!("{} others", crate::format::count(self.others.len() as u64))
    }

    fn all(&self) -> impl Iterator<Item = &Series> {
        self.series.iter().chain(&self.others)
    }
}

/// Ascending values, each once.
pub(crate) fn distinct(values: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values.dedup();
    values
}

fn range(values: impl Iterator<Item = f64>) -> (f64, f64) {
    values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| (low.min(value), high.max(value)))
}

/// A group's place as a key that sorts by value; rows without one come last.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Group(Option<f64>);

impl Group {
    fn new(place: Option<f64>) -> Self {
        Self(place)
    }

    fn name(self, domain: &Domain) -> String {
        self.0.map_or_else(|| "none".to_owned(), |place| domain.describe(place))
    }
}

impl Eq for Group {}

impl PartialOrd for Group {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Group {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        let key = |group: &Self| group.0.unwrap_or(f64::INFINITY);
        key(self).total_cmp(&key(other))
    }
}

fn refuse_repeats(
    points: &[(f64, Option<f64>)],
    domain: &Domain,
    roles: Roles<'_>,
    name: &str,
) -> Result<(), ChartError> {
    let Some(pair) = points.windows(2).find(|pair| pair[0].0 == pair[1].0) else {
        return Ok(());
    };
    let mut place = format!("{} = {}", roles.x, domain.describe(pair[0].0));
    if let Some(by) = roles.by {
        place.push_str(&format!(" and {by} = {name}"));
    }
    Err(ChartError::Repeated { place })
}

/// Sorts by total, largest first, and takes out what is more than there are colours for.
fn keep_largest(series: &mut Vec<Series>) -> Vec<Series> {
    series.sort_by(|a, b| b.total().total_cmp(&a.total()));
    if series.len() > CATEGORIES.len() { series.split_off(CATEGORIES.len()) } else { Vec::new() }
}

fn color(series: &mut [Series], ordered: bool) {
    let count = series.len();
    for (position, series) in series.iter_mut().enumerate() {
        series.color = if ordered { palette::ordered(position, count) } else { CATEGORIES[position] };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use polars::prelude::df;

    const BY_MOVIE: Roles<'_> = Roles { x: "x", y: "y", by: Some("movie") };

    #[test]
    fn the_largest_categories_get_a_colour_and_the_rest_are_summed() {
        let movies: Vec<String> = (0..9).map(|movie| format!("M{movie}")).collect();
        let frame = df!("movie" => movies, "x" => [1_i64; 9], "y" => (0..9_i64).collect::<Vec<_>>()).expect("a frame");
        let set = SeriesSet::from_frame(&frame, BY_MOVIE).expect("series");
        let names: Vec<&str> = set.series.iter().map(|series| series.name.as_str()).collect();
        assert_eq!(names, ["M8", "M7", "M6", "M5", "M4", "M3"]);
        let others = set.others_summed().expect("others");
        assert_eq!((others.name.as_str(), others.points), ("3 others", vec![(1.0, Some(3.0))]));
    }

    #[test]
    fn numbers_keep_their_order_and_get_a_ramp() {
        let frame = df!("rating" => [10_i64, 2, 1], "x" => [1_i64; 3], "y" => [1_i64; 3]).expect("a frame");
        let set = SeriesSet::from_frame(&frame, Roles { by: Some("rating"), ..BY_MOVIE }).expect("series");
        let names: Vec<&str> = set.series.iter().map(|series| series.name.as_str()).collect();
        assert_eq!(names, ["1", "2", "10"]);
        assert_eq!(set.series[2].color, palette::ramp(1.0));
    }

    #[test]
    fn two_rows_of_one_place_are_refused_by_name() {
        let frame = df!("movie" => ["A", "A"], "x" => [3_i64, 3], "y" => [1_i64, 2]).expect("a frame");
        let error = SeriesSet::from_frame(&frame, BY_MOVIE).expect_err("repeated").to_string();
        assert!(error.contains("several rows have x = 3 and movie = A"), "{error}");
    }

    #[test]
    fn nulls_are_gaps_and_rows_without_a_place_are_left_out() {
        let frame = df!("x" => [Some(2_i64), None, Some(1)], "y" => [None, Some(5.0), Some(7.0)]).expect("a frame");
        let set = SeriesSet::from_frame(&frame, Roles { by: None, ..BY_MOVIE }).expect("series");
        assert_eq!(set.series[0].points, [(1.0, Some(7.0)), (2.0, None)]);
        assert_eq!((set.value_range(), set.place_range()), ((7.0, 7.0), (1.0, 2.0)));
    }
}
