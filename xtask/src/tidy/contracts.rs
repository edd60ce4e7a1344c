//! What must come in pairs: an alert and its runbook, a route and its permission, an event and its schema.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Context, Result};
use serde::Deserialize;

use super::Source;

pub(super) fn complaints(root: &Path, sources: &[Source]) -> Result<Vec<String>> {
    let mut found = alerts_without_runbook(root, sources);
    found.extend(routes_without_permission(root)?);
    found.extend(events_without_schema(root, sources)?);
    Ok(found)
}

/// Every alert's cause is written as `cause = "slug"` in a `Cause` constant; its page is `docs/runbooks/slug.md`.
fn alerts_without_runbook(root: &Path, sources: &[Source]) -> Vec<String> {
    let mut found = Vec::new();
    let mut causes = BTreeSet::new();
    for source in sources.iter().filter(|source| source.module().is_some()) {
        for (line, text) in source.shipped() {
            let Some(cause) = between(text, "Cause::new(\"", "\"") else { continue };
            causes.insert(cause.to_owned());
            if !root.join("docs/runbooks").join(format!("{cause}.md")).is_file() {
                found.push(format!("{}:{line}: alert `{cause}` has no page docs/runbooks/{cause}.md", source.path));
            }
        }
    }
    let pages = std::fs::read_dir(root.join("docs/runbooks")).into_iter().flatten().flatten();
    for page in pages {
        let name = page.file_name().to_string_lossy().into_owned();
        if let Some(cause) = name.strip_suffix(".md")
            && cause != "README"
            && !causes.contains(cause)
        {
            found.push(format!("docs/runbooks/{name}: no alert has this cause; remove the page or the typo"));
        }
    }
    found
}

#[derive(Deserialize)]
struct Contract {
    paths: std::collections::BTreeMap<String, std::collections::BTreeMap<String, serde_json::Value>>,
}

/// Every operation of the API says who may call it.
fn routes_without_permission(root: &Path) -> Result<Vec<String>> {
    let path = root.join("api/openapi.yaml");
    let text = std::fs::read_to_string(&path).context("api/openapi.yaml")?;
    let contract: Contract = serde_saphyr::from_str(&text).context("api/openapi.yaml")?;
    let mut found = Vec::new();
    for (route, operations) in &contract.paths {
        for (method, operation) in operations {
            if !matches!(method.as_str(), "get" | "put" | "post" | "delete" | "patch") {
                continue;
            }
            if operation.get("x-permission").and_then(|v| v.as_str()).is_none_or(str::is_empty) {
                found.push(format!("api/openapi.yaml: {method} {route} does not say its `x-permission`"));
            }
            if operation.get("operationId").is_none() {
                found.push(format!("api/openapi.yaml: {method} {route} has no `operationId`"));
            }
        }
    }
    Ok(found)
}

/// Every event type that the code names is a message of api/proto, in the package that the type says.
fn events_without_schema(root: &Path, sources: &[Source]) -> Result<Vec<String>> {
    let mut messages = BTreeSet::new();
    let listed =
        crate::process::output("git", &["ls-files", "--cached", "--others", "--exclude-standard", "--", "api/proto"])?;
    for path in listed.lines().filter(|path| path.ends_with(".proto")) {
        let text = std::fs::read_to_string(root.join(path))?;
        let package = text.lines().find_map(|line| between(line, "package ", ";")).unwrap_or_default().to_owned();
        for line in text.lines() {
            if let Some(name) = line.strip_prefix("message ") {
                let name = name.split([' ', '{']).next().unwrap_or_default();
                messages.insert(format!("{package}.{name}"));
            }
        }
    }
    let mut found = Vec::new();
    for source in sources.iter().filter(|source| source.module().is_some()) {
        for (line, text) in source.shipped() {
            let Some(kind) = between(text, "const TYPE: &'static str = \"", "\"") else { continue };
            if !messages.contains(kind) {
                found.push(format!("{}:{line}: event type `{kind}` is no message of api/proto", source.path));
            }
        }
    }
    Ok(found)
}

fn between<'t>(text: &'t str, before: &str, after: &str) -> Option<&'t str> {
    let start = text.find(before)? + before.len();
    let length = text[start..].find(after)?;
    Some(&text[start..start + length])
}
