//! `Pipfile.lock`: JSON with a table for run time (`default`), one for development (`develop`), and any number of others.

use std::borrow::Cow;

use super::address::without_secret;
use super::json::{Json, Value};
use super::python::{self, normalise};
use super::reading::{Fault, Reading, quote};
use super::signs::{Archives, Listed};
use crate::package::{Ecosystem, Licenses, NotJudged, Package, Scope, Source};

/// The `pipfile-spec` that pipenv has written since 2018.
const NEWEST: u32 = 6;

#[derive(Default)]
struct Entry<'a> {
    version: Option<Cow<'a, str>>,
    git: Option<Cow<'a, str>>,
    path: Option<Cow<'a, str>>,
    file: Option<Cow<'a, str>>,
    index: Option<Cow<'a, str>>,
    markers: Option<Cow<'a, str>>,
    listed: Listed,
}

/// Reads a `Pipfile.lock`.
pub(crate) fn read(text: &str) -> Reading {
    let mut reading = Reading::default();
    let mut json = Json::new(text);
    if json.next() != Value::Object {
        return Reading::failed(json.line(), "not a lockfile: pipenv's begins with `{`");
    }
    let mut about = About::default();
    let mut indexes = Indexes::default();
    let outcome = json.object(|json, key, line| match key.as_ref() {
        "_meta" => about.read(json),
        "default" => packages(json, &mut reading, &mut indexes, Scope::Runtime),
        _ if json.next() == Value::Object => {
            let scope = if key == "develop" { Scope::Dev } else { Scope::Optional };
            packages(json, &mut reading, &mut indexes, scope)
        }
        _ => {
            reading.problem(line, format!("{} is no table of packages: nothing of it is read", quote(&key)));
            json.skip()
        }
    });
    let outcome = outcome.and_then(|()| json.end());
    if let Some(spec) = about.spec.filter(|spec| *spec > NEWEST) {
        return Reading::unsupported(
            1,
            format!("pipfile-spec {spec} is newer than {NEWEST}, the newest this release reads"),
        );
    }
    let address = |name: &str| about.sources.iter().find(|(known, _)| known == name).map(|(_, url)| url.as_str());
    for (at, name) in indexes.pinned {
        if let (Some(package), Some(address)) = (reading.packages.get_mut(at), address(&name)) {
            package.source = python::index(address);
            if let Some(listed) = indexes.archives.of(at) {
                listed.address(address);
            }
        }
    }
    indexes.archives.tell(&reading.packages, &mut reading.links.signs);
    for (at, name) in indexes.open {
        if let (Some(entry), Some(Source::PrivateRegistry(index))) =
            (reading.not_judged.get_mut(at), address(&name).map(python::index))
        {
            entry.ask_of(&index);
        }
    }
    match outcome {
        Err(fault) => reading.fault(fault),
        Ok(()) if about.spec.is_none() => {
            reading.problem(1, "no pipfile-spec: pipenv did not write this file, or it was damaged")
        }
        Ok(()) => {}
    }
    reading.close()
}

/// The names of indexes that entries come from, by their places among what is read, and what is said of their archives.
#[derive(Default)]
struct Indexes {
    archives: Archives,
    pinned: Vec<(usize, String)>,
    open: Vec<(usize, String)>,
}

#[derive(Default)]
struct About {
    spec: Option<u32>,
    sources: Vec<(String, String)>,
}

impl About {
    fn read(&mut self, json: &mut Json<'_>) -> Result<(), Fault> {
        json.object(|json, key, _| match key.as_ref() {
            "pipfile-spec" => {
                self.spec = json.number()?;
                Ok(())
            }
            "sources" => json.array(|json| {
                let (mut name, mut url) = (String::new(), String::new());
                json.object(|json, key, _| {
                    match key.as_ref() {
                        "name" => name = json.string()?.unwrap_or_default().into_owned(),
                        "url" => url = json.string()?.unwrap_or_default().into_owned(),
                        _ => json.skip()?,
                    }
                    Ok(())
                })?;
                self.sources.push((name, url));
                Ok(())
            }),
            _ => json.skip(),
        })
    }
}

fn packages(json: &mut Json<'_>, reading: &mut Reading, indexes: &mut Indexes, scope: Scope) -> Result<(), Fault> {
    json.object(|json, name, line| {
        let mut entry = Entry::default();
        json.object(|json, key, _| entry.key(json, &key))?;
        let released = entry.file.as_deref().and_then(|file| python::released(file, &name));
        let version = entry.version.as_deref().and_then(|version| version.strip_prefix("==")).or(released);
        let source = python::or_released(entry.source(), &name, version);
        match (version, &source) {
            (Some(version), _) => {
                if let Some(index) = entry.index.filter(|_| source == Source::Registry) {
                    indexes.pinned.push((reading.packages.len(), index.into_owned()));
                }
                indexes.archives.add(reading.packages.len(), entry.listed);
                reading.packages.push(Package {
                    ecosystem: Ecosystem::PyPi,
                    name: normalise(&name),
                    version: version.trim_start_matches('=').trim().into(),
                    line,
                    direct: None,
                    scope,
                    source,
                    licenses: Licenses::default(),
                    origin: None,
                });
            }
            (None, Source::Git(_) | Source::Path(_) | Source::Url(_)) => {
                let open = python::unversioned(&name, entry.address(), line);
                let package = Package::new(Ecosystem::PyPi, open.name.clone(), "", line);
                let package = Package { source: source.clone(), ..package };
                entry.listed.tell(&package, false, &mut reading.links.signs);
                reading.outside(Ecosystem::PyPi, &open.name, source, line);
                reading.not_judged.push(open);
            }
            (None, _) if entry.version.as_deref().map(str::trim) == Some("*") => {
                if let Some(index) = entry.index {
                    indexes.open.push((reading.not_judged.len(), index.into_owned()));
                }
                reading.not_judged.push(unpinned(&name, entry.markers.as_deref(), line, scope));
            }
            (None, _) => reading.problem(
                line,
                format!("{} has no version as pipenv locks it (\"==1.2.3\"), and is not judged", quote(&name)),
            ),
        }
        Ok(())
    })
}

/// An entry that pipenv has chosen no version for, as it does where the markers rule it out: whoever they let in gets any version.
fn unpinned(name: &str, markers: Option<&str>, line: u32, scope: Scope) -> NotJudged {
    let reason = match markers {
        Some(markers) => format!("pipenv locked no version: it is needed only where {}", quote(markers)),
        None => "pipenv locked no version".to_owned(),
    };
    NotJudged { scope, is_range: true, ..NotJudged::new(Ecosystem::PyPi, normalise(name), "", line, reason) }
}

impl<'a> Entry<'a> {
    fn key(&mut self, json: &mut Json<'a>, key: &str) -> Result<(), Fault> {
        let slot = match key {
            "version" => &mut self.version,
            "git" | "hg" | "svn" | "bzr" => &mut self.git,
            "path" => &mut self.path,
            "file" | "uri" | "url" => &mut self.file,
            "index" => &mut self.index,
            "markers" => &mut self.markers,
            "hashes" if json.next() == Value::Array => {
                return json.array(|json| {
                    json.string()?.iter().for_each(|hash| self.listed.hash(hash));
                    Ok(())
                });
            }
            "ref" => {
                json.string()?.iter().for_each(|revision| self.listed.revision(revision));
                return Ok(());
            }
            _ => return json.skip(),
        };
        *slot = json.string()?;
        Ok(())
    }

    fn source(&self) -> Source {
        let plain = |address: &str| without_secret(address).into_owned();
        match (&self.git, &self.path, &self.file) {
            (Some(git), _, _) => Source::Git(plain(git)),
            (_, Some(path), _) => Source::Path(path.to_string()),
            (_, _, Some(file)) => python::source(file),
            _ => Source::Registry,
        }
    }

    fn address(&self) -> &str {
        self.git.as_deref().or(self.path.as_deref()).or(self.file.as_deref()).unwrap_or_default()
    }
}
