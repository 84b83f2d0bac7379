//! Operands: literals, columns, calls, `CASE` and `CAST`.

use super::{
    Class, Form, Node, Rewriter,
    calls::{OfTimes, class_of_call, class_of_type, of_times, takes_numbers},
    comparison::{Bound, called, condition, fitted, literal_time, shortened, times},
    statement::Part,
};
use crate::sql::{
    checks::{NUMBER, REAL},
    tokens::Kind,
};

impl Rewriter<'_, '_> {
    pub(super) fn postfix(&mut self) -> Option<Node> {
        let mut node = self.atom()?;
        while let Some(word) = self.take("COLLATE") {
            node.text = format!("{} {word} {}", node.text, self.next()?.text);
        }
        Some(node)
    }

    fn atom(&mut self) -> Option<Node> {
        let token = self.peek()?;
        let leaf = |class, form| Node { text: token.text.to_owned(), label: token.text.to_owned(), class, form };
        let node = match token.kind {
            Kind::Number => leaf(Class::Number, Form::Literal),
            Kind::Text => leaf(Class::Text, Form::Text),
            Kind::Blob => leaf(Class::Unknown, Form::Other),
            Kind::Parameter => leaf(Class::Null, Form::Other),
            Kind::Symbol => return self.in_parentheses(),
            Kind::Quoted => return self.column(),
            Kind::Word if token.is("CASE") => return self.case(),
            Kind::Word if token.is("NULL") => leaf(Class::Null, Form::Condition),
            Kind::Word if token.is("EXISTS") => {
                self.at += 1;
                return Some(condition(format!("EXISTS {}", self.parenthesis()?.text)));
            }
            Kind::Word if self.peek_second().is_some_and(|next| next.is_symbol("(")) => return self.call(),
            Kind::Word if token.is("TRUE") || token.is("FALSE") => leaf(Class::Number, Form::Condition),
            Kind::Word if token.is("CURRENT_DATE") => leaf(Class::Date, Form::Other),
            Kind::Word if token.is("CURRENT_TIMESTAMP") => leaf(Class::Instant, Form::Other),
            Kind::Word if token.is("CURRENT_TIME") => leaf(Class::Text, Form::Other),
            Kind::Word => return self.column(),
        };
        self.at += 1;
        Some(node)
    }

    fn in_parentheses(&mut self) -> Option<Node> {
        let is_query = self.begins_query();
        let Part { text, only, class } = self.parenthesis()?;
        Some(match only {
            Some(only) => Node { text, ..only },
            // Several values are compared by SQLite's rules alone.
            None => {
                let class = if is_query { class.unwrap_or(Class::Unknown) } else { Class::Null };
                Node { label: shortened(&text), text, class, form: Form::Other }
            }
        })
    }

    /// Whether the parenthesis that comes next holds a query.
    pub(super) fn begins_query(&self) -> bool {
        self.peek_second().is_some_and(|token| ["SELECT", "WITH", "VALUES"].iter().any(|word| token.is(word)))
    }

    /// `table.column`, `column`, or `table.*`.
    fn column(&mut self) -> Option<Node> {
        let mut last = self.next()?;
        let mut text = last.text.to_owned();
        let mut table = None;
        while self.take_symbol(&["."]).is_some() {
            table = last.name();
            last = self.next()?;
            text = format!("{text}.{}", last.text);
        }
        let class = last.name().map_or(Class::Unknown, |name| self.class_of(table.as_deref(), &name));
        Some(Node { label: text.clone(), text, class, form: Form::Column })
    }

    fn case(&mut self) -> Option<Node> {
        let mut text = self.next()?.text.to_owned();
        let base = if self.peek()?.is("WHEN") { None } else { Some(self.expression()?) };
        let (mut whens, mut branches) = (Vec::new(), Vec::new());
        let mut class = Class::Null;
        while self.take("WHEN").is_some() {
            let when = self.expression()?;
            let when = if base.is_some() { when } else { self.truth(when) };
            self.take("THEN")?;
            let then = self.expression()?;
            class = class.and(then.class);
            whens.push((when, Bound::Exact));
            branches.push(then.text);
        }
        if let Some(base) = base {
            let (base, fit) = fitted(base, Bound::Exact, whens);
            text = format!("{text} {}", base.text);
            whens = fit.into_iter().map(|when| (when, Bound::Exact)).collect();
        }
        for ((when, _), then) in whens.iter().zip(branches) {
            text = format!("{text} WHEN {} THEN {then}", when.text);
        }
        if let Some(word) = self.take("ELSE") {
            let other = self.expression()?;
            class = class.and(other.class);
            text = format!("{text} {word} {}", other.text);
        }
        let end = self.take("END")?;
        Some(Node { label: "CASE … END".to_owned(), text: format!("{text} {end}"), class, form: Form::Other })
    }

    fn call(&mut self) -> Option<Node> {
        let written = self.next()?.text;
        let name = written.to_ascii_lowercase();
        if name == "cast" {
            return self.cast(written);
        }
        let (arguments, classes) = self.arguments(&name)?;
        let label = shortened(&format!("{written}({arguments})"));
        let text = format!("{written}({arguments}){}", self.tail()?);
        Some(Node { text, label, class: class_of_call(&name, &classes), form: Form::Other })
    }

    fn arguments(&mut self, function: &str) -> Option<(String, Vec<Class>)> {
        self.take_symbol(&["("])?;
        let distinct = self.take("DISTINCT").or_else(|| self.take("ALL"));
        let mut arguments: Vec<Node> = Vec::new();
        let (mut order, mut all) = (String::new(), "");
        while self.take_symbol(&[")"]).is_none() {
            if self.peek()?.is("ORDER") {
                order = format!(" {}", self.part()?.text);
                continue;
            }
            if let Some(star) = self.take_symbol(&["*"]) {
                all = star;
                continue;
            }
            let argument = self.expression()?;
            let argument = match function {
                _ if takes_numbers(function) => Self::number(argument),
                "iif" | "if" if arguments.is_empty() => self.truth(argument),
                _ => argument,
            };
            arguments.push(argument);
            self.take_symbol(&[","]);
        }
        let arguments = with_times(function, arguments);
        let classes = arguments.iter().map(|argument| argument.class).collect();
        let distinct = distinct.map_or_else(String::new, |word| format!("{word} "));
        let texts: Vec<String> = arguments.into_iter().map(|argument| argument.text).collect();
        Some((format!("{distinct}{all}{}{order}", texts.join(", ")), classes))
    }

    /// What follows the arguments of a call: `FILTER (WHERE …) OVER (…)`.
    fn tail(&mut self) -> Option<String> {
        let mut text = String::new();
        let is_open = |rewriter: &Self| rewriter.peek_second().is_some_and(|token| token.is_symbol("("));
        while self.peek().is_some_and(|token| token.is("FILTER")) && is_open(self) {
            self.at += 1;
            text = format!("{text} FILTER {}", self.parenthesis()?.text);
        }
        if let Some(word) = self.take("OVER") {
            let window =
                if self.peek()?.is_symbol("(") { self.parenthesis()?.text } else { self.next()?.text.to_owned() };
            text = format!("{text} {word} {window}");
        }
        Some(text)
    }

    fn cast(&mut self, written: &str) -> Option<Node> {
        self.take_symbol(&["("])?;
        let operand = self.expression()?;
        let word = self.take("AS")?;
        let mut kind = Vec::new();
        let mut depth = 0;
        while depth > 0 || !self.peek()?.is_symbol(")") {
            let token = self.next()?;
            depth += i32::from(token.is_symbol("("));
            depth -= i32::from(token.is_symbol(")"));
            kind.push(token.text);
        }
        self.take_symbol(&[")"])?;
        let kind = kind.join(" ");
        let class = class_of_type(&kind);
        let is_real = ["REAL", "FLOA", "DOUB"].iter().any(|word| kind.to_ascii_uppercase().contains(word));
        let operand = match class {
            Class::Number if is_real && operand.class != Class::Number => called(REAL, operand, class),
            Class::Number => Self::number(operand),
            _ => operand,
        };
        let label = operand.label;
        Some(Node { text: format!("{written}({} {word} {kind})", operand.text), label, class, form: Form::Other })
    }

    /// An operand that SQLite takes for a number.
    pub(super) fn number(node: Node) -> Node {
        match node.class {
            Class::Number | Class::Null => node,
            _ => called(NUMBER, node, Class::Number),
        }
    }
}

/// Arguments of a function, in one form of times where it compares them or gives one of several.
fn with_times(function: &str, arguments: Vec<Node>) -> Vec<Node> {
    let Some(use_of_times) = of_times(function, arguments.len()) else { return arguments };
    let has_time = arguments.iter().any(|argument| argument.class.is_time());
    let is_time = |argument: &Node| {
        argument.class.is_time() || argument.class == Class::Null || literal_time(argument, Bound::Exact).is_some()
    };
    match use_of_times {
        _ if !has_time => arguments,
        OfTimes::Chooses if !arguments.iter().all(is_time) => arguments,
        _ => times(&arguments.iter().map(|argument| (argument, Bound::Exact)).collect::<Vec<_>>()),
    }
}
