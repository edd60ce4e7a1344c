//! Why a product is not affected: the words that each format has for that, and the place where a person says it.
//!
//! All three ask for a reason (OpenVEX 0.2.0, "Status Justifications"; CSAF 2.0 §4.5 and §6.1.27.9; CycloneDX 1.4
//! `analysis.justification`). A word that a format does not know is none: whoever invents one has looked at nothing.

use crate::inventory::quote;

/// What a format takes for a reason.
pub(super) struct Reasons {
    /// The field of the word.
    field: &'static str,
    words: &'static [&'static str],
    /// What says it in prose.
    prose: &'static str,
}

pub(super) const OPENVEX: Reasons = Reasons {
    field: "justification",
    words: &[
        "component_not_present",
        "vulnerable_code_not_present",
        "vulnerable_code_not_in_execute_path",
        "vulnerable_code_cannot_be_controlled_by_adversary",
        "inline_mitigations_already_exist",
    ],
    prose: "an impact_statement",
};

/// The words are those of OpenVEX.
pub(super) const CSAF: Reasons = Reasons { field: "flag", prose: "a threat of category impact", ..OPENVEX };

pub(super) const CYCLONEDX: Reasons = Reasons {
    field: "justification",
    words: &[
        "code_not_present",
        "code_not_reachable",
        "requires_configuration",
        "requires_dependency",
        "requires_environment",
        "protected_by_compiler",
        "protected_at_runtime",
        "protected_at_perimeter",
        "protected_by_mitigating_control",
    ],
    prose: "a detail",
};

impl Reasons {
    /// The word that counts of those that are given, and what is to be said of them. `has_other` tells that there is a reason
    /// besides; without one and without a word the statement is no reason to leave anything out.
    pub(super) fn weigh<'t>(
        &self,
        given: impl Iterator<Item = &'t str>,
        has_other: bool,
    ) -> (Option<&'t str>, Option<String>) {
        let mut invented = None;
        for word in given {
            if self.words.contains(&word) {
                return (Some(word), None);
            }
            invented = invented.or(Some(word));
        }
        let Self { field, prose, .. } = self;
        let words = self.words.join(", ");
        let problem = match (invented, has_other) {
            (None, true) => None,
            (None, false) => {
                Some(format!("says not affected without a reason: not used; give a {field} ({words}) or {prose}"))
            }
            (Some(word), true) => {
                Some(format!("has the {field} {}, which is none of {words}: passed over", quote(word)))
            }
            (Some(word), false) => {
                Some(format!("has the {field} {}, which is none of {words}, and not {prose}: not used", quote(word)))
            }
        };
        (None, problem)
    }
}
