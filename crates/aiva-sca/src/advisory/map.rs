//! Maps the index file into memory: the one place in AIVA with `unsafe` code.

use std::fs::File;
use std::io;

use memmap2::Mmap;

/// Maps a whole file for reading.
///
/// The bytes may be anything, and every reader checks them. What must not happen is that the file shrinks while it is mapped.
/// AIVA never writes to an index in place: a new one is a new file, renamed over the old, which lives on until it is unmapped.
#[expect(
    unsafe_code,
    reason = "mapping is unsafe because other processes could change the file; see the promise above"
)]
pub(super) fn map(file: &File) -> io::Result<Mmap> {
    // SAFETY: index files are written once under another name and then only renamed and unlinked, in a folder that is ours alone.
    unsafe { Mmap::map(file) }
}
