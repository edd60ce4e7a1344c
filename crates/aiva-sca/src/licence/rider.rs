//! Finds what a licence file says besides the licence that was found in it: riders, such as "not for military use".
//!
//! Pure. A title, a list of authors or a sentence on where the parts come from changes no terms; words that forbid, demand or
//! condition something do. Start reading at [`rider`].

use super::recognise::RUN;

/// The Commons Clause, version 1.0: it takes the right to sell away from any licence, and is on no list.
pub(super) const COMMONS_CLAUSE: &str = "\"Commons Clause\" License Condition v1.0\n\nThe Software is provided to you by the Licensor \
    under the License, as defined below, subject to the following condition.\n\nWithout limiting other conditions in the License, the \
    grant of rights under the License will not include, and the License does not grant to you, the right to Sell the Software.\n\nFor \
    purposes of the foregoing, \"Sell\" means practicing any or all of the rights granted to you under the License to provide to third \
    parties, for a fee or other consideration (including without limitation fees for hosting or consulting/ support services related to \
    the Software), a product or service whose value derives, entirely or substantially, from the functionality of the Software. Any \
    license notice or attribution required by the License must also include this Commons Clause License Condition notice.";

/// How the Commons Clause is written in an expression.
pub(super) const COMMONS_CLAUSE_NAME: &str = "LicenseRef-Commons-Clause";

/// Fewer words of its own are another wording of the licence, or a title.
const FEWEST: usize = 6;

/// A shorter stretch of the licence's words between others is there by chance (`of the software`).
const BY_CHANCE: usize = 6;

/// In a shorter stretch between words of the licence one of these turns what it says, unless other licences put it just so.
const TURNS: [&str; 4] = ["not", "never", "cannot", "except"];

/// The most that is told of a rider, in words.
const TOLD: usize = 30;

/// Words that no list of authors has: one is enough, however few words stand around it.
const PURPOSES: [&str; 5] = ["commercial", "noncommercial", "military", "prohibited", "forbidden"];

/// Words without which nothing is forbidden, demanded or made a condition. `may` alone only permits; `has to` is looked for apart.
const TERMS: [&str; 17] = [
    "not",
    "cannot",
    "must",
    "shall",
    "only",
    "never",
    "unless",
    "except",
    "restricted",
    "restriction",
    "restrictions",
    "condition",
    "prior",
    "require",
    "requires",
    "obliged",
    "publish",
];

/// After `unless` and `except` these say which files are meant, not who may use them (`unless otherwise stated`).
const OF_FILES: [&str; 7] = ["otherwise", "as", "stated", "specified", "noted", "documented", "below"];

/// The end of the GPL's advice on how to apply it, which the list leaves out of some versions.
const GPL_ADVICE: &str = "This General Public License does not permit incorporating your program into proprietary programs. If your \
    program is a subroutine library, you may consider it more useful to permit linking proprietary applications with the library. If \
    this is what you want to do, use the GNU Lesser General Public License instead of this License.";

/// LLVM-exception of the SPDX list.
const LLVM: &str = "---- LLVM Exceptions to the Apache 2.0 License ---- As an exception, if, as a result of your compiling your source \
    code, portions of this Software are embedded into an Object form of such source code, you may redistribute such \
    embedded portions in such Object form without complying with the conditions of Sections 4(a), 4(b) and 4(d) of the \
    License. In addition, if you combine or link compiled forms of this Software with software that is licensed under the \
    GPLv2 (\"Combined Software\") and if a court of competent jurisdiction determines that the patent provision (Section \
    3), the indemnity provision (Section 9) or other Section of the License conflicts with the conditions of the GPLv2, \
    you may retroactively and prospectively choose to deem waived or otherwise exclude such Section(s) of the License, but \
    only in their entirety and only with respect to the Combined Software.";

/// Classpath-exception-2.0 of the SPDX list.
const CLASSPATH: &str = "Linking this library statically or dynamically with other modules is making a combined work based on this library. \
    Thus, the terms and conditions of the GNU General Public License cover the whole combination. As a special exception, \
    the copyright holders of this library give you permission to link this library with independent modules to produce an \
    executable, regardless of the license terms of these independent modules, and to copy and distribute the resulting \
    executable under terms of your choice, provided that you also meet, for each linked independent module, the terms and \
    conditions of the license of that module. An independent module is a module which is not derived from or based on this \
    library. If you modify this library, you may extend this exception to your version of the library, but you are not \
    obligated to do so. If you do not wish to do so, delete this exception statement from your version.";

/// The end of the notice that points at the licences of a package, in wide use since the Rust project wrote it.
const ONLY_SO: &str = "All files in the project carrying such notice may not be copied, modified, or distributed except according to \
    those terms.";

/// Texts that change nothing for the worse: advice, and exceptions, which only give more.
pub(super) fn harmless() -> impl Iterator<Item = &'static str> {
    [LLVM, CLASSPATH, GPL_ADVICE, ONLY_SO].into_iter()
}

/// What is known of the words of a text.
pub(super) struct Known {
    /// For each of the words, whether the licence has it there.
    pub(super) words: Vec<bool>,
    /// For each run of words, whether any licence has it.
    pub(super) usual: Vec<bool>,
}

/// The beginning of the first words that are not the licence's and change its terms.
pub(super) fn rider(words: &[String], known: &Known) -> Option<String> {
    let has = |at: usize| known.words.get(at).is_some_and(|known| *known);
    let own = |at: &usize| known.words.get(*at).is_some_and(|known| !known);
    let all: Vec<usize> = (0..words.len()).filter(own).collect();
    let stretches = all.chunk_by(|left, right| right - left <= BY_CHANCE);
    let is_unusual = |at: usize| {
        let runs = at.saturating_sub(RUN - 1)..=at;
        known.usual.get(*runs.start()..known.usual.len().min(*runs.end() + 1)).is_some_and(|all| all.contains(&false))
    };
    let turns = |stretch: &[usize]| {
        let is_inside = |first: usize, last: usize| first > 0 && has(first - 1) && has(last + 1);
        let turns = |at: &usize| words.get(*at).is_some_and(|word| TURNS.contains(&&**word)) && is_unusual(*at);
        stretch.first().zip(stretch.last()).is_some_and(|(first, last)| is_inside(*first, *last))
            && stretch.iter().any(turns)
    };
    let changes = |stretch: &&[usize]| {
        let any = |has: fn(&[String]) -> bool| stretch.iter().any(|at| has(words.get(*at..).unwrap_or_default()));
        any(is_purpose) || if stretch.len() >= FEWEST { any(is_term) } else { turns(stretch) }
    };
    let found = stretches.into_iter().find(changes)?;
    let (first, last) = (*found.first()?, *found.last()?);
    let told: Vec<&str> = words.get(first..=last)?.iter().take(TOLD).map(String::as_str).collect();
    Some(told.join(" ").chars().take(300).collect())
}

/// Whether the first of these words excludes somebody or some use by itself.
fn is_purpose(words: &[String]) -> bool {
    words.first().is_some_and(|first| PURPOSES.contains(&&**first))
}

/// Whether the first of these words forbids, demands or conditions something.
fn is_term(words: &[String]) -> bool {
    let Some((first, rest)) = words.split_first() else { return false };
    let of_files = || rest.iter().take(2).any(|word| OF_FILES.contains(&&**word));
    if matches!(&**first, "has" | "have") {
        return rest.first().is_some_and(|next| next == "to");
    }
    TERMS.contains(&&**first) && !(matches!(&**first, "unless" | "except") && of_files())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Capitals are the licence's words, and no other licence has the rest.
    #[track_caller]
    fn check(text: &str, want: Option<&str>) {
        let words: Vec<String> = text.split_whitespace().map(str::to_lowercase).collect();
        let known: Vec<bool> = text.split_whitespace().map(|word| word == word.to_uppercase()).collect();
        let usual = known.windows(RUN).map(|run| !run.contains(&false)).collect();
        assert_eq!(rider(&words, &Known { words: known, usual }).as_deref(), want, "{text}");
    }

    #[test]
    fn only_words_that_change_the_terms_are_a_rider() {
        check("", None);
        check("THE LICENSE", None);
        check("may not THE LICENSE", None); // another wording
        check("THE LICENSE not for commercial use", Some("not for commercial use"));
        check("ana bo cleo dan eve fay gus THE LICENSE", None);
        check("these parts were taken over from elsewhere THE LICENSE", None);
        check("unless otherwise stated all files in here are under THE LICENSE", None);
        check("pick what you may like from these two THE LICENSE", None);
        check(
            "free for all people unless they are of any army THE LICENSE",
            Some("free for all people unless they are of any army"),
        );
        check("THE LICENSE may not be used by any army", Some("may not be used by any army"));
        check(
            "THE LICENSE use OF THE SOFTWARE may not be by any army",
            Some("use of the software may not be by any army"),
        );
        check("THE LICENSE but not to SELL IT", Some("but not to"));
        check("THE LICENSE but to SELL IT", None);
        check("THE LICENSE whoever sells this has to tell of it", Some("whoever sells this has to tell of it"));
        check("THE LICENSE whoever sells this is obliged to tell", Some("whoever sells this is obliged to tell"));
        check("THE LICENSE these are all that it has in it", None);
        check("may THE LICENSE ONE TWO THREE FOUR only THE LICENSE ONE TWO THREE FOUR be by any army", None);
    }
}
