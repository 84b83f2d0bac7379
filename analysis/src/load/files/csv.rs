//! CSV files, row by row.

use bson::raw::RawBsonRef;
use polars::prelude::DataFrame;

use super::{
    FileError, Pass, TableFile,
    guess::{self, Guess},
    row::{Pushed, Rows},
};

/// The rows of the file, once for the types that are not given, and once for the values.
pub(super) fn read(file: &TableFile) -> Result<DataFrame, FileError> {
    let mut source = file.source.open()?;
    let names = source.columns().unwrap_or_default().to_vec();
    if names.is_empty() {
        return Err(FileError::Empty { path: file.path.clone() });
    }
    let places = file.places(&names)?;
    let given = places.iter().map(|place| file.kind_of(&names[*place]));
    let mut kinds: Vec<_> = given.collect();
    // A file may grow while it is read; its types are those of the rows that were there the first time.
    let (mut pass, mut most) = (Pass::First, usize::MAX);
    if kinds.contains(&None) {
        let (rows, guesses) = guesses(file, &places)?;
        (pass, most) = (Pass::Second, rows);
        file.tell_of_civil_times(places.iter().map(|place| names[*place].as_str()).zip(guesses.iter().copied()));
        kinds = kinds.into_iter().zip(guesses).map(|(given, guess)| given.or(guess.kind())).collect();
    }
    let names = places.iter().map(|place| names[*place].clone());
    let mut rows = Rows::new(names.zip(kinds).collect::<Vec<_>>());
    while rows.height() < most
        && let Some(row) = source.next_row()
    {
        match row {
            Ok(row) => rows.push(&file.path, row.number(), |column, kind| match row.field(places[column]) {
                None => Ok(Pushed::Value(RawBsonRef::Null)),
                Some(text) => {
                    guess::value_in(text, kind, file.zone()).map(Pushed::Value).ok_or_else(|| text.to_owned())
                }
            })?,
            Err(error) => file.pass_broken(error, pass)?,
        }
    }
    source.doubted().iter().for_each(|what| tracing::warn!("{what}"));
    Ok(rows.finish())
}

/// The number of rows, and what the values of each column are.
fn guesses(file: &TableFile, places: &[usize]) -> Result<(usize, Vec<Guess>), FileError> {
    let mut source = file.source.open()?;
    let mut rows = 0;
    let mut guesses = vec![Guess::Nothing; places.len()];
    let mut empty_texts = vec![false; places.len()];
    while let Some(row) = source.next_row() {
        let row = match row {
            Ok(row) => row,
            Err(error) => {
                file.pass_broken(error, Pass::First)?;
                continue;
            }
        };
        rows += 1;
        for (column, place) in places.iter().enumerate() {
            match row.field(*place) {
                Some("") => empty_texts[column] = true,
                Some(text) if guesses[column] != Guess::Text => {
                    guesses[column] = guesses[column].and(Guess::of_field(text));
                }
                _ => {}
            }
        }
    }
    // Where every value is in quotes, `""` among numbers is a null; alone it is a text.
    let decided = guesses.into_iter().zip(empty_texts);
    let decided = decided.map(|(guess, empty)| if empty && guess == Guess::Nothing { Guess::Text } else { guess });
    Ok((rows, decided.collect()))
}
