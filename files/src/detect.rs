//! Which form a file has, from its first bytes and its name.

use super::error::excerpt;
use super::find::plain_name;
use super::window::Window;
use super::{Format, Trouble};
use std::path::Path;

/// How far a first line is looked for its end.
const PEEKED: usize = 128 << 10;

/// The form of the file behind `window`, which is left standing behind a byte order mark.
pub(super) fn format(path: &Path, told: Option<Format>, window: &mut Window) -> Result<Format, Trouble> {
    while window.held().len() < PEEKED && window.more()? {}
    refuse_other_encodings(window.held())?;
    if window.held().starts_with(b"\xef\xbb\xbf") {
        window.consume(3);
    }
    match told {
        Some(format) => Ok(format),
        None if plain_name(path).ends_with(".csv") => Ok(Format::Csv),
        None => by_content(window),
    }
}

fn refuse_other_encodings(bytes: &[u8]) -> Result<(), Trouble> {
    let utf16 = bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff");
    if utf16 { Err(Trouble::Encoding("UTF-16")) } else { Ok(()) }
}

fn by_content(window: &Window) -> Result<Format, Trouble> {
    let bytes = window.held();
    let first = bytes.iter().position(|byte| !byte.is_ascii_whitespace()).unwrap_or(bytes.len());
    match bytes.get(first) {
        Some(b'[') => Ok(Format::Json),
        Some(b'{') if opens_over_several_lines(&bytes[first..]) => Ok(Format::Json),
        // A file without anything in it has no records in any form.
        Some(b'{') | None => Ok(Format::Lines),
        Some(_) => Err(Trouble::NotRecords { byte: window.byte() + first as u64, found: excerpt(&bytes[first..]) }),
    }
}

/// The first line is the beginning of a JSON object and no more; a line that is broken is still a line.
fn opens_over_several_lines(bytes: &[u8]) -> bool {
    let Some(end) = memchr::memchr(b'\n', bytes) else { return false };
    serde_json::from_slice::<serde::de::IgnoredAny>(&bytes[..end]).is_err_and(|error| error.is_eof())
}
