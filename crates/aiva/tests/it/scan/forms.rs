//! How the result of a scan is written: every form of it, and where it cannot be written.

use std::io::Read as _;
use std::process::Stdio;

use super::{AFFECTED, CLEAN, TREE};
use crate::program::World;

#[test]
fn a_result_that_cannot_be_written_is_an_error() {
    let world = World::new().with_advisories();
    world.write("code/Cargo.lock", CLEAN);
    let Ok(full) = std::fs::File::options().write(true).open("/dev/full") else { return }; // Linux has it
    let mut command = crate::program::command(world.folder.path());
    let out = command.args(["scan", "code", "--data-dir", "data"]).stdout(full).output().unwrap();
    let run = crate::program::Run::new(out);
    assert_eq!(run.code(), 2);
    assert!(run.err().contains("cannot write the result"), "{}", run.err());
}

#[test]
fn what_a_scan_writes_to_it_does_not_read() {
    let world = World::new().with_advisories();
    world.write("code/Cargo.lock", CLEAN);
    // Empty before, then what was written, by the shell and by ourselves.
    for before in ["", "cut {"] {
        world.write("code/bom.json", before);
        assert_eq!(world.aiva(&["scan", "code"]).code(), 3, "what is written elsewhere leaves it a file to read");
        let file = std::fs::File::options().append(true).open(world.path("code/bom.json")).unwrap();
        let mut command = crate::program::command(world.folder.path());
        command.args(["scan", "code", "--format", "json", "--data-dir", "data"]).stdout(file);
        let run = crate::program::Run::new(command.output().unwrap());
        assert_eq!((run.code(), run.err()), (0, String::new()), "{before:?}");
        let written = std::fs::read_to_string(world.path("code/bom.json")).unwrap();
        assert!(
            written.starts_with(before) && written.len() > before.len() && !written.contains("bom.json"),
            "{written}"
        );
        let run = world.aiva(&["scan", "code", "--format", "cyclonedx", "--output", "code/bom.json"]);
        assert_eq!((run.code(), run.err()), (0, String::new()), "{before:?}");
    }
    // Alone there is nothing to read.
    std::fs::remove_file(world.path("code/Cargo.lock")).unwrap();
    assert_eq!(world.aiva(&["scan", "code", "--output", "code/bom.json"]).code(), 2);
}

/// A world whose scan has more to say than a pipe holds, and ends with 1.
fn wordy() -> World {
    let world = World::new().with_advisories();
    world.write("code/Cargo.lock", AFFECTED);
    let names: Vec<String> =
        (0..3000).map(|at| format!("\"node_modules/p{at}\": {{\"version\": \"1.0.0\"}}")).collect();
    world.write(
        "code/package-lock.json",
        &format!("{{\"lockfileVersion\": 3, \"packages\": {{{}}}}}", names.join(", ")),
    );
    world
}

/// All forms whose length follows from the packages, and one that is short.
const FORMS: [&str; 4] = ["cyclonedx", "spdx", "json", "table"];

#[test]
fn a_reader_that_goes_away_changes_nothing_of_how_it_ends() {
    let world = wordy();
    for form in FORMS {
        // Before the first byte, and in the midst of it.
        for taken in [0, 100] {
            let (mut from, to) = std::io::pipe().unwrap();
            let mut command = crate::program::command(world.folder.path());
            command.args(["scan", "code", "--data-dir", "data", "--format", form]);
            let child = command.stdout(to).stderr(Stdio::piped()).spawn().unwrap();
            drop(command); // It holds the end that is written to.
            from.read_exact(&mut vec![0; taken]).unwrap();
            drop(from);
            let run = crate::program::Run::new(child.wait_with_output().unwrap());
            assert_eq!(run.code(), 1, "{form}: {}", run.err());
            assert!(run.err().is_empty(), "{form}: {}", run.err());
        }
    }
}

#[test]
fn a_pipe_that_does_not_block_gets_all_of_it() {
    let world = wordy();
    for form in FORMS {
        let whole = world.aiva(&["scan", "code", "--format", form]);
        let (mut from, to) = std::io::pipe().unwrap();
        rustix::io::ioctl_fionbio(&to, true).unwrap();
        let mut command = crate::program::command(world.folder.path());
        command.args(["scan", "code", "--data-dir", "data", "--format", form]);
        // Both go to it, as the log of a build takes them.
        let mut child = command.stdout(to.try_clone().unwrap()).stderr(to).spawn().unwrap();
        drop(command);
        let mut all = Vec::new();
        // A slow reader: the pipe is full most of the time.
        let mut part = [0; 3000];
        loop {
            let read = from.read(&mut part).unwrap();
            if read == 0 {
                break;
            }
            all.extend_from_slice(part.get(..read).unwrap());
            std::thread::yield_now();
        }
        assert_eq!(child.wait().unwrap().code(), Some(1), "{form}");
        // The time and the number of a bill are its own.
        assert!(all.len() >= whole.out().len(), "{form}: {} of {}", all.len(), whole.out().len());
        assert!(String::from_utf8_lossy(&all).contains("p2999") || form == "table" || form == "json", "{form}");
    }
}

#[test]
fn the_document_is_what_the_contract_says() {
    let world = World::new().with_advisories();
    world.write("code/Cargo.lock", AFFECTED);
    let document = world.aiva(&["scan", "code", "--format", "json", "--packages"]).json();
    assert_eq!(document["schema"], "aiva.scan/1");
    assert_eq!(document["inputs"][0]["status"], "parsed");
    assert_eq!(document["packages"][0]["purl"], "pkg:cargo/rustls@0.21.10");
    assert_eq!(document["packages"][0].get("source"), None, "of the public registry");
    let git = AFFECTED
        .replace("registry+https://github.com/rust-lang/crates.io-index", "git+https://example.com/rustls?rev=1#1");
    assert_ne!(git, AFFECTED);
    world.write("git/Cargo.lock", &git);
    let listed = world.aiva(&["scan", "git", "--format", "json", "--packages"]).json();
    assert_eq!(listed["packages"][0]["source"]["kind"], "git", "{listed}");
    let finding = &document["findings"][0];
    assert_eq!((finding["id"].as_str(), finding["line"].as_u64()), (Some("CVE-2024-32650"), Some(4)));
    assert_eq!(finding["severity"]["level"], "high");
    let sarif = world.aiva(&["scan", "code", "--format", "sarif"]).json();
    assert_eq!(sarif["version"], "2.1.0");
    let file = world.aiva(&["scan", "code", "--format", "json", "--output", "report.json"]);
    assert_eq!((file.code(), file.out().as_str()), (1, ""));
    assert!(world.path("report.json").is_file());
}

#[test]
fn whatever_is_kept_for_a_form_the_text_is_the_contract_s() {
    let world = World::new().with_advisories();
    for folder in ["a", "b", "a/deep"] {
        world.write(&format!("code/{folder}/Cargo.lock"), AFFECTED);
    }
    world.write("code/requirements.txt", "requests>=2\n");
    world.write("code/web/package.json", "{\"dependencies\": {\"left-pad\": \"^1\"}}");
    world.write("before.json", &world.aiva(&["scan", "code", "--exclude", "/a", "--format", "json"]).out());
    world.write("deny.toml", "[sca.licences]\ndeny = [\"GPL-3.0-only\"]\n");
    let plain = world.aiva(&["scan", "code", "--format", "json"]).json();
    assert_eq!(plain["findings"].as_array().map(Vec::len), Some(3));
    let base = ["scan", "code", "--format", "json"];
    for args in [&[][..], &["--packages"], &["--config", "deny.toml"], &["--installed"], &["--baseline", "before.json"]]
    {
        let run = world.aiva(&[&base, args].concat());
        let document: aiva_contracts::api::ScanDocument = serde_json::from_str(&run.out()).unwrap();
        assert_eq!(run.out(), serde_json::to_string(&document).unwrap() + "\n", "{args:?}");
        let mut said = run.json();
        assert_eq!(said.as_object_mut().unwrap().remove("packages").is_some(), args == ["--packages"]);
        match args {
            ["--baseline", _] => assert_eq!((&said["summary"]["known"], run.code()), (&1.into(), 1)),
            ["--config", _] => assert_eq!(said["inputs"], plain["inputs"]), // with findings about licences
            _ => assert_eq!(said, plain, "{args:?}"),
        }
    }
}

#[test]
fn every_form_is_written() {
    let world = World::new().with_advisories();
    world.write("code/Cargo.lock", AFFECTED);
    for (form, part) in [
        ("junit", "<failure type=\"high\""),
        ("github", "::error file=Cargo.lock,line=4,col=9,title=rustls 0.21.10%3A CVE-2024-32650::"),
        ("gitlab", "\"severity\": \"High\""),
        ("markdown", "| high | [`CVE-2024-32650`]("),
        ("html", "<b>rustls</b>"),
    ] {
        let run = world.aiva(&["scan", "code", "--format", form]);
        assert_eq!(run.code(), 1, "{form}: {}", run.err());
        assert!(run.out().contains(part), "{form}: {}", run.out());
    }
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        assert!(world.aiva(&["completions", shell]).out().contains("version-order"), "{shell}");
    }
    assert!(world.aiva(&["man"]).out().contains(".TH aiva 1"));
}

#[test]
fn a_bill_of_materials_has_the_tree_and_is_dated_by_the_build() {
    let world = World::new().with_advisories();
    world.write("code/Cargo.lock", TREE);
    for (form, part) in [
        ("cyclonedx", "\"bomFormat\": \"CycloneDX\""),
        ("cyclonedx-xml", "<bom xmlns=\"http://cyclonedx.org/schema/bom/1.6\""),
        ("spdx", "\"spdxVersion\": \"SPDX-2.3\""),
        ("spdx3", "\"security_Vulnerability\""),
    ] {
        let run = || world.aiva_with(&["scan", "code", "--format", form], &[("SOURCE_DATE_EPOCH", "1700000000")]);
        let one = run();
        assert_eq!(one.code(), 1, "{form}: {}", one.err());
        assert!(one.out().contains(part) && one.out().contains("2023-11-14T22:13:20Z"), "{form}: {}", one.out());
        assert_eq!(one.out(), run().out(), "{form}");
    }
    assert_eq!(world.aiva_with(&["scan", "code", "--format", "spdx"], &[("SOURCE_DATE_EPOCH", "now")]).code(), 2);
}
