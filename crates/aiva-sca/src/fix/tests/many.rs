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
