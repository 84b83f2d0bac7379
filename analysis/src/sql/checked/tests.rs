use polars::{
    df,
    prelude::{AnyValue, DataFrame},
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
