//! Every kind of chart at 400 and 1200 pixels, to be looked at: `cargo run --release -p analysis --example gallery -- FOLDER`.

#[path = "../tests/support/reviews.rs"]
mod reviews;

use std::{error::Error, fs, path::PathBuf};

use analysis::{
    chart::Figure,
    polars::prelude::{DataFrame, IntoLazy, col, lit},
    reshape::unpivot,
};

fn main() -> Result<(), Box<dyn Error>> {
    let folder = PathBuf::from(std::env::args().nth(1).unwrap_or_else(|| "out/gallery".to_owned()));
    fs::create_dir_all(&folder)?;
    for (name, figure) in figures()? {
        for (width, height) in [(400, 260), (1200, 640)] {
            let figure = figure.clone().size(width, height);
            figure.save(folder.join(format!("{name}-{width}.svg")))?;
            figure.save(folder.join(format!("{name}-{width}.png")))?;
        }
    }
    println!("{}", folder.display());
    Ok(())
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
