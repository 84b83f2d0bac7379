use polars::{
    df,
    prelude::{AnyValue, DataFrame, DataType, IntoLazy, NamedFrom, Series, SortMultipleOptions, TimeUnit, col, len},
};
use proptest::prelude::*;

use super::{Sql, SqlError, sql};

fn values() -> DataFrame {
    let days = Series::new("day".into(), [Some(18_413), Some(-1), None]).cast(&DataType::Date).unwrap();
    let millis = Series::new("at".into(), [Some(1_590_948_000_250_i64), Some(-1_000), None]);
    let instants = millis.cast(&DataType::Datetime(TimeUnit::Milliseconds, None)).unwrap();
    let mut frame = df!(
        "whole" => [Some(i64::MAX), Some(i64::MIN), None],
        "fraction" => [Some(0.1), Some(-1e300), None],
        "text" => [Some("2020-05-31"), Some("기생충 'x\" 🎬"), None],
        "good" => [Some(true), Some(false), None],
    )
    .unwrap();
    frame.with_column(days.into()).unwrap();
    frame.with_column(instants.into()).unwrap();
    frame
}

fn ask(query: &str) -> DataFrame {
    sql(query, [("t", &values())]).unwrap_or_else(|error| panic!("{query}: {error}"))
}

fn failure(query: &str) -> String {
    sql(query, [("t", &values())]).unwrap_err().to_string()
}

#[test]
fn what_is_selected_as_it_is_comes_back_as_it_was() {
    let frame = values();
    assert_eq!(ask("SELECT * FROM t"), frame);
    assert_eq!(ask("SELECT * FROM (SELECT * FROM t)"), frame);
    assert_eq!(ask("SELECT * FROM t WHERE 1 = 0"), frame.head(Some(0)));
    let texts = ask("SELECT text FROM t WHERE text LIKE '2020%'");
    assert_eq!(texts.dtypes(), [DataType::String], "it looks like a date, but was declared a text");
}

#[test]
fn what_is_computed_has_the_type_of_its_values() {
    let computed = ask("SELECT max(day) AS day, max(at) AS at, date(at, 'start of year') AS year, count(*) AS rows,
                avg(fraction) AS mean,
                upper(text) AS text, NULL AS unknown, good + 1 AS number
         FROM t WHERE whole > 0");
    let instant = DataType::Datetime(TimeUnit::Milliseconds, None);
    let date = DataType::Date;
    let expected = [
        date.clone(),
        instant,
        date,
        DataType::Int64,
        DataType::Float64,
        DataType::Date,
        DataType::Null,
        DataType::Int64,
    ];
    assert_eq!(computed.dtypes(), expected);
    assert_eq!(computed.column("rows").unwrap().get(0).unwrap(), AnyValue::Int64(1));
}

#[test]
fn a_column_of_several_types_becomes_text_and_of_both_numbers_becomes_fractions() {
    let mixed = ask("SELECT 1 AS a, 1 AS b UNION ALL SELECT 'x', 0.5 ORDER BY b");
    assert_eq!(mixed, df!("a" => ["x", "1"], "b" => [0.5, 1.0]).unwrap());
    let flags = ask("SELECT good FROM t UNION ALL SELECT 7");
    assert_eq!(flags.dtypes(), [DataType::Int64], "7 is no bool");
}

#[test]
fn dates_compare_with_years_by_their_first_instant() {
    let days = |condition: &str| ask(&format!("SELECT day FROM t WHERE {condition}")).height();
    assert_eq!(days("day >= '2019'"), 1);
    assert_eq!(days("day >= 2019"), 1);
    assert_eq!(days("day < '2019'"), 1);
    assert_eq!(days("at BETWEEN '1969-12-31 23:59:59' AND '1970-01-01'"), 1);
    assert_eq!(days("good = true"), 1);
}

#[test]
fn analysts_functions_are_there() {
    let parts = ask("SELECT year(at) AS y, month(day) AS m, day(day) AS d, year(NULL) AS n FROM t WHERE day >= '2020'");
    assert_eq!(parts.get(0).unwrap()[..3], [AnyValue::Int64(2020), AnyValue::Int64(5), AnyValue::Int64(31)]);
    let spread = ask("SELECT median(x) AS middle, round(stddev(x), 3) AS spread, median(x) FILTER (WHERE x < 5) AS low
         FROM (SELECT 1 AS x UNION ALL SELECT 2.5 UNION ALL SELECT 4 UNION ALL SELECT 100 UNION ALL SELECT NULL)");
    assert_eq!(spread, df!("middle" => [3.25], "spread" => [48.765], "low" => [2.5]).unwrap());
    let one = ask("SELECT stddev(1) AS one, median(whole) AS none FROM t WHERE whole IS NULL");
    assert_eq!(one.dtypes(), [DataType::Null, DataType::Null]);
    assert_eq!(
        failure("SELECT year(text) FROM t"),
        "the query failed: year takes a date like '2020-05-31', and not '기생충 'x\" 🎬'"
    );
}

#[test]
fn nan_and_infinity() {
    let floats = df!("x" => [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -0.0]).unwrap();
    let back = sql("SELECT x FROM t", [("t", &floats)]).unwrap();
    let values: Vec<Option<f64>> = back.column("x").unwrap().f64().unwrap().iter().collect();
    assert_eq!(values, [None, Some(f64::INFINITY), Some(f64::NEG_INFINITY), Some(0.0)]);
}

#[test]
fn names_may_be_of_any_kind() {
    let frame = df!("a \"b\" c" => [1], "select" => [2], "Größe" => [3]).unwrap();
    let query = "SELECT \"a \"\"b\"\" c\" + \"select\" + größe AS sum FROM \"order by\"";
    assert_eq!(sql(query, [("order by", &frame)]).unwrap(), df!("sum" => [6_i64]).unwrap());
}

#[test]
fn rows_are_counted_without_a_column() {
    assert_eq!(ask("SELECT count(*) AS n FROM t"), df!("n" => [3_i64]).unwrap());
    assert_eq!(ask("SELECT count(*) AS n FROM T a, t b"), df!("n" => [9_i64]).unwrap());
}

#[test]
fn columns_without_a_type_hinder_no_other() {
    let mut frame = df!("key" => [1, 2]).unwrap();
    let lists = [Series::new("".into(), [1, 2]), Series::new("".into(), [3])];
    frame.with_column(Series::new("lists".into(), lists).into()).unwrap();
    assert_eq!(sql("SELECT sum(key) AS sum FROM t", [("t", &frame)]).unwrap(), df!("sum" => [3_i64]).unwrap());
    let error = sql("SELECT * FROM t", [("t", &frame)]).unwrap_err();
    assert!(matches!(&error, SqlError::Column { column, .. } if column == "lists"), "{error}");
}

#[test]
fn failures_name_the_place_and_the_remedy() {
    assert_eq!(failure("SELECT * FORM t"), "near \"FORM\": syntax error, at: FORM t");
    assert_eq!(failure("SELECT wohle FROM t"), "no such column: wohle, at: wohle FROM t");
    let quotes = failure("SELECT * FROM t WHERE text = \"Up\"");
    assert!(quotes.contains("should this be a string literal in single-quotes?"), "{quotes}");
    assert_eq!(failure("SELECT * FROM reviews"), "there is no table \"reviews\"; there are t");
    let twice = "two columns of the answer are called \"day\"; name one of them otherwise: … AS other_name";
    assert_eq!(failure("SELECT day, day FROM t"), twice);
    let bytes = failure("SELECT x'00' AS raw");
    assert_eq!(
        bytes,
        "column \"raw\" of the answer holds bytes, which no column of a frame does; make it a text: hex(raw)"
    );
    assert_eq!(
        failure("SELECT sum(whole) + 1 FROM t WHERE whole > 0 AND abs(-9223372036854775807 - 1)"),
        "the query failed: integer overflow"
    );
}

#[test]
fn nothing_but_a_query_is_run() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("other.sqlite");
    let attach = format!("ATTACH '{}' AS other", file.display());
    for statement in [
        "DELETE FROM t",
        "DROP TABLE t",
        "INSERT INTO t (whole) VALUES (1)",
        "PRAGMA table_info(t)",
        "CREATE TABLE u (a)",
        "SELECT 1; SELECT 2",
        "",
        "-- nothing",
        &attach,
        "WITH a AS (SELECT 1) DELETE FROM t",
        "BEGIN",
        "VACUUM",
    ] {
        let error = sql(statement, [("t", &values())]).unwrap_err();
        assert!(matches!(error, SqlError::NotAQuery), "{statement}: {error}");
    }
    assert!(!file.exists());
    assert!(sql("SELECT load_extension('x')", [("t", &values())]).is_err());
}

#[test]
fn tables_have_distinct_names_and_a_column() {
    let frame = df!("a" => [1]).unwrap();
    let failure = |name: &str, frame: &DataFrame| {
        Sql::new().table("t", &values()).table(name, frame).query("SELECT 1").unwrap_err().to_string()
    };
    assert_eq!(failure("T", &frame), "\"T\" cannot be a table: table \"T\" already exists");
    assert!(failure("sqlite_master", &frame).contains("reserved"));
    assert!(failure("no columns", &DataFrame::empty()).contains("no columns"));
}

#[test]
fn columns_that_differ_by_case_hinder_no_other() {
    let frame = df!("Value" => [1_i64, 2], "value" => [10_i64, 20], "city" => ["Bonn", "Kiel"]).unwrap();
    let ask = |query: &str| sql(query, [("t", &frame)]);
    assert_eq!(ask("SELECT city FROM t").unwrap().height(), 2);
    assert_eq!(ask("SELECT * FROM t").unwrap().get_column_names(), ["Value", "value_2", "city"]);
    assert_eq!(
        ask("SELECT sum(Value) AS a, sum(value_2) AS b FROM t").unwrap(),
        df!("a" => [3_i64], "b" => [30_i64]).unwrap()
    );
    for unclear in ["SELECT value FROM t", "SELECT sum(VALUE) AS s FROM t", "SELECT \"value\" FROM t"] {
        let error = ask(unclear).unwrap_err();
        assert!(
            matches!(&error, SqlError::Case { first, second, .. } if first == "Value" && second == "value"),
            "{error}"
        );
    }
    let three = df!("a" => [1], "A" => [2], "a_2" => [3]).unwrap();
    assert_eq!(sql("SELECT * FROM t", [("t", &three)]).unwrap().get_column_names(), ["a", "A_3", "a_2"]);
}

#[test]
fn a_query_that_does_not_end_is_stopped() {
    let numbers = df!("n" => (0..3_000_i64).collect::<Vec<_>>()).unwrap();
    let ask = |query: &str| Sql::new().table("t", &numbers).most_steps(20_000_000).query(query);
    for endless in [
        "WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c) SELECT count(*) AS n FROM c",
        "WITH RECURSIVE c(i) AS (SELECT 1 UNION SELECT i + 1 FROM c) SELECT max(i) AS n FROM c",
        "SELECT count(*) AS n FROM t a, t b, t c",
        "SELECT sum(a.n * b.n) AS n FROM t a JOIN t b ON a.n <> b.n",
    ] {
        let error = ask(endless).unwrap_err();
        assert!(matches!(error, SqlError::Endless { .. }), "{endless}: {error}");
    }
    assert_eq!(ask("SELECT count(*) AS n FROM t").unwrap(), df!("n" => [3_000_i64]).unwrap());
    assert!(ask("SELECT length(zeroblob(1000000000)) AS n").is_err(), "no value fills the memory");
    let nested = format!("SELECT {}1{} AS n", "(".repeat(5_000), ")".repeat(5_000));
    assert!(ask(&nested).is_err());
}

#[test]
fn the_last_days_of_the_calendar_are_days() {
    let days = Series::new("until".into(), [2_932_896, -719_162]).cast(&DataType::Date).unwrap();
    let millis = Series::new("at".into(), [253_402_300_799_000_i64, -62_135_596_800_000]);
    let instants = millis.cast(&DataType::Datetime(TimeUnit::Milliseconds, None)).unwrap();
    let frame = DataFrame::new(2, vec![days.into(), instants.into()]).unwrap();
    assert_eq!(sql("SELECT * FROM t", [("t", &frame)]).unwrap(), frame);
    let years = sql("SELECT year(until) AS y, year(at) AS z FROM t WHERE until >= '9999'", [("t", &frame)]).unwrap();
    assert_eq!(years, df!("y" => [9_999_i64], "z" => [9_999_i64]).unwrap());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// The sums and means of polars and of SQL are the same.
    #[test]
    fn groups_are_those_of_polars(
        rows in prop::collection::vec((0_i64..4, prop::option::of(-1_000_i64..1_000)), 0..40),
    ) {
        let (keys, values): (Vec<i64>, Vec<Option<i64>>) = rows.into_iter().unzip();
        let frame = df!("key" => keys, "value" => values).unwrap();
        let query = "SELECT key, count(*) AS rows, count(value) AS known, avg(value) AS mean, median(value) AS middle
                     FROM t GROUP BY key ORDER BY key";
        let ours = sql(query, [("t", &frame)]).unwrap();
        let value = || col("value");
        let groups = frame.lazy().group_by([col("key")]).agg([
            len().alias("rows"),
            value().count().alias("known"),
            value().mean().alias("mean"),
            value().median().alias("middle"),
        ]);
        let theirs = groups.sort(["key"], SortMultipleOptions::default()).collect().unwrap();
        for (ours, theirs) in ours.columns().iter().zip(theirs.columns()) {
            prop_assert!(ours.cast(theirs.dtype()).unwrap().equals_missing(theirs), "{ours:?} {theirs:?}");
        }
    }
}

#[test]
fn columns_that_only_join_are_read() {
    let seen = df!("day" => [1, 2, 3], "Movie" => ["Up", "Her", "Up"], "a \"b\"" => [1, 2, 2]).unwrap();
    let notes = df!("note" => ["good", "long"], "movie" => ["Up", "Ran"], "a \"b\"" => [1, 2]).unwrap();
    let count = |join: &str| {
        let query = format!("SELECT count(*) AS rows FROM Seen {join}");
        let answer =
            sql(&query, [("seen", &seen), ("notes", &notes)]).unwrap_or_else(|error| panic!("{join}: {error}"));
        answer.column("rows").unwrap().i64().unwrap().get(0)
    };
    for (join, rows) in [
        ("JOIN notes USING (movie)", 2),
        ("LEFT JOIN notes USING (\"MOVIE\")", 3),
        ("join notes using (\"a \"\"b\"\"\")", 3),
        ("NATURAL JOIN notes", 1),
        ("natural left join notes WHERE note IS NULL", 2),
        ("JOIN (SELECT movie FROM notes) USING (movie)", 2),
        ("JOIN notes ON seen.movie = notes.movie", 2),
    ] {
        assert_eq!(count(join), Some(rows), "{join}");
    }
}
