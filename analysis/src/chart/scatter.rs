//! Scatter plots: a point per row.

use std::collections::HashSet;

use polars::prelude::DataFrame;

use super::{
    ChartError,
    axes::{self, Frame},
    data::{self, Domain},
    legend::{self, Entry, Swatch},
    page::Page,
    palette::{self, CATEGORIES},
    scene::{Color, Point},
    shared::{Extent, Shared},
};

/// Points closer than this part of a pixel look like one.
const GRID: f32 = 1.0;

/// What a scatter plot shows.
#[derive(Debug, PartialEq)]
pub(crate) struct Cloud {
    domain: Domain,
    groups: Vec<Group>,
    /// How far other charts reach that are to be compared with this one.
    extent: Extent,
}

#[derive(Debug, PartialEq)]
struct Group {
    name: String,
    color: Color,
    points: Vec<(f64, f64)>,
}

/// Columns by their role.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Roles<'a> {
    pub x: &'a str,
    pub y: &'a str,
    pub by: Option<&'a str>,
}

impl Cloud {
    /// The names with most points get a colour each, the others are grey; numbers get a ramp.
    pub fn from_frame(frame: &DataFrame, roles: Roles<'_>) -> Result<Self, ChartError> {
        if frame.height() == 0 {
            return Err(ChartError::NoRows);
        }
        let x = data::places(frame, roles.x, "x")?;
        let y = data::numbers(frame, roles.y, "y")?;
        let by = roles.by.map(|by| data::levels(frame, by, "by")).transpose()?;
        let of_row = |row: usize| by.as_ref().and_then(|by| by.of_row[row]);
        let kept = super::series::distinct((0..y.len()).filter_map(of_row));
        let mut points = vec![Vec::new(); kept.len() + 1];
        for (row, (place, value)) in x.of_row.iter().zip(&y).enumerate() {
            let at = of_row(row).and_then(|group| kept.binary_search_by(|known| known.total_cmp(&group)).ok());
            points[at.unwrap_or(kept.len())].extend(place.zip(*value));
        }
        data::refuse_unpaired(points.iter().any(|points| !points.is_empty()), &[roles.x, roles.y])?;
        let unnamed = if by.is_some() { "none" } else { "" };
        let name = |place: &f64| by.as_ref().map_or_else(String::new, |by| by.domain.describe(*place));
        let names = kept.iter().map(name).chain([unnamed.to_owned()]);
        let ordered = by.as_ref().is_some_and(|by| !matches!(by.domain, Domain::Category(_)));
        let groups = names.zip(points).filter(|(_, points): &(_, Vec<_>)| !points.is_empty());
        Ok(Self { domain: x.domain, groups: colored(groups.collect(), ordered), extent: Extent::default() })
    }

    /// The cloud with the scales and colours that several charts agree on.
    pub fn sharing(mut self, shared: &Shared) -> Self {
        self.extent = shared.extent.clone();
        let known = shared.color_of();
        for group in &mut self.groups {
            group.color = known.get(group.name.as_str()).map_or(group.color, |(_, color)| *color);
        }
        self
    }

    /// How far the points reach.
    pub fn extent(&self) -> Extent {
        let (low, high) = self.range(|point| point.0);
        let places = if matches!(self.domain, Domain::Category(_)) { Vec::new() } else { vec![low, high] };
        Extent {
            values: Some(self.range(|point| point.1)),
            fractions: !self.is_whole(|point| point.1),
            right: None,
            places,
        }
    }

    /// Whether all places, or all values, are whole numbers.
    fn is_whole(&self, of: fn(&(f64, f64)) -> f64) -> bool {
        self.groups.iter().flat_map(|group| &group.points).map(of).all(|value| value.fract() == 0.0)
    }

    fn range(&self, of: fn(&(f64, f64)) -> f64) -> (f64, f64) {
        let values = self.groups.iter().flat_map(|group| &group.points).map(of);
        values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| (low.min(value), high.max(value)))
    }
}

fn colored(mut groups: Vec<(String, Vec<(f64, f64)>)>, ordered: bool) -> Vec<Group> {
    let count = groups.len();
    if !ordered {
        groups.sort_by_key(|(_, points)| std::cmp::Reverse(points.len()));
    }
    let color = |place: usize| match ordered {
        true => palette::ordered(place, count),
        false => CATEGORIES.get(place).copied().unwrap_or(palette::OTHERS),
    };
    let group = |(place, (name, points))| Group { name, color: color(place), points };
    groups.into_iter().enumerate().map(group).collect()
}

/// Draws the points, those of rare names over those of common ones; points on one pixel once.
pub(crate) fn draw(page: &mut Page, cloud: &Cloud, x_name: &str) {
    let others = cloud.groups.iter().filter(|group| group.color == palette::OTHERS).count();
    let named = cloud.groups.iter().filter(|group| !group.name.is_empty() && group.color != palette::OTHERS);
    let mut entries: Vec<Entry> = named.map(|group| Entry { name: group.name.clone(), color: group.color }).collect();
    if others > 0 {
        let name = format!("{} others", crate::format::count(others as u64));
        entries.push(Entry { name, color: palette::OTHERS });
    }
    legend::entries(page, &entries, Swatch::Square);

    let own = cloud.range(|point| point.0);
    let places = cloud.extent.places.iter().fold(own, |(low, high), place| (low.min(*place), high.max(*place)));
    let frame = Frame {
        domain: &cloud.domain,
        places: wide(places),
        finest: if cloud.is_whole(|point| point.0) { 1.0 } else { 0.0 },
        tick_at: &|place| place,
        inset: page.gap() * 1.5,
        x_name,
        log: false,
        whole: !cloud.extent.fractions && cloud.is_whole(|point| point.1),
        right: None,
    };
    let plot = axes::upright(page, &frame, cloud.extent.values_with(cloud.range(|point| point.1)));
    let all: usize = cloud.groups.iter().map(|group| group.points.len()).sum();
    let radius = if all > 2_000 { page.label.size / 9.0 } else { page.label.size / 5.0 };
    let mut taken = HashSet::new();
    let (grey, colored): (Vec<_>, Vec<_>) = cloud.groups.iter().partition(|group| group.color == palette::OTHERS);
    for group in grey.into_iter().chain(colored) {
        for (x, y) in &group.points {
            let point = Point { x: plot.x.at(*x), y: plot.y.at(*y) };
            let pixel = ((point.x / GRID).round() as i32, (point.y / GRID).round() as i32);
            if taken.insert((pixel, group.color.0, group.color.1, group.color.2)) {
                page.scene.circle(point, radius.max(1.0), group.color);
            }
        }
    }
}

/// A range with some width.
fn wide((low, high): (f64, f64)) -> (f64, f64) {
    if low < high { (low, high) } else { (low - 1.0, high + 1.0) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use polars::prelude::df;

    #[test]
    fn points_are_grouped_and_those_without_a_place_left_out() {
        let frame = df!("x" => [Some(1), Some(2), None, Some(3)], "y" => [1.0, 2.0, 3.0, f64::NAN], "k" => ["a", "b", "b", "b"]);
        let cloud =
            Cloud::from_frame(&frame.expect("a frame"), Roles { x: "x", y: "y", by: Some("k") }).expect("points");
        let groups: Vec<(&str, usize)> =
            cloud.groups.iter().map(|group| (group.name.as_str(), group.points.len())).collect();
        assert_eq!(groups, [("a", 1), ("b", 1)]);
    }

    #[test]
    fn a_hundred_thousand_points_are_no_more_than_the_pixels() {
        let numbers: Vec<i64> = (0..100_000).map(|n| n * n % 9_973).collect();
        let frame = df!("x" => numbers.clone(), "y" => numbers.into_iter().rev().collect::<Vec<_>>()).expect("a frame");
        let cloud = Cloud::from_frame(&frame, Roles { x: "x", y: "y", by: None }).expect("points");
        let mut page = Page::new(400, 260, "", "");
        draw(&mut page, &cloud, "x");
        assert!(page.scene.shapes.len() < 100_000 / 2, "{}", page.scene.shapes.len());
    }
}
