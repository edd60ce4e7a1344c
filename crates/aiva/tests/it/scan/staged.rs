//! `aiva scan --staged`: what is staged is read as the same files are read where they lie.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::program::{Run, World};

const LOCK: &str = "version = 4\n\n[[package]]\nname = \"rustls\"\nversion = \"0.21.10\"\nsource = \
                    \"registry+https://github.com/rust-lang/crates.io-index\"\n";

/// A repository in `code`; `None` where there is no git.
fn repository() -> Option<World> {
    let world = World::new().with_advisories();
    std::fs::create_dir(world.path("code")).unwrap();
    git(&world, &["init", "-q"]).then_some(world)
}

fn git(world: &World, args: &[&str]) -> bool {
    let identity = ["-c", "user.name=a", "-c", "user.email=a@example.com", "-c", "commit.gpgsign=false"];
    let output = Command::new("git").arg("-C").arg(world.path("code")).args(identity).args(args).output();
    output.is_ok_and(|output| output.status.success())
}

fn scan(world: &World, path: &str, more: &[&str]) -> Run {
    let args = ["scan", path, "--format", "json", "--packages", "--allow-empty"];
    world.aiva(&[&args[..], more].concat())
}

/// What was read, without where.
fn read(run: &Run) -> (i32, serde_json::Value, serde_json::Value) {
    let json = run.json();
    (run.code(), json["inputs"].clone(), json["packages"].clone())
}

/// Every file below a folder, with its bytes.
fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut files = BTreeMap::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(self::files(&path));
        } else {
            files.insert(path.clone(), std::fs::read(&path).unwrap());
        }
    }
    files
}

#[test]
fn what_is_staged_is_read_as_it_is_where_it_lies() {
    let Some(world) = repository() else {
        eprintln!("skipped: there is no git here");
        return;
    };
    // What requirements take in, whatever its name and through a link.
    world.write("code/python/requirements.txt", "-r base.reqs\n-c more/limits\nflask==3.0.0\n-r linked\n");
    world.write("code/python/base.reqs", "-r deep.list\ndjango==4.2.0\n");
    world.write("code/python/deep.list", "jinja2==3.0.0\n");
    world.write("code/python/more/limits", "werkzeug==2.0.0\n");
    world.write("code/python/more/real", "-r beside\nclick==8.0.0\n");
    world.write("code/python/beside", "attrs==23.1.0\n");
    std::os::unix::fs::symlink("more/real", world.path("code/python/linked")).unwrap();
    // Folders that are passed over by a file in them.
    world.write("code/env/pyvenv.cfg", "home = /usr/bin\n");
    world.write("code/env/share/package.json", "{\"dependencies\":{\"left-pad\":\"^1.0.0\"}}");
    world.write("code/target/CACHEDIR.TAG", "Signature: 8a477f597d28d172789f06886806bc55\n");
    world.write("code/target/package/Cargo.lock", LOCK);
    world.write("code/other/target/Cargo.lock", LOCK); // not passed over
    // What is read beside a file, and none itself.
    world.write("code/go/go.mod", "module a.example/a\n\ngo 1.16\n\nrequire github.com/pkg/errors v0.9.1\n");
    let hash = "h1:FEBLx1zS214owpjy7qsBeixbURkuhQAwrK5UwLGTwt4=";
    world
        .write("code/go/go.sum", &format!("github.com/pkg/errors v0.9.1 {hash}\ngithub.com/pkg/other v1.0.0 {hash}\n"));
    world.write("code/node/.yarnrc.yml", "catalog:\n  left-pad: 1.3.0\n");
    world.write("code/node/package.json", "{\"dependencies\":{\"left-pad\":\"catalog:\"}}");
    // A link that is the argument itself, out of its folder.
    world.write("code/kept/lock", LOCK);
    std::fs::create_dir(world.path("code/links")).unwrap();
    std::os::unix::fs::symlink("../kept/lock", world.path("code/links/Cargo.lock")).unwrap();
    assert!(git(&world, &["add", "--force", "."]));
    let before = files(&world.path("code/.git"));
    for (path, least) in [
        ("code", 9),
        ("code/go", 1),
        ("code/node", 1),
        ("code/python", 6),
        ("code/python/requirements.txt", 6),
        ("code/links/Cargo.lock", 1),
        ("code/other/target", 1),
    ] {
        let (plain, staged) = (scan(&world, path, &[]), scan(&world, path, &["--staged"]));
        assert_eq!(read(&staged), read(&plain), "{path}: {}", staged.err());
        let packages = staged.json()["packages"].as_array().unwrap().len();
        assert!(packages >= least, "{path}: {packages}");
    }
    // Nothing is written into the repository.
    assert_eq!(files(&world.path("code/.git")), before);
    // It is read where it is no longer in the folder, and what is only announced is not.
    let whole = read(&scan(&world, "code/other/target/Cargo.lock", &["--staged"]));
    std::fs::remove_file(world.path("code/other/target/Cargo.lock")).unwrap();
    assert_eq!(read(&scan(&world, "code/other/target/Cargo.lock", &["--staged"])), whole);
    world.write("code/later/Cargo.lock", LOCK);
    assert!(git(&world, &["add", "--intent-to-add", "later/Cargo.lock"]));
    let later = scan(&world, "code/later/Cargo.lock", &["--staged"]);
    assert_eq!(later.code(), 2, "{}", later.err());
    assert!(later.err().contains("is not in git's index"), "{}", later.err());
}

#[test]
fn what_cannot_be_read_of_the_index_is_an_error() {
    let Some(world) = repository() else {
        eprintln!("skipped: there is no git here");
        return;
    };
    world.write("code/Cargo.lock", LOCK);
    assert!(git(&world, &["add", "."]));
    let here = |args: &[&str]| {
        let mut command = crate::program::command(&world.path("code"));
        command.args(["scan", "--staged", "."]).args(args).arg("--data-dir").arg(world.path("data"));
        Run::new(command.output().unwrap())
    };
    assert_eq!(here(&[]).code(), 1, "{}", here(&[]).err());
    // As it is where the file lies in the folder.
    std::fs::write(world.path("code/aiva.toml"), b"# \xff\n").unwrap();
    assert!(git(&world, &["add", "aiva.toml"]));
    let text = here(&[]);
    assert_eq!(text.code(), 2, "{}", text.err());
    assert!(text.err().contains("aiva.toml") && text.err().contains("not UTF-8"), "{}", text.err());
    // A conflict.
    assert!(git(&world, &["rm", "-q", "--force", "aiva.toml"]) && git(&world, &["commit", "-qm", "one"]));
    assert!(git(&world, &["checkout", "-q", "-b", "side"]));
    world.write("code/Cargo.lock", "version = 4\n");
    assert!(git(&world, &["commit", "-qam", "two"]) && git(&world, &["checkout", "-q", "-"]));
    world.write("code/Cargo.lock", "version = 3\n");
    assert!(git(&world, &["commit", "-qam", "three"]) && !git(&world, &["merge", "-q", "side"]));
    let conflict = here(&[]);
    assert_eq!(conflict.code(), 2, "{}", conflict.err());
    assert!(conflict.err().contains("Cargo.lock is in conflict"), "{}", conflict.err());
}
