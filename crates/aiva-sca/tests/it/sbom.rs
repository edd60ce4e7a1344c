//! Bills of materials: valid by the official schemas, the same every time, and saying what the scan knows.

mod depth;
mod licences;

use std::collections::BTreeSet;
use std::path::Path;

use aiva_contracts::api::{
    Acceptance, AdvisoryState, Counts, DocumentAdvisories, DocumentCanResolve, DocumentFinding, DocumentInput,
    DocumentPossible, DocumentSchema, DocumentStatement, DocumentSummary, FindingKind, InputCounts, InputStatus, Level,
    PackageScope, ScanDocument, Severity, StatementStatus,
};
use aiva_sca::inventory::{Inventory, Kind, Options, single_input, walk};
use aiva_sca::package::{Source, Status};
use aiva_sca::sbom::{self, Bom, Made};
use jiff::Timestamp;
use jsonschema::{Registry, Validator};
use serde_json::Value;

fn schema(name: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/schemas").join(name);
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn inventory() -> Inventory {
    let locks = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/locks");
    walk(&locks, &Options::default(), &|_| {}).unwrap()
}

/// A finding about one package, as the document has it.
fn finding(id: &str, path: &str, purl: &str, severity: Severity) -> DocumentFinding {
    DocumentFinding {
        id: id.into(),
        aliases: vec!["GHSA-aaaa-bbbb-cccc".into(), "PYSEC-2026-1".into()],
        fingerprint: "0".repeat(32).parse().unwrap(),
        purl: purl.into(),
        name: "it".into(),
        version: "1".into(),
        ecosystem: "npm".into(),
        path: path.into(),
        line: 1,
        kind: FindingKind::Vulnerability,
        severity,
        fixed_versions: vec!["9.9.9".into()],
        last_affected: None,
        summary: "a \"summary\" with <markup> & a\u{1b} control".into(),
        description: "# Long\n\n]]> text".into(),
        references: vec!["https://example.com/a?b=c&d".into(), "javascript:alert(1)".into(), "https://x/ y".into()],
        symbols: vec!["it.pad".into()],
        more_symbols: Some(2),
        reason: None,
        column: None,
        direct: None,
        scope: None,
        matched: vec![],
        paths: None,
        priority: None,
        statement: None,
        known: None,
        acceptance: None,
    }
}

/// One finding of each sort on packages that the fixtures have.
fn document(inventory: &Inventory) -> ScanDocument {
    let vectors = [
        (Level::Critical, Some(9.8), Some("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H")),
        (Level::High, Some(8.7), Some("CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:N/VI:N/VA:H/SC:N/SI:N/SA:N")),
        (Level::High, Some(7.8), Some("AV:N/AC:L/Au:N/C:N/I:N/A:C")),
        (Level::Unknown, None, None),
        (Level::Informational, None, None),
        (Level::Low, None, None),
    ];
    let packages = inventory.inputs.iter().flat_map(|input| input.packages.iter().map(move |package| (input, package)));
    let mut findings: Vec<DocumentFinding> = packages
        .step_by(5)
        .zip(vectors)
        .enumerate()
        .map(|(at, ((input, package), (level, score, vector)))| {
            let severity = Severity { level, score, vector: vector.map(str::to_owned) };
            let purl = aiva_sca::purl::purl(package.ecosystem, &package.name, &package.version);
            finding(&format!("CVE-2026-{at}"), &input.path, &purl, severity)
        })
        .collect();
    assert_eq!(findings.len(), 6);
    let said = |status, justification: &str| {
        Some(DocumentStatement {
            status,
            justification: Some(justification.into()),
            detail: None,
            author: Some("ana".into()),
            document: "vex.json".into(),
        })
    };
    findings[0].statement = said(StatementStatus::NotAffected, "vulnerable_code_not_in_execute_path");
    findings[1].statement = said(StatementStatus::Affected, "");
    findings[2].statement = said(StatementStatus::UnderInvestigation, "");
    findings[3].statement = said(StatementStatus::Fixed, "");
    findings[4].acceptance = Some(Acceptance {
        owner: "ana".into(),
        reason: "no".into(),
        expires: jiff::civil::date(2027, 1, 1),
        exception: None,
    });
    document_of(findings)
}

/// A document with these findings, and nothing else that a bill takes from it.
pub(crate) fn document_of(findings: Vec<DocumentFinding>) -> ScanDocument {
    ScanDocument {
        schema: DocumentSchema::AivaScan1,
        advisories: DocumentAdvisories { state: AdvisoryState::Current, ecosystems: vec![] },
        inputs: vec![],
        packages: None,
        contents: None,
        findings,
        summary: DocumentSummary {
            findings: Counts { critical: 0, high: 0, medium: 0, low: 0, unknown: 0, informational: 0 },
            accepted: 0,
            suppressed: None,
            known: None,
            inputs: InputCounts { parsed: 0, partial: 0, unsupported: 0, failed: 0, ignored: 0 },
            packages: 0,
            not_judged: 0,
            can_resolve: None,
            exceptions: vec![],
        },
    }
}

pub(crate) const MADE: Made<'_> = Made { target: "locks", version: "0.1.0", at: Timestamp::UNIX_EPOCH };

#[track_caller]
fn check(validator: &Validator, document: &Value) {
    let faults: Vec<String> =
        validator.iter_errors(document).take(5).map(|fault| format!("{}: {fault}", fault.instance_path())).collect();
    assert_eq!(faults, Vec::<String>::new());
}

fn cyclonedx_schema() -> Validator {
    let base = "http://cyclonedx.org/schema/";
    let registry = Registry::new()
        .add(format!("{base}spdx.SNAPSHOT.schema.json"), schema("spdx.schema.json"))
        .unwrap()
        .add(format!("{base}jsf-0.82.SNAPSHOT.schema.json"), schema("jsf-0.82.schema.json"))
        .unwrap()
        .prepare()
        .unwrap();
    jsonschema::options().with_registry(&registry).build(&schema("bom-1.6.schema.json")).unwrap()
}

#[test]
fn cyclonedx_is_valid_and_has_graph_and_vulnerabilities() {
    let inventory = inventory();
    let document = document(&inventory);
    let bill = sbom::cyclonedx(&Bom::new(&inventory.inputs, &document, MADE));
    let validator = cyclonedx_schema();
    check(&validator, &bill);
    let mut broken = bill.clone();
    broken["components"][0]["type"] = "thing".into();
    assert!(!validator.is_valid(&broken)); // The schema does look.
    let vulnerabilities = bill["vulnerabilities"].as_array().unwrap();
    assert_eq!(vulnerabilities.len(), 6);
    assert_eq!(vulnerabilities[0]["analysis"]["justification"], "code_not_reachable");
    assert_eq!(vulnerabilities[4]["analysis"]["response"][0], "will_not_fix");
    assert!(vulnerabilities.iter().all(|one| one["affects"].as_array().unwrap().len() == 1));
    let symbols =
        serde_json::json!([{"name": "aiva:symbol", "value": "it.pad"}, {"name": "aiva:more-symbols", "value": "2"}]);
    assert_eq!(vulnerabilities[0]["properties"], symbols);
    let edges: usize =
        bill["dependencies"].as_array().unwrap().iter().map(|one| one["dependsOn"].as_array().unwrap().len()).sum();
    assert!(edges > 100, "{edges}");
    let licensed =
        bill["components"].as_array().unwrap().iter().filter(|one| !one["licenses"][0]["expression"].is_null());
    assert!(licensed.count() > 2);
}

#[test]
fn spdx_2_is_valid() {
    let inventory = inventory();
    let document = document(&inventory);
    let bill = sbom::spdx(&Bom::new(&inventory.inputs, &document, MADE));
    check(&jsonschema::validator_for(&schema("spdx-2.3.schema.json")).unwrap(), &bill);
    let packages = bill["packages"].as_array().unwrap();
    let ids: std::collections::HashSet<&str> = packages.iter().map(|one| one["SPDXID"].as_str().unwrap()).collect();
    assert_eq!(ids.len(), packages.len());
    for one in bill["relationships"].as_array().unwrap() {
        let from = one["spdxElementId"].as_str().unwrap();
        assert!(from == "SPDXRef-DOCUMENT" || ids.contains(from));
        assert!(ids.contains(one["relatedSpdxElement"].as_str().unwrap()));
    }
    assert!(packages.iter().filter(|one| one["licenseDeclared"] != "NOASSERTION").count() > 2);
    let advisories = packages
        .iter()
        .flat_map(|one| one["externalRefs"].as_array().into_iter().flatten())
        .filter(|one| one["referenceType"] == "advisory");
    assert_eq!(advisories.count(), 6);
}

#[test]
fn spdx_3_is_valid() {
    let inventory = inventory();
    let document = document(&inventory);
    let bill = sbom::spdx3(&Bom::new(&inventory.inputs, &document, MADE));
    let validator = jsonschema::validator_for(&schema("spdx-3.0.1.schema.json")).unwrap();
    let licences =
        bill["@graph"].as_array().unwrap().iter().filter(|one| one["relationshipType"] == "hasDeclaredLicense");
    assert!(licences.count() > 2);
    // One element at a time: a fault is then named by its element, and a bill is its elements.
    for element in bill["@graph"].as_array().unwrap() {
        let alone = serde_json::json!({ "@context": bill["@context"], "@graph": [element] });
        assert!(validator.is_valid(&alone), "{element:#}");
    }
    let ids: Vec<&str> = bill["@graph"].as_array().unwrap().iter().filter_map(|one| one["spdxId"].as_str()).collect();
    let distinct: std::collections::HashSet<&&str> = ids.iter().collect();
    assert_eq!(distinct.len(), ids.len());
}

#[test]
fn the_same_materials_make_the_same_bill() {
    let inventory = inventory();
    let document = document(&inventory);
    let later = Made { at: Timestamp::from_second(1_700_000_000).unwrap(), ..MADE };
    let (one, two) = (Bom::new(&inventory.inputs, &document, MADE), Bom::new(&inventory.inputs, &document, later));
    assert_eq!(sbom::cyclonedx(&one)["serialNumber"], sbom::cyclonedx(&two)["serialNumber"]);
    assert_ne!(sbom::cyclonedx(&one), sbom::cyclonedx(&two));
    assert_eq!(sbom::spdx(&one)["documentNamespace"], sbom::spdx(&two)["documentNamespace"]);
    let mut fewer = document.clone();
    fewer.findings.pop();
    let other = Bom::new(&inventory.inputs, &fewer, MADE);
    assert_ne!(sbom::cyclonedx(&one)["serialNumber"], sbom::cyclonedx(&other)["serialNumber"]);
}

/// Holds a bill as XML to the official schema, where there is who can.
fn hold_to_schema(xml: &str) {
    let schema = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/schemas/bom-1.6.xsd");
    let Some(faults) = aiva_testkit::xml::faults(&schema, xml) else { return };
    assert_eq!(faults, Vec::<String>::new());
    let broken = xml.replacen("type=\"library\"", "type=\"thing\"", 1);
    assert_ne!(aiva_testkit::xml::faults(&schema, &broken), Some(Vec::new())); // The schema does look.
}

#[test]
fn the_xml_says_what_the_json_says() {
    use quick_xml::events::Event;
    let inventory = inventory();
    let document = document(&inventory);
    let bom = Bom::new(&inventory.inputs, &document, MADE);
    let (json, xml) = (sbom::cyclonedx(&bom), sbom::cyclonedx_xml(&bom));
    hold_to_schema(&xml);
    assert!(xml.contains(json["serialNumber"].as_str().unwrap()));
    let mut reader = quick_xml::Reader::from_str(&xml);
    let mut count = std::collections::HashMap::<String, usize>::new();
    loop {
        match reader.read_event().unwrap() {
            Event::Start(tag) | Event::Empty(tag) => *count.entry(tag.name().as_ref().to_owned()).or_default() += 1,
            Event::Eof => break,
            _ => {}
        }
    }
    assert_eq!(count["component"], json["components"].as_array().unwrap().len() + 2); // the target and the tool
    assert_eq!(count["vulnerability"], 6);
    assert_eq!(xml.matches("<property name=\"aiva:symbol\">it.pad</property>").count(), 6);
    assert_eq!(
        count["purl"],
        json["components"].as_array().unwrap().iter().filter(|one| !one["purl"].is_null()).count()
    );
}

#[test]
fn an_advisory_about_several_packages_names_the_functions_of_each() {
    let mut findings = Vec::new();
    for (name, symbols, more) in [
        ("it", &["it.pad", "it.all"][..], None),
        ("its", &["its.pad", "it.all"], Some(3)),
        ("it", &["it.pad", "it.all"], None), // in another file
        ("none", &[], None),
    ] {
        findings.push(DocumentFinding {
            name: name.into(),
            symbols: symbols.iter().map(|name| (*name).to_owned()).collect(),
            more_symbols: more,
            ..finding("CVE-1", "a", "pkg:npm/it@1", Severity { level: Level::Low, score: None, vector: None })
        });
    }
    let document = document_of(findings);
    let bill = sbom::cyclonedx(&Bom::new(&[], &document, MADE));
    let said = |one: &Value| format!("{}={}", one["name"].as_str().unwrap(), one["value"].as_str().unwrap());
    let properties = bill["vulnerabilities"][0]["properties"].as_array().unwrap();
    assert_eq!(
        properties.iter().map(said).collect::<Vec<_>>(),
        ["aiva:symbol=it.pad", "aiva:symbol=it.all", "aiva:symbol=its.pad", "aiva:more-symbols=3"]
    );
}

/// Who is in a bill and who needs whom, by package URL.
fn told(packages: &[aiva_sca::package::Package], edges: usize) -> (BTreeSet<String>, usize) {
    let urls = packages.iter().map(|one| aiva_sca::purl::purl(one.ecosystem, &one.name, &one.version)).collect();
    (urls, edges)
}

#[test]
fn every_form_reads_back_as_what_was_scanned() {
    let locks = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/locks/bun");
    let inventory = walk(&locks, &Options::default(), &|_| {}).unwrap();
    let mut document = document(&self::inventory());
    document.findings.clear();
    let bom = Bom::new(&inventory.inputs, &document, MADE);
    let packages: Vec<_> = inventory.inputs.iter().flat_map(|input| input.packages.clone()).collect();
    let (want, _) = told(&packages, 0);
    assert!(want.len() > 50, "{}", want.len());
    for (form, text) in [
        ("CycloneDX", sbom::cyclonedx(&bom).to_string()),
        ("CycloneDX XML", sbom::cyclonedx_xml(&bom)),
        ("SPDX 2.3", sbom::spdx(&bom).to_string()),
        ("SPDX 3.0", sbom::spdx3(&bom).to_string()),
    ] {
        let reading = Kind::Bill.read(text.as_bytes());
        let input = single_input("bom.json", Kind::Bill, reading);
        let lost: Vec<_> =
            input.problems.iter().filter(|problem| !problem.message.contains("no package URL")).collect();
        assert!(lost.is_empty(), "{form}: {lost:?}");
        let (got, edges) = told(&input.packages, input.edges.len());
        assert!(got.is_subset(&want), "{form}: {:?}", got.difference(&want).collect::<Vec<_>>());
        let private = packages.iter().filter(|package| package.source != Source::Registry).count();
        assert!(got.len() + private >= want.len(), "{form}: {:?}", want.difference(&got).collect::<Vec<_>>());
        assert!(edges > 20, "{form}: {edges}");
        assert_eq!(input.status == Status::Parsed, input.problems.is_empty());
    }
}

#[test]
fn a_range_that_can_resolve_is_in_the_bills_and_not_called_affected() {
    let text = "{\"dependencies\": {\"left-pad\": \"^1.2\"}}";
    let input = single_input("package.json", Kind::PackageJson, Kind::PackageJson.read(text.as_bytes()));
    let mut document = document_of(Vec::new());
    document.inputs.push(DocumentInput {
        path: "package.json".into(),
        kind: "package.json".into(),
        status: InputStatus::Parsed,
        packages: 0,
        not_judged: vec![],
        can_resolve: vec![DocumentCanResolve {
            ecosystem: "npm".into(),
            name: "left-pad".into(),
            requirement: "^1.2".into(),
            line: 1,
            scope: PackageScope::Runtime,
            safe_from: Some("1.3.0".into()),
            safe_after: None,
            never_safe: None,
            advisories: vec![DocumentPossible {
                id: "CVE-9".into(),
                aliases: vec![],
                kind: FindingKind::Vulnerability,
                severity: Level::High,
                summary: "does harm".into(),
                known: None,
            }],
        }],
        problems: vec![],
    });
    let inputs = [input];
    let bom = Bom::new(&inputs, &document, MADE);
    let bill = sbom::cyclonedx(&bom);
    let one = &bill["vulnerabilities"][0];
    assert_eq!((one["id"].as_str(), one["affects"][0]["ref"].as_str()), (Some("CVE-9"), Some("pkg:npm/left-pad")));
    assert_eq!(one["affects"][0]["versions"][0]["status"], "unknown");
    assert_eq!(one["analysis"]["state"], "in_triage");
    let said = "^1.2 can resolve to an affected version; from 1.3.0 on it cannot";
    assert!(one["analysis"]["detail"].as_str().unwrap().starts_with(said), "{one:#}");
    assert_eq!(one["recommendation"], "Update left-pad to 1.3.0.");
    assert!(sbom::cyclonedx_xml(&bom).contains("<state>in_triage</state>"));
    hold_to_schema(&sbom::cyclonedx_xml(&bom));
    let spdx3 = sbom::spdx3(&bom).to_string();
    assert!(spdx3.contains("CVE-9") && spdx3.contains("UnderInvestigation"), "{spdx3}");
}
