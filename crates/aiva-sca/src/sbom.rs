//! A bill of materials of one scan: what was found where, who needs whom, what is vulnerable. Written as CycloneDX 1.6
//! ([`cyclonedx`], [`cyclonedx_xml`]) and SPDX 2.3 and 3.0.1 ([`spdx`], [`spdx3`]).
//!
//! Pure and deterministic: the same inputs and findings give the same text, to the byte, but for the time. The serial number is
//! made of the content, so that the same materials have the same number. A package is one component, however many files name
//! it; every place is kept as evidence. What is not the public package of its name (a workspace member, a git checkout) gets no
//! plain package URL: no reader may take it for the public one.

mod cyclonedx;
mod cyclonedx_xml;
mod licences;
mod spdx;
mod spdx3;

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use aiva_contracts::api::{
    DocumentCanResolve, DocumentFinding, DocumentInput, DocumentPossible, DocumentStatement, FindingKind, ScanDocument,
    Severity, StatementStatus,
};
use jiff::Timestamp;
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

pub use cyclonedx::cyclonedx;
pub use cyclonedx_xml::cyclonedx_xml;
pub use spdx::spdx;
pub use spdx3::spdx3;

use crate::depth::Depth;
use crate::inventory::stronger;
use crate::package::{Ecosystem, Input, Package, Scope, Source, Status};
use crate::purl::purl;
use licences::Own;

/// What a bill is made of beside the scan.
#[derive(Debug, Clone, Copy)]
pub struct Made<'a> {
    /// What was scanned, by name.
    pub target: &'a str,
    /// The release of AIVA.
    pub version: &'a str,
    /// When the bill was made.
    pub at: Timestamp,
}

/// A bill of materials, in no format yet.
#[derive(Debug, Clone)]
pub struct Bom<'a> {
    made: Made<'a>,
    files: Vec<File<'a>>,
    components: Vec<Component<'a>>,
    /// Who needs whom, by place in `components`.
    edges: BTreeMap<usize, BTreeSet<usize>>,
    vulnerabilities: Vec<Vulnerability<'a>>,
}

/// A file that names packages.
#[derive(Debug, Clone)]
struct File<'a> {
    input: &'a Input,
    reference: String,
    /// What the file leads to: its roots where it tells who needs whom, else everything.
    leads_to: BTreeSet<usize>,
    /// Whether the edges below it are known.
    has_graph: bool,
}

/// A package at one version from one origin.
#[derive(Debug, Clone)]
struct Component<'a> {
    reference: String,
    /// Only where the package is one that others can find by it.
    purl: Option<String>,
    ecosystem: Ecosystem,
    name: &'a str,
    version: &'a str,
    source: Source,
    scope: Scope,
    /// The licences that the files state, verbatim.
    licences: BTreeSet<&'a str>,
    /// Those that the package itself gives.
    own: Own,
    places: BTreeSet<(&'a str, u32)>,
    /// Whether a project asks for it.
    depth: Depth,
    /// What the graph of the bill alone says of that.
    drawn: Depth,
}

/// One advisory with all that it affects in one way.
#[derive(Debug, Clone)]
struct Vulnerability<'a> {
    reference: String,
    finding: Cow<'a, DocumentFinding>,
    affects: BTreeSet<usize>,
    /// By package: the functions that the advisory names, and how many more there are.
    symbols: BTreeMap<String, (Vec<String>, u64)>,
}

impl Vulnerability<'_> {
    /// What is said besides in the form that a bill has for it, as names and values: the affected functions.
    fn properties(&self) -> Vec<(&'static str, String)> {
        let mut told = BTreeSet::new();
        let all = self.symbols.values().flat_map(|(names, _)| names).filter(|name| told.insert(name.as_str()));
        let mut properties: Vec<_> = all.map(|name| ("aiva:symbol", name.clone())).collect();
        let more: u64 = self.symbols.values().map(|(_, more)| more).sum();
        properties.extend((more > 0).then(|| ("aiva:more-symbols", more.to_string())));
        properties
    }
}

impl<'a> Bom<'a> {
    /// The bill of what was read and found.
    pub fn new(inputs: &'a [Input], document: &'a ScanDocument, made: Made<'a>) -> Self {
        let mut bom = Self {
            made,
            files: Vec::new(),
            components: Vec::new(),
            edges: BTreeMap::new(),
            vulnerabilities: Vec::new(),
        };
        let mut known: HashMap<String, usize> = HashMap::new();
        let mut by_place: HashMap<(&str, String), usize> = HashMap::new();
        for input in inputs {
            bom.add_input(input, &mut known, &mut by_place);
        }
        bom.draw();
        bom.add_vulnerabilities(document, &by_place);
        bom
    }

    fn add_input(
        &mut self,
        input: &'a Input,
        known: &mut HashMap<String, usize>,
        by_place: &mut HashMap<(&'a str, String), usize>,
    ) {
        let mut at_place = Vec::with_capacity(input.packages.len());
        for package in &input.packages {
            let at = self.component(input, package, known);
            by_place.insert((&input.path, purl(package.ecosystem, &package.name, &package.version)), at);
            at_place.push(at);
        }
        let mut leads_to = BTreeSet::new();
        let has_graph = !input.edges.is_empty();
        for (package, at) in input.packages.iter().zip(&at_place) {
            if !has_graph || package.direct != Some(false) {
                leads_to.insert(*at);
            }
        }
        for (from, to) in &input.edges {
            if let (Some(from), Some(to)) = (at_place.get(*from as usize), at_place.get(*to as usize))
                && from != to
            {
                self.edges.entry(*from).or_default().insert(*to);
            }
        }
        for entry in input.not_judged.iter().filter(|entry| !entry.is_settled) {
            let at = self.open_component(input, entry, known);
            by_place.insert((&input.path, purl(entry.ecosystem, &entry.name, "")), at);
            leads_to.insert(at);
        }
        self.files.push(File { input, reference: format!("file:{}", input.path), leads_to, has_graph });
    }

    fn component(&mut self, input: &'a Input, package: &'a Package, known: &mut HashMap<String, usize>) -> usize {
        let located = located(package);
        let reference = match &located {
            Some(purl) => purl.clone(),
            // Two members of one name in two workspaces are two.
            None => {
                format!("own:{}:{}/{}@{}", input.path, package.ecosystem.purl_type(), package.name, package.version)
            }
        };
        let at = *known.entry(reference.clone()).or_insert_with(|| {
            self.components.push(Component {
                reference,
                purl: located,
                ecosystem: package.ecosystem,
                name: &package.name,
                version: &package.version,
                source: package.source.clone(),
                scope: package.scope,
                licences: BTreeSet::new(),
                own: Own::default(),
                places: BTreeSet::new(),
                depth: Depth::Transitive,
                drawn: Depth::Unknown,
            });
            self.components.len() - 1
        });
        let component = &mut self.components[at];
        component.depth = component.depth.min(package.direct.into());
        component.scope = stronger(component.scope, package.scope);
        component.licences.extend(package.licenses.iter().map(String::as_str));
        component.places.insert((&input.path, package.line));
        at
    }

    /// Notes what a reader can tell of each component by who leads to it. A file without a graph leads to all that it names; what
    /// has no package URL leads on to what it needs.
    fn draw(&mut self) {
        for at in self.edges.values().flatten() {
            if let Some(component) = self.components.get_mut(*at) {
                component.drawn = Depth::Transitive;
            }
        }
        let mut left: Vec<usize> = self.files.iter().flat_map(|file| &file.leads_to).copied().collect();
        while let Some(at) = left.pop() {
            let Some(component) = self.components.get_mut(at) else { continue };
            if component.drawn != Depth::Direct {
                component.drawn = Depth::Direct;
                let needs = self.edges.get(&at).filter(|_| component.purl.is_none());
                left.extend(needs.into_iter().flatten());
            }
        }
    }

    /// What a manifest asks for without a pin: known by name, not by version.
    fn open_component(
        &mut self,
        input: &'a Input,
        entry: &'a crate::package::NotJudged,
        known: &mut HashMap<String, usize>,
    ) -> usize {
        let plain = purl(entry.ecosystem, &entry.name, "");
        let at = *known.entry(plain.clone()).or_insert_with(|| {
            self.components.push(Component {
                reference: plain.clone(),
                purl: entry.is_range.then_some(plain),
                ecosystem: entry.ecosystem,
                name: &entry.name,
                version: "",
                source: Source::Registry,
                scope: entry.scope,
                licences: BTreeSet::new(),
                own: Own::default(),
                places: BTreeSet::new(),
                depth: Depth::Unknown,
                drawn: Depth::Unknown,
            });
            self.components.len() - 1
        });
        let component = &mut self.components[at];
        component.scope = stronger(component.scope, entry.scope);
        component.places.insert((&input.path, entry.line));
        at
    }

    fn add_vulnerabilities(&mut self, document: &'a ScanDocument, by_place: &HashMap<(&'a str, String), usize>) {
        let mut grouped: BTreeMap<(String, String), Vulnerability<'a>> = BTreeMap::new();
        // What a rule of ours says of a licence or of a lockfile is no vulnerability.
        let is_advisory =
            |finding: &&DocumentFinding| !matches!(finding.kind, FindingKind::License | FindingKind::SupplyChain);
        let found = document.findings.iter().filter(is_advisory).map(Cow::Borrowed);
        for finding in found.chain(possible(document).map(Cow::Owned)) {
            let at = by_place.get(&(finding.path.as_str(), finding.purl.clone())).copied();
            let way = format!("{:?} {:?}", finding.acceptance, finding.statement);
            let (names, more) = (finding.symbols.clone(), finding.more_symbols.unwrap_or_default());
            let package = (!names.is_empty()).then(|| finding.name.clone());
            let group = grouped.entry((finding.id.clone(), way)).or_insert_with(|| Vulnerability {
                reference: String::new(),
                finding,
                affects: BTreeSet::new(),
                symbols: BTreeMap::new(),
            });
            group.affects.extend(at);
            group.symbols.extend(package.map(|package| (package, (names, more))));
        }
        let mut count: HashMap<String, usize> = HashMap::new();
        for ((id, _), one) in grouped {
            let number = count.entry(id.clone()).or_insert(0);
            *number += 1;
            let reference = if *number == 1 { format!("vuln:{id}") } else { format!("vuln:{id}#{number}") };
            self.vulnerabilities.push(Vulnerability { reference, ..one });
        }
    }

    /// Whether everything that was seen was read and pinned.
    fn is_complete(&self) -> bool {
        let whole = |input: &Input| input.status == Status::Parsed && input.not_judged.iter().all(|one| one.is_settled);
        self.files.iter().all(|file| whole(file.input))
    }

    fn created(&self) -> String {
        self.made.at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
    }
}

/// What a range without a pin can resolve to: a bill has no word for it but that nobody has said yet whether it is affected.
fn possible(document: &ScanDocument) -> impl Iterator<Item = DocumentFinding> {
    let of_input = |input: &DocumentInput| {
        let of_entry = |entry: &DocumentCanResolve| {
            let all = entry.advisories.iter().filter_map(|advisory| possibility(&input.path, entry, advisory));
            all.collect::<Vec<_>>()
        };
        input.can_resolve.iter().flat_map(of_entry).collect::<Vec<_>>()
    };
    document.inputs.iter().flat_map(of_input)
}

fn possibility(path: &str, entry: &DocumentCanResolve, advisory: &DocumentPossible) -> Option<DocumentFinding> {
    let ecosystem: Ecosystem = entry.ecosystem.parse().ok()?;
    let end = match (&entry.safe_from, &entry.safe_after) {
        (Some(version), _) => format!("from {version} on it cannot"),
        (None, Some(version)) => format!("later than {version} it cannot"),
        (None, None) if entry.never_safe == Some(true) => "none that it allows is free of known ones".to_owned(),
        (None, None) => "none that it allows is known from which on all are safe".to_owned(),
    };
    let detail = format!("{} can resolve to an affected version; {end}", entry.requirement);
    Some(DocumentFinding {
        id: advisory.id.clone(),
        aliases: advisory.aliases.clone(),
        fingerprint: format!("{:0>32}", short(&advisory.id)).parse().ok()?,
        purl: purl(ecosystem, &entry.name, ""),
        name: entry.name.clone(),
        version: entry.requirement.clone(),
        ecosystem: entry.ecosystem.clone(),
        path: path.to_owned(),
        line: entry.line,
        kind: advisory.kind,
        severity: Severity { level: advisory.severity, score: None, vector: None },
        fixed_versions: entry.safe_from.iter().cloned().collect(),
        last_affected: entry.safe_after.clone(),
        summary: advisory.summary.clone(),
        description: String::new(),
        references: Vec::new(),
        symbols: Vec::new(),
        more_symbols: None,
        reason: None,
        column: None,
        direct: None,
        scope: None,
        matched: Vec::new(),
        paths: None,
        priority: None,
        statement: Some(DocumentStatement {
            status: StatementStatus::UnderInvestigation,
            justification: None,
            detail: Some(detail),
            author: None,
            document: "aiva".to_owned(),
        }),
        known: advisory.known,
        acceptance: None,
    })
}

impl Component<'_> {
    /// Whether a project asks for it, where the graph would say otherwise.
    fn depth(&self) -> Option<Depth> {
        let is_package = self.purl.is_some() && !self.version.is_empty();
        (is_package && self.depth != self.drawn).then_some(self.depth)
    }
}

/// Where others find the package; `None` for the project's own. What a distribution's package was built from is said as Syft says
/// it: most advisories are about that, so a bill without it could not be judged again.
fn located(package: &Package) -> Option<String> {
    let plain = purl(package.ecosystem, &package.name, &package.version);
    if let Some(from) = package.built_from() {
        let between = if plain.contains('?') { '&' } else { '?' };
        return Some(format!("{plain}{between}upstream={}%40{}", encoded(&from.name), encoded(&from.version)));
    }
    let qualified = |key: &str, value: &str| Some(format!("{plain}?{key}={}", encoded(value)));
    match &package.source {
        Source::Registry => Some(plain),
        Source::PrivateRegistry(address) => qualified("repository_url", address),
        Source::Git(address) => {
            let scheme = if address.starts_with("git+") { "" } else { "git+" };
            qualified("vcs_url", &format!("{scheme}{address}"))
        }
        Source::Url(address) => qualified("download_url", address),
        Source::Path(_) => None,
    }
}

/// A qualifier's value in a package URL: percent-encoded but for what purl-spec lets stand.
fn encoded(text: &str) -> String {
    text.bytes().fold(String::with_capacity(text.len()), |mut out, byte| {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'.' | b'-' | b'_' | b'~' | b':' | b'/' => {
                out.push(char::from(byte))
            }
            byte => out.push_str(&format!("%{byte:02X}")),
        }
        out
    })
}

/// A UUID made of content (RFC 9562 §5.8): the same content has the same number.
fn number_of(content: &str) -> Uuid {
    let digest = Sha256::digest(content.as_bytes());
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest[..16]);
    uuid::Builder::from_custom_bytes(bytes).into_uuid()
}

/// A short name for a reference, of letters and digits only, the same in every bill.
fn short(reference: &str) -> String {
    Sha256::digest(reference.as_bytes())[..8].iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Where to read of an advisory.
fn address(id: &str) -> String {
    match id.split('-').next() {
        Some("CVE") => format!("https://nvd.nist.gov/vuln/detail/{id}"),
        Some("GHSA") => format!("https://github.com/advisories/{id}"),
        Some("RUSTSEC") => format!("https://rustsec.org/advisories/{id}.html"),
        Some("GO") => format!("https://pkg.go.dev/vuln/{id}"),
        _ => format!("https://osv.dev/vulnerability/{}", encoded(id)),
    }
}

/// The database that an id comes from.
fn database(id: &str) -> &'static str {
    match id.split('-').next() {
        Some("CVE") => "NVD",
        Some("GHSA") => "GitHub Advisory Database",
        Some("RUSTSEC") => "RustSec",
        Some("GO") => "Go Vulnerability Database",
        Some("PYSEC") => "PyPI Advisory Database",
        _ => "OSV",
    }
}

/// References that a reader may follow.
fn web(finding: &DocumentFinding) -> impl Iterator<Item = &str> {
    let is_address = |text: &&str| {
        let web = text.starts_with("https://") || text.starts_with("http://");
        web && text.bytes().all(|byte| {
            byte.is_ascii_graphic() && !matches!(byte, b'"' | b'<' | b'>' | b'\\' | b'^' | b'`' | b'{' | b'|' | b'}')
        })
    };
    finding.references.iter().map(String::as_str).filter(is_address)
}
