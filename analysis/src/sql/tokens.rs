//! The words of a query, as SQLite splits it (<https://sqlite.org/lang_expr.html>, <https://sqlite.org/lang_keywords.html>).

/// What a token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A keyword or a name without quotes.
    Word,
    /// A name in double quotes, brackets or backticks.
    Quoted,
    /// A text in single quotes.
    Text,
    /// Bytes: `x'00'`.
    Blob,
    Number,
    /// A parameter, which is always null here: `?1`, `:name`.
    Parameter,
    /// An operator or a mark.
    Symbol,
}

/// A token with its text as it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Token<'q> {
    pub kind: Kind,
    pub text: &'q str,
}

impl Token<'_> {
    /// Whether it is this keyword, given in capitals.
    pub fn is(&self, keyword: &str) -> bool {
        self.kind == Kind::Word && self.text.eq_ignore_ascii_case(keyword)
    }

    /// Whether it is this operator or mark.
    pub fn is_symbol(&self, symbol: &str) -> bool {
        self.kind == Kind::Symbol && self.text == symbol
    }

    /// The name that it stands for, without quotes; `None` where it is none.
    pub fn name(&self) -> Option<String> {
        match self.kind {
            Kind::Word => Some(self.text.to_owned()),
            Kind::Quoted => {
                let quote = &self.text[..1];
                let inner = &self.text[1..self.text.len() - 1];
                Some(if quote == "[" { inner.to_owned() } else { inner.replace(&quote.repeat(2), quote) })
            }
            _ => None,
        }
    }
}

const SYMBOLS: [&str; 11] = ["->>", "->", "||", "<<", ">>", "<=", ">=", "<>", "!=", "==", "<"];

/// The tokens of a query that SQLite has accepted, without spaces and comments; `None` where a quote is left open.
pub(super) fn tokens(query: &str) -> Option<Vec<Token<'_>>> {
    let mut tokens = Vec::new();
    let mut rest = query;
    while let Some(first) = rest.chars().next() {
        let (kind, length) = match first {
            _ if first.is_whitespace() || first == '\u{feff}' => (None, first.len_utf8()),
            '-' if rest.starts_with("--") => (None, rest.find('\n').unwrap_or(rest.len())),
            '/' if rest.starts_with("/*") => (None, rest[2..].find("*/").map_or(rest.len(), |end| end + 4)),
            '\'' => (Some(Kind::Text), quoted(rest, '\'')?),
            '"' | '`' => (Some(Kind::Quoted), quoted(rest, first)?),
            '[' => (Some(Kind::Quoted), rest.find(']')? + 1),
            'x' | 'X' if rest[1..].starts_with('\'') => (Some(Kind::Blob), 1 + quoted(&rest[1..], '\'')?),
            '0'..='9' => (Some(Kind::Number), number(rest)),
            '.' if rest[1..].starts_with(|next: char| next.is_ascii_digit()) => (Some(Kind::Number), number(rest)),
            '?' | ':' | '@' | '#' | '$' => (Some(Kind::Parameter), 1 + word(&rest[1..])),
            _ if is_name(first) => (Some(Kind::Word), word(rest)),
            _ => {
                let symbol = SYMBOLS.into_iter().find(|symbol| rest.starts_with(symbol));
                (Some(Kind::Symbol), symbol.map_or(first.len_utf8(), str::len))
            }
        };
        let (text, after) = rest.split_at(length);
        tokens.extend(kind.map(|kind| Token { kind, text }));
        rest = after;
    }
    Some(tokens)
}

/// Bytes of a text in quotes, in which a doubled quote is none.
fn quoted(text: &str, quote: char) -> Option<usize> {
    let mut at = 1;
    loop {
        at += text[at..].find(quote)? + 1;
        if !text[at..].starts_with(quote) {
            return Some(at);
        }
        at += 1;
    }
}

fn number(text: &str) -> usize {
    let is_hex = text.starts_with("0x") || text.starts_with("0X");
    let mut before = ' ';
    let ends = |next: char| {
        let is_sign = matches!(next, '+' | '-') && matches!(before, 'e' | 'E') && !is_hex;
        before = next;
        !(is_sign || next.is_ascii_alphanumeric() || matches!(next, '.' | '_'))
    };
    text.find(ends).unwrap_or(text.len())
}

fn word(text: &str) -> usize {
    text.find(|next| !is_name(next)).unwrap_or(text.len())
}

fn is_name(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || matches!(letter, '_' | '$') || !letter.is_ascii()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_split_as_sqlite_splits_it() {
        let query = "SELECT a.\"b \"\"c\"\"\", [d e], `f`, 'it''s' -- 1 + 2\n, x'00', .5e-3+0x1F /* - */ || größe->>'$' FROM t WHERE n<=1e+5";
        let texts: Vec<&str> = tokens(query).expect("tokens").iter().map(|token| token.text).collect();
        assert_eq!(
            texts,
            [
                "SELECT",
                "a",
                ".",
                "\"b \"\"c\"\"\"",
                ",",
                "[d e]",
                ",",
                "`f`",
                ",",
                "'it''s'",
                ",",
                "x'00'",
                ",",
                ".5e-3",
                "+",
                "0x1F",
                "||",
                "größe",
                "->>",
                "'$'",
                "FROM",
                "t",
                "WHERE",
                "n",
                "<=",
                "1e+5"
            ]
        );
        let names: Vec<Option<String>> =
            tokens("\"a\"\"b\" [c] d 'e'").expect("tokens").iter().map(Token::name).collect();
        assert_eq!(names, [Some("a\"b".to_owned()), Some("c".to_owned()), Some("d".to_owned()), None]);
        assert_eq!(tokens("SELECT 'open"), None);
    }
}
