//! Pipes and the standard input, of which a quiet one does not hold up the end of a run.

use crate::files::{self, FileError, Options, RecordFile, STDIN};
use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::fd::AsFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Longest wait for bytes before `stop` is looked at, in milliseconds.
const LOOK: u16 = 100;

/// Opens `path`; if it is a pipe, reading it fails once `stop` is set.
pub(super) fn open(path: &Path, options: &Options, stop: &Arc<AtomicBool>) -> Result<RecordFile, FileError> {
    let stream = match files::is_stream(path) {
        true => stream(path).ok(),
        false => None,
    };
    match stream {
        Some(stream) => RecordFile::from_reader(path, Pipe { stream, stop: Arc::clone(stop) }, options),
        // Says why the pipe could not be opened, too.
        None => RecordFile::open(path, options),
    }
}

fn stream(path: &Path) -> io::Result<File> {
    if path == Path::new(STDIN) {
        return Ok(File::from(io::stdin().as_fd().try_clone_to_owned()?));
    }
    // A named pipe without a writer is not waited for here, but where it is read.
    OpenOptions::new().read(true).custom_flags(OFlag::O_NONBLOCK.bits()).open(path)
}

#[derive(Debug)]
struct Pipe {
    stream: File,
    stop: Arc<AtomicBool>,
}

impl Read for Pipe {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while !self.stop.load(Ordering::Relaxed) {
            let mut waited = [PollFd::new(self.stream.as_fd(), PollFlags::POLLIN)];
            match poll(&mut waited, PollTimeout::from(LOOK)) {
                Ok(0) | Err(Errno::EINTR) => continue,
                Ok(_) => {}
                Err(error) => return Err(error.into()),
            }
            match self.stream.read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                read => return read,
            }
        }
        Err(io::Error::other("the run was told to stop"))
    }
}
