//! Lines and areas: one per series, broken at gaps.

use super::{
    axes::{self, Frame, Plot},
    bar::{Arrangement, Stacks, finest},
    data::Domain,
    legend::{self, Entry, Swatch},
    marks::{self, Marks},
    page::Page,
    palette,
    scale::Scale,
    scene::{Color, Point},
    series::{Series, SeriesSet},
    shared::around,
};

/// Points further apart than this, in pixels, are marked.
const MARKED_DISTANCE: f32 = 14.0;
/// A scale starts at zero unless that would take more than this share of it.
const MOST_EMPTY: f64 = 0.5;
/// Points per pixel from which on a line is drawn from the extremes of each pixel.
const DENSE: usize = 4;
const AREA_OPACITY: f32 = 0.3;

/// How a line chart is drawn, beside its series.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Options<'a> {
    pub x_name: &'a str,
    /// Whether the area down to zero is filled, as far as zero is in the range.
    pub filled: bool,
    /// Whether values are logarithms.
    pub log: bool,
    /// A series with an axis of its own.
    pub right: Option<&'a Series>,
    pub marks: &'a Marks<f64>,
    /// The least range of values.
    pub range: Option<(f64, f64)>,
}

impl Options<'_> {
    /// The range with all marked values and the least range in it.
    fn widened(&self, values: (f64, f64)) -> (f64, f64) {
        let values = self.marks.widened(values);
        self.range.map_or(values, |range| around(range, values))
    }
}

/// Draws all series; those without a colour lie grey behind the others.
pub(crate) fn draw(page: &mut Page, set: &SeriesSet, options: &Options<'_>) {
    let mut entries: Vec<Entry> = Vec::new();
    let unnamed = set.series.first().is_none_or(|series| series.name.is_empty());
    if !unnamed || options.right.is_some() {
        entries.extend(set.series.iter().map(|series| Entry { name: series.name.clone(), color: series.color }));
    }
    if !set.others.is_empty() {
        entries.push(Entry { name: set.others_name(), color: palette::OTHERS });
    }
    entries.extend(options.right.map(|right| Entry { name: right.name.clone(), color: right.color }));
    legend::entries(page, &entries, Swatch::Line);

    let values = options.widened(set.extent.values_with(set.value_range()));
    let values = match options.range {
        Some(_) => values,
        None if options.filled => (values.0.min(0.0), values.1.max(0.0)),
        None => with_zero(values, options.log),
    };
    let plot = frame(page, set, options, values);
    let width = (page.label.size / 6.5).clamp(1.6, 2.2);
    if options.filled {
        set.series.iter().rev().for_each(|series| fill_to_zero(page, &plot, series));
    }
    for series in set.others.iter().rev() {
        draw_series(page, &plot, plot.y, series, palette::OTHERS, 1.0);
    }
    for series in set.series.iter().rev() {
        draw_series(page, &plot, plot.y, series, series.color, width);
    }
    if let (Some(right), Some(scale)) = (options.right, plot.right) {
        draw_series(page, &plot, scale, right, right.color, width);
    }
    marks::labels(page, &plot, options.marks);
}

/// Draws areas that stand on one another; a series without a value counts as zero there.
pub(crate) fn draw_stacked(page: &mut Page, set: &SeriesSet, options: &Options<'_>) {
    let layers = set.layers();
    super::bar::legend_of(page, &layers);
    let stacks = Stacks::new(&layers, Arrangement::Stacked);
    let plot = frame(page, set, options, options.widened(set.extent.values_with(stacks.range())));
    for (layer, series) in layers.iter().enumerate() {
        let edge = |end: fn(&(f64, f64)) -> f64| {
            let points = stacks.stacks.iter().map(move |stack| (stack.place, end(&stack.pieces[layer])));
            points.map(|(place, value)| Point { x: plot.x.at(place), y: plot.y.at(value) }).collect::<Vec<_>>()
        };
        let (top, mut bottom) = (thinned(edge(|piece| piece.1)), thinned(edge(|piece| piece.0)));
        bottom.reverse();
        if let ([only], _) = (top.as_slice(), ()) {
            // One place has no width: a bar as wide as a marker.
            let (x, half) = (only.x, page.gap() / 2.0);
            let at = |x, y| Point { x, y };
            let foot = bottom[0].y;
            page.scene.polygon(
                vec![at(x - half, only.y), at(x + half, only.y), at(x + half, foot), at(x - half, foot)],
                series.color,
                1.0,
            );
            continue;
        }
        page.scene.polygon(top.into_iter().chain(bottom).collect(), series.color, 1.0);
    }
    axes::baseline(page, &plot);
    marks::labels(page, &plot, options.marks);
}

fn frame(page: &mut Page, set: &SeriesSet, options: &Options<'_>, values: (f64, f64)) -> Plot {
    let places = set.places();
    let frame = Frame {
        domain: &set.domain,
        places: set.place_range(),
        finest: finest(&places),
        tick_at: &|place| place,
        inset: inset(page, &set.domain, places.len()),
        x_name: options.x_name,
        log: options.log,
        whole: !options.log && set.is_whole(),
        right: options.right.map(|right| with_zero(set.extent.right_with(right.range()), false)),
    };
    let plot = axes::upright(page, &frame, values);
    marks::bands(page, &plot, options.marks);
    if !options.log && plot.y.values.0 <= 0.0 && plot.y.values.1 >= 0.0 {
        axes::baseline(page, &plot);
    }
    plot
}

/// Room for half a label at the ends of an axis of names, and for half a marker elsewhere.
fn inset(page: &Page, domain: &Domain, places: usize) -> f32 {
    match domain {
        Domain::Category(_) => page.free.width() / (places as f32 * 2.0 + 2.0),
        _ => page.gap(),
    }
}

/// The range from zero where that does not squeeze the values into half of it.
fn with_zero((low, high): (f64, f64), log: bool) -> (f64, f64) {
    if log {
        (low, high)
    } else if low > 0.0 && low < high * MOST_EMPTY {
        (0.0, high)
    } else if high < 0.0 && high > low * MOST_EMPTY {
        (low, 0.0)
    } else {
        (low, high)
    }
}

/// The points of a series between its gaps, in pixels.
fn runs(plot: &Plot, scale: Scale, series: &Series) -> Vec<Vec<Point>> {
    let pixel = |&(place, value): &(f64, Option<f64>)| Some(Point { x: plot.x.at(place), y: scale.at(value?) });
    let points: Vec<Option<Point>> = series.points.iter().map(pixel).collect();
    let run = |run: &[Option<Point>]| run.iter().flatten().copied().collect::<Vec<Point>>();
    points.split(Option::is_none).map(run).filter(|run| !run.is_empty()).collect()
}

fn draw_series(page: &mut Page, plot: &Plot, scale: Scale, series: &Series, color: Color, width: f32) {
    let distance = plot.area.width() / series.points.len().max(1) as f32;
    for run in runs(plot, scale, series) {
        // A value between two gaps would be invisible as a line.
        let marked = if run.len() == 1 || distance >= MARKED_DISTANCE { run.clone() } else { Vec::new() };
        if run.len() > 1 {
            page.scene.line(thinned(run), color, width);
        }
        for point in marked {
            page.scene.circle(point, width * 1.45, color);
        }
    }
}

fn fill_to_zero(page: &mut Page, plot: &Plot, series: &Series) {
    // A range that was asked for need not hold zero.
    let foot = plot.y.at(0.0).max(plot.area.top).min(plot.area.bottom);
    for run in runs(plot, plot.y, series).into_iter().filter(|run| run.len() > 1) {
        let mut area = thinned(run);
        let (Some(first), Some(last)) = (area.first().copied(), area.last().copied()) else { continue };
        area.extend([Point { x: last.x, y: foot }, Point { x: first.x, y: foot }]);
        page.scene.polygon(area, series.color, AREA_OPACITY);
    }
}

/// Where many points share a pixel, its first, lowest, highest and last one: the line looks the same.
fn thinned(points: Vec<Point>) -> Vec<Point> {
    let (Some(first), Some(last)) = (points.first(), points.last()) else { return points };
    let pixels = (last.x - first.x).abs().max(1.0) as usize;
    if points.len() <= pixels * DENSE {
        return points;
    }
    let mut thin: Vec<Point> = Vec::with_capacity(pixels * DENSE);
    for column in points.chunk_by(|a, b| a.x.floor() == b.x.floor()) {
        let by_height = |a: &usize, b: &usize| column[*a].y.total_cmp(&column[*b].y);
        let places = 0..column.len();
        let extremes = [places.clone().min_by(by_height), places.max_by(by_height)];
        let mut kept: Vec<usize> = extremes.into_iter().flatten().chain([0, column.len() - 1]).collect();
        kept.sort_unstable();
        kept.dedup();
        thin.extend(kept.into_iter().map(|place| column[place]));
    }
    thin
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scale_starts_at_zero_unless_that_wastes_half_of_it() {
        assert_eq!(with_zero((1.0, 10.0), false), (0.0, 10.0));
        assert_eq!(with_zero((6.0, 8.0), false), (6.0, 8.0));
        assert_eq!(with_zero((-10.0, -1.0), false), (-10.0, 0.0));
        assert_eq!(with_zero((-3.0, 8.0), false), (-3.0, 8.0));
        assert_eq!(with_zero((1.0, 10.0), true), (1.0, 10.0));
    }

    #[test]
    fn a_dense_line_keeps_the_extremes_of_every_pixel() {
        let height = |place: i32| if place == 51_234 { 900.0 } else { (place % 97) as f32 };
        let points: Vec<Point> =
            (0..100_000).map(|place| Point { x: place as f32 / 250.0, y: height(place) }).collect();
        let thin = thinned(points.clone());
        assert!(thin.len() <= 400 * DENSE + DENSE, "{}", thin.len());
        assert!(thin.iter().any(|point| point.y == 900.0) && thin.windows(2).all(|pair| pair[0].x <= pair[1].x));
        assert_eq!((thin.first(), thin.last()), (points.first(), points.last()));
        assert_eq!(thinned(points[..100].to_vec()).len(), 3, "the first is the lowest, too");
    }
}
