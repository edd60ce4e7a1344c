//! Plans: which manifests are edited, which commands are named, and that nothing is passed over.

use std::fs;

use aiva_sca::finding::Finding;
use aiva_sca::fix::plan;
use aiva_sca::scan::scan;
use tempfile::TempDir;

use crate::inventory::take;
use crate::systems::{index_of, put, record};

/// Each with a lockfile and its manifest, and what is affected below 1.2.6 in it.
const FILES: &[(&str, &str)] = &[
    ("php/composer.json", "{\"require\": {\"acme/log\": \"^1.0\", \"acme/web\": \"^1.0\"}}\n"),
    (
        "php/composer.lock",
        "{\"packages\": [{\"name\": \"acme/log\", \"version\": \"1.1.0\", \"notification-url\": \"https://packagist.org/downloads/\"}, {\"name\": \"acme/web\", \"version\": \"v1.2\", \"notification-url\": \"https://packagist.org/downloads/\"}], \"packages-dev\": []}\n",
    ),
    ("ruby/Gemfile", "source \"https://rubygems.org\"\ngem \"log\", \"~> 1.0\"\n"),
    (
        "ruby/Gemfile.lock",
        "GEM\n  remote: https://rubygems.org/\n  specs:\n    log (1.1.0)\n\nDEPENDENCIES\n  log (~> 1.0)\n",
    ),
    ("elixir/mix.exs", "defmodule M do\n  defp deps do\n    [{:log, \"~> 1.1.0\"}]\n  end\nend\n"),
    ("elixir/mix.lock", "%{\n  \"log\": {:hex, :log, \"1.1.0\", \"ab\", [:mix], [], \"hexpm\", \"cd\"},\n}\n"),
    ("dart/pubspec.yaml", "name: m\ndependencies:\n  log: ^1.0.0\n"),
    (
        "dart/pubspec.lock",
        "packages:\n  log:\n    dependency: \"direct main\"\n    description:\n      name: log\n      url: \"https://pub.dev\"\n    source: hosted\n    version: \"1.1.0\"\nsdks:\n  dart: \">=3.0.0\"\n",
    ),
    ("go/go.mod", "module m\n\ngo 1.15\n\nrequire example.com/other v1.0.0\n"),
    ("go/go.sum", "example.com/log v1.1.0 h1:x=\nexample.com/other v1.0.0 h1:x=\n"),
];

#[test]
fn each_manifest_is_edited_and_each_lockfile_has_its_command() {
    let source = TempDir::new().unwrap();
    for (ecosystem, names) in [
        ("Packagist", &["acme/log", "acme/web"][..]),
        ("RubyGems", &["log"]),
        ("Hex", &["log"]),
        ("Pub", &["log"]),
        ("Go", &["example.com/log"]),
    ] {
        let about = |name: &&str| record(&format!("X-{}", name.replace('/', "-")), "", &[(ecosystem, name, "1.2.6")]);
        put(source.path(), ecosystem, &names.iter().map(about).collect::<Vec<_>>());
    }
    let (_dir, index) = index_of(source.path());
    let root = TempDir::new().unwrap();
    for (path, text) in FILES {
        let file = root.path().join(path);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, text).unwrap();
    }
    let inventory = take(root.path());
    let result = scan(&inventory.inputs, &index).unwrap();
    let findings: Vec<&Finding> = result.findings.iter().collect();
    let read = |path: &str| fs::read_to_string(root.path().join(path)).ok();
    let plan = plan(&inventory.inputs, &findings, &result.can_resolve, &index, &read);
    let plan = plan.unwrap();
    assert_eq!(plan.remaining, []);
    let edits: Vec<(&str, &str)> = plan.edits.iter().map(|edit| (edit.path.as_str(), edit.after.as_str())).collect();
    assert_eq!(
        edits,
        [
            ("dart/pubspec.yaml", "name: m\ndependencies:\n  log: ^1.2.6\n"),
            ("elixir/mix.exs", "defmodule M do\n  defp deps do\n    [{:log, \"~> 1.2.6\"}]\n  end\nend\n"),
            ("php/composer.json", "{\"require\": {\"acme/log\": \"^1.2.6\", \"acme/web\": \"^1.2.6\"}}\n"),
            ("ruby/Gemfile", "source \"https://rubygems.org\"\ngem \"log\", \"~> 1.0\", \">= 1.2.6\"\n"),
        ]
    );
    let commands: Vec<(&str, &str)> =
        plan.commands.iter().map(|run| (run.folder.as_str(), run.command.as_str())).collect();
    assert_eq!(
        commands,
        [
            ("dart", "dart pub upgrade log"),
            ("elixir", "mix deps.update log"),
            ("go", "go get example.com/log@v1.2.6"),
            ("php", "composer update --with-all-dependencies acme/log acme/web"),
            ("ruby", "bundle update --conservative log"),
        ]
    );
}
