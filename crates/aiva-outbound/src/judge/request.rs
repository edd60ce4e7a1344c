//! Judges what is asked beside the host: scheme, method, path and port.
//!
//! Method and path count where they can be seen, which is in plain HTTP. A port that only an exception or an allowed block
//! opens is not decided here: it is left to the addresses, since only they tell which of those applies. Start reading at
//! [`Case::request`].

use super::Case;
use crate::policy::{Reason, Refusal, Rule};
use crate::target::Scheme;

impl Case<'_, '_> {
    /// What is seen of a plain HTTP request.
    pub(super) fn request(&mut self) -> Result<(), Refusal> {
        let (policy, target) = (self.policy, self.question.target);
        if !policy.schemes.contains(&target.scheme()) {
            self.refuse(Refusal::new(Rule::Schemes, Reason::SchemeNotAllowed, target.scheme().name()))?;
        }
        if target.scheme() == Scheme::Https {
            return Ok(());
        }
        let Some(method) = self.question.method else { return Ok(()) };
        if !policy.methods.is_empty() && !policy.methods.contains(method) {
            self.refuse(Refusal::new(Rule::Methods, Reason::MethodNotAllowed, method))?;
        }
        if !policy.paths.is_empty() && !policy.paths.iter().any(|prefix| prefix.hold(target.path_and_query())) {
            self.refuse(Refusal::new(Rule::Paths, Reason::PathNotAllowed, target.origin()))?;
        }
        Ok(())
    }

    pub(super) fn port(&mut self) -> Result<(), Refusal> {
        let (policy, port) = (self.policy, self.question.target.port());
        if policy.ports.hold(port) {
            return Ok(());
        }
        let by_exception = policy.exceptions.entries().iter().any(|exception| exception.ports.contains(&port));
        if by_exception || policy.allow_blocks.entries().iter().any(|block| block.port == Some(port)) {
            self.port_by_opening = true;
            return Ok(());
        }
        self.refuse(Refusal::new(Rule::Ports, Reason::PortNotAllowed, port))
    }
}
