//! `USING` and `NATURAL`, of which SQLite compares the columns by letters.

use std::collections::BTreeSet;

use super::{
    SqlError,
    checked::{Class, Classes},
    tokens::tokens,
};

/// Refuses a join of columns of one name of which one is a time and another is not, or is one of another form.
///
/// # Errors
/// [`SqlError::Joined`] names the column and both tables.
pub(super) fn refuse_other_times(query: &str, classes: &Classes) -> Result<(), SqlError> {
    let tokens = tokens(query).unwrap_or_default();
    let mut names = BTreeSet::new();
    for (place, token) in tokens.iter().enumerate() {
        if token.is("NATURAL") {
            names.extend(classes.columns().map(str::to_owned));
        } else if token.is("USING") {
            let list = tokens[place + 1..].iter().take_while(|token| !token.is_symbol(")"));
            names.extend(list.filter_map(|token| Some(token.name()?.to_lowercase())));
        }
    }
    for name in names {
        let mut columns: Vec<(&str, Class)> = classes.of_column(&name).collect();
        columns.sort_unstable_by_key(|(table, _)| *table);
        let Some((first, class)) = columns.iter().find(|(_, class)| class.is_time()) else { continue };
        if let Some((second, _)) = columns.iter().find(|(_, other)| other != class) {
            return Err(SqlError::Joined { column: name, first: (*first).to_owned(), second: (*second).to_owned() });
        }
    }
    Ok(())
}
