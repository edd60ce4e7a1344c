//! What a statement speaks of, and whether a package is that.

use super::vers::{NotRange, Range, version};
use crate::purl::pypi_name;

/// A product, or a part of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Product {
    /// The package that is spoken of.
    package: Reference,
    /// The product that it is a part of, as the document names it; nothing where the package is the product.
    within: Vec<String>,
    /// The versions that are meant, where the document gives some beside the package URL.
    only: Option<Vec<Versions>>,
    /// Those that are not.
    but: Vec<Versions>,
}

/// Some versions of a package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Versions {
    One(String),
    Range(Range),
}

impl Product {
    /// A package that is the product itself; `None` where the text is no package URL.
    pub(super) fn package(purl: &str) -> Option<Self> {
        Some(Self { package: Reference::parse(purl)?, within: Vec::new(), only: None, but: Vec::new() })
    }

    /// A package as a part of a product that goes by these names.
    pub(super) fn part(purl: &str, within: Vec<String>) -> Option<Self> {
        Some(Self { within, ..Self::package(purl)? })
    }

    /// The same, but only these versions, without those.
    pub(super) fn only(self, only: Vec<Versions>, but: Vec<Versions>) -> Self {
        Self { only: Some(only), but, ..self }
    }

    /// The range of versions of this package that a text writes.
    pub(super) fn range(&self, text: &str) -> Result<Versions, NotRange> {
        Range::parse(text, &self.package.kind).map(Versions::Range)
    }

    /// Whether a package is meant; `product` names what is scanned, where that is known.
    pub fn is(&self, purl: &str, product: Option<&str>) -> bool {
        let Some(package) = Reference::parse(purl) else { return false };
        let ours = match product {
            Some(product) if !self.within.is_empty() => self.within.iter().any(|name| name == product),
            _ => true,
        };
        let is_meant = |all: &[Versions]| all.iter().any(|versions| versions.hold(&package));
        ours && self.package.covers(&package) && self.only.as_deref().is_none_or(is_meant) && !is_meant(&self.but)
    }
}

impl Versions {
    fn hold(&self, package: &Reference) -> bool {
        let own = || version(&package.kind, &package.full_version());
        match self {
            Self::One(one) => {
                let same = || Some(version(&package.kind, one)?.key() == own()?.key());
                same_version(one, &package.version) || same().unwrap_or(false)
            }
            Self::Range(range) => own().is_some_and(|version| range.holds(&version)),
        }
    }
}

/// A package URL in parts, decoded.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Reference {
    kind: String,
    name: String,
    version: String,
    qualifiers: Vec<(String, String)>,
}

impl Reference {
    fn parse(text: &str) -> Option<Self> {
        let rest = text.trim().strip_prefix("pkg:")?.trim_start_matches('/');
        let rest = rest.split('#').next().unwrap_or_default();
        let (rest, qualifiers) = rest.split_once('?').unwrap_or((rest, ""));
        let (kind, rest) = rest.split_once('/')?;
        // Some write a scope's `@` as it is; a version never begins a path.
        let (name, version) = match rest.rsplit_once('@') {
            Some((name, version)) if !name.is_empty() && !version.contains('/') => (name, version),
            _ => (rest, ""),
        };
        let kind = kind.to_ascii_lowercase();
        let name = decode(name.trim_matches('/'));
        let name = match kind.as_str() {
            "pypi" => pypi_name(&name),
            "npm" | "cargo" | "maven" => name,
            _ => name.to_ascii_lowercase(),
        };
        let mut qualifiers: Vec<(String, String)> = qualifiers
            .split('&')
            .filter_map(|pair| pair.split_once('='))
            .map(|(key, value)| (key.to_ascii_lowercase(), decode(value)))
            .collect();
        qualifiers.sort();
        (!name.is_empty()).then(|| Self { kind, name, version: decode(version), qualifiers })
    }

    /// The version with what a package URL of an rpm package writes as a qualifier.
    fn full_version(&self) -> String {
        match self.qualifiers.iter().find(|(key, _)| self.kind == "rpm" && key == "epoch") {
            Some((_, epoch)) => format!("{epoch}:{}", self.version),
            None => self.version.clone(),
        }
    }

    /// Whether everything that this one says is true of the other.
    fn covers(&self, other: &Self) -> bool {
        self.kind == other.kind
            && self.name == other.name
            && (self.version.is_empty() || same_version(&self.version, &other.version))
            && self.qualifiers.iter().all(|pair| other.qualifiers.contains(pair))
    }
}

/// Go writes a `v` that others leave out.
fn same_version(one: &str, other: &str) -> bool {
    one.strip_prefix('v').unwrap_or(one) == other.strip_prefix('v').unwrap_or(other)
}

fn decode(text: &str) -> String {
    let (mut bytes, mut rest) = (Vec::with_capacity(text.len()), text.as_bytes());
    while let [first, tail @ ..] = rest {
        let digit = |at: usize| tail.get(at).and_then(|digit| char::from(*digit).to_digit(16));
        match (first, digit(0), digit(1)) {
            (b'%', Some(high), Some(low)) => {
                bytes.push(u8::try_from(high * 16 + low).unwrap_or(b'?'));
                rest = tail.get(2..).unwrap_or_default();
            }
            (byte, _, _) => {
                bytes.push(*byte);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
