//! Makes the list of known texts into data, and reads that data: names, and an inverted index from runs to names.
//!
//! Pure. Start reading at [`compile`] and [`List::open`].

use std::collections::BTreeMap;

use super::List;
use super::words::runs;

impl List {
    /// Reads what [`compile`] wrote; `None` if it is anything else.
    pub(super) fn open(bytes: &[u8]) -> Option<Self> {
        let (size, packed) = bytes.split_at_checked(4)?;
        let mut data = vec![0; u32::from_le_bytes(size.try_into().ok()?) as usize];
        let read = libdeflater::Decompressor::new().deflate_decompress(packed, &mut data).ok()?;
        let mut input = Input(data.get(..read)?);
        let mut list = Self::default();
        for _ in 0..input.number()? {
            let length = input.number()? as usize;
            list.names.push(String::from_utf8(input.take(length)?.to_vec()).ok()?);
            list.sizes.push(input.number()?);
        }
        for _ in 0..input.number()? {
            let mut group = Vec::new();
            for _ in 0..input.number()? {
                let licence = u16::try_from(input.number()?).ok()?;
                group.push(Some(licence).filter(|one| usize::from(*one) < list.names.len())?);
            }
            list.groups.push(group);
        }
        let runs = input.number()?;
        let mut last = 0_u32;
        for _ in 0..runs {
            last = last.checked_add(input.number()?)?;
            list.runs.push(last);
        }
        for _ in 0..runs {
            let group = input.number()?;
            list.group_of.push(Some(group).filter(|group| (*group as usize) < list.groups.len())?);
        }
        Some(list)
    }
}
/// Makes the data from names and texts. Names with the same words in their texts come as one, under the name that grants the
/// least: the text of the GPL says nothing of later versions, so it is `-only`.
pub fn compile<'t>(texts: impl Iterator<Item = (&'t str, &'t str)>) -> Vec<u8> {
    let mut by_runs: BTreeMap<Vec<u32>, &str> = BTreeMap::new();
    let all = texts.flat_map(|(name, text)| forms(name, text).map(move |form| (name, form)));
    let all: Vec<(String, &str)> = all.map(|(name, text)| (told(name), text)).collect();
    for (name, text) in &all {
        let runs = runs(text);
        if runs.is_empty() {
            continue;
        }
        let kept = by_runs.entry(runs).or_insert(name);
        let order = |name: &str| (!name.ends_with("-only"), name.len(), name.to_owned());
        if order(name) < order(kept) {
            *kept = name;
        }
    }
    let mut licences: Vec<(&str, Vec<u32>)> = by_runs.into_iter().map(|(runs, name)| (name, runs)).collect();
    licences.sort_unstable();
    let mut holders: BTreeMap<u32, Vec<u16>> = BTreeMap::new();
    for (at, (_, runs)) in (0_u16..).zip(&licences) {
        runs.iter().for_each(|run| holders.entry(*run).or_default().push(at));
    }
    let mut how_often: BTreeMap<&[u16], u32> = BTreeMap::new();
    holders.values().for_each(|group| *how_often.entry(group).or_default() += 1);
    let mut groups: Vec<(&[u16], u32)> = how_often.into_iter().collect();
    groups.sort_by_key(|(group, times)| (std::cmp::Reverse(*times), group.to_vec()));
    let number_of: BTreeMap<&[u16], u32> = (0..).zip(&groups).map(|(number, (group, _))| (*group, number)).collect();

    let mut out = Output(Vec::new());
    out.count(licences.len());
    for (name, runs) in &licences {
        out.count(name.len());
        out.0.extend_from_slice(name.as_bytes());
        out.count(runs.len());
    }
    out.count(groups.len());
    for (group, _) in &groups {
        out.count(group.len());
        group.iter().for_each(|licence| out.number(u32::from(*licence)));
    }
    out.count(holders.len());
    let mut last = 0;
    for run in holders.keys() {
        out.number(run - last);
        last = *run;
    }
    holders.values().for_each(|group| out.number(number_of[&group[..]]));
    let mut compressor = libdeflater::Compressor::new(libdeflater::CompressionLvl::best());
    let mut packed = vec![0; compressor.deflate_compress_bound(out.0.len())];
    let length = compressor.deflate_compress(&out.0, &mut packed).unwrap_or_default();
    packed.truncate(length);
    let size = u32::try_from(out.0.len()).unwrap_or_default();
    [&size.to_le_bytes()[..], &packed].concat()
}

/// Identifiers that the list has given up, and what it says instead: `obsoletedBy`, or its note. Of the rest that it has given up
/// the text is told as it is.
const REPLACED: [(&str, &str); 14] = [
    ("BSD-2-Clause-FreeBSD", "BSD-2-Clause-Views"),
    ("BSD-2-Clause-NetBSD", "BSD-2-Clause"),
    ("GPL-2.0-with-GCC-exception", "GPL-2.0-only WITH GCC-exception-2.0"),
    ("GPL-2.0-with-autoconf-exception", "GPL-2.0-only WITH Autoconf-exception-2.0"),
    ("GPL-2.0-with-bison-exception", "GPL-2.0-only WITH Bison-exception-2.2"),
    ("GPL-2.0-with-classpath-exception", "GPL-2.0-only WITH Classpath-exception-2.0"),
    ("GPL-2.0-with-font-exception", "GPL-2.0-only WITH Font-exception-2.0"),
    ("GPL-3.0-with-GCC-exception", "GPL-3.0-only WITH GCC-exception-3.1"),
    ("GPL-3.0-with-autoconf-exception", "GPL-3.0-only WITH Autoconf-exception-3.0"),
    ("Nunit", "zlib-acknowledgement"),
    ("StandardML-NJ", "SMLNJ"),
    ("bzip2-1.0.5", "bzip2-1.0.6"),
    ("eCos-2.0", "GPL-2.0-or-later WITH eCos-exception-2.0"),
    ("wxWindows", "GPL-2.0-or-later WITH WxWindows-exception-3.1"),
];

/// As what the text of an identifier is told. Of a family the name that grants the least: a bare text of the GPL, LGPL, AGPL or
/// GFDL says nothing of later versions, and the list's texts of `-only` and `-or-later` differ in nothing but how they were typed.
pub(super) fn told(name: &str) -> String {
    if let Some((_, now)) = REPLACED.iter().find(|(was, _)| *was == name) {
        return (*now).to_owned();
    }
    let base = name.strip_suffix("-or-later").or_else(|| name.strip_suffix('+')).unwrap_or(name);
    let only = format!("{base}-only");
    if spdx::license_id(&only).is_some() { only } else { name.to_owned() }
}

/// After these words a text says how to apply the licence or what it is for, and no more of the licence (SPDX matching guidelines,
/// section B.12).
const ENDS: [&str; 3] =
    ["END OF TERMS AND CONDITIONS", "END OF THE TERMS AND CONDITIONS", "END OF ACADEMIC FREE LICENSE"];

/// Notices that stand for the whole licence, where its text says so itself: how they begin and end.
const NOTICES: [(&str, &str, &str); 2] = [
    ("Apache-2.0", "Licensed under the Apache License, Version 2.0", "limitations under the License."),
    ("MPL-2.0", "This Source Code Form is subject to the terms of the Mozilla", "mozilla.org/MPL/2.0/."),
];

/// The LGPL from version 3 on is a supplement to the GPL, whose text the list appends; COPYING.LESSER is the supplement alone.
const SUPPLEMENT: &str = "LGPL-3.0";

/// The forms in which a licence's text is found: whole, without what only says how to apply it or is another licence, and as
/// its notice.
fn forms<'t>(name: &str, text: &'t str) -> impl Iterator<Item = &'t str> {
    let terms = ENDS.iter().find_map(|end| Some(&text[..text.find(end)? + end.len()]));
    let notice = NOTICES.iter().find(|(of, ..)| *of == name).and_then(|(_, from, to)| {
        let rest = &text[text.rfind(from)?..];
        Some(&rest[..rest.find(to)? + to.len()])
    });
    let supplement = name.starts_with(SUPPLEMENT).then(|| text.rfind("GNU GENERAL PUBLIC LICENSE")).flatten();
    let supplement = supplement.map(|end| &text[..end]);
    [Some(text), terms, notice, supplement].into_iter().flatten()
}
/// Numbers of one to five bytes.
struct Input<'d>(&'d [u8]);

impl<'d> Input<'d> {
    fn take(&mut self, length: usize) -> Option<&'d [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    fn number(&mut self) -> Option<u32> {
        let mut number = 0_u64;
        for shift in (0..35).step_by(7) {
            let byte = *self.take(1)?.first()?;
            number |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return u32::try_from(number).ok();
            }
        }
        None
    }
}

struct Output(Vec<u8>);

impl Output {
    fn number(&mut self, mut number: u32) {
        while number > 0x7f {
            self.0.push((number & 0x7f) as u8 | 0x80);
            number >>= 7;
        }
        self.0.push(number as u8);
    }

    fn count(&mut self, count: usize) {
        self.number(u32::try_from(count).unwrap_or(u32::MAX));
    }
}
