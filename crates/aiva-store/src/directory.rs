//! The data directory: private to its owner, one server at a time.
//!
//! Promises: the directory is 0700 and secrets in it are 0600, also where they were not before; the lock belongs to the
//! kernel, so a killed server leaves none behind.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// Name of the lock file in the data directory.
pub const LOCK_FILE: &str = "server.lock";

/// Why the data directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DirectoryError {
    /// Another server runs on it. Stop that one, or choose another directory.
    #[error("another server (process {}) uses {}", pid.map_or_else(|| "unknown".to_owned(), |pid| pid.to_string()), path.display())]
    Held {
        /// Its process id, if it has written one.
        pid: Option<u32>,
        /// The data directory.
        path: PathBuf,
    },
    /// The operating system refused.
    #[error("cannot use {}", path.display())]
    Io {
        /// The directory or file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// A directory that only its owner can enter.
#[derive(Debug, Clone)]
pub struct DataDirectory {
    path: PathBuf,
}

impl DataDirectory {
    /// Opens or creates it and closes it to everybody else.
    ///
    /// # Errors
    /// [`DirectoryError::Io`] where it cannot be made or is not ours.
    pub fn open(path: impl Into<PathBuf>) -> Result<Self, DirectoryError> {
        let path = path.into();
        let made = DirBuilder::new().recursive(true).mode(0o700).create(&path);
        made.map_err(at(&path))?;
        let mode = fs::metadata(&path).map_err(at(&path))?.permissions().mode();
        if mode & 0o077 != 0 {
            fs::set_permissions(&path, Permissions::from_mode(0o700)).map_err(at(&path))?;
        }
        Ok(Self { path })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Takes the directory for this server until the lock is dropped or the process ends, however it ends.
    ///
    /// # Errors
    /// [`DirectoryError::Held`] if another process has it.
    pub fn lock(&self) -> Result<ServerLock, DirectoryError> {
        let path = self.path.join(LOCK_FILE);
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false).mode(0o600);
        let mut file = options.open(&path).map_err(at(&path))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(DirectoryError::Held { pid: read_pid(&mut file), path: self.path.clone() });
            }
            Err(TryLockError::Error(source)) => return Err(DirectoryError::Io { path, source }),
        }
        write_pid(&mut file).map_err(at(&path))?;
        Ok(ServerLock { _file: file })
    }

    /// Replaces a secret file as a whole: after a crash it holds the old text or the new one.
    ///
    /// # Errors
    /// [`DirectoryError::Io`] where it cannot be written.
    pub fn write_secret(&self, name: &str, secret: &[u8]) -> Result<(), DirectoryError> {
        let path = self.path.join(name);
        let beside = self.path.join(format!(".{name}.{}", std::process::id()));
        let write = || {
            let mut options = OpenOptions::new();
            let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(&beside)?;
            file.set_permissions(Permissions::from_mode(0o600))?; // it may have been there
            file.write_all(secret)?;
            file.sync_all()?;
            fs::rename(&beside, &path)?;
            File::open(&self.path)?.sync_all()
        };
        write().map_err(at(&path))
    }

    /// The secret of that name, this one if there was none. Processes that ask at once all get the same.
    ///
    /// # Errors
    /// [`DirectoryError::Io`] where it can neither be read nor written.
    pub fn ensure_secret(&self, name: &str, fresh: &[u8]) -> Result<Vec<u8>, DirectoryError> {
        if let Some(kept) = self.read_secret(name)? {
            return Ok(kept);
        }
        let (path, draft) = (self.path.join(name), format!("{name}.{}", std::process::id()));
        self.write_secret(&draft, fresh)?;
        let beside = self.path.join(&draft);
        let linked = fs::hard_link(&beside, &path); // unlike a rename, it does not replace
        let _left_behind = fs::remove_file(&beside);
        match linked {
            Ok(()) => File::open(&self.path).and_then(|folder| folder.sync_all()).map_err(at(&self.path))?,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(source) => return Err(DirectoryError::Io { path, source }),
        }
        Ok(self.read_secret(name)?.unwrap_or_else(|| fresh.to_vec()))
    }

    /// Reads a secret file; `None` if there is none. One that others can read is closed to them first.
    ///
    /// # Errors
    /// [`DirectoryError::Io`] where it cannot be read.
    pub fn read_secret(&self, name: &str) -> Result<Option<Vec<u8>>, DirectoryError> {
        let path = self.path.join(name);
        let mut file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(DirectoryError::Io { path, source }),
        };
        let mut read = || {
            if file.metadata()?.permissions().mode() & 0o077 != 0 {
                file.set_permissions(Permissions::from_mode(0o600))?;
            }
            let mut secret = Vec::new();
            file.read_to_end(&mut secret)?;
            Ok(secret)
        };
        read().map(Some).map_err(at(&path))
    }
}

/// Proof that this process is the directory's only server.
#[derive(Debug)]
pub struct ServerLock {
    _file: File,
}

/// The server that holds the directory now, for messages: its process id if it says one.
pub fn holder(path: &Path) -> Option<u32> {
    let mut file = File::open(path.join(LOCK_FILE)).ok()?;
    match file.try_lock_shared() {
        Err(TryLockError::WouldBlock) => read_pid(&mut file),
        _ => None,
    }
}

fn read_pid(file: &mut File) -> Option<u32> {
    let mut text = String::new();
    file.take(20).read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}

fn write_pid(file: &mut File) -> io::Result<()> {
    file.rewind()?;
    file.set_len(0)?;
    writeln!(file, "{}", std::process::id())
}

fn at(path: &Path) -> impl FnOnce(io::Error) -> DirectoryError + '_ {
    |source| DirectoryError::Io { path: path.to_owned(), source }
}
