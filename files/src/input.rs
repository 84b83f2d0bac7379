//! The bytes of a file: compression recognised by its first bytes, and the bytes taken from the disk counted.

use super::Trouble;
use flate2::read::MultiGzDecoder;
use std::fs::File;
use std::io::{self, Cursor, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Decompressed bytes.
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

/// Archives that people have at hand and that are not read here.
const PACKED: [(&[u8], &str); 4] = [
    (b"PK\x03\x04", "a zip archive"),
    (b"BZh", "compressed with bzip2"),
    (b"\xfd7zXZ", "compressed with xz"),
    (b"7z\xbc\xaf", "a 7z archive"),
];

const GZIP: &[u8] = b"\x1f\x8b";
const ZSTD: &[u8] = b"\x28\xb5\x2f\xfd";
/// A zstd file may open with a skippable frame, which is what `pzstd` and other parallel writers do.
const ZSTD_SKIPPABLE: &[u8] = b"\x2a\x4d\x18";

/// Wraps `file` into its decompressor; `read` counts the bytes taken from it.
pub(super) fn decompressed(file: File, read: Arc<AtomicU64>) -> Result<(Compression, Input), Trouble> {
    let mut counted = Counted { inner: file, read };
    let head = head_of(&mut counted).map_err(|error| Trouble::Read { byte: 0, error })?;
    if let Some((_, name)) = PACKED.iter().find(|(magic, _)| head.starts_with(magic)) {
        return Err(Trouble::Packed(name));
    }
    let compression = compression_of(&head);
    let whole = Cursor::new(head).chain(counted);
    let input: Input = match compression {
        Compression::Plain => Box::new(whole),
        Compression::Gzip => Box::new(MultiGzDecoder::new(whole)),
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

fn head_of(input: &mut impl Read) -> io::Result<Vec<u8>> {
    const LONGEST_MAGIC: u64 = 6;
    let mut head = Vec::new();
    input.take(LONGEST_MAGIC).read_to_end(&mut head)?;
    Ok(head)
}

struct Counted<R> {
    inner: R,
    read: Arc<AtomicU64>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let taken = self.inner.read(buffer)?;
        self.read.fetch_add(taken as u64, Ordering::Relaxed);
        Ok(taken)
    }
}
