//! Judges a redirect by its text, before anybody looks up where it leads.
//!
//! Pure. It counts the hops, sees circles, and lets no request fall from https to http unless the policy says so; what it
//! lets pass is a new target, and is judged like a first one. Start reading at [`Policy::judge_redirect`].

use crate::policy::{Policy, Reason, Refusal, Rule};
use crate::target::{Scheme, Target};

impl Policy {
    /// Judges a redirect by its text and says where it leads; `seen` are all targets so far, the redirecting one last.
    /// The new target is still to be judged like a first one.
    pub fn judge_redirect(&self, seen: &[Target], location: &str, most: usize) -> Result<Target, Refusal> {
        let refuse = |reason, what: String| Refusal::new(Rule::Redirects, reason, what);
        let Some(from) = seen.last() else {
            return Err(refuse(Reason::NotUrl, "nothing to redirect from".to_owned()));
        };
        let hop = |next: &Target| format!("{}, redirected by {}", next.origin(), from.origin());
        let next = from
            .join(location)
            .map_err(|reason| Refusal::new(Rule::Text, reason, format!("redirected by {}", from.origin())))?;
        if from.scheme() == Scheme::Https && next.scheme() == Scheme::Http && !self.downgrade {
            return Err(refuse(Reason::Downgrade, hop(&next)));
        }
        if seen.len() > most || seen.contains(&next) {
            return Err(refuse(Reason::Redirects, hop(&next)));
        }
        Ok(next)
    }
}
