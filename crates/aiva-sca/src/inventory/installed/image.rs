//! A container image in a file or a folder: an OCI image layout, the same in a tar, or what `docker save` writes.
//!
//! Nothing is unpacked to disk. Of each layer only the files that tell what is installed are looked at, in memory; links are
//! never followed out of a layer, names that lead out of the root are refused, and every digest is checked before what it vouches for is
//! believed. How much is unpacked, and how many entries and layers there may be, is bounded.
//!
//! Start reading at [`image`]; one layer is in [`super::layer`], where the blobs are in [`super::store`].

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use serde::{Deserialize, Deserializer};
use sha2::{Digest as _, Sha256};

use super::super::walk::{Inventory, Options, Progress};
use super::layer::{self, Bounds, Found};
use super::store::Store;
use super::{Expect, Piece, assemble};
use crate::package::Package;

/// Descriptions larger than this are none.
const LARGEST_TEXT: u64 = 8 * 1024 * 1024;
const MOST_LAYERS: usize = 1024;
/// An index may name indexes, but not without end.
const DEEPEST: usize = 4;

/// Why there is no inventory of an image.
#[derive(Debug, thiserror::Error)]
pub enum ImageError {
    /// It could not be read.
    #[error("cannot read the image")]
    Io(#[from] io::Error),
    /// Neither of the forms that are known.
    #[error("this is no image: {0}; give an OCI image layout (folder or tar) or what `docker save` wrote")]
    NotAnImage(&'static str),
    /// A blob is not what its digest says.
    #[error("the image is damaged: {0} is not what its digest says; copy or save the image again")]
    Digest(String),
    /// A description or a blob that another one names is missing.
    #[error("the image is incomplete: {0} is missing; copy or save the image again")]
    Missing(String),
    /// A description that is not what it should be.
    #[error("the image is damaged: {what} cannot be understood")]
    Malformed {
        /// Which description.
        what: String,
        /// What is wrong with it.
        #[source]
        source: serde_json::Error,
    },
    /// None, or several, and nobody said which.
    #[error("the image is there for {there}; say which with `--platform`")]
    Platform {
        /// Which there are.
        there: String,
    },
    /// Several images in one file.
    #[error("there are {0} images in this file; save the one that is meant alone")]
    Several(usize),
    /// More than any image has.
    #[error("the image has more than {0}: not read")]
    TooMuch(&'static str),
    /// A digest of another kind than sha256.
    #[error("{0} is no digest that is known here: only sha256 is")]
    OtherDigest(String),
}

/// Which of several images: `linux/arm64`, `linux/arm/v7`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Platform {
    os: String,
    architecture: String,
    variant: Option<String>,
}

impl Platform {
    /// Reads `OS/ARCHITECTURE` or `OS/ARCHITECTURE/VARIANT`.
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('/').map(str::to_owned);
        let platform = Self { os: parts.next()?, architecture: parts.next()?, variant: parts.next() };
        let is_whole = !platform.os.is_empty() && !platform.architecture.is_empty() && parts.next().is_none();
        is_whole.then_some(platform)
    }

    /// Linux on the processor that this program runs on.
    pub fn own() -> Self {
        let architecture = match std::env::consts::ARCH {
            "x86_64" => "amd64",
            "aarch64" => "arm64",
            "x86" => "386",
            other => other,
        };
        Self { os: "linux".to_owned(), architecture: architecture.to_owned(), variant: None }
    }

    fn is(&self, there: &Described) -> bool {
        self.os == there.os
            && self.architecture == there.architecture
            && self.variant.as_ref().is_none_or(|variant| *variant == there.variant)
    }
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct Described {
    os: String,
    architecture: String,
    variant: String,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Descriptor {
    media_type: String,
    digest: String,
    platform: Option<Described>,
    #[serde(deserialize_with = "or_default")]
    annotations: BTreeMap<String, String>,
}

/// An index, or a manifest: they are told apart by what is in them.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Manifest {
    #[serde(deserialize_with = "or_default")]
    manifests: Vec<Descriptor>,
    config: Option<Descriptor>,
    #[serde(deserialize_with = "or_default")]
    layers: Vec<Descriptor>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Config {
    rootfs: RootFs,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct RootFs {
    #[serde(deserialize_with = "or_default")]
    diff_ids: Vec<String>,
}

/// An entry of docker's own `manifest.json`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Saved {
    config: String,
    #[serde(default, deserialize_with = "or_default")]
    layers: Vec<String>,
}

/// An empty list, which Go writes as `null`.
fn or_default<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(deserializer: D) -> Result<T, D::Error> {
    Option::<T>::deserialize(deserializer).map(Option::unwrap_or_default)
}

/// A layer: what its blob is called, and what its content must hash to once it is unpacked.
struct Layer {
    blob: String,
    digest: Option<String>,
    diff_id: Option<String>,
}

/// Reads everything that is installed in an image.
pub fn image(
    path: &Path,
    platform: Option<&Platform>,
    options: &Options,
    progress: &(dyn Fn(Progress) + Sync),
) -> Result<Inventory, ImageError> {
    let store = Store::open(path)?;
    let layers = layers(&store, platform)?;
    if layers.len() > MOST_LAYERS {
        return Err(ImageError::TooMuch("a thousand layers"));
    }
    let mut bounds = Bounds::default();
    let mut files: BTreeMap<String, Piece> = BTreeMap::new();
    for (layer, at) in layers.iter().zip(1..) {
        if let Some(digest) = &layer.digest {
            verify(&store, &layer.blob, digest)?;
        }
        let (found, diff_id) = layer::read(&store, &layer.blob, options.largest_file, &mut bounds)?;
        if layer.diff_id.as_ref().is_some_and(|wanted| *wanted != diff_id) {
            return Err(ImageError::Digest(format!("layer {at}")));
        }
        let name = layer.digest.as_ref().unwrap_or(&diff_id);
        let shown = name.get(..("sha256:".len() + 12)).unwrap_or(name);
        apply(&mut files, found, &format!("layer {at} of {} ({shown})", layers.len()));
        progress(Progress::Read { done: at, total: layers.len() });
    }
    let mut inputs = assemble(files.into_values().collect(), Expect::System);
    inputs.iter_mut().for_each(|input| options.mirrors.settle(input));
    inputs.sort_by(|one, other| one.path.cmp(&other.path));
    Ok(Inventory { inputs, ..Inventory::default() })
}

/// Puts a layer over those below it (OCI image spec, "Image Layer Filesystem Changeset").
fn apply(files: &mut BTreeMap<String, Piece>, found: Found, layer: &str) {
    let below = |files: &mut BTreeMap<String, Piece>, folder: &str| {
        let start = if folder.is_empty() { String::new() } else { format!("{folder}/") };
        let gone: Vec<String> = files
            .range(start.clone()..)
            .map(|(path, _)| path)
            .take_while(|path| path.starts_with(&start))
            .cloned()
            .collect();
        gone.iter().for_each(|path| drop(files.remove(path)));
    };
    // What the layer itself brings is not hidden by it, wherever it stands in it.
    let mut before: BTreeMap<String, Piece> = BTreeMap::new();
    for path in found.pieces.keys() {
        before.extend(files.get(path).map(|piece| (path.clone(), piece.clone())));
    }
    for folder in &found.opaque {
        below(files, folder);
    }
    for path in found.hidden.iter().chain(&found.others) {
        files.remove(path);
        below(files, path);
    }
    for path in &found.folders {
        files.remove(path);
    }
    for (path, mut piece) in found.pieces {
        below(files, &path);
        let old = before.get(&path).filter(|_| piece.what.is_system());
        let mut known: BTreeMap<(&str, &str), &Package> = BTreeMap::new();
        for package in old.iter().flat_map(|old| &old.readings).flat_map(|(_, reading)| &reading.packages) {
            known.insert((&package.name, &package.version), package);
        }
        for package in piece.readings.iter_mut().flat_map(|(_, reading)| &mut reading.packages) {
            // A database is written anew by every layer that installs something: what was there before came with an older one.
            let older = known.get(&(package.name.as_str(), package.version.as_str()));
            let brought = older.and_then(|older| older.origin.as_ref()?.layer.clone());
            package.origin.get_or_insert_default().layer = Some(brought.unwrap_or_else(|| layer.to_owned()));
        }
        files.insert(path, piece);
    }
}

fn layers(store: &Store, platform: Option<&Platform>) -> Result<Vec<Layer>, ImageError> {
    if let Some(text) = store.text("index.json", LARGEST_TEXT)? {
        return from_index(store, &parse::<Manifest>("index.json", &text)?, platform, 0);
    }
    let Some(text) = store.text("manifest.json", LARGEST_TEXT)? else {
        return Err(ImageError::NotAnImage("it has neither index.json nor manifest.json"));
    };
    let saved: Vec<Saved> = parse("manifest.json", &text)?;
    let [saved] = saved.as_slice() else { return Err(ImageError::Several(saved.len())) };
    let config = store.text(&saved.config, LARGEST_TEXT)?.ok_or_else(|| ImageError::Missing(shown(&saved.config)))?;
    let config: Config = parse(&saved.config, &config)?;
    paired(saved.layers.iter().map(|blob| (blob.clone(), None)).collect(), config)
}

/// Layers with what they must hash to.
fn paired(layers: Vec<(String, Option<String>)>, config: Config) -> Result<Vec<Layer>, ImageError> {
    let ids = config.rootfs.diff_ids;
    if ids.len() != layers.len() {
        return Err(ImageError::Missing("the digest of a layer".to_owned()));
    }
    let layer = |((blob, digest), id): ((String, Option<String>), String)| Layer { blob, digest, diff_id: Some(id) };
    Ok(layers.into_iter().zip(ids).map(layer).collect())
}

fn from_index(
    store: &Store,
    index: &Manifest,
    platform: Option<&Platform>,
    depth: usize,
) -> Result<Vec<Layer>, ImageError> {
    if depth > DEEPEST {
        return Err(ImageError::TooMuch("an index in an index in an index"));
    }
    // Signatures and attestations stand beside the image that they are about.
    let is_image = |one: &&Descriptor| {
        let unknown = one.platform.as_ref().is_some_and(|there| there.os == "unknown");
        !unknown && !one.annotations.contains_key("vnd.docker.reference.type")
    };
    let all: Vec<&Descriptor> = index.manifests.iter().filter(is_image).collect();
    let own = Platform::own();
    let fits = |one: &&&Descriptor| one.platform.as_ref().is_some_and(|there| platform.unwrap_or(&own).is(there));
    let fitting: Vec<&&Descriptor> = all.iter().filter(fits).collect();
    let chosen = match (all.as_slice(), fitting.as_slice()) {
        ([only], _) if platform.is_none() || only.platform.is_none() => *only,
        (_, [one]) => **one,
        (all, _) => {
            let name = |one: &&Descriptor| {
                let there = one.platform.clone().unwrap_or_default();
                let parts = [there.os, there.architecture, there.variant];
                parts.into_iter().filter(|part| !part.is_empty()).map(|part| shown(&part)).collect::<Vec<_>>().join("/")
            };
            let there: Vec<String> = all.iter().take(20).map(name).collect();
            let there = if there.is_empty() { "no platform".to_owned() } else { there.join(", ") };
            return Err(ImageError::Platform { there });
        }
    };
    let manifest: Manifest = parse(&chosen.digest, &vouched(store, &chosen.digest)?)?;
    if !manifest.manifests.is_empty() || chosen.media_type.contains("index") || chosen.media_type.contains("list") {
        return from_index(store, &manifest, platform, depth + 1);
    }
    let config = manifest.config.ok_or(ImageError::NotAnImage("its manifest names no configuration"))?;
    let config: Config = parse(&config.digest, &vouched(store, &config.digest)?)?;
    let layers = manifest.layers.into_iter().map(|layer| Ok((blob_of(&layer.digest)?, Some(layer.digest))));
    paired(layers.collect::<Result<_, ImageError>>()?, config)
}

fn parse<T: serde::de::DeserializeOwned>(what: &str, text: &[u8]) -> Result<T, ImageError> {
    serde_json::from_slice(text).map_err(|source| ImageError::Malformed { what: shown(what), source })
}

/// A text of the image, as it may be shown.
fn shown(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(120).collect()
}

/// Where a layout keeps the blob of a digest.
fn blob_of(digest: &str) -> Result<String, ImageError> {
    let hex =
        digest.strip_prefix("sha256:").filter(|hex| hex.len() == 64 && hex.bytes().all(|b| b.is_ascii_hexdigit()));
    hex.map(|hex| format!("blobs/sha256/{hex}")).ok_or_else(|| ImageError::OtherDigest(shown(digest)))
}

/// A description that is what its digest says.
fn vouched(store: &Store, digest: &str) -> Result<Vec<u8>, ImageError> {
    let text = store.text(&blob_of(digest)?, LARGEST_TEXT)?.ok_or_else(|| ImageError::Missing(shown(digest)))?;
    if hex(&Sha256::digest(&text)) == *digest { Ok(text) } else { Err(ImageError::Digest(shown(digest))) }
}

fn verify(store: &Store, blob: &str, digest: &str) -> Result<(), ImageError> {
    let mut reader = store.open_blob(blob)?;
    let mut sum = Sha256::new();
    io::copy(&mut reader, &mut Summed(&mut sum))?;
    if hex(&sum.finalize()) == *digest { Ok(()) } else { Err(ImageError::Digest(shown(digest))) }
}

struct Summed<'s>(&'s mut Sha256);

impl io::Write for Summed<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A digest as images write it.
pub(super) fn hex(sum: &[u8]) -> String {
    let digits: String = sum.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{digits}")
}
