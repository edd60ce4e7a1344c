//! What a licence asks in return, in short: enough to know which packages to look at, no legal advice.
//!
//! The table names the licences that are met in practice; for the rest of the SPDX list it says to read the text, and
//! whether the list's own data counts it as copyleft.

use super::expression::Term;

/// How far a licence reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reach {
    /// Asks for nothing.
    Free,
    /// Asks for a notice.
    Notice,
    /// Its own files stay under it.
    File,
    /// The library stays under it, and must stay replaceable.
    Library,
    /// The whole program that it is part of comes under it.
    Program,
    /// The same, also when the program is only used over a network.
    Network,
    /// Some uses are not allowed at all.
    Restricted,
    /// On no table of ours.
    Unread,
}

impl Reach {
    /// The word used in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Free => "free",
            Self::Notice => "notice",
            Self::File => "file copyleft",
            Self::Library => "library copyleft",
            Self::Program => "copyleft",
            Self::Network => "network copyleft",
            Self::Restricted => "restricted use",
            Self::Unread => "unread",
        }
    }
}

/// One licence's demands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Obligations {
    /// How far it reaches.
    pub reach: Reach,
    /// What to do, for a person, one demand each.
    pub demands: &'static [&'static str],
}

const NOTICE: &str = "ship its text and copyright notices";
const CHANGES: &str = "say what you changed";
const NO_NAMES: &str = "do not advertise with its authors' names";

/// Identifiers, or beginnings of them that end in `*`; the first row that fits counts.
const TABLE: &[(&[&str], Reach, &[&str])] = &[
    (
        &["0BSD", "BSL-1.0", "CC0-1.0", "MIT-0", "Unlicense", "WTFPL", "Zlib", "blessing", "libpng-2.0"],
        Reach::Free,
        &[],
    ),
    (&["LicenseRef-public-domain"], Reach::Free, &["make sure that the dedication holds where you are"]),
    (&["BSD-4-Clause*", "OpenSSL*", "SSLeay*"], Reach::Notice, &[NOTICE, "name it in your advertising", NO_NAMES]),
    (&["BSD-3-Clause*"], Reach::Notice, &[NOTICE, NO_NAMES]),
    (&["Apache-2.0"], Reach::Notice, &[NOTICE, "pass its NOTICE file on", CHANGES]),
    (&["Apache-1*"], Reach::Notice, &[NOTICE, "name it in your documentation", NO_NAMES]),
    (
        &[
            "MIT*",
            "BSD-*",
            "ISC",
            "BlueOak-*",
            "PSF-*",
            "Python-2*",
            "HPND*",
            "NCSA",
            "UPL-1.0",
            "Unicode-*",
            "X11*",
            "curl",
            "FTL",
            "ICU",
            "IJG",
            "NTP",
            "PostgreSQL",
            "TCL",
            "Libpng",
            "bzip2-*",
            "W3C*",
            "ZPL-*",
            "AFL-*",
            "CDLA-Permissive-*",
            "MS-PL",
            "Ruby",
            "Artistic-2.0",
            "Vim",
        ],
        Reach::Notice,
        &[NOTICE],
    ),
    (&["JSON"], Reach::Restricted, &[NOTICE, "use it for good, not for evil"]),
    (&["CC-BY-NC*"], Reach::Restricted, &["no commercial use", "name its authors"]),
    (&["CC-BY-ND*"], Reach::Restricted, &["no changed copies", "name its authors"]),
    (&["CC-BY-SA-*"], Reach::File, &["name its authors", "publish what you change under the same licence"]),
    (&["CC-BY-*", "OFL-*"], Reach::Notice, &["name its authors", CHANGES]),
    (
        &["MPL-*", "EPL-*", "CDDL-*", "CPL-1.0", "MS-RL", "APSL-*", "IPL-1.0", "ErlPL-1.1"],
        Reach::File,
        &[NOTICE, "publish the source of its files with your changes, under the same licence"],
    ),
    (
        &["LGPL-*"],
        Reach::Library,
        &[
            NOTICE,
            "publish the source of the library with your changes",
            "let users replace the library in your program",
        ],
    ),
    (
        // Section 1 counts access to the work's essential functions as distribution, section 5 names compatible licences.
        &["EUPL-1.1", "EUPL-1.2"],
        Reach::Network,
        &[
            NOTICE,
            CHANGES,
            "publish the source of what you make from it, also to those who use it over a network, under the same or a \
             compatible licence",
        ],
    ),
    (
        &["AGPL-*", "SSPL-*", "OSL-3.0", "CPAL-1.0", "RPL-*"],
        Reach::Network,
        &[NOTICE, "publish the source of the whole program, also to those who use it over a network"],
    ),
    (
        &["GPL-*", "EUPL-1.0"],
        Reach::Program,
        &[NOTICE, "publish the source of the whole program under the same licence"],
    ),
    (
        &["BUSL-*", "Elastic-*", "PolyForm-*", "LicenseRef-proprietary", "LicenseRef-UNLICENSED"],
        Reach::Restricted,
        &["read its text: some or all uses need the owner's permission"],
    ),
];

/// What the licence asks. An exception (`WITH`) softens a copyleft licence in a way of its own: both texts count.
pub fn of(term: &Term) -> Obligations {
    let fits = |pattern: &&str| match pattern.strip_suffix('*') {
        Some(begin) => term.licence.starts_with(begin),
        None => *pattern == term.licence,
    };
    if let Some((_, reach, demands)) = TABLE.iter().find(|(patterns, ..)| patterns.iter().any(fits)) {
        return Obligations { reach: *reach, demands };
    }
    let is_copyleft = spdx::license_id(&term.licence).is_some_and(spdx::LicenseId::is_copyleft);
    let demands: &[&str] = if is_copyleft {
        &["read its text: it is a copyleft licence"]
    } else {
        &["read its text: it is on no table here"]
    };
    Obligations { reach: Reach::Unread, demands }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_names_something_and_the_first_that_fits_counts() {
        for pattern in TABLE.iter().flat_map(|(patterns, ..)| *patterns) {
            let begin = pattern.trim_end_matches('*');
            let known = spdx::identifiers::LICENSES.iter().any(|licence| licence.name.starts_with(begin));
            assert!(known || begin.starts_with("LicenseRef-"), "{pattern}");
        }
        for (licence, want) in [
            ("MIT", Reach::Notice),
            ("MIT-0", Reach::Free),
            ("CC-BY-NC-4.0", Reach::Restricted),
            ("CC-BY-4.0", Reach::Notice),
            ("GPL-2.0-or-later", Reach::Program),
            ("AGPL-3.0-only", Reach::Network),
            ("LGPL-2.1-only", Reach::Library),
            ("MPL-2.0", Reach::File),
            ("JSON", Reach::Restricted),
            ("EUPL-1.2", Reach::Network),
            ("Watcom-1.0", Reach::Unread),
        ] {
            let term = Term { licence: licence.to_owned(), exception: None };
            assert_eq!(of(&term).reach, want, "{licence}");
        }
    }
}
