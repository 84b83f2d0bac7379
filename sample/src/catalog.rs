//! Fictitious films and series; a few are popular.

use super::calendar::{Day, LAST_YEAR};
use super::random::{Random, Weighted};
use super::words::{
    ABSTRACTS, ADJECTIVES, EPISODES, FOREIGN_TITLES, GENRES, KOREAN_TITLES, NAMES, NOUNS, PLACES, SEQUELS, SURNAMES,
};
use std::collections::HashSet;

const MOVIES: usize = 1200;
/// Larger values make the popular titles less dominant.
const EVENNESS: u64 = 12;
/// Number of newest titles that most reviews are about.
const CANDIDATES: usize = 4;

/// A title and its ratings.
#[derive(Debug)]
pub(super) struct Movie {
    /// As in a review's text: `The Silver Harbour`.
    pub(super) name: String,
    /// As in a record: `The Silver Harbour (2004)`.
    pub(super) title: String,
    pub(super) year: u16,
    pub(super) genre: &'static str,
    pub(super) cast: [String; 4],
    /// Mean rating at the beginning, in tenths.
    quality: i64,
    /// How the mean moves over all years, in tenths.
    drift: i64,
    /// Ratings are mostly extreme.
    pub(super) is_divisive: bool,
}

impl Movie {
    /// Mean rating in `year`, in tenths.
    pub(super) fn mean_rating(&self, year: u16) -> i64 {
        let age = i64::from(year.saturating_sub(self.year));
        (self.quality + self.drift * age / 20).clamp(12, 98)
    }
}

/// All titles, the most popular first.
#[derive(Debug)]
pub(super) struct Catalog {
    movies: Vec<Movie>,
    popularity: Weighted,
}

impl Catalog {
    pub(super) fn new(seed: u64) -> Self {
        let mut random = Random::new(seed, "catalog", 0);
        let mut taken = HashSet::new();
        let mut movies: Vec<Movie> = Vec::with_capacity(MOVIES);
        while movies.len() < MOVIES {
            let movie = invent(&mut random, &movies);
            if taken.insert(movie.title.clone()) {
                movies.push(movie);
            }
        }
        let popularity = Weighted::new((0..MOVIES as u64).map(|rank| 1_000_000 / (rank + EVENNESS)));
        Self { movies, popularity }
    }

    /// Returns a title for a review on `day`: popular and new ones more often.
    pub(super) fn choose(&self, day: Day, random: &mut Random) -> &Movie {
        let one = self.released(day, random);
        if random.chance(300) {
            return one;
        }
        (0..CANDIDATES)
            .map(|_| self.released(day, random))
            .fold(one, |newest, other| if other.year > newest.year { other } else { newest })
    }

    fn released(&self, day: Day, random: &mut Random) -> &Movie {
        loop {
            let movie = &self.movies[self.popularity.choose(random)];
            if movie.year <= day.year {
                return movie;
            }
        }
    }
}

fn invent(random: &mut Random, before: &[Movie]) -> Movie {
    // The first title is old, so every day has a title to review.
    let year = if before.is_empty() || random.chance(330) {
        random.between(1931, 1997) as u16
    } else {
        random.between(1998, i64::from(LAST_YEAR)) as u16
    };
    let (name, year) = match before.get(random.index(before.len())) {
        Some(first) if random.chance(90) && !is_sequel(first) => sequel(random, first, year),
        _ => (invented_name(random), year),
    };
    let title = match random.below(100) {
        0..=81 => format!("{name} ({year})"),
        82..=87 => format!("{name} ({year}\u{2013} )"),
        88..=92 => format!("{name} ({year}\u{2013}{})", year + random.below(12) as u16 + 1),
        _ => episode(random, &name, year),
    };
    let is_divisive = random.chance(150);
    Movie {
        name,
        title,
        year,
        genre: random.pick(&GENRES),
        cast: std::array::from_fn(|_| format!("{} {}", random.pick(&NAMES), random.pick(&SURNAMES))),
        quality: random.between(44, 90),
        drift: random.between(-16, 12),
        is_divisive,
    }
}

fn is_sequel(movie: &Movie) -> bool {
    SEQUELS.iter().any(|ending| movie.name.ends_with(ending))
}

fn sequel(random: &mut Random, first: &Movie, year: u16) -> (String, u16) {
    (format!("{}{}", first.name, random.pick(&SEQUELS)), year.max(first.year + 1).min(LAST_YEAR))
}

fn episode(random: &mut Random, name: &str, year: u16) -> String {
    let (season, number) = (random.between(1, 9), random.between(1, 24));
    format!("{name}: {} ({year}) Season {season}, Episode {number}", random.pick(&EPISODES))
}

fn invented_name(random: &mut Random) -> String {
    let adjective = random.pick(&ADJECTIVES);
    let (noun, other) = (random.pick(&NOUNS), random.pick(&NOUNS));
    let (name, place, matter) = (random.pick(&NAMES), random.pick(&PLACES), random.pick(&ABSTRACTS));
    match random.below(100) {
        0..=24 => format!("The {adjective} {noun}"),
        25..=38 => format!("{noun} of {matter}"),
        39..=50 => format!("{name}'s {noun}"),
        51..=60 => format!("The {noun} in {place}"),
        61..=67 => format!("{adjective} {noun}: The {place} {other}"),
        68..=74 => format!("{matter}, {name} & the {noun}"),
        75..=81 => format!("{place} {noun}"),
        82..=86 => format!("\"{adjective} {matter}\""),
        87..=90 => format!("{} {noun}s", random.between(3, 99)),
        91..=96 => format!("{} {name}", random.pick(&FOREIGN_TITLES)),
        _ => format!("{} {}", random.pick(&KOREAN_TITLES), random.pick(&KOREAN_TITLES)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;

    #[test]
    fn a_few_titles_are_popular_and_none_is_reviewed_before_its_year() {
        let catalog = Catalog::new(1);
        let mut random = Random::new(1, "test", 0);
        let mut reviews: HashMap<&str, u32> = HashMap::new();
        for _ in 0..24_000 {
            let movie = catalog.choose(Day { year: 2015, month: 1, day: 1 }, &mut random);
            assert!(movie.year <= 2015);
            *reviews.entry(&movie.title).or_default() += 1;
        }
        let most = reviews.values().max().copied().unwrap_or(0);
        assert!((100..1000).contains(&most) && reviews.len() > 800, "{most} of the first, {} titles", reviews.len());
    }

    #[test]
    fn every_form_of_title_is_there() {
        let catalog = Catalog::new(1);
        let has = |form: &dyn Fn(&str) -> bool| catalog.movies.iter().filter(|movie| form(&movie.title)).count() > 10;
        assert!(has(&|title| title.ends_with("\u{2013} )")));
        assert!(has(&|title| title.contains(" Season ") && title.contains(", Episode ")));
        assert!(has(&|title| title.chars().any(|c| ('가'..='힣').contains(&c))));
        assert!(has(&|title| title.contains('"')) && has(&|title| title.contains(',')));
    }
}
