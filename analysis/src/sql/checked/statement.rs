//! Statements: everything between expressions is passed on.

use super::{Class, Form, Node, Rewriter, columns::Columns};
use crate::sql::tokens::{Kind, Token};

/// Words that never begin an expression.
const RESERVED: [&str; 19] = [
    "SELECT",
    "DISTINCT",
    "ALL",
    "FROM",
    "WHERE",
    "GROUP",
    "BY",
    "HAVING",
    "ORDER",
    "LIMIT",
    "UNION",
    "EXCEPT",
    "INTERSECT",
    "JOIN",
    "ON",
    "USING",
    "WITH",
    "VALUES",
    "INDEXED",
];
/// Words that go on after an expression, but may be names elsewhere.
const AFTER: [&str; 19] = [
    "CROSS",
    "FULL",
    "INNER",
    "LEFT",
    "NATURAL",
    "OUTER",
    "RIGHT",
    "ASC",
    "DESC",
    "NULLS",
    "FIRST",
    "LAST",
    "OFFSET",
    "PARTITION",
    "WINDOW",
    "ROWS",
    "RANGE",
    "GROUPS",
    "NOT",
];
/// Words before a condition.
const CONDITIONS: [&str; 3] = ["WHERE", "HAVING", "ON"];

/// What stands between two parentheses, or the whole query.
pub(super) struct Part {
    pub text: String,
    /// The expression, where it is just one.
    pub only: Option<Node>,
    /// The class of the column, where it is a query of just one.
    pub class: Option<Class>,
}

fn is_one_of(token: &Token<'_>, words: &[&str]) -> bool {
    words.iter().any(|word| token.is(word))
}

impl Rewriter<'_, '_> {
    pub(super) fn whole(&mut self) -> Option<String> {
        let part = self.part()?;
        // A semicolon at the end.
        let rest: Vec<&str> = self.tokens[self.at..].iter().map(|token| token.text).collect();
        let ended = rest.iter().all(|text| *text == ";");
        ended.then_some(part.text)
    }

    /// Reads up to the parenthesis that closes this part, or to the end.
    pub(super) fn part(&mut self) -> Option<Part> {
        let (mut out, mut only, mut parts) = (Vec::new(), None, 0);
        let mut operand = true;
        let mut condition = false;
        let mut columns = Columns::default();
        while let Some(token) = self.peek().filter(|token| !token.is_symbol(")") && !token.is_symbol(";")) {
            parts += 1;
            let last = only.take();
            if token.is("AS") {
                self.at += 1;
                out.push("AS".to_owned());
                columns.name(self.peek()?.name().unwrap_or_default());
                out.extend(self.named(last.as_ref())?);
                operand = false;
            } else if self.is_frame(operand) {
                out.push(self.frame()?);
            } else if token.is_symbol(",") || token.is_symbol("*") {
                self.at += 1;
                out.push(token.text.to_owned());
                operand = token.is_symbol(",");
                if operand { columns.comma() } else { columns.star() }
            } else if is_one_of(&token, &RESERVED) || self.goes_on(token, operand) {
                self.at += 1;
                out.push(token.text.to_owned());
                condition = is_one_of(&token, &CONDITIONS);
                if token.is("SELECT") {
                    columns.begin();
                } else if !token.is("DISTINCT") && !token.is("ALL") {
                    columns.end();
                }
                operand = is_one_of(&token, &RESERVED) || token.is("OFFSET");
            } else if !operand && token.name().is_some() {
                // A name without AS.
                self.at += 1;
                columns.name(token.name()?);
                self.note(&token.name()?, last.map_or(Class::Unknown, |node: Node| node.class));
                out.push(token.text.to_owned());
            } else {
                let node = self.expression()?;
                let name = self.tokens[..self.at].last().and_then(Token::name);
                columns.expression(&node, name.filter(|_| node.form == Form::Column));
                if node.text.ends_with(".*") {
                    columns.star();
                }
                let node = if std::mem::take(&mut condition) { self.truth(node) } else { node };
                out.push(node.text.clone());
                only = Some(node);
                operand = false;
            }
        }
        self.is_mixed |= columns.are_mixed();
        columns.joined().for_each(|(name, class)| self.note(name, class));
        Some(Part { text: out.join(" "), only: only.filter(|_| parts == 1), class: columns.only() })
    }

    /// What follows AS: a name, or a query in parentheses, before which there is the name.
    fn named(&mut self, last: Option<&Node>) -> Option<Vec<String>> {
        let mut out = Vec::new();
        for word in ["NOT", "MATERIALIZED"] {
            if self.peek_second().is_some_and(|token| token.is_symbol("(") || token.is("MATERIALIZED")) {
                out.extend(self.take(word).map(str::to_owned));
            }
        }
        let token = self.peek()?;
        if token.is_symbol("(") {
            self.note_columns();
            out.push(self.parenthesis()?.text);
        } else {
            self.at += 1;
            let name = token.name().unwrap_or_else(|| token.text.trim_matches('\'').to_owned());
            self.note(&name, last.map_or(Class::Unknown, |node| node.class));
            out.push(token.text.to_owned());
        }
        Some(out)
    }

    /// Notes the names of `name (a, b) AS (SELECT …)`, of which the values come later.
    fn note_columns(&mut self) {
        let before = self.tokens[..self.at].iter().rposition(|token| token.is("AS")).unwrap_or(0);
        let columns = self.tokens[..before].iter().rev();
        let is_list = self.tokens[..before].last().is_some_and(|token| token.is_symbol(")"));
        let names: Vec<String> = columns.take_while(|token| !token.is_symbol("(")).filter_map(Token::name).collect();
        names.iter().filter(|_| is_list).for_each(|name| self.note(name, Class::Unknown));
    }

    /// A part in parentheses.
    pub(super) fn parenthesis(&mut self) -> Option<Part> {
        self.take_symbol(&["("])?;
        let part = self.part()?;
        self.take_symbol(&[")"])?;
        Some(Part { text: format!("({})", part.text), ..part })
    }

    /// Whether the word goes on after an expression, or at the beginning of a clause of its own.
    fn goes_on(&self, token: Token<'_>, operand: bool) -> bool {
        let by = self.peek_second().is_some_and(|second| second.is("BY"));
        token.kind == Kind::Word
            && (!operand && is_one_of(&token, &AFTER) || by && token.is("PARTITION") || self.begins_recursion(token))
    }

    fn begins_recursion(&self, token: Token<'_>) -> bool {
        token.is("RECURSIVE") && self.at > 0 && self.tokens[self.at - 1].is("WITH")
    }

    /// Whether the bounds of a window's rows begin: `ROWS BETWEEN …`, `RANGE 1 PRECEDING`.
    fn is_frame(&self, operand: bool) -> bool {
        let Some((first, second)) = self.peek().zip(self.peek_second()) else { return false };
        let bounds = is_one_of(&second, &["BETWEEN", "UNBOUNDED", "CURRENT"]) || second.kind == Kind::Number;
        // At the beginning of a window, and after its order.
        let begins = self.at > 0 && self.tokens[self.at - 1].is_symbol("(");
        is_one_of(&first, &["ROWS", "RANGE", "GROUPS"]) && bounds && (begins || !operand)
    }

    /// Passes on the bounds of a window's rows, which end with the window.
    fn frame(&mut self) -> Option<String> {
        let (mut out, mut depth) = (Vec::new(), 0);
        while let Some(token) = self.peek().filter(|token| depth > 0 || !token.is_symbol(")")) {
            depth += usize::from(token.is_symbol("("));
            depth -= usize::from(token.is_symbol(")"));
            out.push(token.text);
            self.at += 1;
        }
        Some(out.join(" "))
    }

    /// An operand that SQLite takes for true or false.
    pub(super) fn truth(&mut self, node: Node) -> Node {
        if node.form == Form::Condition { node } else { Self::number(node) }
    }
}
