//! Judges one address of an answer, and says what opens it.
//!
//! Metadata services and this process itself are refused before anything can open them, then what a deny list holds; an
//! address is judged together with the IPv4 address that it carries. What is not public passes only by an allowed block or
//! an exception. A public address needs one too where its name or port passed for the sake of one, and where it stands in
//! the URL itself while only listed names are allowed. Start reading at [`Case::address`].

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use super::{Case, expired};
use crate::address::{self, Class};
use crate::policy::{Block, Exception, Mode, Policy, Reason, Refusal, Rule};
use crate::target::Host;

/// What opens an address.
enum Opening<'p> {
    Exception(&'p Exception),
    Block(usize, &'p Arc<Block>),
}

impl Opening<'_> {
    fn names_port(&self) -> bool {
        match self {
            Self::Exception(exception) => !exception.ports.is_empty(),
            Self::Block(_, block) => block.port.is_some(),
        }
    }

    fn rule(&self) -> Rule {
        match self {
            Self::Exception(exception) => Rule::Exception(exception.name.clone()),
            Self::Block(place, block) => Rule::AllowBlock(*place, Arc::clone(block)),
        }
    }
}

impl Policy {
    /// A socket that listens on all addresses is reached by any of this machine's: loopback is the one that we know.
    fn own(&self, address: IpAddr, port: u16) -> Option<SocketAddr> {
        self.own.iter().copied().find(|own| {
            let ip = address::canonical(own.ip());
            own.port() == port
                && (ip == address || (ip.is_unspecified() && (address.is_loopback() || address.is_unspecified())))
        })
    }
}

impl<'p> Case<'p, '_> {
    /// Judges one address; the rule is that which opened it, where one did.
    pub(super) fn address(&mut self, address: IpAddr) -> Result<Option<Rule>, Refusal> {
        let (policy, port) = (self.policy, self.question.target.port());
        let canonical = address::canonical(address);
        let class = address::classify(address, &policy.nat64);
        if class == Class::Metadata {
            return Err(Refusal::new(Rule::Class(class), Reason::AddressMetadata, address));
        }
        // Together with what it carries: a rule on an IPv4 address also holds for its IPv6 clothes.
        let carried = address::embedded(address, &policy.nat64);
        let forms = || std::iter::once(canonical).chain(carried.iter().copied().map(IpAddr::V4));
        if let Some(own) = forms().find_map(|form| policy.own(form, port)) {
            return Err(Refusal::new(Rule::Own(own), Reason::AddressSelf, SocketAddr::new(canonical, port)));
        }
        if let Some((place, block)) = forms().find_map(|form| policy.deny_blocks.holds(form, port, self.now)) {
            let rule = Rule::DenyBlock(place, Arc::clone(block));
            self.refuse(Refusal::new(rule, Reason::AddressDenied, address))?;
        }
        let literal = matches!(self.question.target.host(), Host::Address(_)) && policy.mode != Mode::Open;
        if class == Class::Public && self.lifted.is_none() && !self.port_by_opening && !literal {
            return Ok(None);
        }
        let translated = address::is_nat64(address, &policy.nat64).then_some(carried.as_slice());
        let (opening, past) = self.opening(canonical, translated.unwrap_or_default());
        if class != Class::Public && opening.is_none() {
            let what = format!("{address} is {}", class.name());
            let refusal = Refusal::new(Rule::Class(class), Reason::AddressInternal, &what);
            return Err(past.map_or(refusal.clone(), |exception| expired(exception, &what, refusal)));
        }
        if !matches!(opening, Some(Opening::Exception(_)))
            && let Some(lifted) = self.lifted.clone()
        {
            self.refuse(lifted)?;
        }
        if literal && opening.is_none() {
            // On a list of names a literal address is none.
            self.refuse(Refusal::new(Rule::NoName, Reason::NameNotAllowed, address))?;
        }
        if self.port_by_opening && !opening.as_ref().is_some_and(Opening::names_port) {
            self.refuse(Refusal::new(Rule::Ports, Reason::PortNotAllowed, port))?;
        }
        Ok(opening.map(|opening| opening.rule()))
    }

    /// What opens an address, or the IPv4 address that a translator makes of it; else an exception that is past.
    fn opening(&self, address: IpAddr, carried: &[Ipv4Addr]) -> (Option<Opening<'p>>, Option<&'p Exception>) {
        let mut past = None;
        let translated = match carried {
            [only] => Some(IpAddr::V4(*only)),
            _ => None,
        };
        let port = self.question.target.port();
        for form in std::iter::once(address).chain(translated) {
            match self.policy.exceptions.for_address(&self.named, form, port, self.now) {
                Some(exception) if exception.is_live(self.now) => return (Some(Opening::Exception(exception)), None),
                other => past = past.or(other),
            }
            if let Some((place, block)) = self.policy.allow_blocks.holds(form, port, self.now) {
                return (Some(Opening::Block(place, block)), None);
            }
        }
        (None, past)
    }
}
