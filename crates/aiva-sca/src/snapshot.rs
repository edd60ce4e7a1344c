//! What a scan read, kept so that new advisories can judge it without reading the folder again.
//!
//! Pure. Two halves: the inputs as they were, and a row for each distinct component with a digest of what the advisories said of
//! it. When advisories change, the rows alone tell who is affected; only then are the inputs judged again.
//!
//! Start reading at [`Snapshot::of`] and [`changed`].

use std::collections::{BTreeSet, HashMap};

use aiva_contracts::message::scan::v1 as message;
use prost::Message as _;
use rapidhash::v3::{RapidSecrets, rapidhash_v3_seeded};
use serde::{Deserialize, Deserializer};

use crate::advisory::{Damage, Index};
use crate::finding::{Finding, Verdict};
use crate::inventory::{Inventory, Kind};
use crate::left_out::LeftOut;
use crate::name::spelled;
use crate::package::{Ecosystem, Input, KindName, NotJudged, Package, Source, Status};
use crate::report;
use crate::scan::{ScanResult, scan};
use crate::service::Run;

/// The seed of digests: they are stored, so it never changes.
const SEED: u64 = 0x73_63_61;

/// A finished scan of one service, as it is kept.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Snapshot {
    /// The service.
    pub service: String,
    /// The scan, a UUIDv7: of two scans of a service the greater one is the later.
    pub scan: String,
    /// The inventory, deflated JSON behind its length; empty where the scan does not say what it read.
    pub body: Vec<u8>,
    /// What the scan found besides advisories, as a `FindingsObserved`.
    pub facts: Vec<u8>,
    /// What of the advisories' findings is left out, as a `LeftOut`.
    pub left_out: Vec<u8>,
    /// Each component once, in order.
    pub components: Vec<Component>,
}

/// Something that advisories can be about.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Component {
    /// The ecosystem as OSV names it.
    pub ecosystem: String,
    /// The package.
    pub name: String,
    /// Its version, or what a manifest allows.
    pub version: String,
    /// Whether it is one version and not a range.
    pub is_pinned: bool,
    /// What the advisories said of it; 0 for nothing.
    pub verdict: i64,
}

impl Component {
    /// Whether it is one of these packages, which are spelled as the index spells them.
    pub(crate) fn is_of(&self, packages: &BTreeSet<(Ecosystem, String)>) -> bool {
        self.ecosystem.parse::<Ecosystem>().is_ok_and(|ecosystem| {
            packages.contains(&(ecosystem.family(), spelled(ecosystem, &self.name).into_owned()))
        })
    }
}

/// What was kept, for another judgement.
#[derive(Debug, Clone)]
pub struct Kept {
    /// Everything that was read.
    pub inventory: Inventory,
    /// What was found besides advisories.
    pub facts: Vec<message::ObservedFinding>,
    /// What of the advisories' findings is left out.
    pub left_out: LeftOut,
}

#[derive(serde::Serialize)]
struct Written<'i> {
    inputs: &'i [Input],
    ignored: &'i [String],
}

#[derive(serde::Deserialize)]
struct Read {
    inputs: Vec<Input>,
    ignored: Vec<String>,
}

impl Snapshot {
    /// What to keep of a run.
    pub fn of(service: &str, scan: &str, run: &Run) -> Self {
        let inventory = &run.inventory;
        let body = Written { inputs: &inventory.inputs, ignored: &inventory.ignored_lockfiles };
        let json = serde_json::to_vec(&body).expect("strings and numbers can be written");
        let facts = run.result.findings.iter().filter(|finding| !is_advised(finding)).map(report::finding);
        let facts = message::FindingsObserved {
            findings: facts.chain(run.kept.iter().cloned()).collect(),
            ..Default::default()
        };
        let verdicts = verdicts(&run.result);
        let mut components: Vec<Component> = inventory.inputs.iter().flat_map(components_of).collect();
        components.sort();
        components.dedup();
        for one in &mut components {
            one.verdict = verdicts.get(&(one.ecosystem.as_str(), &*one.name, &*one.version)).copied().unwrap_or(0);
        }
        Self {
            service: service.to_owned(),
            scan: scan.to_owned(),
            body: deflate(&json),
            facts: facts.encode_to_vec(),
            left_out: run.left_out.said().encode_to_vec(),
            components,
        }
    }

    /// Of a scan that does not say what it read.
    pub fn unknown(service: &str, scan: &str) -> Self {
        Self { service: service.to_owned(), scan: scan.to_owned(), ..Self::default() }
    }
}

impl Kept {
    /// What [`Snapshot::of`] kept; `None` where another release kept it in another form.
    pub fn open(body: &[u8], facts: &[u8], left_out: &[u8]) -> Option<Self> {
        let json = inflate(body)?;
        let body: Read = serde_json::from_slice(&json).ok()?;
        let facts = message::FindingsObserved::decode(facts).ok()?.findings;
        let left_out = LeftOut::new(message::LeftOut::decode(left_out).ok()?);
        let inventory = Inventory { inputs: body.inputs, ignored_lockfiles: body.ignored, archives: 0 };
        Some(Self { inventory, facts, left_out })
    }
}

/// The components of which the advisories say something else now.
pub fn changed<'c>(components: &'c [Component], index: &Index) -> Result<Vec<&'c Component>, Damage> {
    let mut asked = Input {
        path: String::new(),
        kind: "".into(),
        status: Status::Parsed,
        packages: Vec::new(),
        not_judged: Vec::new(),
        problems: Vec::new(),
        edges: Vec::new(),
        signs: Vec::new(),
        asks: Vec::new(),
    };
    for one in components {
        let Ok(ecosystem) = one.ecosystem.parse::<Ecosystem>() else { continue };
        if one.is_pinned {
            asked.packages.push(Package::new(ecosystem, &one.name, &one.version, 1));
        } else {
            let range = NotJudged::new(ecosystem, &one.name, &one.version, 1, "");
            asked.not_judged.push(NotJudged { is_range: true, ..range });
        }
    }
    let result = scan(&[asked], index)?;
    let verdicts = verdicts(&result);
    let now =
        |one: &Component| verdicts.get(&(one.ecosystem.as_str(), &*one.name, &*one.version)).copied().unwrap_or(0);
    Ok(components.iter().filter(|one| now(one) != one.verdict).collect())
}

fn components_of(input: &Input) -> Vec<Component> {
    let component = |ecosystem: Ecosystem, name: &str, version: &str, is_pinned| Component {
        ecosystem: ecosystem.osv_name().to_owned(),
        name: name.to_owned(),
        version: version.to_owned(),
        is_pinned,
        verdict: 0,
    };
    let pinned = input.packages.iter().filter(|package| package.source == Source::Registry);
    let pinned = pinned.map(|one| component(one.ecosystem, &one.name, &one.version, true));
    let open = input.not_judged.iter().filter(|one| one.is_range);
    pinned.chain(open.map(|one| component(one.ecosystem, &one.name, &one.requirement, false))).collect()
}

/// Whether advisories say so; what a rule of ours says has no record.
fn is_advised(finding: &Finding) -> bool {
    !finding.verdict.records.is_empty()
}

/// What is said of each component, however often it occurs.
fn verdicts(result: &ScanResult) -> HashMap<(&'static str, &str, &str), i64> {
    let mut said: HashMap<(&'static str, &str, &str), BTreeSet<String>> = HashMap::new();
    for one in result.findings.iter().filter(|finding| is_advised(finding)) {
        said.entry((one.ecosystem.osv_name(), &one.name, &one.version)).or_default().insert(gist(&one.verdict));
    }
    for one in &result.can_resolve {
        let texts = one.verdicts.iter().map(|verdict| format!("possibly {}", gist(verdict)));
        said.entry((one.ecosystem.osv_name(), &one.name, &one.requirement)).or_default().extend(texts);
    }
    let digest = |texts: BTreeSet<String>| {
        let text = texts.into_iter().collect::<Vec<_>>().join("\n");
        rapidhash_v3_seeded(text.as_bytes(), &RapidSecrets::seed(SEED)).cast_signed()
    };
    said.into_iter().map(|(component, texts)| (component, digest(texts))).collect()
}

/// What of a verdict a stored digest depends on.
fn gist(verdict: &Verdict) -> String {
    let Verdict { id, aliases, fixed_versions, severity, .. } = verdict;
    format!("{id} {:?} {} {}", severity.level, aliases.join(","), fixed_versions.join(","))
}

fn deflate(bytes: &[u8]) -> Vec<u8> {
    let mut compressor = libdeflater::Compressor::new(libdeflater::CompressionLvl::fastest());
    let mut packed = vec![0; compressor.deflate_compress_bound(bytes.len())];
    let length = compressor.deflate_compress(bytes, &mut packed).expect("the bound is an upper one");
    packed.truncate(length);
    [&(bytes.len() as u64).to_le_bytes()[..], &packed].concat()
}

/// The largest inventory that is taken from the store, in bytes: our own database, but not beyond reason.
const LARGEST: u64 = 4 << 30;

fn inflate(bytes: &[u8]) -> Option<Vec<u8>> {
    let (length, packed) = bytes.split_at_checked(8)?;
    let length = u64::from_le_bytes(length.try_into().ok()?);
    let mut plain = vec![0; usize::try_from(Some(length).filter(|length| *length <= LARGEST)?).ok()?];
    let read = libdeflater::Decompressor::new().deflate_decompress(packed, &mut plain).ok()?;
    (read == plain.len()).then_some(plain)
}

/// The longest name of a kind of file that is kept (api: DocumentInput).
const LONGEST_KIND: usize = 100;

/// The name of a kind of file, for serde.
pub(crate) fn kind<'de, D: Deserializer<'de>>(deserializer: D) -> Result<KindName, D::Error> {
    Ok(kind_of(&String::deserialize(deserializer)?))
}

/// The name of a kind of file, as this release has it, or one that another release has.
pub(crate) fn kind_of(name: &str) -> KindName {
    match Kind::of("", name).filter(|kind| kind.name() == name) {
        Some(kind) => kind.name().into(),
        None => name.chars().take(LONGEST_KIND).collect::<String>().into(),
    }
}
