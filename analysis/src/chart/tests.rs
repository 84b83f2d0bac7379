//! No picture shows less or other than its rows without saying so.

mod left_out;

use std::collections::BTreeSet;

use model::layout::{Column, ColumnRole};
use polars::prelude::{DataFrame, DataType, IntoLazy, TimeUnit, col, df};

use super::{
    ChartError, Figure, Grid, Kind,
    palette::{self, CATEGORIES},
    scene::{Color, Scene, Shape},
};
use crate::load::TableInfo;

fn table(window: &str, zone: &str, columns: &[(&str, ColumnRole)]) -> TableInfo {
    let column = |(name, role): &(&str, ColumnRole)| -> Column {
        let text = format!("{{\"name\": {name:?}, \"type\": \"int\", \"role\": {}}}", serde_json::json!(role));
        serde_json::from_str(&text).expect("a column")
    };
    let start = ("window_start", ColumnRole::WindowStart);
    TableInfo {
        name: "table".to_owned(),
        stream: "events".to_owned(),
        window: window.to_owned(),
        time_zone: zone.to_owned(),
        columns: [start].iter().chain(columns).map(column).collect(),
        rows: 0,
        published_revision: 0,
    }
}

fn cast(frame: DataFrame, name: &str, kind: DataType) -> DataFrame {
    frame.lazy().with_column(col(name).cast(kind)).collect().expect("a cast")
}

fn dated(frame: Result<DataFrame, polars::prelude::PolarsError>) -> DataFrame {
    cast(frame.expect("a frame"), "window_start", DataType::Date)
}

/// 1 January, 1 February, 1 May and 1 June 2020.
const MONTHS: [i32; 4] = [18_262, 18_293, 18_383, 18_414];

fn months() -> DataFrame {
    dated(df!("window_start" => MONTHS, "n" => [5_i64, 6, 7, 8], "n_mean" => [1.0, 2.0, 3.0, 4.0]))
}

fn scene(figure: Figure) -> Scene {
    figure.size(800, 450).scene().expect("a scene")
}

/// What the picture says to those who cannot see it: headings and remarks.
fn said(figure: Figure) -> String {
    scene(figure).description
}

fn texts(scene: &Scene) -> BTreeSet<&str> {
    let labels = scene.shapes.iter().filter_map(|shape| match shape {
        Shape::Label(label) => Some(label.text.as_str()),
        _ => None,
    });
    labels.collect()
}

fn lines(scene: &Scene, color: Color) -> Vec<usize> {
    let line = |shape: &Shape| match shape {
        Shape::Line { points, stroke, .. } if *stroke == color => Some(points.len()),
        _ => None,
    };
    scene.shapes.iter().filter_map(line).collect()
}

#[test]
fn rows_that_have_no_place_are_counted() {
    let frame = df!(
        "x" => [Some(1.0), None, Some(f64::NAN), Some(4.0)], "k" => [Some("a"), None, Some("b"), Some("c")],
        "y" => [Some(1.0), Some(2.0), Some(3.0), Some(f64::INFINITY)],
    );
    let frame = frame.expect("a frame");
    let cases = [
        (
            Figure::line(&frame).x("x").y("y"),
            "2 rows without x are not shown; 1 value that is NaN or infinite is not shown",
        ),
        (Figure::area(&frame).x("k").y("y"), "1 value that is NaN"),
        (Figure::bar(&frame).x("x").y("y"), "3 rows without x or y are not shown"),
        (Figure::bar(&frame).x("k").y("y"), "1 row without y is not shown"),
        (Figure::stacked_bar(&frame).x("k").y("y").by("k"), "1 row without y is not shown"),
        (Figure::histogram(&frame).x("x"), "2 rows without x are not shown"),
        (Figure::box_plot(&frame).x("k").y("y"), "1 row without y is not shown"),
        (Figure::scatter(&frame).x("x").y("y"), "3 rows without x or y are not shown"),
        (Figure::pie(&frame).x("k").y("y"), "1 row without y, or with 0, is not shown"),
        (Figure::heat_map(&frame).x("x").y("k").color("y"), "2 rows without x are not shown"),
        (Figure::scatter(&frame).x("x").y("y").facet("k"), "3 rows without x or y are not shown"),
        (Figure::bar(&frame).x("k").y("y").subtitle("mine").note("before"), "mine. before; 1 row"),
    ];
    for (figure, note) in cases {
        let kind = figure.kind;
        let said = said(figure);
        assert!(said.contains(note), "{kind}: {said}");
    }
    let whole = df!("x" => [1, 2], "k" => ["a", "b"], "y" => [1.0, 2.0]).expect("a frame");
    for kind in Kind::ALL {
        let figure = Figure::new(kind, &whole).x(if kind == Kind::Pie { "k" } else { "x" }).y("y");
        let figure = match kind {
            Kind::HeatMap => figure.y("k").color("y"),
            Kind::StackedArea | Kind::StackedBar => figure.by("k"),
            _ => figure,
        };
        assert!(!said(figure).contains("not shown"), "{kind} leaves nothing out");
    }
}

#[test]
fn a_null_among_names_has_a_name_in_every_kind() {
    let frame = df!("x" => [1, 1, 1], "k" => [Some("a"), None, Some("b")], "y" => [203, 28, 7]).expect("a frame");
    let figures = [
        Figure::bar(&frame).x("k").y("y"),
        Figure::bar(&frame).x("x").y("y").by("k"),
        Figure::stacked_bar(&frame).x("x").y("y").by("k"),
        Figure::pie(&frame).x("k").y("y"),
        Figure::heat_map(&frame).x("x").y("k").color("y"),
        Figure::heat_map(&frame).x("k").y("x").color("y"),
        Figure::box_plot(&frame).x("k").y("y"),
        Figure::line(&frame).x("k").y("y"),
        Figure::scatter(&frame).x("x").y("y").by("k"),
        Figure::bar(&frame).x("x").y("y").facet("k"),
    ];
    for figure in figures {
        let kind = figure.kind;
        let scene = scene(figure);
        let found = texts(&scene).into_iter().filter(|text| text.ends_with("none")).count();
        assert_eq!(found, 1, "{kind}: {:?}", texts(&scene));
    }
}

#[test]
fn a_missing_window_is_zero_for_counts_and_a_gap_otherwise() {
    let table = table("month", "UTC", &[("n", ColumnRole::Count), ("n_mean", ColumnRole::Mean)]);
    let zeros = scene(Figure::line(&months()).y("n").table(&table));
    assert_eq!(lines(&zeros, CATEGORIES[0]), [6], "two months, March and April at 0, two months");
    assert!(zeros.description.contains("2 windows without rows shown as 0"), "{}", zeros.description);
    let gaps = [
        Figure::line(&months()).y("n_mean").table(&table),
        Figure::line(&months()).y("n").table(&table).excerpt(),
        Figure::line(&months()).y("n").table(&table).log(),
        Figure::line(&months()).y("n"),
        Figure::area(&months()).y("n"),
    ];
    for figure in gaps {
        let scene = scene(figure);
        assert_eq!(lines(&scene, CATEGORIES[0]), [2, 2]);
        assert!(scene.description.contains("2 windows without rows left as gaps"), "{}", scene.description);
    }
    let plain = cast(months(), "window_start", DataType::Int32);
    let plain = scene(Figure::line(&plain).y("n"));
    assert_eq!(lines(&plain, CATEGORIES[0]), [4], "numbers are no windows");
}

#[test]
fn a_series_without_rows_is_zero_where_others_have_some() {
    let frame = dated(df!(
        "window_start" => [MONTHS[0], MONTHS[1], MONTHS[3], MONTHS[0]], "k" => ["a", "a", "a", "b"], "n" => [5_i64, 6, 7, 8],
    ));
    let table = table("month", "UTC", &[("k", ColumnRole::Key), ("n", ColumnRole::Count)]);
    let scene = scene(Figure::line(&frame).y("n").by("k").table(&table));
    let points = |color| lines(&scene, color).into_iter().max();
    assert_eq!((points(CATEGORIES[0]), points(CATEGORIES[1])), (Some(5), Some(3)), "b falls to 0 and stays there");
}

#[test]
fn hours_of_a_day_with_a_clock_change_have_no_gap() {
    // 26 hours around 01:00 UTC on 28 March 2021, when clocks in Berlin were put on, and on 31 October, when they were put back.
    for change in [1_616_893_200_000_i64, 1_635_642_000_000] {
        let hours: Vec<i64> = (-13..13).map(|hour| change + hour * 3_600_000).collect();
        let frame = df!("window_start" => hours, "n" => vec![1_i64; 26]).expect("a frame");
        let frame = cast(frame, "window_start", DataType::Datetime(TimeUnit::Milliseconds, None));
        let table = table("1h", "Europe/Berlin", &[("n", ColumnRole::Count)]);
        let scene = scene(Figure::line(&frame).y("n").table(&table));
        assert_eq!(lines(&scene, CATEGORIES[0]), [26]);
        assert!(!scene.description.contains("without rows"), "{}", scene.description);
        assert!(scene.description.contains("hours of ") && scene.description.contains("Europe/Berlin"));
        let utc = said(Figure::line(&frame).y("n"));
        assert!(utc.contains("hours of UTC"), "{utc}");
    }
}

#[test]
fn a_bar_is_as_wide_as_its_window() {
    let frame = dated(df!("window_start" => [18_262, 18_353], "n" => [1_i64, 1]));
    let table = table("month", "UTC", &[("n", ColumnRole::Count)]);
    let scene = scene(Figure::bar(&frame).y("n").table(&table));
    let bars = scene.shapes.iter().filter_map(|shape| match shape {
        Shape::Rect { area, fill } if *fill == CATEGORIES[0] => Some(*area),
        _ => None,
    });
    let bars: Vec<_> = bars.collect();
    assert!(bars[0].width() * 2.0 < bars[1].left - bars[0].right, "January and April, two months between: {bars:?}");
}

#[test]
fn what_does_not_add_up_is_no_part_of_a_whole() {
    let frame = dated(df!("window_start" => [MONTHS[0]; 2], "k" => ["a", "b"], "v" => [1.0, 2.0]));
    for (role, refused) in [
        (ColumnRole::Count, false),
        (ColumnRole::Sum, false),
        (ColumnRole::Histogram, false),
        (ColumnRole::Mean, true),
        (ColumnRole::Stddev, true),
        (ColumnRole::Quantile, true),
        (ColumnRole::Distinct, true),
        (ColumnRole::Min, true),
        (ColumnRole::Max, true),
        (ColumnRole::Rank, true),
    ] {
        let table = table("month", "UTC", &[("k", ColumnRole::Key), ("v", role)]);
        let figures = [
            Figure::pie(&frame).x("k").y("v"),
            Figure::stacked_bar(&frame).y("v").by("k"),
            Figure::stacked_area(&frame).y("v").by("k"),
            Figure::pie(&frame).x("window_start").y("v").facet("k"),
        ];
        for figure in figures {
            let drawn = figure.clone().table(&table).svg();
            assert_eq!(matches!(drawn, Err(ChartError::NoSum { .. })), refused, "{role:?} {}: {drawn:?}", figure.kind);
            assert!(figure.svg().is_ok(), "a frame of one's own is drawn as asked");
        }
        assert!(Figure::bar(&frame).y("v").by("k").table(&table).svg().is_ok());
    }
}

#[test]
fn a_table_of_the_first_says_so() {
    let frame = dated(
        df!("window_start" => [MONTHS[0]; 2], "rank" => [1, 2], "k" => ["a", "b"], "n" => [1, 2], "is_final" => [true; 2]),
    );
    let table = table("month", "UTC", &[("rank", ColumnRole::Rank), ("k", ColumnRole::Key), ("n", ColumnRole::Count)]);
    for figure in [Figure::bar(&frame).x("k").y("n"), Figure::pie(&frame).x("k").y("n"), Figure::scatter(&frame).y("n")]
    {
        let by_columns = said(figure.clone());
        assert!(by_columns.contains("only the first 2 of each window are in the table"), "{by_columns}");
        let by_table = said(figure.table(&table));
        assert!(by_table.contains("only the first 2 of each month are in the table"), "{by_table}");
    }
}

#[test]
fn windows_that_may_change_are_named() {
    let frame = |finals: [bool; 4]| dated(df!("window_start" => MONTHS, "n" => [5, 6, 7, 8], "is_final" => finals));
    for (finals, note) in [
        ([true, true, true, false], Some("the window 2020-06 is not final")),
        ([true, false, true, false], Some("2 windows are not final, the first is 2020-02")),
        ([false; 4], Some("the last window, 2020-06, may not be complete")),
        ([true; 4], None),
    ] {
        for kind in [Kind::Line, Kind::Area, Kind::Bar] {
            let said = said(Figure::new(kind, &frame(finals)).y("n"));
            assert_eq!(note.map(|note| said.contains(note)), note.map(|_| true), "{kind}: {said}");
            assert!(note.is_some() || !said.contains("final"), "{said}");
        }
    }
}

#[test]
fn points_without_a_logarithm_are_counted() {
    let frame = df!("x" => [1, 2, 3, 4], "y" => [10, 0, -5, 1_000]).expect("a frame");
    let said = said(Figure::line(&frame).x("x").y("y").log());
    assert!(said.contains("2 values of 0 or less have no place on the logarithmic scale"), "{said}");
}

#[test]
fn years_have_no_separator_and_keys_are_names() {
    let frame = df!("year" => [2009_i64, 2010, 2011], "n" => [1_i64, 2, 3], "first_year" => [1998_i64, 1999, 2001]);
    let frame = frame.expect("a frame");
    for kind in [Kind::Line, Kind::Bar, Kind::Scatter, Kind::Area] {
        for table in [None, Some(table("month", "UTC", &[("year", ColumnRole::Key), ("n", ColumnRole::Count)]))] {
            let figure = Figure::new(kind, &frame).x("year").y("n");
            let scene = scene(table.iter().fold(figure, |figure, table| figure.table(table)));
            assert!(texts(&scene).contains("2010"), "{kind}: {:?}", texts(&scene));
        }
        let years = scene(Figure::new(kind, &frame).x("year").y("first_year"));
        assert!(texts(&years).iter().all(|text| !text.contains(',')), "{kind}: {:?}", texts(&years));
    }
    let frame =
        df!("store" => [7_i64, 19, 100_000, 1_234_567_890_123_456_789], "n" => [4_i64, 3, 2, 1]).expect("a frame");
    let table = table("month", "UTC", &[("store", ColumnRole::Key), ("n", ColumnRole::Count)]);
    for kind in [Kind::Line, Kind::Bar, Kind::Scatter, Kind::Area, Kind::Pie, Kind::Box] {
        let scene = scene(Figure::new(kind, &frame).x("store").y("n").table(&table));
        let names = ["7", "19", "100000", "1234567890123456789"];
        let named = |name: &&str| texts(&scene).iter().any(|text| text.split(" · ").any(|part| part == *name));
        assert!(names.iter().all(named), "{kind}: {:?}", texts(&scene));
    }
    let series = scene(Figure::bar(&frame).x("n").y("n").by("store").table(&table));
    assert!(texts(&series).contains("1234567890123456789"));
}

/// The colours of a legend's entries by their names.
fn legend(scene: &Scene) -> Vec<(String, Color)> {
    let pairs = scene.shapes.windows(2).filter_map(|pair| match pair {
        [Shape::Rect { fill: color, .. } | Shape::Line { stroke: color, .. }, Shape::Label(label)] => {
            let name = label.text.split(" · ").last().unwrap_or_default();
            (CATEGORIES.contains(color) || *color == palette::OTHERS).then(|| (name.to_owned(), *color))
        }
        _ => None,
    });
    pairs.collect()
}

#[test]
fn a_name_has_one_colour_on_a_page() {
    let frame = |sizes: &[(&str, i64)]| {
        let (names, sizes): (Vec<&str>, Vec<i64>) = sizes.iter().copied().unzip();
        df!("x" => vec![1; sizes.len()], "k" => names, "n" => sizes).expect("a frame")
    };
    let first = frame(&[("a", 9), ("b", 5), ("c", 1)]);
    let second = frame(&[("c", 90), ("d", 20), ("a", 10)]);
    let third = frame(&[("d", 3), ("e", 2), ("f", 1)]);
    let grid = Grid::new([
        Figure::line(&first).x("x").y("n").by("k"),
        Figure::stacked_bar(&second).x("x").y("n").by("k"),
        Figure::pie(&third).x("k").y("n"),
    ]);
    let scene = grid.size(1_400, 500).scene().expect("a page");
    let mut colors: Vec<(String, Color)> = legend(&scene);
    assert_eq!(colors.len(), 9, "{colors:?}");
    colors.sort_by(|a, b| a.0.cmp(&b.0));
    colors.dedup();
    let names: Vec<&str> = colors.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["a", "b", "c", "d", "e", "f"], "one colour each");
    for figure in [["a", "b", "c"], ["c", "d", "a"], ["d", "e", "f"]] {
        let own =
            colors.iter().filter(|(name, _)| figure.contains(&name.as_str())).map(|(_, Color(r, g, b))| (r, g, b));
        assert_eq!(own.collect::<BTreeSet<_>>().len(), 3, "apart in {figure:?}: {colors:?}");
    }
}

#[test]
fn times_at_the_ends_of_the_calendar_are_drawn() {
    // 0000-01-01, 1970-01-01, 9999-12-01, 9999-12-31 and days that no calendar reaches.
    for days in [[-719_528, 0], [0, 2_932_866], [0, 2_932_896], [2_932_895, 2_932_896], [i32::MIN, i32::MAX]] {
        let frame = dated(df!("window_start" => days, "n" => [1_i64, 2], "k" => ["a", "b"]));
        for window in ["day", "week", "ten_day", "month", "quarter", "year", "15m", "1h every 15m", "session 30m"] {
            let table = table(window, "Asia/Tokyo", &[("n", ColumnRole::Count), ("k", ColumnRole::Key)]);
            for kind in [Kind::Line, Kind::Area, Kind::StackedArea, Kind::Bar, Kind::StackedBar, Kind::Scatter] {
                let figure = Figure::new(kind, &frame).y("n").table(&table).by("k");
                assert!(figure.svg().is_ok(), "{kind} {window} {days:?}");
            }
        }
    }
}
