//! Container images: layouts, tars, docker's own form; layers over layers; damage.

#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use std::fs;
use std::io::{Read as _, Write as _};
use std::path::Path;

use aiva_sca::inventory::{ImageError, Inventory, Options, Platform, image};
use aiva_sca::package::{Source, Status};
use sha2::{Digest as _, Sha256};
use tar::{Builder, EntryType, Header};
use tempfile::TempDir;

use crate::installed::{APK, DEBIAN, STATUS, elf, go_info, rows};

fn digest(bytes: &[u8]) -> String {
    let digits: String = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{digits}")
}

/// One entry of a layer.
#[derive(Clone, Copy)]
enum Is<'c> {
    File(&'c [u8]),
    Program(&'c [u8]),
    Folder,
    Symlink(&'c str),
    Hardlink(&'c str),
}

fn layer(entries: &[(&str, Is<'_>)]) -> Vec<u8> {
    let mut builder = Builder::new(Vec::new());
    for (path, is) in entries {
        let (kind, content, mode): (EntryType, &[u8], u32) = match is {
            Is::File(content) => (EntryType::Regular, content, 0o644),
            Is::Program(content) => (EntryType::Regular, content, 0o755),
            Is::Folder => (EntryType::Directory, b"", 0o755),
            Is::Symlink(_) => (EntryType::Symlink, b"", 0o777),
            Is::Hardlink(_) => (EntryType::Link, b"", 0o644),
        };
        let mut header = Header::new_gnu();
        header.set_entry_type(kind);
        header.set_mode(mode);
        header.set_size(content.len() as u64);
        match is {
            Is::Symlink(target) | Is::Hardlink(target) => builder.append_link(&mut header, path, target).unwrap(),
            // The builder itself refuses names that lead out, so they are put in by hand.
            _ if path.contains("..") => {
                header.as_gnu_mut().unwrap().name[..path.len()].copy_from_slice(path.as_bytes());
                header.set_cksum();
                builder.append(&header, content).unwrap();
            }
            _ => builder.append_data(&mut header, path, content).unwrap(),
        }
    }
    builder.into_inner().unwrap()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// Two frames with a skippable one between them.
fn zstd(bytes: &[u8]) -> Vec<u8> {
    let level = || ruzstd::encoding::CompressionLevel::Fastest;
    let (first, second) = bytes.split_at(bytes.len() / 2);
    let mut out = ruzstd::encoding::compress_to_vec(first, level());
    out.extend_from_slice(b"\x50\x2A\x4D\x18\x03\0\0\0abc");
    out.extend(ruzstd::encoding::compress_to_vec(second, level()));
    out
}

/// Content of an image: names and bytes.
type Files = Vec<(String, Vec<u8>)>;

fn blob(files: &mut Files, bytes: &[u8]) -> String {
    let digest = digest(bytes);
    files.push((format!("blobs/sha256/{}", &digest[7..]), bytes.to_vec()));
    digest
}

/// The manifest of an image with these layers: packed, and as they are.
fn manifest(files: &mut Files, layers: &[(Vec<u8>, Vec<u8>)]) -> String {
    let ids: Vec<String> = layers.iter().map(|(_, plain)| format!("{:?}", digest(plain))).collect();
    let config = format!(r#"{{"rootfs": {{"type": "layers", "diff_ids": [{}]}}}}"#, ids.join(","));
    let config = blob(files, config.as_bytes());
    let layers: Vec<String> =
        layers.iter().map(|(packed, _)| format!(r#"{{"digest": "{}"}}"#, blob(files, packed))).collect();
    let manifest =
        format!(r#"{{"schemaVersion": 2, "config": {{"digest": "{config}"}}, "layers": [{}]}}"#, layers.join(","));
    blob(files, manifest.as_bytes())
}

/// A layout of one image.
fn layout(layers: &[(Vec<u8>, Vec<u8>)]) -> Files {
    let mut files = Files::new();
    let manifest = manifest(&mut files, layers);
    files.push(("oci-layout".to_owned(), br#"{"imageLayoutVersion": "1.0.0"}"#.to_vec()));
    files.push(("index.json".to_owned(), format!(r#"{{"manifests": [{{"digest": "{manifest}"}}]}}"#).into_bytes()));
    files
}

fn plain(layers: &[Vec<u8>]) -> Vec<(Vec<u8>, Vec<u8>)> {
    layers.iter().map(|layer| (layer.clone(), layer.clone())).collect()
}

fn put(folder: &Path, files: &Files) {
    for (name, bytes) in files {
        let file = folder.join(name);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, bytes).unwrap();
    }
}

fn packed(files: &Files) -> Vec<u8> {
    let entries: Vec<(&str, Is<'_>)> = files.iter().map(|(name, bytes)| (name.as_str(), Is::File(bytes))).collect();
    layer(&entries)
}

fn read(path: &Path) -> Result<Inventory, ImageError> {
    image(path, None, &Options::default(), &|_| {})
}

fn of_layers(layers: &[Vec<u8>]) -> Inventory {
    let folder = TempDir::new().unwrap();
    put(folder.path(), &layout(&plain(layers)));
    read(folder.path()).unwrap()
}

fn manifest_of(name: &str) -> Vec<u8> {
    format!(r#"{{"name": "{name}", "version": "1.0.0"}}"#).into_bytes()
}

fn base() -> Vec<u8> {
    let status = STATUS.split_inclusive("\n\n").next().unwrap(); // openssl alone
    layer(&[
        ("./usr/lib/os-release", Is::File(DEBIAN.as_bytes())),
        ("./etc/os-release", Is::Symlink("../usr/lib/os-release")),
        ("./var/lib/dpkg/status", Is::File(status.as_bytes())),
    ])
}

#[test]
fn every_form_of_an_image_reads_the_same() {
    let go = elf(&[(".go.buildinfo", &go_info("go1.21.3", "path\tx\ndep\texample.com/a\tv1.0.0\th1:\n"))]);
    let app = layer(&[
        ("usr/local/bin/app", Is::Program(&go)),
        ("usr/share/not-run", Is::File(&go)),
        ("var/lib/dpkg/status", Is::File(STATUS.as_bytes())),
    ]);
    let layers = [(gzip(&base()), base()), (zstd(&app), app.clone())];
    let want = [
        "Go stdlib 1.21.3",
        "Go example.com/a 1.0.0",
        "Debian:12 libssl3 3.0.11-1+b1 from openssl 3.0.11-1",
        "Debian:12 bash 5.2.15-2",
    ];
    let folder = TempDir::new().unwrap();
    let at = folder.path();
    let files = layout(&layers);
    put(&at.join("layout"), &files);
    fs::write(at.join("oci.tar"), packed(&files)).unwrap();
    // What `docker save` writes, with a layer that is a link to another's.
    let config = format!(r#"{{"rootfs": {{"diff_ids": ["{}", "{}"]}}}}"#, digest(&base()), digest(&app));
    let saved = br#"[{"Config": "c.json", "RepoTags": ["a:1"], "Layers": ["one/layer.tar", "two/layer.tar"]}]"#;
    let docker = layer(&[
        ("manifest.json", Is::File(saved)),
        ("c.json", Is::File(config.as_bytes())),
        ("one/layer.tar", Is::File(&base())),
        ("other/layer.tar", Is::File(&app)),
        ("two/layer.tar", Is::Symlink("../other/layer.tar")),
    ]);
    fs::write(at.join("docker.tar"), docker).unwrap();
    // Headers about times before each entry, as many tools write them.
    let mut builder = Builder::new(Vec::new());
    for (name, bytes) in &files {
        builder.append_pax_extensions([("mtime", b"1700000000.25".as_slice())]).unwrap();
        let mut header = Header::new_ustar();
        header.set_size(bytes.len() as u64);
        builder.append_data(&mut header, format!("./{name}"), bytes.as_slice()).unwrap();
    }
    fs::write(at.join("pax.tar"), builder.into_inner().unwrap()).unwrap();
    for form in ["layout", "oci.tar", "docker.tar", "pax.tar"] {
        let inventory = read(&at.join(form)).unwrap();
        assert_eq!(rows(&inventory.inputs), want, "{form}");
        assert!(inventory.inputs.iter().all(|input| input.status == Status::Parsed), "{form}: {:#?}", inventory.inputs);
        let layer = |name: &str| {
            let mut packages = inventory.inputs.iter().flat_map(|input| &input.packages);
            packages.find(|one| one.name == name).unwrap().origin.as_ref().unwrap().layer.clone().unwrap()
        };
        // The second layer wrote the database anew, but libssl3 came with the first.
        assert!(layer("libssl3").starts_with("layer 1 of 2 (sha256:"), "{form}: {}", layer("libssl3"));
        assert!(layer("bash").starts_with("layer 2 of 2") && layer("stdlib").starts_with("layer 2 of 2"), "{form}");
    }
}

#[test]
fn what_a_layer_takes_away_is_gone() {
    let (a, b, c) = (manifest_of("a"), manifest_of("b"), manifest_of("c"));
    let below = layer(&[
        ("app/node_modules/a/package.json", Is::File(&a)),
        ("app/node_modules/b/package.json", Is::File(&b)),
        ("old/node_modules/c/package.json", Is::File(&c)),
    ]);
    let rows_of = |above: &[(&str, Is<'_>)]| rows(&of_layers(&[below.clone(), layer(above)]).inputs);
    let npm = |names: &[&str]| names.iter().map(|name| format!("npm {name} 1.0.0")).collect::<Vec<_>>();
    assert_eq!(rows_of(&[]), npm(&["a", "b", "c"]));
    assert_eq!(rows_of(&[("app/node_modules/.wh.a", Is::File(b""))]), npm(&["b", "c"]));
    assert_eq!(rows_of(&[("./app/.wh.node_modules", Is::File(b""))]), npm(&["c"]));
    assert_eq!(rows_of(&[(".wh.app", Is::File(b""))]), npm(&["c"]));
    assert_eq!(rows_of(&[("app/node_modules/a/.wh.package.json", Is::File(b""))]), npm(&["b", "c"]));
    // Opaque: what the layer itself brings stays, whichever stands first in it.
    let opaque = ("app/.wh..wh..opq", Is::File(b"".as_slice()));
    let own = ("app/node_modules/c/package.json", Is::File(c.as_slice()));
    assert_eq!(rows_of(&[opaque, own]), npm(&["c", "c"]));
    assert_eq!(rows_of(&[own, opaque]), npm(&["c", "c"]));
    assert_eq!(rows_of(&[(".wh..wh..opq", Is::File(b""))]), npm(&[]));
    // Another thing in the place of a folder or a file.
    assert_eq!(rows_of(&[("app", Is::Symlink("old"))]), npm(&["c"]));
    assert_eq!(rows_of(&[("app/node_modules/a/package.json", Is::Folder)]), npm(&["b", "c"]));
    assert_eq!(rows_of(&[("app/node_modules", Is::Folder)]), npm(&["a", "b", "c"])); // the same folder again
    assert_eq!(rows_of(&[("app/node_modules/a/package.json", Is::File(&c))]), npm(&["c", "b", "c"]));
    // Above the root is nothing.
    assert_eq!(rows_of(&[("../../app/node_modules/x/package.json", Is::File(&c))]), npm(&["a", "b", "c"]));
    assert_eq!(rows_of(&[("app/../.wh.app", Is::File(b""))]), npm(&["a", "b", "c"]));
}

#[test]
fn lockfiles_and_sources_of_an_image_are_read_over_its_layers() {
    let lock = br#"{"packages": [{"name": "acme/one", "version": "1.0.0"}]}"#;
    let metadata = b"Name: a\nVersion: 1.0\n\n";
    let url = br#"{"url": "https://example.com/a.git", "vcs_info": {"vcs": "git"}}"#;
    let at = "usr/lib/python3/site-packages/a-1.0.dist-info";
    let below = layer(&[("srv/composer.lock", Is::File(lock)), (&format!("{at}/METADATA"), Is::File(metadata))]);
    let above = layer(&[(&format!("{at}/direct_url.json"), Is::File(url))]);
    let inventory = of_layers(&[below.clone(), above]);
    let packages: Vec<_> = inventory.inputs.iter().flat_map(|input| &input.packages).collect();
    let got: Vec<_> = packages.iter().map(|package| (&*package.name, package.source.clone())).collect();
    let git = Source::Git("https://example.com/a.git".to_owned());
    assert_eq!(got, [("acme/one", Source::Registry), ("a", git)]);
    let gone = of_layers(&[below, layer(&[("srv/.wh.composer.lock", Is::File(b""))])]);
    assert_eq!(rows(&gone.inputs), ["PyPI a 1.0"]);
}

#[test]
fn long_names_are_read_in_both_ways_of_writing_them() {
    let deep = format!("{}/node_modules/a/package.json", "d".repeat(150));
    let content = manifest_of("a");
    let gnu = layer(&[(&deep, Is::File(&content))]);
    let mut builder = Builder::new(Vec::new());
    builder.append_pax_extensions([("path", deep.as_bytes())]).unwrap();
    let mut header = Header::new_ustar();
    header.set_size(content.len() as u64);
    builder.append_data(&mut header, "short", content.as_slice()).unwrap();
    for layer in [gnu, builder.into_inner().unwrap()] {
        assert_eq!(of_layers(&[layer]).inputs.last().unwrap().path, deep);
    }
}

#[test]
fn one_of_several_platforms_is_chosen() {
    let mut files = Files::new();
    let mut rows_of = Vec::new();
    for (name, architecture) in [("a", "amd64"), ("b", "arm64")] {
        let content = manifest_of(name);
        let layer = layer(&[("node_modules/p/package.json", Is::File(&content))]);
        let manifest = manifest(&mut files, &[(layer.clone(), layer)]);
        rows_of.push(format!(
            r#"{{"digest": "{manifest}", "platform": {{"os": "linux", "architecture": "{architecture}"}}}}"#
        ));
    }
    rows_of.push(format!(
        r#"{{"digest": "{}", "platform": {{"os": "unknown", "architecture": "unknown"}}}}"#,
        digest(b"an attestation")
    ));
    let inner = format!(r#"{{"manifests": [{}]}}"#, rows_of.join(","));
    let inner = blob(&mut files, inner.as_bytes());
    let kind = "application/vnd.oci.image.index.v1+json";
    let index = format!(r#"{{"manifests": [{{"mediaType": "{kind}", "digest": "{inner}"}}]}}"#);
    files.push(("index.json".to_owned(), index.into_bytes()));
    let folder = TempDir::new().unwrap();
    put(folder.path(), &files);
    let of =
        |platform: &str| image(folder.path(), Some(&Platform::parse(platform).unwrap()), &Options::default(), &|_| {});
    assert_eq!(rows(&of("linux/amd64").unwrap().inputs), ["npm a 1.0.0"]);
    assert_eq!(rows(&of("linux/arm64").unwrap().inputs), ["npm b 1.0.0"]);
    let error = of("windows/amd64").unwrap_err().to_string();
    assert!(error.contains("linux/amd64, linux/arm64"), "{error}");
}

#[test]
fn what_is_not_as_its_digest_says_is_refused() {
    let files = layout(&plain(&[base()]));
    for at in 0..files.len() {
        let mut changed = files.clone();
        let Some((name, bytes)) = changed.get_mut(at).filter(|(name, _)| name.starts_with("blobs")) else { continue };
        bytes[10] ^= 1;
        let name = name.clone();
        let folder = TempDir::new().unwrap();
        put(folder.path(), &changed);
        assert!(matches!(read(folder.path()), Err(ImageError::Digest(_))), "{name}");
        // And one that is not there.
        changed.remove(at);
        let folder = TempDir::new().unwrap();
        put(folder.path(), &changed);
        assert!(matches!(read(folder.path()), Err(ImageError::Missing(_))), "{name}");
    }
    // A layer whose content is not what the configuration says, although its blob is.
    let folder = TempDir::new().unwrap();
    put(folder.path(), &layout(&[(gzip(&base()), layer(&[]))]));
    assert!(matches!(read(folder.path()), Err(ImageError::Digest(_))));
}

#[test]
fn names_never_lead_out_of_an_image() {
    let secret = TempDir::new().unwrap();
    fs::write(secret.path().join("index.json"), b"{}").unwrap();
    let folder = TempDir::new().unwrap();
    #[cfg(unix)]
    std::os::unix::fs::symlink(secret.path().join("index.json"), folder.path().join("index.json")).unwrap();
    assert!(matches!(read(folder.path()), Err(ImageError::NotAnImage(_))));
    for digest in ["sha256:../../../etc/passwd", "sha512:00", "../x", ""] {
        let index = format!(r#"{{"manifests": [{{"digest": "{digest}"}}]}}"#);
        let folder = TempDir::new().unwrap();
        fs::write(folder.path().join("index.json"), index).unwrap();
        assert!(matches!(read(folder.path()), Err(ImageError::OtherDigest(_))), "{digest}");
    }
    let tar = layer(&[("manifest.json", Is::Symlink("../../../etc/passwd"))]);
    let file = folder.path().join("image.tar");
    fs::write(&file, tar).unwrap();
    assert!(matches!(read(&file), Err(ImageError::NotAnImage(_))));
}

#[test]
fn an_image_that_was_cut_anywhere_never_panics_and_is_never_read() {
    let app = layer(&[("lib/apk/db/installed", Is::File(APK.as_bytes()))]);
    let whole = packed(&layout(&[(gzip(&app), app.clone()), (zstd(&app), app)]));
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("image.tar");
    let entries_end = whole.len() - 1024; // two empty blocks close a tar
    for cut in (0..entries_end).step_by(61) {
        fs::write(&file, &whole[..cut]).unwrap();
        assert!(read(&file).is_err(), "cut at {cut}");
    }
    for at in (0..entries_end).step_by(211) {
        let mut damaged = whole.clone();
        damaged[at] ^= 0x55;
        fs::write(&file, &damaged).unwrap();
        if let Ok(inventory) = read(&file) {
            assert_eq!(rows(&inventory.inputs).len(), 2, "byte {at}"); // padding and names of nothing
        }
    }
}

#[test]
fn what_a_layer_unpacks_to_is_not_kept() {
    // Half a gibibyte of zeros in half a mebibyte: read and passed over.
    let folder = TempDir::new().unwrap();
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    let size = 64 << 20;
    let mut header = Header::new_gnu();
    header.set_size(size);
    header.set_path("zeros").unwrap();
    header.set_cksum();
    let mut sum = Sha256::new();
    let mut put_both = |bytes: &[u8]| {
        encoder.write_all(bytes).unwrap();
        sum.update(bytes);
    };
    put_both(header.as_bytes());
    let zeros = vec![0; 1 << 20];
    (0..size >> 20).for_each(|_| put_both(&zeros));
    put_both(&[0; 1024]);
    let id: String = sum.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    let mut files = Files::new();
    let config = blob(&mut files, format!(r#"{{"rootfs": {{"diff_ids": ["sha256:{id}"]}}}}"#).as_bytes());
    let layer = blob(&mut files, &encoder.finish().unwrap());
    let manifest = format!(r#"{{"config": {{"digest": "{config}"}}, "layers": [{{"digest": "{layer}"}}]}}"#);
    let manifest = blob(&mut files, manifest.as_bytes());
    files.push(("index.json".to_owned(), format!(r#"{{"manifests": [{{"digest": "{manifest}"}}]}}"#).into_bytes()));
    put(folder.path(), &files);
    let inventory = read(folder.path()).unwrap();
    assert_eq!((inventory.inputs.len(), inventory.inputs[0].status), (1, Status::Unsupported));
    let mut text = String::new();
    fs::File::open(folder.path().join("index.json")).unwrap().read_to_string(&mut text).unwrap();
    assert!(text.contains(&manifest));
}

#[test]
fn a_hard_link_is_the_file_of_its_layer_that_it_names_or_nothing() {
    let store = format!("store/{}", "f".repeat(140));
    let content = manifest_of("a");
    let (link, other) = ("app/node_modules/a/package.json", "app/node_modules/b/package.json");
    let linked = layer(&[(&store, Is::File(&content)), (link, Is::Hardlink(&store))]);
    assert_eq!(rows(&of_layers(&[linked]).inputs), ["npm a 1.0.0"]);
    // The same where the target's name comes in a pax header.
    let mut builder = Builder::new(Vec::new());
    let mut header = Header::new_ustar();
    header.set_size(content.len() as u64);
    builder.append_data(&mut header, "store/f", content.as_slice()).unwrap();
    builder.append_pax_extensions([("linkpath", b"store/f".as_slice())]).unwrap();
    let mut header = Header::new_ustar();
    header.set_entry_type(EntryType::Link);
    header.set_size(0);
    builder.append_link(&mut header, link, "short").unwrap();
    assert_eq!(rows(&of_layers(&[builder.into_inner().unwrap()]).inputs), ["npm a 1.0.0"]);
    // What leads to a layer below, out of the image or nowhere is said, not followed.
    for target in ["nowhere", "../../etc/passwd", other] {
        let below = layer(&[(other, Is::File(&manifest_of("b")))]);
        let inventory = of_layers(&[below, layer(&[(link, Is::Hardlink(target))])]);
        assert_eq!(rows(&inventory.inputs), ["npm b 1.0.0"], "{target}");
        let said = inventory.inputs.iter().find(|input| input.path == link);
        assert_eq!(said.map(|input| input.status), Some(Status::Failed), "{target}");
    }
}
