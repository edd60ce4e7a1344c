//! Maps an index file into memory: the one place in AIVA with `unsafe` code.

use std::fs::File;
use std::io;
use std::ops::Deref;

use memmap2::Mmap;

use super::layout::Place;

/// A file that is mapped for reading.
///
/// Systems read up to megabytes around the first byte that is touched. An answer needs a few pages, here and there, so that is
/// turned off, and what is wanted is said.
#[derive(Debug)]
pub(super) struct Map(Mmap);

impl Map {
    /// Maps a whole file.
    ///
    /// The bytes may be anything, and every reader checks them. What must not happen is that the file shrinks while it is mapped.
    /// AIVA never writes to an index in place: a new one is a new file, renamed over the old, which lives on until it is unmapped.
    #[expect(
        unsafe_code,
        reason = "mapping is unsafe because other processes could change the file; see the promise above"
    )]
    pub(super) fn of(file: &File) -> io::Result<Self> {
        // SAFETY: index files are written once under another name and then only renamed and unlinked, in a folder that is ours alone.
        let map = Self(unsafe { Mmap::map(file) }?);
        map.say(Expected::Parts);
        Ok(map)
    }

    /// These bytes are wanted now: they come in one piece, and while something else is done.
    pub(super) fn want(&self, place: Place) {
        self.say(Expected::Soon(place));
    }

    /// All of it will be read from here on.
    pub(super) fn want_all(&self) {
        self.say(Expected::All);
    }

    /// A hint: without it the same bytes come more slowly, so that a refusal is nothing to tell of.
    #[cfg(unix)]
    fn say(&self, expected: Expected) {
        use memmap2::Advice;
        let _hint = match expected {
            Expected::Parts => self.0.advise(Advice::Random),
            Expected::All => self.0.advise(Advice::Normal),
            Expected::Soon(place) => match place.of(&self.0) {
                Some(bytes) if !bytes.is_empty() => {
                    // What lies within the file fits into an address.
                    self.0.advise_range(Advice::WillNeed, place.offset as usize, bytes.len())
                }
                _ => Ok(()),
            },
        };
    }

    #[cfg(not(unix))]
    fn say(&self, _expected: Expected) {}
}

impl Deref for Map {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

/// What will be read.
#[cfg_attr(not(unix), expect(dead_code, reason = "there is nobody to tell"))]
#[derive(Debug, Clone, Copy)]
enum Expected {
    Parts,
    Soon(Place),
    All,
}
