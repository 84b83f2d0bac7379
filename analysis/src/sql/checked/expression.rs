//! Operators, by the precedences of <https://sqlite.org/lang_expr.html>.

use super::{
    Class, Form, Node, Rewriter,
    comparison::{Bound, as_instant, compared, condition, fitted},
};

/// Operators whose operands SQLite takes for numbers. Which of them binds more is of no account here.
const ARITHMETIC: [&str; 9] = ["+", "-", "*", "/", "%", "&", "|", "<<", ">>"];
const EQUALITY: [&str; 4] = ["=", "==", "<>", "!="];
/// Expressions in expressions, so that no query exhausts the stack.
const MOST_DEPTH: usize = 100;

impl Rewriter<'_, '_> {
    pub(super) fn expression(&mut self) -> Option<Node> {
        if self.depth == MOST_DEPTH {
            return None;
        }
        self.depth += 1;
        let node = self.joined("OR", |rewriter| rewriter.joined("AND", Self::negation));
        self.depth -= 1;
        node
    }

    /// Operands between which there is AND or OR.
    fn joined(&mut self, keyword: &str, operand: impl Fn(&mut Self) -> Option<Node>) -> Option<Node> {
        let mut left = operand(self)?;
        while let Some(word) = self.take(keyword) {
            let right = operand(self)?;
            let (left_truth, right_truth) = (self.truth(left), self.truth(right));
            left = condition(format!("{} {word} {}", left_truth.text, right_truth.text));
        }
        Some(left)
    }

    fn negation(&mut self) -> Option<Node> {
        let Some(word) = self.take("NOT") else { return self.equality() };
        let operand = self.negation()?;
        Some(condition(format!("{word} {}", self.truth(operand).text)))
    }

    /// `=`, `IS`, `IN`, `LIKE`, `BETWEEN` and their like.
    fn equality(&mut self) -> Option<Node> {
        let mut left = self.relation()?;
        loop {
            if let Some(operator) = self.take_symbol(&EQUALITY) {
                let right = self.relation()?;
                left = compared(left, operator, right);
            } else if let Some(word) = self.take("IS") {
                let words = [self.take("NOT"), self.take("DISTINCT"), self.take("FROM")];
                let operator = [Some(word)].into_iter().chain(words).flatten().collect::<Vec<_>>().join(" ");
                let right = self.relation()?;
                left = compared(left, &operator, right);
            } else if let Some(word) = self.take("ISNULL").or_else(|| self.take("NOTNULL")) {
                left = condition(format!("{} {word}", left.text));
            } else {
                let Some(word) = self.word_operator() else { return Some(left) };
                left = self.with_words(left, &word)?;
            }
        }
    }

    /// `NOT NULL`, `IN`, `NOT LIKE` and the like, in capitals.
    fn word_operator(&mut self) -> Option<String> {
        const OPERATORS: [&str; 6] = ["IN", "LIKE", "GLOB", "REGEXP", "MATCH", "BETWEEN"];
        let (first, second) = (self.peek()?, self.peek_second());
        let find = |token: crate::sql::tokens::Token<'_>| OPERATORS.into_iter().find(|word| token.is(word));
        if let Some(word) = find(first) {
            self.at += 1;
            return Some(word.to_owned());
        }
        let second = second.filter(|_| first.is("NOT"))?;
        let word = if second.is("NULL") { Some("NULL") } else { find(second) };
        word.map(|word| {
            self.at += 2;
            format!("NOT {word}")
        })
    }

    fn with_words(&mut self, left: Node, operator: &str) -> Option<Node> {
        if operator == "NOT NULL" {
            return Some(condition(format!("{} NOT NULL", left.text)));
        }
        if operator.ends_with("IN") {
            return self.membership(left, operator);
        }
        let first = self.relation()?;
        if operator.ends_with("BETWEEN") {
            self.take("AND")?;
            let last = self.relation()?;
            // It is `>=` the first, and `<` it with NOT.
            let (left, bounds) = fitted(left, Bound::Exact, vec![(first, Bound::First), (last, Bound::Exact)]);
            let bounds: Vec<String> = bounds.into_iter().map(|bound| bound.text).collect();
            return Some(condition(format!("{} {operator} {}", left.text, bounds.join(" AND "))));
        }
        let escape = match self.take("ESCAPE") {
            Some(word) => format!(" {word} {}", self.relation()?.text),
            None => String::new(),
        };
        Some(condition(format!("{} {operator} {}{escape}", left.text, first.text)))
    }

    /// `x IN (…)`: of values, a query, or a table.
    fn membership(&mut self, left: Node, operator: &str) -> Option<Node> {
        if !self.peek()?.is_symbol("(") || self.begins_query() {
            let (left, right) = in_query(left, self.postfix()?);
            return Some(condition(format!("{} {operator} {}", left.text, right.text)));
        }
        self.take_symbol(&["("])?;
        let mut items = Vec::new();
        while self.take_symbol(&[")"]).is_none() {
            items.push((self.expression()?, Bound::Exact));
            self.take_symbol(&[","]);
        }
        let (left, items) = fitted(left, Bound::Exact, items);
        let items: Vec<String> = items.into_iter().map(|item| item.text).collect();
        Some(condition(format!("{} {operator} ({})", left.text, items.join(", "))))
    }

    /// `<` and its like.
    fn relation(&mut self) -> Option<Node> {
        let mut left = self.sum()?;
        while let Some(operator) = self.take_symbol(&["<", "<=", ">", ">="]) {
            let right = self.sum()?;
            left = compared(left, operator, right);
        }
        Some(left)
    }

    fn sum(&mut self) -> Option<Node> {
        let mut left = self.concatenation()?;
        while let Some(operator) = self.take_symbol(&ARITHMETIC) {
            let (first, second) = (Self::number(left), Self::number(self.concatenation()?));
            let label = format!("{} {operator} {}", first.label, second.label);
            let text = format!("{} {operator} {}", first.text, second.text);
            left = Node { text, label, class: Class::Number, form: Form::Other };
        }
        Some(left)
    }

    fn concatenation(&mut self) -> Option<Node> {
        let mut left = self.signed()?;
        while let Some(operator) = self.take_symbol(&["||", "->", "->>"]) {
            let right = self.signed()?;
            let class = if operator == "||" { Class::Text } else { Class::Unknown };
            let label = format!("{} {operator} {}", left.label, right.label);
            left = Node { text: format!("{} {operator} {}", left.text, right.text), label, class, form: Form::Other };
        }
        Some(left)
    }

    fn signed(&mut self) -> Option<Node> {
        let Some(sign) = self.take_symbol(&["-", "+", "~"]) else { return self.postfix() };
        let operand = self.signed()?;
        if sign == "+" {
            // It changes nothing, but what comes after it is no column any more.
            let form = if operand.form == Form::Column { Form::Other } else { operand.form };
            return Some(Node { text: format!("+ {}", operand.text), form, ..operand });
        }
        let operand = Self::number(operand);
        let form = if operand.form == Form::Literal { Form::Literal } else { Form::Other };
        let label = format!("{sign}{}", operand.label);
        Some(Node { text: format!("{sign} {}", operand.text), label, class: Class::Number, form })
    }
}

/// Both sides of `IN (SELECT …)`, in one form if one of them is a time.
fn in_query(left: Node, query: Node) -> (Node, Node) {
    let is_alike = left.class == query.class && left.class != Class::Time;
    let has_time = left.class.is_time() || query.class.is_time();
    if is_alike || !has_time || !query.text.starts_with('(') {
        return (left, query);
    }
    let column = Node { text: "value".to_owned(), form: Form::Other, ..query.clone() };
    let value = as_instant(&column, Bound::Exact).text;
    let text = format!("(WITH rushes_in(value) AS {} SELECT {value} FROM rushes_in)", query.text);
    (as_instant(&left, Bound::Exact), Node { text, class: Class::Instant, ..query })
}
