//! How the numbers in a column of a CSV file are read: with a decimal comma or a decimal point.
//!
//! Each column is judged by its own cells among the first rows. A cell such as `1,500` means two numbers; it is read only
//! where other cells decide. What is not decided breaks its row, so that nobody gets a number by a guess:
//!
//! | cells of the column | `0,5` | `10.30` | `1,500`, `1.500` |
//! | --- | --- | --- | --- |
//! | prove a comma | 0.5 | refused | 1.500, 1500 |
//! | prove a point | as it stands | as it stands | as it stands |
//! | prove both | by the majority, else refused | by the majority, else refused | refused |
//! | prove nothing, those of other columns a comma | 0.5 | as it stands | 1.500, 1500 |
//! | prove nothing, those of other columns a point | as it stands | as it stands | as it stands |
//! | prove nothing, nor do those of other columns | refused | as it stands | refused |
//!
//! `10.30` may be a time and `10.11` a day: such cells prove nothing for other columns. Where a comma is between the fields,
//! cells are handed on as they stand; there only `1,500` in a column that proves a comma is refused.

use super::decimal::{Decimal, Evidence, evidence, is_number, normalised};
use super::form::Delimiter;

/// How the cells of a column are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Reading {
    /// A number with a decimal comma.
    comma: Act,
    /// A number with a decimal point.
    point: Act,
    /// Two numbers, one by either mark.
    either: Act,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Act {
    Keep,
    /// Written with a decimal point.
    Convert,
    Refuse,
}

/// What a cell is read as.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Cell {
    AsItStands,
    Number(String),
    Refused(&'static str),
}

const UNKNOWN_MARK: &str = "whose decimal mark is not known; name it with --decimal , or --decimal .";
const OTHER_MARK: &str = "a number with a decimal point, while others in its column have a decimal comma; write it as \
                          they are, or hand on all cells as they stand with --decimal .";

impl Reading {
    pub(super) const AS_IT_STANDS: Self = Self { comma: Act::Keep, point: Act::Keep, either: Act::Keep };
    const COMMA: Self = Self { comma: Act::Convert, point: Act::Keep, either: Act::Convert };
    const UNKNOWN: Self = Self { comma: Act::Refuse, point: Act::Keep, either: Act::Refuse };

    /// Reads the text of a cell.
    pub(super) fn read(self, cell: &str) -> Cell {
        if self == Self::AS_IT_STANDS {
            return Cell::AsItStands;
        }
        let (act, refusal) = match evidence(cell) {
            Evidence::None => return Cell::AsItStands,
            Evidence::Comma => (self.comma, UNKNOWN_MARK),
            Evidence::Point if self.comma == Act::Convert => (self.point, OTHER_MARK),
            Evidence::Point => (self.point, UNKNOWN_MARK),
            Evidence::Both => (self.either, UNKNOWN_MARK),
        };
        match act {
            Act::Keep => Cell::AsItStands,
            Act::Convert => normalised(cell).map_or(Cell::AsItStands, Cell::Number),
            Act::Refuse => Cell::Refused(refusal),
        }
    }
}

/// What the first cells of a column are.
#[derive(Debug, Clone, Default)]
pub(super) struct Column {
    /// The first cell that proves a decimal comma.
    pub(super) proof: Option<String>,
    commas: usize,
    points: usize,
    /// Of the points, those that may stand in a time or a date.
    clocks: usize,
    /// A cell has digits and is no number.
    has_text: bool,
}

impl Column {
    pub(super) fn add(&mut self, cell: &str) {
        match evidence(cell) {
            Evidence::Comma => {
                self.commas += 1;
                self.proof.get_or_insert_with(|| cell.to_owned());
            }
            Evidence::Point => {
                self.points += 1;
                self.clocks += usize::from(may_be_clock(cell));
            }
            Evidence::Both => {}
            Evidence::None => self.has_text |= cell.bytes().any(|byte| byte.is_ascii_digit()) && !is_number(cell),
        }
    }

    fn proves_comma(&self) -> bool {
        self.commas > 0 && self.points == 0
    }

    fn proves_point(&self) -> bool {
        self.commas == 0 && self.points > self.clocks
    }

    /// By its own cells, if they decide anything.
    fn own(&self) -> Option<Reading> {
        let strict = |act| if self.has_text { Act::Keep } else { act };
        let (comma, point, either) = match (self.commas, self.points) {
            (0, 0) => return None,
            (0, _) => (Act::Keep, Act::Keep, Act::Keep),
            (_, 0) => (Act::Convert, strict(Act::Refuse), Act::Convert),
            (commas, points) if commas > points => (Act::Convert, strict(Act::Refuse), Act::Refuse),
            (commas, points) if commas < points => (Act::Refuse, Act::Keep, Act::Refuse),
            _ => (Act::Refuse, strict(Act::Refuse), Act::Refuse),
        };
        Some(Reading { comma, point, either })
    }

    /// Where the user has named a comma.
    fn named_comma(&self) -> Reading {
        let point = if self.commas > self.points && !self.has_text { Act::Refuse } else { Act::Keep };
        Reading { point, ..Reading::COMMA }
    }

    /// Where a comma is between the fields, so that a comma in a cell is unusual.
    fn among_commas(&self) -> Reading {
        let is_doubtful = self.commas > 0 && !self.has_text;
        Reading { either: if is_doubtful { Act::Refuse } else { Act::Keep }, ..Reading::AS_IT_STANDS }
    }
}

/// How each of `columns` is read, in a file with `delimiter`; `named` is the mark that the user has named.
pub(super) fn readings(columns: &[Column], delimiter: Delimiter, named: Option<Decimal>) -> Vec<Reading> {
    let others = match (columns.iter().any(Column::proves_comma), columns.iter().any(Column::proves_point)) {
        (true, false) => Reading::COMMA,
        (false, true) => Reading::AS_IT_STANDS,
        _ => Reading::UNKNOWN,
    };
    let reading = |column: &Column| match named {
        Some(Decimal::Point) => Reading::AS_IT_STANDS,
        Some(Decimal::Comma) => column.named_comma(),
        None if delimiter == Delimiter::COMMA => column.among_commas(),
        None => column.own().unwrap_or(others),
    };
    columns.iter().map(reading).collect()
}

/// Whether `10.30` may be a time of day or a day of a year.
fn may_be_clock(cell: &str) -> bool {
    let parts = cell.trim_ascii().split_once('.').filter(|(_, second)| second.len() == 2);
    let parts = parts.and_then(|(first, second)| Some((first.parse::<u8>().ok()?, second.parse::<u8>().ok()?)));
    parts.is_some_and(|(first, second)| (first < 24 && second < 60) || (first <= 31 && second <= 12))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(cells: &[&str]) -> Column {
        let mut column = Column::default();
        cells.iter().for_each(|cell| column.add(cell));
        column
    }

    /// Each cell as it is read: itself, a number with a point, or a question mark.
    fn read(reading: Reading, cells: &[&str]) -> Vec<String> {
        let text = |cell: &&str| match reading.read(cell) {
            Cell::AsItStands => (*cell).to_owned(),
            Cell::Number(number) => number,
            Cell::Refused(_) => "?".to_owned(),
        };
        cells.iter().map(text).collect()
    }

    #[test]
    fn each_column_is_read_by_its_own_cells_first() {
        let cells = ["0,5", "9.99", "1,500", "1.500", "12", "n/a"];
        for (own, expected) in [
            (&["0,5", "12"][..], ["0.5", "?", "1.500", "1500", "12", "n/a"]),
            (&["0.5", "1,500"], cells),
            (&["10.30", "11.45"], cells),
            (&["12,50", "3,20", "10.30"], ["0.5", "?", "?", "?", "12", "n/a"]),
            (&["12.50", "3.20", "10,30"], ["?", "9.99", "?", "?", "12", "n/a"]),
            (&["12.50", "10,30"], ["?", "?", "?", "?", "12", "n/a"]),
            (&["1,500"], ["?", "9.99", "?", "?", "12", "n/a"]),
            (&["0,5", "1 kg"], ["0.5", "9.99", "1.500", "1500", "12", "n/a"]),
        ] {
            let reading = readings(&[column(own)], Delimiter::SEMICOLON, None)[0];
            assert_eq!(read(reading, &cells), expected, "{own:?}");
        }
    }

    #[test]
    fn other_columns_decide_where_they_agree_and_are_no_times() {
        let undecided = column(&["1,500", "7"]);
        for (others, expected) in [
            (&[&["0,5"][..], &["1,25", "n/a"]][..], "1.500"),
            (&[&["0.5"]], "1,500"),
            (&[&["0,5"], &["0.5"]], "?"),
            (&[&["10.30", "24.12"]], "?"),
            (&[&["0,5"], &["10.30"]], "1.500"),
            (&[&["word"]], "?"),
        ] {
            let columns: Vec<_> = others.iter().map(|cells| column(cells)).chain([undecided.clone()]).collect();
            let readings = readings(&columns, Delimiter::TAB, None);
            assert_eq!(read(readings[others.len()], &["1,500"]), [expected], "{others:?}");
        }
    }

    #[test]
    fn a_comma_between_the_fields_and_a_named_mark_decide_otherwise() {
        let cells = ["0,5", "9.99", "1,500"];
        for (own, delimiter, named, expected) in [
            (&["1,500", "7"][..], Delimiter::COMMA, None, cells),
            (&["0,5", "1,500"], Delimiter::COMMA, None, ["0,5", "9.99", "?"]),
            (&["1,2", "1,2,3"], Delimiter::COMMA, None, cells),
            (&["0,5"], Delimiter::TAB, Some(Decimal::Point), cells),
            (&["0.5"], Delimiter::COMMA, Some(Decimal::Comma), ["0.5", "9.99", "1.500"]),
            (&["0,5"], Delimiter::COMMA, Some(Decimal::Comma), ["0.5", "?", "1.500"]),
        ] {
            let reading = readings(&[column(own)], delimiter, named)[0];
            assert_eq!(read(reading, &cells), expected, "{own:?} {named:?}");
        }
    }
}
