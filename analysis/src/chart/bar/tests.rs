use super::*;
use crate::chart::shared::Extent;

fn millis(date: &str) -> f64 {
    date.parse::<crate::load::Moment>().expect("a date").millis() as f64
}

fn series(points: &[(f64, Option<f64>)]) -> Series {
    Series { name: String::new(), color: palette::INK, points: points.to_vec() }
}

#[test]
fn a_months_slot_ends_where_the_next_month_starts() {
    let time = Domain::Time { days: true };
    let slots = Slots::new(&[millis("2020-01"), millis("2020-02"), millis("2020-05")], &time);
    assert_eq!(slots.ends[1], (millis("2020-02"), millis("2020-03")));
    assert_eq!(slots.range(), (millis("2020-01"), millis("2020-06")));
    let quarters = Slots::new(&[millis("2019-01"), millis("2019-07")], &time);
    assert_eq!(quarters.ends[0].1, millis("2019-07"));
}

#[test]
fn other_slots_are_as_long_as_the_least_distance() {
    let ten_days = Slots::new(
        &[millis("2020-02-01"), millis("2020-02-11"), millis("2020-02-21"), millis("2020-03-01")],
        &Domain::Time { days: true },
    );
    assert_eq!(ten_days.typical, 9.0 * 86_400_000.0);
    assert_eq!(Slots::new(&[3.0], &Domain::Number).ends, [(3.0, 4.0)]);
}

#[test]
fn layers_stand_on_one_another_and_gaps_have_no_height() {
    let layers = [series(&[(1.0, Some(2.0)), (2.0, Some(3.0))]), series(&[(2.0, Some(4.0)), (3.0, None)])];
    let stacks = Stacks::new(&layers, Arrangement::Stacked);
    assert_eq!(stacks.stacks[1].pieces, [(0.0, 3.0), (3.0, 7.0)]);
    assert_eq!(stacks.range(), (0.0, 7.0));
    assert_eq!(stacks.pieces(1).count(), 1);
}

#[test]
fn of_bars_on_one_pixel_the_highest_and_the_deepest_show() {
    let points: Vec<_> = [1.0, 5.0, 2.0, -1.0, -4.0, -2.0].repeat(1_000);
    let points: Vec<_> = points.into_iter().enumerate().map(|(at, value)| (at as f64, Some(value))).collect();
    let set = SeriesSet {
        domain: Domain::Number,
        null: None,
        series: vec![series(&points)],
        others: Vec::new(),
        extent: Extent::default(),
    };
    let mut page = Page::new(300, 200, "", "");
    draw(&mut page, &set, Arrangement::Stacked, "");
    let bars = page.scene.shapes.iter().filter_map(|shape| match shape {
        crate::chart::scene::Shape::Rect { area, fill } if *fill == palette::INK => Some(*area),
        _ => None,
    });
    let bars: Vec<Rect> = bars.collect();
    let (top, bottom) = (bars[0].top, bars[0].bottom);
    assert!(bars.len() > 200 && bars.len() < 300, "{}", bars.len());
    let around = |wanted: f32, found: f32| (wanted - found).abs() < 0.5;
    assert!(bars.iter().all(|bar| around(bar.top, top) && around(bar.bottom, bottom)), "{bars:?}");
    assert!(bottom - top > 100.0, "{top} to {bottom}");
}

#[test]
fn grouped_bars_start_at_zero_and_share_their_slot() {
    let layers = [series(&[(1.0, Some(3.0)), (2.0, Some(-2.0))]), series(&[(1.0, None), (2.0, Some(4.0))])];
    let stacks = Stacks::new(&layers, Arrangement::Grouped);
    assert_eq!(stacks.stacks[1].pieces, [(0.0, -2.0), (0.0, 4.0)]);
    assert_eq!((stacks.range(), stacks.stacks[0].is_value.as_slice()), ((-2.0, 4.0), [true, false].as_slice()));
    assert_eq!([part((10.0, 30.0), 0, 2), part((10.0, 30.0), 1, 2)], [(10.0, 20.0), (20.0, 30.0)]);
    assert_eq!(part((10.0, 11.0), 1, 2), (11.0, 12.0), "never less than a pixel");
}

#[test]
fn values_have_only_the_decimals_that_help() {
    assert_eq!(value_labels(&[1.0, 2_000.0]), ["1", "2,000"]);
    assert_eq!(value_labels(&[7.251, 8.0]), ["7.25", "8.00"]);
    assert_eq!(value_labels(&[0.5]), ["0.500"]);
    assert_eq!(value_labels(&[0.001_5, 0.0]), ["0.00150", "0.00000"]);
    assert_eq!(value_labels(&[1e-7, 2.5e-7, 0.0]), ["1e-7", "2.5e-7", "0"]);
    assert_eq!(value_labels(&[1e300]), ["1e300"]);
    assert_eq!(value_labels(&[50.0, 0.001, 0.5]), ["50.00", "1e-3", "0.50"]);
}
