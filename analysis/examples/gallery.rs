//! Every kind of chart at 400 and 1200 pixels, to be looked at: `cargo run --release -p analysis --example gallery -- FOLDER`.

#[path = "../tests/support/reviews.rs"]
mod reviews;

use std::{error::Error, fs, path::PathBuf};

use analysis::{
    chart::{ChartError, Figure, Grid},
    load::{ColumnRole, TableInfo},
    polars::prelude::{DataFrame, DataType, IntoLazy, TimeUnit, col, df, lit},
    reshape::unpivot,
};

fn main() -> Result<(), Box<dyn Error>> {
    let folder = PathBuf::from(std::env::args().nth(1).unwrap_or_else(|| "out/gallery".to_owned()));
    fs::create_dir_all(&folder)?;
    for (name, figure) in figures()?.into_iter().chain(newer()?).chain(hard()?).chain(honest()?) {
        for (width, height) in [(400, 260), (1200, 640)] {
            let figure = figure.clone().size(width, height);
            for format in ["svg", "png"] {
                match figure.save(folder.join(format!("{name}-{width}.{format}"))) {
                    Err(ChartError::NoRoom { figures, most }) => {
                        println!("{name} at {width}: {figures} figures, room for {most}")
                    }
                    other => other?,
                }
            }
        }
    }
    for (width, height) in [(500, 400), (1200, 760)] {
        let grid = grid()?.size(width, height);
        grid.save(folder.join(format!("grid-{width}.png")))?;
        grid.clone().dark().save(folder.join(format!("grid-dark-{width}.png")))?;
    }
    println!("{}", folder.display());
    Ok(())
}

fn newer() -> Result<Vec<(&'static str, Figure)>, Box<dyn Error>> {
    let months = reviews::reviews_by_month();
    let (movies, many) = (reviews::movies_by_month(4), reviews::movies_by_month(12));
    let ratings = unpivot(&months, &"rating_1..rating_10".parse()?, &["window_start"], "reviews")?;
    let line = || Figure::line(&months).y("reviews");
    Ok(vec![
        ("area", Figure::area(&months).y("reviews").title("Reviews per month")),
        ("area-movies", Figure::area(&movies).y("reviews").by("movie").title("Reviews by film")),
        ("stacked-area", Figure::stacked_area(&ratings).y("reviews").by("rating").title("Ratings per month")),
        ("stacked-area-movies", Figure::stacked_area(&many).y("reviews").by("movie").title("Reviews by film, stacked")),
        ("histogram", Figure::histogram(&months).x("rating_mean").title("Mean ratings of a month")),
        ("box", Figure::box_plot(&movies).x("movie").y("rating_mean").title("Monthly mean ratings of four films")),
        ("scatter", Figure::scatter(&months).x("reviews").y("rating_mean").title("More reviews, other ratings?")),
        ("scatter-movies", Figure::scatter(&many).x("reviews").y("rating_mean").by("movie").title("Films by month")),
        ("pie", Figure::pie(&reviews::top_movies()).x("movie").y("reviews").title("Films with most reviews")),
        ("right", line().right("rating_mean").title("Reviews and their mean rating")),
        ("log", line().log().title("Reviews per month, on a logarithmic scale")),
        (
            "marks",
            line()
                .band("2007-12", "2009-06", "a recession")
                .mark("2013-10", "a long-awaited day in October")
                .level(8_000.0, "goal: 8,000 a month")
                .title("What happened meanwhile"),
        ),
        ("facets", Figure::line(&many).y("reviews").facet("movie").title("Reviews by film").size(900, 700)),
        ("facets-bar", Figure::histogram(&movies).x("rating_mean").facet("movie").title("Mean ratings by film")),
        ("dark-line", Figure::line(&movies).y("rating_mean").by("movie").title("Mean rating by film").dark()),
        ("dark-heat", Figure::heat_map(&many).y("movie").color("reviews").title("Reviews by film and month").dark()),
        ("dark-stacked", Figure::stacked_bar(&ratings).y("reviews").by("rating").title("Ratings per month").dark()),
    ])
}

/// A table of months, of which `columns` are the columns beside the window's start.
fn table(columns: &[(&str, ColumnRole)]) -> Result<TableInfo, Box<dyn Error>> {
    let column = |(name, role): (&str, ColumnRole)| serde_json::json!({"name": name, "type": "int", "role": role});
    let columns = std::iter::once(("window_start", ColumnRole::WindowStart)).chain(columns.iter().copied()).map(column);
    Ok(TableInfo {
        name: "orders_by_month".to_owned(),
        stream: "orders".to_owned(),
        window: "month".to_owned(),
        time_zone: "Europe/Berlin".to_owned(),
        columns: serde_json::from_value(columns.collect())?,
        rows: 0,
        published_revision: 0,
    })
}

/// What would mislead without a word below the subtitle.
fn honest() -> Result<Vec<(&'static str, Figure)>, Box<dyn Error>> {
    let days = |frame: DataFrame| frame.lazy().with_column(col("window_start").cast(DataType::Date)).collect();
    let gaps = days(df!(
        "window_start" => [18_262, 18_293, 18_383, 18_414], "orders" => [50_i64, 60, 70, 80], "price_mean" => [1.0, 2.0, 3.0, 4.0],
        "is_final" => [true, true, true, false],
    )?)?;
    let columns = [("orders", ColumnRole::Count), ("price_mean", ColumnRole::Mean), ("store", ColumnRole::Key)];
    let table = table(&columns)?;
    let names = df!(
        "store" => [Some("north"), None, Some("south"), Some("west")], "orders" => [Some(203_i64), Some(28), Some(7), None],
    )?;
    let stores = df!("store" => [7_i64, 19, 100_000, 987_654_321], "orders" => [40_i64, 30, 20, 10])?;
    let years =
        df!("year" => (2001..2021_i64).collect::<Vec<_>>(), "orders" => (1_000..1_020_i64).collect::<Vec<_>>())?;
    let hours: Vec<i64> = (-13..13).map(|hour| 1_635_642_000_000 + hour * 3_600_000).collect();
    let hours = df!("window_start" => hours, "orders" => (0..26_i64).map(|hour| hour * 7 % 11).collect::<Vec<_>>())?;
    let hours = hours.lazy().with_column(col("window_start").cast(DataType::Datetime(TimeUnit::Milliseconds, None)));
    let hours = hours.collect()?;
    let by_hour = TableInfo { window: "1h".to_owned(), ..table.clone() };
    let top = days(df!(
        "window_start" => [18_262, 18_262, 18_293, 18_293], "rank" => [1_i64, 2, 1, 2], "store" => ["a", "b", "a", "c"],
        "orders" => [9_i64, 7, 8, 5], "is_final" => [false; 4],
    )?)?;
    let log = df!("x" => [1_i64, 2, 3, 4, 5, 6], "y" => [10_i64, 200, 0, 5_000, 800, -3])?;
    let shares = df!("store" => ["north", "south", "west"], "orders" => [99_000_i64, 5, 300])?;
    Ok(vec![
        ("honest-zeros", Figure::line(&gaps).y("orders").table(&table).title("No orders in March and April")),
        ("honest-gaps", Figure::line(&gaps).y("price_mean").table(&table).title("Mean price")),
        ("honest-bars", Figure::bar(&gaps.head(Some(3))).y("orders").table(&table).title("Orders")),
        ("honest-nulls-bar", Figure::bar(&names).x("store").y("orders").title("A store without a name")),
        ("honest-nulls-pie", Figure::pie(&names).x("store").y("orders").title("A store without a name")),
        ("honest-keys", Figure::bar(&stores).x("store").y("orders").table(&table).title("Stores by number")),
        ("honest-keys-line", Figure::line(&stores).x("store").y("orders").table(&table).title("Stores by number")),
        ("honest-years", Figure::bar(&years).x("year").y("orders").title("Orders by year")),
        ("honest-hours-utc", Figure::line(&hours).y("orders").title("Orders by hour")),
        ("honest-hours", Figure::line(&hours).y("orders").table(&by_hour).title("Orders by hour")),
        ("honest-top", Figure::line(&top).y("orders").by("store").title("The first two of a month")),
        ("honest-log", Figure::line(&log).x("x").y("y").log().title("Some without a logarithm")),
        ("honest-shares", Figure::pie(&shares).x("store").y("orders").title("A large part and small ones")),
        ("honest-facets", Figure::line(&top).y("orders").facet("store").title("The first two of a month")),
    ])
}

/// What is hard to draw.
fn hard() -> Result<Vec<(&'static str, Figure)>, Box<dyn Error>> {
    let mut noise = reviews::Noise::new(11);
    let mut walk = 0.0;
    let many: Vec<f64> = (0..100_000)
        .map(|_| {
            walk += noise.next() - 0.5;
            walk
        })
        .collect();
    let many = df!("x" => (0..100_000_i64).collect::<Vec<_>>(), "y" => many)?;
    let cloud: Vec<f64> = (0..100_000).map(|_| (0..6).map(|_| noise.next()).sum::<f64>()).collect();
    let cloud = df!("x" => cloud.clone(), "y" => cloud.into_iter().rev().collect::<Vec<_>>())?;
    let long = |place: usize| format!("{place} {}", "한국어 film with a very long name 🤖 ".repeat(8));
    let names = df!("name" => (0..8).map(long).collect::<Vec<_>>(), "n" => (1..9_i64).collect::<Vec<_>>())?;
    let one = df!("x" => [3_i64], "y" => [Some(5.0)])?;
    let gaps =
        df!("x" => [1_i64, 2, 3, 4, 5, 6], "y" => [Some(1.0), None, Some(f64::NAN), Some(2.0), Some(3.0), None])?;
    Ok(vec![
        ("many-line", Figure::line(&many).x("x").y("y").title("100,000 points")),
        ("many-area", Figure::area(&many).x("x").y("y").title("100,000 points")),
        ("many-bar", Figure::bar(&many).x("x").y("y").title("100,000 bars")),
        ("many-scatter", Figure::scatter(&cloud).x("x").y("y").title("100,000 points")),
        ("many-histogram", Figure::histogram(&cloud).x("x").title("100,000 values")),
        ("names-bar", Figure::bar(&names).x("name").y("n").title("Names of 200 letters ".repeat(10))),
        ("names-pie", Figure::pie(&names).x("name").y("n").title("Names of 200 letters")),
        ("names-box", Figure::box_plot(&names).x("name").y("n").title("Names of 200 letters")),
        ("one-line", Figure::line(&one).x("x").y("y").title("One point")),
        ("one-area", Figure::area(&one).x("x").y("y").title("One point")),
        ("one-scatter", Figure::scatter(&one).x("x").y("y").title("One point")),
        ("one-pie", Figure::pie(&df!("x" => ["all"], "y" => [1_i64])?).x("x").y("y").title("One slice")),
        ("gaps-area", Figure::area(&gaps).x("x").y("y").title("Nulls and NaN are gaps")),
    ])
}

fn grid() -> Result<Grid, Box<dyn Error>> {
    let months = reviews::reviews_by_month();
    let ratings = unpivot(&months, &"rating_1..rating_10".parse()?, &["window_start"], "reviews")?;
    Ok(Grid::new([
        Figure::line(&months).y("rating_mean").title("Mean rating"),
        Figure::area(&months).y("reviews").title("Reviews"),
        Figure::stacked_bar(&ratings).y("reviews").by("rating").title("Ratings"),
        Figure::pie(&reviews::top_movies()).x("movie").y("reviews").title("Films"),
    ])
    .title("Reviews at a glance"))
}

fn figures() -> Result<Vec<(&'static str, Figure)>, Box<dyn Error>> {
    let months = reviews::reviews_by_month();
    let movies = reviews::movies_by_month(4);
    let many = reviews::movies_by_month(12);
    let ratings = unpivot(&months, &"rating_1..rating_10".parse()?, &["window_start"], "reviews")?;
    let years = by_year(&ratings)?;
    Ok(vec![
        ("line", Figure::line(&months).y("rating_mean").title("Mean rating of all reviews")),
        (
            "line-movies",
            Figure::line(&movies)
                .y("rating_mean")
                .by("movie")
                .title("Mean rating by film, with months without reviews"),
        ),
        ("line-many", Figure::line(&many).y("reviews").by("movie").title("Reviews by film")),
        ("line-hours", Figure::line(&hours()).y("temperature").title("Sensor 4").subtitle("°C")),
        ("bar", Figure::bar(&months).y("reviews").title("Reviews per month")),
        ("bar-few", Figure::bar(&last(&months, 12)).y("reviews").title("Reviews per month, the last year")),
        ("bar-movies", Figure::bar(&reviews::top_movies()).x("movie").y("reviews").title("Films with most reviews")),
        ("bar-numbers", Figure::bar(&of_one_year(&years)?).x("rating").y("reviews").title("Ratings in 2019")),
        ("stacked", Figure::stacked_bar(&ratings).y("reviews").by("rating").title("Ratings per month")),
        ("stacked-years", Figure::stacked_bar(&years).y("reviews").by("rating").title("Ratings per year")),
        ("stacked-movies", Figure::stacked_bar(&many).y("reviews").by("movie").title("Reviews by film, stacked")),
        ("heat", Figure::heat_map(&ratings).y("rating").color("reviews").title("Ratings by month")),
        ("heat-years", Figure::heat_map(&years).y("rating").color("reviews").title("Ratings by year")),
        ("heat-movies", Figure::heat_map(&many).y("movie").color("reviews").title("Reviews by film and month")),
    ])
}

fn last(frame: &DataFrame, rows: usize) -> DataFrame {
    frame.tail(Some(rows))
}

fn by_year(ratings: &DataFrame) -> Result<DataFrame, Box<dyn Error>> {
    let year = col("window_start").dt().truncate(lit("1y"));
    let years = ratings.clone().lazy().group_by_stable([year, col("rating")]).agg([col("reviews").sum()]);
    Ok(years.collect()?)
}

fn of_one_year(years: &DataFrame) -> Result<DataFrame, Box<dyn Error>> {
    let is_2019 = col("window_start").dt().year().eq(lit(2019));
    Ok(years.clone().lazy().filter(is_2019).collect()?)
}

/// Three days of readings every 15 minutes.
fn hours() -> DataFrame {
    let mut noise = reviews::Noise::new(4);
    let start = 1_583_000_000_000_i64 / 900_000 * 900_000;
    let times: Vec<i64> = (0..288).map(|reading| start + reading * 900_000).collect();
    let temperatures: Vec<f64> = (0..288)
        .map(|reading| 9.0 + 6.0 * (f64::from(reading) / 96.0 * std::f64::consts::TAU).sin() + noise.next())
        .collect();
    let mut frame = analysis::polars::df!("temperature" => temperatures).expect("a frame");
    frame.insert_column(0, reviews::instants("window_start", &times)).expect("a new column");
    frame
}
