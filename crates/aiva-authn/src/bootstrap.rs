//! The bootstrap token: what guards an installation until it has accounts.
//!
//! 256 random bits as `aiva_` and base64url, with a checksum so that a mistyped token is told from a revoked one without
//! asking the file. It lies in the data directory, 0600, written atomically. A server reads the file again whenever it has
//! changed, so that after a rotation the old token holds for no request more.

use std::{
    fmt, fs, io,
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use aiva_chassis::secret::Secret;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use sha2::{Digest, Sha256};

const PREFIX: &str = "aiva_";
const RANDOM: usize = 32;
const CHECKSUM: usize = 3;

/// The token itself. [`Token::expose`] is the only way to see it.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(Secret);

impl Token {
    fn new() -> Result<Self, TokenError> {
        let mut bytes = [0; RANDOM + CHECKSUM];
        getrandom::fill(&mut bytes[..RANDOM]).map_err(|_| TokenError::NoRandomness)?;
        let sum = checksum(&bytes[..RANDOM]);
        bytes[RANDOM..].copy_from_slice(&sum);
        Ok(Self(Secret::new(format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(bytes)))))
    }

    /// Reads a token; `None` for text that is none, a typing mistake included.
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(text.strip_prefix(PREFIX)?).ok()?;
        let (random, sum) = bytes.split_at_checked(RANDOM)?;
        (sum == checksum(random)).then(|| Self(Secret::new(text)))
    }

    /// The text to print or to send.
    pub fn expose(&self) -> &str {
        self.0.expose()
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(redacted)")
    }
}

fn checksum(random: &[u8]) -> [u8; CHECKSUM] {
    let digest = Sha256::digest(random);
    let mut sum = [0; CHECKSUM];
    sum.copy_from_slice(&digest[..CHECKSUM]);
    sum
}

/// Why the token cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// There is no token yet: no server has run with this data directory.
    #[error("{0} is not there; start the server once, or rotate the token to create it")]
    Missing(PathBuf),
    /// Others than the owner may read or write the file, so it cannot be trusted.
    #[error("{path} has mode {mode:o}; make it private with chmod 600, then rotate the token")]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The file holds something else.
    #[error("{0} holds no token; rotate it")]
    Damaged(PathBuf),
    /// The file cannot be read or written.
    #[error("cannot use {path}")]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The system has no random bytes to give.
    #[error("the operating system gives no random bytes")]
    NoRandomness,
}

/// The file in the data directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenFile {
    path: PathBuf,
}

impl TokenFile {
    /// The token's place in this data directory; touches nothing.
    pub fn within(data_dir: &Path) -> Self {
        Self { path: data_dir.join("bootstrap-token") }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The token, created if there is none. Two processes that create it at once get the same one.
    pub fn ensure(&self) -> Result<Token, TokenError> {
        match self.show() {
            Err(TokenError::Missing(_)) => {}
            found => return found,
        }
        let token = Token::new()?;
        let draft = self.draft(&token)?;
        let linked = fs::hard_link(&draft, &self.path); // unlike a rename, it does not replace
        let _left_behind = fs::remove_file(&draft);
        match linked {
            Ok(()) => self.sync_directory().map(|()| token),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => self.show(),
            Err(error) => Err(self.io(error)),
        }
    }

    /// The token that holds now.
    pub fn show(&self) -> Result<Token, TokenError> {
        let metadata = self.metadata()?;
        self.read(&metadata)
    }

    /// Replaces the token; the old one holds no longer when this returns.
    pub fn rotate(&self) -> Result<Token, TokenError> {
        let token = Token::new()?;
        let draft = self.draft(&token)?;
        fs::rename(&draft, &self.path).map_err(|error| self.io(error))?;
        self.sync_directory()?;
        Ok(token)
    }

    fn metadata(&self) -> Result<fs::Metadata, TokenError> {
        fs::symlink_metadata(&self.path).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => TokenError::Missing(self.path.clone()),
            _ => self.io(error),
        })
    }

    fn read(&self, metadata: &fs::Metadata) -> Result<Token, TokenError> {
        if !metadata.is_file() || metadata.len() > 256 {
            return Err(TokenError::Damaged(self.path.clone()));
        }
        let mode = metadata.mode() & 0o777;
        if mode & 0o077 != 0 {
            return Err(TokenError::Exposed { path: self.path.clone(), mode });
        }
        let text = fs::read_to_string(&self.path).map_err(|error| self.io(error))?;
        Token::parse(text.trim_end()).ok_or_else(|| TokenError::Damaged(self.path.clone()))
    }

    /// The token in a file beside the real one, on the disk.
    fn draft(&self, token: &Token) -> Result<PathBuf, TokenError> {
        use io::Write as _;
        let mut unique = [0; 8];
        getrandom::fill(&mut unique).map_err(|_| TokenError::NoRandomness)?;
        let draft = self.path.with_extension(format!("new-{}", URL_SAFE_NO_PAD.encode(unique)));
        let write = || {
            let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft)?;
            writeln!(file, "{}", token.expose())?;
            file.sync_all()
        };
        write().map_err(|error| self.io(error))?;
        Ok(draft)
    }

    fn sync_directory(&self) -> Result<(), TokenError> {
        let directory = self.path.parent().unwrap_or(Path::new("."));
        fs::File::open(directory).and_then(|directory| directory.sync_all()).map_err(|error| self.io(error))
    }

    fn io(&self, source: io::Error) -> TokenError {
        TokenError::Io { path: self.path.clone(), source }
    }
}

/// The token as a running server knows it: always the one in the file.
#[derive(Debug)]
pub struct LiveToken {
    file: TokenFile,
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    stamp: Option<Stamp>,
    token: Option<Token>,
    generation: u64,
}

/// What changes when the file does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    device: u64,
    inode: u64,
    mode: u32,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Stamp {
    fn of(metadata: &fs::Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            mode: metadata.mode(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }
}

impl LiveToken {
    /// Follows this file.
    pub fn follow(file: TokenFile) -> Self {
        Self { file, known: Mutex::default() }
    }

    /// Whether `presented` is the token. A missing file means that no token holds.
    pub fn is(&self, presented: &str) -> Result<bool, TokenError> {
        let Some(presented) = Token::parse(presented) else { return Ok(false) };
        self.with_current(|known| known.token.as_ref() == Some(&presented)) // constant time, see Secret
    }

    /// A number that is another one after every rotation; what was granted under an old one holds no longer.
    pub fn generation(&self) -> Result<u64, TokenError> {
        self.with_current(|known| known.generation)
    }

    /// One `stat` each time, one read after each change.
    fn with_current<T>(&self, ask: impl FnOnce(&Known) -> T) -> Result<T, TokenError> {
        let metadata = match self.file.metadata() {
            Ok(metadata) => Some(metadata),
            Err(TokenError::Missing(_)) => None,
            Err(error) => return Err(error),
        };
        let stamp = metadata.as_ref().map(Stamp::of);
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.stamp != stamp {
            let token = metadata.map(|metadata| self.file.read(&metadata)).transpose()?;
            known.generation += u64::from(known.token != token);
            *known = Known { stamp, token, generation: known.generation };
        }
        Ok(ask(&known))
    }
}
