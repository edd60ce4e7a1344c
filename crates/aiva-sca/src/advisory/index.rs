//! The index as a scan sees it: mapped, never parsed, every byte of it distrusted.
//!
//! A base and perhaps a delta, which count as one ([`Index::entry`]): what the delta has counts instead of what the base has of the
//! same record. An open index is a snapshot; [`Index::changed`] tells when there is a newer one. Damaged files give
//! [`Damage`], never a panic, a read outside a file, or a missing answer. Start reading at [`Index::open`].

mod layer;
mod record;

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;

use self::layer::Identity;
pub(super) use self::layer::{BlockRef, Layer, Loaded, digest, document_at};
use self::record::Origin;
pub use self::record::{Advisory, Affects, Covers, Entry};
pub(crate) use self::record::{AdvisoryId, EntryId};
use super::Status;
use super::layout::{BASE, DELTA, HEADER, Header, Row, Rows, Segment, State, VERSION};
use crate::name::spelled;
use crate::package;

/// Why there is no index to ask.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// No file.
    #[error(
        "there are no advisories in {0}; run `aiva advisories update`, or `aiva advisories import` with a downloaded export"
    )]
    Missing(String),
    /// The operating system could not read it.
    #[error("the advisory index {path} could not be read")]
    Io {
        /// The file.
        path: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Written by another release.
    #[error("the advisory index {path} has format {found}, this release reads {VERSION}; import the advisories again")]
    OtherVersion {
        /// The file.
        path: String,
        /// Its format.
        found: u32,
    },
    /// Not an index, cut short or changed.
    #[error("the advisory index {path} is damaged ({what}); import the advisories again")]
    Damaged {
        /// The file.
        path: String,
        /// What is wrong.
        what: &'static str,
    },
}

/// A part of the index that is not as it was written. Nothing may be concluded from it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the advisory index is damaged ({what} of {ecosystem}); import the advisories again")]
pub struct Damage {
    /// Which ecosystem.
    pub ecosystem: package::Ecosystem,
    /// Which part.
    pub what: &'static str,
}

/// What a whole check has read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Verified {
    /// Pages and blocks.
    pub parts: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// One ecosystem of an index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ecosystem {
    /// Which.
    pub ecosystem: package::Ecosystem,
    /// Advisories.
    pub records: u64,
    /// Packages that they are about.
    pub packages: u64,
    /// Withdrawn advisories that were left out.
    pub withdrawn: u64,
    /// The last change of any advisory.
    pub newest_modified: Timestamp,
    /// When they were imported.
    pub imported_at: Timestamp,
    /// The mark (ETag) under which they were downloaded.
    pub mark: Option<String>,
}

/// What the index says of an advisory beyond what is needed to match it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Details<'a> {
    /// The record's own id.
    pub id: Cow<'a, str>,
    /// Other names of the same thing.
    pub aliases: Vec<Cow<'a, str>>,
    /// Names of similar things.
    pub related: Vec<Cow<'a, str>>,
    /// One line; may be empty.
    pub summary: Cow<'a, str>,
    /// The long text; may be empty.
    pub description: Cow<'a, str>,
    /// Addresses, advisories and fixes first.
    pub references: Vec<Cow<'a, str>>,
    /// RFC 3339.
    pub published: Option<Cow<'a, str>>,
    /// RFC 3339.
    pub modified: Cow<'a, str>,
    /// What it says of each package.
    pub packages: Vec<PackageDetails<'a>>,
}

/// What an advisory says of one package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PackageDetails<'a> {
    /// The name as the index spells it.
    pub name: Cow<'a, str>,
    /// Its affected intervals as text, in the order in which [`Affects::Interval`] counts them.
    pub ranges: Vec<Cow<'a, str>>,
    /// Versions that end it.
    pub fixed: Vec<Cow<'a, str>>,
    /// CVSS vectors.
    pub vectors: Vec<Cow<'a, str>>,
    /// A level as a word, where the database gives one.
    pub word: Option<Cow<'a, str>>,
    /// Bounds of ranges that could not be ordered.
    pub undecidable: Vec<Cow<'a, str>>,
    /// The functions that it names as affected.
    pub symbols: Vec<Cow<'a, str>>,
    /// How many more it names.
    pub more_symbols: u64,
}

/// An open index. Cheap to share behind an `Arc`; goes on answering after its files were replaced.
#[derive(Debug)]
pub struct Index {
    folder: PathBuf,
    base: Layer,
    delta: Option<Layer>,
    /// The delta's file when this was opened, whether it counts or belongs to an earlier base.
    beside: Option<Identity>,
}

/// How often a base and a delta are looked for that belong together, while somebody replaces them.
const LOOKS: u32 = 64;

impl Index {
    /// Opens the index in `dir` (the `advisories` folder of the data directory).
    pub fn open(dir: &Path) -> Result<Self, OpenError> {
        for _ in 0..LOOKS {
            let base = Layer::open(dir, BASE)?;
            let delta = match Layer::open(dir, DELTA) {
                Ok(delta) => Some(delta),
                Err(OpenError::Missing(_)) => None,
                // A delta beside a newer base is no loss, and its base may be newer by now.
                Err(_) if base.is_replaced() => continue,
                Err(error) => return Err(error),
            };
            let bond = delta.as_ref().map(Layer::bond);
            let (folder, beside) = (dir.to_owned(), delta.as_ref().map(|delta| delta.identity().clone()));
            if bond == Some(Some(base.own_bond())) {
                let index = Self { folder, base, delta, beside };
                index.check()?;
                return Ok(index);
            }
            // A writer puts a new base in place before it takes the old delta away, so this base may be the old one.
            if base.is_replaced() {
                continue;
            }
            return match bond {
                Some(Some(bond)) if bond.epoch >= base.epoch() => {
                    Err(base.damaged("its changes belong to another one"))
                }
                Some(None) => Err(base.damaged("its changes do not say what they change")),
                Some(Some(_)) | None => Ok(Self { folder, base, delta: None, beside }),
            };
        }
        Err(OpenError::Io {
            path: dir.join(BASE).display().to_string(),
            source: io::Error::new(io::ErrorKind::WouldBlock, "it is replaced again and again"),
        })
    }

    /// What a delta may say of its base; the rest was checked when it was opened.
    fn check(&self) -> Result<(), OpenError> {
        let Some(delta) = &self.delta else { return Ok(()) };
        match delta.segments().find(|loaded| self.base.loaded(loaded.ecosystem()).is_none()) {
            Some(_) => Err(delta.damaged("it changes what is not there")),
            None => Ok(()),
        }
    }

    /// Whether other files have taken the place of these, so that it should be opened again. An index that has vanished has
    /// not changed: the open one still answers.
    pub fn changed(&self) -> bool {
        let delta = Identity::at(&self.folder.join(DELTA));
        self.base.is_replaced() || (delta.is_some() && delta != self.beside)
    }

    /// Rises by one with every change.
    pub fn epoch(&self) -> u64 {
        self.newest().epoch()
    }

    /// When it was changed last.
    pub fn built_at(&self) -> Timestamp {
        Timestamp::from_second(self.newest().built_at()).unwrap_or_default()
    }

    /// The ecosystems that it can judge.
    pub fn ecosystems(&self) -> Vec<Ecosystem> {
        let time = |seconds| Timestamp::from_second(seconds).unwrap_or_default();
        self.segments()
            .map(|(ecosystem, segment)| Ecosystem {
                ecosystem,
                records: segment.records,
                packages: segment.packages,
                withdrawn: segment.withdrawn,
                newest_modified: time(segment.newest_modified),
                imported_at: time(segment.imported_at),
                mark: segment.mark.clone(),
            })
            .collect()
    }

    /// Whether it can judge packages of an ecosystem; of a distribution, those of the very release.
    pub fn has(&self, ecosystem: package::Ecosystem) -> bool {
        let (family, name) = (ecosystem.family(), ecosystem.osv_name());
        self.base.loaded(ecosystem).is_some_and(|loaded| {
            let counts = self.delta.as_ref().and_then(|delta| delta.loaded(ecosystem)).unwrap_or(loaded);
            ecosystem == family || counts.segment().releases.contains(name)
        })
    }

    /// Its age and counts.
    pub fn status(&self, now: Timestamp) -> Status {
        let ecosystems = self.ecosystems();
        let oldest = ecosystems.iter().map(|one| one.imported_at).min().unwrap_or_else(|| self.built_at());
        Status {
            epoch: self.epoch(),
            built_at: self.built_at(),
            age: Duration::try_from(now.duration_since(oldest)).unwrap_or_default(),
            bytes: self.layers().map(|layer| layer.bytes().len() as u64).sum(),
            ecosystems,
        }
    }

    /// The advisories about a package; `None` where there are none, or none of its ecosystem.
    pub fn entry(&self, ecosystem: package::Ecosystem, name: &str) -> Result<Option<Entry<'_>>, Damage> {
        self.entry_as_spelled(ecosystem, &spelled(ecosystem, name))
    }

    /// As [`Self::entry`], by the name as the index spells it.
    pub(super) fn entry_as_spelled(
        &self,
        ecosystem: package::Ecosystem,
        name: &str,
    ) -> Result<Option<Entry<'_>>, Damage> {
        let below = self.base_entry(ecosystem, name)?;
        let delta = self.delta.as_ref().and_then(|delta| Some((delta, delta.loaded(ecosystem)?)));
        let Some((layer, loaded)) = delta else { return Ok(below) };
        let below = match below {
            Some(entry) => entry.without(|spot| layer.is_over(loaded, spot)),
            None => None,
        };
        let above = match layer.find(loaded, name)? {
            Some(offset) => Some(Entry::read(layer, loaded, offset, Origin::Delta)?.0),
            None => None,
        };
        Ok(match (below, above) {
            (Some(below), Some(above)) => Some(below.with(above)),
            (below, above) => below.or(above),
        })
    }

    /// What the base says of a package, whatever has changed since.
    pub(super) fn base_entry(&self, ecosystem: package::Ecosystem, name: &str) -> Result<Option<Entry<'_>>, Damage> {
        let Some(base) = self.base.loaded(ecosystem) else { return Ok(None) };
        let Some(offset) = self.base.find(base, name)? else { return Ok(None) };
        Ok(Some(Entry::read(&self.base, base, offset, Origin::Base)?.0))
    }

    /// The packages whose advisories changed after an epoch, by their names as the index spells them; `None` where that is not
    /// known, so that it may be any.
    pub fn changed_since(&self, epoch: u64) -> Result<Option<BTreeSet<(package::Ecosystem, String)>>, Damage> {
        if epoch == self.epoch() {
            return Ok(Some(BTreeSet::new()));
        }
        let Some(delta) = self.delta.as_ref().filter(|_| (self.base.epoch()..self.epoch()).contains(&epoch)) else {
            return Ok(None);
        };
        let mut changed = BTreeSet::new();
        for loaded in delta.segments() {
            let names = delta.changed_names(loaded)?;
            changed.extend(names.filter(|(at, _)| *at > epoch).map(|(_, name)| (loaded.ecosystem(), name.to_owned())));
        }
        Ok(Some(changed))
    }

    /// Checks every page, block and table.
    pub fn verify(&self) -> Result<Verified, Damage> {
        let mut sum = Verified::default();
        for (ecosystem, _) in self.segments() {
            let one = self.verify_ecosystem(ecosystem)?;
            sum.parts += one.parts;
            sum.bytes += one.bytes;
        }
        Ok(sum)
    }

    /// Checks every page, block and table of one ecosystem.
    pub(super) fn verify_ecosystem(&self, ecosystem: package::Ecosystem) -> Result<Verified, Damage> {
        let mut sum = Verified::default();
        for layer in self.layers() {
            if let Some(loaded) = layer.loaded(ecosystem) {
                let one = layer.verify(loaded)?;
                sum.parts += one.parts;
                sum.bytes += one.bytes;
            }
        }
        Ok(sum)
    }

    /// Whether single records of an ecosystem can be taken in: all of its source's are there already.
    pub(super) fn is_amendable(&self, ecosystem: package::Ecosystem) -> bool {
        ecosystem == ecosystem.family() && self.base.loaded(ecosystem).is_some_and(|base| !base.segment().partial)
    }

    /// What the source of an ecosystem must still have: the newest change of each record that is known, by the hash of its id.
    pub(super) fn known(&self, ecosystem: package::Ecosystem) -> Result<Vec<Row>, Damage> {
        let (below, above) = (self.base_rows(ecosystem)?, self.delta_rows(ecosystem)?);
        let mut all: Vec<Row> = below.iter().filter(|row| !above.has(row.id)).collect();
        all.extend(above.iter().filter(|row| row.state != State::Gone));
        all.sort_unstable();
        Ok(all)
    }

    /// The ids behind these hashes, of records that count.
    pub(super) fn ids(&self, ecosystem: package::Ecosystem, hashes: &[u64]) -> Result<Vec<String>, Damage> {
        let mut ids = BTreeSet::new();
        for layer in self.layers() {
            let Some(loaded) = layer.loaded(ecosystem) else { continue };
            let rows = layer.rows(loaded)?;
            for spot in hashes.iter().flat_map(|hash| rows.about(*hash)).filter_map(|row| row.spot()) {
                ids.insert(layer.details(loaded, spot)?.id.into_owned());
            }
        }
        Ok(ids.into_iter().collect())
    }

    fn base_rows(&self, ecosystem: package::Ecosystem) -> Result<Rows<'_>, Damage> {
        self.base.loaded(ecosystem).map_or(Ok(Rows::default()), |loaded| self.base.rows(loaded))
    }

    fn delta_rows(&self, ecosystem: package::Ecosystem) -> Result<Rows<'_>, Damage> {
        let loaded = self.delta.as_ref().and_then(|delta| Some((delta, delta.loaded(ecosystem)?)));
        loaded.map_or(Ok(Rows::default()), |(delta, loaded)| delta.rows(loaded))
    }

    /// The counts that hold for each ecosystem.
    pub(super) fn segments(&self) -> impl Iterator<Item = (package::Ecosystem, &Segment)> {
        self.base.segments().map(|base| {
            let changed = self.delta.as_ref().and_then(|delta| delta.loaded(base.ecosystem()));
            (base.ecosystem(), changed.unwrap_or(base).segment())
        })
    }

    pub(super) fn base(&self) -> &Layer {
        &self.base
    }

    pub(super) fn delta(&self) -> Option<&Layer> {
        self.delta.as_ref()
    }

    fn layers(&self) -> impl Iterator<Item = &Layer> {
        std::iter::once(&self.base).chain(&self.delta)
    }

    fn newest(&self) -> &Layer {
        self.delta.as_ref().unwrap_or(&self.base)
    }
}

/// The highest epoch that any file in `dir` has, whether or not it can be read otherwise; 0 where there is none.
pub(super) fn last_epoch(dir: &Path) -> u64 {
    let epoch = |name| {
        let mut head = [0; HEADER];
        File::open(dir.join(name)).and_then(|mut file| file.read_exact(&mut head)).ok()?;
        Header::decode(&head).map(|header| header.epoch)
    };
    [BASE, DELTA].into_iter().filter_map(epoch).max().unwrap_or(0)
}
