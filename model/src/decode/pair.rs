//! Splits two values in one text: `0,1`, or a list as JSON and Python print it, such as `['1,234', '2,345']`.

use crate::number::Mark;

/// Splits a text into two values, each `None` if it is null in the list. Returns `Some(None)` for an empty list and `None` for other texts.
pub(super) fn split(text: &str, mark: Mark) -> Option<Option<[Option<&str>; 2]>> {
    let text = text.trim();
    let list =
        [('[', ']'), ('(', ')')].into_iter().find_map(|(open, close)| text.strip_prefix(open)?.strip_suffix(close));
    let Some(list) = list else {
        // With a decimal comma, the comma is ambiguous.
        let (first, second) = text
            .split_once(',')
            .filter(|(first, rest)| mark == Mark::Point && !rest.contains(',') && is_bare(first) && is_bare(rest))?;
        return Some(Some([Some(first.trim()), Some(second.trim())]));
    };
    if list.trim().is_empty() {
        return Some(None);
    }
    let (first, rest) = item(list, mark)?;
    let (second, rest) = item(rest.trim_start().strip_prefix(',')?, mark)?;
    rest.trim().is_empty().then_some(Some([first, second]))
}

fn is_bare(text: &str) -> bool {
    !text.contains(['\'', '"', '[', ']', '(', ')'])
}

/// Returns the first item of a list and the rest.
fn item(list: &str, mark: Mark) -> Option<(Option<&str>, &str)> {
    let list = list.trim_start();
    if let Some(quote) = list.chars().next().filter(|first| matches!(first, '\'' | '"')) {
        let (text, rest) = list[1..].split_once(quote)?;
        return (!text.contains('\\')).then_some((Some(text), rest));
    }
    let end = list.find(',').unwrap_or(list.len());
    let (text, rest) = (list[..end].trim(), &list[end..]);
    let is_item = mark == Mark::Point && !text.is_empty() && is_bare(text);
    is_item.then_some(((!matches!(text, "None" | "null")).then_some(text), rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_values_are_read_and_nothing_else() {
        let both = |first, second| Some(Some([Some(first), Some(second)]));
        for (text, pair) in [
            ("3,5", both("3", "5")),
            (" 3 , 5 ", both("3", "5")),
            ("['1', '2']", both("1", "2")),
            ("['1,234', '2,345']", both("1,234", "2,345")),
            (r#"["1","2"]"#, both("1", "2")),
            ("[1, 2]", both("1", "2")),
            ("(1, 2)", both("1", "2")),
            ("[None, '2']", Some(Some([None, Some("2")]))),
            ("[null, null]", Some(Some([None, None]))),
            ("[]", Some(None)),
            ("3", None),
            ("1,2,3", None),
            ("['1', '2', '3']", None),
            ("['1' '2']", None),
            ("['1\\'', '2']", None),
            ("['1]", None),
            ("[1,]", None),
            ("[[1], 2]", None),
            ("array([1, 2])", None),
        ] {
            assert_eq!(split(text, Mark::Point), pair, "{text}");
        }
        assert_eq!(split("3,5", Mark::Comma), None);
        assert_eq!(split("[3,5]", Mark::Comma), None);
        assert_eq!(split("['3,5', '4,5']", Mark::Comma), both("3,5", "4,5"));
    }
}
