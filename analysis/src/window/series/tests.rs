use super::*;
use polars::prelude::{Column, df};

fn dated(frame: DataFrame) -> DataFrame {
    frame.lazy().with_column(col(WINDOW_START).cast(DataType::Date)).collect().expect("dates")
}

/// Two films over months from 1 January 2020, out of order, one month and one value missing.
fn films() -> DataFrame {
    dated(
        df!(
            WINDOW_START => [18_293, 18_262, 18_262, 18_353],
            "movie" => ["A", "A", "B", "A"],
            "n" => [Some(4_i64), Some(1), Some(3), None],
        )
        .expect("a frame"),
    )
}

fn floats(frame: &DataFrame, name: &str) -> Vec<Option<f64>> {
    frame.column(name).expect(name).f64().expect(name).iter().collect()
}

#[test]
fn changes_and_running_values_follow_time_within_a_key() {
    let changes = change(&films(), "n", &["movie"]).expect("changes");
    assert_eq!(floats(&changes, "n_change"), [Some(3.0), None, None, None]);
    let totals = cumulative(&films(), "n", &["movie"]).expect("totals");
    assert_eq!(floats(&totals, "n_total"), [Some(5.0), Some(1.0), Some(3.0), None]);
    let means = moving_mean(&films(), "n", 2, &["movie"]).expect("means");
    assert_eq!(floats(&means, "n_moving_mean"), [Some(2.5), Some(1.0), Some(3.0), Some(4.0)]);
}

#[test]
fn shares_and_ranks_are_within_a_window() {
    let shares = share(&films(), "n").expect("shares");
    assert_eq!(floats(&shares, "n_share"), [Some(1.0), Some(0.25), Some(0.75), None]);
    let top = top_per_window(&films(), "n", 1).expect("the largest");
    let expected = df!(
        WINDOW_START => [18_262, 18_293], "movie" => ["B", "A"], "n" => [3_i64, 4], "rank" => [1_i64, 1]
    );
    assert_eq!(top, dated(expected.expect("a frame")));
}

#[test]
fn windows_without_events_get_rows_of_nulls() {
    let filled = fill_windows(&films(), "month", &["movie"]).expect("filled");
    let expected = df!(
        WINDOW_START => [18_262, 18_262, 18_293, 18_293, 18_322, 18_322, 18_353, 18_353],
        "movie" => ["A", "B", "A", "B", "A", "B", "A", "B"],
        "n" => [Some(1_i64), Some(3), Some(4), None, None, None, None, None],
    );
    assert_eq!(filled, dated(expected.expect("a frame")));
    assert!(fill_windows(&films(), "session 1h", &[]).is_err());
    let none = films().head(Some(0));
    assert_eq!(fill_windows(&none, "month", &[]).expect("nothing").height(), 0);
}

#[test]
fn more_rows_than_a_memory_holds_are_refused() {
    let instants = df!(WINDOW_START => [0_i64, 10_000_000_000_000], "movie" => ["A", "B"]).expect("a frame");
    let kind = DataType::Datetime(TimeUnit::Milliseconds, None);
    let instants = instants.lazy().with_column(col(WINDOW_START).cast(kind)).collect().expect("instants");
    let refused = |every: &str, keys: &[&str]| match fill_windows(&instants, every, keys) {
        Err(WindowError::TooMany { keys, .. }) => Some(keys),
        _ => None,
    };
    assert_eq!((refused("1s", &[]), refused("1m", &["movie"]), refused("1d", &["movie"])), (Some(1), Some(2), None));
}

#[test]
fn what_is_missing_is_named() {
    let error = change(&films(), "reviews", &[]).expect_err("no reviews").to_string();
    assert_eq!(error, "the frame has no column \"reviews\"; it has window_start, movie, n");
    let error = share(&films(), "movie").expect_err("texts").to_string();
    assert_eq!(error, "column \"movie\" is str; a value needs numbers");
}

#[test]
fn windows_of_another_length_than_the_rows_are_refused() {
    let months = dated(df!(WINDOW_START => [18_262, 18_293, 18_322], "n" => [1_i64, 2, 3]).expect("a frame"));
    let error = fill_windows(&months, "year", &[]).expect_err("years").to_string();
    assert_eq!(error, "no window by year begins at 2020-02-01, as a row does; give the windows that the rows have");
    let error = fill_windows(&months.tail(Some(1)), "year", &[]).expect_err("a year").to_string();
    assert!(error.contains("begins at 2020-03-01"), "{error}");
    let quarters = df!(WINDOW_START => [0_i64, 900_000], "n" => [1_i64, 2]).expect("a frame");
    let instants = col(WINDOW_START).cast(DataType::Datetime(TimeUnit::Milliseconds, None));
    let quarters = quarters.lazy().with_column(instants).collect().expect("instants");
    assert!(fill_windows(&quarters, "1h", &[]).is_err());
    assert_eq!(fill_windows(&quarters, "5m", &[]).expect("filled").height(), 4);
}

#[test]
fn a_filled_window_has_its_end() {
    let frame = df!(WINDOW_START => [18_262, 18_322], WINDOW_END => [18_293, 18_353], "n" => [1_i64, 2]);
    let dates = [col(WINDOW_START).cast(DataType::Date), col(WINDOW_END).cast(DataType::Date)];
    let frame = frame.expect("a frame").lazy().with_columns(dates).collect().expect("dates");
    let filled = fill_windows(&frame, "month", &[]).expect("filled");
    let ends = filled.column(WINDOW_END).expect("ends").cast(&DataType::Int32).expect("days");
    assert_eq!(ends.i32().expect("days").iter().flatten().collect::<Vec<_>>(), [18_293, 18_322, 18_353]);
    let hours = df!(WINDOW_START => [0_i64, 7_200_000_000], WINDOW_END => [3_600_000_000_i64, 10_800_000_000]);
    let micros = DataType::Datetime(TimeUnit::Microseconds, None);
    let instants = [WINDOW_START, WINDOW_END].map(|name| col(name).cast(micros.clone()));
    let hours = hours.expect("a frame").lazy().with_columns(instants).collect().expect("instants");
    let filled = fill_windows(&hours, "1h", &[]).expect("filled");
    let ends = filled.column(WINDOW_END).expect("ends");
    assert_eq!(ends.dtype(), &micros);
    assert_eq!(ends.cast(&DataType::Int64).expect("numbers").i64().expect("numbers").get(1), Some(7_200_000_000));
}

#[test]
fn nan_is_no_value() {
    let frame = df!(WINDOW_START => [0, 0, 0], "x" => [1.0, f64::NAN, 3.0]).expect("a frame");
    let frame = dated(frame);
    let top = top_per_window(&frame, "x", 5).expect("the largest");
    assert_eq!(floats(&top, "x"), [Some(3.0), Some(1.0)]);
    assert_eq!(floats(&share(&frame, "x").expect("shares"), "x_share"), [Some(0.25), None, Some(0.75)]);
    assert_eq!(floats(&cumulative(&frame, "x", &[]).expect("totals"), "x_total"), [Some(1.0), None, Some(4.0)]);
    assert_eq!(floats(&moving_mean(&frame, "x", 9, &[]).expect("means"), "x_moving_mean")[2], Some(2.0));
    assert_eq!(floats(&change(&frame, "x", &[]).expect("changes"), "x_change"), [None, None, None]);
}

#[test]
fn a_column_that_is_there_is_not_written_over() {
    let taken = |name: &str| {
        let mut frame = films();
        frame.with_column(Column::new(name.into(), [1_i64; 4])).expect("a column");
        frame
    };
    let error = top_per_window(&taken("rank"), "n", 1).expect_err("a rank").to_string();
    assert_eq!(error, "the frame has a column \"rank\" already; drop it or give it another name");
    for (name, added) in [
        ("n_change", change(&taken("n_change"), "n", &[])),
        ("n_share", share(&taken("n_share"), "n")),
        ("n_total", cumulative(&taken("n_total"), "n", &[])),
        ("n_moving_mean", moving_mean(&taken("n_moving_mean"), "n", 2, &[])),
    ] {
        assert!(matches!(added, Err(WindowError::Taken(taken)) if taken == name), "{name}");
    }
}
