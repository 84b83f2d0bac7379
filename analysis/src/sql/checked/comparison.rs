//! Comparisons: both sides are numbers, or both are texts.

use super::{Class, Form, Node};
use crate::sql::checks::{ALIKE, NUMBER, SAME, TEXT};

/// Longest label of an expression in a message, in letters.
const MOST_LABEL: usize = 40;

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
    let (left, right) = fitted(left, right);
    condition(format!("{} {operator} {}", left.text, right.text))
}

/// Both sides of a comparison with the checks that they need.
pub(super) fn fitted(left: Node, right: Node) -> (Node, Node) {
    use Class::{Null, Number, Time, Unknown};
    match (left.class, right.class) {
        (Null, _) | (_, Null) | (Number, Number) => (left, right),
        (a, b) if a.is_text() && b.is_text() => (left, right),
        // A year, as a text.
        (Time, Number) if right.form == Form::Literal => (left, as_text(right)),
        (Number, Time) if left.form == Form::Literal => (as_text(left), right),
        (Number, _) => (left, called(NUMBER, right, Number)),
        (_, Number) => (called(NUMBER, left, Number), right),
        (Unknown, Unknown) => (called_with(&left, &right), called_with(&right, &left)),
        (Unknown, _) => (called(TEXT, left, Class::Text), right),
        (_, _) => (left, called(TEXT, right, Class::Text)),
    }
}

fn as_text(node: Node) -> Node {
    Node { text: format!("CAST({} AS TEXT)", node.text), class: Class::Text, ..node }
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
