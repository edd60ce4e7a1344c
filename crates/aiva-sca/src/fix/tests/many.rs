//! Plans over many files that share one.

use super::*;

/// Each of many modules has its version from one parent; it is parsed once for all of them, not once for each.
#[test]
fn a_parent_of_many_modules_is_read_once() {
    const MODULES: usize = 100;
    let (_dir, index) = index();
    let root = TempDir::new().unwrap();
    let managed: String = (0..500)
        .map(|at| {
            format!(
                "<dependency><groupId>o</groupId><artifactId>m{at}</artifactId><version>1.0</version></dependency>\n"
            )
        })
        .collect();
    let parent = format!(
        "<project><groupId>us</groupId><artifactId>top</artifactId><version>1</version><properties>\n<v>2.14.0</v>\n</properties>\
         <dependencyManagement><dependencies>\n{managed}\
         <dependency><groupId>g</groupId><artifactId>a</artifactId><version>${{v}}</version></dependency>\n\
         </dependencies></dependencyManagement></project>"
    );
    let module = "<project><parent><groupId>us</groupId><artifactId>top</artifactId><version>1</version></parent>\
                  <artifactId>x</artifactId><dependencies>\n\
                  <dependency><groupId>g</groupId><artifactId>a</artifactId></dependency>\n</dependencies></project>";
    fs::write(root.path().join("pom.xml"), &parent).unwrap();
    for at in 0..MODULES {
        fs::create_dir(root.path().join(format!("x{at}"))).unwrap();
        fs::write(root.path().join(format!("x{at}/pom.xml")), module).unwrap();
    }
    let inventory = walk(root.path(), &Options::default(), &|_| {}).unwrap();
    let result = scan(&inventory.inputs, &index).unwrap();
    let findings: Vec<&Finding> = result.findings.iter().filter(|finding| finding.path != "pom.xml").collect();
    assert_eq!(findings.len(), MODULES);
    let reads = std::cell::Cell::new(0);
    let read = |path: &str| {
        reads.set(reads.get() + usize::from(path == "pom.xml"));
        fs::read_to_string(root.path().join(path)).ok()
    };
    let plan = plan(&inventory.inputs, &findings, &[], &index, &read).unwrap();
    assert_eq!(plan.edits.len(), 1);
    assert!(plan.edits[0].after.contains("<v>2.17.1</v>"));
    assert_eq!(plan.edits[0].bumps[0].clears, ["A-1"]);
    assert_eq!(plan.remaining, []);
    // By whoever ties the files together, by whoever looks for properties, and to be edited.
    assert!(reads.get() <= 3, "{} times", reads.get());
}

/// Each of many packages of one file is moved in what was read of it once, and written in one pass.
#[test]
fn many_packages_of_one_file_move_together() {
    const PACKAGES: usize = 1_000;
    let source = TempDir::new().unwrap();
    fs::create_dir(source.path().join("NuGet")).unwrap();
    for at in 0..PACKAGES {
        let record = format!(
            r#"{{"id": "P-{at}", "modified": "2026-01-01T00:00:00Z", "affected": [{{"package": {{"ecosystem": "NuGet", "name": "P.N{at}"}},
            "ranges": [{{"type": "ECOSYSTEM", "events": [{{"introduced": "0"}}, {{"fixed": "2.0.{at}"}}]}}]}}]}}"#
        );
        fs::write(source.path().join(format!("NuGet/P-{at}.json")), record).unwrap();
    }
    let dir = TempDir::new().unwrap();
    let now = "2026-11-21T12:00:00Z".parse().unwrap();
    advisory::import(&[source.path().to_owned()], dir.path(), now, &|_| {}).unwrap();
    let index = Index::open(dir.path()).unwrap();
    let project = |version: &dyn Fn(usize) -> String| {
        let references: String = (0..PACKAGES)
            .map(|at| format!("<PackageReference Include=\"P.N{at}\" Version=\"{}\" />\r\n", version(at)))
            .collect();
        format!("\u{feff}<Project><ItemGroup>\r\n{references}</ItemGroup></Project>\r\n")
    };
    let root = TempDir::new().unwrap();
    fs::write(root.path().join("a.csproj"), project(&|_| "[1.0.0, 2.0)".to_owned())).unwrap();
    let inventory = walk(root.path(), &Options::default(), &|_| {}).unwrap();
    let result = scan(&inventory.inputs, &index).unwrap();
    let findings: Vec<&Finding> = result.findings.iter().collect();
    assert_eq!(findings.len(), PACKAGES);
    let read = |path: &str| fs::read_to_string(root.path().join(path)).ok();
    let plan = plan(&inventory.inputs, &findings, &[], &index, &read).unwrap();
    assert_eq!(plan.edits[0].after, project(&|at| format!("[2.0.{at}, )")));
    assert!(plan.edits[0].bumps.iter().all(|bump| bump.clears.len() == 1 && bump.drops == ["<2.0"]));
    assert_eq!((plan.edits[0].bumps.len(), plan.remaining.len()), (PACKAGES, 0));
}
