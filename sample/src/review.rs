//! One review: a pure function of the seed and its number.

use super::calendar::{Calendar, Day, MONTH_NAMES};
use super::catalog::{Catalog, Movie};
use super::random::{Random, Weighted};
use super::record::Form;
use super::text::Writer;
use super::words::{NAMES, NICKNAMES, SURNAMES};

/// Share of reviews without a rating, in thousandths, as in the real files.
const UNRATED_PER_MILLE: u64 = 119;
const SPOILER_PER_MILLE: u64 = 215;
/// Reviews that stand together in a file are of nearly the same time, as in the real files, which were gathered by review id; such
/// stretches follow each other in no order.
const TOGETHER: u64 = 50;
/// Number of the first review's id.
const FIRST_ID: u64 = 1_000_000;

/// The values of a record.
#[derive(Debug)]
pub(super) struct Review {
    pub(super) id: String,
    pub(super) reviewer: String,
    pub(super) movie: String,
    pub(super) rating: Option<u8>,
    pub(super) summary: String,
    pub(super) date: Day,
    pub(super) is_spoiler: bool,
    pub(super) detail: String,
    pub(super) helpful: Helpful,
    pub(super) form: Form,
}

/// How many found the review helpful, of how many; the files have several forms of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Helpful {
    /// `["1,234", "2,000"]`
    Pair(u64, u64),
    /// `"0,1"`
    Text(u64, u64),
    Missing,
}

/// What makes a record unusable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flaw {
    EmptyId,
    UnreadableDate,
    RatingOutOfRange,
    MissingDate,
    NotAnObject,
}

impl Flaw {
    pub(super) const ALL: [Self; 5] =
        [Self::EmptyId, Self::UnreadableDate, Self::RatingOutOfRange, Self::MissingDate, Self::NotAnObject];
}

/// All reviews of a seed.
#[derive(Debug)]
pub(super) struct Reviews {
    seed: u64,
    catalog: Catalog,
    calendar: Calendar,
    writer: Writer,
}

impl Reviews {
    pub(super) fn new(seed: u64, catalog: Catalog) -> Self {
        Self { seed, catalog, calendar: Calendar::new(), writer: Writer::new() }
    }

    /// Review `number`, from 0.
    pub(super) fn review(&self, number: u64) -> Review {
        let random = &mut Random::new(self.seed, "review", number);
        let date = self.calendar.day(self.seed.wrapping_add(number / TOGETHER), random);
        let movie = self.catalog.choose(date, random);
        let rating = (!random.chance(UNRATED_PER_MILLE)).then(|| rating(movie, date, random));
        Review {
            id: format!("rw{}", FIRST_ID + number),
            reviewer: reviewer(random),
            movie: movie.title.clone(),
            rating,
            summary: self.writer.summary(movie, rating, random),
            date,
            is_spoiler: random.chance(SPOILER_PER_MILLE),
            detail: self.writer.detail(movie, rating, random),
            helpful: helpful(random),
            form: if random.chance(125) { Form::Utf8 } else { Form::Ascii },
        }
    }
}

/// Ratings lie around the title's mean, which moves with the years; and people who write at all tend to love or hate.
fn rating(movie: &Movie, date: Day, random: &mut Random) -> u8 {
    let mean = movie.mean_rating(date.year);
    let extreme = if movie.is_divisive { 900 } else { 100 };
    let weights = (1..=10).map(|rating: i64| {
        let distance = rating * 10 - mean;
        let usual = 300_000 / (90 + distance * distance);
        let more = match rating {
            10 => extreme + mean * 32,
            1 => extreme + (100 - mean) * 15,
            _ => 0,
        };
        (usual + more).unsigned_abs()
    });
    Weighted::new(weights).choose(random) as u8 + 1
}

/// Account names as people choose them, with commas, quotes and other scripts among them.
fn reviewer(random: &mut Random) -> String {
    let nickname = random.pick(&NICKNAMES);
    let (name, surname) = (random.pick(&NAMES), random.pick(&SURNAMES));
    let number = random.below(99_999);
    match random.below(100) {
        0..=49 => format!("{nickname}-{number:05}"),
        50..=69 => format!("{name}_{nickname}{}", number % 1000),
        70..=84 => format!("{name} {surname}"),
        85..=89 => format!("{surname}, {name} {}", number % 100),
        90..=93 => format!("{name} \"{nickname}\" {surname}"),
        94..=95 => format!("the {nickname}, {}", number % 1000),
        96..=97 => format!("영화광{number}"),
        _ => format!("{name}'s {nickname} №{number}"),
    }
}

fn helpful(random: &mut Random) -> Helpful {
    let total = match random.below(1000) {
        0..=299 => random.below(3),
        300..=799 => random.below(15),
        800..=979 => random.below(120),
        980..=996 => random.below(900),
        _ => 900 + random.below(4000),
    };
    let found = random.below(total + 1);
    match random.below(1000) {
        // With a separator in it the text could not be told apart.
        0..=11 if total < 1000 => Helpful::Text(found, total),
        12..=15 => Helpful::Missing,
        _ => Helpful::Pair(found, total),
    }
}

/// `24 July 2005`.
pub(super) fn date_text(date: Day) -> String {
    format!("{} {} {}", date.day, MONTH_NAMES[usize::from(date.month - 1)], date.year)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reviews_look_like_the_real_ones() {
        let reviews = Reviews::new(1, Catalog::new(1));
        let all: Vec<_> = (0..4000).map(|number| reviews.review(number)).collect();
        let share = |is: &dyn Fn(&Review) -> bool| all.iter().filter(|review| is(review)).count() * 1000 / all.len();
        assert!((105..135).contains(&share(&|review| review.rating.is_none())));
        assert!((180..330).contains(&share(&|review| review.rating == Some(10))));
        assert!((40..140).contains(&share(&|review| review.rating == Some(1))));
        assert!(share(&|review| matches!(review.helpful, Helpful::Text(..))) > 2);
        assert!((1..=10).all(|rating| share(&|review| review.rating == Some(rating)) > 10));
    }

    #[test]
    fn a_review_is_a_function_of_its_number() {
        let text = |seed, number| format!("{:?}", Reviews::new(seed, Catalog::new(seed)).review(number));
        assert_eq!(text(3, 17), text(3, 17));
        assert_ne!(text(3, 17), text(4, 17));
        assert_ne!(text(3, 17), text(3, 18));
    }
}
