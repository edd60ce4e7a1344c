//! `composer.json`: what a PHP project asks Composer for.
//!
//! Three numbers and no sign are a pin, a branch (`dev-main`) is no version, everything else is a range. PHP itself and its
//! extensions are no packages. Where packagist.org is switched off, a public name may be another package.

use std::borrow::Cow;
use std::collections::HashMap;

use super::address::without_secret;
use super::json::{Json, Value};
use super::reading::{Declared, Fault, Reading, quote};
use crate::package::{Ecosystem, NotJudged, Package, Scope, Source};

struct Entry<'a> {
    name: Cow<'a, str>,
    requirement: String,
    scope: Scope,
    line: u32,
}

/// Reads a `composer.json`.
pub(crate) fn read(text: &str) -> Reading {
    let mut reading = Reading::default();
    let mut json = Json::new(text);
    if json.next() != Value::Object {
        return Reading::failed(json.line(), "not a manifest: composer.json begins with `{`");
    }
    let (mut entries, mut repositories) = (Vec::new(), Repositories::default());
    let outcome = json.object(|json, key, _| match key.as_ref() {
        "name" => {
            reading.links.name = json.string()?.map(Cow::into_owned);
            Ok(())
        }
        "require" => list(json, Scope::Runtime, &mut entries, &mut reading),
        "require-dev" => list(json, Scope::Dev, &mut entries, &mut reading),
        "replace" | "provide" => json.object(|json, name, _| {
            reading.links.supplied.push(name.to_lowercase());
            json.skip()
        }),
        "repositories" => repositories.read(json),
        _ => json.skip(),
    });
    if let Err(fault) = outcome.and_then(|()| json.end()) {
        reading.fault(fault);
    }
    // What is developed here is installed as itself: something that it asks for may ask for it in turn.
    reading.links.supplied.extend(reading.links.name.as_ref().map(|name| name.to_lowercase()));
    for entry in entries {
        entry.settle(&repositories, &mut reading);
    }
    reading.close()
}

fn list<'a>(
    json: &mut Json<'a>,
    scope: Scope,
    entries: &mut Vec<Entry<'a>>,
    reading: &mut Reading,
) -> Result<(), Fault> {
    json.object(|json, name, line| {
        match json.string()? {
            Some(requirement) => {
                entries.push(Entry { name, requirement: requirement.trim().to_owned(), scope, line });
            }
            None => reading.problem(line, format!("the requirement of {} is not a string", quote(&name))),
        }
        Ok(())
    })
}

/// What `repositories` says.
#[derive(Default)]
struct Repositories {
    /// Whether packagist.org is switched off.
    is_private: bool,
    /// Sources of one package each, by the last part of their address, which nearly always is the package's own name. The first counts.
    single: HashMap<String, Source>,
}

impl Repositories {
    /// `{"packagist.org": false}`, alone or in a list; `{"type": "vcs", "url": "…"}`.
    fn read(&mut self, json: &mut Json<'_>) -> Result<(), Fault> {
        match json.next() {
            Value::Array => json.array(|json| self.one(json)),
            _ => self.one(json),
        }
    }

    fn one(&mut self, json: &mut Json<'_>) -> Result<(), Fault> {
        let (mut kind, mut url) = (String::new(), String::new());
        json.object(|json, key, _| {
            match (key.as_ref(), json.next()) {
                ("packagist" | "packagist.org", Value::Other) => self.is_private |= !json.is_true()?,
                ("type", Value::Text) => kind = json.string()?.unwrap_or_default().into_owned(),
                ("url", Value::Text) => url = json.string()?.unwrap_or_default().into_owned(),
                // An object of repositories by their names.
                (_, Value::Object) => self.one(json)?,
                _ => json.skip()?,
            }
            Ok(())
        })?;
        let address = without_secret(&url).into_owned();
        let last = url.trim_end_matches(['/', '*']).rsplit(['/', ':']).next().unwrap_or_default();
        let last = last.trim_end_matches(".git").to_lowercase();
        let source = match kind.as_str() {
            "vcs" | "git" | "github" | "gitlab" | "bitbucket" | "svn" | "hg" => Source::Git(address),
            "path" => Source::Path(address),
            _ => return Ok(()),
        };
        if !last.is_empty() {
            self.single.entry(last).or_insert(source);
        }
        Ok(())
    }

    fn of(&self, name: &str) -> Option<&Source> {
        let own = name.rsplit('/').next().unwrap_or(name);
        self.single.get(own)
    }
}

impl Entry<'_> {
    fn settle(self, repositories: &Repositories, reading: &mut Reading) {
        let Self { name, requirement, scope, line } = self;
        if !name.contains('/') {
            return; // PHP, an extension, a library of the system.
        }
        let name = name.to_lowercase();
        reading.links.declared.push(Declared::new(&name, &requirement, scope, line));
        let is_branch = requirement.split(['|', ' ', ',']).any(|part| part.contains("dev-") || part.contains("-dev"));
        let source = repositories.of(&name);
        if let Some(source) = source {
            reading.outside(Ecosystem::Packagist, &name, source.clone(), line);
        }
        let reason = match requirement.as_str() {
            _ if repositories.is_private => "packagist.org is switched off, so a public name may be another package",
            "self.version" => "the version of the project itself",
            _ if is_branch => "a branch, not a released version",
            _ if source.is_some() => "from a repository of its own, where a public name may be another package",
            text => match pinned(text) {
                Some(version) => {
                    let package = Package::new(Ecosystem::Packagist, name, version, line);
                    return reading.packages.push(Package { scope, direct: Some(true), ..package });
                }
                None => return reading.range(Ecosystem::Packagist, name, requirement, scope, line),
            },
        };
        let entry = NotJudged::new(Ecosystem::Packagist, name, requirement, line, reason);
        reading.not_judged.push(NotJudged { scope, ..entry });
    }
}

/// `1.2.3`, `v1.2.3-beta1`: with fewer numbers it has several spellings, so it is left to the ranges.
fn pinned(text: &str) -> Option<&str> {
    let version = text.strip_prefix('=').unwrap_or(text).trim_start_matches('=').trim();
    let version = version.strip_prefix('v').unwrap_or(version);
    let core = version.split('-').next()?;
    let is_number = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let is_clean = version.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-'));
    ((3..=4).contains(&core.split('.').count()) && core.split('.').all(is_number) && is_clean).then_some(version)
}
