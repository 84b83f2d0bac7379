//! Frames that look like the rollups of real film reviews, the same on every run.

use analysis::polars::prelude::{Column, DataFrame, DataType, NamedFrom, Series, TimeUnit, df};
use jiff::civil::{Date, date};

/// A generator of numbers that need not be good, only equal on every machine (an LCG with Knuth's MMIX constants).
pub struct Noise(u64);

impl Noise {
    /// Starts at `seed`.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A number from 0 up to 1.
    pub fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 40) as f64 / (1_u64 << 24) as f64
    }
}

/// The first days of 264 months from October 1998.
pub fn months() -> Vec<Date> {
    let month = |n: i16| date(1998 + (n + 9) / 12, ((n + 9) % 12 + 1) as i8, 1);
    (0..264).map(month).collect()
}

/// A column of dates.
pub fn dates(name: &str, days: &[Date]) -> Column {
    let epoch = date(1970, 1, 1);
    let numbers: Vec<i32> = days.iter().map(|day| (*day - epoch).get_days()).collect();
    let series = Series::new(name.into(), numbers).cast(&DataType::Date).expect("days are dates");
    series.into()
}

/// A column of instants, in milliseconds.
pub fn instants(name: &str, millis: &[i64]) -> Column {
    let series = Series::new(name.into(), millis.to_vec());
    series.cast(&DataType::Datetime(TimeUnit::Milliseconds, None)).expect("numbers are instants").into()
}

/// `window_start, reviews, rated, rating_mean, rating_1 … rating_10` of 264 months.
pub fn reviews_by_month() -> DataFrame {
    let mut noise = Noise::new(1998);
    let months = months();
    let mut ratings: Vec<Vec<i64>> = vec![Vec::new(); 10];
    let (mut reviews, mut means) = (Vec::new(), Vec::new());
    for month in 0..months.len() {
        let level = 40.0 + 9_000.0 * (month as f64 / 264.0).powi(2) * (0.7 + 0.6 * noise.next());
        let counts: Vec<i64> =
            (1..=10).map(|rating| (level * share(rating) * (0.8 + 0.4 * noise.next())) as i64).collect();
        let rated: i64 = counts.iter().sum();
        let sum: i64 = (1..).zip(&counts).map(|(rating, count)| rating * count).sum();
        reviews.push(rated + (rated as f64 * 0.119) as i64);
        means.push((rated > 0).then(|| sum as f64 / rated as f64));
        ratings.iter_mut().zip(counts).for_each(|(column, count)| column.push(count));
    }
    let rated: Vec<i64> = (0..months.len()).map(|month| ratings.iter().map(|column| column[month]).sum()).collect();
    let mut frame = df!("reviews" => reviews, "rated" => rated, "rating_mean" => means).expect("columns of one length");
    frame.insert_column(0, dates("window_start", &months)).expect("a new column");
    for (rating, counts) in (1..).zip(ratings) {
        let column = Series::new(format!("rating_{rating}").into(), counts);
        frame.with_column(column.into()).expect("a new column");
    }
    frame
}

/// How often people give a rating: mostly 7 to 10, sometimes 1.
fn share(rating: i32) -> f64 {
    [0.07, 0.03, 0.04, 0.05, 0.07, 0.1, 0.16, 0.19, 0.13, 0.16][(rating - 1) as usize]
}

/// Titles with everything that makes titles hard.
pub const MOVIES: [&str; 20] = [
    "Joker (2019)",
    "Avengers: Endgame (2019)",
    "기생충 Parasite (2019)",
    "Star Wars: Episode IX - The Rise of Skywalker (2019)",
    "1917 (2019)",
    "Amélie (2001)",
    "The Lord of the Rings: The Fellowship of the Ring (2001)",
    "Брат 2 (2000)",
    "Κυνόδοντας (2009)",
    "Dr. Strangelove or: How I Learned to Stop Worrying and Love the Bomb (1964)",
    "WALL·E 🤖 (2008)",
    "Game of Thrones: The Long Night (2019) Season 8, Episode 3",
    "Up (2009)",
    "8½ (1963)",
    "Se7en (1995)",
    "Inception (2010)",
    "\"Crocodile\" Dundee (1986)",
    "M*A*S*H <1970> & more",
    "The Dark Knight (2008)",
    "Cats (2019)",
];

/// `movie, reviews, rating_mean`, one row each, most reviews first.
pub fn top_movies() -> DataFrame {
    let mut noise = Noise::new(7);
    let reviews: Vec<i64> =
        (0..20).map(|rank| (9_800.0 / (1.0 + 0.35 * f64::from(rank)) + 60.0 * noise.next()) as i64).collect();
    let means: Vec<f64> = (0..20).map(|_| 5.5 + 3.5 * noise.next()).collect();
    df!("movie" => MOVIES, "reviews" => reviews, "rating_mean" => means).expect("columns of one length")
}

/// `window_start, movie, reviews, rating_mean` of the first `movies` titles over 36 months from January 2018; some months without.
pub fn movies_by_month(movies: usize) -> DataFrame {
    let mut noise = Noise::new(36);
    let (mut months, mut titles, mut reviews, mut means) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for month in 0..36_i16 {
        for (place, title) in MOVIES.iter().take(movies).enumerate() {
            let (count, mean) = (30.0 + 400.0 * noise.next() / (place + 1) as f64, 5.0 + 4.0 * noise.next());
            months.push(date(2018 + month / 12, (month % 12 + 1) as i8, 1));
            titles.push(*title);
            reviews.push(count as i64);
            means.push((noise.next() > 0.1).then_some(mean));
        }
    }
    let mut frame =
        df!("movie" => titles, "reviews" => reviews, "rating_mean" => means).expect("columns of one length");
    frame.insert_column(0, dates("window_start", &months)).expect("a new column");
    frame
}
