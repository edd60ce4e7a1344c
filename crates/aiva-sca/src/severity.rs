//! How bad a finding is: a level, and where the advisory gives a CVSS vector, its score.
//!
//! Scores are computed from the vector, never taken from a number that somebody wrote beside it. Of CVSS 2 and 3 it is the base score:
//! temporal and environmental metrics (`E`, `RL`, `RC`, `MAV`, ...) do not change it. CVSS 4 has one score of all its metrics.
//!
//! Start at [`Severity::highest`].

mod cvss2;
mod cvss3;
mod cvss4;

use std::fmt;
use std::str::FromStr;

/// Levels in rising order of urgency. `Unknown` stands above `Informational`: nobody has said that it is harmless.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Level {
    /// No harm by itself: unmaintained, a notice, a CVSS score of zero.
    Informational,
    /// The advisory does not say.
    Unknown,
    /// CVSS 0.1 to 3.9.
    Low,
    /// CVSS 4.0 to 6.9; GHSA calls it moderate.
    Medium,
    /// CVSS 7.0 to 8.9.
    High,
    /// CVSS 9.0 to 10.0, and everything malicious.
    Critical,
}

impl Level {
    /// The word used in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Informational => "informational",
            Self::Unknown => "unknown",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }

    /// The level of a word as advisories write it (GHSA, Ubuntu and vendors), in any case.
    pub fn of_word(word: &str) -> Option<Self> {
        match word.trim().to_ascii_lowercase().as_str() {
            "critical" => Some(Self::Critical),
            "high" | "important" => Some(Self::High),
            "medium" | "moderate" => Some(Self::Medium),
            "low" | "negligible" => Some(Self::Low),
            "informational" | "none" => Some(Self::Informational),
            _ => None,
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A CVSS score in tenths, 0 to 100, so that it compares and prints exactly.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Score(u8);

impl Score {
    fn of_tenths(tenths: f64) -> Self {
        Self(tenths.clamp(0.0, 100.0) as u8)
    }

    /// The score as it is usually written, 0.0 to 10.0.
    pub fn as_f64(self) -> f64 {
        f64::from(self.0) / 10.0
    }

    /// The qualitative rating that CVSS 3 and 4 give the score, applied to CVSS 2 as well.
    pub const fn level(self) -> Level {
        match self.0 {
            0 => Level::Informational,
            1..=39 => Level::Low,
            40..=69 => Level::Medium,
            70..=89 => Level::High,
            _ => Level::Critical,
        }
    }
}

impl fmt::Display for Score {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.0 / 10, self.0 % 10)
    }
}

/// Which edition of CVSS a vector is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Edition {
    /// CVSS 2.0, no prefix.
    V2,
    /// `CVSS:3.0/`
    V30,
    /// `CVSS:3.1/`
    V31,
    /// `CVSS:4.0/`
    V40,
}

/// A CVSS vector that was understood, with its score: the base score for 2 and 3; for 4 the score of all metrics present.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cvss {
    /// The edition that the vector names.
    pub edition: Edition,
    /// The score.
    pub score: Score,
}

/// A text that is no CVSS vector of a known edition, or lacks a mandatory metric, or repeats one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a complete CVSS 2.0, 3.0, 3.1 or 4.0 vector")]
pub struct NotCvss(pub String);

impl FromStr for Cvss {
    type Err = NotCvss;

    fn from_str(vector: &str) -> Result<Self, NotCvss> {
        let scored = if let Some(metrics) = vector.strip_prefix("CVSS:4.0/") {
            Metrics::parse(metrics).and_then(|m| cvss4::score(&m)).map(|score| (Edition::V40, score))
        } else if let Some(metrics) = vector.strip_prefix("CVSS:3.1/") {
            Metrics::parse(metrics).and_then(|m| cvss3::score_31(&m)).map(|score| (Edition::V31, score))
        } else if let Some(metrics) = vector.strip_prefix("CVSS:3.0/") {
            Metrics::parse(metrics).and_then(|m| cvss3::score_30(&m)).map(|score| (Edition::V30, score))
        } else {
            let bare = vector.strip_prefix('(').and_then(|v| v.strip_suffix(')')).unwrap_or(vector);
            Metrics::parse(bare).and_then(|m| cvss2::score(&m)).map(|score| (Edition::V2, score))
        };
        scored.map(|(edition, score)| Self { edition, score }).ok_or_else(|| NotCvss(vector.to_owned()))
    }
}

/// A level with the vector that it was computed from, if there was one.
#[derive(Debug, Clone, PartialEq)]
pub struct Severity {
    /// How urgent.
    pub level: Level,
    /// The CVSS score, 0.0 to 10.0, where a vector was given.
    pub score: Option<f64>,
    /// That vector.
    pub vector: Option<String>,
}

impl Severity {
    /// A level without a score.
    pub const fn of_level(level: Level) -> Self {
        Self { level, score: None, vector: None }
    }

    /// The highest-scoring of the vectors, the newer edition where scores tie; texts that are no CVSS vector are passed over.
    /// Without any vector the level is that of `word`, else unknown.
    pub fn highest<'a>(vectors: impl IntoIterator<Item = &'a str>, word: Option<&str>) -> Self {
        let scored = vectors.into_iter().filter_map(|text| text.parse::<Cvss>().ok().map(|cvss| (cvss, text)));
        match scored.max_by_key(|(cvss, _)| (cvss.score, cvss.edition)) {
            Some((cvss, text)) => {
                Self { level: cvss.score.level(), score: Some(cvss.score.as_f64()), vector: Some(text.to_owned()) }
            }
            None => Self::of_level(word.and_then(Level::of_word).unwrap_or(Level::Unknown)),
        }
    }
}

/// The `metric:value` pairs of a vector, each metric once.
struct Metrics<'a>(Vec<(&'a str, &'a str)>);

impl<'a> Metrics<'a> {
    fn parse(text: &'a str) -> Option<Self> {
        let mut pairs: Vec<(&str, &str)> = Vec::with_capacity(16);
        for field in text.split('/') {
            let (metric, value) = field.split_once(':')?;
            let is_word = |word: &str| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_alphanumeric());
            if !is_word(metric) || !is_word(value) {
                return None;
            }
            if pairs.len() == 64 || pairs.iter().any(|(seen, _)| *seen == metric) {
                return None;
            }
            pairs.push((metric, value));
        }
        Some(Self(pairs))
    }

    fn get(&self, metric: &str) -> Option<&'a str> {
        self.0.iter().find(|(name, _)| *name == metric).map(|(_, value)| *value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(vector: &str, want: f64) {
        let cvss: Cvss = vector.parse().unwrap();
        assert_eq!(cvss.score.as_f64(), want, "{vector}");
    }

    #[test]
    fn scores_are_those_of_the_specifications() {
        check("AV:N/AC:L/Au:N/C:N/I:N/A:C", 7.8);
        check("(AV:N/AC:L/Au:N/C:C/I:C/A:C)", 10.0);
        check("AV:L/AC:H/Au:N/C:C/I:C/A:C", 6.2);
        check("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H", 9.8);
        check("CVSS:3.1/AV:N/AC:L/PR:N/UI:R/S:C/C:L/I:L/A:N", 6.1);
        check("CVSS:3.0/AV:N/AC:L/PR:L/UI:N/S:C/C:H/I:H/A:H", 9.9);
        check("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:N", 0.0);
        check("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H/E:U/RL:O", 9.8); // temporal metrics do not lower the base
        check("CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N", 9.3);
        check("CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:H/SI:H/SA:H", 10.0);
        check("CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:N/VI:N/VA:N/SC:N/SI:N/SA:N", 0.0);
    }

    #[test]
    fn incomplete_and_foreign_texts_are_refused() {
        for text in [
            "",
            "7.5",
            "HIGH",
            "CVSS:3.1/AV:N",
            "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:Z",
            "CVSS:3.1/AV:N/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H",
            "CVSS:5.0/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H",
            "CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N",
            "CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N/E:Q",
            "AV:N/AC:L/Au:N/C:N/I:N",
        ] {
            assert!(text.parse::<Cvss>().is_err(), "{text}");
        }
    }

    #[test]
    fn the_highest_vector_wins_and_words_are_the_fallback() {
        let two = ["CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H", "CVSS:3.1/AV:N/AC:L/PR:N/UI:R/S:C/C:L/I:L/A:N"];
        let worst = Severity::highest(two, Some("LOW"));
        assert_eq!((worst.level, worst.score), (Level::Critical, Some(9.8)));
        assert_eq!(Severity::highest([], Some("MODERATE")), Severity::of_level(Level::Medium));
        assert_eq!(Severity::highest(["nonsense"], None), Severity::of_level(Level::Unknown));
    }
}
