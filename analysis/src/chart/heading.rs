//! A table's name as the heading of a chart of it.

use crate::load::TableInfo;

/// The table in words, with the windows that the chart shows: `Movies by year` of `movies_by_month`, `Movies` where `window` is none
/// because all windows are put together. A name that speaks of other windows is put right.
///
/// ```no_run
/// # use analysis::{chart::heading, load::Store};
/// # let store = Store::connect("mongodb://127.0.0.1:27017", "rushes")?;
/// let table = store.table("movies_by_month")?;
/// assert_eq!(heading(&table, Some("year")), "Movies by year");
/// # Ok::<(), analysis::load::StoreError>(())
/// ```
pub fn heading(table: &TableInfo, window: Option<&str>) -> String {
    let words = |name: &str| capitalized(&name.replace(['_', '-'], " "));
    let is_window = |unit: &str| !unit.contains(['_', '-']) && windows_named(unit) == [table.window.as_str()];
    let of_unit = |(stem, unit)| is_window(unit).then_some(stem);
    let stem = table.name.strip_suffix(&format!("_by_{}", table.window.replace(' ', "_")));
    let stem = stem.or_else(|| table.name.rsplit_once("_by_").and_then(of_unit));
    let named = windows_named(&table.name);
    match (stem, window) {
        (Some(_), Some(window)) if window == table.window => words(&table.name),
        (Some(stem), Some(window)) => words(&format!("{stem}_by_{window}")),
        (Some(stem), None) => words(stem),
        (None, Some(window)) if !named.is_empty() && !named.contains(&window) || window != table.window => {
            format!("{}, by {}", words(&table.name), window.replace('_', " "))
        }
        (None, None) if !named.is_empty() => format!("{}, all windows together", words(&table.name)),
        (None, _) => words(&table.name),
    }
}

/// Windows that a name speaks of.
fn windows_named(name: &str) -> Vec<&'static str> {
    let parts = name.split(['_', '-']);
    let window = |part: &str| match part.to_ascii_lowercase().as_str() {
        "second" | "secondly" => Some("1s"),
        "minute" | "minutely" => Some("1m"),
        "hour" | "hourly" => Some("1h"),
        "day" | "daily" => Some("day"),
        "week" | "weekly" => Some("week"),
        "month" | "monthly" => Some("month"),
        "quarter" | "quarterly" => Some("quarter"),
        "year" | "yearly" | "annual" | "annually" => Some("year"),
        _ => None,
    };
    parts.filter_map(window).collect()
}

fn capitalized(words: &str) -> String {
    let mut letters = words.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_heading_names_the_windows_that_are_shown() {
        let heading = |name: &str, of: &str, shown: Option<&str>| {
            let table = TableInfo {
                name: name.to_owned(),
                stream: "reviews".to_owned(),
                window: of.to_owned(),
                time_zone: "UTC".to_owned(),
                columns: Vec::new(),
                rows: 0,
                published_revision: 0,
            };
            heading(&table, shown)
        };
        for (name, of, shown, words) in [
            ("movies_by_month", "month", Some("month"), "Movies by month"),
            ("movies_by_month", "month", Some("year"), "Movies by year"),
            ("movies_by_month", "month", None, "Movies"),
            ("movies_by_ten_day", "ten_day", Some("ten_day"), "Movies by ten day"),
            ("movies_by_month", "week", Some("week"), "Movies by month, by week"),
            ("daily", "day", Some("day"), "Daily"),
            ("daily", "day", Some("year"), "Daily, by year"),
            ("daily-movies", "day", None, "Daily movies, all windows together"),
            ("sales_by_day_and_store", "day", Some("month"), "Sales by day and store, by month"),
            ("points", "month", Some("year"), "Points, by year"),
            ("points_by_who", "month", None, "Points by who"),
            ("orders_by_hour", "1h", Some("1h"), "Orders by hour"),
            ("orders_by_hour", "1h", Some("day"), "Orders by day"),
            ("orders_by_hour", "1h", None, "Orders"),
        ] {
            assert_eq!(heading(name, of, shown), words);
        }
    }
}
