//! How the result of a scan is written: every form of it, and where it cannot be written.

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
fn the_document_is_what_the_contract_says() {
    let world = World::new().with_advisories();
    world.write("code/Cargo.lock", AFFECTED);
    let document = world.aiva(&["scan", "code", "--format", "json", "--packages"]).json();
    assert_eq!(document["schema"], "aiva.scan/1");
    assert_eq!(document["inputs"][0]["status"], "parsed");
    assert_eq!(document["packages"][0]["purl"], "pkg:cargo/rustls@0.21.10");
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
