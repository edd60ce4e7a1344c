//! What mix fetched: `deps/NAME/hex_metadata.config`, terms of Erlang.

use super::{Finder, Own, is_part, joined};
use crate::package::Package;

impl Finder<'_> {
    pub(super) fn hex(&self, input: &str, package: &Package) -> Option<Own> {
        if !is_part(&package.name) {
            return None;
        }
        self.above(input).into_iter().find_map(|dir| {
            let folder = dir.join("deps").join(&*package.name);
            let file = folder.join("hex_metadata.config");
            let text = self.read(&file)?;
            if strings(&text, "version").first().map(String::as_str) != Some(&*package.version) {
                return None;
            }
            // Which of several licences holds the field does not say: then all of them do.
            let stated = joined(&strings(&text, "licenses"), " AND ").map(|words| (words, self.shown(&file)));
            Some(Own { stated, texts: self.texts(&folder, None), notices: self.notices(&folder) })
        })
    }
}

/// The strings of one term: `{<<"licenses">>,[<<"MIT">>,<<"ISC">>]}.`, over as many lines as it takes.
fn strings(text: &str, key: &str) -> Vec<String> {
    let begin = format!("{{<<\"{key}\">>,");
    // A term begins a line; what is within another one is not it.
    let at = text.match_indices(&begin).map(|(at, _)| at);
    let Some(at) = at.into_iter().find(|at| *at == 0 || text.get(..*at).is_some_and(|before| before.ends_with('\n')))
    else {
        return Vec::new();
    };
    let term = text.get(at + begin.len()..).unwrap_or_default();
    let term = term.split("}.").next().unwrap_or(term);
    let words = |part: &str| part.split_once('"').map(|(words, _)| words.to_owned());
    term.split("<<\"").skip(1).filter_map(words).filter(|words| !words.is_empty()).collect()
}
