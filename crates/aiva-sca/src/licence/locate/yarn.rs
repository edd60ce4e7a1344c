//! Yarn's archives, `.yarn/cache/NAME-npm-VERSION-HASH.zip`, and what it unpacked, `.yarn/unplugged`. Nothing is unpacked to disk.

use std::io::{Read, Seek};
use std::path::{Path, PathBuf};

use zip::ZipArchive;

use super::node::{elsewhere, npm_words};
use super::{Finder, LARGEST, Own, Text, decoded, is_licence_file, is_notice_file, is_part};
use crate::package::Package;

/// The largest archive that is looked into, and the most entries of one.
const LARGEST_ARCHIVE: u64 = 64 << 20;
const MOST_ENTRIES: usize = 100_000;

impl Finder<'_> {
    pub(super) fn yarn(&mut self, input: &str, package: &Package) -> Option<Own> {
        let begin = format!("{}-npm-{}-", package.name.replace('/', "-"), package.version);
        if !is_part(&begin) {
            return None;
        }
        let mut caches = Vec::new();
        for dir in self.above(input) {
            for folder in self.beginning(&dir.join(".yarn/unplugged"), &begin) {
                if let Some(own) = self.npm_folder(&folder.join("node_modules").join(&*package.name), package) {
                    return Some(own);
                }
            }
            caches.push(dir.join(".yarn/cache"));
        }
        caches.extend(self.caches.yarn.clone());
        let archives: Vec<PathBuf> = caches.iter().flat_map(|cache| self.beginning(cache, &begin)).collect();
        archives.iter().find_map(|archive| self.in_archive(archive, package))
    }

    fn in_archive(&self, file: &Path, package: &Package) -> Option<Own> {
        let is_archive = file.extension().is_some_and(|end| end == "zip");
        let archive = is_archive.then(|| self.open(file, LARGEST_ARCHIVE)).flatten()?;
        let mut archive = ZipArchive::new(archive).ok().filter(|archive| archive.len() <= MOST_ENTRIES)?;
        let folder = format!("node_modules/{}/", package.name);
        let words = npm_words(&entry(&mut archive, &format!("{folder}package.json"))?, package)?;
        let named = words.as_deref().and_then(elsewhere).map(|file| file.trim_start_matches("./").to_owned());
        let names = archive.file_names().filter_map(Result::ok);
        let mut inner: Vec<String> = names.filter_map(|name| Some(name.strip_prefix(&folder)?.to_owned())).collect();
        inner.sort();
        let from = self.shown(file);
        let mut texts_of = |is_such: &dyn Fn(&str) -> bool| -> Vec<Text> {
            let such = inner.iter().filter(|name| is_such(name)).take(MOST_TEXTS);
            such.filter_map(|name| {
                let text = entry(&mut archive, &format!("{folder}{name}"))?;
                Some(Text { from: format!("{from}!/{folder}{name}"), text })
            })
            .collect()
        };
        let is_licence = |name: &str| named.as_deref() == Some(name) || (!name.contains('/') && is_licence_file(name));
        let texts = texts_of(&is_licence);
        let notices = texts_of(&|name| is_notice_file(name));
        let stated = words.map(|words| (words, format!("{from}!/{folder}package.json")));
        Some(Own { stated, texts, notices })
    }
}

/// The most texts of one kind that are taken from one archive.
const MOST_TEXTS: usize = 16;

/// A small entry, as text.
fn entry<R: Read + Seek>(archive: &mut ZipArchive<R>, name: &str) -> Option<String> {
    let found = archive.by_name(name).ok().filter(|found| found.size() <= LARGEST)?;
    let mut bytes = Vec::new();
    found.take(LARGEST).read_to_end(&mut bytes).ok()?;
    Some(decoded(bytes))
}
