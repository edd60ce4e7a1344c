//! Judges a request: its name first, then every address of the answer.
//!
//! Pure: no lookup, no socket, and the time is handed in. Metadata services and this process itself beat every allow; after
//! them deny beats allow; an internal address passes only by an allowed block or a named exception. One bad address spoils
//! the whole answer unless the policy says that the good ones may be used. In report mode what only the role's own lists
//! refuse passes and is told. Start reading at [`Policy::judge`].

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::SystemTime;

use http::Method;

use crate::address::{self, Class};
use crate::policy::{Block, Denial, Exception, Mixed, Mode, Policy, Reason, Refusal, Rule};
use crate::resolve::Answer;
use crate::target::{Host, Scheme, Target};

/// How many addresses may be connected to; every address of the answer is judged.
pub const MOST_CONNECT: usize = 16;

/// What is asked.
#[derive(Debug, Clone, Copy)]
pub struct Question<'q> {
    /// Where to.
    pub target: &'q Target,
    /// With which method; `None` inside a tunnel, where nobody sees it.
    pub method: Option<&'q Method>,
}

impl<'q> Question<'q> {
    /// Whether a tunnel or a connection to there may be opened.
    pub fn new(target: &'q Target) -> Self {
        Self { target, method: None }
    }

    /// Whether a request with this method may be sent.
    #[must_use]
    pub fn method(mut self, method: &'q Method) -> Self {
        self.method = Some(method);
        self
    }
}

/// What may be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Passed {
    /// What let it pass.
    pub rule: Rule,
    /// What would have refused it if the role were enforced.
    pub would_deny: Option<Refusal>,
    /// The checked addresses, in the answer's order; at least one, at most [`MOST_CONNECT`].
    pub connect_to: Vec<SocketAddr>,
}

/// A question whose name may be looked up.
#[derive(Debug)]
pub struct Case<'p, 'q> {
    policy: &'p Policy,
    question: Question<'q>,
    now: SystemTime,
    rule: Rule,
    would_deny: Option<Refusal>,
    /// Those for the name, live and past.
    named: Vec<&'p Exception>,
    /// What a named exception lifted: it comes back for an address that no exception opens.
    lifted: Option<Refusal>,
    /// The port is open only where what opens the address says so.
    port_by_opening: bool,
}

impl Policy {
    /// Judges all that can be judged before a lookup.
    pub fn judge<'p, 'q>(&'p self, question: Question<'q>, now: SystemTime) -> Result<Case<'p, 'q>, Refusal> {
        let mut case = Case::new(self, question, now);
        match question.target.host() {
            Host::Name(name) => case.name(name)?,
            // Again after the lookup that it does not need; here so that the worst is said first.
            Host::Address(address) => drop(case.address(*address)?),
        }
        case.request()?;
        case.port()?;
        Ok(case)
    }

    /// Judges a name alone, wherever it points and on whichever port; exceptions count as if none had ended.
    pub fn judge_name(&self, name: &str) -> Result<(), Denial> {
        let target = Target::place(Scheme::Http, Host::Name(name.to_owned()), Scheme::Http.default_port());
        let (question, now) = (Question::new(&target), SystemTime::UNIX_EPOCH);
        let mut case = Case::new(self, question, now);
        case.name(name).map_err(|refusal| refusal.denial)
    }

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

    /// A socket that listens on all addresses is reached by any of this machine's: loopback is the one that we know.
    fn own(&self, address: IpAddr, port: u16) -> Option<SocketAddr> {
        self.own.iter().copied().find(|own| {
            let ip = address::canonical(own.ip());
            own.port() == port
                && (ip == address || (ip.is_unspecified() && (address.is_loopback() || address.is_unspecified())))
        })
    }
}

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

impl<'p, 'q> Case<'p, 'q> {
    fn new(policy: &'p Policy, question: Question<'q>, now: SystemTime) -> Self {
        let rule = Rule::Class(Class::Public);
        Self { policy, question, now, rule, would_deny: None, named: Vec::new(), lifted: None, port_by_opening: false }
    }

    /// Judges a whole answer and says which addresses may be connected to.
    pub fn answered(mut self, answer: &Answer) -> Result<Passed, Refusal> {
        for alias in &answer.aliases {
            self.alias(alias)?;
        }
        let port = self.question.target.port();
        let mut good = Vec::with_capacity(answer.addresses.len().min(MOST_CONNECT));
        let mut worst: Option<Refusal> = None;
        for address in &answer.addresses {
            match self.address(*address) {
                Ok(rule) => {
                    if let Some(rule) = rule {
                        self.rule = rule;
                    }
                    good.push(SocketAddr::new(address::canonical(*address), port));
                }
                Err(refusal) => {
                    if worst.as_ref().is_none_or(|known| weight(&refusal) > weight(known)) {
                        worst = Some(refusal);
                    }
                }
            }
        }
        match worst {
            Some(refusal) if good.is_empty() => Err(refusal),
            Some(refusal) if self.policy.mixed == Mixed::Deny => Err(Refusal { mixed: true, ..refusal }),
            None if good.is_empty() => Err(Refusal::new(Rule::Dns, Reason::AddressInternal, "no address")),
            _ => Ok(Passed { rule: self.rule, would_deny: self.would_deny, connect_to: some(good) }),
        }
    }

    /// Refuses; in report mode what comes of the role's own lists is kept for later.
    fn refuse(&mut self, refusal: Refusal) -> Result<(), Refusal> {
        if self.policy.mode == Mode::Report && refusal.is_of_lists() {
            self.would_deny.get_or_insert(refusal);
            return Ok(());
        }
        Err(refusal)
    }

    fn name(&mut self, name: &str) -> Result<(), Refusal> {
        let policy = self.policy;
        self.fixed(name)?;
        self.named = policy.exceptions.for_name(name, self.question.target.port(), self.now);
        let allowed = policy.allow_names.find(name);
        let zone = if allowed.is_none() { internal_zone(name) } else { None };
        let refusal = if is_local(name) {
            Some(Refusal::new(Rule::LocalName, Reason::NameLocal, name))
        } else if let Some(zone) = zone {
            Some(Refusal::new(Rule::InternalZone(zone), Reason::NameInternal, name))
        } else if policy.mode != Mode::Open && allowed.is_none() {
            Some(Refusal::new(Rule::NoName, Reason::NameNotAllowed, name))
        } else {
            None
        };
        if let Some((place, names)) = allowed.filter(|_| policy.mode != Mode::Open) {
            self.rule = Rule::AllowName(place, names.clone());
        }
        let Some(refusal) = refusal else { return Ok(()) };
        match self.named.first() {
            Some(exception) if exception.is_live(self.now) => {
                self.rule = Rule::Exception(exception.name.clone());
                self.lifted = Some(refusal);
                Ok(())
            }
            Some(exception) => {
                let refusal = expired(exception, name, refusal);
                self.refuse(refusal)
            }
            None => self.refuse(refusal),
        }
    }

    /// What no exception lifts.
    fn fixed(&mut self, name: &str) -> Result<(), Refusal> {
        if METADATA_NAMES.contains(&name) {
            return Err(Refusal::new(Rule::MetadataName, Reason::NameMetadata, name));
        }
        match self.policy.deny_names.find(name) {
            Some((place, names)) => {
                self.refuse(Refusal::new(Rule::DenyName(place, names.clone()), Reason::NameDenied, name))
            }
            None => Ok(()),
        }
    }

    /// An alias need not be on the allow list, but it must not lead inside.
    fn alias(&mut self, alias: &str) -> Result<(), Refusal> {
        self.fixed(alias)?;
        if self.lifted.is_some() || self.policy.allow_names.find(alias).is_some() {
            return Ok(());
        }
        let port = self.question.target.port();
        let refusal = match internal_zone(alias) {
            _ if is_local(alias) => Refusal::new(Rule::LocalName, Reason::NameLocal, alias),
            Some(zone) => Refusal::new(Rule::InternalZone(zone), Reason::NameInternal, alias),
            None => return Ok(()),
        };
        let live = |exception: &&&Exception| exception.is_live(self.now);
        let of_alias = self.policy.exceptions.for_name(alias, port, self.now);
        if self.named.iter().find(live).is_some() || of_alias.iter().find(live).is_some() {
            return Ok(());
        }
        Err(refusal)
    }

    /// What is seen of a plain HTTP request.
    fn request(&mut self) -> Result<(), Refusal> {
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

    fn port(&mut self) -> Result<(), Refusal> {
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

    /// Judges one address; the rule is that which opened it, where one did.
    fn address(&mut self, address: IpAddr) -> Result<Option<Rule>, Refusal> {
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
    fn opening(&self, address: IpAddr, carried: &[std::net::Ipv4Addr]) -> (Option<Opening<'p>>, Option<&'p Exception>) {
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

fn expired(exception: &Exception, what: impl std::fmt::Display, refusal: Refusal) -> Refusal {
    let Some(end) = exception.expires else { return refusal };
    let what = format!("{what}, and the exception {} ended on {}", exception.name, crate::reason::Day::before(end));
    Refusal::new(Rule::Expired(exception.name.clone(), end), Reason::ExceptionExpired, what)
}

/// An attempt at a metadata service is what an operator wants to hear of first.
fn weight(refusal: &Refusal) -> u8 {
    match refusal.denial.reason {
        Reason::AddressMetadata => 2,
        Reason::AddressSelf => 1,
        _ => 0,
    }
}

/// As many as may be connected to; of more, the families by turns.
fn some(mut good: Vec<SocketAddr>) -> Vec<SocketAddr> {
    if good.len() > MOST_CONNECT {
        good = by_turns(&good);
        good.truncate(MOST_CONNECT);
    }
    good
}

/// IPv6 and IPv4 by turns (RFC 8305 §4), each in the order of the answer.
pub(crate) fn by_turns(addresses: &[SocketAddr]) -> Vec<SocketAddr> {
    let (v6, v4): (Vec<&SocketAddr>, Vec<&SocketAddr>) = addresses.iter().partition(|address| address.is_ipv6());
    let longest = v6.len().max(v4.len());
    (0..longest).flat_map(|index| [v6.get(index), v4.get(index)]).flatten().copied().copied().collect()
}

fn is_local(name: &str) -> bool {
    LOCAL_NAMES.contains(&name) || is_below(name, "localhost")
}

/// The internal zone that a name is of; a single label is of the empty one.
fn internal_zone(name: &str) -> Option<&'static str> {
    if !name.contains('.') {
        return Some("");
    }
    INTERNAL_ZONES.iter().copied().find(|zone| is_below(name, zone))
}

fn is_below(name: &str, zone: &str) -> bool {
    name == zone || name.strip_suffix(zone).is_some_and(|rest| rest.ends_with('.'))
}

const METADATA_NAMES: &[&str] = &[
    "instance-data",
    "instance-data.ec2.internal",
    "metadata",
    "metadata.goog",
    "metadata.google.internal",
    "metadata.packet.net",
    "metadata.tencentyun.com",
];

/// Names that a hosts file gives to this machine (RFC 6761 §6.3 and common practice).
const LOCAL_NAMES: &[&str] =
    &["broadcasthost", "ip6-localhost", "ip6-loopback", "localhost.localdomain", "localhost4", "localhost6"];

/// Zones that are no part of the public DNS (RFC 6761, 6762, 7686, 8375, 9476, ICANN's .internal, and common practice).
const INTERNAL_ZONES: &[&str] = &[
    "alt",
    "arpa",
    "cluster.local",
    "consul",
    "corp",
    "home",
    "internal",
    "intranet",
    "invalid",
    "lan",
    "local",
    "localdomain",
    "onion",
    "private",
    "svc",
    "test",
];

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::address::Prefix;
    use crate::policy::{BlockSet, Exceptions, NameSet, Names, Opens, PathPrefix, Ports};

    fn names(entries: &[&str]) -> NameSet {
        entries.iter().map(|entry| Names::new(entry).unwrap()).collect()
    }

    fn blocks(entries: &[&str]) -> BlockSet {
        entries.iter().map(|entry| entry.parse::<Block>().unwrap()).collect()
    }

    const NOW: Duration = Duration::from_secs(1_000_000);

    /// What the policy says of a URL whose name has these addresses, as "rule" or "reason by rule".
    fn verdict(policy: &Policy, url: &str, addresses: &[&str]) -> String {
        let now = SystemTime::UNIX_EPOCH + NOW;
        let target = Target::parse(url).unwrap();
        let addresses = match target.host() {
            Host::Address(address) => vec![*address],
            Host::Name(_) => addresses.iter().map(|text| text.parse().unwrap()).collect(),
        };
        let answer = Answer { addresses, ..Answer::default() };
        let judged =
            policy.judge(Question::new(&target).method(&Method::GET), now).and_then(|case| case.answered(&answer));
        match judged {
            Ok(Passed { rule, would_deny: None, .. }) => rule.to_string(),
            Ok(Passed { would_deny: Some(refusal), .. }) => {
                format!("would: {} by {}", refusal.denial.reason, refusal.rule)
            }
            Err(refusal) => format!("{} by {}", refusal.denial.reason, refusal.rule),
        }
    }

    /// An all too trusting policy.
    fn trusting() -> Policy {
        Policy {
            exceptions: vec![Exception::host("mirror", Names::new("mirror.example").unwrap())].into(),
            allow_blocks: blocks(&["0.0.0.0/0", "::/0"]),
            deny_blocks: blocks(&["::ffff:10.9.0.0/112"]),
            nat64: vec!["fd00:64::/96".parse().unwrap()],
            own: vec!["0.0.0.0:80".parse().unwrap(), "[::ffff:10.8.0.1]:80".parse().unwrap()],
            ..Policy::public()
        }
    }

    #[test]
    fn metadata_and_this_process_beat_every_allow_in_whatever_clothes() {
        for mode in [Mode::Open, Mode::Report, Mode::Enforce] {
            let policy = Policy { mode, ..trusting() };
            let check = |address: &str, want: &str| {
                assert_eq!(verdict(&policy, "http://mirror.example/", &[address]), want, "{address} {mode:?}");
            };
            check("10.0.0.1", "exception mirror");
            check("127.0.0.53", "address-self by own address 0.0.0.0:80"); // listening on all addresses
            check("64:ff9b::7f00:1", "address-self by own address 0.0.0.0:80");
            check("10.8.0.1", "address-self by own address [::ffff:10.8.0.1]:80");
            check("fd00:64::a08:1", "address-self by own address [::ffff:10.8.0.1]:80");
            for address in
                ["169.254.169.254", "64:ff9b:1::a9fe:a9fe", "2002:a9fe:a9fe::", "::a9fe:a9fe", "fd00:64::a9fe:a9fe"]
            {
                check(address, "address-metadata by class metadata");
            }
            let reason = verdict(&policy, "http://metadata.google.internal/", &["1.1.1.1"]);
            assert_eq!(reason, "name-metadata by metadata name");
        }
    }

    #[test]
    fn a_denied_block_holds_for_what_an_address_carries() {
        for address in ["10.9.1.1", "::ffff:10.9.1.1", "64:ff9b::a09:101", "fd00:64::a09:101", "2002:a09:101::"] {
            let want = "address-denied by deny_cidrs[0] 10.9.0.0/16";
            assert_eq!(verdict(&trusting(), "http://mirror.example/", &[address]), want, "{address}");
        }
        assert_eq!(verdict(&trusting(), "http://mirror.example/", &["10.10.1.1"]), "exception mirror");
    }

    #[test]
    fn an_opened_block_holds_for_what_a_translator_makes_of_an_address() {
        let policy = Policy { allow_blocks: blocks(&["10.20.0.0/16"]), ..Policy::public() };
        for (address, want) in [
            ("10.20.1.1", "allow_cidrs[0] 10.20.0.0/16"),
            ("::ffff:10.20.1.1", "allow_cidrs[0] 10.20.0.0/16"),
            ("64:ff9b::a14:101", "allow_cidrs[0] 10.20.0.0/16"),
            ("64:ff9b::a15:101", "address-internal by class private"),
            // Nobody says that a 6to4 relay leads to the same network.
            ("2002:a14:101::", "address-internal by class transition"),
        ] {
            assert_eq!(verdict(&policy, "http://a.example/", &[address]), want, "{address}");
        }
    }

    #[test]
    fn a_mixed_answer_is_told_as_one() {
        let target = Target::parse("http://a.example/").unwrap();
        for (addresses, mixed) in [(&["1.1.1.1", "10.0.0.1"][..], true), (&["10.0.0.1"], false)] {
            let answer =
                Answer { addresses: addresses.iter().map(|text| text.parse().unwrap()).collect(), ..Answer::default() };
            let policy = Policy::public();
            let case = policy.judge(Question::new(&target), SystemTime::UNIX_EPOCH).unwrap();
            let refusal = case.answered(&answer).err().unwrap();
            let remedy = refusal.remedy("a.example").unwrap();
            assert_eq!((refusal.mixed, remedy.contains("dns.mixed")), (mixed, mixed), "{remedy}");
            assert!(remedy.starts_with("name an exception for the host a.example"), "{remedy}");
        }
    }

    #[test]
    fn one_bad_address_spoils_the_answer_and_the_worst_is_named() {
        let mut policy = Policy::public();
        let answer = ["1.1.1.1", "10.0.0.1", "169.254.169.254"];
        assert_eq!(verdict(&policy, "http://a.example/", &answer), "address-metadata by class metadata");
        policy.mixed = Mixed::Filter;
        assert_eq!(verdict(&policy, "http://a.example/", &answer), "class public");
        assert_eq!(verdict(&policy, "http://a.example/", &answer[1..]), "address-metadata by class metadata");
    }

    #[test]
    fn an_exception_opens_its_own_place_for_its_time() {
        let end = |seconds| Some(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds));
        let host = Names::new("git.corp").unwrap();
        let block: Prefix = "10.0.0.0/24".parse().unwrap();
        let base = Exception::host("git", host.clone());
        let exceptions: Exceptions = vec![
            Exception { opens: Opens::HostInBlock(host, block), ports: vec![22, 443], ..base.clone() },
            Exception { expires: end(999_999), ..Exception::host("old", Names::new("old.corp").unwrap()) },
            Exception { expires: end(1_000_001), ..Exception::block("lab", "10.7.0.0/16".parse().unwrap()) },
            Exception { expires: end(86_400), ..Exception::block("gone", "10.6.0.0/16".parse().unwrap()) },
        ]
        .into();
        for mode in [Mode::Open, Mode::Enforce] {
            let policy =
                Policy { mode, exceptions: exceptions.clone(), allow_names: names(&["a.example"]), ..Policy::public() };
            for (url, address, want) in [
                ("https://git.corp/", "10.0.0.1", "exception git"),
                ("https://git.corp:22/", "10.0.0.1", "exception git"),
                ("https://git.corp:23/", "10.0.0.1", "name-internal by internal zone corp"),
                ("http://git.corp/", "10.0.0.1", "name-internal by internal zone corp"),
                ("https://git.corp/", "10.0.1.1", "address-internal by class private"),
                ("https://git.corp/", "8.8.8.8", "name-internal by internal zone corp"),
                ("https://old.corp/", "10.0.0.1", "exception-expired by exception old (expired 1970-01-12)"),
                ("https://a.example/", "10.7.0.1", "exception lab"),
                ("https://a.example/", "10.6.0.1", "exception-expired by exception gone (expired 1970-01-01)"),
                ("https://a.example:22/", "10.0.0.1", "address-internal by class private"),
                ("https://a.example:22/", "8.8.8.8", "port-not-allowed by ports"),
                ("https://10.7.0.1/", "", "exception lab"),
                ("https://10.0.0.1/", "", "address-internal by class private"),
                ("https://x.corp/", "8.8.8.8", "name-internal by internal zone corp"),
            ] {
                assert_eq!(verdict(&policy, url, &[address]), want, "{url} {address} {mode:?}");
            }
        }
    }

    #[test]
    fn an_allowed_block_may_open_a_port() {
        let policy = Policy { allow_blocks: blocks(&["10.1.0.0/16:5432", "8.8.4.0/24:853"]), ..Policy::public() };
        for (url, want) in [
            ("http://10.1.0.1:5432/", "allow_cidrs[0] 10.1.0.0/16:5432"),
            ("http://10.1.0.1/", "address-internal by class private"),
            ("http://8.8.4.4:853/", "allow_cidrs[1] 8.8.4.0/24:853"),
            ("http://8.8.8.8:853/", "port-not-allowed by ports"),
            ("http://8.8.8.8:54/", "port-not-allowed by ports"),
        ] {
            assert_eq!(verdict(&policy, url, &[]), want, "{url}");
        }
    }

    #[test]
    fn report_tells_what_the_lists_would_do_and_opens_nothing_else() {
        let policy = Policy {
            mode: Mode::Report,
            allow_names: names(&["a.example", "*.corp"]),
            deny_names: names(&["bad.example"]),
            deny_blocks: blocks(&["8.8.4.0/24"]),
            methods: vec![Method::POST],
            schemes: vec![Scheme::Http],
            paths: vec!["/v1".parse::<PathPrefix>().unwrap()],
            ports: Ports::Only(vec![80]),
            ..Policy::public()
        };
        for (url, address, want) in [
            ("http://bad.example/", "1.1.1.1", "would: name-denied by deny_domains[0] bad.example"),
            ("http://b.example/", "1.1.1.1", "would: name-not-allowed by allow_domains"),
            ("http://1.1.1.1/v1", "", "would: name-not-allowed by allow_domains"),
            ("https://a.example/", "1.1.1.1", "would: scheme-not-allowed by schemes"),
            ("http://a.example:81/v1", "1.1.1.1", "would: method-not-allowed by methods"),
            ("http://b.example/", "10.0.0.1", "address-internal by class private"),
            ("http://b.example/", "169.254.169.254", "address-metadata by class metadata"),
            ("http://localhost/", "1.1.1.1", "name-local by local name"),
            ("http://x.local/", "1.1.1.1", "name-internal by internal zone local"),
            ("http://git.corp/", "10.0.0.1", "address-internal by class private"),
        ] {
            assert_eq!(verdict(&policy, url, &[address]), want, "{url}");
        }
        let plain = Policy { methods: Vec::new(), ..policy };
        for (url, address, want) in [
            ("http://a.example/v2", "1.1.1.1", "would: path-not-allowed by paths"),
            ("http://a.example:81/v1", "1.1.1.1", "would: port-not-allowed by ports"),
            ("http://a.example/v1", "8.8.4.4", "would: address-denied by deny_cidrs[0] 8.8.4.0/24"),
            ("http://a.example/v1/x", "1.1.1.1", "allow_domains[0] a.example"),
        ] {
            assert_eq!(verdict(&plain, url, &[address]), want, "{url}");
        }
    }

    #[test]
    fn every_address_is_judged_and_some_are_for_connecting() {
        let v4 = (1..=200u8).map(|last| IpAddr::from([93, 184, 215, last]));
        let v6 = (1..=200u16).map(|last| IpAddr::from([0x2606, 0x4700, 0, 0, 0, 0, 0, last]));
        let mut answer = Answer { addresses: v4.chain(v6).collect(), ..Answer::default() };
        let policy = Policy::public();
        let target = Target::parse("http://a.example/").unwrap();
        let judge = |answer: &Answer| {
            policy.judge(Question::new(&target), SystemTime::UNIX_EPOCH).and_then(|case| case.answered(answer))
        };
        let passed = judge(&answer).unwrap();
        assert_eq!(passed.connect_to.len(), MOST_CONNECT);
        assert_eq!(passed.connect_to.iter().filter(|address| address.is_ipv4()).count(), MOST_CONNECT / 2);
        answer.addresses.push("127.0.0.1".parse().unwrap());
        assert_eq!(judge(&answer).unwrap_err().denial.reason, Reason::AddressInternal);
    }
}
