//! What a project asks for itself is in a bill, also where the file that it was made of has no graph.

use std::collections::BTreeMap;

use aiva_sca::inventory::{Kind, single_input};
use aiva_sca::package::{Input, Package, Source};
use aiva_sca::sbom::{self, Bom};

use super::{MADE, document_of, inventory};

/// Each package that others can find, and whether the project asks for it: surely, perhaps, surely not.
fn depths<'i>(inputs: impl IntoIterator<Item = &'i Input>) -> BTreeMap<String, u8> {
    let mut all = BTreeMap::new();
    let packages: Vec<&Package> = inputs.into_iter().flat_map(|input| &input.packages).collect();
    for one in packages.iter().filter(|one| one.source == Source::Registry) {
        let depth = match one.direct {
            Some(true) => 0,
            None => 1,
            Some(false) => 2,
        };
        let known = all.entry(aiva_sca::purl::purl(one.ecosystem, &one.name, &one.version)).or_insert(depth);
        *known = depth.min(*known);
    }
    for one in packages.iter().filter(|one| one.source != Source::Registry) {
        all.remove(&aiva_sca::purl::purl(one.ecosystem, &one.name, &one.version));
    }
    all
}

/// What each form of a bill of these files says, as it is read back.
fn written(inputs: &[Input]) -> Vec<(&'static str, String, BTreeMap<String, u8>)> {
    let document = document_of(Vec::new());
    let bom = Bom::new(inputs, &document, MADE);
    let forms = [
        ("CycloneDX", sbom::cyclonedx(&bom).to_string()),
        ("CycloneDX XML", sbom::cyclonedx_xml(&bom)),
        ("SPDX 2.3", sbom::spdx(&bom).to_string()),
        ("SPDX 3.0", sbom::spdx3(&bom).to_string()),
    ];
    let read = |(form, text): (&'static str, String)| {
        let input = single_input("bom.json", Kind::Bill, Kind::Bill.read(text.as_bytes()));
        let depths = depths([&input]);
        (form, text, depths)
    };
    forms.into_iter().map(read).collect()
}

#[test]
fn a_file_without_a_graph_tells_what_is_direct() {
    let text = "module example.com/app\n\ngo 1.21\n\nrequire github.com/a/b v1.0.0\n\nrequire (\n\tgithub.com/c/d v1.2.0 // indirect\n)\n";
    let input = single_input("go.mod", Kind::GoMod, Kind::GoMod.read(text.as_bytes()));
    for (form, text, got) in written(&[input]) {
        assert_eq!(got["pkg:golang/github.com/a/b@v1.0.0"], 0, "{form}: {text}");
        assert_eq!(got["pkg:golang/github.com/c/d@v1.2.0"], 2, "{form}: {text}");
        assert_eq!(text.matches("aiva:depth").count(), 1, "{form}: {text}"); // only where it tells more than the graph
    }
}

#[test]
fn every_form_says_of_every_package_what_was_scanned() {
    let inventory = inventory();
    let want = depths(&inventory.inputs);
    for depth in 0..3 {
        assert!(want.values().any(|one| *one == depth), "none of the files has a {depth}");
    }
    for (form, _, got) in written(&inventory.inputs) {
        let other: Vec<_> =
            got.iter().filter(|(purl, depth)| want.get(*purl).is_some_and(|want| want != *depth)).collect();
        assert!(other.is_empty(), "{form}: {other:?}");
        assert!(got.len() * 10 > want.len() * 9, "{form}: {} of {}", got.len(), want.len());
    }
}
