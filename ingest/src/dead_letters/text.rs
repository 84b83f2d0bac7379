//! A letter as a person reads it.

use super::Letter;
use super::json::time;
use bson::Binary;
use model::decode::DeadReason;
use std::fmt::Write;

const HEX_BYTES_PER_LINE: usize = 16;

/// The whole letter: what is wrong first, then where the record stands, then its bytes.
pub fn describe(letter: &Letter) -> String {
    let settled = letter.settled.as_ref().map_or_else(
        || "no; `ingest dead replay` tries it again with the present schema".to_owned(),
        |settled| {
            format!("{} at {}, with schema version {}", settled.outcome, time(settled.at), settled.schema_version)
        },
    );
    let remedy = DeadReason::ALL.into_iter().find(|reason| reason.code() == letter.reason).map(DeadReason::remedy);
    let mut lines = vec![
        format!("{}: {}", letter.reason, letter.message),
        String::new(),
        format!("remedy     {}", remedy.unwrap_or("`ingest dead list` of a newer program may know this reason")),
        format!("id         {}", letter.id),
        format!("timestamp  {}", letter.timestamp.map_or_else(|| "none".to_owned(), time)),
        format!("kept       {} by group {}", time(letter.written_at), letter.group),
        format!(
            "refused    at stage {}, by schema {} version {}, program {}",
            letter.stage, letter.schema, letter.schema_version, letter.program
        ),
        format!("settled    {settled}"),
    ];
    if let Some(cut) = letter.cut {
        lines.push(format!(
            "cut        the whole record has {} bytes of payload, {} bytes of key and {} headers; kept is how they begin",
            cut.payload_bytes, cut.key_bytes, cut.headers
        ));
    }
    lines.extend(part("key", letter.key.as_ref()));
    for header in &letter.headers {
        lines.extend(part(&format!("header {}", readable(header.name.as_bytes())), header.value.as_ref()));
    }
    lines.extend(part("payload", letter.payload.as_ref()));
    lines.join("\n")
}

/// One part of the record under its name.
fn part(name: &str, bytes: Option<&Binary>) -> Vec<String> {
    let Some(Binary { bytes, .. }) = bytes else { return vec![format!("{name}: none")] };
    let form = if std::str::from_utf8(bytes).is_ok() { "" } else { ", not UTF-8" };
    let mut lines = vec![format!("{name}: {} bytes{form}", bytes.len())];
    lines.extend(readable(bytes).lines().map(|line| format!("  {line}")));
    lines
}

/// Bytes as text, with escapes for what a terminal would not show or would obey; as a hex dump where they are not UTF-8.
///
/// ```
/// use ingest::dead_letters::text::readable;
/// assert_eq!(readable("{\"a\": \"é\u{1b}[2J\"}".as_bytes()), "{\"a\": \"é\\u{1b}[2J\"}");
/// assert_eq!(readable(b"a\xff\n"), "00000000  61 ff 0a                                          a..");
/// ```
pub fn readable(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.chars().fold(String::with_capacity(text.len()), |mut shown, character| {
            match character {
                '\n' | '"' | '\'' | '\\' => shown.push(character),
                other => shown.extend(other.escape_debug()),
            }
            shown
        }),
        Err(_) => hex_dump(bytes),
    }
}

fn hex_dump(bytes: &[u8]) -> String {
    let lines = bytes.chunks(HEX_BYTES_PER_LINE).enumerate().map(|(line, bytes)| {
        let mut hex = String::new();
        for byte in bytes {
            // Writing to a string cannot fail.
            let _ = write!(hex, "{byte:02x} ");
        }
        let shown = |byte: &u8| if byte.is_ascii_graphic() || *byte == b' ' { char::from(*byte) } else { '.' };
        let text: String = bytes.iter().map(shown).collect();
        format!("{:08x}  {hex:<49} {text}", line * HEX_BYTES_PER_LINE)
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_keeps_its_lines_and_shows_what_is_invisible() {
        assert_eq!(readable("a\tb\r\nc\u{0}\u{202e}\"\\".as_bytes()), "a\\tb\\r\nc\\0\\u{202e}\"\\");
    }

    #[test]
    fn bytes_are_dumped_sixteen_a_line() {
        let bytes: Vec<u8> = (0xf0..=0xff).chain(*b"xy").collect();
        assert_eq!(
            readable(&bytes),
            "00000000  f0 f1 f2 f3 f4 f5 f6 f7 f8 f9 fa fb fc fd fe ff   ................\n\
             00000010  78 79                                             xy"
        );
    }
}
