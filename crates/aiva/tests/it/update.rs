//! `aiva advisories update` from end to end: TLS, the mirror's moods, and a server that notices.

use serde_json::Value;

use crate::mirror::{Manner, Mirror};
use crate::program::{World, zip};
use crate::server::Server;

const ALL: [&str; 15] = [
    "crates.io",
    "npm",
    "PyPI",
    "Go",
    "Maven",
    "NuGet",
    "RubyGems",
    "Packagist",
    "Pub",
    "Hex",
    "ConanCenter",
    "CRAN",
    "Hackage",
    "SwiftURL",
    "GitHub Actions",
];

/// An export with one record about the package `left`.
fn export(ecosystem: &str, id: &str) -> Vec<u8> {
    let record = format!(
        "{{\"id\":\"{id}\",\"modified\":\"2024-01-01T00:00:00Z\",\"summary\":\"{}\",\"affected\":[{{\"package\":\
         {{\"ecosystem\":\"{ecosystem}\",\"name\":\"left\"}},\"versions\":[\"1.0.0\"]}}]}}",
        "long ".repeat(60)
    );
    zip(&[(&format!("{id}.json"), record.as_bytes())])
}

fn mirror() -> Mirror {
    let mirror = Mirror::start();
    ALL.iter().for_each(|ecosystem| mirror.put(ecosystem, export(ecosystem, "X-1")));
    mirror
}

#[track_caller]
fn update(world: &World, code: i32, parts: &[&str]) -> String {
    let run = world.aiva(&["advisories", "update"]);
    let all = run.out() + &run.err();
    assert_eq!(run.code(), code, "{all}");
    // How wide a column is depends on the longest name.
    let narrow = |text: &str| text.split(' ').filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ");
    for part in parts {
        assert!(narrow(&all).contains(&narrow(part)), "nothing of {part:?} in: {all}");
    }
    assert!(!all.contains("panicked"), "{all}");
    all
}

/// The ids that a scan finds, so that it is seen what the index holds.
fn found(world: &World) -> Vec<String> {
    world.write(
        "code/package-lock.json",
        "{\"lockfileVersion\":3,\"packages\":{\"node_modules/left\":{\"version\":\"1.0.0\"}}}\n",
    );
    let document = world.aiva(&["scan", "code", "--format", "json"]).json();
    // The lockfile of this test has no hashes, which is another story.
    let findings = document["findings"].as_array().unwrap().iter().filter(|finding| finding["kind"] == "vulnerability");
    findings.map(|finding| finding["id"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn everything_is_fetched_once_and_again_only_when_it_changed() {
    let mirror = mirror();
    let world = mirror.world();
    update(&world, 0, &["npm 1 record"]);
    assert_eq!(mirror.asked(), ALL.map(|ecosystem| format!("/{}/all.zip", ecosystem.replace(' ', "%20"))));
    assert_eq!(found(&world), ["X-1"]);

    update(&world, 0, &["npm unchanged\n", "Go unchanged\n"]);
    assert!(mirror.asked().iter().all(|asked| asked.contains(" \"")), "no entity tag was sent");

    mirror.put("npm", export("npm", "X-2"));
    update(&world, 0, &["npm 1 record", "Go unchanged\n"]);
    assert_eq!(found(&world), ["X-2"]);
    let leftovers = std::fs::read_dir(world.path("data/advisories/downloads")).unwrap();
    let names: Vec<_> = leftovers.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    assert!(names.iter().all(|name| name.ends_with(".kept.json")), "{names:?}");
}

/// The text of a record about `left` in npm.
fn record(id: &str, modified: &str, more: &str) -> Vec<u8> {
    format!(
        "{{\"id\":\"{id}\",\"modified\":\"{modified}\",{more}\"affected\":[{{\"package\":{{\"ecosystem\":\"npm\",\
         \"name\":\"left\"}},\"versions\":[\"1.0.0\"]}}]}}"
    )
    .into_bytes()
}

#[test]
fn only_the_records_that_changed_are_fetched_where_they_are_listed() {
    let mirror = mirror();
    let world = mirror.world();
    update(&world, 0, &["npm 1 record"]);
    let of_npm = || -> Vec<String> { mirror.asked().into_iter().filter(|asked| asked.starts_with("/npm/")).collect() };
    of_npm();
    mirror.put_file("/npm/modified_id.csv", b"2025-01-01T00:00:00.5Z,X-7\n2024-01-01T00:00:00Z,X-1\n");
    mirror.put_file("/npm/X-7.json", &record("X-7", "2025-01-01T00:00:00.5Z", ""));
    update(&world, 0, &["npm 1 changed, 2 records\n", "Go unchanged\n"]);
    assert_eq!(of_npm(), ["/npm/modified_id.csv", "/npm/X-7.json"]);
    assert_eq!(found(&world), ["X-1", "X-7"]);

    // The same list is not sent again, and what it says is not asked for again.
    update(&world, 0, &["npm        unchanged"]);
    let asked = of_npm();
    assert!(asked.len() == 1 && asked[0].starts_with("/npm/modified_id.csv \""), "{asked:?}");

    // One is withdrawn, one has gone, one was listed and went before it was fetched.
    mirror.put_file("/npm/modified_id.csv", b"2025-03-01T00:00:00Z,X-8\n2025-02-01T00:00:00Z,X-7\n");
    mirror.put_file("/npm/X-7.json", &record("X-7", "2025-02-01T00:00:00Z", "\"withdrawn\":\"2025-02-01T00:00:00Z\","));
    update(&world, 0, &["npm        0 changed, 3 withdrawn or gone, 0 records"]);
    assert_eq!(found(&world), [""; 0]);

    // What is no list is passed over, and so is a list of so much that the export costs less.
    mirror.put("npm", export("npm", "X-3"));
    mirror.put_file("/npm/modified_id.csv", b"<html>welcome</html>");
    of_npm();
    update(&world, 0, &["npm        1 record"]);
    assert_eq!(of_npm().len(), 2);
    assert_eq!(found(&world), ["X-3"]);
    let many: String = (0..100).map(|at| format!("2026-01-01T00:00:00Z,Y-{at}\n")).collect();
    mirror.put_file("/npm/modified_id.csv", many.as_bytes());
    update(&world, 0, &["npm        unchanged"]);
    assert_eq!(of_npm().len(), 2, "the list and the export");
    // And as the export did not have what the list says, the list is read again.
    update(&world, 0, &["npm        unchanged"]);
    assert_eq!(of_npm()[0], "/npm/modified_id.csv");
}

#[test]
fn a_record_that_cannot_be_had_leaves_everything_as_it_was() {
    let mirror = mirror();
    let world = mirror.world();
    update(&world, 0, &["npm        1 record"]);
    mirror.put_file("/npm/modified_id.csv", b"2025-01-01T00:00:00Z,X-7\n2024-01-01T00:00:00Z,X-1\n");
    mirror.put_file("/npm/X-7.json", &record("X-7", "2025-01-01T00:00:00Z", ""));
    // The list breaks off once, the record three times in all manners.
    mirror.behave([Manner::Cut(10), Manner::More(0), Manner::Status(500), Manner::Cut(3), Manner::More(5)]);
    update(&world, 0, &["npm        1 changed, 2 records"]);
    mirror.put_file(
        "/npm/modified_id.csv",
        b"2025-01-02T00:00:00Z,X-8\n2025-01-01T00:00:00Z,X-7\n2024-01-01T00:00:00Z,X-1\n",
    );
    mirror.put_file("/npm/X-8.json", &record("X-8", "2025-01-02T00:00:00Z", ""));
    mirror.behave([Manner::More(0), Manner::Status(403)]);
    update(&world, 2, &["X-8.json", "403"]);
    assert_eq!(found(&world), ["X-1", "X-7"]);
    update(&world, 0, &["npm        1 changed, 3 records"]);
    assert_eq!(found(&world), ["X-1", "X-7", "X-8"]);
}

#[test]
fn a_distribution_is_fetched_when_it_is_asked_for_and_from_then_on() {
    let mirror = mirror();
    mirror.put("Red Hat", export("Red Hat:enterprise_linux:9::baseos", "RHSA-1"));
    let world = mirror.world();
    update(&world, 0, &["npm        1 record"]);
    assert!(!mirror.asked().iter().any(|asked| asked.contains("Red")));
    let run = world.aiva(&["advisories", "update", "--distribution", "Red Hat"]);
    assert_eq!(run.code(), 0, "{}", run.err());
    assert!(run.err().contains("\nRed Hat         1 record\n") && !run.err().contains("as before"), "{}", run.err());
    mirror.asked();
    update(&world, 0, &["Red Hat    unchanged"]);
    assert!(mirror.asked().iter().any(|asked| asked.starts_with("/Red%20Hat/all.zip")));
    let run = world.aiva(&["advisories", "update", "--distribution", "Gentoo"]);
    assert_eq!(run.code(), 2, "{}", run.out());
    assert!(run.err().contains("AlmaLinux") && run.err().contains("Wolfi"), "{}", run.err());
}

#[test]
fn a_cut_download_goes_on_where_it_was_cut() {
    let mirror = mirror();
    let world = mirror.world();
    // Once in a run: the same run goes on.
    mirror.behave([Manner::Cut(100)]);
    update(&world, 0, &["crates.io  1 record"]);
    assert_eq!(mirror.asked()[..2], ["/crates.io/all.zip".to_owned(), "/crates.io/all.zip bytes=100-".to_owned()]);

    // As often as a run tries: the next run goes on.
    mirror.put("crates.io", export("crates.io", "X-2"));
    mirror.behave([Manner::Cut(50); 4]);
    update(&world, 2, &["error: ", "crates.io/all.zip", "the connection broke", "hint: ", "run it again"]);
    assert_eq!(found(&world), ["X-1"], "what was there stays in use");
    mirror.asked();
    update(&world, 0, &["crates.io  1 record"]);
    assert_eq!(mirror.asked()[0], "/crates.io/all.zip bytes=200-");

    // The file is another one by now: what is there is not continued.
    mirror.put("npm", export("npm", "X-3"));
    mirror.behave([Manner::Cut(70); 4]);
    update(&world, 2, &["npm/all.zip"]);
    mirror.put("npm", export("npm", "X-4"));
    update(&world, 0, &["npm        1 record"]);
    assert_eq!(found(&world), ["X-4"]);
}

#[test]
fn a_server_with_bad_manners_changes_nothing() {
    let mirror = mirror();
    let world = mirror.world();
    mirror.behave([Manner::Trickle; 4]);
    update(&world, 0, &["Go         1 record"]); // slow is not wrong
    let damaged = {
        let mut zip = export("npm", "X-2");
        let at = zip.windows(4).position(|bytes| bytes == b"long").unwrap();
        zip[at] ^= 1;
        zip
    };
    for (zip, manners, says) in [
        (export("npm", "X-2"), vec![Manner::More(10); 9], &["npm/all.zip", "the connection broke", "run it again"][..]),
        (export("npm", "X-2"), vec![Manner::Less(10); 2], &["npm/all.zip", "not a complete zip", "mirror"]),
        (damaged, vec![], &["npm/all.zip", "its checksum is wrong", "mirror"]),
        (b"<html>maintenance</html>".to_vec(), vec![], &["npm/all.zip", "not a complete zip", "mirror"]),
        (export("npm", "X-2"), vec![Manner::Status(503); 4], &["npm/all.zip", "the server answered 503"]),
        (
            export("npm", "X-2"),
            vec![Manner::Status(403)],
            &["npm/all.zip", "the server answered 403", "advisories_from"],
        ),
        (export("npm", "X-2"), vec![Manner::Elsewhere], &["npm/all.zip", "not allowed to call out", "169.254.169.254"]),
    ] {
        mirror.put("npm", zip);
        mirror.behave(manners);
        // A part that was left by the row before is asked for first, so that answers come in twos.
        update(&world, 2, &[&["error: ", "cause: ", "hint: "], says].concat());
        assert_eq!(found(&world), ["X-1"], "{says:?}");
    }
    // And none of it is remembered.
    mirror.put("npm", export("npm", "X-5"));
    mirror.behave([]);
    update(&world, 0, &["npm        1 record"]);
    assert_eq!(found(&world), ["X-5"]);
}

#[test]
fn without_a_network_or_leave_to_call_it_says_what_to_do() {
    let world = World::new();
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let run = world.aiva(&["advisories", "update", "--from", &format!("https://{closed}")]);
    assert_eq!(run.code(), 2);
    for part in ["error: ", &format!("cannot reach {closed}"), "hint: ", "offline", "aiva advisories import PATH"] {
        assert!(run.err().contains(part), "{part:?}: {}", run.err());
    }
    let mirror = mirror();
    // Nobody has vouched for its authority.
    let stranger = World::new();
    let run = stranger.aiva(&["advisories", "update", "--from", &mirror.url()]);
    assert_eq!(run.code(), 2, "{}", run.err());
    assert!(run.err().contains("certificate") && run.err().contains("extra_ca_files"), "{}", run.err());
    // Nobody has let it be called.
    let world = mirror.world();
    let config = std::fs::read_to_string(world.path("aiva.toml")).unwrap();
    world.write("aiva.toml", &config.replace("127.0.0.1/32", "127.9.9.9/32"));
    update(&world, 2, &["not allowed to call out", "[[outbound.exceptions]]"]);
    assert_eq!(mirror.asked(), [""; 0]);
}

#[tokio::test]
async fn a_running_server_notices_that_the_index_was_replaced() {
    let mirror = mirror();
    let world = mirror.world();
    let server = Server::start(&world);
    let records = |answer: &Value, name: &str| {
        let held = answer["ecosystems"].as_array().unwrap().iter().find(|held| held["name"] == name)?;
        held["records"].as_u64()
    };
    let before = server.until("/v1/advisories", |answer| records(answer, "npm").is_some_and(|count| count > 1)).await;
    update(&world, 0, &["npm        1 record"]);
    let after = server.get("/v1/advisories").await;
    assert_eq!(records(&after, "npm"), Some(1), "{before} {after}");
    assert!(after["index_version"].as_u64() > before["index_version"].as_u64(), "{before} {after}");
    assert_eq!(server.stop(), 0);
}
