//! What Composer installed: `vendor/composer/installed.json` has names, versions and licences, `vendor/NAME` the files.

use std::collections::HashMap;

use serde_json::Value;

use super::{Finder, Own, is_part, joined};
use crate::package::Package;

/// The largest `installed.json` that is read.
const LARGEST: u64 = 16 << 20;

/// What is installed: the version and the licences of each name.
pub(super) type Listed = HashMap<String, (String, Vec<String>)>;

impl Finder<'_> {
    pub(super) fn composer(&mut self, input: &str, package: &Package) -> Option<Own> {
        if !package.name.split('/').all(is_part) {
            return None;
        }
        for dir in self.above(input) {
            let vendor = dir.join("vendor");
            let file = vendor.join("composer/installed.json");
            if !self.composed.contains_key(&vendor) {
                let listed = self.bytes(&file, LARGEST).map(|bytes| read(&bytes)).unwrap_or_default();
                self.composed.insert(vendor.clone(), listed);
            }
            let listed = self.composed.get(&vendor).and_then(|listed| listed.get(&package.name.to_lowercase()));
            let Some((version, licences)) = listed else { continue };
            if plain(version) != plain(&package.version) {
                continue;
            }
            let folder = vendor.join(&*package.name);
            // Composer has it that of several one may choose.
            let stated = joined(licences, " OR ").map(|words| (words, self.shown(&file)));
            return Some(Own { stated, texts: self.texts(&folder, None), notices: self.notices(&folder) });
        }
        None
    }
}

fn plain(version: &str) -> &str {
    version.strip_prefix(['v', 'V']).unwrap_or(version)
}

/// Composer 2 writes an object with the list in it, Composer 1 the list.
fn read(bytes: &[u8]) -> Listed {
    let told: Value = serde_json::from_slice(bytes).unwrap_or_default();
    let packages = told.get("packages").unwrap_or(&told).as_array().map(Vec::as_slice).unwrap_or_default();
    let one = |package: &Value| {
        let word = |key: &str| package.get(key)?.as_str().map(str::to_owned);
        let licences = match package.get("license") {
            Some(Value::Array(all)) => all.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
            Some(Value::String(one)) => vec![one.clone()],
            _ => Vec::new(),
        };
        Some((word("name")?.to_lowercase(), (word("version")?, licences)))
    };
    packages.iter().filter_map(one).collect()
}
