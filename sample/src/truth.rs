//! The counts a correct pipeline arrives at, taken from the values the reviews were made of.

use super::GenerateOptions;
use super::calendar::{FIRST_YEAR, LAST_YEAR};
use super::review::Review;
use serde::Serialize;
use serde_json::ser::{PrettyFormatter, Serializer};
use std::collections::BTreeMap;

/// What is counted of one month.
#[derive(Debug, Clone, Copy, Default)]
struct Month {
    reviews: u64,
    rating_sum: u64,
    /// Reviews of the days 1 to 10, 11 to 20, and the rest.
    ten_days: [u64; 3],
}

/// Counts of the distinct usable reviews.
#[derive(Debug)]
pub(super) struct Truth {
    rows: u64,
    duplicates: u64,
    bad: u64,
    unrated: u64,
    /// From January of the first year on.
    months: Vec<Month>,
}

const TEN_DAY_NAMES: [&str; 3] = ["1_10", "11_20", "21_31"];

/// The form of the file. Months are `1998-07`, their ten-day windows `1998-07/1_10`; both appear where there are reviews.
#[derive(Serialize)]
struct Document {
    rows: u64,
    unrated: u64,
    duplicates: u64,
    bad: u64,
    years: BTreeMap<String, u64>,
    reviews_by_month: BTreeMap<String, u64>,
    /// 0 for a month whose reviews have no rating.
    rating_sum_by_month: BTreeMap<String, u64>,
    reviews_by_decade: BTreeMap<String, u64>,
}

impl Truth {
    pub(super) fn new(options: &GenerateOptions) -> Self {
        let months = vec![Month::default(); usize::from(LAST_YEAR - FIRST_YEAR + 1) * 12];
        Self { rows: 0, duplicates: options.duplicates, bad: options.bad, unrated: 0, months }
    }

    /// Counts a review, each once.
    pub(super) fn count(&mut self, review: &Review) {
        let date = review.date;
        let month = &mut self.months[usize::from(date.year - FIRST_YEAR) * 12 + usize::from(date.month - 1)];
        self.rows += 1;
        month.reviews += 1;
        month.ten_days[usize::from((date.day - 1) / 10).min(2)] += 1;
        match review.rating {
            Some(rating) => month.rating_sum += u64::from(rating),
            None => self.unrated += 1,
        }
    }

    /// The file's content.
    pub(super) fn to_json(&self) -> Vec<u8> {
        let mut json = Vec::new();
        let mut serializer = Serializer::with_formatter(&mut json, PrettyFormatter::with_indent(b" "));
        self.document().serialize(&mut serializer).expect("counts with text keys are written to memory");
        json
    }

    fn document(&self) -> Document {
        let mut document = Document {
            rows: self.rows,
            unrated: self.unrated,
            duplicates: self.duplicates,
            bad: self.bad,
            years: BTreeMap::new(),
            reviews_by_month: BTreeMap::new(),
            rating_sum_by_month: BTreeMap::new(),
            reviews_by_decade: BTreeMap::new(),
        };
        for (index, month) in self.months.iter().enumerate().filter(|(_, month)| month.reviews > 0) {
            let year = usize::from(FIRST_YEAR) + index / 12;
            let name = format!("{year}-{:02}", index % 12 + 1);
            *document.years.entry(year.to_string()).or_default() += month.reviews;
            let ten_days = TEN_DAY_NAMES.iter().zip(month.ten_days).filter(|(_, reviews)| *reviews > 0);
            document.reviews_by_decade.extend(ten_days.map(|(days, reviews)| (format!("{name}/{days}"), reviews)));
            document.rating_sum_by_month.insert(name.clone(), month.rating_sum);
            document.reviews_by_month.insert(name, month.reviews);
        }
        document
    }
}
