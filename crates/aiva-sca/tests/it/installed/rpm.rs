//! The databases of rpm, in all their forms.

use super::*;

/// A header of RPM's: texts by tag, and numbers.
pub(crate) fn header(texts: &[(u32, u32, &[&str])], numbers: &[(u32, &[u32])]) -> Vec<u8> {
    let (mut index, mut store) = (Vec::new(), Vec::new());
    let mut entry = |tag: u32, kind: u32, count: usize, data: &[u8]| {
        for field in [tag, kind, store.len() as u32, count as u32] {
            index.extend_from_slice(&field.to_be_bytes());
        }
        store.extend_from_slice(data);
    };
    for (tag, numbers) in numbers {
        let data: Vec<u8> = numbers.iter().flat_map(|number| number.to_be_bytes()).collect();
        entry(*tag, 4, numbers.len(), &data);
    }
    for (tag, kind, texts) in texts {
        let data: Vec<u8> = texts.iter().flat_map(|text| text.bytes().chain([0])).collect();
        entry(*tag, *kind, texts.len(), &data);
    }
    let mut blob = ((index.len() / 16) as u32).to_be_bytes().to_vec();
    blob.extend_from_slice(&(store.len() as u32).to_be_bytes());
    blob.extend(index);
    blob.extend(store);
    blob
}

/// A database as rpm writes it, with enough packages for several pages and headers larger than one.
pub(crate) fn rpmdb() -> Vec<u8> {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("rpmdb.sqlite");
    let database = rusqlite::Connection::open(&file).unwrap();
    database
        .execute_batch(
            "CREATE TABLE IF NOT EXISTS 'Name' (key TEXT, hnum INTEGER);
             CREATE TABLE 'Packages' (hnum INTEGER PRIMARY KEY AUTOINCREMENT, blob BLOB NOT NULL);",
        )
        .unwrap();
    let put = |name: &str, epoch: &[u32], source: &str, padding: usize| {
        let long = "x".repeat(padding);
        let own = format!("{name}.dist-info");
        let blob = header(
            &[
                (1000, 6, &[name]),
                (1001, 6, &["3.0.7"]),
                (1002, 6, &["24.el9"]),
                (1005, 9, &[&long]),
                (1014, 6, &["ASL 2.0"]),
                (1044, 6, &[source]),
                (1117, 8, &["METADATA"]),
                (1118, 8, &[&format!("/usr/lib/python3.9/site-packages/{own}/")]),
            ],
            &[(1003, epoch), (1116, &[0])],
        );
        database.execute("INSERT INTO Packages (blob) VALUES (?1)", [blob]).unwrap();
    };
    put("openssl-libs", &[1], "openssl-3.0.7-24.el9.src.rpm", 20_000);
    put("gpg-pubkey", &[], "(none)", 10);
    for number in 0..300 {
        put(&format!("package{number:03}"), &[], &format!("package{number:03}-3.0.7-24.el9.src.rpm"), 40);
    }
    drop(database);
    fs::read(file).unwrap()
}

#[test]
fn packages_of_rpm_and_apk_are_those_of_their_release() {
    let root = TempDir::new().unwrap();
    put(root.path(), "etc/os-release", b"ID=rocky\nVERSION_ID=9.3\n");
    put(root.path(), "usr/lib/sysimage/rpm/rpmdb.sqlite", &rpmdb());
    put(root.path(), "usr/lib/python3.9/site-packages/openssl-libs.dist-info/METADATA", METADATA.as_bytes());
    let inventory = taken(root.path());
    let rows = rows(&inventory.inputs);
    assert_eq!(rows.len(), 301); // without the key, and without what rpm itself installed for Python
    assert_eq!(rows[0], "Rocky Linux:9 openssl-libs 1:3.0.7-24.el9 from openssl 1:3.0.7-24.el9");
    assert_eq!(rows[300], "Rocky Linux:9 package299 3.0.7-24.el9");
    assert_eq!(*inventory.inputs[0].packages[0].licenses, ["ASL 2.0"]);

    let root = TempDir::new().unwrap();
    put(root.path(), "etc/os-release", b"ID=alpine\nVERSION_ID=3.19.1\n");
    put(root.path(), "lib/apk/db/installed", APK.as_bytes());
    put(root.path(), "usr/lib/python3.11/site-packages/own-1.0.dist-info/METADATA", METADATA.as_bytes());
    let want = ["Alpine:v3.19 libssl3 3.1.4-r1 from openssl 3.1.4-r1", "Alpine:v3.19 musl 1.2.4-r2"];
    assert_eq!(self::rows(&taken(root.path()).inputs), want);
}

#[test]
fn a_damaged_database_of_rpm_never_panics_and_never_hides_it() {
    let whole = rpmdb();
    let read =
        |bytes: &[u8]| read_installed("var/lib/rpm/rpmdb.sqlite", What::Rpm, bytes).unwrap().readings.remove(0).1;
    assert_eq!((read(&whole).status, read(&whole).packages.len()), (Status::Parsed, 301));
    for cut in (0..whole.len()).step_by(4999) {
        assert_ne!(read(&whole[..cut]).status, Status::Parsed, "cut at {cut}");
    }
    // Whatever one byte says, no reader panics, and it does not find more than there was.
    for at in (0..whole.len()).step_by(997) {
        let mut bytes = whole.clone();
        bytes[at] ^= 0x55;
        assert!(read(&bytes).packages.len() <= 301, "byte {at}");
    }
}

/// A header with a text of this length that nobody asks for.
fn padded(name: &str, padding: usize) -> Vec<u8> {
    let long = "x".repeat(padding);
    let texts: [(u32, u32, &[&str]); 4] =
        [(1000, 6, &[name]), (1001, 6, &["1.0"]), (1002, 6, &["1"]), (1005, 9, &[&long])];
    header(&texts, &[])
}

/// As SUSE's rpm writes it.
fn ndb() -> Vec<u8> {
    let mut file = vec![0; 4096];
    file[..4].copy_from_slice(b"RpmP");
    file[12..16].copy_from_slice(&1_u32.to_le_bytes());
    let blobs = [padded("a", 100), padded("b", 9000)];
    for slot in 2..256_usize {
        file[slot * 16..slot * 16 + 4].copy_from_slice(b"Slot");
    }
    for (blob, index) in blobs.iter().zip(1_u32..) {
        let place = (file.len() / 16) as u32;
        let slot = (index as usize + 3) * 16; // a free one between them and the start
        file[slot + 4..slot + 8].copy_from_slice(&index.to_le_bytes());
        file[slot + 8..slot + 12].copy_from_slice(&place.to_le_bytes());
        file.extend_from_slice(b"BlbS");
        for field in [index, 0, blob.len() as u32] {
            file.extend_from_slice(&field.to_le_bytes());
        }
        file.extend_from_slice(blob);
        file.resize(file.len().next_multiple_of(16), 0);
    }
    file
}

/// A hash of Berkeley DB with pages of 512 bytes: a counter and a small header in place, a large one in a chain.
fn bdb(long: fn(u32) -> [u8; 4], short: fn(u16) -> [u8; 2]) -> Vec<u8> {
    const PAGE: usize = 512;
    let (small, large) = (padded("a", 10), padded("b", 1200));
    let mut meta = vec![0; PAGE];
    meta[12..16].copy_from_slice(&long(0x0006_1561));
    meta[20..24].copy_from_slice(&long(PAGE as u32));
    let mut page = vec![0; PAGE];
    let mut end = PAGE;
    let elsewhere = [&[3, 0, 0, 0][..], &long(2), &long(large.len() as u32)].concat();
    let key = |number: u8| vec![1, number, 0, 0, 0];
    let items = [key(0), vec![1, 9, 0, 0, 0], key(1), [&[1], small.as_slice()].concat(), key(2), elsewhere];
    for (at, item) in items.iter().enumerate() {
        end -= item.len();
        page[end..end + item.len()].copy_from_slice(item);
        page[26 + at * 2..28 + at * 2].copy_from_slice(&short(end as u16));
    }
    page[20..22].copy_from_slice(&short(items.len() as u16));
    page[25] = 13;
    let mut pages = vec![meta, page];
    let chunks: Vec<&[u8]> = large.chunks(PAGE - 26).collect();
    for (at, chunk) in chunks.iter().enumerate() {
        let mut overflow = vec![0; PAGE];
        let next = if at + 1 == chunks.len() { 0 } else { at as u32 + 3 };
        overflow[16..20].copy_from_slice(&long(next));
        overflow[22..24].copy_from_slice(&short(chunk.len() as u16));
        overflow[25] = 7;
        overflow[26..26 + chunk.len()].copy_from_slice(chunk);
        pages.push(overflow);
    }
    let last = long(pages.len() as u32 - 1);
    pages[0][32..36].copy_from_slice(&last);
    pages.concat()
}

#[test]
fn older_forms_of_rpms_database_are_read_and_never_panic() {
    let little = bdb(u32::to_le_bytes, u16::to_le_bytes);
    let big = bdb(u32::to_be_bytes, u16::to_be_bytes);
    for (path, whole) in
        [("var/lib/rpm/Packages", little), ("var/lib/rpm/Packages", big), ("usr/lib/sysimage/rpm/Packages.db", ndb())]
    {
        let read = |bytes: &[u8]| read_installed(path, what(path).unwrap(), bytes).unwrap().readings.remove(0).1;
        let names = |bytes: &[u8]| read(bytes).packages.iter().map(|one| one.name.clone()).collect::<Vec<_>>();
        assert_eq!((names(&whole), read(&whole).status), (vec!["a".into(), "b".into()], Status::Parsed));
        let content = whole.iter().rposition(|byte| *byte != 0).unwrap();
        for cut in (0..=content).step_by(3) {
            assert_ne!(read(&whole[..cut]).status, Status::Parsed, "{path} cut at {cut}");
        }
        for at in 0..whole.len() {
            let mut bytes = whole.clone();
            bytes[at] ^= 0x55;
            assert!(read(&bytes).packages.len() <= 3, "{path} byte {at}");
        }
    }
}

/// Written by Berkeley DB's own `db_load`, not by this test: a counter, three packages, one of them in overflow pages.
#[test]
fn a_database_of_the_real_berkeley_db_is_read() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus/rpm_database");
    for name in ["berkeley", "berkeley_big"] {
        let piece = read_installed("var/lib/rpm/Packages", What::Rpm, &fs::read(corpus.join(name)).unwrap()).unwrap();
        let reading = &piece.readings[0].1;
        let packages: Vec<String> =
            reading.packages.iter().map(|one| format!("{} {}", one.name, one.version)).collect();
        assert_eq!(
            (packages, reading.status),
            (["a 1-2", "b 2:1-2", "c 1-2"].map(str::to_owned).to_vec(), Status::Parsed)
        );
    }
}
