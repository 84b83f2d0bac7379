//! Lines: one per series, broken at gaps.

use super::{
    axes::{self, Frame, Plot},
    bar::finest,
    data::Domain,
    legend::{self, Entry, Swatch},
    page::Page,
    palette,
    scene::{Color, Point},
    series::{Series, SeriesSet},
};

/// Points further apart than this, in pixels, are marked.
const MARKED_DISTANCE: f32 = 14.0;
/// A scale starts at zero unless that would take more than this share of it.
const MOST_EMPTY: f64 = 0.5;

/// Draws all series; those without a colour lie grey behind the others.
pub(crate) fn draw(page: &mut Page, set: &SeriesSet, x_name: &str) {
    let mut entries: Vec<Entry> = Vec::new();
    if !set.series.first().is_none_or(|series| series.name.is_empty()) {
        entries.extend(set.series.iter().map(|series| Entry { name: series.name.clone(), color: series.color }));
    }
    if !set.others.is_empty() {
        entries.push(Entry { name: set.others_name(), color: palette::OTHERS });
    }
    legend::entries(page, &entries, Swatch::Line);

    let places = set.places();
    let frame = Frame {
        domain: &set.domain,
        places: set.place_range(),
        finest: finest(&places),
        tick_at: &|place| place,
        inset: inset(page, &set.domain, places.len()),
        x_name,
    };
    let plot = axes::upright(page, &frame, with_zero(set.value_range()));
    if plot.y.values.0 <= 0.0 && plot.y.values.1 >= 0.0 {
        axes::baseline(page, &plot);
    }
    let width = (page.label.size / 6.5).clamp(1.6, 2.2);
    for series in set.others.iter().rev() {
        draw_series(page, &plot, series, palette::OTHERS, 1.0);
    }
    for series in set.series.iter().rev() {
        draw_series(page, &plot, series, series.color, width);
    }
}

/// Room for half a label at the ends of an axis of names, and for half a marker elsewhere.
fn inset(page: &Page, domain: &Domain, places: usize) -> f32 {
    match domain {
        Domain::Category(_) => page.free.width() / (places as f32 * 2.0 + 2.0),
        _ => page.gap(),
    }
}

/// The range from zero where that does not squeeze the values into half of it.
fn with_zero((low, high): (f64, f64)) -> (f64, f64) {
    if low > 0.0 && low < high * MOST_EMPTY {
        (0.0, high)
    } else if high < 0.0 && high > low * MOST_EMPTY {
        (low, 0.0)
    } else {
        (low, high)
    }
}

fn draw_series(page: &mut Page, plot: &Plot, series: &Series, color: Color, width: f32) {
    let pixel = |&(place, value): &(f64, Option<f64>)| Some(Point { x: plot.x.at(place), y: plot.y.at(value?) });
    let points: Vec<Option<Point>> = series.points.iter().map(pixel).collect();
    let distance = plot.area.width() / points.len().max(1) as f32;
    for run in points.split(Option::is_none) {
        let run: Vec<Point> = run.iter().flatten().copied().collect();
        // A value between two gaps would be invisible as a line.
        let marked = if run.len() == 1 || distance >= MARKED_DISTANCE { run.clone() } else { Vec::new() };
        if run.len() > 1 {
            page.scene.line(run, color, width);
        }
        for point in marked {
            page.scene.circle(point, width * 1.45, color);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scale_starts_at_zero_unless_that_wastes_half_of_it() {
        assert_eq!(with_zero((1.0, 10.0)), (0.0, 10.0));
        assert_eq!(with_zero((6.0, 8.0)), (6.0, 8.0));
        assert_eq!(with_zero((-10.0, -1.0)), (-10.0, 0.0));
        assert_eq!(with_zero((-3.0, 8.0)), (-3.0, 8.0));
    }
}
