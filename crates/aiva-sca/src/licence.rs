//! Under which licence each package may be used, whether the policy allows that, and what it asks in return.
//!
//! It promises: nothing is guessed. A licence is *stated* (by the lockfile, or by the package's own manifest in a local cache,
//! and only if that manifest is of the very version) or *recognised* from its text, with a confidence; a text that can mean
//! several licences (`BSD`) is *unclear*, and what nobody says is *unknown*. Nothing is asked of the network.
//!
//! Start reading at [`survey::survey`]; the policy is [`policy::Policy`].

pub mod expression;
pub mod locate;
mod maven;
mod names;
pub mod obligation;
pub mod policy;
pub mod recognise;
pub mod report;
mod rider;
pub mod survey;

use std::fmt;

use expression::Expression;

/// What is known of one package's licence.
#[derive(Debug, Clone, PartialEq)]
pub enum Licence {
    /// These terms.
    Known {
        /// The terms.
        expression: Expression,
        /// How we know.
        evidence: Evidence,
    },
    /// Words that can mean any of these licences.
    Unclear {
        /// The words.
        stated: String,
        /// SPDX identifiers.
        candidates: &'static [&'static str],
        /// The file that says so.
        from: String,
    },
    /// Nobody says, or nobody understands.
    Unknown(Unknown),
}

/// How a licence is known.
#[derive(Debug, Clone, PartialEq)]
pub struct Evidence {
    /// The file that says so; relative to the scan's root where it is below that.
    pub from: String,
    /// In which way it says so.
    pub how: How,
}

/// In which way a file says what the licence is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum How {
    /// In a field for it.
    Stated,
    /// By the licence's own text, with this likeness from 0 to 1.
    Recognised(f32),
}

/// Why a licence is not known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unknown {
    /// The lockfile does not say, and the package is in no local cache.
    NotInstalled {
        /// The caches that were looked at; empty where its package manager keeps none that we read.
        looked: &'static str,
    },
    /// The package is there and says nothing.
    NotStated,
    /// Words that are no SPDX expression and in no table.
    NotUnderstood {
        /// The words.
        stated: String,
        /// The file that says so.
        from: String,
    },
    /// A licence file whose text is on no list.
    NotRecognised {
        /// The file.
        from: String,
        /// The nearest licence and its likeness, for a person to look at.
        nearest: Option<(&'static str, u8)>,
    },
    /// A licence file that says more than its licence, which changes the terms.
    Changed {
        /// The file.
        from: String,
        /// What it would be without.
        base: Expression,
        /// How that begins.
        rider: String,
    },
    /// A licence file whose text is on no list, beside others that are known.
    Unread {
        /// The file.
        from: String,
        /// What it would be without.
        base: Expression,
    },
}

impl Licence {
    /// The terms, where they are known.
    pub fn expression(&self) -> Option<&Expression> {
        match self {
            Self::Known { expression, .. } => Some(expression),
            Self::Unclear { .. } | Self::Unknown(_) => None,
        }
    }

    /// The file that says so.
    pub fn from(&self) -> &str {
        match self {
            Self::Known { evidence, .. } => &evidence.from,
            Self::Unclear { from, .. } => from,
            Self::Unknown(
                Unknown::NotUnderstood { from, .. }
                | Unknown::NotRecognised { from, .. }
                | Unknown::Changed { from, .. }
                | Unknown::Unread { from, .. },
            ) => from,
            Self::Unknown(Unknown::NotInstalled { .. } | Unknown::NotStated) => "",
        }
    }
}

impl fmt::Display for Licence {
    /// The terms, or why there are none; for a person.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Known { expression, .. } => expression.fmt(f),
            Self::Unclear { stated, candidates, .. } => {
                write!(f, "unclear: {stated:?} is one of {}", candidates.join(", "))
            }
            Self::Unknown(why) => write!(f, "unknown: {why}"),
        }
    }
}

impl fmt::Display for Unknown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotInstalled { looked: "" } => {
                f.write_str("the lockfile does not say, and no local cache of its package manager is read")
            }
            Self::NotInstalled { looked } => {
                write!(f, "the lockfile does not say, and the package is in no local cache: not in {looked}")
            }
            Self::NotStated => f.write_str("the package does not say"),
            Self::NotUnderstood { stated, .. } => write!(f, "{stated:?} is no licence on the SPDX list"),
            Self::Changed { base, rider, .. } => write!(f, "{base} with terms of its own: {rider:?}"),
            Self::Unread { base, from } => {
                write!(f, "{base} and what {from} says, a text that is no licence on the SPDX list")
            }
            Self::NotRecognised { nearest: None, .. } => f.write_str("the text is no licence on the SPDX list"),
            Self::NotRecognised { nearest: Some((name, percent)), .. } => {
                write!(f, "the text is no licence on the SPDX list; {percent} % like {name}")
            }
        }
    }
}
