//! Text in other encodings than UTF-8, recognised where that is certain, and handed on as UTF-8.

use super::error::Trouble;
use super::window::{Window, io_error};
use encoding_rs::{Decoder, DecoderResult, UTF_8, UTF_16BE, UTF_16LE};
use std::fmt;
use std::io::{self, Read};
use std::str::FromStr;

/// An encoding by its name in the [Encoding Standard](https://encoding.spec.whatwg.org/#names-and-labels).
///
/// ```
/// let encoding: files::Encoding = "latin1".parse()?;
/// assert_eq!(encoding.name(), "windows-1252");
/// # Ok::<(), String>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Encoding(&'static encoding_rs::Encoding);

impl Encoding {
    pub(super) const UTF_8: Self = Self(UTF_8);

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.0.name()
    }
}

impl FromStr for Encoding {
    type Err = String;

    fn from_str(label: &str) -> Result<Self, String> {
        encoding_rs::Encoding::for_label_no_replacement(label.as_bytes()).map(Self).ok_or_else(|| {
            format!("{label:?} is not an encoding; some are utf-8, utf-16le, windows-1252 (latin1), windows-1251, euc-kr, shift_jis, gb18030")
        })
    }
}

impl fmt::Display for Encoding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The encoding that the first bytes of a text prove it to have; none where they do not say, as in UTF-8.
///
/// UTF-16 without a byte order mark is recognised by its NUL bytes: letters of ASCII, which every CSV and JSON file has
/// between its values, have one each, all in the same half of their pairs. Encodings of one byte a letter cannot be told from
/// each other and are not guessed.
pub(super) fn detect(text: &[u8]) -> Result<Option<Encoding>, Trouble> {
    if text.starts_with(b"\xff\xfe\0\0") || text.starts_with(b"\0\0\xfe\xff") {
        return Err(Trouble::Encoding("UTF-32"));
    }
    match text {
        [0xff, 0xfe, ..] => Ok(Some(Encoding(UTF_16LE))),
        [0xfe, 0xff, ..] => Ok(Some(Encoding(UTF_16BE))),
        _ => Ok(utf16(text)),
    }
}

fn utf16(text: &[u8]) -> Option<Encoding> {
    const LOOKED_AT: usize = 4096;
    let pairs = text[..text.len().min(LOOKED_AT)].chunks_exact(2);
    let units = pairs.len();
    let (first, second) = pairs
        .fold((0, 0), |(first, second), pair| (first + usize::from(pair[0] == 0), second + usize::from(pair[1] == 0)));
    let is_half = |zeros: usize, others: usize| zeros * 5 >= units && others * 8 <= zeros && zeros > 1;
    if is_half(second, first) {
        Some(Encoding(UTF_16LE))
    } else if is_half(first, second) {
        Some(Encoding(UTF_16BE))
    } else {
        None
    }
}

/// Reads a text as UTF-8. Bytes that are no text in its encoding become a byte that is none in UTF-8, so that they cost the
/// record they stand in.
pub(super) struct Transcoder {
    source: Window,
    decoder: Decoder,
    output: Vec<u8>,
    start: usize,
    end: usize,
    is_over: bool,
}

const OUTPUT: usize = 64 << 10;
const NO_TEXT: u8 = 0xff;

impl Transcoder {
    pub(super) fn new(source: Window, encoding: Encoding) -> Self {
        let decoder = encoding.0.new_decoder();
        Self { source, decoder, output: vec![0; OUTPUT], start: 0, end: 0, is_over: false }
    }

    fn refill(&mut self) -> io::Result<()> {
        (self.start, self.end) = (0, 0);
        while self.end == 0 && !self.is_over {
            if self.source.held().is_empty() {
                self.source.more().map_err(io_error)?;
            }
            let is_last = self.source.held().is_empty();
            let (result, read, written) = self.decoder.decode_to_utf8_without_replacement(
                self.source.held(),
                &mut self.output[..OUTPUT - 1],
                is_last,
            );
            self.source.consume(read);
            self.end = written;
            match result {
                DecoderResult::Malformed(..) => {
                    self.output[self.end] = NO_TEXT;
                    self.end += 1;
                }
                DecoderResult::InputEmpty => self.is_over = is_last,
                DecoderResult::OutputFull => {}
            }
        }
        Ok(())
    }
}

impl Read for Transcoder {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.start == self.end {
            self.refill()?;
        }
        let taken = (self.end - self.start).min(buffer.len());
        buffer[..taken].copy_from_slice(&self.output[self.start..self.start + taken]);
        self.start += taken;
        Ok(taken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn utf16_of(text: &str, big_endian: bool) -> Vec<u8> {
        let bytes = |unit: u16| if big_endian { unit.to_be_bytes() } else { unit.to_le_bytes() };
        text.encode_utf16().flat_map(bytes).collect()
    }

    fn transcoded(bytes: Vec<u8>, encoding: Encoding) -> Vec<u8> {
        let mut text = Vec::new();
        let window = Window::new(Box::new(io::Cursor::new(bytes)));
        Transcoder::new(window, encoding).read_to_end(&mut text).unwrap();
        text
    }

    #[test]
    fn utf16_is_recognised_by_its_mark_or_by_its_zeros() {
        let header = "id,제목,director\nt1,기생충,봉준호\n";
        for (big_endian, name) in [(false, "UTF-16LE"), (true, "UTF-16BE")] {
            for text in [header, "[{\"a\": 1}]", "\u{feff}기생충", "a;b\n"] {
                let found = detect(&utf16_of(text, big_endian)).unwrap();
                assert_eq!(found.map(Encoding::name), Some(name), "{text}");
            }
        }
        for text in ["id,title\n1,\0x\n", header, "", "\0", "a", "\u{feff}a,b\n", "caf\u{e9},b"] {
            assert_eq!(detect(text.as_bytes()).unwrap(), None, "{text}");
        }
        assert!(matches!(detect(b"\xff\xfe\0\0[\0\0\0"), Err(Trouble::Encoding("UTF-32"))));
    }

    #[test]
    fn what_is_no_text_becomes_no_utf8() {
        let lone = [b"a\0".as_slice(), b"\x00\xd8", b"b\0"].concat();
        assert_eq!(transcoded(lone, Encoding(UTF_16LE)), b"a\xffb");
        assert_eq!(transcoded(b"caf\xe9 \x80".to_vec(), "latin1".parse().unwrap()), "café €".as_bytes());
        assert_eq!(transcoded(vec![0xff, 0xfe, b'a', 0], Encoding(UTF_16LE)), b"a");
    }

    proptest! {
        #[test]
        fn every_text_comes_through(text in "\\PC{0,40}", times in 1_usize..3000) {
            let text = text.repeat(times);
            prop_assume!(!text.starts_with('\u{feff}'));
            prop_assert_eq!(transcoded(utf16_of(&text, true), Encoding(UTF_16BE)), text.as_bytes());
        }
    }
}
