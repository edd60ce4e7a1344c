//! `aiva advisories update` against a mirror on loopback, over HTTPS with a certificate authority of its own.

use std::fs;
use std::sync::Arc;

use crate::garbage::{RECORD, zip};
use crate::mirror::{Asked, Mirror, response, whole};
use crate::program::{Run, World};

fn export() -> Vec<u8> {
    zip(&[("A-1.json", RECORD.as_bytes())])
}

fn empty(asked: &Asked) -> Vec<u8> {
    // Another ecosystem's record: the export is sound, though it says nothing of this one.
    let ecosystem = asked.path.trim_start_matches('/').split('/').next().unwrap_or_default();
    whole(&zip(&[("B-1.json", RECORD.replace("npm", ecosystem).as_bytes())]), "\"other\"")
}

fn update(world: &World, mirror: &Mirror) -> Run {
    world.write("ca.pem", &mirror.authority);
    world.write("aiva.toml", "[outbound]\nextra_ca_files = [\"ca.pem\"]\n");
    world.aiva(&["advisories", "update", "--from", &mirror.url])
}

fn index(world: &World) -> Option<Vec<u8>> {
    fs::read(world.path("data/advisories/advisories.index")).ok()
}

#[test]
fn exports_are_fetched_once_and_not_again_while_they_are_the_same() {
    let mirror = Mirror::start(Arc::new(|asked, _| match asked.headers.get("if-none-match") {
        Some(_) => response("304 Not Modified", &[], b""),
        None if asked.path == "/npm/all.zip" => whole(&export(), "\"one\""),
        None => empty(asked),
    }));
    let world = World::new();
    let first = update(&world, &mirror);
    assert_eq!(first.code(), 0, "{}", first.err());
    world.write(
        "code/package-lock.json",
        r#"{"lockfileVersion":3,"packages":{"":{},"node_modules/a":{"version":"1.0.0"}}}"#,
    );
    let scan = world.aiva(&["scan", "code"]);
    assert!(scan.code() == 1 && scan.out().contains("A-1"), "{}{}", scan.out(), scan.err());
    let second = update(&world, &mirror);
    assert_eq!(second.code(), 0, "{}", second.err());
    assert!(second.err().contains("npm") && second.err().contains("unchanged"), "{}", second.err());
    let asked = mirror.asked("/npm/");
    assert_eq!(asked.last().unwrap().headers.get("if-none-match").map(String::as_str), Some("\"one\""), "{asked:?}");
}

#[test]
fn a_download_that_breaks_goes_on_where_it_stopped() {
    let mirror = Mirror::start(Arc::new(|asked, _| {
        let export = export();
        if asked.path != "/npm/all.zip" {
            return empty(asked);
        }
        let length = export.len().to_string();
        match asked.headers.get("range").map(|range| range.trim_start_matches("bytes=").trim_end_matches('-')) {
            None => response("200 OK", &[("ETag", "\"one\""), ("Content-Length", &length)], &export[..100]),
            Some(from) => {
                let from: usize = from.parse().unwrap();
                let range = format!("bytes {from}-{}/{length}", export.len() - 1);
                let rest = &export[from..];
                let part = (rest.len()).to_string();
                response(
                    "206 Partial Content",
                    &[("ETag", "\"one\""), ("Content-Range", &range), ("Content-Length", &part)],
                    rest,
                )
            }
        }
    }));
    let world = World::new();
    let run = update(&world, &mirror);
    assert_eq!(run.code(), 0, "{}", run.err());
    let asked = mirror.asked("/npm/");
    assert_eq!(asked[1].headers.get("range").map(String::as_str), Some("bytes=100-"), "{asked:?}");
    assert_eq!(asked[1].headers.get("if-range").map(String::as_str), Some("\"one\""), "{asked:?}");
}

#[test]
fn a_mirror_that_misbehaves_leaves_the_advisories_as_they_were() {
    type Wrong = fn(&Asked) -> Vec<u8>;
    let rows: &[(&str, Wrong, &str)] = &[
        ("missing", |_| response("404 Not Found", &[("Content-Length", "0")], b""), "404"),
        ("not a zip", |_| whole(b"<html>sign in</html>", "\"x\""), "zip"),
        (
            "a wrong checksum",
            |_| {
                let mut export = export();
                let at = export.windows(5).position(|window| window == b"\"A-1\"").unwrap();
                export[at + 1] = b'Z';
                whole(&export, "\"x\"")
            },
            "A-1.json",
        ),
        ("cut for ever", |_| response("200 OK", &[("Content-Length", "5000")], b"PK"), "all.zip"),
        (
            "elsewhere",
            |_| response("302 Found", &[("Location", "http://169.254.169.254/"), ("Content-Length", "0")], b""),
            "refused",
        ),
    ];
    for (what, answer, said) in rows {
        let answer = *answer;
        let mirror = Mirror::start(Arc::new(move |asked, _| match asked.path.as_str() {
            "/npm/all.zip" => answer(asked),
            _ => empty(asked),
        }));
        let world = World::new().with_advisories();
        let before = index(&world);
        let run = update(&world, &mirror);
        assert_eq!(run.code(), 2, "{what}: {}", run.err());
        assert!(
            run.err().contains("the advisories are as they were") && run.err().contains(said),
            "{what}: {}",
            run.err()
        );
        assert!(index(&world) == before, "{what} changed the index");
    }
}

#[test]
fn a_mirror_nobody_vouches_for_and_no_network_are_told_apart() {
    let mirror = Mirror::start(Arc::new(|asked, _| empty(asked)));
    let world = World::new();
    let stranger = world.aiva(&["advisories", "update", "--from", &mirror.url]);
    assert_eq!(stranger.code(), 2);
    assert!(stranger.err().contains("no trusted TLS connection"), "{}", stranger.err());
    // Port 1 of loopback: nobody listens there.
    let alone = world.aiva(&["advisories", "update", "--from", "https://127.0.0.1:1"]);
    assert_eq!(alone.code(), 2);
    assert!(alone.err().contains("seems to be offline"), "{}", alone.err());
}
