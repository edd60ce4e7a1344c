//! What `pom.xml` files inherit within one tree, row by row.

#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use std::fs;

use aiva_sca::inventory::{Options, walk};

/// A `pom.xml` with these elements in it.
fn pom(coordinates: &str, rest: &str) -> String {
    let mut parts = coordinates.split(':');
    let mut element = |name: &str| match parts.next().unwrap_or_default() {
        "" => String::new(),
        text => format!("<{name}>{text}</{name}>"),
    };
    let (group, artifact, version) = (element("groupId"), element("artifactId"), element("version"));
    format!("<project>{group}{artifact}{version}{rest}</project>")
}

fn parent(coordinates: &str, path: &str) -> String {
    let parts: Vec<&str> = coordinates.split(':').collect();
    format!(
        "<parent><groupId>{}</groupId><artifactId>{}</artifactId><version>{}</version>{path}</parent>",
        parts[0], parts[1], parts[2]
    )
}

fn dependency(coordinates: &str, more: &str) -> String {
    let mut parts = coordinates.split(':');
    let (group, artifact) = (parts.next().unwrap(), parts.next().unwrap());
    let version = parts.next().map(|version| format!("<version>{version}</version>")).unwrap_or_default();
    format!("<dependency><groupId>{group}</groupId><artifactId>{artifact}</artifactId>{version}{more}</dependency>")
}

fn dependencies(all: &[String]) -> String {
    format!("<dependencies>{}</dependencies>", all.concat())
}

fn managed(all: &[String]) -> String {
    format!("<dependencyManagement>{}</dependencyManagement>", dependencies(all))
}

const IMPORT: &str = "<type>pom</type><scope>import</scope>";

/// What is told of one file of a tree: `name version`, `? name [requirement]: reason`, `! problem`.
#[track_caller]
fn check(files: &[(&str, String)], of: &str, want: &[&str]) {
    let folder = tempfile::tempdir().unwrap();
    for (path, text) in files {
        let file = folder.path().join(path);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, text).unwrap();
    }
    let inputs = walk(folder.path(), &Options::default(), &|_| {}).unwrap().inputs;
    let input = inputs.iter().find(|input| input.path == of).unwrap();
    let pinned = input.packages.iter().map(|one| format!("{} {}", one.name, one.version));
    let open = input.not_judged.iter().map(|one| match one.is_range {
        true => format!("? {} [{}]", one.name, one.requirement),
        false => format!("? {} [{}]: {}", one.name, one.requirement, one.reason),
    });
    let told: Vec<String> =
        pinned.chain(open).chain(input.problems.iter().map(|one| format!("! {}", one.message))).collect();
    assert_eq!(told, want);
}

#[test]
fn a_parent_beside_it_gives_properties_and_versions() {
    let top = pom(
        "com.acme:top:1.0",
        &format!(
            "<packaging>pom</packaging><properties><log>2.14.0</log><own>${{project.artifactId}}</own></properties>{}",
            managed(&[dependency("org.log:core:${log}", ""), dependency("org.x:y:1.0", "<scope>test</scope>")])
        ),
    );
    let child = |asked: &[String]| pom(":app:", &format!("{}{}", parent("com.acme:top:1.0", ""), dependencies(asked)));
    let files = |asked: &[String]| [("pom.xml", top.clone()), ("app/pom.xml", child(asked))];
    check(
        &files(&[
            dependency("org.log:core", ""),
            dependency("org.log:api:${log}", ""),
            dependency("${project.groupId}:sibling:${project.version}", ""),
            dependency("org.x:y", ""),
            dependency("org.un:managed", ""),
        ]),
        "app/pom.xml",
        &[
            "org.log:core 2.14.0",
            "org.log:api 2.14.0",
            "com.acme:sibling 1.0",
            "org.x:y 1.0",
            "? org.un:managed []: nothing here manages its version",
        ],
    );
}

#[test]
fn what_is_nearer_wins() {
    let top = pom(
        "g:top:1",
        &format!(
            "<properties><v>1</v></properties>{}",
            managed(&[dependency("a:b:${v}", ""), dependency("c:d:1", "")])
        ),
    );
    let middle = pom(
        ":middle:",
        &format!("{}<properties><v>2</v></properties>{}", parent("g:top:1", ""), managed(&[dependency("c:d:2", "")])),
    );
    let child = pom(
        ":child:",
        &format!(
            "{}{}",
            parent("g:middle:1", "<relativePath>../middle</relativePath>"),
            dependencies(&[dependency("a:b", ""), dependency("c:d", "")])
        ),
    );
    let files = [("pom.xml", top), ("middle/pom.xml", middle), ("child/pom.xml", child)];
    check(&files, "child/pom.xml", &["a:b 2", "c:d 2"]);
}

#[test]
fn a_parent_is_found_by_path_under_another_name_or_by_coordinates() {
    let with =
        |path: &str| pom(":app:", &format!("{}{}", parent("g:top:1", path), dependencies(&[dependency("a:b", "")])));
    let top = pom("g:top:1", &managed(&[dependency("a:b:7", "")]));
    for (place, path) in [
        ("build/parent.xml", "<relativePath>../build/parent.xml</relativePath>"), // no pom.xml by name
        ("elsewhere/deep/pom.xml", ""),                                           // by its coordinates
        ("elsewhere/pom.xml", "<relativePath/>"),                                 // said to be fetched, yet it is here
    ] {
        check(&[(place, top.clone()), ("app/pom.xml", with(path))], "app/pom.xml", &["a:b 7"]);
    }
    let stranger = pom("g:other:1", &managed(&[dependency("a:b:7", "")]));
    check(
        &[("pom.xml", stranger), ("app/pom.xml", with(""))],
        "app/pom.xml",
        &["? a:b []: nothing here manages its version; the parent g:top:1 may, which is not in this tree"],
    );
    let newer = pom("g:top:2", &managed(&[dependency("a:b:7", "")]));
    check(
        &[("pom.xml", newer), ("app/pom.xml", with(""))],
        "app/pom.xml",
        &["? a:b []: nothing here manages its version; the parent g:top:1 may, which is not in this tree"],
    );
    check(
        &[("app/pom.xml", with("<relativePath>../../../etc/pom.xml</relativePath>"))],
        "app/pom.xml",
        &["? a:b []: nothing here manages its version; the parent g:top:1 may, which is not in this tree"],
    );
}

#[test]
fn an_imported_bom_gives_versions_with_its_own_properties() {
    let inner = pom("g:inner:1", &managed(&[dependency("e:f:5", ""), dependency("a:b:9", "")]));
    let bom = pom(
        "g:bom:1",
        &format!(
            "<properties><v>3</v></properties>{}",
            managed(&[dependency("a:b:${v}", ""), dependency("c:d:3", ""), dependency("g:inner:1", IMPORT)])
        ),
    );
    let app = |import: &str| {
        pom(
            "g:app:1",
            &format!(
                "<properties><v>8</v></properties>{}{}",
                managed(&[dependency(import, IMPORT), dependency("c:d:4", "")]),
                dependencies(&[dependency("a:b", ""), dependency("c:d", ""), dependency("e:f", "")])
            ),
        )
    };
    let files = [("bom/pom.xml", bom.clone()), ("inner/pom.xml", inner), ("pom.xml", app("g:bom:1"))];
    check(&files, "pom.xml", &["a:b 3", "c:d 4", "e:f 5"]);
    check(
        &[("bom/pom.xml", bom), ("pom.xml", app("g:bom:2"))],
        "pom.xml",
        &[
            "c:d 4",
            "? g:bom [2]: an imported BOM that is not in this tree: the versions that it manages are not known",
            "? a:b []: nothing here manages its version; the BOM g:bom:2 may, which is not in this tree",
            "? e:f []: nothing here manages its version; the BOM g:bom:2 may, which is not in this tree",
        ],
    );
}

#[test]
fn profiles_count_only_if_they_are_active_by_default() {
    let profile = |is_active: bool| {
        let inside = format!(
            "<properties><v>2</v></properties>{}{}",
            managed(&[dependency("c:d:6", "")]),
            dependencies(&[dependency("x:y:1", "")])
        );
        pom(
            "g:app:1",
            &format!(
                "<properties><v>1</v></properties>{}<profiles><profile><id>p</id><activation><activeByDefault>{is_active}\
                 </activeByDefault></activation>{inside}</profile></profiles>",
                dependencies(&[dependency("a:b:${v}", ""), dependency("c:d", "")])
            ),
        )
    };
    let unmanaged = "? c:d []: its version is managed by a parent or a BOM, which are not in this file";
    check(&[("pom.xml", profile(false))], "pom.xml", &["a:b 1", "x:y 1", unmanaged]);
    check(&[("pom.xml", profile(true))], "pom.xml", &["a:b 2", "c:d 6", "x:y 1"]);
}

#[test]
fn circles_and_long_chains_end() {
    let circle = |own: &str, other: &str| {
        pom(
            &format!(":{own}:1"),
            &format!(
                "{}{}{}",
                parent(&format!("g:{other}:1"), &format!("<relativePath>../{other}</relativePath>")),
                managed(&[dependency(&format!("g:{other}:1"), IMPORT), dependency("a:b:1", "")]),
                dependencies(&[dependency("a:b", "")])
            ),
        )
    };
    let files = [("one/pom.xml", circle("one", "two")), ("two/pom.xml", circle("two", "one"))];
    check(&files, "one/pom.xml", &["a:b 1"]);
    check(&files, "two/pom.xml", &["a:b 1"]);
    let mut chain = vec![("p0/pom.xml".to_owned(), pom("g:p0:1", &managed(&[dependency("a:b:1", "")])))];
    for at in 1..60 {
        let above = format!("<relativePath>../p{}</relativePath>", at - 1);
        let text = format!("{}{}", parent(&format!("g:p{}:1", at - 1), &above), dependencies(&[dependency("a:b", "")]));
        chain.push((format!("p{at}/pom.xml"), pom(&format!(":p{at}:1"), &text)));
    }
    let files: Vec<(&str, String)> = chain.iter().map(|(path, text)| (path.as_str(), text.clone())).collect();
    check(&files, "p20/pom.xml", &["a:b 1"]);
    check(
        &files,
        "p59/pom.xml",
        &["? a:b []: nothing here manages its version; the parent g:p27:1 may, which is not in this tree"],
    );
    // Every BOM imports the two before it: without memory that would be a billion ways.
    let mut boms = vec![("b0/pom.xml".to_owned(), pom("g:b0:1", &managed(&[dependency("a:b:1", "")])))];
    boms.push(("b1/pom.xml".to_owned(), pom("g:b1:1", &managed(&[dependency("a:b:1", "")]))));
    for at in 2..30 {
        let before = [1, 2].map(|back| dependency(&format!("g:b{}:1", at - back), IMPORT));
        let asked = dependencies(&[dependency("a:b", "")]);
        boms.push((format!("b{at}/pom.xml"), pom(&format!("g:b{at}:1"), &format!("{}{asked}", managed(&before)))));
    }
    let files: Vec<(&str, String)> = boms.iter().map(|(path, text)| (path.as_str(), text.clone())).collect();
    check(&files, "b29/pom.xml", &["a:b 1"]);
}

#[test]
fn a_damaged_file_keeps_its_fault() {
    let top = pom("g:top:1", &managed(&[dependency("a:b:7", "")]));
    let whole = pom(":app:", &format!("{}{}", parent("g:top:1", ""), dependencies(&[dependency("a:b", "")])));
    let cut = whole.trim_end_matches("</project>").to_owned();
    check(
        &[("pom.xml", top), ("app/pom.xml", cut)],
        "app/pom.xml",
        &["a:b 7", "! <project> is not closed: the file may have been cut off"],
    );
}
