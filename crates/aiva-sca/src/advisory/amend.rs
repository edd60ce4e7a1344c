//! Changes an index record by record, in a small file beside the base: what an update of a thousand records costs does not
//! depend on how many there are.
//!
//! All or nothing, and readers never wait: they see the index before or after. A change of a delta writes it anew; when it has
//! grown, [`super::fold`] puts it into the base. Start reading at [`amend`].

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::path::Path;

use jiff::Timestamp;
use rayon::prelude::*;

use super::batch::{Batch, Listed, NAMED, Tally};
use super::compile::seconds;
use super::import::BadRecord;
use super::index::{Damage, Index, Layer, Loaded, OpenError};
use super::layout::{Row, Rows, Segment, Spot, State, id_hash, push_bytes, push_varint};
use super::write::{Change as Changed, Counts, Kind, Lock, Origin, Piece, SegmentBuilder, WriteError, Writer};
use crate::package::Ecosystem;

/// Records that one thread compiles at once.
const AT_ONCE: usize = 64;

/// What became of one record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Its id.
    pub id: String,
    /// When it changed, as its source lists it.
    pub modified: Timestamp,
    /// Its text; `None` if its source has it no more.
    pub record: Option<Vec<u8>>,
}

/// One ecosystem that was changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Amended {
    /// Which.
    pub ecosystem: Ecosystem,
    /// Records that are new or changed.
    pub changed: u64,
    /// Records that count no more: withdrawn, or gone from their source.
    pub ended: u64,
    /// Records that count now.
    pub records: u64,
}

/// What a change did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AmendReport {
    /// The ecosystems of which a record changed.
    pub amended: Vec<Amended>,
    /// Texts that are no OSV records, all of them. What was known under their ids counts no more.
    pub bad_count: u64,
    /// The first of them.
    pub bad: Vec<BadRecord>,
}

/// Why an index was not changed. It is as it was.
#[derive(Debug, thiserror::Error)]
pub enum AmendError {
    /// There is none.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// A part of it is damaged.
    #[error(transparent)]
    Damage(#[from] Damage),
    /// It has nothing of the ecosystem that a change is about: import that first.
    #[error("the advisory index has nothing on {0} that could be changed; import its advisories first")]
    Absent(Ecosystem),
    /// It could not be written.
    #[error(transparent)]
    Write(#[from] WriteError),
}

/// Notes that the ecosystems were compared with their sources and found unchanged, so that they count as fresh. Those that the
/// index lacks are passed over.
pub fn confirm(dir: &Path, ecosystems: &[Ecosystem], now: Timestamp) -> Result<(), AmendError> {
    amend(dir, &BTreeMap::new(), ecosystems, now).map(drop)
}

/// Changes the index in `dir` by what became of single records, whole distributions like any ecosystem. These ecosystems and
/// those in `compared` count as fresh.
///
/// A record is taken as its text says, whatever was known of its id before.
pub fn amend(
    dir: &Path,
    changes: &BTreeMap<Ecosystem, Vec<Change>>,
    compared: &[Ecosystem],
    now: Timestamp,
) -> Result<AmendReport, AmendError> {
    let lock = Lock::take(dir)?;
    let index = Index::open(dir)?;
    if let Some(absent) = changes.keys().find(|one| !index.is_amendable(**one)) {
        return Err(AmendError::Absent(*absent));
    }
    let writer = Writer::create(&lock, Kind::Delta(index.base().own_bond()))?;
    let mut job = Job { index: &index, writer, epoch: index.epoch() + 1, report: AmendReport::default() };
    for base in index.base().segments() {
        let ecosystem = base.ecosystem();
        let changes = changes.get(&ecosystem).map(Vec::as_slice).unwrap_or_default();
        let is_fresh = !changes.is_empty() || compared.contains(&ecosystem);
        let delta = index.delta().and_then(|delta| Some((delta, delta.loaded(ecosystem)?)));
        let mut origin = Origin::from(delta.map_or(base, |(_, delta)| delta).segment());
        if is_fresh {
            origin.imported_at = now.as_second();
        }
        match delta {
            Some((layer, delta)) if changes.is_empty() => job.writer.copy_segment(layer, delta, origin)?,
            None if changes.is_empty() && !is_fresh => {}
            None if changes.is_empty() => job.refresh(base, origin)?,
            delta => job.change(base, delta, changes, origin)?,
        }
    }
    let Job { writer, epoch, report, .. } = job;
    writer.finish(epoch, now.as_second())?;
    Ok(report)
}

struct Job<'i> {
    index: &'i Index,
    writer: Writer,
    epoch: u64,
    report: AmendReport,
}

/// The delta of before and its segment.
type Before<'i> = Option<(&'i Layer, &'i Loaded)>;

impl Job<'_> {
    /// A segment that changes nothing but the time.
    fn refresh(&mut self, base: &Loaded, origin: Origin) -> Result<(), AmendError> {
        let segment = base.segment();
        let change = Changed {
            counts: Counts {
                records: segment.records,
                withdrawn: segment.withdrawn,
                newest: u32::try_from(segment.newest_modified).unwrap_or(0),
            },
            packages: segment.packages,
            ..Changed::default()
        };
        let builder = SegmentBuilder::of_releases(&segment.releases);
        self.writer.add_segment(base.ecosystem(), builder, origin, Some(change))?;
        Ok(())
    }

    fn change(
        &mut self,
        base: &Loaded,
        before: Before<'_>,
        changes: &[Change],
        origin: Origin,
    ) -> Result<(), AmendError> {
        let ecosystem = base.ecosystem();
        let counted = before.map_or(base, |(_, delta)| delta).segment();
        let ids: HashSet<u64> = changes.iter().map(|change| id_hash(&change.id)).collect();
        let older = before.map_or(Ok(Rows::default()), |(layer, delta)| layer.rows(delta))?;
        let below = self.index.base().rows(base)?;

        let mut builder = SegmentBuilder::of_releases(&counted.releases);
        if let Some((layer, delta)) = before {
            self.carry(layer, delta, older.iter().filter(|row| !ids.contains(&row.id)), &mut builder)?;
        }
        let mut touched = self.known_names(base, before, &ids, (below, older))?;
        touched.extend(self.compile(ecosystem, changes, &mut builder)?);

        let rows = builder.rows();
        let over: Vec<Row> = rows.iter().flat_map(|row| below.about(row.id)).collect();
        let mut spots: Vec<Spot> = over.iter().filter_map(Row::spot).collect();
        spots.sort_unstable();
        let counts = counts(base.segment(), below, &over, &rows);
        let packages = self.count_packages(ecosystem, &touched, &spots, &builder.names(), counted.packages)?;
        let names = self.names(before, touched)?;
        let mine = |row: &&Row| ids.contains(&row.id);
        let live = rows.iter().filter(mine).filter(|row| row.spot().is_some()).count() as u64;
        self.report.amended.push(Amended {
            ecosystem,
            changed: live,
            ended: ids.len() as u64 - live,
            records: counts.records,
        });
        let spots = spots.iter().flat_map(|spot| spot.encode()).collect();
        self.writer.add_segment(ecosystem, builder, origin, Some(Changed { spots, names, rows, counts, packages }))?;
        Ok(())
    }

    /// Takes over what the delta of before has of the records that do not change now.
    fn carry(
        &mut self,
        layer: &Layer,
        delta: &Loaded,
        rows: impl Iterator<Item = Row>,
        builder: &mut SegmentBuilder,
    ) -> Result<(), AmendError> {
        self.writer.copy_blocks(layer, delta, builder)?;
        let mut numbers: BTreeMap<Spot, u32> = BTreeMap::new();
        for row in rows {
            numbers.extend(row.spot().zip(builder.open_record(row.id, row)));
        }
        for entry in layer.packages(delta) {
            let entry = entry?;
            for advisory in entry.advisories() {
                let (flags, spot, body) = advisory.raw();
                if let Some(number) = numbers.get(&spot) {
                    builder.add_package(*number, Piece { name: entry.name(), flags, body });
                }
            }
        }
        Ok(())
    }

    /// Takes in the texts; answers with the names of the packages that they are about.
    fn compile(
        &mut self,
        ecosystem: Ecosystem,
        changes: &[Change],
        builder: &mut SegmentBuilder,
    ) -> Result<BTreeSet<String>, AmendError> {
        let read = |changes: &[Change]| {
            let mut batch = Batch::new();
            for Change { id, modified, record } in changes {
                let listed = Listed { id, modified: seconds(*modified) };
                if let Some(text) = record {
                    let name = || format!("{ecosystem}/{id}");
                    batch.take(name, text, &[ecosystem], Some(ecosystem), Some(listed));
                }
            }
            batch.close();
            batch
        };
        let mut tally = Tally::default();
        let mut names = BTreeSet::new();
        let batches: Vec<Batch> = changes.par_chunks(AT_ONCE).map(read).collect();
        for batch in batches {
            tally.add(&batch);
            for part in batch.parts.into_values() {
                names.extend(part.names().map(str::to_owned));
                part.write(&mut self.writer, builder)?;
            }
        }
        for Change { id, modified, record } in changes {
            let id = id_hash(id);
            if !builder.has(id) {
                // What is bad or about something else is remembered, so that it is not asked for again.
                let state = if record.is_some() { State::Nothing } else { State::Gone };
                builder.open_record(id, Row { id, modified: seconds(*modified), state });
            }
        }
        self.report.bad_count += tally.bad_count;
        let room = NAMED.saturating_sub(self.report.bad.len());
        self.report.bad.extend(tally.bad.into_iter().take(room));
        Ok(names)
    }

    /// The names of the packages that these records were about until now.
    fn known_names(
        &self,
        base: &Loaded,
        before: Before<'_>,
        ids: &HashSet<u64>,
        (below, older): (Rows<'_>, Rows<'_>),
    ) -> Result<BTreeSet<String>, AmendError> {
        let spots = |rows: Rows<'_>, ids: &mut dyn Iterator<Item = &u64>| -> Vec<Spot> {
            ids.flat_map(|id| rows.about(*id)).filter_map(|row| row.spot()).collect()
        };
        let in_base = spots(below, &mut ids.iter().filter(|id| !older.has(**id)));
        let mut names: BTreeSet<String> = self.index.base().names_at(base, in_base)?.into_iter().collect();
        if let Some((layer, delta)) = before {
            names.extend(layer.names_at(delta, spots(older, &mut ids.iter()))?);
        }
        Ok(names)
    }

    /// How many packages there are, from how many there were: only those that are touched can come and go.
    fn count_packages(
        &self,
        ecosystem: Ecosystem,
        touched: &BTreeSet<String>,
        spots: &[Spot],
        above: &BTreeSet<String>,
        counted: u64,
    ) -> Result<u64, AmendError> {
        let mut packages = counted;
        for name in touched {
            let was = self.index.entry_as_spelled(ecosystem, name)?.is_some();
            let stays = self.index.base_entry(ecosystem, name)?;
            let stays = stays.is_some_and(|entry| entry.without(|spot| spots.binary_search(&spot).is_ok()).is_some());
            match (was, stays || above.contains(name)) {
                (false, true) => packages += 1,
                (true, false) => packages = packages.saturating_sub(1),
                (true, true) | (false, false) => {}
            }
        }
        Ok(packages)
    }

    /// The table of names, with those that are touched now.
    fn names(&self, before: Before<'_>, touched: BTreeSet<String>) -> Result<Vec<u8>, AmendError> {
        let mut names: BTreeMap<String, u64> = BTreeMap::new();
        if let Some((layer, delta)) = before {
            names.extend(layer.changed_names(delta)?.map(|(epoch, name)| (name.to_owned(), epoch)));
        }
        names.extend(touched.into_iter().map(|name| (name, self.epoch)));
        let mut bytes = Vec::new();
        for (name, epoch) in &names {
            push_varint(&mut bytes, *epoch);
            push_bytes(&mut bytes, name.as_bytes());
        }
        Ok(bytes)
    }
}

/// What counts of base and delta together: the base without what is over, and the delta.
fn counts(base: &Segment, below: Rows<'_>, over: &[Row], rows: &[Row]) -> Counts {
    let (ended, new) = (Counts::of(over), Counts::of(rows));
    let known = u32::try_from(base.newest_modified).unwrap_or(0);
    let newest = if ended.newest < known {
        known
    } else {
        // The newest of before has ended, so that another one is.
        let ids: HashSet<u64> = over.iter().map(|row| row.id).collect();
        let left = below.iter().filter(|row| !ids.contains(&row.id) && row.spot().is_some());
        left.map(|row| row.modified).max().unwrap_or(0)
    };
    Counts {
        records: base.records.saturating_sub(ended.records) + new.records,
        withdrawn: base.withdrawn.saturating_sub(ended.withdrawn) + new.withdrawn,
        newest: newest.max(new.newest),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::super::write::LEFT;
    use super::super::{Fold, fold, import};
    use super::*;

    const NPM: Ecosystem = Ecosystem::Npm;

    fn now() -> Timestamp {
        "2026-11-21T12:00:00Z".parse().unwrap()
    }

    fn text(id: &str, name: &str, fixed: &str) -> Vec<u8> {
        format!(
            "{{\"id\":\"{id}\",\"modified\":\"2026-01-01T00:00:00Z\",\"affected\":[{{\"package\":{{\"ecosystem\":\"npm\",\
             \"name\":\"{name}\"}},\"ranges\":[{{\"type\":\"SEMVER\",\"events\":[{{\"introduced\":\"0\"}},\
             {{\"fixed\":\"{fixed}\"}}]}}]}}]}}"
        )
        .into_bytes()
    }

    fn changes(all: &[(&str, Option<Vec<u8>>)]) -> BTreeMap<Ecosystem, Vec<Change>> {
        let change = |(id, record): &(&str, Option<Vec<u8>>)| Change {
            id: (*id).to_owned(),
            modified: now(),
            record: record.clone(),
        };
        [(NPM, all.iter().map(change).collect())].into()
    }

    /// A dozen records and, if asked for, a change of each.
    fn world(with_delta: bool) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        let source = dir.path().join("npm");
        fs::create_dir(&source).unwrap();
        let ids: Vec<String> = (0..12).map(|at| format!("R-{at}")).collect();
        ids.iter().for_each(|id| fs::write(source.join(format!("{id}.json")), text(id, id, "2.0.0")).unwrap());
        import(&[source], dir.path(), now(), &|_| {}).unwrap();
        if with_delta {
            let all: Vec<(&str, Option<Vec<u8>>)> = ids.iter().map(|id| (&**id, Some(text(id, id, "3.0.0")))).collect();
            amend(dir.path(), &changes(&all), &[], now()).unwrap();
        }
        dir
    }

    /// What the index says of some packages, and its epoch.
    fn answers(dir: &Path) -> (u64, Vec<String>) {
        let index = Index::open(dir).unwrap();
        index.verify().unwrap();
        let told = ["R-0", "R-7", "new"].map(|name| match index.entry(NPM, name).unwrap() {
            Some(entry) => entry.advisories().iter().map(|one| format!("{:?}", one.details().unwrap())).collect(),
            None => String::new(),
        });
        (index.epoch(), told.to_vec())
    }

    /// Cuts the work after every step it takes; what is there then must answer as before or as after.
    #[track_caller]
    fn cut_everywhere(with_delta: bool, work: impl Fn(&Path) -> bool) {
        let whole = world(with_delta);
        let before = answers(whole.path());
        assert!(work(whole.path()));
        let after = answers(whole.path());
        for steps in 0..100 {
            let dir = world(with_delta);
            LEFT.set(Some(steps));
            let is_done = work(dir.path());
            LEFT.set(None);
            let found = answers(dir.path());
            assert!(found == before || found == after, "{steps}: {found:?}");
            // Whatever was left there hinders nobody.
            assert!(work(dir.path()), "{steps}");
            assert_eq!(answers(dir.path()).1, after.1, "{steps}");
            if is_done {
                assert!(steps > 5, "{steps}");
                return;
            }
        }
        panic!("no end");
    }

    #[test]
    fn an_amendment_that_is_cut_leaves_the_old_or_the_new_state() {
        for with_delta in [false, true] {
            cut_everywhere(with_delta, |dir| {
                let all = [
                    ("R-0", None),
                    ("R-7", Some(text("R-7", "R-7", "4.0.0"))),
                    ("N-1", Some(text("N-1", "new", "1.0.0"))),
                ];
                amend(dir, &changes(&all), &[], now()).is_ok()
            });
        }
    }

    #[test]
    fn a_fold_that_is_cut_leaves_the_old_or_the_new_state() {
        cut_everywhere(true, |dir| fold(dir, Fold::Always).is_ok());
    }

    #[test]
    fn an_import_that_is_cut_leaves_the_old_or_the_new_state() {
        cut_everywhere(true, |dir| {
            let source = dir.join("PyPI");
            fs::create_dir_all(&source).unwrap();
            let record = String::from_utf8(text("P-1", "new", "1.0.0")).unwrap().replace("npm", "PyPI");
            fs::write(source.join("P-1.json"), record.replace("SEMVER", "ECOSYSTEM")).unwrap();
            import(&[source], dir, now(), &|_| {}).is_ok()
        });
    }
}
