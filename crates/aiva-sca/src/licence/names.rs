//! What people write for a licence besides SPDX: a table, by the words alone.
//!
//! Words are compared without case, punctuation and the fillers `the`, `license`, `version`. A row that can mean several
//! licences says all of them; the reader never chooses.

/// What some words stand for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Name {
    /// This SPDX expression.
    Is(&'static str),
    /// One of these licences.
    OneOf(&'static [&'static str]),
}

const BSD: &[&str] = &["BSD-2-Clause", "BSD-3-Clause", "BSD-4-Clause", "0BSD", "BSD-1-Clause"];
const APACHE: &[&str] = &["Apache-2.0", "Apache-1.1", "Apache-1.0"];
const GPL: &[&str] = &["GPL-1.0-or-later", "GPL-2.0-only", "GPL-2.0-or-later", "GPL-3.0-only", "GPL-3.0-or-later"];
const LGPL: &[&str] =
    &["LGPL-2.0-or-later", "LGPL-2.1-only", "LGPL-2.1-or-later", "LGPL-3.0-only", "LGPL-3.0-or-later"];
const AGPL: &[&str] = &["AGPL-3.0-only", "AGPL-3.0-or-later"];
const GPL2: &[&str] = &["GPL-2.0-only", "GPL-2.0-or-later"];
const GPL3: &[&str] = &["GPL-3.0-only", "GPL-3.0-or-later"];
const MPL: &[&str] = &["MPL-2.0", "MPL-1.1", "MPL-1.0"];
const EPL: &[&str] = &["EPL-2.0", "EPL-1.0"];
const PYTHON: &[&str] = &["PSF-2.0", "Python-2.0", "Python-2.0.1"];
const ARTISTIC: &[&str] = &["Artistic-2.0", "Artistic-1.0", "Artistic-1.0-Perl"];
const CC_BY: &[&str] = &["CC-BY-4.0", "CC-BY-3.0", "CC-BY-2.5", "CC-BY-2.0", "CC-BY-1.0"];
const ZPL: &[&str] = &["ZPL-2.1", "ZPL-2.0", "ZPL-1.1"];

/// Each row's words are as [`reduced`] leaves them.
const TABLE: &[(&str, Name)] = &[
    ("0 bsd", Name::Is("0BSD")),
    ("2 clause bsd", Name::Is("BSD-2-Clause")),
    ("3 clause bsd", Name::Is("BSD-3-Clause")),
    ("academic free", Name::OneOf(&["AFL-3.0", "AFL-2.1", "AFL-2.0", "AFL-1.2", "AFL-1.1"])),
    ("affero gpl", Name::OneOf(AGPL)),
    ("agpl", Name::OneOf(AGPL)),
    ("agpl 3", Name::OneOf(AGPL)),
    ("agpl 3 0", Name::OneOf(AGPL)),
    ("agplv3", Name::OneOf(AGPL)),
    ("agplv3+", Name::Is("AGPL-3.0-or-later")),
    ("apache", Name::OneOf(APACHE)),
    ("apache 2", Name::Is("Apache-2.0")),
    ("apache 2 0", Name::Is("Apache-2.0")),
    ("apache2", Name::Is("Apache-2.0")),
    ("apache2 0", Name::Is("Apache-2.0")),
    ("apache software", Name::OneOf(APACHE)),
    ("apache software 2", Name::Is("Apache-2.0")),
    ("apache software 2 0", Name::Is("Apache-2.0")),
    ("apache public 2 0", Name::Is("Apache-2.0")),
    ("apache v2", Name::Is("Apache-2.0")),
    ("apache v2 0", Name::Is("Apache-2.0")),
    ("apachev2", Name::Is("Apache-2.0")),
    ("artistic", Name::OneOf(ARTISTIC)),
    ("artistic 2 0", Name::Is("Artistic-2.0")),
    ("asl 2 0", Name::Is("Apache-2.0")),
    ("blueoak 1 0 0", Name::Is("BlueOak-1.0.0")),
    ("boost software", Name::Is("BSL-1.0")),
    ("boost software 1 0", Name::Is("BSL-1.0")),
    ("boost software 1 0 bsl 1 0", Name::Is("BSL-1.0")),
    ("bsd", Name::OneOf(BSD)),
    ("bsd 2", Name::Is("BSD-2-Clause")),
    ("bsd 2 clause", Name::Is("BSD-2-Clause")),
    ("bsd 3", Name::Is("BSD-3-Clause")),
    ("bsd 3 clause", Name::Is("BSD-3-Clause")),
    ("bsd like", Name::OneOf(BSD)),
    ("bsd style", Name::OneOf(BSD)),
    ("bsd2", Name::Is("BSD-2-Clause")),
    ("bsd3", Name::Is("BSD-3-Clause")),
    ("cc by", Name::OneOf(CC_BY)),
    ("cc by 4 0", Name::Is("CC-BY-4.0")),
    ("cc0", Name::Is("CC0-1.0")),
    ("cc0 1 0", Name::Is("CC0-1.0")),
    ("cc0 1 0 universal", Name::Is("CC0-1.0")),
    ("cc0 1 0 universal cc0 1 0 public domain dedication", Name::Is("CC0-1.0")),
    ("cddl 1 0", Name::Is("CDDL-1.0")),
    ("common public 1 0", Name::Is("CPL-1.0")),
    ("common development and distribution 1 0 cddl 1 0", Name::Is("CDDL-1.0")),
    ("eclipse public", Name::OneOf(EPL)),
    ("eclipse public 1 0", Name::Is("EPL-1.0")),
    ("eclipse public 1 0 epl 1 0", Name::Is("EPL-1.0")),
    ("eclipse public 2 0", Name::Is("EPL-2.0")),
    ("eclipse public 2 0 epl 2 0", Name::Is("EPL-2.0")),
    ("eclipse public v 1 0", Name::Is("EPL-1.0")),
    ("eclipse public v 2 0", Name::Is("EPL-2.0")),
    ("eclipse public v1 0", Name::Is("EPL-1.0")),
    ("eclipse public v2 0", Name::Is("EPL-2.0")),
    ("epl", Name::OneOf(EPL)),
    ("european union public 1 2 eupl 1 2", Name::Is("EUPL-1.2")),
    ("expat", Name::Is("MIT")),
    ("freebsd", Name::Is("BSD-2-Clause")),
    ("gnu affero general public v3", Name::OneOf(AGPL)),
    ("gnu affero general public v3 agplv3", Name::OneOf(AGPL)),
    ("gnu affero general public v3 or later agplv3+", Name::Is("AGPL-3.0-or-later")),
    ("gnu general public", Name::OneOf(GPL)),
    ("gnu general public gpl", Name::OneOf(GPL)),
    ("gnu general public v2 gplv2", Name::OneOf(GPL2)),
    ("gnu general public v2 or later gplv2+", Name::Is("GPL-2.0-or-later")),
    ("gnu general public v3", Name::OneOf(GPL3)),
    ("gnu general public v3 gplv3", Name::OneOf(GPL3)),
    ("gnu general public v3 or later gplv3+", Name::Is("GPL-3.0-or-later")),
    ("gnu gpl", Name::OneOf(GPL)),
    ("gnu gpl v3", Name::OneOf(GPL3)),
    ("gnu lesser general public", Name::OneOf(LGPL)),
    ("gnu lesser general public v2 1", Name::OneOf(&["LGPL-2.1-only", "LGPL-2.1-or-later"])),
    ("gnu lesser general public v2 or later lgplv2+", Name::Is("LGPL-2.0-or-later")),
    ("gnu lesser general public v3 lgplv3", Name::OneOf(&["LGPL-3.0-only", "LGPL-3.0-or-later"])),
    ("gnu lesser general public v3 or later lgplv3+", Name::Is("LGPL-3.0-or-later")),
    ("gnu lgpl", Name::OneOf(LGPL)),
    ("gnu library or lesser general public lgpl", Name::OneOf(LGPL)),
    ("gpl", Name::OneOf(GPL)),
    ("gpl 2", Name::OneOf(GPL2)),
    ("gpl 3", Name::OneOf(GPL3)),
    ("gpl v2", Name::OneOf(GPL2)),
    ("gpl v3", Name::OneOf(GPL3)),
    ("gplv2", Name::OneOf(GPL2)),
    ("gplv2+", Name::Is("GPL-2.0-or-later")),
    ("gplv3", Name::OneOf(GPL3)),
    ("gplv3+", Name::Is("GPL-3.0-or-later")),
    ("historical permission notice and disclaimer hpnd", Name::Is("HPND")),
    ("hpnd", Name::Is("HPND")),
    ("isc", Name::Is("ISC")),
    ("isc iscl", Name::Is("ISC")),
    ("iscl", Name::Is("ISC")),
    ("lgpl", Name::OneOf(LGPL)),
    ("lgpl 3", Name::OneOf(&["LGPL-3.0-only", "LGPL-3.0-or-later"])),
    ("lgplv2 1", Name::OneOf(&["LGPL-2.1-only", "LGPL-2.1-or-later"])),
    ("lgplv2 1+", Name::Is("LGPL-2.1-or-later")),
    ("lgplv3", Name::OneOf(&["LGPL-3.0-only", "LGPL-3.0-or-later"])),
    ("lgplv3+", Name::Is("LGPL-3.0-or-later")),
    ("mit", Name::Is("MIT")),
    ("mit expat", Name::Is("MIT")),
    ("mit mit", Name::Is("MIT")),
    ("mit no attribution mit 0", Name::Is("MIT-0")),
    ("mit x11", Name::OneOf(&["MIT", "X11"])),
    ("modified bsd", Name::Is("BSD-3-Clause")),
    ("mozilla public", Name::OneOf(MPL)),
    ("mozilla public 1 1 mpl 1 1", Name::Is("MPL-1.1")),
    ("mozilla public 2 0", Name::Is("MPL-2.0")),
    ("mozilla public 2 0 mpl 2 0", Name::Is("MPL-2.0")),
    ("mpl", Name::OneOf(MPL)),
    ("mpl 2 0", Name::Is("MPL-2.0")),
    ("mplv2", Name::Is("MPL-2.0")),
    ("mplv2 0", Name::Is("MPL-2.0")),
    ("new bsd", Name::Is("BSD-3-Clause")),
    ("new bsd 3 clause", Name::Is("BSD-3-Clause")),
    ("openssl", Name::Is("OpenSSL")),
    ("psf", Name::OneOf(PYTHON)),
    ("psf 2 0", Name::Is("PSF-2.0")),
    ("psfl", Name::OneOf(PYTHON)),
    ("public domain", Name::Is("LicenseRef-public-domain")),
    ("python", Name::OneOf(PYTHON)),
    ("python software foundation", Name::OneOf(PYTHON)),
    ("revised bsd", Name::Is("BSD-3-Clause")),
    ("simplified bsd", Name::Is("BSD-2-Clause")),
    ("unlicense", Name::Is("Unlicense")),
    ("unlicense unlicense", Name::Is("Unlicense")),
    ("unlicensed", Name::Is("LicenseRef-UNLICENSED")),
    ("universal permissive upl", Name::Is("UPL-1.0")),
    ("w3c", Name::OneOf(&["W3C", "W3C-19980720", "W3C-20150513"])),
    ("wtfpl", Name::Is("WTFPL")),
    ("zlib", Name::Is("Zlib")),
    ("zlib libpng", Name::OneOf(&["Zlib", "zlib-acknowledgement"])),
    ("zope public", Name::OneOf(ZPL)),
    ("zpl 2 1", Name::Is("ZPL-2.1")),
    ("other proprietary", Name::Is("LicenseRef-proprietary")),
    ("proprietary", Name::Is("LicenseRef-proprietary")),
    ("commercial", Name::Is("LicenseRef-proprietary")),
];

/// What the words stand for, if the table has them.
pub(crate) fn find(words: &str) -> Option<Name> {
    let words = reduced(words);
    TABLE.iter().find(|(row, _)| *row == words).map(|(_, name)| *name)
}

/// Addresses of licences, as [`find_url`] leaves them.
const PAGES: &[(&str, &str)] = &[
    ("apache.org/licenses/license-2.0", "Apache-2.0"),
    ("creativecommons.org/publicdomain/zero/1.0", "CC0-1.0"),
    ("eclipse.org/legal/epl-2.0", "EPL-2.0"),
    ("eclipse.org/legal/epl-v10", "EPL-1.0"),
    ("eclipse.org/legal/epl-v20", "EPL-2.0"),
    ("eclipse.org/org/documents/epl-2.0/epl-2.0", "EPL-2.0"),
    ("eclipse.org/org/documents/epl-v10", "EPL-1.0"),
    ("mozilla.org/mpl/2.0", "MPL-2.0"),
    ("mozilla.org/en-us/mpl/2.0", "MPL-2.0"),
    ("opensource.org/licenses/apache2.0", "Apache-2.0"),
    ("opensource.org/licenses/cpl1.0", "CPL-1.0"),
    ("opensource.org/licenses/mit-license", "MIT"),
    ("unlicense.org", "Unlicense"),
];

/// Sites that have a page for each identifier of the list.
const SITES: [&str; 3] = ["opensource.org/licenses/", "opensource.org/license/", "spdx.org/licenses/"];

/// The licence whose page this is, as an expression.
pub(crate) fn find_url(url: &str) -> Option<String> {
    let lower = url.trim().to_ascii_lowercase();
    let page = lower.strip_prefix("https://").or_else(|| lower.strip_prefix("http://"))?;
    let page = page.strip_prefix("www.").unwrap_or(page).trim_end_matches('/');
    let page = [".txt", ".html", ".htm", ".php"].iter().find_map(|end| page.strip_suffix(end)).unwrap_or(page);
    if let Some((_, licence)) = PAGES.iter().find(|(known, _)| *known == page) {
        return Some((*licence).to_owned());
    }
    let name = SITES.iter().find_map(|site| page.strip_prefix(site))?;
    let known = spdx::identifiers::LICENSES.iter().find(|licence| licence.name.eq_ignore_ascii_case(name))?;
    Some(known.name.to_owned())
}

/// Whether the words say that nothing is said here.
pub(crate) fn is_silent(words: &str) -> bool {
    let lower = words.trim().to_ascii_lowercase();
    const SILENT: &[&str] = &[
        "unknown",
        "none",
        "n/a",
        "noassertion",
        "see license",
        "see licence",
        "license",
        "licence",
        "dual license",
        "other/dual license",
        "custom",
        "license :: osi approved",
        "license :: other/proprietary license :: see license file",
    ];
    SILENT.contains(&&*lower)
        || ["see license ", "see licence ", "license.", "licence.", "file://", "file:", "license :: free"]
            .iter()
            .any(|begin| lower.starts_with(begin))
}

/// Small letters and digits, one space between; a trove classifier loses its path, everybody loses the fillers.
fn reduced(words: &str) -> String {
    let last = words.rsplit("::").next().unwrap_or(words);
    let mut out = String::new();
    let parts = last.split(|c: char| !(c.is_ascii_alphanumeric() || c == '+'));
    for part in parts.filter(|part| !part.is_empty()) {
        let part = part.to_ascii_lowercase();
        if matches!(&*part, "the" | "license" | "licence" | "licenses" | "version" | "ver" | "public-license" | "under")
        {
            continue;
        }
        if !out.is_empty() {
            out.push(' ');
        }
        out.push_str(&part);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::licence::expression::Expression;

    #[test]
    fn a_page_is_known_however_its_address_is_written() {
        for (url, want) in [
            ("http://www.apache.org/licenses/LICENSE-2.0.txt", Some("Apache-2.0")),
            ("https://apache.org/licenses/LICENSE-2.0/", Some("Apache-2.0")),
            ("https://opensource.org/licenses/BSD-3-Clause", Some("BSD-3-Clause")),
            ("http://www.opensource.org/licenses/mit-license.php", Some("MIT")),
            ("http://www.eclipse.org/legal/epl-v10.html", Some("EPL-1.0")),
            ("https://opensource.org/licenses/bsd-license.php", None), // it has had several texts
            ("https://example.org/licenses/MIT", None),
            ("/LICENSE.txt", None),
            ("", None),
        ] {
            assert_eq!(find_url(url).as_deref(), want, "{url}");
        }
        for (page, licence) in PAGES {
            assert_eq!(find_url(&format!("http://{page}")).as_deref(), Some(*licence));
            assert!(spdx::license_id(licence).is_some(), "{licence}");
        }
    }

    #[test]
    fn every_row_can_be_reached_and_means_something() {
        for (row, name) in TABLE {
            assert_eq!(reduced(row), *row, "never matched: as written it is not what the words are reduced to");
            match name {
                Name::Is(expression) => assert!(Expression::parse(expression).is_some(), "{row}: {expression}"),
                Name::OneOf(candidates) => {
                    assert!(candidates.len() > 1, "{row}");
                    candidates.iter().for_each(|one| assert!(spdx::license_id(one).is_some(), "{row}: {one}"));
                }
            }
        }
        let mut rows: Vec<&str> = TABLE.iter().map(|(row, _)| *row).collect();
        rows.sort_unstable();
        rows.dedup();
        assert_eq!(rows.len(), TABLE.len(), "a row is there twice");
    }
}
