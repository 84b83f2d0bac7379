//! A query with checks where SQLite would take a text for a number.
//!
//! SQLite reads a text in a sum, a mean, a calculation or a condition as the number at its beginning, 0 where there is none, and
//! holds every text for larger than every number (<https://sqlite.org/datatype3.html>). `avg` of 10, `NA` and 30 is 13.3 there. So
//! a query is rewritten: an operand that may be a text goes through a [function](super::checks) that gives the number of a text
//! that is one and is an error for any other. What is known to fit, by the types of the columns, stays as it is: a query of numbers
//! alone is not changed, and neither is a join by columns of one type. Dates and instants are texts of one form each there; what they
//! are compared with is brought into that form.
//!
//! The rewriter reads expressions with SQLite's precedences and passes the rest of a statement on as it is. It is given only
//! statements that SQLite has accepted.

mod calls;
mod classes;
mod columns;
mod comparison;
mod expression;
mod operand;
mod statement;
#[cfg(test)]
mod tests;

pub(super) use classes::Classes;

use super::tokens::{Token, tokens};

/// What the values of an expression are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Class {
    /// Always null.
    Null,
    Number,
    Text,
    /// A date, which is a text in SQL: `2020-05-31`.
    Date,
    /// An instant, which is a text in SQL: `2020-05-31 18:00:00`.
    Instant,
    /// A date or an instant.
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
            (a, b) if a.is_time() && b.is_time() => Self::Time,
            _ => Self::Unknown,
        }
    }

    fn is_text(self) -> bool {
        self == Self::Text || self.is_time()
    }

    pub(super) fn is_time(self) -> bool {
        matches!(self, Self::Date | Self::Instant | Self::Time)
    }
}

/// Rounds after which the classes of new names have settled, or are left open.
const ROUNDS: usize = 8;

/// The query with checks; `None` where the rewriter cannot follow it.
pub(super) fn checked(query: &str, columns: &Classes) -> Option<String> {
    let tokens = tokens(query)?;
    // They have columns of their own, whose names may be those of others.
    let is_mixing = |token: &Token<'_>| ["VALUES", "JSON_EACH", "JSON_TREE"].iter().any(|word| token.is(word));
    let mut known = (!tokens.iter().any(is_mixing)).then(|| columns.clone().named_by(&tokens));
    for _ in 0..ROUNDS {
        let mut rewriter = Rewriter::new(&tokens, known.as_ref());
        let text = rewriter.whole()?;
        let (new, is_mixed) = (rewriter.new, rewriter.is_mixed);
        let Some(classes) = &mut known else { return Some(text) };
        if is_mixed {
            known = None;
            continue;
        }
        let before = classes.clone();
        new.into_iter().for_each(|(name, class)| classes.note(name, class));
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
    /// A text as it is written.
    Text,
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
    new: Vec<(String, Class)>,
    /// Whether a set operation puts into one column what is not known.
    is_mixed: bool,
    /// Expressions around the next token.
    depth: usize,
}

impl<'a, 'q> Rewriter<'a, 'q> {
    fn new(tokens: &'a [Token<'q>], known: Option<&'a Classes>) -> Self {
        Self { tokens, at: 0, known, new: Vec::new(), is_mixed: false, depth: 0 }
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

    fn class_of(&self, table: Option<&str>, column: &str) -> Class {
        self.known.map_or(Class::Unknown, |known| known.of(table, column))
    }

    /// Notes that the query gives an expression of this class a name.
    fn note(&mut self, name: &str, class: Class) {
        self.new.push((name.to_lowercase(), class));
    }
}
