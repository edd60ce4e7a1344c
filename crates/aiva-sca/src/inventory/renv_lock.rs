//! `renv.lock`: the R packages of a project, with where each came from and what it needs.
//!
//! renv 1.1 and later keep a package's whole DESCRIPTION, older ones a list of `Requirements`; the oldest say nothing of what is
//! needed. What comes with R itself is in no lockfile. A package that renv was told to leave out makes the file partial.

use std::borrow::Cow;

use rapidhash::RapidHashMap;

use super::address::{host, without_secret};
use super::graph::index;
use super::json::{Json, Value};
use super::reading::{Fault, Reading, quote};
use crate::package::{Ecosystem, Package, Source};

/// Packages that every R has, and R itself.
const BASE: &[&str] = &[
    "R",
    "base",
    "compiler",
    "datasets",
    "grDevices",
    "graphics",
    "grid",
    "methods",
    "parallel",
    "splines",
    "stats",
    "stats4",
    "tcltk",
    "tools",
    "translations",
    "utils",
];

/// What CRAN and its mirrors are called by those who wrote `Repository` into a package.
const PUBLIC_NAMES: &[&str] = &["", "CRAN", "RSPM", "P3M", "PPM", "CRAN_archive", "CRANextra"];

/// Where CRAN and its whole mirrors are served.
const PUBLIC_HOSTS: &[&str] = &[
    "cran.r-project.org",
    "cloud.r-project.org",
    "cran.rstudio.com",
    "packagemanager.posit.co",
    "packagemanager.rstudio.com",
    "p3m.dev",
    "mran.microsoft.com",
];

#[derive(Default)]
struct Entry<'a> {
    line: u32,
    name: Cow<'a, str>,
    version: Option<Cow<'a, str>>,
    kind: Cow<'a, str>,
    repository: Cow<'a, str>,
    /// Of a repository on a host: the host, the owner, the name, the commit, and the whole address.
    remote: [Cow<'a, str>; 5],
    needs: Vec<(Cow<'a, str>, u32)>,
}

/// Reads a `renv.lock`.
pub(crate) fn read(text: &str) -> Reading {
    let mut reading = Reading::default();
    let mut json = Json::new(text);
    if json.next() != Value::Object {
        return Reading::failed(json.line(), "not a lockfile: renv's begins with `{`");
    }
    let mut has_packages = false;
    // The repositories of the project: what each is called, and its address.
    let mut repositories = RapidHashMap::default();
    let mut entries = Vec::new();
    let outcome = json.object(|json, key, _| match key.as_ref() {
        "R" => json.object(|json, key, _| match key.as_ref() {
            "Repositories" => json.array(|json| repository(json, &mut repositories)),
            _ => json.skip(),
        }),
        "Packages" => {
            has_packages = true;
            json.object(|json, name, line| {
                let mut entry = Entry { line, name, ..Entry::default() };
                let outcome = json.object(|json, key, _| entry.key(json, &key));
                entries.push(entry);
                outcome
            })
        }
        _ => json.skip(),
    });
    match outcome.and_then(|()| json.end()) {
        Err(fault) => reading.fault(fault),
        Ok(()) if !has_packages => reading.problem(1, "no Packages: renv did not write this file"),
        Ok(()) => {}
    }
    settle(entries, &repositories, &mut reading);
    reading.close()
}

type Repositories<'a> = RapidHashMap<Cow<'a, str>, Cow<'a, str>>;

fn repository<'a>(json: &mut Json<'a>, repositories: &mut Repositories<'a>) -> Result<(), Fault> {
    let (mut name, mut address) = (Cow::Borrowed(""), Cow::Borrowed(""));
    json.object(|json, key, _| {
        match key.as_ref() {
            "Name" => name = json.string()?.unwrap_or_default(),
            "URL" => address = json.string()?.unwrap_or_default(),
            _ => json.skip()?,
        }
        Ok(())
    })?;
    repositories.insert(name, address);
    Ok(())
}

impl<'a> Entry<'a> {
    fn key(&mut self, json: &mut Json<'a>, key: &str) -> Result<(), Fault> {
        let [host, owner, name, commit, url] = &mut self.remote;
        let slot = match key {
            "Version" => {
                self.version = json.string()?;
                return Ok(());
            }
            "Source" => &mut self.kind,
            "Repository" => &mut self.repository,
            "RemoteHost" => host,
            "RemoteUsername" => owner,
            "RemoteRepo" => name,
            "RemoteSha" => commit,
            "RemoteUrl" => url,
            "Requirements" | "Depends" | "Imports" | "LinkingTo" => return self.needs(json),
            _ => return json.skip(),
        };
        *slot = json.string()?.unwrap_or_default();
        Ok(())
    }

    /// `"R (>= 3.5)"`, `"cli"`; R's own tools take one text for a list of one.
    fn needs(&mut self, json: &mut Json<'a>) -> Result<(), Fault> {
        let mut one = |json: &mut Json<'a>| {
            json.next();
            let line = json.line();
            self.needs.extend(json.string()?.map(|need| (need, line)));
            Ok(())
        };
        if json.next() == Value::Array { json.array(one) } else { one(json) }
    }

    fn source(&self, repositories: &Repositories<'_>) -> Source {
        let [_, _, _, commit, url] = &self.remote;
        match self.kind.as_ref() {
            "Repository" | "CRAN" => self.served(repositories),
            "" => Source::Registry,
            "Bioconductor" => Source::PrivateRegistry("Bioconductor".to_owned()),
            "Local" | "unknown" => Source::Path(without_secret(url).into_owned()),
            "URL" => Source::Url(without_secret(url).into_owned()),
            _ if commit.is_empty() => Source::Git(self.address()),
            _ => Source::Git(format!("{}#{commit}", self.address())),
        }
    }

    /// A repository's name is whatever the user called it; CRAN's mirrors are called after it.
    fn served(&self, repositories: &Repositories<'_>) -> Source {
        let name = self.repository.as_ref();
        let address = repositories.get(name).map_or(name, AsRef::as_ref);
        if PUBLIC_NAMES.contains(&name) || PUBLIC_HOSTS.contains(&host(address)) {
            return Source::Registry;
        }
        Source::PrivateRegistry(without_secret(address).into_owned())
    }

    fn address(&self) -> String {
        let [host, owner, name, _, url] = &self.remote;
        if !url.is_empty() {
            return without_secret(url).into_owned();
        }
        let host = match (host.as_ref(), self.kind.to_ascii_lowercase().as_str()) {
            ("api.github.com", _) | ("", "github") => "github.com",
            ("api.bitbucket.org/2.0", _) | ("", "bitbucket") => "bitbucket.org",
            ("", "gitlab") => "gitlab.com",
            (host, _) => host,
        };
        let parts: Vec<&str> = [host, owner, name].into_iter().filter(|part| !part.is_empty()).collect();
        without_secret(&format!("https://{}", parts.join("/"))).into_owned()
    }
}

fn settle(entries: Vec<Entry<'_>>, repositories: &Repositories<'_>, reading: &mut Reading) {
    let mut known: RapidHashMap<&str, u32> = RapidHashMap::default();
    for entry in &entries {
        let Some(version) = entry.version.as_deref() else {
            reading.problem(entry.line, format!("{} has no version", quote(&entry.name)));
            continue;
        };
        known.insert(&entry.name, index(reading.packages.len()));
        let package = Package::new(Ecosystem::Cran, entry.name.as_ref(), version, entry.line);
        reading.packages.push(Package { source: entry.source(repositories), ..package });
    }
    for entry in &entries {
        let Some(from) = known.get(entry.name.as_ref()) else { continue };
        for (need, line) in &entry.needs {
            let name = need.split([' ', '(']).next().unwrap_or(need);
            match known.get(name) {
                Some(to) => reading.links.edges.push((*from, *to)),
                None if name.is_empty() || BASE.contains(&name) => {}
                None => reading.unmet(name, *line),
            }
        }
    }
    reading.links.edges.sort_unstable();
    reading.links.edges.dedup();
}
