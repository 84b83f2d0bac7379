//! Bars without room, names without letters, and numbers without a type.

use super::*;

#[test]
fn of_bars_without_room_the_smallest_are_left_out_and_added_up() {
    // Values, whether there is a row of nulls, what must be in the picture, what must not, and what is said.
    let names = |values: &[f64], has_null: bool| -> Vec<Option<String>> {
        let last = if has_null { values.len() - 1 } else { values.len() };
        (0..values.len()).map(|place| (place < last).then(|| format!("name {place}"))).collect()
    };
    let many = |head: &[f64], tail: &[f64]| [head, &[1.0; 200], tail].concat();
    for (values, has_null, shown, said) in [
        (many(&[50.0], &[-1_000.0]), false, "name 201", "together 1"),
        (many(&[50.0], &[1_000.0]), false, "name 201", "of 1,250 (1"),
        (many(&[50.0], &[0.5]), true, "none", "of 250"),
        (many(&[], &[-3.0, -2.0, -900.0]), true, "none", "more not shown"),
        (many(&[2.0], &[3.0]), false, "name 0", "together 1"),
    ] {
        let frame = df!("k" => names(&values, has_null), "y" => values).expect("a frame");
        let figure = Figure::bar(&frame).x("k").y("y");
        let scene = scene(figure);
        let texts = texts(&scene);
        assert!(texts.contains(shown) && texts.iter().any(|text| text.contains(said)), "{shown} {said}: {texts:?}");
        // Every row is drawn, or counted.
        let rows = texts.iter().filter(|text| text.starts_with("name ") || **text == "none").count();
        let count = texts.iter().find_map(|text| text.split_once(" more not shown")?.0.parse::<usize>().ok());
        assert_eq!(rows + count.expect("a count"), frame.height(), "{texts:?}");
    }
}

#[test]
fn of_means_without_room_the_largest_is_named() {
    let table = table("year", "UTC", &[("k", ColumnRole::Key), ("y_mean", ColumnRole::Mean)]);
    let names: Vec<String> = (0..100).map(|place| format!("name {place}")).collect();
    let values: Vec<f64> = (0..100).map(|place| 9.0 - f64::from(place % 7)).collect();
    let frame = df!("k" => names, "y_mean" => values).expect("a frame");
    let scene = scene(Figure::bar(&frame).x("k").y("y_mean").table(&table));
    let texts = texts(&scene);
    assert!(texts.iter().any(|text| text.ends_with("more not shown, the largest 8")), "{texts:?}");
    assert!(!texts.iter().any(|text| text.contains("together")), "{texts:?}");
}

#[test]
fn a_name_without_letters_has_an_entry_in_every_kind() {
    let frame = df!("x" => [1, 1, 1], "k" => [Some("a"), Some(""), None], "y" => [203, 28, 7]).expect("a frame");
    let figures = [
        Figure::bar(&frame).x("k").y("y"),
        Figure::stacked_bar(&frame).x("x").y("y").by("k"),
        Figure::pie(&frame).x("k").y("y"),
        Figure::heat_map(&frame).x("x").y("k").color("y"),
        Figure::box_plot(&frame).x("k").y("y"),
        Figure::line(&frame).x("x").y("y").by("k"),
        Figure::stacked_area(&frame).x("x").y("y").by("k"),
        Figure::scatter(&frame).x("x").y("y").by("k"),
        Figure::bar(&frame).x("x").y("y").facet("k"),
    ];
    for figure in figures {
        let kind = figure.kind;
        let scene = scene(figure);
        let texts = texts(&scene);
        for name in ["(blank)", "none"] {
            assert_eq!(texts.iter().filter(|text| text.ends_with(name)).count(), 1, "{kind} {name}: {texts:?}");
        }
    }
}

#[test]
fn integers_beyond_64_bits_are_drawn_and_said_to_be_rounded() {
    let long = ["36893488147419103230", "-5", "18446744073709551615"];
    let frame = df!("k" => ["a", "b", "c"], "x" => [1, 2, 3], "y" => long).expect("a frame");
    let positive = df!("k" => ["a", "b"], "x" => [1, 2], "y" => [long[0], long[2]]).expect("a frame");
    for figure in [
        Figure::bar(&frame).x("k").y("y"),
        Figure::line(&frame).x("x").y("y"),
        Figure::pie(&positive).x("k").y("y"),
        Figure::stacked_bar(&positive).x("x").y("y").by("k"),
        Figure::heat_map(&frame).x("x").y("k").color("y"),
        Figure::scatter(&frame).x("y").y("x"),
        Figure::histogram(&frame).x("y"),
        Figure::line(&frame).x("x").y("x").right("y"),
    ] {
        let kind = figure.kind;
        let said = said(figure);
        assert!(said.contains("y: numbers beyond 64 bits"), "{kind}: {said}");
    }
    let codes = df!("k" => ["a", "b"], "y" => ["36893488147419103230", "007"]).expect("a frame");
    let error = Figure::bar(&codes).x("k").y("y").svg().expect_err("codes are no amounts");
    assert!(matches!(error, ChartError::Type { .. }), "{error}");
}
