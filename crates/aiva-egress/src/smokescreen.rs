//! Reads a Smokescreen ACL (version v1) and says the same in roles of ours, or says what it cannot carry over.
//!
//! Never wider than the original: where the two differ (there an allowed name beats a denied one, here the other way round)
//! the role refuses and a [`Remark`] tells. Pure. Start reading at [`import`].

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use aiva_outbound::policy::{Names, Policy, Reason};
use serde::Deserialize;
use serde_json::Value;

mod yaml;

/// The name of the role for callers that have none.
pub const DEFAULT_ROLE: &str = "default";

/// Why a text is no ACL.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// Not YAML, or more of it than an ACL needs.
    #[error("not a YAML document that an ACL can be: {0}")]
    Yaml(String),
    /// Another shape.
    #[error("not a Smokescreen ACL: {0}")]
    Shape(String),
    /// Another version.
    #[error("an ACL of version {0:?}; only v1 is known")]
    Version(String),
}

/// What was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Import {
    /// The roles, by name.
    pub roles: BTreeMap<String, Role>,
    /// What was left out, or means something else here.
    pub remarks: Vec<Remark>,
}

/// One role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Role {
    /// `enforce`, `report` or `open`.
    pub mode: Mode,
    /// Whose it is, as the ACL says (`project`).
    pub project: String,
    /// Names that may be reached.
    pub allow_domains: Vec<String>,
    /// Names that may not be reached.
    pub deny_domains: Vec<String>,
}

/// How strict a role is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Only what is allowed.
    Enforce,
    /// Everything public, and what is not allowed is written down.
    Report,
    /// Everything public.
    Open,
}

impl Mode {
    const fn name(self) -> &'static str {
        match self {
            Self::Enforce => "enforce",
            Self::Report => "report",
            Self::Open => "open",
        }
    }
}

/// What could not be said in the same words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remark {
    /// The part of the ACL.
    pub place: String,
    /// What differs, and what to do about it.
    pub text: String,
}

impl fmt::Display for Remark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.text)
    }
}

#[derive(Deserialize)]
struct Acl {
    version: String,
    services: Vec<Rule>,
    default: Option<Rule>,
    #[serde(default)]
    global_deny_list: Vec<String>,
    #[serde(default)]
    global_allow_list: Vec<String>,
    #[serde(flatten)]
    rest: BTreeMap<String, Value>,
}

#[derive(Deserialize)]
struct Rule {
    #[serde(default)]
    name: String,
    #[serde(default)]
    project: String,
    action: Mode,
    #[serde(default)]
    allowed_domains: Vec<String>,
    #[serde(flatten)]
    rest: BTreeMap<String, Value>,
}

/// Reads an ACL.
pub fn import(text: &str) -> Result<Import, ImportError> {
    let tree = yaml::read(text).map_err(ImportError::Yaml)?;
    if let Some(version) = tree.get("version").and_then(Value::as_str).filter(|version| *version != "v1") {
        return Err(ImportError::Version(version.to_owned()));
    }
    let acl: Acl = serde_json::from_value(tree).map_err(|error| ImportError::Shape(error.to_string()))?;
    if acl.version != "v1" {
        return Err(ImportError::Version(acl.version));
    }
    let mut remarks = Remarks::default();
    for key in acl.rest.keys() {
        remarks.add("the file", format!("{key:?} is not known and was left out"));
    }
    let deny = remarks.names("global_deny_list", &acl.global_deny_list);
    let allow = remarks.names("global_allow_list", &acl.global_allow_list);
    let mut roles = BTreeMap::new();
    for rule in &acl.services {
        let Some(name) = remarks.role_name(&rule.name) else { continue };
        if roles.contains_key(&name) || name == DEFAULT_ROLE {
            return Err(ImportError::Shape(format!("the service {:?} stands there twice, as {name:?}", rule.name)));
        }
        let role = remarks.role(&format!("service {}", rule.name), rule, &allow, &deny);
        roles.insert(name, role);
    }
    let default = match &acl.default {
        Some(rule) => remarks.role("default", rule, &allow, &deny),
        // Without a default rule Smokescreen refuses every service that it does not know, whatever the global lists say.
        None => {
            Role { mode: Mode::Enforce, project: String::new(), allow_domains: Vec::new(), deny_domains: Vec::new() }
        }
    };
    roles.insert(DEFAULT_ROLE.to_owned(), default);
    Ok(Import { roles, remarks: remarks.0 })
}

#[derive(Default)]
struct Remarks(Vec<Remark>);

impl Remarks {
    fn add(&mut self, place: &str, text: impl Into<String>) {
        let remark = Remark { place: place.to_owned(), text: text.into() };
        if !self.0.contains(&remark) {
            self.0.push(remark);
        }
    }

    /// The entries that are names, as we write them.
    fn names(&mut self, place: &str, entries: &[String]) -> Vec<String> {
        let mut names = Vec::new();
        for entry in entries {
            let entry = entry.trim_end_matches('.').to_ascii_lowercase();
            if Names::new(&entry).is_none() {
                self.add(place, format!("{entry:?} is no host name and was left out; write an address as a CIDR"));
                continue;
            }
            // Of what is below a name, some name.
            let one = entry.replacen('*', "name", 1);
            let judged = Policy::public().judge_name(&one).map_err(|denial| denial.reason);
            if let Err(Reason::NameInternal | Reason::NameLocal | Reason::NameMetadata) = judged {
                let text = format!("{entry} is an internal name: it stays refused until an exception names it");
                self.add(place, text);
            }
            if !names.contains(&entry) {
                names.push(entry);
            }
        }
        names
    }

    /// A name that a role can have: lower case, digits, dots, dashes and underscores.
    fn role_name(&mut self, service: &str) -> Option<String> {
        let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '.' | '_' | '-');
        let mut name: String = service.to_ascii_lowercase().replace(|c| !fits(c), "-");
        name.truncate(63);
        let name = name.trim_start_matches(['.', '_', '-']).to_owned();
        let place = format!("service {service:?}");
        if name.is_empty() {
            self.add(&place, "it has no name that a role could have and was left out");
            return None;
        }
        if name != service {
            self.add(&place, format!("its role is called {name:?}; let its callers be known by that name"));
        }
        Some(name)
    }

    fn role(&mut self, place: &str, rule: &Rule, allow: &[String], deny: &[String]) -> Role {
        for key in rule.rest.keys() {
            let text = match key.as_str() {
                "allowed_external_proxies" => {
                    "allowed_external_proxies was left out: a caller cannot choose a proxy on the way; name one for all"
                        .into()
                }
                "mitm_domains" | "allowed_domains_mitm" => {
                    format!("{key} was left out: TLS is never opened on the way, so no header can be added or logged")
                }
                _ => format!("{key:?} is not known and was left out"),
            };
            self.add(place, text);
        }
        let own = self.names(place, &rule.allowed_domains);
        let mut allow_domains = own.clone();
        allow_domains.extend(allow.iter().filter(|name| !own.contains(name)).cloned());
        // There a service's own names beat the global deny list; here a denied name beats every allowed one. A denied name
        // that is wholly allowed is left out, and under enforce also one that nothing allows.
        let mut deny_domains = Vec::new();
        for denied in deny {
            let needless = rule.action == Mode::Enforce && !allow.iter().any(|name| overlap(name, denied));
            if needless || own.iter().any(|name| covers(name, denied)) {
                continue;
            }
            for name in own.iter().filter(|name| covers(denied, name)) {
                let text = format!("{name} stays refused: a denied name ({denied}) beats every allowed one");
                self.add(place, text);
            }
            deny_domains.push(denied.clone());
        }
        Role { mode: rule.action, project: rule.project.clone(), allow_domains, deny_domains }
    }
}

/// Whether every name of `inner` is one of `outer`.
fn covers(outer: &str, inner: &str) -> bool {
    match outer.strip_prefix('*') {
        Some(suffix) => inner.strip_prefix('*').unwrap_or(inner).ends_with(suffix),
        None => outer == inner,
    }
}

fn overlap(a: &str, b: &str) -> bool {
    covers(a, b) || covers(b, a)
}

impl Import {
    /// The roles as they stand in `aiva.toml`.
    pub fn toml(&self) -> String {
        let mut text = String::new();
        for (name, role) in &self.roles {
            if !text.is_empty() {
                text.push('\n');
            }
            // A quoted key is right for every name, a bare one easier to read.
            let bare = name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'));
            let key = if bare { name.clone() } else { format!("\"{name}\"") };
            if !role.project.is_empty() {
                let project: String = role.project.chars().filter(|c| !c.is_control()).collect();
                text.push_str(&format!("# project: {project}\n"));
            }
            text.push_str(&format!("[egress.roles.{key}]\nmode = \"{}\"\n", role.mode.name()));
            list(&mut text, "allow_domains", &role.allow_domains);
            list(&mut text, "deny_domains", &role.deny_domains);
        }
        text
    }

    /// The remarks as comments, for the top of the file.
    pub fn comments(&self) -> String {
        let lines: BTreeSet<String> = self.remarks.iter().map(|remark| format!("# {remark}\n")).collect();
        lines.into_iter().collect()
    }
}

/// Entries are host names by now: nothing in them wants escaping.
fn list(text: &mut String, key: &str, entries: &[String]) {
    match entries {
        [] => {}
        [one] => text.push_str(&format!("{key} = [\"{one}\"]\n")),
        many => {
            text.push_str(&format!("{key} = [\n"));
            many.iter().for_each(|entry| text.push_str(&format!("  \"{entry}\",\n")));
            text.push_str("]\n");
        }
    }
}

#[cfg(test)]
mod tests;
