//! Comparisons: both sides are numbers, both are texts, or both are times of one form.

use super::{Class, Form, Node};
use crate::sql::{
    checks::{ALIKE, FORM, NUMBER, SAME, START, TEXT, TIME},
    times::Instant,
};

/// Longest label of an expression in a message, in letters.
const MOST_LABEL: usize = 40;

/// Whether a year or a month may stand for its first instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Bound {
    /// Behind `>=` and `<`, where it means what it says.
    First,
    /// Elsewhere: `<= 2019` may be meant with or without the year 2019.
    Exact,
}

impl Bound {
    /// Of both sides of an operator.
    fn of(operator: &str) -> [Self; 2] {
        match operator {
            ">=" | "<" => [Self::Exact, Self::First],
            "<=" | ">" => [Self::First, Self::Exact],
            _ => [Self::Exact; 2],
        }
    }
}

/// An expression that is true, false or null.
pub(super) fn condition(text: String) -> Node {
    Node { label: shortened(&text), text, class: Class::Number, form: Form::Condition }
}

/// A comparison of two operands that fit each other.
pub(super) fn compared(left: Node, operator: &str, right: Node) -> Node {
    let columns = left.form == Form::Column && right.form == Form::Column;
    let is_equality = ["=", "==", "IS"].contains(&operator);
    if columns && is_equality && left.class == Class::Unknown && right.class == Class::Unknown {
        // The comparison stays as it is, because a join looks rows up by it; what it finds is checked.
        let labels = format!("{}, {}", quoted(&left.label), quoted(&right.label));
        let (left, right) = (left.text, right.text);
        return condition(format!("({left} {operator} {right} AND {SAME}({left}, {right}, {labels}))"));
    }
    let [of_left, of_right] = Bound::of(operator);
    let (left, right) = fitted(left, of_left, vec![(right, of_right)]);
    let right: String = right.into_iter().map(|node| node.text).collect();
    condition(format!("{} {operator} {right}", left.text))
}

/// An operand and those that it is compared with, each with the checks that it needs.
pub(super) fn fitted(left: Node, bound: Bound, others: Vec<(Node, Bound)>) -> (Node, Vec<Node>) {
    let all = || std::iter::once((&left, bound)).chain(others.iter().map(|(node, bound)| (node, *bound)));
    let classes: Vec<Class> = all().map(|(node, _)| node.class).collect();
    let is_unknown = classes.contains(&Class::Unknown) && !classes.contains(&Class::Number);
    let fitted = if classes.iter().any(|class| class.is_time()) {
        times(&all().collect::<Vec<_>>())
    } else if is_unknown && all().any(|(node, _)| literal_time(node, Bound::Exact).is_some()) {
        all().map(|(node, _)| formed(node)).collect()
    } else {
        return numbers_or_texts(left, others.into_iter().map(|(node, _)| node).collect());
    };
    let mut fitted = fitted.into_iter();
    let left = fitted.next().unwrap_or(left);
    (left, fitted.collect())
}

/// Operands of which one is a time: days if all of them are days, else instants.
pub(super) fn times(operands: &[(&Node, Bound)]) -> Vec<Node> {
    let days: Option<Vec<Node>> = operands.iter().map(|(node, bound)| as_day(node, *bound)).collect();
    days.unwrap_or_else(|| operands.iter().map(|(node, bound)| as_instant(node, *bound)).collect())
}

/// The operand as a day; `None` where that is not known to be one.
fn as_day(node: &Node, bound: Bound) -> Option<Node> {
    match node.class {
        Class::Null | Class::Date => Some(node.clone()),
        _ => literal_time(node, bound)?.day().map(|day| of_text(node, &day, Class::Date)),
    }
}

/// The operand in the form of an instant, which a function gives it where its own form is not known.
pub(super) fn as_instant(node: &Node, bound: Bound) -> Node {
    if let Some(instant) = literal_time(node, bound) {
        return of_text(node, &instant.text(), Class::Instant);
    }
    match (node.class, bound) {
        (Class::Null | Class::Instant, _) => node.clone(),
        (Class::Date, _) => Node {
            text: format!("({} || ' 00:00:00')", node.text),
            class: Class::Instant,
            form: Form::Other,
            ..node.clone()
        },
        (_, Bound::First) => called(START, node.clone(), Class::Instant),
        (_, Bound::Exact) => called(TIME, node.clone(), Class::Instant),
    }
}

/// An operand that may be a time: in the form of an instant where it is one.
fn formed(node: &Node) -> Node {
    match literal_time(node, Bound::Exact) {
        Some(instant) => of_text(node, &instant.text(), Class::Instant),
        None if node.class == Class::Null || node.form == Form::Text => node.clone(),
        None => {
            let checked =
                if node.class == Class::Unknown { called(TEXT, node.clone(), Class::Text) } else { node.clone() };
            Node { text: format!("{FORM}({})", checked.text), form: Form::Other, ..checked }
        }
    }
}

/// The time that a literal says.
pub(super) fn literal_time(node: &Node, bound: Bound) -> Option<Instant> {
    match (node.form, bound) {
        (Form::Text, Bound::Exact) => Instant::read(&unquoted(&node.label)),
        (Form::Text, Bound::First) => Instant::first_of(&unquoted(&node.label)),
        (Form::Literal, Bound::First) => Instant::of_year(node.label.parse().ok()?),
        _ => None,
    }
}

fn of_text(node: &Node, text: &str, class: Class) -> Node {
    Node { text: format!("'{text}'"), class, form: Form::Other, ..node.clone() }
}

fn unquoted(literal: &str) -> String {
    literal.trim_matches('\'').replace("''", "'")
}

/// An operand and others, of which none is a time.
fn numbers_or_texts(left: Node, others: Vec<Node>) -> (Node, Vec<Node>) {
    let (mut fit, mut fitted) = (left.clone(), Vec::with_capacity(others.len()));
    for other in others {
        let (of_left, of_other) = pair(left.clone(), other);
        if of_left.text != left.text {
            fit = of_left;
        }
        fitted.push(of_other);
    }
    (fit, fitted)
}

fn pair(left: Node, right: Node) -> (Node, Node) {
    use Class::{Null, Number, Unknown};
    match (left.class, right.class) {
        (Null, _) | (_, Null) | (Number, Number) => (left, right),
        (a, b) if a.is_text() && b.is_text() => (left, right),
        (Number, _) => (left, called(NUMBER, right, Number)),
        (_, Number) => (called(NUMBER, left, Number), right),
        (Unknown, Unknown) => (called_with(&left, &right), called_with(&right, &left)),
        (Unknown, _) => (called(TEXT, left, Class::Text), right),
        (_, _) => (left, called(TEXT, right, Class::Text)),
    }
}

/// The operand in a function that checks it.
pub(super) fn called(function: &str, node: Node, class: Class) -> Node {
    let text = format!("{function}({}, {})", node.text, quoted(&node.label));
    Node { text, class, form: Form::Other, ..node }
}

fn called_with(node: &Node, other: &Node) -> Node {
    let text = format!("{ALIKE}({}, {}, {})", node.text, other.text, quoted(&node.label));
    Node { text, form: Form::Other, ..node.clone() }
}

fn quoted(label: &str) -> String {
    format!("'{}'", shortened(label).replace('\'', "''"))
}

/// A label that fits into a message.
pub(super) fn shortened(text: &str) -> String {
    crate::format::shortened(text, MOST_LABEL)
}
