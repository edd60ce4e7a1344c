//! The data directory is private and has one server.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use aiva_store::directory::{DataDirectory, DirectoryError, LOCK_FILE, holder};

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn the_directory_and_its_secrets_are_closed_to_others() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a/b");
    let directory = DataDirectory::open(&path).unwrap();
    assert_eq!(mode(&path), 0o700);
    directory.write_secret("token", b"one").unwrap();
    assert_eq!(mode(&path.join("token")), 0o600);
    directory.write_secret("token", b"two").unwrap();
    assert_eq!(directory.read_secret("token").unwrap().unwrap(), b"two");
    assert_eq!(directory.read_secret("none").unwrap(), None);

    fs::set_permissions(&path, Permissions::from_mode(0o755)).unwrap(); // as an earlier tool may have left them
    fs::set_permissions(path.join("token"), Permissions::from_mode(0o644)).unwrap();
    DataDirectory::open(&path).unwrap().read_secret("token").unwrap();
    assert_eq!((mode(&path), mode(&path.join("token"))), (0o700, 0o600));
    assert_eq!(fs::read_dir(&path).unwrap().count(), 1); // nothing is left beside it
}

#[test]
fn one_server_at_a_time_and_a_dead_one_holds_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let directory = DataDirectory::open(folder.path()).unwrap();
    fs::write(folder.path().join(LOCK_FILE), "999999\n").unwrap(); // left by a server that was killed
    assert_eq!(holder(folder.path()), None);
    let lock = directory.lock().unwrap();
    match directory.lock() {
        Err(DirectoryError::Held { pid, .. }) => assert_eq!(pid, Some(std::process::id())),
        other => panic!("{other:?}"),
    }
    assert_eq!(holder(folder.path()), Some(std::process::id()));
    drop(lock);
    directory.lock().unwrap();
}
