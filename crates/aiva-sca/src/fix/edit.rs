//! One package moved in one manifest, everything else left to the byte.

use std::collections::BTreeSet;

use toml_edit::{DocumentMut, Item, TableLike, Value};

use super::program;
use super::requirement::moved;
use crate::inventory::Kind;
use crate::package::Ecosystem;
use crate::purl::pypi_name;

/// The manifest with the package at `to`; `None` where it does not ask for the package; an error says why it cannot be moved.
///
/// `lines` are those of the findings, for formats in which the manifest is what was judged.
pub(super) fn bump(
    kind: Kind,
    text: &str,
    ecosystem: Ecosystem,
    name: &str,
    to: &str,
    lines: &BTreeSet<u32>,
) -> Result<Option<String>, String> {
    match kind {
        Kind::PackageJson => package_json(text, &TABLES, Ecosystem::Npm, name, to),
        Kind::ComposerJson => package_json(text, &["require", "require-dev"], Ecosystem::Packagist, name, to),
        Kind::Gemfile => program::gemfile(text, name, to),
        Kind::MixExs => program::mix_exs(text, name, to),
        Kind::PubspecYaml => program::pubspec(text, name, to),
        Kind::CargoToml => cargo_toml(text, name, to),
        Kind::PyProject => pyproject(text, name, to),
        Kind::Requirements => requirements(text, name, to, lines),
        Kind::GoMod => go_mod(text, name, to, lines),
        _ => Err(format!("{ecosystem} requirements are not edited in {}", kind.name())),
    }
}

const TABLES: [&str; 4] = ["dependencies", "devDependencies", "optionalDependencies", "peerDependencies"];

/// Walks the top level of the object and rewrites requirements where they stand.
fn package_json(
    text: &str,
    tables: &[&str],
    ecosystem: Ecosystem,
    name: &str,
    to: &str,
) -> Result<Option<String>, String> {
    let document: serde_json::Value = serde_json::from_str(text).map_err(|error| format!("not JSON: {error}"))?;
    let is_own = |key: &str| match ecosystem {
        Ecosystem::Packagist => key.eq_ignore_ascii_case(name),
        _ => key == name,
    };
    let entries = |table: &&str| document.get(*table).and_then(serde_json::Value::as_object);
    if !tables.iter().filter_map(entries).any(|table| table.keys().any(|key| is_own(key))) {
        return Ok(None);
    }
    let mut spots = Vec::new();
    let mut scanner = Scanner { text, at: 0 };
    scanner.object(&mut |scanner, table| {
        if !tables.contains(&table) {
            return scanner.value();
        }
        scanner.object(&mut |scanner, key| {
            scanner.blank();
            let from = scanner.at;
            scanner.value()?;
            if is_own(key) {
                spots.push((from, scanner.at));
            }
            Some(())
        })
    });
    let mut after = text.to_owned();
    for (from, end) in spots.into_iter().rev() {
        let requirement: String = text
            .get(from..end)
            .and_then(|quoted| serde_json::from_str(quoted).ok())
            .ok_or_else(|| format!("the requirement of {name} is not a string"))?;
        let new = moved(ecosystem, &requirement, to)
            .ok_or_else(|| format!("{name} is asked for as {requirement:?}, which no version can be put into"))?;
        after.replace_range(from..end, &serde_json::Value::from(new).to_string());
    }
    Ok(Some(after))
}

/// Steps over JSON that is known to be sound.
struct Scanner<'t> {
    text: &'t str,
    at: usize,
}

impl Scanner<'_> {
    fn blank(&mut self) {
        let rest = self.text.get(self.at..).unwrap_or_default();
        self.at += rest.len() - rest.trim_start().len();
    }

    fn next(&mut self) -> Option<u8> {
        self.blank();
        self.text.as_bytes().get(self.at).copied()
    }

    fn string(&mut self) -> Option<String> {
        self.blank();
        let from = self.at;
        self.at += 1;
        loop {
            match self.text.as_bytes().get(self.at)? {
                b'\\' => self.at += 2,
                b'"' => break,
                _ => self.at += 1,
            }
        }
        self.at += 1;
        serde_json::from_str(self.text.get(from..self.at)?).ok()
    }

    fn object(&mut self, each: &mut dyn FnMut(&mut Self, &str) -> Option<()>) -> Option<()> {
        if self.next()? != b'{' {
            return self.value();
        }
        self.at += 1;
        loop {
            match self.next()? {
                b'}' => break,
                b',' => self.at += 1,
                _ => {
                    let key = self.string()?;
                    self.next().filter(|next| *next == b':')?;
                    self.at += 1;
                    each(self, &key)?;
                }
            }
        }
        self.at += 1;
        Some(())
    }

    fn value(&mut self) -> Option<()> {
        match self.next()? {
            b'"' => self.string().map(drop),
            b'{' | b'[' => {
                let mut depth = 0_usize;
                loop {
                    match self.next()? {
                        b'"' => self.string().map(drop)?,
                        open @ (b'{' | b'[' | b'}' | b']') => {
                            self.at += 1;
                            depth = if matches!(open, b'{' | b'[') { depth + 1 } else { depth - 1 };
                            if depth == 0 {
                                return Some(());
                            }
                        }
                        _ => self.at += 1,
                    }
                }
            }
            _ => {
                let rest = self.text.get(self.at..)?;
                self.at += rest.find([',', '}', ']']).unwrap_or(rest.len());
                Some(())
            }
        }
    }
}

fn toml(text: &str) -> Result<DocumentMut, String> {
    text.parse().map_err(|error: toml_edit::TomlError| format!("not TOML: {}", error.message()))
}

/// A new string in the place of an old one, with the blanks and comments around it.
fn put(value: &mut Value, new: String) {
    let decor = value.decor().clone();
    *value = Value::from(new);
    *value.decor_mut() = decor;
}

/// `x = "1"`, `x = { version = "1" }` and `[dependencies.x]`; whether there was a version to move.
fn set(item: &mut Item, ecosystem: Ecosystem, name: &str, to: &str) -> Result<bool, String> {
    let value = match item {
        Item::Value(value) if value.is_str() => value,
        item => {
            let Some(table) = item.as_table_like_mut() else { return Ok(false) };
            match table.get_mut("version").and_then(Item::as_value_mut) {
                Some(value) => value,
                None => return Ok(false), // by path, by git, or from the workspace, where it is moved
            }
        }
    };
    let Some(requirement) = value.as_str() else { return Ok(false) };
    let new = moved(ecosystem, requirement, to)
        .ok_or_else(|| format!("{name} is asked for as {requirement:?}, which no version can be put into"))?;
    if new != requirement {
        put(value, new);
    }
    Ok(true)
}

fn cargo_toml(text: &str, name: &str, to: &str) -> Result<Option<String>, String> {
    let mut document = toml(text)?;
    let mut asked = tables(document.as_table_mut(), name, to)?;
    if let Some(workspace) = document.get_mut("workspace").and_then(Item::as_table_like_mut) {
        asked |= table(workspace, "dependencies", name, to)?;
    }
    if let Some(targets) = document.get_mut("target").and_then(Item::as_table_like_mut) {
        for (_, target) in targets.iter_mut() {
            if let Some(target) = target.as_table_like_mut() {
                asked |= tables(target, name, to)?;
            }
        }
    }
    Ok(asked.then(|| document.to_string()))
}

fn tables(above: &mut dyn TableLike, name: &str, to: &str) -> Result<bool, String> {
    let mut asked = false;
    for key in ["dependencies", "dev-dependencies", "build-dependencies"] {
        asked |= table(above, key, name, to)?;
    }
    Ok(asked)
}

fn table(above: &mut dyn TableLike, key: &str, name: &str, to: &str) -> Result<bool, String> {
    let Some(entries) = above.get_mut(key).and_then(Item::as_table_like_mut) else { return Ok(false) };
    let mut asked = false;
    for (key, item) in entries.iter_mut() {
        let renamed = item.as_table_like().and_then(|table| table.get("package")).and_then(Item::as_str);
        if renamed.unwrap_or(key.get()) == name {
            asked |= set(item, Ecosystem::CratesIo, name, to)?;
        }
    }
    Ok(asked)
}

fn pyproject(text: &str, name: &str, to: &str) -> Result<Option<String>, String> {
    let mut document = toml(text)?;
    let mut asked = false;
    if let Some(project) = document.get_mut("project").and_then(Item::as_table_like_mut) {
        if let Some(list) = project.get_mut("dependencies") {
            asked |= listed(list, name, to)?;
        }
        if let Some(extras) = project.get_mut("optional-dependencies").and_then(Item::as_table_like_mut) {
            for (_, list) in extras.iter_mut() {
                asked |= listed(list, name, to)?;
            }
        }
    }
    if let Some(groups) = document.get_mut("dependency-groups").and_then(Item::as_table_like_mut) {
        for (_, list) in groups.iter_mut() {
            asked |= listed(list, name, to)?;
        }
    }
    let poetry = document.get_mut("tool").and_then(Item::as_table_like_mut).and_then(|tool| tool.get_mut("poetry"));
    if let Some(poetry) = poetry.and_then(Item::as_table_like_mut) {
        for key in ["dependencies", "dev-dependencies"] {
            asked |= poetry_table(poetry.get_mut(key), name, to)?;
        }
        if let Some(groups) = poetry.get_mut("group").and_then(Item::as_table_like_mut) {
            for (_, group) in groups.iter_mut() {
                let table = group.as_table_like_mut().and_then(|group| group.get_mut("dependencies"));
                asked |= poetry_table(table, name, to)?;
            }
        }
    }
    Ok(asked.then(|| document.to_string()))
}

fn poetry_table(table: Option<&mut Item>, name: &str, to: &str) -> Result<bool, String> {
    let Some(table) = table.and_then(Item::as_table_like_mut) else { return Ok(false) };
    let mut asked = false;
    for (key, item) in table.iter_mut() {
        if pypi_name(key.get()) == name {
            asked |= poetry_set(item, name, to)?;
        }
    }
    Ok(asked)
}

/// Poetry's bare `1.2` is exact, and `^` and `~` are cargo's; the rest is PEP 440.
fn poetry_set(item: &mut Item, name: &str, to: &str) -> Result<bool, String> {
    let value = if item.is_str() {
        item.as_value_mut()
    } else {
        item.as_table_like_mut().and_then(|table| table.get_mut("version")).and_then(Item::as_value_mut)
    };
    let Some(value) = value else { return Ok(false) };
    let Some(requirement) = value.as_str().map(str::trim) else { return Ok(false) };
    let new = match requirement {
        "*" => format!(">={to}"),
        one if one.starts_with('^') && !one.contains(',') => format!("^{to}"),
        one if one.starts_with('~') && !one.starts_with("~=") && !one.contains(',') => format!("~{to}"),
        one if one.starts_with(|c: char| c.is_ascii_digit()) => to.to_owned(),
        one => moved(Ecosystem::PyPi, one, to)
            .ok_or_else(|| format!("{name} is asked for as {one:?}, which no version can be put into"))?,
    };
    put(value, new);
    Ok(true)
}

fn listed(list: &mut Item, name: &str, to: &str) -> Result<bool, String> {
    let Some(list) = list.as_array_mut() else { return Ok(false) };
    let mut asked = false;
    for value in list.iter_mut() {
        if let Some(new) = value.as_str().map(|text| line(text, name, to)).transpose()?.flatten() {
            asked = true;
            put(value, new);
        }
    }
    Ok(asked)
}

/// A PEP 508 requirement with the package at `to`; `None` where it is about another package.
fn line(text: &str, name: &str, to: &str) -> Result<Option<String>, String> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let start = text.len() - text.trim_start().len();
    let rest = text.get(start..).unwrap_or_default();
    let own = rest.get(..rest.find(|c| !is_name(c)).unwrap_or(rest.len())).unwrap_or_default();
    if own.is_empty() || pypi_name(own) != name {
        return Ok(None);
    }
    let after = rest.get(own.len()..).unwrap_or_default();
    // Extras stay with the name; markers, hashes and comments stay behind.
    let extras = match after.trim_start().strip_prefix('[').and_then(|inside| inside.find(']')) {
        Some(end) => after.len() - after.trim_start().len() + end + 2,
        None => 0,
    };
    let (extras, after) = after.split_at_checked(extras).unwrap_or(("", after));
    let end = [";", " #", "\t#", " --", "\\"].iter().filter_map(|stop| after.find(stop)).min().unwrap_or(after.len());
    let (specifier, tail) = after.split_at_checked(end).unwrap_or((after, ""));
    if specifier.trim_start().starts_with('@') {
        return Err(format!("{name} comes from an address"));
    }
    if tail.contains("--hash") {
        return Err(format!("{name} is pinned with hashes; compile the requirements again with {name}>={to}"));
    }
    let blank = specifier.len() - specifier.trim_start().len();
    let trail = specifier.get(specifier.trim_end().len()..).unwrap_or_default();
    let bare = specifier.trim().trim_start_matches('(').trim_end_matches(')');
    let new = moved(Ecosystem::PyPi, bare, to)
        .ok_or_else(|| format!("{name} is asked for as {bare:?}, which no version can be put into"))?;
    let lead = text.get(..start + own.len()).unwrap_or_default();
    let blanks = specifier.get(..blank).filter(|_| !bare.is_empty()).unwrap_or_default();
    Ok(Some(format!("{lead}{extras}{blanks}{new}{trail}{tail}")))
}

/// Only the lines that were judged: a name may stand in several files that take each other in.
fn requirements(text: &str, name: &str, to: &str, lines: &BTreeSet<u32>) -> Result<Option<String>, String> {
    let mut out = String::with_capacity(text.len() + 8);
    let mut asked = false;
    for (number, whole) in text.split_inclusive('\n').enumerate() {
        let body = whole.trim_end_matches(['\n', '\r']);
        let wanted = u32::try_from(number + 1).is_ok_and(|number| lines.contains(&number));
        match wanted.then(|| line(body, name, to)).transpose()?.flatten() {
            Some(new) => {
                // What goes on in the next line may be its hashes.
                if body.trim_end().ends_with('\\') {
                    return Err(format!("{name} goes on over several lines; move it to {to} by hand"));
                }
                asked = true;
                out.push_str(&new);
                out.push_str(whole.get(body.len()..).unwrap_or_default());
            }
            None => out.push_str(whole),
        }
    }
    Ok(asked.then_some(out))
}

/// `module v1.2.3`, alone or in a block; `go 1.21` and `toolchain go1.21.3` for the standard library.
fn go_mod(text: &str, name: &str, to: &str, lines: &BTreeSet<u32>) -> Result<Option<String>, String> {
    let mut out = String::with_capacity(text.len() + 8);
    let mut asked = false;
    for (number, whole) in text.split_inclusive('\n').enumerate() {
        let wanted = u32::try_from(number + 1).is_ok_and(|number| lines.contains(&number));
        let code = whole.split("//").next().unwrap_or_default();
        let mut words = code.split_whitespace().filter(|word| *word != "require");
        let (first, second) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let new = match (first, second) {
            ("go", version) if name == "stdlib" => Some((version, to.to_owned())),
            ("toolchain", version) if matches!(name, "stdlib" | "toolchain") => Some((version, format!("go{to}"))),
            (module, version) if module.trim_matches('"') == name && version.starts_with('v') => {
                Some((version, format!("v{to}")))
            }
            ("replace", _) if code.contains(name) => {
                return Err(format!("{name} is replaced; move the replacement to v{to} by hand"));
            }
            _ => None,
        };
        match new.filter(|_| wanted) {
            Some((old, new)) => {
                asked = true;
                out.push_str(&whole.replacen(old, &new, 1));
            }
            None => out.push_str(whole),
        }
    }
    Ok(asked.then_some(out))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(kind: Kind, text: &str, name: &str, want: Result<Option<&str>, &str>) {
        let lines = (1..20).collect();
        let got = bump(kind, text, Ecosystem::Npm, name, "1.2.6", &lines);
        assert_eq!(got.as_ref().map(Option::as_deref).map_err(String::as_str), want, "{text}");
    }

    #[test]
    fn package_json_keeps_everything_else() {
        let text = "{\n\t\"name\": \"minimist\",  \"x\": [1, {\"minimist\": \"^0\"}],\n\t\"dependencies\" : { \"minimist\":\"^1.0.0\" , \"b\": \"1\" },\n\t\"devDependencies\": {\"minimist\": \"~1.0\"}\n}\r\n";
        let want = text.replace("\"^1.0.0\"", "\"^1.2.6\"").replace("\"~1.0\"", "\"~1.2.6\"");
        check(Kind::PackageJson, text, "minimist", Ok(Some(&want)));
        check(Kind::PackageJson, text, "nobody", Ok(None));
        let git = r#"{"dependencies": {"a": "github:x/a"}}"#;
        check(Kind::PackageJson, git, "a", Err("a is asked for as \"github:x/a\", which no version can be put into"));
        check(Kind::PackageJson, "{\"dependencies\": {\"a\": 1}}", "a", Err("the requirement of a is not a string"));
    }

    #[test]
    fn composer_json_is_edited_as_package_json_is() {
        let text = "{\n    \"require\": {\"php\": \">=8\", \"Symfony/Console\": \"^1.0\"},\n    \"require-dev\": {\"symfony/console\": \"1.0.0\"}\n}\n";
        let want = text.replace("\"^1.0\"", "\"^1.2.6\"").replace("\"1.0.0\"", "\"1.2.6\"");
        check(Kind::ComposerJson, text, "symfony/console", Ok(Some(&want)));
        check(Kind::ComposerJson, text, "symfony/yaml", Ok(None));
        let branch = r#"{"require": {"a/b": "dev-main"}}"#;
        check(
            Kind::ComposerJson,
            branch,
            "a/b",
            Err("a/b is asked for as \"dev-main\", which no version can be put into"),
        );
    }

    #[test]
    fn cargo_toml_keeps_comments_and_forms() {
        let text = "[dependencies]\ntime = \"1.0\" # why\nother = { version = \"1.0\", package = \"time\", features = [\"x\"] }\n\n[workspace.dependencies.time]\nversion  =  '1.0'\n\n[target.'cfg(unix)'.dev-dependencies]\ntime = { path = \"../time\" }\n";
        let want = text
            .replace("time = \"1.0\"", "time = \"1.2.6\"")
            .replace("version = \"1.0\", package", "version = \"1.2.6\", package")
            .replace("'1.0'", "\"1.2.6\"");
        check(Kind::CargoToml, text, "time", Ok(Some(&want)));
        check(Kind::CargoToml, "[dependencies]\ntime.workspace = true\n", "time", Ok(None)); // moved where it is defined
    }

    #[test]
    fn pyproject_keeps_extras_and_markers() {
        let text = "[project]\ndependencies = [\n  \"Flask[async]>=1.0,<2 ; python_version > '3.8'\", # web\n  \"flask-login\",\n]\n[tool.poetry.group.dev.dependencies]\nflask = \"^1.0\"\n";
        let want = text.replace(">=1.0,<2 ;", ">=1.2.6,<2 ;").replace("\"^1.0\"", "\"^1.2.6\"");
        check(Kind::PyProject, text, "flask", Ok(Some(&want)));
        check(
            Kind::PyProject,
            "[project]\ndependencies = [\"flask @ https://x/y\"]\n",
            "flask",
            Err("flask comes from an address"),
        );
    }

    #[test]
    fn requirements_keep_comments_and_refuse_hashes() {
        check(
            Kind::Requirements,
            "# x\nFlask==1.0  # web\r\nflask-login==1\n",
            "flask",
            Ok(Some("# x\nFlask==1.2.6  # web\r\nflask-login==1\n")),
        );
        check(Kind::Requirements, "flask", "flask", Ok(Some("flask>=1.2.6")));
        check(Kind::Requirements, "flask >= 1.0 ; x", "flask", Ok(Some("flask >=1.2.6 ; x")));
        let hashed = "flask==1.0 --hash=sha256:aa\n";
        check(
            Kind::Requirements,
            hashed,
            "flask",
            Err("flask is pinned with hashes; compile the requirements again with flask>=1.2.6"),
        );
        assert!(
            bump(
                Kind::Requirements,
                "flask==1.0 \\\n  --hash=sha256:aa\n",
                Ecosystem::PyPi,
                "flask",
                "1.2.6",
                &(1..3).collect()
            )
            .is_err()
        );
    }

    #[test]
    fn go_mod_moves_only_its_line() {
        let text = "module m\n\ngo 1.0\n\nrequire (\n\tx/net v1.0.0 // indirect\n\tx/net/http v1.0.0\n)\nrequire x/net v1.0.0\n";
        let want =
            text.replace("\tx/net v1.0.0", "\tx/net v1.2.6").replace("require x/net v1.0.0", "require x/net v1.2.6");
        check(Kind::GoMod, text, "x/net", Ok(Some(&want)));
        check(Kind::GoMod, "go 1.0\ntoolchain go1.0.1\n", "stdlib", Ok(Some("go 1.2.6\ntoolchain go1.2.6\n")));
    }
}
