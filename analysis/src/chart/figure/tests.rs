use super::*;
use crate::chart::{
    font,
    scene::{Anchor, Label, Rect, Shape},
};
use polars::prelude::{DataType, IntoLazy, col, df};

/// 40 months from January 2018 with two series each, and names of any length.
fn frame() -> DataFrame {
    let days: Vec<i32> = (0..80).map(|row| 17_532 + row / 2 * 31 - row / 2 * 31 % 28).collect();
    let movies = ["Up (2009)", "The Lord of the Rings: The Fellowship of the Ring (2001)"];
    let frame = df!(
        "window_start" => days,
        "movie" => (0..80).map(|row| movies[row % 2]).collect::<Vec<_>>(),
        "rating" => (0..80_i64).map(|row| row % 2 + 1).collect::<Vec<_>>(),
        "reviews" => (0..80_i64).map(|row| 1_000 + row * row * 37 % 9_000).collect::<Vec<_>>(),
    );
    let dates = col("window_start").cast(DataType::Date);
    frame.expect("a frame").lazy().with_column(dates).collect().expect("dates")
}

/// Nine series with long names.
fn many() -> DataFrame {
    let names = (0..18).map(|row| format!("{}: a film with a name of its own", row % 9)).collect::<Vec<_>>();
    df!("x" => (0..18).map(|row| row / 9).collect::<Vec<_>>(), "y" => vec![5; 18], "film" => names).expect("a frame")
}

fn figures() -> Vec<Figure> {
    let frame = frame();
    let one = frame.clone().lazy().filter(col("rating").eq(1)).collect().expect("rows");
    let names = one.clone().lazy().with_column(col("window_start").cast(DataType::String).alias("name"));
    vec![
        Figure::line(&frame).y("reviews").by("movie"),
        Figure::line(&one).x("reviews").y("rating"),
        Figure::bar(&one).y("reviews"),
        Figure::bar(&one.head(Some(7))).y("reviews"),
        Figure::bar(&names.collect().expect("names")).x("name").y("reviews"),
        Figure::stacked_bar(&frame).y("reviews").by("rating"),
        Figure::heat_map(&frame).y("rating").color("reviews"),
        Figure::heat_map(&frame).y("movie").color("reviews"),
        Figure::stacked_bar(&many()).x("x").y("y").by("film"),
        Figure::line(&many()).x("x").y("y").by("film"),
    ]
}

fn extent(label: &Label) -> Rect {
    let width = font::width(&label.text, label.face);
    let left = match label.anchor {
        Anchor::Start => label.at.x,
        Anchor::Middle => label.at.x - width / 2.0,
        Anchor::End => label.at.x - width,
    };
    let top = label.at.y - font::CAP_HEIGHT * label.face.size;
    Rect { left, right: left + width, top, bottom: label.at.y }
}

fn overlap(a: &Rect, b: &Rect) -> bool {
    a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom
}

#[test]
fn no_line_leaves_a_range_that_was_asked_for() {
    let frame = df!("x" => [1, 2, 3], "y" => [2.0, 50.0, 7.0]).expect("a frame");
    let line = Figure::line(&frame).x("x").y("y").level(60.0, "goal").range(5.0, 10.0).size(400, 260);
    for figure in [line.clone(), line.log()] {
        let shapes = figure.scene().expect("a scene").shapes;
        let grid = shapes.iter().filter_map(|shape| match shape {
            Shape::Rect { area, fill } if *fill == super::super::palette::GRID => Some(area.left),
            _ => None,
        });
        let left = grid.fold(0.0, f32::max);
        let points = shapes.iter().filter_map(|shape| match shape {
            Shape::Line { points, .. } => Some(points),
            _ => None,
        });
        let lines: Vec<_> = points.flatten().collect();
        assert!(lines.len() > 10, "the dashes of the goal and the line");
        for point in lines {
            assert!(point.x >= left && (30.0..=235.0).contains(&point.y), "{point:?}");
        }
        let labels = shapes.iter().filter(|shape| matches!(shape, Shape::Label(label) if label.text == "goal"));
        assert_eq!(labels.count(), 1);
    }
}

#[test]
fn no_area_is_filled_beyond_a_range_that_was_asked_for() {
    for (values, zero_is_below) in [([6.5, 7.0, 7.5], true), ([-6.5, -7.0, -7.5], false)] {
        let frame = df!("x" => [1, 2, 3], "y" => values).expect("a frame");
        let (low, high) = if zero_is_below { (6.0, 8.0) } else { (-8.0, -6.0) };
        let figure = Figure::area(&frame).x("x").y("y").range(low, high).size(400, 260);
        let shapes = figure.scene().expect("a scene").shapes;
        let rules = shapes.iter().filter_map(|shape| match shape {
            Shape::Rect { area, fill } if *fill == super::super::palette::GRID => Some(area.top),
            _ => None,
        });
        let mut rules: Vec<f32> = rules.collect();
        rules.sort_by(f32::total_cmp);
        let area = shapes.iter().find_map(|shape| match shape {
            Shape::Polygon { points, .. } => Some(points),
            _ => None,
        });
        // The foot comes last.
        let foot = area.and_then(|points| points.last()).expect("an area").y;
        let beyond = if zero_is_below { foot - rules[rules.len() - 1] } else { rules[0] - foot };
        assert!((0.0..=rules[1] - rules[0]).contains(&beyond), "{beyond} beyond the last of {rules:?}");
    }
}

#[test]
fn labels_stay_on_the_page_and_never_overlap_in_any_kind_and_size() {
    for (number, figure) in figures().into_iter().enumerate() {
        for (width, height) in [(200, 150), (400, 260), (800, 450), (1_200, 640), (3_000, 300)] {
            let scene = figure.clone().title("A title").size(width, height).scene().expect("a scene");
            let labels: Vec<(&str, Rect)> = scene
                .shapes
                .iter()
                .filter_map(|shape| if let Shape::Label(label) = shape { Some(label) } else { None })
                .map(|label| (label.text.as_str(), extent(label)))
                .collect();
            for (place, (text, area)) in labels.iter().enumerate() {
                let inside =
                    area.left >= 0.0 && area.right <= width as f32 && area.top >= 0.0 && area.bottom <= height as f32;
                assert!(inside, "figure {number} at {width} × {height}: {text:?} {area:?}");
                let covered = labels[..place].iter().find(|(_, other)| overlap(area, other));
                assert!(covered.is_none(), "figure {number} at {width} × {height}: {text:?} and {covered:?}");
            }
        }
    }
}
