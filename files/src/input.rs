//! The bytes of a file: compression recognised by its first bytes, and the bytes taken from the disk counted.

use super::Trouble;
use flate2::bufread::GzDecoder;
use std::io::{self, BufRead, BufReader, Cursor, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Bytes, of a file or decompressed.
pub(super) type Input = Box<dyn Read + Send>;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Compression {
    Plain,
    Gzip,
    Zstd,
}

impl Compression {
    /// Says of an unexpected end that the compressed file is cut short.
    pub(super) fn explain(self, trouble: Trouble) -> Trouble {
        let compression = match self {
            Self::Plain => return trouble,
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
        };
        match trouble {
            Trouble::Read { byte, error } if error.kind() == io::ErrorKind::UnexpectedEof => {
                Trouble::CutShort { compression, byte }
            }
            other => other,
        }
    }
}

/// Files that people have at hand and that are not read here, and what to do with them.
const OTHERS: [(&[u8], &str); 7] = [
    (b"PK\x03\x04", "a zip archive or an Excel workbook; unpack it, or save it as CSV"),
    (b"BZh", "compressed with bzip2; unpack it first"),
    (b"\xfd7zXZ", "compressed with xz; unpack it first"),
    (b"7z\xbc\xaf", "a 7z archive; unpack it first"),
    (b"\x04\x22\x4d\x18", "compressed with lz4; unpack it first"),
    (b"PAR1", "a Parquet file; `analysis` reads it if its name ends in .parquet"),
    (b"Obj\x01", "an Avro file; write it as JSON Lines first"),
];

const GZIP: &[u8] = b"\x1f\x8b";
const ZSTD: &[u8] = b"\x28\xb5\x2f\xfd";
/// A zstd file may open with a skippable frame, which is what `pzstd` and other parallel writers do.
const ZSTD_SKIPPABLE: &[u8] = b"\x2a\x4d\x18";
/// Largest window of a zstd frame in bytes; more is only used by `zstd --long` or `--ultra`, and would be memory.
const LARGEST_WINDOW: u64 = 128 << 20;
const GZIP_BUFFER: usize = 64 << 10;
const HEAD: usize = 64 << 10;

/// Wraps `file` into its decompressor; `read` counts the bytes taken from it.
pub(super) fn decompressed(file: Input, read: Arc<AtomicU64>) -> Result<(Compression, Input), Trouble> {
    let mut counted = Counted { inner: file, read };
    let head = head_of(&mut counted).map_err(|error| Trouble::Read { byte: 0, error })?;
    if let Some((_, what)) = OTHERS.iter().find(|(magic, _)| head.starts_with(magic)) {
        return Err(Trouble::OtherFile(what));
    }
    let compression = compression_of(&head);
    if compression == Compression::Zstd
        && let Some(window) = zstd_window(&head).filter(|window| *window > LARGEST_WINDOW)
    {
        return Err(Trouble::WideWindow { megabytes: window >> 20, log: window.next_power_of_two().ilog2() });
    }
    let whole = Cursor::new(head).chain(counted);
    let input: Input = match compression {
        Compression::Plain => Box::new(whole),
        Compression::Gzip => Box::new(Members::new(BufReader::with_capacity(GZIP_BUFFER, whole))),
        Compression::Zstd => {
            Box::new(zstd::stream::read::Decoder::new(whole).map_err(|error| Trouble::Read { byte: 0, error })?)
        }
    };
    Ok((compression, input))
}

fn compression_of(head: &[u8]) -> Compression {
    let skippable = head.first().is_some_and(|first| first & 0xf0 == 0x50) && head[1..].starts_with(ZSTD_SKIPPABLE);
    if head.starts_with(GZIP) {
        Compression::Gzip
    } else if head.starts_with(ZSTD) || skippable {
        Compression::Zstd
    } else {
        Compression::Plain
    }
}

/// Bytes of the window that the first zstd frame needs, by its header (RFC 8878); none if the header is not there.
fn zstd_window(head: &[u8]) -> Option<u64> {
    let mut frame = head;
    while frame.get(1..4) == Some(ZSTD_SKIPPABLE) {
        let length = u32::from_le_bytes(frame.get(4..8)?.try_into().ok()?);
        frame = frame.get(8 + length as usize..)?;
    }
    let [descriptor, rest @ ..] = frame.strip_prefix(ZSTD)? else { return None };
    if descriptor & 0x20 == 0 {
        let byte = rest.first()?;
        let base = 1_u64 << (10 + (byte >> 3));
        return Some(base + base / 8 * u64::from(byte & 7));
    }
    // The window is the whole content, whose length stands behind the number of the dictionary.
    let dictionary = [0, 1, 2, 4][usize::from(descriptor & 3)];
    let width = 1 << (descriptor >> 6);
    let mut content = [0; 8];
    content[..width].copy_from_slice(rest.get(dictionary..dictionary + width)?);
    Some(u64::from_le_bytes(content))
}

/// What the first read gives, and more only if it is too short to tell the compression by.
fn head_of(input: &mut impl Read) -> io::Result<Vec<u8>> {
    const LONGEST_MAGIC: usize = 6;
    let mut head = vec![0; HEAD];
    let mut length = 0;
    while length < LONGEST_MAGIC {
        match input.read(&mut head[length..]) {
            Ok(0) => break,
            Ok(taken) => length += taken,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    head.truncate(length);
    Ok(head)
}

/// The members of a gzip file one after another. Zeros behind a member are padding, as tape drives and block devices leave
/// it; anything else is an error, after all members before it.
struct Members<R> {
    /// Absent after an error.
    member: Option<GzDecoder<R>>,
}

/// What follows a gzip member is not another one.
#[derive(Debug, thiserror::Error)]
#[error("what follows the gzip stream is not gzip: the file is damaged, or another file was appended to it")]
struct NotGzip;

impl<R: BufRead> Members<R> {
    fn new(input: R) -> Self {
        Self { member: Some(GzDecoder::new(input)) }
    }

    /// Goes on with the next member; false at the end of the file.
    fn next_member(&mut self) -> io::Result<bool> {
        let Some(member) = self.member.take() else { return Ok(false) };
        let mut input = member.into_inner();
        loop {
            let held = input.fill_buf()?;
            let zeros = held.iter().take_while(|byte| **byte == 0).count();
            match held.get(zeros) {
                Some(first) if *first == GZIP[0] => break input.consume(zeros),
                Some(_) => return Err(io::Error::new(io::ErrorKind::InvalidData, NotGzip)),
                None if held.is_empty() => return Ok(false),
                None => input.consume(zeros),
            }
        }
        self.member = Some(GzDecoder::new(input));
        Ok(true)
    }
}

impl<R: BufRead> Read for Members<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let Some(member) = &mut self.member else { return Ok(0) };
            let taken = member.read(buffer)?;
            if taken > 0 || buffer.is_empty() || !self.next_member()? {
                return Ok(taken);
            }
        }
    }
}

struct Counted {
    inner: Input,
    read: Arc<AtomicU64>,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let taken = self.inner.read(buffer)?;
        self.read.fetch_add(taken as u64, Ordering::Relaxed);
        Ok(taken)
    }
}
