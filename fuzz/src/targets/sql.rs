//! The SQL entry: a query is answered with a frame or refused with a reason, in bounded time, and alike each time.
//!
//! Input: the query, over the tables `films` and `days`.

use std::sync::LazyLock;

use analysis::polars::{
    df,
    prelude::{DataFrame, DataType, NamedFrom, Series, TimeUnit},
};
use analysis::sql::sql;

use crate::Input;

/// Values at the edges of each type, and nulls.
static FILMS: LazyLock<DataFrame> = LazyLock::new(|| {
    df!(
        "film" => [Some("Up"), Some("기생충 'x\" 🎬"), Some("2020-05-31"), Some(""), None],
        "year" => [Some(2009), Some(i64::MAX), Some(i64::MIN), Some(0), None],
        "rating" => [Some(8.5), Some(-1e300), Some(0.1), Some(f64::INFINITY), None],
        "good" => [Some(true), Some(false), Some(true), Some(false), None],
    )
    .expect("columns of one length")
});

static DAYS: LazyLock<DataFrame> = LazyLock::new(|| {
    let column = |name: &str, values: [Option<i64>; 4], kind: DataType| {
        Series::new(name.into(), values).cast(&kind).expect("integers are dates and instants").into()
    };
    let millis = DataType::Datetime(TimeUnit::Milliseconds, None);
    let days = [Some(18_413), Some(-1), Some(2_932_896), None];
    let at = [Some(1_590_948_000_250), Some(-1_000), Some(253_402_300_799_999), None];
    let films = Series::new("film".into(), [Some("Up"), Some("Her"), Some("Up"), None]).into();
    DataFrame::new(4, vec![films, column("day", days, DataType::Date), column("at", at, millis)]).expect("four rows")
});

/// Asks the query.
pub fn run(input: &[u8]) {
    let Some(query) = Input::new(input).text() else { return };
    let ask = || sql(query, [("films", &*FILMS), ("days", &*DAYS)]);
    match ask() {
        Ok(frame) => {
            let names = frame.get_column_names();
            assert_eq!(names.iter().collect::<std::collections::BTreeSet<_>>().len(), names.len(), "{names:?}");
            if is_fixed(query) {
                let again = ask().unwrap_or_else(|error| panic!("the second time: {error}"));
                assert!(frame.equals_missing(&again), "two answers to one query: {frame} and {again}");
            }
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

/// Whether nothing in the query depends on the moment or on chance.
fn is_fixed(query: &str) -> bool {
    let query = query.to_lowercase();
    !["random", "current_", "now", "date", "time", "julianday"].iter().any(|word| query.contains(word))
}
