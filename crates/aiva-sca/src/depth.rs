//! Whether a project asks for a package itself, in a word, as a bill of materials carries it where its graph does not tell.

/// The name of the property, and what a comment begins with.
pub(crate) const PROPERTY: &str = "aiva:depth";

/// How a package comes in. Where several files name it, the least counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Depth {
    /// The project asks for it.
    Direct,
    /// Nobody says.
    Unknown,
    /// Only other packages ask for it.
    Transitive,
}

impl Depth {
    const ALL: [Self; 3] = [Self::Direct, Self::Unknown, Self::Transitive];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::Unknown => "unknown",
            Self::Transitive => "transitive",
        }
    }

    pub(crate) fn read(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|depth| depth.name() == name)
    }

    /// What a package's comment says of it: `aiva:depth=transitive`, before a `;` if more follows.
    pub(crate) fn of_comment(comment: &str) -> Option<Self> {
        let word = comment.strip_prefix(PROPERTY)?.strip_prefix('=')?;
        Self::read(word.split(';').next().unwrap_or_default().trim())
    }

    /// The comment that says it.
    pub(crate) fn comment(self) -> String {
        format!("{PROPERTY}={}", self.name())
    }

    /// As [`crate::package::Package::direct`] has it.
    pub(crate) fn direct(self) -> Option<bool> {
        match self {
            Self::Direct => Some(true),
            Self::Unknown => None,
            Self::Transitive => Some(false),
        }
    }
}

impl From<Option<bool>> for Depth {
    fn from(direct: Option<bool>) -> Self {
        match direct {
            Some(true) => Self::Direct,
            Some(false) => Self::Transitive,
            None => Self::Unknown,
        }
    }
}
