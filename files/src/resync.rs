//! Where the next record begins after one whose quotes or brackets cannot be trusted.
//!
//! The mark searched for is a closing brace, then a comma (or none), then an opening brace and the first field name that
//! the records before had, white space anywhere between: `}, {"review_id"`. Without a record before, any field name will
//! do. The end of the file, with or without the array's bracket, is a mark too.
//!
//! A list in the record may have objects with the same first field. It ends with a bracket behind which its record goes on,
//! which the array of all records does not; what leads to such a bracket is no mark.

use super::structure::is_separator;
use super::tolerant::{Tolerant, Verdict};
use std::ops::Range;

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Mark {
    /// The next record, or the array's closing bracket, or the end of the file, is at this index.
    At(usize),
    /// What begins at this index may be a mark; more of the stream decides.
    Undecided(usize),
    Nowhere,
}

/// Longest mark, white space included.
pub(super) const LONGEST_GAP: usize = 64 << 10;
/// Bytes in which the end of a list is looked for.
const LONGEST_LIST: usize = 64 << 10;

/// The first mark in `bytes` whose closing brace lies in `within`. `opening` is the quoted name of the records' first
/// field, or a quote; `is_last` says that the stream ends with `bytes`.
pub(super) fn find(bytes: &[u8], within: Range<usize>, opening: &[u8], is_last: bool) -> Mark {
    let mut list_end = 0;
    for close in memchr::memchr_iter(b'}', &bytes[within.clone()]).map(|found| within.start + found) {
        if close < list_end {
            continue;
        }
        // However much of the stream is there, so much of it decides.
        let after = &bytes[close + 1..];
        let after = &after[..after.len().min(LONGEST_GAP)];
        match follows(after, opening) {
            Follows::Record(gap) => match place_of(&bytes[close + 1 + gap..], is_last) {
                Place::Top => return Mark::At(close + 1 + gap),
                Place::InList(end) => list_end = close + 1 + gap + end,
                Place::Unknown => return Mark::Undecided(close),
            },
            Follows::EndSoFar(gap) if is_last && after.len() < LONGEST_GAP => return Mark::At(close + 1 + gap),
            Follows::EndSoFar(_) if after.len() < LONGEST_GAP => return Mark::Undecided(close),
            Follows::EndSoFar(_) | Follows::Other => {}
        }
    }
    Mark::Nowhere
}

/// Where an object stands.
enum Place {
    /// Nothing says that it is in a list of a record.
    Top,
    /// In a list that ends before this index, and whose record goes on behind it.
    InList(usize),
    /// More of the stream decides.
    Unknown,
}

/// Where the object stands with which `bytes` begin.
fn place_of(bytes: &[u8], is_last: bool) -> Place {
    let looked_at = &bytes[..bytes.len().min(LONGEST_LIST)];
    let unknown = if is_last || bytes.len() >= LONGEST_LIST { Place::Top } else { Place::Unknown };
    let mut at = 0;
    while let Some(verdict) = Tolerant::new().advance(&looked_at[at..]) {
        let Verdict::End(length) = verdict else { return Place::Top };
        let next = |from: usize| Some(from + looked_at[from..].iter().position(|byte| !is_separator(*byte))?);
        let Some(behind) = next(at + length) else { return unknown };
        match looked_at[behind] {
            b'{' => at = behind,
            b']' => {
                return match next(behind + 1).map(|found| looked_at[found]) {
                    Some(b'}' | b'"') => Place::InList(behind + 1),
                    Some(_) => Place::Top,
                    None => unknown,
                };
            }
            _ => return Place::Top,
        }
    }
    unknown
}

/// What stands behind a closing brace, and after how many bytes.
enum Follows {
    Record(usize),
    /// Nothing that contradicts a mark, up to the last byte there is.
    EndSoFar(usize),
    Other,
}

fn follows(after: &[u8], opening: &[u8]) -> Follows {
    let gap = after.iter().position(|byte| !byte.is_ascii_whitespace() && *byte != b',').unwrap_or(after.len());
    let rest = &after[gap..];
    let name = rest.get(1..).unwrap_or_default().trim_ascii_start();
    match rest.first() {
        None => Follows::EndSoFar(gap),
        Some(b']') if name.is_empty() => Follows::EndSoFar(gap),
        Some(b'{') if name.starts_with(opening) => Follows::Record(gap),
        Some(b'{') if opening.starts_with(name) => Follows::EndSoFar(gap),
        _ => Follows::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find_in(text: &str, is_last: bool) -> Mark {
        find(text.as_bytes(), 0..text.len(), br#""id""#, is_last)
    }

    #[test]
    fn a_record_begins_with_the_first_field_of_those_before() {
        assert_eq!(find_in(r#"x"y"}, {"id": 1}"#, true), Mark::At(7));
        assert_eq!(find_in("x\"}\n,\n{ \"id\": 1}", true), Mark::At(6));
        assert_eq!(find_in(r#"x", [{"a": 1}, {"b": 2}]}{"id": 3}"#, true), Mark::At(25));
        assert_eq!(find_in(r#"} and { more"#, false), Mark::Nowhere);
    }

    #[test]
    fn what_is_cut_off_is_undecided_until_the_end() {
        for cut in ["x}", "x} ,", "x}, {", r#"x}, {"i"#, "x} ] "] {
            assert_eq!(find_in(cut, false), Mark::Undecided(1), "{cut}");
        }
        assert_eq!(find_in("x} ] ", true), Mark::At(3));
        assert_eq!(find_in("x} ", true), Mark::At(3));
    }

    #[test]
    fn what_is_in_a_list_of_a_record_is_no_record() {
        assert_eq!(find_in(r#"x"}, {"id": 1}, {"id": NaN}]}, {"id": 3}, {"#, true), Mark::At(31));
        assert_eq!(find_in(r#"x"}, {"id": 1}], "n": 2}, {"id": 3}]"#, true), Mark::At(26));
        assert_eq!(find_in(r#"x"}, {"id": 1}]"#, true), Mark::At(5));
        assert_eq!(find_in(r#"x"}, {"id": 1}] [{"id": 2}]"#, true), Mark::At(5));
        for undecided in [r#"x"}, {"id": 1}, {"id"#, r#"x"}, {"id": 1}] "#] {
            assert_eq!(find_in(undecided, false), Mark::Undecided(2), "{undecided}");
        }
    }

    #[test]
    fn only_braces_within_the_range_count() {
        let text = br#"}, {"id": 1}, {"id": 2}"#;
        assert_eq!(find(text, 1..11, br#""id""#, true), Mark::Nowhere);
        assert_eq!(find(text, 1..12, br#""id""#, true), Mark::At(14));
    }
}
