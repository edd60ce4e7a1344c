//! `build.gradle` and version catalogs.

use super::{check, recorded, tree};

#[test]
fn build_gradle() {
    recorded(
        "build.gradle",
        "parsed
org.jetbrains.kotlin:kotlin-gradle-plugin 1.8.0 4 build
org.springframework.boot:org.springframework.boot.gradle.plugin 2.7.1 10 build
org.apache.logging.log4j:log4j-core 2.14.0 18 runtime
com.fasterxml.jackson.core:jackson-databind 2.13.1 19 runtime
commons-io:commons-io 2.6 20 runtime
org.acme:bom 1.0.0 24 runtime
junit:junit 4.12 30 dev
? com.google.guava:guava [[20.0,30.0)] 21 runtime
- org.acme:managed [] 25 runtime: its version is managed by a platform or a plugin
- org.acme:unset [$elsewhere] 26 runtime: a variable that this file does not set
? org.projectlombok:lombok [1.18.+] 29 build
? org.mockito:mockito-core [(1.0,2.0)] 30 dev",
    );
    recorded(
        "build.gradle.kts",
        "parsed
org.jetbrains.kotlin.jvm:org.jetbrains.kotlin.jvm.gradle.plugin 1.8.0 3 build
com.acme.tool:com.acme.tool.gradle.plugin 3.1.0 4 build
com.squareup.okhttp3:okhttp 4.9.0 11 runtime
io.ktor:ktor-server-core 2.0.0 12 runtime
org.jetbrains.kotlin:kotlin-stdlib 1.8.0 13 runtime
commons-io:commons-io 2.6 14 runtime
org.acme:three 1.0 15 dev
org.acme:processor 1.0.0 16 build",
    );
    for (inside, want) in [
        (
            "implementation 'a:b:1'\nif (x) { api 'c:d:1' }",
            "partial\na:b 1 2 runtime\n! 3 dependencies are computed in a block here: not read",
        ),
        ("implementation lookup('x')", "failed\n! 2 a dependency is computed here: not read"),
        ("implementation 'a'", "failed\n! 2 not a coordinate: \"a\""),
        ("implementation \"$g:b:1\"", "failed\n! 2 the name of a dependency is computed: \"$g:b:1\""),
        ("implementation 'a:b:1.0!!'", "parsed\na:b 1.0 2 runtime"),
        ("implementation 'a:b:1:sources@jar'", "parsed\na:b 1 2 runtime"),
    ] {
        check("build.gradle", &format!("dependencies {{\n{inside}\n}}\n"), want);
    }
    check(
        "build.gradle",
        "dependencies {\n  api 'a:b:1'\n",
        "partial\na:b 1 2 runtime\n! 2 a block is not closed: the file may have been cut off",
    );
    check(
        "build.gradle",
        "def v = '1'\nif (x) { v = '2' }\ndependencies { api \"a:b:$v\" }\n",
        "parsed\n- a:b [$v] 3 runtime: a variable that this file does not set",
    );
    let managed =
        "dependencyManagement {\n dependencies {\n dependency 'a:b:1.5'\n }\n}\ndependencies {\n api 'a:b'\n}\n";
    check("build.gradle", managed, "parsed\na:b 1.5 7 runtime");
}

#[test]
fn gradle_says_versions_beside_the_coordinate() {
    let managed = "its version is managed by a platform or a plugin";
    let unset = "a variable that this file does not set";
    for (inside, want) in [
        // The block behind a dependency.
        ("api('a:b') { version { strictly('1.30') } }", "a:b 1.30 2 runtime".to_owned()),
        ("api('a:b') {\nversion {\nrequire '1.30'\nbecause('x')\n}\n}", "a:b 1.30 2 runtime".into()),
        ("api 'a:b', { version { prefer '1.30' } }", "a:b 1.30 2 runtime".into()),
        ("api('a:b:1') { version { strictly('2') } }", "a:b 2 2 runtime".into()),
        ("api('a:b:1') { version { prefer('2') } }", "a:b 1 2 runtime".into()),
        ("api('a:b:1') { exclude group: 'x' }\napi('c:d') { transitive = false }", {
            format!("a:b 1 2 runtime\n- c:d [] 3 runtime: {managed}")
        }),
        ("api('a:b') { version { strictly('[1, 2[')\nprefer('1.5') } }", "? a:b [[1, 2)] 2 runtime".into()),
        ("api('a:b') { version { strictly(v) } }", format!("- a:b [v] 2 runtime: {unset}")),
        ("api('a:b') { version { strictly(v.x.get()) } }", format!("- a:b [v.x.get] 2 runtime: {unset}")),
        ("api('a:b') { version { reject('1') } }", format!("- a:b [] 2 runtime: {managed}")),
        // `constraints`
        ("constraints { api('a:b:1') }", "a:b 1 2 runtime ?".into()),
        ("constraints {\napi('a:b') {\nversion { strictly('1') }\nbecause 'x'\n}\n}", "a:b 1 3 runtime ?".into()),
        ("constraints { testImplementation 'a:b:[1,2)' }", "? a:b [[1,2)] 2 dev".into()),
        ("constraints { api('a:b:1') }\napi('a:b')", "a:b 1 3 runtime".into()), // what has no version takes it
        ("api('a:b')\nconstraints { api('a:b:1') }\ntestApi('a:b')", "a:b 1 2 runtime\na:b 1 4 dev".into()),
        ("api('a:b')\nconstraints { api('a:b:1.+') }", "? a:b [1.+] 2 runtime".into()),
        // What gradle chooses is there once: the higher, or what is strict.
        ("api('a:b:1')\nconstraints { api('a:b:2') }", "a:b 2 3 runtime".into()),
        ("api('a:b:2')\nconstraints { api('a:b:1') }", "a:b 2 2 runtime".into()),
        ("api('a:b:1.10')\nconstraints { api('a:b:1.9')\napi('a:b:1.11') }", "a:b 1.11 4 runtime".into()),
        ("api('a:b:1')\nconstraints { api('a:b:1') }", "a:b 1 2 runtime".into()),
        ("api('a:b:2')\nconstraints { api('a:b') { version { strictly('1') } } }", "a:b 1 3 runtime".into()),
        ("api('a:b:2')\nconstraints { api('a:b:1!!') }", "a:b 1 3 runtime".into()),
        ("api('a:b') { version { strictly('1') } }\nconstraints { api('a:b:2') }", "a:b 1 2 runtime".into()),
        ("testApi('a:b:1')\nconstraints { api('a:b:2') }", "a:b 2 3 dev".into()),
        ("testApi('a:b:1')\napi('a:b:1')\nconstraints { api('a:b:2') }", "a:b 2 4 runtime".into()),
        // Two that are strict break the build; a test's constraint is not for what runs; of a range it is not known.
        ("api('a:b:1!!')\nconstraints { api('a:b:2!!') }", "a:b 1 2 runtime\na:b 2 3 runtime ?".into()),
        ("api('a:b:1')\nconstraints { testApi('a:b:2') }", "a:b 1 2 runtime\na:b 2 3 dev ?".into()),
        ("api('a:b:1')\nconstraints { kapt('a:b:2') }", "a:b 1 2 runtime\na:b 2 3 build ?".into()),
        ("api('a:b:1')\nconstraints { api('a:b:[2,3)') }", "a:b 1 2 runtime\n? a:b [[2,3)] 3 runtime".into()),
        ("api('a:b:1')\nconstraints { api('c:d')\napi(project(':x')) }", "a:b 1 2 runtime".into()),
        // What is only preferred gives way; a configuration that does not take the constraint has its own version.
        (
            "api('a:b:1')\nconstraints { api('a:b') { version { prefer '2' } } }",
            "a:b 1 2 runtime\na:b 2 3 runtime ?".into(),
        ),
        (
            "api('a:b') { version { prefer '1' } }\nconstraints { api('a:b:2') }",
            "a:b 1 2 runtime\na:b 2 3 runtime ?".into(),
        ),
        ("checkstyle('a:b:1')\nconstraints { api('a:b:2') }", "a:b 1 2 runtime\na:b 2 3 runtime ?".into()),
        ("api('a:b:1')\nconstraints { runtimeOnly('a:b:2') }", "a:b 1 2 runtime\na:b 2 3 runtime ?".into()),
        ("runtimeOnly('a:b:1')\nconstraints { implementation('a:b:2') }", "a:b 2 3 runtime".into()),
        ("checkstyle('a:b:1')\nconstraints { checkstyle('a:b:2') }", "a:b 2 3 runtime".into()),
        ("constraints { api(\"a:b:$v\") }", format!("- a:b [$v] 2 runtime: {unset}")),
    ] {
        check("build.gradle", &format!("dependencies {{\n{inside}\n}}\n"), &format!("parsed\n{want}"));
    }
    check(
        "build.gradle",
        "dependencies {\n  api('a:b') { version { strictly('1') }\n",
        "partial\na:b 1 2 runtime\n! 2 a block is not closed: the file may have been cut off",
    );
    check(
        "build.gradle",
        "dependencies {\nconstraints {\napi lookup('x')\n}\n}\n",
        "failed\n! 3 a dependency is computed here: not read",
    );
    check("build.gradle.kts", "dependencies.constraints {\n  api(\"a:b:1\")\n}\n", "parsed\na:b 1 2 runtime ?");
    // What is forced is another version than the one that stands there.
    let force = "`force` decides versions here: those below may be others";
    for (text, want) in [
        ("configurations.all {\n  resolutionStrategy.force 'a:b:1'\n}", format!("! 2 {force}")),
        ("configurations.all { resolutionStrategy {\n  force('a:b:1')\n} }", format!("! 2 {force}")),
        (
            "configurations.all { resolutionStrategy.eachDependency { d ->\n  d.useVersion '1'\n} }",
            "! 2 `useVersion` decides versions here: those below may be others".to_owned(),
        ),
    ] {
        let text = format!("{text}\ndependencies {{\napi 'a:b:2'\n}}\n");
        check("build.gradle", &text, &format!("partial\na:b 2 5 runtime\n{want}"));
    }
    check("build.gradle", "tasks.x {\n  force = true\n}\ndependencies {\napi 'a:b:2'\n}\n", "parsed\na:b 2 5 runtime");
    let nested = format!("dependencies {{\napi 'a:b:2'\n{}", "constraints {".repeat(1_000));
    let want = "partial\na:b 2 2 runtime\n! 3 blocks are nested too deeply: the rest is not read\n! 3 a block is not closed: the file may have been cut off";
    check("build.gradle", &nested, want);
    // A constraint is for its own project.
    check(
        "build.gradle",
        "project(':x') { dependencies {\napi 'a:b:1'\n} }\nproject(':y') { dependencies { constraints {\napi 'a:b:2'\n} } }\n",
        "parsed\na:b 1 2 runtime\na:b 2 5 runtime ?",
    );
    check(
        "build.gradle",
        "dependencies {\napi 'a:b:1'\n}\ndependencies { constraints {\napi 'a:b:2'\n} }\n",
        "parsed\na:b 2 5 runtime",
    );
    check(
        "libs.versions.toml",
        "[versions]\na = \"1\"\n[libraries]\nx = { module = \"g:x\", version.ref = \"b\" }\ny = { module = \"g:y\" }\n",
        "parsed\n- g:x [] 4 runtime: [versions] has no \"b\"\n- g:y [] 5 runtime: its version is managed by a platform",
    );
}

#[test]
fn a_version_catalog_must_be_there_to_be_relied_on() {
    let build = ("app/build.gradle.kts", "dependencies {\n  implementation(libs.okhttp)\n}\n");
    let alone = tree(&[build]);
    assert_eq!(alone[0].status.name(), "partial");
    assert!(alone[0].problems[0].message.contains("no libs.versions.toml is here"), "{:?}", alone[0].problems);
    let catalog = ("gradle/libs.versions.toml", "[libraries]\nokhttp = \"com.squareup.okhttp3:okhttp:4.9.0\"\n");
    let both = tree(&[build, catalog]);
    assert_eq!(both[0].status.name(), "parsed", "{:?}", both[0].problems);
    assert_eq!(both[1].packages.len(), 1);
}
