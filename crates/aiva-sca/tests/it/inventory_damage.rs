//! Damaged files: no byte sequence makes a reader panic, and none that lost a part is called parsed.

#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use std::path::{Path, PathBuf};

use aiva_sca::inventory::Kind;
use aiva_sca::package::Status;
use proptest::prelude::*;

use crate::inventory::locks;

/// Every recorded file with its kind, and the corpus that fuzzing has built.
fn files(root: &Path) -> Vec<(PathBuf, Kind)> {
    let mut found = Vec::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if let Some(kind) = Kind::of("", path.file_name().unwrap().to_str().unwrap()) {
                found.push((path, kind));
            }
        }
    }
    found.sort();
    found
}

/// What a tool writes whole and ends with a line break, so that a lost part can be told. People's files may end anywhere.
fn is_written_by_a_tool(kind: Kind) -> bool {
    let is_lock = kind.is_lockfile() && !matches!(kind, Kind::Requirements | Kind::Unread(_));
    is_lock || kind == Kind::GoWork
}

/// Manifests whose blocks are closed: a cut within one is always seen, a cut before the first one loses nothing that was begun.
fn closes_its_blocks(kind: Kind) -> bool {
    matches!(kind, Kind::BuildGradle | Kind::MixExs)
}

fn has_an_end(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::PackageLock
            | Kind::Shrinkwrap
            | Kind::PipfileLock
            | Kind::PackageJson
            | Kind::BunLock
            | Kind::ComposerLock
            | Kind::DenoLock
            | Kind::PackageResolved
            | Kind::ConanLock
            | Kind::DepsJson
            | Kind::NuGetLock
            | Kind::RenvLock
            | Kind::PackagesConfig
            | Kind::DotnetProject
            | Kind::PomXml
            | Kind::VerificationMetadata
            | Kind::Bill
            | Kind::ComposerJson
            | Kind::DenoJson
    )
}

#[test]
fn a_file_that_was_cut_anywhere_is_never_called_parsed() {
    let files = files(&locks());
    assert!(files.len() > 80, "fixtures are missing");
    for (path, kind) in files {
        let bytes = std::fs::read(&path).unwrap();
        let whole = kind.read(&bytes);
        let end = bytes.iter().rposition(|byte| !byte.is_ascii_whitespace()).unwrap() + 1;
        let step = (bytes.len() / 400).max(1);
        for at in (0..end).step_by(step) {
            let reading = kind.read(&bytes[..at]);
            if at == 0 || reading.status != Status::Parsed {
                continue;
            }
            assert!(!has_an_end(kind), "{} cut at {at} is called parsed", path.display());
            let in_a_line = bytes[at - 1] != b'\n' && bytes[at] != b'\n';
            let line = bytes[..at].iter().filter(|byte| **byte == b'\n').count() as u32 + 1;
            assert!(
                !(is_written_by_a_tool(kind) && in_a_line),
                "{} cut at {at}, inside a line, is called parsed",
                path.display()
            );
            let begins = |entry: u32| entry == line;
            let in_an_entry = in_a_line
                && (whole.packages.iter().any(|entry| begins(entry.line))
                    || whole.not_judged.iter().any(|entry| begins(entry.line)));
            assert!(!(closes_its_blocks(kind) && in_an_entry), "{} cut at {at} is called parsed", path.display());
            // A cut may leave a file that is whole; what it pins, the whole one pins.
            for package in &reading.packages {
                let known = whole.packages.iter().any(|p| p.name == package.name && p.version == package.version);
                assert!(known || kind == Kind::GoMod, "{} cut at {at} names {package:?}", path.display());
            }
        }
        let empty = kind.read(b"");
        // For yarn an empty file is the mark of a project.
        let may_be_empty = matches!(kind, Kind::VendorModules | Kind::YarnLock);
        assert!(!is_written_by_a_tool(kind) || may_be_empty || empty.status != Status::Parsed, "{kind:?}");
    }
}

#[test]
fn what_is_not_text_is_turned_away_with_a_reason() {
    let kinds = files(&locks()).into_iter().map(|(_, kind)| kind);
    for kind in kinds.filter(|kind| !matches!(kind, Kind::Unread(_))) {
        for (bytes, says) in [
            (&b"\x00\x01\x02"[..], "NUL"),
            (b"a\nb\xff\xfe\xfd", "not UTF-8"),
            (b"\xff\xfea\x00b", "UTF-16"),
            (b"{\n<<<<<<< HEAD\n}\n=======\n>>>>>>> x\n", "conflict"),
        ] {
            let reading = kind.read(bytes);
            assert_eq!(reading.status, Status::Failed, "{kind:?} {bytes:?}");
            assert!(reading.problems[0].message.contains(says), "{kind:?}: {:?}", reading.problems);
        }
        assert_eq!(kind.read(b"{\n<<<<<<< HEAD\n").problems[0].line, 2);
    }
}

#[test]
fn xml_may_declare_an_old_encoding() {
    let of = |declaration: &str| {
        let rest = "<project>\n<name>Ren\u{e9}</name><dependencies>\n<dependency><groupId>g</groupId><artifactId>\u{e9}</artifactId>\
                    <version>1</version></dependency></dependencies></project>\n";
        let text = format!("{declaration}\n{rest}");
        text.chars().map(|c| u8::try_from(u32::from(c)).unwrap()).collect::<Vec<u8>>()
    };
    for encoding in ["ISO-8859-1", "iso-8859-1", "windows-1252", "us-ascii"] {
        for declaration in [
            format!("<?xml version=\"1.0\" encoding=\"{encoding}\"?>"),
            format!("<?xml version='1.0' encoding = '{encoding}' standalone='yes'?>"),
        ] {
            let reading = Kind::PomXml.read(&of(&declaration));
            assert_eq!(reading.status, Status::Parsed, "{declaration} {:?}", reading.problems);
            assert_eq!((&*reading.packages[0].name, reading.packages[0].line), ("g:\u{e9}", 4), "{declaration}");
        }
    }
    for declaration in [
        "",
        "<?xml version=\"1.0\"?>",
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>",
        "<?xml version=\"1.0\" encoding=\"Shift_JIS\"?>",
        "<?xml version=\"1.0\" encoding=\"ISO-8859-1",
        "<?xml encoding=",
        "<!-- encoding=\"ISO-8859-1\" ?>",
    ] {
        let reading = Kind::PomXml.read(&of(declaration));
        assert_eq!(reading.status, Status::Failed, "{declaration}");
        assert!(reading.problems[0].message.contains("not UTF-8"), "{declaration} {:?}", reading.problems);
    }
}

#[test]
fn a_byte_order_mark_and_windows_line_ends_change_nothing() {
    for (path, kind) in files(&locks()) {
        let bytes = std::fs::read(&path).unwrap();
        let want = kind.read(&bytes);
        let text = String::from_utf8(bytes).unwrap();
        let windows = text.replace('\n', "\r\n");
        assert_eq!(kind.read(windows.as_bytes()), want, "{} with CRLF", path.display());
        assert_eq!(kind.read(format!("\u{feff}{text}").as_bytes()), want, "{} with a mark", path.display());
        let units: Vec<u8> = "\u{feff}".encode_utf16().chain(text.encode_utf16()).flat_map(u16::to_le_bytes).collect();
        assert_eq!(kind.read(&units), want, "{} in UTF-16", path.display());
    }
}

#[test]
fn what_is_nested_too_deeply_is_said_so() {
    let deep = |open: &str, close: &str| format!("{}{}", open.repeat(200_000), close.repeat(200_000));
    let json = format!("{{\"lockfileVersion\": 1, \"x\": {}}}", deep("[", "]"));
    let copies =
        format!("{{\"lockfileVersion\": 1, \"dependencies\": {{{}", "\"a\": {\"dependencies\": {".repeat(100_000));
    let yaml = format!("lockfileVersion: '9.0'\nx: {}\n", deep("[", "]"));
    let block: String = (0..3000).map(|depth| format!("{}a:\n", " ".repeat(depth))).collect();
    let toml = format!("version = 4\n[metadata]\nx = {}\n", deep("[", "]"));
    for (kind, text) in [
        (Kind::PackageLock, &json),
        (Kind::PackageLock, &copies),
        (Kind::PackageJson, &json),
        (Kind::PipfileLock, &json),
        (Kind::PnpmLock, &yaml),
        (Kind::PnpmLock, &block),
        (Kind::CargoLock, &toml),
        (Kind::UvLock, &toml),
        (Kind::PoetryLock, &toml),
        (Kind::CargoToml, &toml),
        (Kind::Pipfile, &toml),
        (Kind::PyProject, &toml),
    ] {
        let reading = kind.read(text.as_bytes());
        assert_ne!(reading.status, Status::Parsed, "{kind:?}");
        assert!(!reading.problems.is_empty(), "{kind:?}");
    }
}

#[test]
fn a_thousand_problems_are_counted_not_kept() {
    let text = "!!!\n".repeat(100_000);
    let reading = Kind::Requirements.read(text.as_bytes());
    assert_eq!(reading.problems.len(), 101);
    assert_eq!(reading.problems[100].message, "99900 more problems in this file");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_mutation_makes_a_reader_panic(
        file in any::<prop::sample::Index>(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0u8..4), 1..6),
    ) {
        let files = files(&locks());
        let (path, kind) = &files[file.index(files.len())];
        let mut bytes = std::fs::read(path).unwrap();
        for (at, byte, how) in changes {
            let at = at.index(bytes.len().max(1)).min(bytes.len().saturating_sub(1));
            match how {
                0 if !bytes.is_empty() => bytes[at] = byte,
                1 => bytes.insert(at, byte),
                2 if !bytes.is_empty() => drop(bytes.remove(at)),
                _ => bytes.insert(at, b"\"{}[]:,\n\\'#@-= "[usize::from(byte) % 15]),
            }
        }
        let reading = kind.read(&bytes);
        prop_assert!(reading.status == Status::Parsed || !reading.problems.is_empty());
        let lines = bytes.split(|byte| *byte == b'\n').count() as u32;
        for package in &reading.packages {
            prop_assert!(!package.name.is_empty() && !package.version.is_empty());
            prop_assert!((1..=lines).contains(&package.line), "{:?}", package);
        }
    }

    #[test]
    fn no_text_makes_a_reader_panic(text in "[\\[\\]{}\"':,=@/#a-z0-9. \\n-]{0,200}", file in any::<prop::sample::Index>()) {
        let files = files(&locks());
        let (_, kind) = &files[file.index(files.len())];
        let reading = kind.read(text.as_bytes());
        prop_assert!(reading.status == Status::Parsed || !reading.problems.is_empty());
    }
}

/// Cuts at the end of a line, where no line is broken: the last entry lacks what its tool always writes.
#[test]
fn an_entry_that_ends_too_early_is_partial() {
    let pip = "lock-version = \"1.0\"\n[[packages]]\nname = \"certifi\"\nversion = \"1.0\"\n";
    let wheels =
        "[[packages.wheels]]\nname = \"certifi-1.0-py3-none-any.whl\"\nurl = \"https://files.pythonhosted.org/c\"\n";
    let hashes = "[packages.wheels.hashes]\n";
    let hash = "sha256 = \"00\"\n";
    let uv = "version = 1\n[[package]]\nname = \"app\"\nversion = \"0.1.0\"\nsource = { virtual = \".\" }\n";
    let yarn = |range: &str, resolved: &str| {
        format!(
            "# yarn lockfile v1\n\n\na@^1.0.0:\n  version \"1.0.0\"\n  resolved \"https://registry.yarnpkg.com/a/-/a-1.0.0.tgz#00\"\n  \
             integrity sha512-a\n\ny18n@{range}:\n  version \"3.2.1\"\n{resolved}"
        )
    };
    let resolved = "  resolved \"https://registry.yarnpkg.com/y18n/-/y18n-3.2.1.tgz#00\"\n  integrity sha512-b\n";
    let rows = [
        (Kind::Pylock, [pip, wheels].concat(), Status::Partial),
        (Kind::Pylock, [pip, wheels, hashes].concat(), Status::Partial),
        (Kind::Pylock, [pip, wheels, hashes, hash].concat(), Status::Parsed),
        (Kind::UvLock, uv.to_owned(), Status::Parsed),
        (Kind::UvLock, [uv, "\n[package.dev-dependencies]\n"].concat(), Status::Partial),
        (Kind::YarnLock, yarn("^3.2.1", ""), Status::Partial),
        (Kind::YarnLock, yarn("~3.2.1", ""), Status::Partial),
        (Kind::YarnLock, yarn("~3.2.1", resolved), Status::Parsed),
        (Kind::Requirements, "a==1.0 \\\n    --hash=sha256:00\n".to_owned(), Status::Parsed),
        (Kind::Requirements, "a==1.0 \\\n    --hash=sha256:00 \\\n    ".to_owned(), Status::Partial),
        (Kind::Requirements, "# This file was autogenerated by uv\na==1.0\n    ".to_owned(), Status::Partial),
        (Kind::Requirements, "a==1.0\n    ".to_owned(), Status::Parsed),
    ];
    for (kind, text, want) in rows {
        let reading = kind.read(text.as_bytes());
        assert_eq!(reading.status, want, "{text}\n{:?}", reading.problems);
    }
}
