//! Operands: literals, columns, calls, `CASE` and `CAST`.

use super::{
    Class, Form, Node, Rewriter,
    calls::{class_of_call, class_of_type, takes_numbers},
    comparison::{called, condition, shortened},
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
            Kind::Text => leaf(Class::Text, Form::Other),
            Kind::Blob => leaf(Class::Unknown, Form::Other),
            Kind::Parameter => leaf(Class::Null, Form::Other),
            Kind::Symbol => return self.in_parentheses(),
            Kind::Quoted => return self.column(),
            Kind::Word if token.is("CASE") => return self.case(),
            Kind::Word if token.is("NULL") => leaf(Class::Null, Form::Condition),
            Kind::Word if token.is("EXISTS") => {
                self.at += 1;
                return Some(condition(format!("EXISTS {}", self.parenthesis()?.0)));
            }
            Kind::Word if self.peek_second().is_some_and(|next| next.is_symbol("(")) => return self.call(),
            Kind::Word if token.is("TRUE") || token.is("FALSE") => leaf(Class::Number, Form::Condition),
            Kind::Word if token.text.to_ascii_uppercase().starts_with("CURRENT_") => leaf(Class::Time, Form::Other),
            Kind::Word => return self.column(),
        };
        self.at += 1;
        Some(node)
    }

    fn in_parentheses(&mut self) -> Option<Node> {
        let is_query = self.begins_query();
        let (text, only) = self.parenthesis()?;
        Some(match only {
            Some(only) => Node { text, ..only },
            // Several values are compared by SQLite's rules alone.
            None => {
                let class = if is_query { Class::Unknown } else { Class::Null };
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
        while self.take_symbol(&["."]).is_some() {
            last = self.next()?;
            text = format!("{text}.{}", last.text);
        }
        let class = last.name().map_or(Class::Unknown, |name| self.class_of(&name));
        Some(Node { label: text.clone(), text, class, form: Form::Column })
    }

    fn case(&mut self) -> Option<Node> {
        let mut text = self.next()?.text.to_owned();
        let has_base = !self.peek()?.is("WHEN");
        if has_base {
            text = format!("{text} {}", self.expression()?.text);
        }
        let mut class = Class::Null;
        while let Some(word) = self.take("WHEN") {
            let when = self.expression()?;
            let when = if has_base { when } else { self.truth(when) };
            let then_word = self.take("THEN")?;
            let then = self.expression()?;
            class = class.and(then.class);
            text = format!("{text} {word} {} {then_word} {}", when.text, then.text);
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
        let (mut arguments, mut classes) = (Vec::new(), Vec::new());
        let mut order = String::new();
        while self.take_symbol(&[")"]).is_none() {
            if self.peek()?.is("ORDER") {
                order = format!(" {}", self.part()?.text);
                continue;
            }
            if let Some(star) = self.take_symbol(&["*"]) {
                arguments.push(star.to_owned());
                continue;
            }
            let argument = self.expression()?;
            classes.push(argument.class);
            let argument = match function {
                _ if takes_numbers(function) => Self::number(argument),
                "iif" | "if" if arguments.is_empty() => self.truth(argument),
                _ => argument,
            };
            arguments.push(argument.text);
            self.take_symbol(&[","]);
        }
        let distinct = distinct.map_or_else(String::new, |word| format!("{word} "));
        Some((format!("{distinct}{}{order}", arguments.join(", ")), classes))
    }

    /// What follows the arguments of a call: `FILTER (WHERE …) OVER (…)`.
    fn tail(&mut self) -> Option<String> {
        let mut text = String::new();
        let is_open = |rewriter: &Self| rewriter.peek_second().is_some_and(|token| token.is_symbol("("));
        while self.peek().is_some_and(|token| token.is("FILTER")) && is_open(self) {
            self.at += 1;
            text = format!("{text} FILTER {}", self.parenthesis()?.0);
        }
        if let Some(word) = self.take("OVER") {
            let window = if self.peek()?.is_symbol("(") { self.parenthesis()?.0 } else { self.next()?.text.to_owned() };
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
            Class::Text | Class::Time | Class::Unknown => called(NUMBER, node, Class::Number),
        }
    }
}
