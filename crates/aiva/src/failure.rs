//! An error for a person: what could not be done, why, and what would help.

use std::error::Error;

/// A command's failure. Its cause is its source; the hint is printed last.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub(crate) struct Failure {
    message: String,
    hint: Option<String>,
    #[source]
    cause: Option<Box<dyn Error + Send + Sync>>,
}

impl Failure {
    /// What could not be done.
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), hint: None, cause: None }
    }

    /// Why.
    pub(crate) fn because(mut self, cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.cause = Some(cause.into());
        self
    }

    /// What would help.
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

/// Message, cause and hint of any error, one a line.
pub(crate) fn explain(error: &anyhow::Error) -> String {
    let mut text = format!("error: {error}");
    let mut said = error.to_string();
    for cause in error.chain().skip(1).map(ToString::to_string) {
        // An error that shows its source in its own text would say it twice.
        if !said.contains(&cause) {
            text.push_str(&format!("\n  cause: {cause}"));
        }
        said = cause;
    }
    let hint = error.chain().find_map(|cause| cause.downcast_ref::<Failure>()?.hint.as_deref());
    if let Some(hint) = hint {
        text.push_str(&format!("\n  hint: {hint}"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tired_person_reads_message_cause_and_hint() {
        let cause = std::io::Error::other("disk full");
        let failure = Failure::new("cannot write the index").because(cause).hint("free some space");
        let text = explain(&anyhow::Error::new(failure));
        assert_eq!(text, "error: cannot write the index\n  cause: disk full\n  hint: free some space");
    }
}
