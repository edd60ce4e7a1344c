//! One package moved in one manifest, everything else left to the byte.

use std::collections::BTreeSet;
use std::ops::Range;

use toml_edit::{Document, Table};

use super::ask::{Ask, Edited, Entry, Refused, Shared, Stands};
use super::declared::Declared;
use super::entries::{Entries, Spots};
use super::requirement::dropped;
use super::spans::{Lines, Spans, parted};
use super::{cargo, catalog, golang, gradle, markup, object, program, python};
use crate::inventory::{Kind, Tell, without_secret};
use crate::package::Ecosystem;
use crate::scan::range_of;
use crate::version::{Requirement, Version};

/// What was read of a manifest once for all packages, with the places of what it says.
pub(super) enum Seen {
    Markup(markup::Sheet),
    Entries(Entries),
    Gradle(gradle::Build),
    Workspace(program::Workspace),
    Module(golang::Module),
    Lines(Lines),
    Declared(Declared),
    /// A manifest that is not edited.
    Nothing,
}

#[cfg(test)]
thread_local! {
    /// How often a file was gone through, so that a test can tell.
    pub(super) static READS: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}

impl Seen {
    /// Reads a manifest, without what nobody reads of it; an error says why it is not edited.
    pub(super) fn read(kind: Kind, text: &str, tell: &dyn Tell) -> Result<Self, String> {
        #[cfg(test)]
        READS.set(READS.get() + 1);
        let (_, text) = parted(text);
        let toml = |find: &dyn Fn(&Table, &mut Spots)| {
            let document = Document::parse(text).map_err(|error| format!("not TOML: {}", error.message()))?;
            let mut spots = Spots::default();
            find(document.as_table(), &mut spots);
            Ok::<_, String>(Self::Entries(Entries::of(spots.0)))
        };
        Ok(match kind {
            Kind::PackageJson | Kind::ComposerJson => Self::Entries(object::entries(text, kind, tell)?),
            Kind::CargoToml => toml(&cargo::cargo_toml)?,
            Kind::PyProject => toml(&|document, spots| python::pyproject(document, tell, spots))?,
            Kind::VersionCatalog => toml(&catalog::catalog)?,
            Kind::Pipfile => toml(&python::pipfile)?,
            Kind::PnpmWorkspace if tell.pnpm().is_some_and(|one| !one.may_be_taken()) => {
                Self::Workspace(program::Workspace::read(""))
            }
            Kind::PnpmWorkspace => Self::Workspace(program::Workspace::read(text)),
            Kind::Requirements | Kind::Workflow => Self::Lines(Lines::read(text)),
            Kind::Gemfile | Kind::MixExs | Kind::PubspecYaml => Self::Declared(Declared::read(kind, text)),
            Kind::GoMod => Self::Module(golang::Module::read(text)),
            Kind::PomXml | Kind::DotnetProject => Self::Markup(markup::Sheet::read(kind, text)?),
            Kind::BuildGradle => Self::Gradle(gradle::Build::read(text)),
            _ => Self::Nothing,
        })
    }

    /// What moving a package puts where in the text that was read; an error says why nothing could be.
    pub(super) fn edit(&self, kind: Kind, text: &str, ask: &Ask<'_>) -> Result<Edited, String> {
        let (_, text) = parted(text);
        Ok(match self {
            Self::Markup(sheet) => sheet.edit(ask),
            Self::Entries(entries) => entries.edit(text, ask),
            Self::Gradle(build) => build.edit(text, ask),
            Self::Workspace(workspace) => workspace.edit(text, ask),
            Self::Module(module) => golang::go_mod(text, module, ask),
            Self::Lines(lines) if kind == Kind::Workflow => program::workflow(text, lines, ask),
            Self::Lines(lines) => python::requirements(text, lines, ask),
            Self::Declared(declared) => declared.edit(ask)?,
            Self::Nothing => {
                let (name, to) = (kind.name(), ask.highest());
                return Err(format!(
                    "{} requirements are not edited in {name}; move it to {to} by hand",
                    ask.ecosystem
                ));
            }
        })
    }
}

/// Whether manifests of this kind are edited.
pub(super) const fn is_edited(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::PackageJson
            | Kind::ComposerJson
            | Kind::Gemfile
            | Kind::MixExs
            | Kind::PubspecYaml
            | Kind::PnpmWorkspace
            | Kind::CargoToml
            | Kind::PyProject
            | Kind::Requirements
            | Kind::GoMod
            | Kind::PomXml
            | Kind::DotnetProject
            | Kind::BuildGradle
            | Kind::Workflow
            | Kind::VersionCatalog
            | Kind::Pipfile
    )
}

/// What an edit of one entry learns and leaves behind.
pub(super) struct Pen<'a> {
    pub(super) ask: &'a Ask<'a>,
    pub(super) entries: Vec<Entry>,
    pub(super) refused: Vec<Refused>,
    /// Who has a version from the places where one was put.
    pub(super) shared: Shared,
    puts: Spans,
    /// The entry at hand as its reader puts it, where that may be something else than what is written.
    pub(super) said: Option<String>,
    drops: BTreeSet<String>,
}

impl<'a> Pen<'a> {
    pub(super) fn new(ask: &'a Ask<'a>) -> Self {
        Self {
            ask,
            entries: Vec::new(),
            refused: Vec::new(),
            shared: Shared::new(),
            puts: Spans::default(),
            said: None,
            drops: BTreeSet::new(),
        }
    }

    /// The requirement of an entry after the move, by these rules; `None` where it stays as it is.
    pub(super) fn write(
        &mut self,
        key: &str,
        old: &str,
        rule: impl FnOnce(&str, &str) -> Option<String>,
    ) -> Option<String> {
        let Ask { ecosystem, stands, .. } = *self.ask;
        let said = self.said.as_deref().filter(|_| stands == Stands::Here).unwrap_or(old);
        let (to, held) = self.ask.to(said)?;
        let new = rule(old, to);
        let is_enough = stands == Stands::Locked && takes_newest(ecosystem) && holds(ecosystem, old, to);
        if new.is_none() && !is_enough {
            self.refused.push(Refused { reason: refusal(key, old), held: Some(held) });
            return None;
        }
        // What is safe as it is was not meant.
        let new = new.filter(|new| stands != Stands::HereSomehow || !takes_newest(ecosystem) || new != old);
        self.drops.extend(new.iter().flat_map(|new| dropped(old, new)));
        let (key, old, to, is_kept) = (key.to_owned(), old.to_owned(), to.to_owned(), new.is_none());
        self.entries.push(Entry { key, old, to, held, is_kept, property: None, at: None });
        new
    }

    /// As [`Pen::write`], where the version is that of a property.
    pub(super) fn write_property(
        &mut self,
        property: &str,
        old: &str,
        rule: impl FnOnce(&str, &str) -> Option<String>,
    ) -> Option<String> {
        let new = self.write(property, old, rule)?;
        if let Some(last) = self.entries.last_mut() {
            last.property = Some(property.to_owned());
        }
        Some(new)
    }

    /// Notes why an entry cannot be moved.
    pub(super) fn refuse(&mut self, reason: String) {
        self.refused.push(reason.into());
    }

    /// Puts what was written last in its place.
    pub(super) fn put(&mut self, place: Range<usize>, new: String) {
        if let Some(last) = self.entries.last_mut() {
            last.at.get_or_insert(place.start);
            self.puts.put(place, new, &last.to);
        }
    }

    /// What was learnt, with what is put where.
    pub(super) fn edited(self) -> Edited {
        let Self { entries, refused, shared, puts, drops, .. } = self;
        Edited { puts, entries, refused, shared, drops, ..Edited::default() }
    }
}

/// Whether the tools of an ecosystem take the newest version that a requirement allows when a lockfile is to move.
const fn takes_newest(ecosystem: Ecosystem) -> bool {
    use Ecosystem::{CratesIo, Hex, Npm, Packagist, Pub, PyPi, RubyGems};
    matches!(ecosystem, CratesIo | Hex | Npm | Packagist | Pub | PyPi | RubyGems)
}

/// Why a requirement is not moved.
pub(super) fn refusal(name: &str, requirement: &str) -> String {
    format!("{name} is asked for as {:?}, which no version can be put into", without_secret(requirement))
}

/// Whether a requirement allows a version.
pub(super) fn holds(ecosystem: Ecosystem, requirement: &str, version: &str) -> bool {
    let allowed = Requirement::parse(ecosystem, range_of(requirement.trim()));
    allowed.zip(Version::parse(ecosystem, version)).is_some_and(|(allowed, version)| allowed.holds(version.key()))
}

#[cfg(test)]
mod tests {
    use std::cell::OnceCell;

    use super::*;
    use crate::fix::ask::{Move, Stands};
    use crate::inventory::Alone;

    fn bumped(kind: Kind, text: &str, name: &str, moves: &[(&str, &str)], stands: Stands) -> Result<Edited, String> {
        let ecosystem = match kind {
            Kind::ComposerJson => Ecosystem::Packagist,
            Kind::CargoToml => Ecosystem::CratesIo,
            Kind::PyProject | Kind::Requirements | Kind::Pipfile => Ecosystem::PyPi,
            Kind::GoMod => Ecosystem::Go,
            _ => Ecosystem::Npm,
        };
        let moves: Vec<Move> =
            moves.iter().map(|(from, to)| Move { from: (*from).to_owned(), to: (*to).to_owned() }).collect();
        let lines = (1..20).collect();
        let ask = Ask { ecosystem, name, moves: &moves, lines: &lines, stands, through: &[], sorted: OnceCell::new() };
        Seen::read(kind, text, &Alone)?.edit(kind, text, &ask)
    }

    /// Every entry of the package to 1.2.6.
    #[track_caller]
    fn check(kind: Kind, text: &str, name: &str, want: Result<Option<&str>, &str>) {
        let got = bumped(kind, text, name, &[("1.0.0", "1.2.6")], Stands::HereSomehow);
        let got = got.and_then(|edited| match edited.refused.first() {
            Some(refused) => Err(refused.reason.clone()),
            None => Ok((!edited.entries.is_empty()).then(|| edited.puts.applied(text))),
        });
        assert_eq!(got.as_ref().map(Option::as_deref).map_err(String::as_str), want, "{text}");
    }

    #[test]
    fn a_table_that_pnpm_does_not_read_stays() {
        let text = |version: &str, at: &str| {
            format!(r#"{{"packageManager": "pnpm@{version}", "pnpm": {{"overrides": {{"a": "{at}"}}}}}}"#)
        };
        check(Kind::PackageJson, &text("11.0.0", "1.0.0"), "a", Ok(None));
        check(Kind::PackageJson, &text("10.0.0", "1.0.0"), "a", Ok(Some(&text("10.0.0", "1.2.6"))));
    }

    #[test]
    fn each_entry_of_a_package_is_judged_by_itself() {
        use Stands::{Here, Locked};
        let text = r#"{"dependencies": {"a": "<2.5", "old": "npm:a@1.0.0", "b": "^3"}, "devDependencies": {"a": "^2.6.0"}, "peerDependencies": {"a": ">=1"}}"#;
        for (stands, moves, want, keys) in [
            (Here, vec![("1.0.0", "1.2.6")], vec![("npm:a@1.0.0", "npm:a@1.2.6")], "old"),
            (Here, vec![("<2.5", "2.6.1")], vec![("<2.5", "^2.6.1")], "a"),
            (Here, vec![("npm:a@1.0.0", "1.2.6")], vec![("npm:a@1.0.0", "npm:a@1.2.6")], "old"),
            (Locked, vec![("1.0.0", "1.2.6")], vec![("<2.5", "^1.2.6"), ("npm:a@1.0.0", "npm:a@1.2.6")], "a old"),
            (Locked, vec![("2.6.0", "2.6.1")], vec![("^2.6.0", "^2.6.1")], "a"),
            (Locked, vec![("5.0.0", "5.0.1")], vec![], ""), // only the peer allows it, and the later one too
            (
                Locked,
                vec![("1.0.0", "1.2.6"), ("2.6.0", "2.6.1")],
                vec![("<2.5", "^1.2.6"), ("npm:a@1.0.0", "npm:a@1.2.6"), ("^2.6.0", "^2.6.1")],
                "a old a",
            ),
        ] {
            let got = bumped(Kind::PackageJson, text, "a", &moves, stands).unwrap();
            let want = want.iter().fold(text.to_owned(), |text, (old, new)| {
                text.replacen(&format!("\"{old}\""), &format!("\"{new}\""), 1)
            });
            assert_eq!(got.puts.applied(text), want, "{stands:?} {moves:?}");
            let got: Vec<&str> = got.entries.iter().map(|entry| entry.key.as_str()).collect();
            assert_eq!(got.join(" "), keys, "{stands:?} {moves:?}");
        }
    }

    #[test]
    fn line_ends_stay_as_they_are() {
        for (kind, text) in [
            (Kind::CargoToml, "[dependencies]\r\na = \"1.0.0\"\r\nb = \"2\"\n# c\r\n"),
            (Kind::PyProject, "[project]\r\ndependencies = [\r\n  \"a==1.0.0\", # x\r\n]\r\n"),
            (Kind::Pipfile, "[packages]\r\na = \"==1.0.0\"\r\nb = '*'"),
            (Kind::Pipfile, "[packages]\na = \"==1.0.0\""),
        ] {
            check(kind, text, "a", Ok(Some(&text.replace("1.0.0", "1.2.6"))));
        }
    }

    #[test]
    fn quotes_stay_as_they_are() {
        for text in [
            "[packages]\na = '==1.0.0'\nb = \"==1.0.0\"\n",
            "[packages]\na = \"==1.0.0\" # 'x'\n",
            "[packages]\na = {version = '==1.0.0', extras = [\"x\"]}\n",
            "[packages.a]\nversion = '''==1.0.0'''\n",
            "[packages.a]\nversion = \"\"\"==1.0.0\"\"\"\n",
        ] {
            check(Kind::Pipfile, text, "a", Ok(Some(&text.replacen("1.0.0", "1.2.6", 1))));
        }
        let text = "[project]\ndependencies = ['a==1.0.0; os_name != \"nt\"', \"b==1.0.0; os_name != 'nt'\"]\n";
        check(Kind::PyProject, text, "a", Ok(Some(&text.replacen("1.0.0", "1.2.6", 1))));
        check(Kind::PyProject, text, "b", Ok(Some(&text.replace("b==1.0.0", "b==1.2.6"))));
        // A quote that was spelled out would end the string.
        check(
            Kind::PyProject,
            "[project]\ndependencies = [\"a==1.0.0; os_name != \\\"nt\\\"\"]\n",
            "a",
            Ok(Some("[project]\ndependencies = ['a==1.2.6; os_name != \"nt\"']\n")),
        );
    }

    #[test]
    fn a_byte_order_mark_stays_in_front() {
        check(
            Kind::PackageJson,
            "\u{feff}{\"dependencies\": {\"a\": \"^1\"}}",
            "a",
            Ok(Some("\u{feff}{\"dependencies\": {\"a\": \"^1.2.6\"}}")),
        );
        check(Kind::Requirements, "\u{feff}a==1\n", "a", Ok(Some("\u{feff}a==1.2.6\n")));
        check(
            Kind::CargoToml,
            "\u{feff}[dependencies]\na = \"1\"\n",
            "a",
            Ok(Some("\u{feff}[dependencies]\na = \"1.2.6\"\n")),
        );
    }

    #[test]
    fn a_pnpm_workspace_is_moved_where_a_version_stands_in_it() {
        let of = |value: &str| format!("overrides:\n  a: {value}\n");
        for (value, want) in
            [("&v 1.0.0 # x", "&v 1.2.6 # x"), ("&1.0.0 '1.0.0'", "&1.0.0 '1.2.6'"), ("'>=1.0.0'", "'>=1.2.6'")]
        {
            check(Kind::PnpmWorkspace, &of(value), "a", Ok(Some(&of(want))));
        }
        for value in ["*v", "!!str 1.0.0", "|", ">-"] {
            let want = format!("a is asked for as {value:?}, which no version can be put into");
            check(Kind::PnpmWorkspace, &of(value), "a", Err(&want));
        }
    }

    #[test]
    fn package_json_keeps_everything_else() {
        let text = "{\n\t\"name\": \"minimist\",  \"x\": [1, {\"minimist\": \"^0\"}],\n\t\"dependencies\" : { \"minimist\":\"^1.0.0\" , \"b\": \"1\" },\n\t\"devDependencies\": {\"minimist\": \"~1.0\"}\n}\r\n";
        let want = text.replace("\"^1.0.0\"", "\"^1.2.6\"").replace("\"~1.0\"", "\"~1.2.6\"");
        check(Kind::PackageJson, text, "minimist", Ok(Some(&want)));
        check(Kind::PackageJson, text, "nobody", Ok(None));
        let git = r#"{"dependencies": {"a": "github:x/a"}}"#;
        check(Kind::PackageJson, git, "a", Err("a is asked for as \"github:x/a\", which no version can be put into"));
        let secret = r#"{"dependencies": {"a": "git+https://u:SECRET@h.example/a"}}"#;
        let said = "a is asked for as \"git+https://h.example/a\", which no version can be put into";
        check(Kind::PackageJson, secret, "a", Err(said));
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
            .replace("'1.0'", "'1.2.6'");
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
        check(Kind::Requirements, "flask >= 1.0 ; x", "flask", Ok(Some("flask >= 1.2.6 ; x")));
        let hashed = "flask==1.0 --hash=sha256:aa\n";
        check(
            Kind::Requirements,
            hashed,
            "flask",
            Err("flask is pinned with hashes; compile the requirements again with flask>=1.2.6"),
        );
        check(
            Kind::Requirements,
            "flask==1.0 \\\n  --hash=sha256:aa\n",
            "flask",
            Err("flask goes on over several lines; move it to 1.2.6 by hand"),
        );
    }

    #[test]
    fn go_mod_moves_only_its_line() {
        let text = "module m\n\ngo 1.0\n\nrequire (\n\tx/net v1.0.0 // indirect\n\tx/net/http v1.0.0\n)\nrequire x/net v1.0.0\n";
        let want =
            text.replace("\tx/net v1.0.0", "\tx/net v1.2.6").replace("require x/net v1.0.0", "require x/net v1.2.6");
        check(Kind::GoMod, text, "x/net", Ok(Some(&want)));
        check(Kind::GoMod, "go 1.0\ntoolchain go1.0.1\n", "stdlib", Ok(Some("go 1.0\ntoolchain go1.2.6\n")));
        check(
            Kind::GoMod,
            "go 1.0 // ours\n\nrequire a v1\n",
            "stdlib",
            Ok(Some("go 1.0 // ours\n\ntoolchain go1.2.6\n\nrequire a v1\n")),
        );
        let replaced = "require x/net v1.0.0\nreplace x/net => x/net v1.0.1\n";
        check(Kind::GoMod, replaced, "x/net", Err("x/net is replaced; move the replacement to v1.2.6 by hand"));
        check(Kind::GoMod, replaced, "x/netmore", Ok(None));
    }
}
