//! Operators, by the precedences of <https://sqlite.org/lang_expr.html>.

use super::{
    Class, Form, Node, Rewriter,
    comparison::{compared, condition, fitted},
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
            let (of_first, first) = fitted(left.clone(), first);
            let (of_last, last) = fitted(left.clone(), last);
            // A number is fitted to a date by one bound as by the other.
            let left = if of_first.text == left.text { of_last } else { of_first };
            return Some(condition(format!("{} {operator} {} AND {}", left.text, first.text, last.text)));
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
            let right = self.postfix()?;
            return Some(condition(format!("{} {operator} {}", left.text, right.text)));
        }
        self.take_symbol(&["("])?;
        let (mut fit, mut items) = (left.clone(), Vec::new());
        while self.take_symbol(&[")"]).is_none() {
            let item = self.expression()?;
            let (of_item, item) = fitted(left.clone(), item);
            if of_item.text != left.text {
                fit = of_item;
            }
            items.push(item.text);
            self.take_symbol(&[","]);
        }
        Some(condition(format!("{} {operator} ({})", fit.text, items.join(", "))))
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
