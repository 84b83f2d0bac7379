//! What the columns of tables hold, by their names and by the names that a query gives to tables.

use std::collections::HashMap;

use super::Class;
use crate::sql::tokens::{Kind, Token};

/// Classes of columns. Names are in small letters.
#[derive(Debug, Clone, Default, PartialEq)]
pub(in crate::sql) struct Classes {
    /// Of all columns of one name together.
    by_name: HashMap<String, Class>,
    /// By table and column.
    by_table: HashMap<(String, String), Class>,
    /// The tables that names in the query stand for; `None` for a name that stands for something else too.
    aliases: HashMap<String, Option<String>>,
}

impl Classes {
    /// Adds a column of a table.
    pub fn add(&mut self, table: &str, column: &str, class: Class) {
        let (table, column) = (table.to_lowercase(), column.to_lowercase());
        self.note(column.clone(), class);
        self.by_table.insert((table, column), class);
    }

    /// Adds a name that the query gives to what is of this class.
    pub(super) fn note(&mut self, name: String, class: Class) {
        let known = self.by_name.entry(name).or_insert(class);
        *known = known.and(class);
    }

    /// Names of columns.
    pub fn columns(&self) -> impl Iterator<Item = &str> {
        self.by_table.keys().map(|(_, column)| column.as_str())
    }

    /// The classes that a column of this name has in the tables.
    pub fn of_column(&self, column: &str) -> impl Iterator<Item = (&str, Class)> {
        let column = column.to_lowercase();
        self.by_table
            .iter()
            .filter(move |((_, name), _)| *name == column)
            .map(|((table, _), class)| (table.as_str(), *class))
    }

    /// The class of a column, behind the name of a table or alone.
    pub(super) fn of(&self, table: Option<&str>, column: &str) -> Class {
        let column = column.to_lowercase();
        let table = table.and_then(|table| self.aliases.get(&table.to_lowercase())?.as_ref());
        let qualified = table.and_then(|table| self.by_table.get(&(table.clone(), column.clone())));
        qualified.or_else(|| self.by_name.get(&column)).copied().unwrap_or(Class::Unknown)
    }

    /// With the names that the query gives to tables.
    pub(super) fn named_by(mut self, tokens: &[Token<'_>]) -> Self {
        for place in 0..tokens.len() {
            let Some(name) = tokens[place].name().map(|name| name.to_lowercase()) else { continue };
            let before = place.checked_sub(1).map(|before| tokens[before]);
            let after = |skipped: usize| tokens.get(place + skipped).copied();
            let is_table = self.by_table.keys().any(|(table, _)| *table == name);
            if is_table && before.is_some_and(|before| begins_table(&before)) && !is_mark(after(1), "(") {
                let alias = after(1).filter(|token| token.is("AS")).map_or(after(1), |_| after(2));
                let alias = alias.filter(is_free).and_then(|token| token.name());
                self.bind(alias.unwrap_or_else(|| name.clone()), Some(name.clone()));
            }
            // A query in parentheses has the name behind it, or before it if WITH gives it.
            let is_query = is_mark(before, ")")
                || before.is_some_and(|before| before.is("AS"))
                    && is_mark(place.checked_sub(2).map(|at| tokens[at]), ")");
            let is_with = after(1).is_some_and(|token| token.is("AS"))
                && (is_mark(after(2), "(")
                    || after(2).is_some_and(|token| token.is("MATERIALIZED") || token.is("NOT")));
            if is_query && is_free(&tokens[place]) || is_with {
                self.bind(name, None);
            }
        }
        self
    }

    fn bind(&mut self, alias: String, table: Option<String>) {
        let known = self.aliases.entry(alias.to_lowercase()).or_insert_with(|| table.clone());
        if *known != table {
            *known = None;
        }
    }
}

fn is_mark(token: Option<Token<'_>>, mark: &str) -> bool {
    token.is_some_and(|token| token.is_symbol(mark))
}

/// Whether the name of a table may follow.
fn begins_table(token: &Token<'_>) -> bool {
    ["FROM", "JOIN"].iter().any(|word| token.is(word)) || [",", "(", "."].iter().any(|mark| token.is_symbol(mark))
}

/// Whether a token behind a table can be a name of it.
fn is_free(token: &Token<'_>) -> bool {
    const TAKEN: [&str; 24] = [
        "AS",
        "ON",
        "USING",
        "JOIN",
        "LEFT",
        "RIGHT",
        "FULL",
        "INNER",
        "OUTER",
        "CROSS",
        "NATURAL",
        "WHERE",
        "GROUP",
        "HAVING",
        "ORDER",
        "LIMIT",
        "WINDOW",
        "UNION",
        "EXCEPT",
        "INTERSECT",
        "INDEXED",
        "NOT",
        "FROM",
        "SELECT",
    ];
    token.kind == Kind::Quoted || token.kind == Kind::Word && !TAKEN.iter().any(|word| token.is(word))
}
