//! A query with checks where SQLite would take a text for a number.
//!
//! SQLite reads a text in a sum, a mean, a calculation or a condition as the number at its beginning, 0 where there is none, and
//! holds every text for larger than every number (<https://sqlite.org/datatype3.html>). `avg` of 10, `NA` and 30 is 13.3 there. So
//! a query is rewritten: an operand that may be a text goes through a [function](super::checks) that gives the number of a text
//! that is one and is an error for any other. What is known to fit, by the types of the columns, stays as it is: a query of numbers
//! alone is not changed, and neither is a join by columns of one type.
//!
//! The rewriter reads expressions with SQLite's precedences and passes the rest of a statement on as it is. It is given only
//! statements that SQLite has accepted.

mod calls;
mod comparison;
mod expression;
mod operand;
mod statement;
#[cfg(test)]
mod tests;

use std::collections::HashMap;

use super::tokens::{Token, tokens};

/// What the values of an expression are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Class {
    /// Always null.
    Null,
    Number,
    Text,
    /// A date or an instant, which is a text in SQL.
    Time,
    /// Several of them, or not known.
    Unknown,
}

impl Class {
    /// The class of what is the one or the other.
    pub(super) fn and(self, other: Self) -> Self {
        match (self, other) {
            (a, b) if a == b => a,
            (Self::Null, known) | (known, Self::Null) => known,
            _ => Self::Unknown,
        }
    }

    fn is_text(self) -> bool {
        matches!(self, Self::Text | Self::Time)
    }
}

/// Classes of columns by their names in small letters.
pub(super) type Classes = HashMap<String, Class>;

/// Rounds after which the classes of new names have settled, or are left open.
const ROUNDS: usize = 8;

/// The query with checks; `None` where the rewriter cannot follow it.
pub(super) fn checked(query: &str, columns: &Classes) -> Option<String> {
    let tokens = tokens(query)?;
    // What a set operation puts into one column may be of two types, whatever the first one's name says.
    let is_mixing = |token: &Token<'_>| {
        ["UNION", "EXCEPT", "INTERSECT", "VALUES", "JSON_EACH", "JSON_TREE"].iter().any(|word| token.is(word))
    };
    let mut known = if tokens.iter().any(is_mixing) { None } else { Some(columns.clone()) };
    for _ in 0..ROUNDS {
        let mut rewriter = Rewriter::new(&tokens, known.as_ref());
        let text = rewriter.whole()?;
        let new = rewriter.new;
        let Some(classes) = &mut known else { return Some(text) };
        let before = classes.clone();
        for (name, class) in new {
            let known = classes.entry(name).or_insert(class);
            *known = known.and(class);
        }
        if *classes == before {
            return Some(text);
        }
    }
    Rewriter::new(&tokens, None).whole()
}

/// An expression that was read.
#[derive(Debug, Clone)]
struct Node {
    text: String,
    /// As it is written, for messages.
    label: String,
    class: Class,
    form: Form,
}

/// What an expression is, where that matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// A column by its name, whose declared type SQLite goes by.
    Column,
    /// A number as it is written.
    Literal,
    /// True, false or null.
    Condition,
    Other,
}

struct Rewriter<'a, 'q> {
    tokens: &'a [Token<'q>],
    at: usize,
    /// Classes by name; `None` where no name tells one.
    known: Option<&'a Classes>,
    /// Classes of the names that the query gives.
    new: Classes,
    /// Expressions around the next token.
    depth: usize,
}

impl<'a, 'q> Rewriter<'a, 'q> {
    fn new(tokens: &'a [Token<'q>], known: Option<&'a Classes>) -> Self {
        Self { tokens, at: 0, known, new: Classes::new(), depth: 0 }
    }

    fn peek(&self) -> Option<Token<'q>> {
        self.tokens.get(self.at).copied()
    }

    fn peek_second(&self) -> Option<Token<'q>> {
        self.tokens.get(self.at + 1).copied()
    }

    fn next(&mut self) -> Option<Token<'q>> {
        let token = self.peek()?;
        self.at += 1;
        Some(token)
    }

    /// Takes the next token if it is this keyword.
    fn take(&mut self, keyword: &str) -> Option<&'q str> {
        let token = self.peek().filter(|token| token.is(keyword))?;
        self.at += 1;
        Some(token.text)
    }

    fn take_symbol(&mut self, symbols: &[&str]) -> Option<&'q str> {
        let token = self.peek().filter(|token| symbols.iter().any(|symbol| token.is_symbol(symbol)))?;
        self.at += 1;
        Some(token.text)
    }

    fn class_of(&self, name: &str) -> Class {
        let known = self.known.and_then(|known| known.get(&name.to_lowercase()));
        known.copied().unwrap_or(Class::Unknown)
    }

    /// Notes that the query gives an expression of this class a name.
    fn note(&mut self, name: &str, class: Class) {
        let noted = self.new.entry(name.to_lowercase()).or_insert(class);
        *noted = noted.and(class);
    }
}
