//! Bills of materials that other tools wrote: CycloneDX 1.2 to 1.7 and SPDX 2.2 to 3.0, told apart by what is in them.
//!
//! A component is the package that its package URL names. One without, or of a kind that has no ecosystem here (`oci`), is a
//! problem of the file: it is never passed over, and never judged by its plain name. What a distribution's package was built
//! from is known by the URL or by Trivy's properties. What a bill is about (the project itself) is no package of it. What the project
//! asks for is told by the graph, or by a word of our own where a bill has it ([`Depth`]). CycloneDX in XML is in
//! [`super::bill_xml`], SPDX in [`super::bill_spdx`] and [`super::bill_spdx3`]. Start reading at [`read`].

use std::collections::{HashMap, HashSet};

use super::bill_needs::{self, Need};
use super::graph::index;
use super::json::{Json, Value};
use super::reading::{Fault, Reading, quote};
use crate::depth::{self, Depth};
use crate::package::{BuiltFrom, Ecosystem, NotJudged, Origin, Package, Scope};
use crate::purl::{self, Named};

/// What a bill says, whatever its form.
#[derive(Default)]
pub(super) struct Bill {
    pub(super) form: Option<Form>,
    /// What the bill is about.
    pub(super) subjects: Vec<String>,
    pub(super) components: Vec<Component>,
    /// Ids of what is no package: files, services, licences.
    pub(super) others: HashSet<String>,
    pub(super) needs: Vec<Need>,
    says: Says,
}

/// What a file says it is, before a version says it for sure.
#[derive(Default, PartialEq)]
enum Says {
    #[default]
    Nothing,
    Bill,
    /// What bills look like, which is none.
    Schema,
}

/// In which form, and its version as written.
pub(super) enum Form {
    CycloneDx(String),
    Spdx(String),
}

#[derive(Default)]
pub(super) struct Component {
    pub(super) line: u32,
    pub(super) id: String,
    pub(super) name: String,
    pub(super) version: String,
    pub(super) purl: Option<String>,
    pub(super) scope: Scope,
    pub(super) licenses: Vec<String>,
    /// What Trivy says of the source package: name, version, release, epoch.
    pub(super) built_from: [String; 4],
    /// Whether the project asks for it, where the bill says so in a word.
    pub(super) depth: Option<Depth>,
    /// A file, a device, an application, which a lockfile may be: no package of any ecosystem, unless it has a package URL.
    pub(super) is_other: bool,
}

/// Reads a bill of materials in JSON.
pub(crate) fn read(text: &str) -> Reading {
    if text.trim_start().starts_with('<') {
        return super::bill_xml::read(text);
    }
    let mut json = Json::new(text);
    if json.next() != Value::Object {
        return Reading::failed(json.line(), "not a bill of materials: it begins neither with `{` nor with `<`");
    }
    let mut bill = Bill::default();
    let outcome = json.object(|json, key, _| top(json, &key, &mut bill));
    settle(bill, outcome.and_then(|()| json.end()))
}

fn top(json: &mut Json<'_>, key: &str, bill: &mut Bill) -> Result<(), Fault> {
    match key {
        "bomFormat" => {
            bill.says = Says::Bill;
            json.skip()?;
        }
        "$schema" if bill.says == Says::Nothing => {
            let schema = text(json)?;
            let address = schema.split_once("://").map_or(&*schema, |(_, address)| address);
            if address.starts_with("json-schema.org/") {
                bill.says = Says::Schema;
            }
        }
        "specVersion" => bill.form = Some(Form::CycloneDx(text(json)?)),
        "metadata" => json.object(|json, key, _| match &*key {
            "component" => {
                let mut about = Bill::default();
                cyclonedx_component(json, &mut about)?;
                let mut about = about.components.into_iter();
                bill.subjects.extend(about.next().map(|subject| subject.id));
                bill.components.extend(about); // Its parts are components like any other.
                Ok(())
            }
            _ => json.skip(),
        })?,
        "components" => json.array(|json| cyclonedx_component(json, bill))?,
        "services" => json.array(|json| id(json, "bom-ref", bill))?,
        "dependencies" => json.array(|json| cyclonedx_needs(json, bill))?,
        "spdxVersion" => bill.form = Some(Form::Spdx(text(json)?)),
        "documentDescribes" => texts(json, &mut bill.subjects)?,
        "packages" => json.array(|json| super::bill_spdx::package(json, bill))?,
        "files" | "snippets" => json.array(|json| id(json, "SPDXID", bill))?,
        "relationships" => json.array(|json| super::bill_spdx::relationship(json, bill))?,
        "@context" => {
            let mut contexts = Vec::new();
            texts(json, &mut contexts)?;
            if let Some((_, version)) = contexts.iter().find_map(|one| one.split_once("spdx.org/rdf/")) {
                bill.form = Some(Form::Spdx(version.split('/').next().unwrap_or_default().to_owned()));
            }
        }
        "@graph" => json.array(|json| super::bill_spdx3::element(json, bill))?,
        _ => json.skip()?,
    }
    Ok(())
}

pub(super) fn text(json: &mut Json<'_>) -> Result<String, Fault> {
    Ok(json.string()?.unwrap_or_default().into_owned())
}

/// A list of strings, or one alone.
pub(super) fn texts(json: &mut Json<'_>, into: &mut Vec<String>) -> Result<(), Fault> {
    if json.next() == Value::Array {
        return json.array(|json| {
            into.extend(json.string()?.map(std::borrow::Cow::into_owned));
            Ok(())
        });
    }
    into.extend(json.string()?.map(std::borrow::Cow::into_owned));
    Ok(())
}

fn id(json: &mut Json<'_>, name: &str, bill: &mut Bill) -> Result<(), Fault> {
    json.object(|json, key, _| {
        if key != name {
            return json.skip();
        }
        bill.others.insert(text(json)?);
        Ok(())
    })
}

fn cyclonedx_component(json: &mut Json<'_>, bill: &mut Bill) -> Result<(), Fault> {
    json.next();
    let at = bill.components.len();
    bill.components.push(Component { line: json.line(), ..Component::default() });
    let mut group = String::new();
    json.object(|json, key, line| {
        if key == "components" {
            return json.array(|json| cyclonedx_component(json, bill));
        }
        let Some(own) = bill.components.get_mut(at) else { return json.skip() };
        match &*key {
            "bom-ref" => own.id = text(json)?,
            "type" => own.is_other = is_no_package(&text(json)?),
            "group" => group = text(json)?,
            "name" => (own.name, own.line) = (text(json)?, line),
            "version" => own.version = text(json)?,
            "purl" => own.purl = Some(text(json)?),
            "scope" => own.scope = scope(&text(json)?),
            "licenses" => json.array(|json| license(json, &mut own.licenses))?,
            "properties" => json.array(|json| property(json, own))?,
            _ => json.skip()?,
        }
        Ok(())
    })?;
    if let Some(own) = bill.components.get_mut(at) {
        own.finish(&group);
    }
    Ok(())
}

/// Trivy names the source package in properties of its own, we say what the project asks for.
fn property(json: &mut Json<'_>, own: &mut Component) -> Result<(), Fault> {
    let (mut name, mut value) = (String::new(), String::new());
    json.object(|json, key, _| {
        match &*key {
            "name" => name = text(json)?,
            "value" => value = text(json)?,
            _ => json.skip()?,
        }
        Ok(())
    })?;
    if name == depth::PROPERTY {
        own.depth = Depth::read(&value);
    }
    let fields = ["SrcName", "SrcVersion", "SrcRelease", "SrcEpoch"];
    let field = name.strip_prefix("aquasecurity:trivy:").and_then(|name| fields.iter().position(|one| *one == name));
    if let Some(place) = field.and_then(|at| own.built_from.get_mut(at)) {
        *place = value;
    }
    Ok(())
}

/// The source package that Trivy's properties name.
fn source_package(properties: [String; 4]) -> Option<BuiltFrom> {
    let [name, version, release, epoch] = properties;
    let epoch = if matches!(epoch.as_str(), "" | "0") { String::new() } else { format!("{epoch}:") };
    let release = if release.is_empty() { release } else { format!("-{release}") };
    (!name.is_empty() && !version.is_empty()).then(|| BuiltFrom { name, version: format!("{epoch}{version}{release}") })
}

impl Component {
    /// Once all of it is known.
    pub(super) fn finish(&mut self, group: &str) {
        if !group.is_empty() {
            self.name = format!("{group}/{}", self.name);
        }
        if self.id.is_empty() {
            self.id = self.purl.clone().unwrap_or_default();
        }
    }
}

/// The types of CycloneDX that are never a package of a registry.
pub(super) fn is_no_package(kind: &str) -> bool {
    matches!(
        kind,
        "file"
            | "device"
            | "device-driver"
            | "firmware"
            | "operating-system"
            | "data"
            | "machine-learning-model"
            | "cryptographic-asset"
            | "platform"
            // Trivy's lockfiles, and the workspace packages of our own bills.
            | "application"
            | "container"
    )
}

/// CycloneDX's word for what a component is needed for.
pub(super) fn scope(word: &str) -> Scope {
    match word {
        "optional" => Scope::Optional,
        "excluded" => Scope::Dev,
        _ => Scope::Runtime,
    }
}

fn license(json: &mut Json<'_>, into: &mut Vec<String>) -> Result<(), Fault> {
    json.object(|json, key, _| match &*key {
        "expression" => texts(json, into),
        "license" => json.object(|json, key, _| match &*key {
            "id" | "name" => texts(json, into),
            _ => json.skip(),
        }),
        _ => json.skip(),
    })
}

fn cyclonedx_needs(json: &mut Json<'_>, bill: &mut Bill) -> Result<(), Fault> {
    let (mut from, mut all) = (String::new(), Vec::new());
    json.object(|json, key, _| match &*key {
        "ref" => {
            from = text(json)?;
            Ok(())
        }
        "dependsOn" => json.array(|json| {
            json.next();
            let line = json.line();
            all.push((text(json)?, line));
            Ok(())
        }),
        _ => json.skip(),
    })?;
    bill.needs.extend(all.into_iter().map(|(to, line)| Need::new(from.clone(), to, line)));
    Ok(())
}

/// Turns what a bill says into packages.
pub(super) fn settle(mut bill: Bill, outcome: Result<(), Fault>) -> Reading {
    let mut reading = Reading::default();
    match &bill.form {
        Some(Form::CycloneDx(version))
            if !matches!(version.as_str(), "1.0" | "1.1" | "1.2" | "1.3" | "1.4" | "1.5" | "1.6" | "1.7") =>
        {
            return Reading::unsupported(1, format!("CycloneDX {} is not read; 1.0 to 1.7 are", quote(version)));
        }
        Some(Form::Spdx(version))
            if !["SPDX-2.2", "SPDX-2.3", "3.0"].iter().any(|known| version.starts_with(known)) =>
        {
            return Reading::unsupported(1, format!("SPDX {} is not read; 2.2, 2.3 and 3.0 are", quote(version)));
        }
        Some(_) => {}
        None if outcome.is_ok() && bill.says == Says::Schema => return reading,
        None if outcome.is_ok() => reading.problem(1, "neither CycloneDX nor SPDX: no version of either is named"),
        None => {}
    }
    if let Err(fault) = outcome {
        reading.fault(fault);
    }
    bill.subjects.retain(|id| !id.is_empty());
    let subject = subject(&bill);
    let mut places: HashMap<String, Option<u32>> = bill.others.drain().map(|id| (id, None)).collect();
    places.extend(bill.subjects.drain(..).map(|id| (id, None)));
    let mut seen: HashMap<Package, u32> = HashMap::new();
    let mut depths: HashMap<u32, Depth> = HashMap::new();
    for component in std::mem::take(&mut bill.components) {
        let (id, depth) = (component.id.clone(), component.depth);
        let place = match subject.as_ref() {
            Some(subject) if *subject == id => None,
            _ => place(component, &mut seen, &mut reading),
        };
        if let Some((at, depth)) = place.zip(depth) {
            depths.entry(at).and_modify(|known| *known = depth.min(*known)).or_insert(depth);
        }
        let known = places.entry(id).or_insert(place);
        *known = known.or(place);
    }
    bill_needs::connect(&bill.needs, &places, subject.as_deref(), &mut reading);
    for (at, depth) in depths {
        if let Some(package) = reading.packages.get_mut(at as usize) {
            package.direct = depth.direct();
        }
    }
    reading.close()
}

/// What the bill is about. A bill that is said to be about each of its packages is about none of them.
fn subject(bill: &Bill) -> Option<String> {
    let distinct: HashSet<&String> = bill.subjects.iter().collect();
    let others = bill.components.iter().filter(|component| !distinct.contains(&component.id)).count();
    let is_one = distinct.len() == 1 && (others > 0 || matches!(bill.form, Some(Form::CycloneDx(_))));
    distinct.into_iter().next().filter(|_| is_one).cloned()
}

/// Adds a component to the packages; where it is then.
fn place(component: Component, seen: &mut HashMap<Package, u32>, reading: &mut Reading) -> Option<u32> {
    let Component { line, name, version, purl, scope, licenses, built_from: properties, is_other, .. } = component;
    let Some(url) = purl.filter(|url| !url.is_empty()) else {
        if !is_other {
            let message = format!("{} has no package URL, so nobody can tell which package it is", quote(&name));
            reading.problem(line, message);
        }
        return None;
    };
    let Named { ecosystem, name, version: pinned, source, built_from } = match purl::read(&url) {
        Ok(named) => named,
        Err(error) => {
            reading.problem(line, format!("{}: {error}", quote(&url)));
            return None;
        }
    };
    let version = if pinned.is_empty() { version.strip_prefix('v').unwrap_or(&version).to_owned() } else { pinned };
    if version.is_empty() {
        let entry = NotJudged::new(ecosystem, name, "", line, "the bill of materials names no version");
        reading.not_judged.push(NotJudged { scope, ..entry });
        return None;
    }
    if ecosystem == Ecosystem::GitHubActions && super::workflow::release(&version).is_none() {
        let reason = "a branch, a commit or a tag that moves, not a released version";
        let entry = NotJudged::new(ecosystem, name, version, line, reason);
        reading.not_judged.push(NotJudged { scope, ..entry });
        return None;
    }
    let said = || source_package(properties).filter(|from| from.name != name || from.version != version);
    let built_from = built_from.or_else(|| ecosystem.system().and_then(|_| said()));
    let origin = built_from.map(|from| Box::new(Origin { built_from: Some(from), ..Origin::default() }));
    let package = Package { scope, source, origin, ..Package::new(ecosystem, name, version, line) };
    // Some tools list a package once for each place in which they found it.
    let key = Package { line: 0, scope: Scope::Runtime, ..package.clone() };
    if let Some(at) = seen.get(&key) {
        return Some(*at);
    }
    let at = index(reading.packages.len());
    seen.insert(key, at);
    reading.packages.push(Package { licenses: licenses.into(), ..package });
    Some(at)
}
