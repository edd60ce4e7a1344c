//! A package's advisories in the hot part, and whether they affect a version.

use super::super::compile;
use super::super::layout::{Cursor, Interval, KIND_MASK, SLOT, Spot, UNDECIDABLE, Upper};
use super::layer::{Layer, Loaded};
use super::{Damage, Details};
use crate::finding::Kind;
use crate::package;
use crate::version::{Requirement, Span, Version};

/// What an advisory says of a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Affects {
    /// It is not affected.
    No,
    /// It is in the interval of this number (see [`super::PackageDetails::ranges`]).
    Interval(usize),
    /// It is named one by one.
    Listed,
    /// Not known: the version cannot be ordered, or one of the advisory's bounds cannot.
    Unknown,
}

/// What an advisory says of everything that a requirement allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Covers {
    /// None of it is affected.
    Nothing,
    /// Some of it may be affected.
    Some,
    /// All of it is affected; the number is that of the interval, where one alone holds all.
    All(Option<usize>),
    /// Not known: one of the advisory's bounds cannot be ordered.
    Unknown,
}

/// Which of an index's files something is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Origin {
    /// What was imported whole.
    Base,
    /// What has changed since.
    Delta,
}

/// Tells a package of an index from every other.
pub(crate) type EntryId = (package::Ecosystem, Origin, u32);

/// Tells an advisory of an index from every other.
pub(crate) type AdvisoryId = (package::Ecosystem, Origin, u32, u32);

/// All advisories about one package.
#[derive(Debug, Clone)]
pub struct Entry<'a> {
    advisories: Vec<Advisory<'a>>,
    name: &'a str,
    id: EntryId,
}

/// One advisory about one package, as the hot part has it.
#[derive(Clone, Copy)]
pub struct Advisory<'a> {
    layer: &'a Layer,
    loaded: &'a Loaded,
    origin: Origin,
    flags: u8,
    spot: Spot,
    body: Cursor<'a>,
}

impl<'a> Entry<'a> {
    /// The advisories, in no particular order.
    pub fn advisories(&self) -> &[Advisory<'a>] {
        &self.advisories
    }

    /// The package's name as the index spells it.
    pub fn name(&self) -> &'a str {
        self.name
    }

    /// Tells this entry from every other of the same index.
    pub(crate) fn id(&self) -> EntryId {
        self.id
    }

    /// What is left without the advisories at some spots, if any is.
    pub(in super::super) fn without(mut self, is_over: impl Fn(Spot) -> bool) -> Option<Self> {
        self.advisories.retain(|advisory| !is_over(advisory.spot));
        (!self.advisories.is_empty()).then_some(self)
    }

    /// Together with what another file has of the same package.
    pub(super) fn with(mut self, other: Self) -> Self {
        self.advisories.extend(other.advisories);
        self
    }

    pub(super) fn name_at(layer: &'a Layer, loaded: &'a Loaded, offset: u32) -> Result<&'a [u8], Damage> {
        Source { layer, loaded, at: start(loaded, offset) }.bytes()
    }

    /// Reads the package at an offset behind the hash table; answers also with the offset behind it.
    pub(super) fn read(
        layer: &'a Layer,
        loaded: &'a Loaded,
        offset: u32,
        origin: Origin,
    ) -> Result<(Self, u64), Damage> {
        let mut source = Source { layer, loaded, at: start(loaded, offset) };
        let name = std::str::from_utf8(source.bytes()?).map_err(|_| loaded.damage("a name"))?;
        let count = source.varint()?;
        let mut advisories = Vec::new();
        for _ in 0..count {
            let flags = source.take(1)?.first().copied().unwrap_or_default();
            let mut number = || u32::try_from(source.varint()?).map_err(|_| loaded.damage("an offset"));
            let spot = Spot { block: number()?, offset: number()? };
            let body = Cursor(source.bytes()?);
            advisories.push(Advisory { layer, loaded, origin, flags, spot, body });
        }
        let end = source.at - start(loaded, 0);
        Ok((Self { advisories, name, id: (loaded.ecosystem(), origin, offset) }, end))
    }
}

fn start(loaded: &Loaded, offset: u32) -> u64 {
    loaded.segment().slots * SLOT as u64 + u64::from(offset)
}

/// The intervals at the beginning of a hot record.
fn spans(body: &mut Cursor<'_>) -> Option<Vec<Span>> {
    let mut spans = Vec::new();
    for _ in 0..body.length()? {
        let lower = body.bytes()?;
        let upper = match body.u8()? {
            0 => None,
            1 => Some((body.bytes()?.to_vec(), false)),
            2 => Some((body.bytes()?.to_vec(), true)),
            _ => return None,
        };
        spans.push(((lower.to_vec(), false), upper));
    }
    Some(spans)
}

impl Advisory<'_> {
    /// What it says of a package, and whether it is informational unless a score says otherwise.
    pub fn kind(&self) -> (Kind, bool) {
        compile::kind(self.flags & KIND_MASK)
    }

    /// Whether it affects a version: `text` as the lockfile has it, `version` the same as far as it can be ordered.
    pub fn affects(&self, text: &str, version: Option<&Version>) -> Result<Affects, Damage> {
        self.judge(text, version).ok_or_else(|| self.loaded.damage("its packages"))
    }

    /// What it says of everything that a requirement allows.
    pub fn covers(&self, requirement: &Requirement) -> Result<Covers, Damage> {
        self.compare(requirement).ok_or_else(|| self.loaded.damage("its packages"))
    }

    /// Everything else that is known of it. Unpacks a block: ask only for what is reported.
    pub fn details(&self) -> Result<Details<'static>, Damage> {
        self.layer.details(self.loaded, self.spot)
    }

    /// Where its details are, which tells it from every other of the index.
    pub(crate) fn id(&self) -> AdvisoryId {
        (self.loaded.ecosystem(), self.origin, self.spot.block, self.spot.offset)
    }

    /// As it stands in the hot part: flags, place of the details, intervals and versions.
    pub(in super::super) fn raw(&self) -> (u8, Spot, &[u8]) {
        (self.flags, self.spot, self.body.0)
    }

    /// The intervals that it says are affected; versions that it lists one by one are none.
    pub(crate) fn spans(&self) -> Result<Vec<Span>, Damage> {
        let mut body = self.body;
        spans(&mut body).ok_or_else(|| self.loaded.damage("its packages"))
    }

    fn compare(&self, requirement: &Requirement) -> Option<Covers> {
        let mut body = self.body;
        let spans = spans(&mut body)?;
        let alone = spans.iter().position(|span| requirement.is_within(vec![span.clone()]));
        if alone.is_some() || requirement.is_within(spans.clone()) {
            return Some(Covers::All(alone));
        }
        let mut meets = requirement.meets(&spans);
        for _ in 0..body.length()? {
            meets |= requirement.holds(body.bytes()?);
        }
        // A text that cannot be ordered is no version that a range would pick.
        Some(match meets {
            true => Covers::Some,
            false if self.flags & UNDECIDABLE != 0 => Covers::Unknown,
            false => Covers::Nothing,
        })
    }

    fn judge(&self, text: &str, version: Option<&Version>) -> Option<Affects> {
        let mut body = self.body;
        let intervals = body.length()?;
        let mut found = Affects::No;
        for number in 0..intervals {
            let lower = body.bytes()?;
            let upper = match body.u8()? {
                0 => Upper::Open,
                1 => Upper::Before(body.bytes()?),
                2 => Upper::UpTo(body.bytes()?),
                _ => return None,
            };
            let interval = Interval { lower, upper };
            if let Some(version) = version
                && found == Affects::No
                && interval.contains(version.key(), version.public_key())
            {
                found = Affects::Interval(number);
            }
        }
        let keys = body.length()?;
        for _ in 0..keys {
            let key = body.bytes()?;
            if let Some(version) = version
                && found == Affects::No
                && (key == version.key() || version.public_key() == Some(key))
            {
                found = Affects::Listed;
            }
        }
        let texts = body.length()?;
        for _ in 0..texts {
            if body.bytes()? == text.trim().as_bytes() && found == Affects::No {
                found = Affects::Listed;
            }
        }
        let unsure = (version.is_none() && intervals + keys > 0) || self.flags & UNDECIDABLE != 0;
        Some(if found == Affects::No && unsure { Affects::Unknown } else { found })
    }
}

impl std::fmt::Debug for Advisory<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Advisory").field("id", &self.id()).field("flags", &self.flags).finish_non_exhaustive()
    }
}

/// Reads the hot part forwards, checking each page before its bytes are used.
struct Source<'a> {
    layer: &'a Layer,
    loaded: &'a Loaded,
    at: u64,
}

impl<'a> Source<'a> {
    fn take(&mut self, length: usize) -> Result<&'a [u8], Damage> {
        let bytes = self.layer.sound(self.loaded, self.at, length)?;
        self.at += length as u64;
        Ok(bytes)
    }

    fn varint(&mut self) -> Result<u64, Damage> {
        let mut number = [0; 10];
        for at in 0..number.len() {
            number[at] = self.take(1)?.first().copied().unwrap_or_default();
            if number[at] < 0x80 {
                return Cursor(&number[..=at]).varint().ok_or_else(|| self.loaded.damage("a number"));
            }
        }
        Err(self.loaded.damage("a number"))
    }

    fn bytes(&mut self) -> Result<&'a [u8], Damage> {
        let length = usize::try_from(self.varint()?).map_err(|_| self.loaded.damage("an offset"))?;
        self.take(length)
    }
}
