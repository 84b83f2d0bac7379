use polars::{
    df,
    prelude::{AnyValue, DataFrame, DataType, NamedFrom, Series, TimeUnit},
};

use crate::sql::{SqlError, sql};

/// A column of texts among which there are numbers.
fn mixed() -> DataFrame {
    df!(
        "k" => ["a", "b", "c"],
        "x" => ["10", "NA", "30"],
        "n" => [10_i64, 20, 30],
        "code" => ["00501", "01234", "7"],
        "film" => ["300", "Up", "1917"],
        "percent" => ["10%", "20%", "5%"],
        "group" => ["1,000", "1,500", "900"],
    )
    .unwrap()
}

#[test]
fn a_text_never_counts_as_a_number() {
    for query in [
        "SELECT sum(x) AS s FROM t",
        "SELECT avg(x) AS s FROM t",
        "SELECT total(x) AS s FROM t",
        "SELECT avg(DISTINCT x) AS s FROM t",
        "SELECT sum(x) FILTER (WHERE n > 10) AS s FROM t",
        "SELECT sum(x) OVER (ORDER BY n ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) AS s FROM t",
        "SELECT median(x) AS s FROM t",
        "SELECT stddev(x) AS s FROM t",
        "SELECT abs(x) AS s FROM t",
        "SELECT round(x, 1) AS s FROM t",
        "SELECT x + 1 AS s FROM t",
        "SELECT 1 - x AS s FROM t",
        "SELECT -x AS s FROM t",
        "SELECT n * x AS s FROM t",
        "SELECT n / (x) AS s FROM t",
        "SELECT x % 7 AS s FROM t",
        "SELECT x | 1 AS s FROM t",
        "SELECT ~x AS s FROM t",
        "SELECT CAST(x AS INTEGER) AS s FROM t",
        "SELECT CAST(replace(x, ',', '') AS REAL) AS s FROM t",
        "SELECT k FROM t WHERE x > 15",
        "SELECT k FROM t WHERE 15 <= x",
        "SELECT k FROM t WHERE x BETWEEN 5 AND 15",
        "SELECT k FROM t WHERE NOT x < n",
        "SELECT k FROM t WHERE x = 10",
        "SELECT k FROM t WHERE x <> 10",
        "SELECT k FROM t WHERE x IN (10, 30)",
        "SELECT k FROM t WHERE x IS 10",
        "SELECT k FROM t WHERE x",
        "SELECT k FROM t WHERE x AND n > 0",
        "SELECT k FROM t WHERE NOT x",
        "SELECT CASE WHEN x THEN 1 ELSE 0 END AS s FROM t",
        "SELECT iif(x, 1, 0) AS s FROM t",
        "SELECT CASE WHEN x > 15 THEN 1 ELSE 0 END AS s FROM t",
        "SELECT k FROM t GROUP BY k HAVING sum(x) > 15",
        "SELECT count(*) AS s FROM t a JOIN t b ON a.x = b.n + 1",
        "SELECT count(*) AS s FROM t a JOIN t b ON a.x < b.n",
        "WITH u AS (SELECT x AS y FROM t) SELECT sum(y) AS s FROM u",
        "WITH u(y) AS (SELECT x FROM t) SELECT k FROM t, u WHERE y > 15",
        "SELECT y + 1 AS s FROM (SELECT upper(k) AS y FROM t)",
        "SELECT sum(n) AS s FROM (SELECT n FROM t UNION ALL SELECT x FROM t)",
        "SELECT (SELECT max(x) FROM t) + 1 AS s",
        "SELECT coalesce(x, 0) * 2 AS s FROM t",
        "SELECT max(x, '5') - 1 AS s FROM t",
        "SELECT sum(percent) AS s FROM t",
        "SELECT sum(\"group\") AS s FROM t",
        "SELECT film FROM t WHERE film > 400",
        "SELECT k FROM t WHERE count > 'a' AND 'b' < 1",
    ] {
        let query = query.replace("count >", "n >");
        let error = sql(&query, [("t", &mixed())]).expect_err(&query);
        assert!(matches!(error, SqlError::Run(_)), "{query}: {error}");
    }
    let error = sql("SELECT avg(x) AS mean FROM t", [("t", &mixed())]).unwrap_err().to_string();
    assert!(error.contains("x is the text 'NA', not a number"), "{error}");
}

#[test]
fn the_number_of_a_text_that_is_one_counts() {
    let value = |query: &str| {
        let frame = sql(query, [("t", &mixed())]).unwrap_or_else(|error| panic!("{query}: {error}"));
        frame.columns()[0].get(0).unwrap().into_static()
    };
    assert_eq!(value("SELECT avg(nullif(x, 'NA')) AS s FROM t"), AnyValue::Float64(20.0));
    assert_eq!(value("SELECT sum(x) AS s FROM t WHERE x <> 'NA'"), AnyValue::Int64(40));
    assert_eq!(value("SELECT sum(code) AS s FROM t"), AnyValue::Int64(1_742));
    assert_eq!(value("SELECT count(*) AS s FROM t WHERE code > 600"), AnyValue::Int64(1));
    assert_eq!(value("SELECT strftime('%Y', '2020-05-31') + 1 AS s"), AnyValue::Int64(2_021));
    assert_eq!(value("SELECT strftime('%m', '2020-05-31') = 5 AS s"), AnyValue::Int64(1));
    assert_eq!(value("SELECT n > '15' AS s FROM t"), AnyValue::Int64(0));
    assert_eq!(value("SELECT film AS s FROM t WHERE film > '400' ORDER BY film"), AnyValue::String("Up").into_static());
    assert_eq!(value("SELECT count(*) AS s FROM t a JOIN t b USING (film)"), AnyValue::Int64(3));
    assert_eq!(value("SELECT '0.50' + 0 AS s"), AnyValue::Float64(0.5));
}

#[test]
fn a_query_means_the_same_with_its_checks() {
    // Each of them is also a calculation by SQLite alone.
    for (query, value) in [
        ("SELECT 1 + 2 * 3 - 4 / 2 AS s", 5),
        ("SELECT (1 + 2) * 3 AS s", 9),
        ("SELECT 7 - 3 - 2 AS s", 2),
        ("SELECT -2 + 5 AS s", 3),
        ("SELECT 1 < 2 = 1 AS s", 1),
        ("SELECT 1 = 2 < 3 AS s", 1),
        ("SELECT NOT 1 = 2 AS s", 1),
        ("SELECT 1 OR 0 AND 0 AS s", 1),
        ("SELECT 2 BETWEEN 1 AND 3 AND 1 AS s", 1),
        ("SELECT 5 & 4 | 1 << 1 AS s", 10),
        ("SELECT length('a' || 'bc' || 1) AS s", 4),
        ("SELECT 1 IS NOT NULL AS s", 1),
        ("SELECT NULL IS NULL AND 1 NOTNULL AS s", 1),
        ("SELECT 1 IS NOT DISTINCT FROM 1 AS s", 1),
        ("SELECT 'abc' LIKE 'A%' ESCAPE '!' AND 'x' NOT GLOB 'y*' AS s", 1),
        ("SELECT 3 NOT IN (1, 2) AS s", 1),
        ("SELECT (1, 2) < (1, 3) AS s", 1),
        ("SELECT EXISTS (SELECT 1 WHERE 0) + 1 AS s", 1),
        ("SELECT CASE 2 WHEN 1 THEN 10 WHEN 2 THEN 20 ELSE 30 END AS s", 20),
        ("SELECT CAST('12' AS INTEGER) + CAST(3 AS NUMERIC(10, 2)) AS s", 15),
        ("SELECT count(*) FILTER (WHERE n > 10) AS s FROM t", 2),
        ("SELECT count(DISTINCT k) s FROM t", 3),
        (
            "SELECT max(n) OVER w AS s FROM t WINDOW w AS (PARTITION BY k ORDER BY n RANGE UNBOUNDED PRECEDING) LIMIT 1",
            10,
        ),
        ("SELECT length(group_concat(k, '-' ORDER BY n DESC)) AS s FROM t", 5),
        ("WITH RECURSIVE c(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM c WHERE i < 5) SELECT sum(i) AS s FROM c", 15),
        ("WITH a AS MATERIALIZED (SELECT n AS m FROM t), b AS (SELECT m m2 FROM a) SELECT sum(m2) AS s FROM b", 60),
        ("SELECT sum(a.n) AS s FROM t a LEFT JOIN t AS b ON a.k = b.k AND b.n >= 20 WHERE b.k IS NULL", 10),
        ("SELECT sum(n) AS s FROM (SELECT * FROM t ORDER BY n DESC NULLS LAST LIMIT 2 OFFSET 0)", 50),
        ("SELECT t.n AS s FROM main.t CROSS JOIN (SELECT 1 AS one) ORDER BY 1 LIMIT 1", 10),
        ("SELECT sum(n) AS s FROM t WHERE k COLLATE NOCASE IN ('A', 'B') AND k IN (SELECT k FROM t)", 30),
        ("SELECT sum(json_each.value) AS s FROM json_each('[1, 2, 3]')", 6),
        ("SELECT count(*) AS s FROM t NATURAL JOIN t AS c", 3),
        ("SELECT count(*) AS s FROM (t JOIN t AS b USING (k)) JOIN t AS c ON c.k = b.k /* all */ -- of them\n;", 3),
    ] {
        let frame = sql(query, [("t", &mixed())]).unwrap_or_else(|error| panic!("{query}: {error}"));
        assert_eq!(frame.get_column_names(), ["s"], "{query}");
        assert_eq!(frame.columns()[0].get(0).unwrap(), AnyValue::Int64(value), "{query}");
    }
    let names = sql("SELECT sum(x), n + 1, x = '1' FROM t WHERE x <> 'NA'", [("t", &mixed())]).unwrap();
    assert_eq!(names.get_column_names(), ["sum(x)", "n + 1", "x = '1'"]);
}

#[test]
fn a_number_of_more_digits_than_64_bits_is_named_as_one() {
    let long = df!("id" => ["18446744073709551615", "2"]).unwrap();
    for query in ["SELECT sum(id) AS s FROM t", "SELECT avg(id) AS s FROM t", "SELECT CAST(id AS INTEGER) AS s FROM t"]
    {
        let error = sql(query, [("t", &long)]).expect_err(query).to_string();
        assert!(error.contains("id is the number '18446744073709551615'"), "{query}: {error}");
        assert!(error.contains("CAST(id AS REAL)"), "{query}: {error}");
    }
    for (query, value) in [
        ("SELECT max(CAST(id AS REAL)) AS s FROM t", 18_446_744_073_709_551_616.0),
        ("SELECT min(CAST(id AS DOUBLE PRECISION)) AS s FROM t", 2.0),
    ] {
        let frame = sql(query, [("t", &long)]).unwrap_or_else(|error| panic!("{query}: {error}"));
        assert_eq!(frame.columns()[0].get(0).unwrap(), AnyValue::Float64(value), "{query}");
    }
    assert!(sql("SELECT CAST(x AS REAL) AS s FROM t", [("t", &mixed())]).is_err());
}

/// Days and instants around 2024-02-01, as columns and as texts of other forms.
fn times() -> DataFrame {
    let days =
        Series::new("day".into(), [Some(19_753), Some(19_754), Some(19_755), None]).cast(&DataType::Date).unwrap();
    let second = 1_706_745_600_000_i64; // 2024-02-01T00:00:00Z
    let at = Series::new("at".into(), [Some(second - 250), Some(second), Some(second + 36_000_000), None]);
    let at = at.cast(&DataType::Datetime(TimeUnit::Milliseconds, None)).unwrap();
    let mut frame = df!(
        "n" => [1_i64, 2, 3, 4],
        "text" => [Some("2024-01-31T23:59:59.75Z"), Some("2024-02-01T01:00:00+01:00"), Some("2024-02-02"), None],
        "word" => ["a", "b", "c", "d"],
    )
    .unwrap();
    frame.with_column(days.into()).unwrap();
    frame.with_column(at.into()).unwrap();
    frame
}

/// The rows for which a condition holds.
fn rows_where(condition: &str) -> Result<Vec<i64>, SqlError> {
    rows_of(&format!("SELECT n FROM t WHERE {condition} ORDER BY n"))
}

fn rows_of(query: &str) -> Result<Vec<i64>, SqlError> {
    let answer = sql(query, [("t", &times()), ("u", &times())])?;
    Ok(answer.columns()[0].i64().unwrap().iter().flatten().collect())
}

#[test]
fn times_compare_with_texts_of_every_form() {
    // One instant in many forms, and its place among the days and instants of the table.
    const FIRST: [&str; 9] = [
        "2024-02-01",
        "2024-02-01 00:00:00",
        "2024-02-01T00:00:00",
        "2024-02-01T00:00:00.000",
        "2024-02-01T00:00:00Z",
        "2024-02-01t01:30:00+01:30",
        "2024-01-31T19:00:00-0500",
        "20240201T000000Z",
        "2024-02-01T01:00:00[Europe/Berlin]",
    ];
    for text in FIRST {
        for (column, less, equal, more) in [("day", vec![1], vec![2], vec![3]), ("at", vec![1], vec![2], vec![3])] {
            let both = |a: &[i64], b: &[i64]| [a, b].concat();
            for (condition, expected) in [
                (format!("{column} < '{text}'"), less.clone()),
                (format!("{column} <= '{text}'"), both(&less, &equal)),
                (format!("{column} = '{text}'"), equal.clone()),
                (format!("{column} IS '{text}'"), equal.clone()),
                (format!("{column} <> '{text}'"), both(&less, &more)),
                (format!("{column} > '{text}'"), more.clone()),
                (format!("{column} >= '{text}'"), both(&equal, &more)),
                (format!("'{text}' > {column}"), less.clone()),
                (format!("NOT '{text}' <= {column}"), less.clone()),
                (
                    format!("{column} BETWEEN '{text}' AND '2024-02-01T23:59:59Z'"),
                    if column == "day" { equal.clone() } else { both(&equal, &more) },
                ),
                (format!("{column} NOT BETWEEN '2000-01-01' AND '{text}'"), more.clone()),
                (format!("{column} IN ('{text}', '1999-01-01T12:00:00')"), equal.clone()),
                (format!("{column} NOT IN ('{text}')"), both(&less, &more)),
                (format!("CASE {column} WHEN '{text}' THEN 1 ELSE 0 END"), equal.clone()),
                (format!("CASE WHEN {column} < '{text}' THEN 1 ELSE 0 END"), less.clone()),
                (format!("iif({column} >= '{text}', 1, 0)"), both(&equal, &more)),
                (format!("min({column}, '{text}') < '{text}'"), less.clone()),
                (format!("max({column}, '{text}') = '{text}'"), both(&less, &equal)),
                (format!("nullif({column}, '{text}') IS NULL"), vec![equal[0], 4]),
                (format!("coalesce({column}, '{text}') = '{text}'"), vec![equal[0], 4]),
                (format!("{column} < (SELECT '{text}')"), less.clone()),
                (format!("{column} IN (SELECT '{text}')"), equal.clone()),
                (format!("{column} = (SELECT text FROM u WHERE n = 2) AND '{text}' = {column}"), equal.clone()),
            ] {
                assert_eq!(
                    rows_where(&condition).unwrap_or_else(|error| panic!("{condition}: {error}")),
                    expected,
                    "{condition}"
                );
            }
        }
    }
}

#[test]
fn times_compare_with_one_another() {
    for (condition, rows) in [
        ("day = at", vec![2]),
        ("at < day", vec![3]),
        ("day <> at", vec![1, 3]),
        ("day IN (at)", vec![2]),
        ("at BETWEEN day AND '2024-02-01T12:00:00'", vec![1, 2]),
        ("at = text", vec![1, 2]),
        ("text >= day", vec![1, 2, 3]),
        ("at > (SELECT min(day) FROM u)", vec![1, 2, 3]),
        ("at = (SELECT max(at) FROM u)", vec![3]),
        ("day IN (SELECT at FROM u)", vec![2]),
        ("at IN (SELECT day FROM u UNION SELECT text FROM u WHERE text IS NOT NULL)", vec![1, 2]),
        ("at NOT IN (SELECT day FROM u WHERE day IS NOT NULL)", vec![1, 3]),
        ("EXISTS (SELECT 1 FROM u WHERE u.day = t.at)", vec![2]),
        ("date(at) = day", vec![1, 2]),
        ("datetime(at) = at", vec![2, 3]),
        ("strftime('%Y-%m-%dT%H:%M:%S', day) = at", vec![2]),
        ("at < CURRENT_TIMESTAMP AND day < CURRENT_DATE", vec![1, 2, 3]),
        ("at > '2024-01-31 23:59:59.7499999'", vec![1, 2, 3]),
        ("at > '2024-01-31 23:59:59.7500001'", vec![2, 3]),
        ("day >= 2024 AND at < '2024-02'", vec![1]),
        ("'2024-02' <= at AND day >= '2024'", vec![2, 3]),
        ("text >= '2024-02-01'", vec![2, 3]),
    ] {
        assert_eq!(rows_where(condition).unwrap_or_else(|error| panic!("{condition}: {error}")), rows, "{condition}");
    }
    for (query, rows) in [
        ("SELECT t.n FROM t JOIN u ON t.day = u.at", vec![2]),
        ("SELECT t.n FROM t JOIN u ON u.text = t.at ORDER BY 1", vec![1, 2]),
        ("SELECT a.n FROM t AS a LEFT JOIN u b ON b.at = a.day WHERE b.n IS NOT NULL", vec![2]),
        ("SELECT t.n FROM t, u WHERE t.at = u.day", vec![2]),
        ("SELECT count(*) AS c FROM t JOIN u USING (day)", vec![3]),
        (
            "SELECT count(*) AS c FROM (SELECT at AS x FROM t UNION ALL SELECT day FROM t) WHERE x = '2024-02-01T00:00:00'",
            vec![2],
        ),
        (
            "SELECT count(*) AS c FROM (SELECT day FROM t UNION ALL SELECT day FROM u) WHERE day < '2024-02-01T00:00:00Z'",
            vec![2],
        ),
        ("WITH v(x) AS (SELECT at FROM t) SELECT count(*) AS c FROM v WHERE x < '2024-02-01T00:00:00Z'", vec![1]),
        (
            "WITH v AS (SELECT * FROM t UNION ALL SELECT * FROM u) SELECT count(*) AS c FROM v WHERE at < '2024-02-01T00:00:00Z'",
            vec![2],
        ),
        ("SELECT sum(day < '2024-02-01T00:00:00') AS c FROM t", vec![1]),
        ("SELECT count(*) FILTER (WHERE at >= '2024-02-01T00:00:00Z') AS c FROM t", vec![2]),
        ("SELECT n FROM t GROUP BY n HAVING max(at) = '2024-02-01T10:00:00Z'", vec![3]),
    ] {
        assert_eq!(rows_of(query).unwrap_or_else(|error| panic!("{query}: {error}")), rows, "{query}");
    }
}

#[test]
fn what_is_no_time_is_refused_beside_one() {
    for condition in [
        "day >= 20240501",
        "at < 1706745600",
        "day = 2024",
        "day <= '2024'",
        "at > '2024-02'",
        "day IN ('2024')",
        "at BETWEEN '2024' AND '2024-02'",
        "day < '2024-2-1'",
        "day < '01.02.2024'",
        "at < 'yesterday'",
        "day = ''",
        "at < '2024-02-01T25:00:00Z'",
        "day > n",
        "day >= n",
        "day >= 5",
        "day = word",
        "word < at",
        "day < upper(word)",
        "day IN (SELECT word FROM u)",
        "CASE day WHEN 'x' THEN 1 ELSE 0 END",
        "max(day, 'x') = day",
        "day < (SELECT n FROM u LIMIT 1)",
    ] {
        let error = rows_where(condition).expect_err(condition);
        assert!(matches!(error, SqlError::Run(_)), "{condition}: {error}");
        assert!(error.to_string().contains("2020-05-31"), "{condition}: {error}");
    }
    let other = df!("day" => ["2024-02-01"], "at" => ["2024-02-01"]).unwrap();
    for query in ["SELECT count(*) AS c FROM t JOIN v USING (day)", "SELECT count(*) AS c FROM t NATURAL JOIN v"] {
        let error = sql(query, [("t", &times()), ("v", &other)]).expect_err(query);
        assert!(matches!(error, SqlError::Joined { .. }), "{query}: {error}");
    }
    let joined = sql("SELECT t.n FROM t JOIN v ON t.day = v.day", [("t", &times()), ("v", &other)]).unwrap();
    assert_eq!(joined, df!("n" => [2_i64]).unwrap());
}

#[test]
fn long_numbers_are_in_the_order_of_numbers() {
    let long =
        df!("id" => ["18446744073709551615", "2", "-36893488147419103232", "10"], "n" => [1_i64, 2, 3, 4]).unwrap();
    let ask = |query: &str| sql(query, [("t", &long)]).unwrap_or_else(|error| panic!("{query}: {error}"));
    assert_eq!(ask("SELECT n FROM t ORDER BY id"), df!("n" => [3_i64, 2, 4, 1]).unwrap());
    assert_eq!(ask("SELECT n FROM t WHERE id > '9' ORDER BY n"), df!("n" => [1_i64, 4]).unwrap());
    let ends = ask("SELECT max(id) AS most, min(id) AS least, count(DISTINCT id) AS c FROM t");
    let text = |place: usize| ends.columns()[place].get(0).unwrap().into_static();
    assert_eq!(text(0), AnyValue::String("18446744073709551615").into_static());
    assert_eq!(text(1), AnyValue::String("-36893488147419103232").into_static());
    assert_eq!(text(2), AnyValue::Int64(4));
}
