//! Puts what a base and its delta say together into a new base. It answers as they did, so that its epoch is theirs.

use std::collections::BTreeMap;
use std::path::Path;

use super::amend::AmendError;
use super::index::{BlockRef, Index, Layer, Loaded, document_at};
use super::layout::{Row, Spot, State};
use super::write::{Kind, Lock, Origin, Packer, Piece, SegmentBuilder, Writer};
use crate::package::Ecosystem;

/// A delta of more records than this, or than a tenth of the base's, is due.
const MOST_RECORDS: u64 = 20_000;
const LEAST_RECORDS: u64 = 1_000;
/// And one of more bytes than this: records that change again and again leave their old details behind.
const MOST_BYTES: u64 = 32 << 20;
/// Blocks that are unpacked and packed anew before they are written.
const AT_ONCE: usize = 256;

/// When to fold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fold {
    /// When the delta has grown: every change of it writes it anew.
    IfDue,
    /// When there is one.
    Always,
}

/// Folds the delta in `dir` into its base. Readers go on meanwhile. Answers whether it did.
pub fn fold(dir: &Path, when: Fold) -> Result<bool, AmendError> {
    let lock = Lock::take(dir)?;
    let index = Index::open(dir)?;
    let is_wanted = match when {
        Fold::IfDue => is_due(&index),
        Fold::Always => index.delta().is_some(),
    };
    if !is_wanted {
        return Ok(false);
    }
    let mut writer = Writer::create(&lock, Kind::Base)?;
    for (ecosystem, _) in index.segments() {
        fold_segment(&mut writer, &index, ecosystem)?;
    }
    writer.finish(index.epoch(), index.built_at().as_second())?;
    Ok(true)
}

fn is_due(index: &Index) -> bool {
    let Some(delta) = index.delta() else { return false };
    let rows = |layer: &Layer| layer.segments().map(|loaded| loaded.segment().row_count()).sum::<u64>();
    let most = (rows(index.base()) / 10).clamp(LEAST_RECORDS, MOST_RECORDS);
    rows(delta) > most || delta.bytes().len() as u64 > MOST_BYTES
}

/// Writes what an index has of an ecosystem as a segment of a base.
pub(super) fn fold_segment(writer: &mut Writer, index: &Index, ecosystem: Ecosystem) -> Result<(), AmendError> {
    let Some(base) = index.base().loaded(ecosystem) else { return Ok(()) };
    let changed = index.delta().and_then(|delta| Some((delta, delta.loaded(ecosystem)?)));
    let Some((layer, delta)) = changed else {
        return Ok(writer.copy_segment(index.base(), base, base.segment().into())?);
    };
    let origin = Origin::from(delta.segment());
    let above = layer.rows(delta)?;
    if above.is_empty() {
        return Ok(writer.copy_segment(index.base(), base, origin)?);
    }
    let (over, below): (Vec<Row>, Vec<Row>) = index.base().rows(base)?.iter().partition(|row| above.has(row.id));
    let above: Vec<Row> = above.iter().collect();
    let mut dirty: Vec<u32> = over.iter().filter_map(Row::spot).map(|spot| spot.block).collect();
    dirty.sort_unstable();
    let mut fold = Folding { writer, builder: SegmentBuilder::of_releases(&delta.segment().releases), records: 0 };
    fold.carry(index.base(), base, &below, |block| dirty.binary_search(&block).is_ok())?;
    // What a delta's blocks still hold of records that changed twice is left behind.
    fold.carry(layer, delta, &above, |_| true)?;
    let Folding { writer, builder, .. } = fold;
    writer.add_segment(ecosystem, builder, origin, None)?;
    Ok(())
}

struct Folding<'w> {
    writer: &'w mut Writer,
    builder: SegmentBuilder,
    records: u64,
}

impl Folding<'_> {
    /// Takes over the records of these rows, with the packages and documents that they have in a file.
    fn carry(
        &mut self,
        layer: &Layer,
        loaded: &Loaded,
        rows: &[Row],
        is_dirty: impl Fn(u32) -> bool,
    ) -> Result<(), AmendError> {
        let mut spots: Vec<Spot> = rows.iter().filter_map(Row::spot).collect();
        spots.sort_unstable();
        let moved = self.carry_documents(layer, loaded, &spots, is_dirty)?;
        let mut numbers: BTreeMap<Spot, u32> = BTreeMap::new();
        for row in rows.iter().filter(|row| row.state != State::Gone) {
            let spot = row.spot();
            let new = spot.and_then(|spot| Some(State::At(*moved.get(spots.binary_search(&spot).ok()?)?)));
            // Several rows of one id may count, one for each release; all rows here do.
            self.records += 1;
            let key = self.records.wrapping_mul(0x9E37_79B9_7F4A_7C15);
            let number = self.builder.open_record(key, Row { state: new.unwrap_or(row.state), ..*row });
            numbers.extend(spot.zip(number));
        }
        for entry in layer.packages(loaded) {
            let entry = entry?;
            for advisory in entry.advisories() {
                let (flags, spot, body) = advisory.raw();
                if let Some(number) = numbers.get(&spot) {
                    self.builder.add_package(*number, Piece { name: entry.name(), flags, body });
                }
            }
        }
        Ok(())
    }

    /// Copies clean blocks as they are and packs what counts of the others anew; answers with the new places of the documents.
    fn carry_documents(
        &mut self,
        layer: &Layer,
        loaded: &Loaded,
        spots: &[Spot],
        is_dirty: impl Fn(u32) -> bool,
    ) -> Result<Vec<Spot>, AmendError> {
        layer.want_all();
        let blocks: Vec<BlockRef> = layer.blocks(loaded.segment()).collect();
        let lost = || loaded.damage("its details");
        let mut moved = vec![Spot { block: 0, offset: 0 }; spots.len()];
        let mut waiting: Vec<(usize, &[Spot])> = Vec::new();
        let mut at = 0;
        for group in spots.chunk_by(|a, b| a.block == b.block) {
            let block = group.first().map_or(0, |spot| spot.block);
            let place = blocks.get(block as usize).ok_or_else(lost)?;
            if is_dirty(block) {
                waiting.push((at, group));
            } else {
                let number = self.builder.block_count();
                self.builder.add_block(self.writer.copy_block(layer, *place)?);
                for (new, old) in moved.iter_mut().skip(at).zip(group) {
                    *new = Spot { block: number, offset: old.offset };
                }
            }
            at += group.len();
        }
        for group in waiting.chunks(AT_ONCE) {
            let first = self.builder.block_count();
            let mut packer = Packer::new();
            for (at, spots) in group {
                let block = spots.first().and_then(|spot| blocks.get(spot.block as usize)).ok_or_else(lost)?;
                let text = layer.inflate(loaded, *block)?;
                for (new, old) in moved.iter_mut().skip(*at).zip(*spots) {
                    let spot = packer.push(document_at(&text, old.offset).ok_or_else(lost)?);
                    *new = Spot { block: first + spot.block, ..spot };
                }
            }
            packer.close();
            for block in &packer.blocks {
                self.builder.add_block(self.writer.add_block(block)?);
            }
        }
        Ok(moved)
    }
}
