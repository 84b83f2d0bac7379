//! Windowed aggregation against polars, against the worker's rollups, and against itself cut into pieces.

use std::collections::{BTreeMap, HashMap};

use analysis::{
    polars::prelude::*,
    window::{Spec, WindowError, Windowed, fill_windows},
};
use bson::{Bson, Document, RawDocumentBuf, doc};
use model::{
    clock::{AllowedLateness, EventClock},
    rollup::{Changes, Facts},
    schema::Schema,
};
use proptest::prelude::{Just, Strategy, any, prop, prop_assert, prop_assert_eq, prop_oneof, proptest};

const HOUR: i64 = 3_600_000;
const DAY: i64 = 24 * HOUR;

/// Milliseconds, key, value.
type Row = (Option<i64>, Option<&'static str>, Option<i64>);

fn rows() -> impl Strategy<Value = Vec<Row>> {
    // A few days around 1970 and around the changes of the clock in 2021, so that windows are met again and again.
    let around = |middle: i64| (middle - 3 * DAY)..(middle + 3 * DAY);
    let time = prop_oneof![
        8 => around(0),
        4 => around(1_616_893_200_000),
        4 => around(1_635_642_000_000),
        1 => -4_000_000_000_000..4_000_000_000_000_i64,
    ];
    let time = prop_oneof![20 => time.prop_map(Some), 1 => Just(None)];
    let key = prop_oneof![Just(Some("Up (2009)")), Just(Some("기생충")), Just(Some("")), Just(None)];
    let value = prop_oneof![4 => (-1_000..1_000_i64).prop_map(Some), 1 => Just(None)];
    prop::collection::vec((time, key, value), 1..120)
}

fn frame(rows: &[Row]) -> DataFrame {
    let times: Vec<Option<i64>> = rows.iter().map(|row| row.0).collect();
    let keys: Vec<Option<&str>> = rows.iter().map(|row| row.1).collect();
    let values: Vec<Option<i64>> = rows.iter().map(|row| row.2).collect();
    let floats: Vec<Option<f64>> = rows.iter().map(|row| row.2.map(|value| value as f64 / 8.0)).collect();
    let frame = df!("t" => times, "k" => keys, "n" => values, "x" => floats).expect("a frame");
    let instants = col("t").cast(DataType::Datetime(TimeUnit::Milliseconds, None));
    frame.lazy().with_column(instants).collect().expect("instants")
}

fn spec(windows: &str) -> Spec {
    Spec::new("t", windows).expect(windows).keys(["k"]).measure("n").measure("x").distinct("n")
}

fn whole(spec: Spec, frame: &DataFrame) -> DataFrame {
    let mut windowed = Windowed::new(spec);
    windowed.update(frame).expect("an update");
    windowed.snapshot().expect("a snapshot")
}

/// The table that polars makes of the frame in one go.
fn by_polars(frame: &DataFrame, every: &str, period: &str, zone: Option<&str>) -> DataFrame {
    let mut lazy = frame.clone().lazy().filter(col("t").is_not_null());
    if let Some(zone) = zone {
        let zoned = TimeZone::opt_try_new(Some(zone)).expect("a zone").expect("a zone");
        lazy = lazy.with_column(col("t").cast(DataType::Datetime(TimeUnit::Milliseconds, Some(zoned))));
    }
    let options = DynamicGroupOptions {
        index_column: "t".into(),
        every: Duration::parse(every),
        period: Duration::parse(period),
        offset: Duration::parse("0ns"),
        label: Label::Left,
        include_boundaries: false,
        closed_window: ClosedWindow::Left,
        start_by: StartBy::WindowBound,
    };
    let mut start = col("t");
    if zone.is_some() {
        // The label of a window is its civil date.
        start = start.dt().replace_time_zone(None, lit("raise"), NonExistent::Raise);
    }
    lazy.sort(["t"], SortMultipleOptions::default())
        .group_by_dynamic(col("t"), [col("k")], options)
        .agg([
            len().cast(DataType::Int64).alias("count"),
            col("n").count().cast(DataType::Int64).alias("n_count"),
            col("n").sum().alias("n_sum"),
            col("n").mean().alias("n_mean"),
            col("n").std(1).alias("n_stddev"),
            col("n").min().alias("n_min"),
            col("n").max().alias("n_max"),
            col("x").sum().alias("x_sum"),
            col("n").drop_nulls().n_unique().cast(DataType::Int64).alias("n_distinct"),
        ])
        .with_column(start.alias("window_start"))
        .sort(["window_start", "k"], SortMultipleOptions::default())
        .collect()
        .expect("polars' own")
}

/// Floats up to rounding: sums of fractions depend on their order.
fn equal(a: &AnyValue<'_>, b: &AnyValue<'_>) -> bool {
    match (a, b) {
        (AnyValue::Float64(a), AnyValue::Float64(b)) => (a - b).abs() <= 1e-9 * (1.0 + a.abs().max(b.abs())),
        (a, b) => a == b,
    }
}

/// Every column that both have is equal.
fn same(ours: &DataFrame, theirs: &DataFrame) -> Result<(), String> {
    if ours.height() != theirs.height() {
        return Err(format!("{} rows and {} rows\n{ours}\n{theirs}", ours.height(), theirs.height()));
    }
    for name in theirs.get_column_names() {
        let Ok(column) = ours.column(name) else { continue };
        let theirs = theirs.column(name).expect("a column").cast(column.dtype()).expect("the same type");
        for row in 0..ours.height() {
            let (a, b) = (column.get(row).expect("a value"), theirs.get(row).expect("a value"));
            if !equal(&a, &b) {
                return Err(format!("{name} of row {row}: {a} and {b}\n{ours}"));
            }
        }
    }
    Ok(())
}

/// The frame cut at these rows.
fn pieces(frame: &DataFrame, cuts: &[usize]) -> Vec<DataFrame> {
    let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut % (frame.height() + 1)).chain([0, frame.height()]).collect();
    cuts.sort_unstable();
    cuts.windows(2).map(|pair| frame.slice(pair[0] as i64, pair[1] - pair[0])).collect()
}

fn assert_same(ours: &DataFrame, theirs: &DataFrame) {
    if let Err(difference) = same(ours, theirs) {
        panic!("{difference}");
    }
}

proptest! {
    #[test]
    fn windows_are_those_of_polars(rows in rows()) {
        let frame = frame(&rows);
        for (ours, theirs) in [("1h", "1h"), ("90m", "90m"), ("day", "1d"), ("week", "1w"), ("month", "1mo"), ("quarter", "1q"), ("year", "1y")] {
            let difference = same(&whole(spec(ours), &frame), &by_polars(&frame, theirs, theirs, None));
            prop_assert!(difference.is_ok(), "{ours}: {}", difference.unwrap_err());
        }
    }

    #[test]
    fn a_calendar_with_changes_of_the_clock_is_that_of_polars(rows in rows()) {
        // In 1893 a day in Berlin began at 00:06, which polars refuses.
        let rows: Vec<Row> = rows.into_iter().filter(|row| row.0.is_none_or(|time| time > 0)).collect();
        let frame = frame(&rows);
        for (ours, theirs) in [("day", "1d"), ("month", "1mo")] {
            let ours = spec(ours).time_zone("Europe/Berlin").expect("a zone");
            let difference = same(&whole(ours, &frame), &by_polars(&frame, theirs, theirs, Some("Europe/Berlin")));
            prop_assert!(difference.is_ok(), "{}", difference.unwrap_err());
        }
    }

    #[test]
    fn overlapping_windows_are_those_of_a_plain_loop(rows in rows()) {
        let found = whole(spec("6h every 4h"), &frame(&rows));
        let mut expected: BTreeMap<(i64, Option<&str>), (i64, i64)> = BTreeMap::new();
        for (time, key, value) in rows {
            let Some(time) = time else { continue };
            let last = time.div_euclid(4 * HOUR) * 4 * HOUR;
            for start in [last, last - 4 * HOUR].into_iter().filter(|start| time < start + 6 * HOUR) {
                let (count, sum) = expected.entry((start, key)).or_default();
                *count += 1;
                *sum += value.unwrap_or_default();
            }
        }
        let starts: Vec<i64> = expected.keys().map(|key| key.0).collect();
        let counts: Vec<i64> = expected.values().map(|value| value.0).collect();
        let sums: Vec<i64> = expected.values().map(|value| value.1).collect();
        let expected = df!("window_start" => starts, "count" => counts, "n_sum" => sums).expect("a frame");
        let difference = same(&found, &expected);
        prop_assert!(difference.is_ok(), "{}", difference.unwrap_err());
    }

    #[test]
    fn pieces_and_restarts_give_the_whole(
        rows in rows(),
        cuts in prop::collection::vec(any::<usize>(), 0..5),
        tells_each in any::<bool>(),
        restarts in any::<bool>(),
    ) {
        let frame = frame(&rows);
        for windows in ["day", "1h", "6h every 4h", "session 2h"] {
            let mut whole = Windowed::new(spec(windows));
            whole.update(&frame).expect("an update");
            let mut told: HashMap<String, Vec<String>> = HashMap::new();
            let mut windowed = Windowed::new(spec(windows));
            for piece in pieces(&frame, &cuts) {
                windowed.update(&piece).expect("an update");
                if tells_each {
                    let changes = windowed.changes().expect("changes");
                    apply(&mut told, &changes.removed, &changes.updated);
                }
                if restarts {
                    let again = Windowed::restore(spec(windows), &windowed.save()).expect("what was saved");
                    prop_assert_eq!(again.snapshot().expect("a snapshot"), windowed.snapshot().expect("a snapshot"));
                    windowed = again;
                }
            }
            let changes = windowed.changes().expect("changes");
            apply(&mut told, &changes.removed, &changes.updated);
            let difference = same(&windowed.snapshot().expect("a snapshot"), &whole.snapshot().expect("a snapshot"));
            prop_assert!(difference.is_ok(), "{windows}: {}", difference.unwrap_err());
            prop_assert_eq!((windowed.late(), windowed.without_time()), (whole.late(), whole.without_time()));
            prop_assert_eq!(windowed.watermark(), whole.watermark());
            let mut expected = HashMap::new();
            apply(&mut expected, &DataFrame::empty(), &windowed.snapshot().expect("a snapshot"));
            prop_assert_eq!(told, expected, "{}", windows);
        }
    }
}

/// Keeps a copy of the table by its changes: window's start and key, and the rest.
fn apply(table: &mut HashMap<String, Vec<String>>, removed: &DataFrame, updated: &DataFrame) {
    let texts = |frame: &DataFrame, row: usize| -> Vec<String> {
        frame.columns().iter().map(|column| column.get(row).expect("a value").to_string()).collect()
    };
    let place = |row: &[String]| format!("{} {}", row[0], row[2]);
    for row in 0..removed.height() {
        table.remove(&place(&texts(removed, row)));
    }
    for row in 0..updated.height() {
        let row = texts(updated, row);
        table.insert(place(&row), row);
    }
}

/// The rollups of a schema over these events, as the worker would publish them.
fn by_worker(schema: &Schema, events: &[Document]) -> Vec<Document> {
    let plan = schema.rollups();
    let (mut changes, mut clock) = (Changes::default(), EventClock::default());
    for event in events {
        let raw = RawDocumentBuf::try_from(event).expect("a document");
        let facts = Facts::read(plan, &raw).expect("an event of the schema");
        let time = event.get_datetime("at").expect("a time").timestamp_millis();
        changes.add(plan, time, &facts, &mut clock, schema.allowed_lateness());
    }
    let rollup = &plan.rollups()[0];
    let mut rows = Vec::new();
    for (group, state) in changes.tables(plan).flat_map(|(_, groups)| groups.into_owned()) {
        let mut row = RawDocumentBuf::new();
        rollup.append_columns(&group, &state, &mut row);
        rows.push(Document::try_from(row).expect("a row"));
    }
    rows
}

const SCHEMA: &str = r#"
stream = "reviews"
id = ["id"]
event_time = "at"
time_zone = "America/New_York"
allowed_lateness = "1h"

[fields]
id = { type = "int" }
at = { type = "timestamp" }
movie = { type = "string" }
rating = { type = "int", range = [1, 10], counted_as = "rated" }
votes = { type = "int" }
weight = { type = "float" }

[[rollups]]
name = "movies"
window = "WINDOW"
keys = ["movie"]
measures = ["rating", "votes", "weight"]
distinct = ["votes"]
histogram = true
"#;

/// Out of order, with nulls, over the change of the clock on 14 March 2021; the same on every run.
fn reviews() -> (Vec<Document>, DataFrame) {
    let mut state = 7_u64;
    let mut next = |below: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % below
    };
    let movies = ["Up (2009)", "기생충", "Amélie (2001)"];
    let mut events = Vec::new();
    for id in 0..3_000_i64 {
        let at = 1_615_600_000_000 + id * 60_000 - (next(40) * next(40)) as i64 * 120_000;
        events.push(doc! {
            "_id": id,
            "at": bson::DateTime::from_millis(at),
            "movie": movies.get(next(4) as usize).copied(),
            "rating": (next(5) > 0).then(|| next(10) as i64 + 1),
            "votes": (next(5) > 0).then(|| next(1_000) as i64 - 500),
            "weight": (next(5) > 0).then(|| next(1_000) as f64 / 7.0),
        });
    }
    fn column<T>(events: &[Document], name: &str, value: impl Fn(&Bson) -> Option<T>) -> Vec<Option<T>> {
        events.iter().map(|event| event.get(name).and_then(&value)).collect()
    }
    let frame = df!(
        "at" => column(&events, "at", |at| at.as_datetime().map(|at| at.timestamp_millis())),
        "movie" => column(&events, "movie", |movie| movie.as_str().map(str::to_owned)),
        "rating" => column(&events, "rating", Bson::as_i64),
        "votes" => column(&events, "votes", Bson::as_i64),
        "weight" => column(&events, "weight", Bson::as_f64),
    );
    let instants = col("at").cast(DataType::Datetime(TimeUnit::Milliseconds, None));
    let frame = frame.expect("a frame").lazy().with_column(instants).collect().expect("instants");
    (events, frame)
}

fn any_value<'a>(value: &'a Bson, kind: &DataType) -> AnyValue<'a> {
    match (value, kind) {
        (Bson::Null, _) => AnyValue::Null,
        (Bson::Int64(number), _) => AnyValue::Int64(*number),
        (Bson::Double(number), _) => AnyValue::Float64(*number),
        (Bson::String(text), _) => AnyValue::String(text),
        (Bson::DateTime(at), DataType::Date) => AnyValue::Date((at.timestamp_millis() / DAY) as i32),
        (Bson::DateTime(at), _) => AnyValue::Datetime(at.timestamp_millis(), TimeUnit::Milliseconds, None),
        (other, _) => panic!("{other}"),
    }
}

#[test]
fn rows_are_those_that_the_worker_publishes() {
    let (events, frame) = reviews();
    for window in ["day", "ten_day", "1h", "1h every 15m", "50m every 15m", "session 20m"] {
        let schema = Schema::parse("test", &SCHEMA.replace("WINDOW", window)).expect("a schema");
        let spec = Spec::new("at", window).and_then(|spec| spec.time_zone("America/New_York")).expect("a spec");
        let spec = spec.keys(["movie"]).count_as("reviews").histogram("rating", 1, 10).expect("a range").buckets();
        let spec = spec.counted_as("rated").measure("votes").measure("weight").distinct("votes");
        let spec = spec.lateness("1h").expect("a length");
        assert_eq!(schema.allowed_lateness(), AllowedLateness::Millis(HOUR));

        let mut windowed = Windowed::new(spec);
        for piece in pieces(&frame, &[1_000, 1_001, 2_500]) {
            windowed.update(&piece).expect("an update");
        }
        let ours = windowed.snapshot().expect("a snapshot");
        let mut theirs = by_worker(&schema, &events);
        let order = |row: &Document| {
            (row.get_datetime("window_start").copied().ok(), row.get_str("movie").ok().map(str::to_owned))
        };
        theirs.sort_by_key(order);
        assert_eq!(ours.height(), theirs.len(), "{window}");
        assert!(ours.column("late").expect("late").i64().expect("integers").sum() > Some(0), "some rows are late");
        let names: Vec<&str> = theirs[0].keys().map(String::as_str).collect();
        let ours = ours.drop("is_final").expect("all but the last");
        assert_eq!(ours.get_column_names(), names, "the same columns in the same order");
        for (row, theirs) in theirs.iter().enumerate() {
            for column in ours.columns() {
                let theirs = any_value(theirs.get(column.name().as_str()).expect("a column"), column.dtype());
                let ours = column.get(row).expect("a value");
                assert!(equal(&ours, &theirs), "{window}, row {row}, {}: {ours} and {theirs}", column.name());
            }
        }
    }
}

#[test]
fn sessions_join_and_say_which_rows_are_gone() {
    let at = |minutes: &[i64]| {
        frame(&minutes.iter().map(|minute| (Some(minute * 60_000), Some("a"), Some(*minute))).collect::<Vec<Row>>())
    };
    let mut windowed = Windowed::new(Spec::new("t", "session 10m").expect("a spec").keys(["k"]).measure("n"));
    windowed.update(&at(&[0, 18])).expect("an update");
    assert_eq!(windowed.changes().expect("changes").updated.height(), 2);
    windowed.update(&at(&[9])).expect("an update");
    let changes = windowed.changes().expect("changes");
    assert_eq!((changes.updated.height(), changes.removed.height()), (1, 1));
    let removed = changes.removed.column("window_start").expect("starts").cast(&DataType::Int64).expect("numbers");
    assert_eq!(removed.i64().expect("numbers").get(0), Some(18 * 60_000));
    // An earlier event makes the session begin earlier: another row.
    windowed.update(&at(&[-5])).expect("an update");
    let changes = windowed.changes().expect("changes");
    assert_eq!((changes.updated.height(), changes.removed.height()), (1, 1));
    let expected = df!("count" => [4_i64], "n_sum" => [22_i64], "n_min" => [-5_i64], "n_max" => [18_i64]);
    assert_same(&windowed.snapshot().expect("a snapshot"), &expected.expect("a frame"));
}

#[test]
fn an_update_that_fails_changes_nothing() {
    let good = frame(&[(Some(0), Some("a"), Some(5)), (None, Some("a"), Some(1))]);
    let mut windowed = Windowed::new(
        Spec::new("t", "day").expect("a spec").keys(["k"]).histogram("n", 1, 10).expect("a range").distinct("x"),
    );
    windowed.update(&good).expect("an update");
    let before = windowed.snapshot().expect("a snapshot");
    let cases = [
        (good.drop("n").expect("the rest"), "the frame has no column \"n\"; it has t, k, x"),
        (frame(&[(Some(0), Some("a"), Some(11))]), "column \"n\" has the value 11, which is outside 1 to 10"),
        (df!("t" => [1_i64], "k" => ["a"], "n" => [1_i64], "x" => [0.5]).expect("a frame"), "needs dates or instants"),
        (
            good.clone().lazy().with_column(col("t").cast(DataType::Date)).collect().expect("dates"),
            "column \"t\" is date; the time of a window needs instants as before",
        ),
        (
            good.clone().lazy().with_column(lit(1).alias("k")).collect().expect("numbers"),
            "column \"k\" is i32; a key needs str as before",
        ),
    ];
    for (frame, reason) in cases {
        let error = windowed.update(&frame).expect_err(reason).to_string();
        assert!(error.contains(reason), "{error}");
        assert_eq!(windowed.snapshot().expect("a snapshot"), before);
    }
    assert_eq!(windowed.without_time(), 1);
    let twice = Spec::new("t", "day").expect("a spec").measure("n").measure("n");
    assert!(matches!(Windowed::new(twice).update(&good), Err(WindowError::Name(_))));
}

#[test]
fn a_counted_column_of_another_type_than_before_is_refused_also_after_a_restart() {
    let frame = |x: Column| {
        let t = Column::new("t".into(), [0_i64]).cast(&DataType::Datetime(TimeUnit::Milliseconds, None));
        DataFrame::new(1, vec![t.expect("instants"), x]).expect("a frame")
    };
    let instant = |unit: TimeUnit, number: i64| {
        frame(Column::new("x".into(), [number]).cast(&DataType::Datetime(unit, None)).expect("instants"))
    };
    let number = || frame(Column::new("x".into(), [17_i64]));
    let cases = [
        (
            instant(TimeUnit::Milliseconds, 1_600_000_000_000),
            instant(TimeUnit::Microseconds, 1_600_000_000_000_000),
            "a distinct count needs instants in milliseconds as before",
        ),
        (
            number(),
            frame(Column::new("x".into(), ["17"])),
            "column \"x\" is str; a distinct count needs integers as before",
        ),
        (
            frame(Column::new("x".into(), [17.0])),
            number(),
            "column \"x\" is i64; a distinct count needs floats as before",
        ),
    ];
    let spec = || Spec::new("t", "day").expect("a spec").distinct("x");
    let nulls = frame(Column::full_null("x".into(), 1, &DataType::Null));
    for (first, other, reason) in cases {
        let mut windowed = Windowed::new(spec());
        for frame in [&nulls, &first, &nulls, &first] {
            windowed.update(frame).expect("an update");
        }
        let before = windowed.snapshot().expect("a snapshot");
        assert_same(&before, &df!("count" => [4_i64], "x_distinct" => [1_i64]).expect("a frame"));
        let mut again = Windowed::restore(spec(), &windowed.save()).expect("what was saved");
        for windowed in [&mut windowed, &mut again] {
            let error = windowed.update(&other).expect_err(reason).to_string();
            assert!(error.contains(reason), "{error}");
            assert_eq!(windowed.snapshot().expect("a snapshot"), before);
        }
    }
    // The same number in fewer bits is the same value.
    let mut windowed = Windowed::new(spec());
    windowed.update(&number()).expect("an update");
    windowed.update(&frame(Column::new("x".into(), [17_i32]))).expect("an update");
    assert_same(
        &windowed.snapshot().expect("a snapshot"),
        &df!("count" => [2_i64], "x_distinct" => [1_i64]).expect("a frame"),
    );
}

#[test]
fn what_was_saved_is_checked_before_it_is_used() {
    let mut windowed = Windowed::new(spec("day"));
    windowed.update(&frame(&[(Some(0), Some("a"), Some(5)), (Some(DAY), None, None)])).expect("an update");
    let saved = windowed.save();
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("windows");
    windowed.save_to(&path).expect("a file");
    let again = Windowed::restore_from(spec("day"), &path).expect("what was saved");
    assert_eq!(again.snapshot().expect("a snapshot"), windowed.snapshot().expect("a snapshot"));
    for place in [0, 20, saved.len() - 1] {
        let mut damaged = saved.clone();
        damaged[place] ^= 1;
        assert!(matches!(Windowed::restore(spec("day"), &damaged), Err(WindowError::Saved(_))), "{place}");
    }
    assert!(Windowed::restore(spec("day"), &saved[..saved.len() / 2]).is_err());
    let error = Windowed::restore(spec("month"), &saved).expect_err("another spec").to_string();
    assert!(error.contains("they are of another spec"), "{error}");
    let error = Windowed::restore_from(spec("day"), folder.path().join("none")).expect_err("no file").to_string();
    assert!(error.starts_with("cannot read ") && error.ends_with("none"), "{error}");
}

#[test]
fn columns_of_nulls_alone_wait_for_their_type() {
    let nulls = frame(&[(Some(0), None, None)]).lazy().with_columns([lit(NULL).alias("n"), lit(NULL).alias("k")]);
    let mut windowed = Windowed::new(spec("day"));
    windowed.update(&nulls.collect().expect("nulls")).expect("an update");
    assert_eq!(
        windowed.snapshot().expect("a snapshot").column("n_count").expect("counts").i64().expect("integers").get(0),
        Some(0)
    );
    windowed.update(&frame(&[(Some(1), Some("a"), Some(5)), (Some(2), None, Some(6))])).expect("an update");
    let expected = df!("k" => [None, Some("a")], "count" => [2_i64, 1], "n_sum" => [6_i64, 5]).expect("a frame");
    assert_same(&windowed.snapshot().expect("a snapshot"), &expected);
}

#[test]
fn an_instant_beyond_the_calendar_is_refused_and_changes_nothing() {
    // Microseconds that were read as milliseconds.
    let beyond = frame(&[(Some(0), Some("a"), Some(1)), (Some(1_600_000_000_000_000), Some("a"), Some(1))]);
    let good = frame(&[(Some(0), Some("a"), Some(1))]);
    for windows in ["day", "week", "ten_day", "month", "quarter", "year", "1h", "6h every 4h", "session 2h"] {
        for zone in ["UTC", "Asia/Seoul"] {
            let mut windowed = Windowed::new(spec(windows).time_zone(zone).expect("a zone"));
            for _ in 0..2 {
                let error = windowed.update(&beyond).expect_err("beyond").to_string();
                assert!(error.starts_with("column \"t\" holds 1600000000000000 milliseconds since 1970"), "{error}");
                assert!(error.contains("read with another unit"), "{error}");
            }
            windowed.update(&good).expect("an update");
            assert_eq!(
                windowed
                    .snapshot()
                    .expect("a snapshot")
                    .column("count")
                    .expect("counts")
                    .i64()
                    .expect("integers")
                    .get(0),
                Some(1)
            );
        }
    }
    let days = df!("t" => [0, i32::MAX]).expect("a frame").lazy().with_column(col("t").cast(DataType::Date));
    let days = days.collect().expect("dates");
    assert!(Windowed::new(Spec::new("t", "month").expect("a spec")).update(&days).is_err());
    let starts = beyond.lazy().select([col("t").alias("window_start")]).collect().expect("starts");
    assert!(fill_windows(&starts, "month", &[]).is_err());
}

#[test]
fn a_restart_tells_of_sessions_what_it_would_have_told_without() {
    let at = |minutes: &[i64]| {
        frame(&minutes.iter().map(|minute| (Some(minute * 60_000), Some("a"), Some(*minute))).collect::<Vec<Row>>())
    };
    let spec = || Spec::new("t", "session 10m").expect("a spec").keys(["k"]).measure("n");
    let restart = |windowed: &Windowed| Windowed::restore(spec(), &windowed.save()).expect("what was saved");
    let starts = |frame: &DataFrame| -> Vec<i64> {
        let starts = frame.column("window_start").expect("starts").cast(&DataType::Int64).expect("numbers");
        starts.i64().expect("numbers").iter().flatten().map(|start| start / 60_000).collect()
    };
    let mut windowed = Windowed::new(spec());
    windowed.update(&at(&[0, 18])).expect("an update");
    windowed.changes().expect("changes");
    // Joined after the restart.
    let mut after = restart(&windowed);
    after.update(&at(&[9])).expect("an update");
    let changes = after.changes().expect("changes");
    assert_eq!((starts(&changes.updated), starts(&changes.removed)), (vec![0], vec![18]));
    // Joined before it, and not told.
    windowed.update(&at(&[9])).expect("an update");
    let changes = restart(&windowed).changes().expect("changes");
    assert_eq!((starts(&changes.updated), starts(&changes.removed)), (vec![0], vec![18]));
    // Begins earlier.
    after = restart(&after);
    after.update(&at(&[-5])).expect("an update");
    let changes = after.changes().expect("changes");
    assert_eq!((starts(&changes.updated), starts(&changes.removed)), (vec![-5], vec![0]));
}

#[test]
fn bytes_of_an_older_version_say_so() {
    let saved = Windowed::new(spec("day")).save();
    let line = saved.iter().position(|byte| *byte == b'\n').expect("a line");
    let older = [b"rushes windows 1", &saved[line..]].concat();
    let error = Windowed::restore(spec("day"), &older).expect_err("an older version").to_string();
    assert!(error.contains("version 1") && error.contains("make them again from the rows"), "{error}");
}

#[test]
fn a_row_that_became_final_is_told_once() {
    let hours = |hours: &[i64]| {
        frame(&hours.iter().map(|hour| (Some(hour * HOUR), Some("a"), Some(*hour))).collect::<Vec<Row>>())
    };
    for windows in ["1h", "day", "3h every 1h", "session 1h"] {
        let mut windowed = Windowed::new(spec(windows).lateness("1h").expect("a length"));
        let mut finals = 0;
        for hour in [0, 1, 40, 100, 101] {
            windowed.update(&hours(&[hour])).expect("an update");
            let updated = windowed.changes().expect("changes").updated;
            finals += updated.column("is_final").expect("finals").bool().expect("truths").sum().unwrap_or_default();
            assert!(windowed.changes().expect("changes").updated.height() == 0, "told already");
        }
        let all = windowed.snapshot().expect("a snapshot");
        assert_eq!(
            finals,
            all.column("is_final").expect("finals").bool().expect("truths").sum().unwrap_or_default(),
            "{windows}"
        );
    }
}

#[test]
fn integers_that_do_not_fit_are_refused_before_anything_is_counted() {
    let good = df!("t" => [0_i64], "k" => [1_u64], "n" => [1_u64], "x" => [1_u64]).expect("a frame");
    let dated = |frame: DataFrame| {
        let instants = col("t").cast(DataType::Datetime(TimeUnit::Milliseconds, None));
        frame.lazy().with_column(instants).collect().expect("instants")
    };
    let spec = || Spec::new("t", "day").expect("a spec").keys(["k"]).measure("n").distinct("x");
    let mut windowed = Windowed::new(spec());
    windowed.update(&dated(good.clone())).expect("an update");
    let before = windowed.snapshot().expect("a snapshot");
    for column in ["k", "n", "x"] {
        let mut large = good.clone();
        large.with_column(Column::new(column.into(), [u64::MAX])).expect("a column");
        let large = dated(large);
        for windowed in [&mut windowed, &mut Windowed::new(spec())] {
            let error = windowed.update(&large).expect_err("too large").to_string();
            assert_eq!(
                error,
                format!(
                    "column {column:?} has the value 18446744073709551615, which needs more than 63 bits; make it a text or a float"
                )
            );
        }
        assert_eq!(windowed.snapshot().expect("a snapshot"), before, "{column}");
    }
}

#[test]
fn sums_beyond_64_bits_are_digits_and_those_beyond_the_floats_on_their_way_are_exact() {
    let far = i64::MAX;
    let t = || Column::new("t".into(), [0_i64, 1, 2, 3]).cast(&DataType::Datetime(TimeUnit::Milliseconds, None));
    let sums = |n: [i64; 4], x: [f64; 4]| {
        let columns = vec![t().expect("instants"), Column::new("n".into(), n), Column::new("x".into(), x)];
        let mut windowed = Windowed::new(Spec::new("t", "day").expect("a spec").measure("n").measure("x"));
        let rows = DataFrame::new(4, columns).expect("a frame");
        for piece in pieces(&rows, &[1, 3]) {
            windowed.update(&piece).expect("an update");
            let spec = Spec::new("t", "day").expect("a spec").measure("n").measure("x");
            windowed = Windowed::restore(spec, &windowed.save()).expect("what was saved");
        }
        let table = windowed.snapshot().expect("a snapshot");
        ["n_sum", "n_mean", "x_sum", "x_mean"]
            .map(|name| table.column(name).expect("a column").get(0).expect("a row").to_string())
    };
    for (n, x, expected) in [
        (
            [far, far, far, 1],
            [1.7e308, 1.7e308, -1.7e308, -1.7e308],
            ["\"27670116110564327422\"", "6.9175e18", "0.0", "0.0"],
        ),
        ([far, far, -far, -far], [1e300, 1.0, -1e300, 1.0], ["0", "0.0", "2.0", "0.5"]),
        (
            [far, 0, 0, 0],
            [1.7e308, 1.7e308, 1.7e308, 1.7e308],
            ["9223372036854775807", "2.3058e18", "null", "1.7000e308"],
        ),
    ] {
        assert_eq!(sums(n, x), expected);
    }
}

#[test]
fn keys_of_instants_in_a_zone_come_back() {
    let zone = TimeZone::opt_try_new(Some("Asia/Seoul")).expect("a zone");
    let keys = col("t").cast(DataType::Datetime(TimeUnit::Microseconds, zone)).alias("k");
    let frame = frame(&[(Some(5), Some("a"), Some(1))]).lazy().with_column(keys).collect().expect("keys");
    let mut windowed = Windowed::new(spec("day"));
    windowed.update(&frame).expect("an update");
    let again = Windowed::restore(spec("day"), &windowed.save()).expect("what was saved");
    assert_eq!(again.snapshot().expect("a snapshot"), windowed.snapshot().expect("a snapshot"));
}
