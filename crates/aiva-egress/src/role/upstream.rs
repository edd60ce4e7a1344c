//! Which requests of a role go through a proxy on the way out, made of what the file says.
//!
//! Promises: the configuration's check and the guard read an entry alike; what goes past the upstream was judged like
//! everything else, "direct" only says who connects. Start reading at [`Route::through`].

use std::net::SocketAddr;
use std::sync::Arc;

use aiva_chassis::secret::Secret;
use aiva_outbound::client::Tls;
use aiva_outbound::policy::{Block, BlockSet, NameSet, Names};
use aiva_outbound::resolve::Resolver;
use aiva_outbound::{Denial, Host, Policy, Reason, Refusal, Rule, Scheme, Target, Verdict};

use super::{Wrong, Wrongs, block, names};
use crate::config;
use crate::proxy::upstream::{Place, Upstream};

/// An upstream and what goes past it.
pub struct Route {
    /// The upstream.
    pub upstream: Arc<Upstream>,
    direct_names: NameSet,
    direct_blocks: BlockSet,
}

impl Route {
    /// As the file has it. `kept` is the same upstream of the configuration before, with what is known of it.
    ///
    /// # Errors
    /// Every entry that cannot be routed by.
    pub fn new(
        name: &str,
        config: &config::Upstream,
        resolver: Arc<dyn Resolver>,
        kept: Option<Arc<Upstream>>,
    ) -> Result<Self, Vec<Wrong>> {
        let read = Read::of(config)?;
        let upstream = kept.unwrap_or_else(|| Arc::new(Upstream::new(name, read.place, config.timeout, resolver)));
        Ok(Self { upstream, direct_names: read.direct_names, direct_blocks: read.direct_blocks })
    }

    /// The upstream that leads to these checked addresses of a target; `None` where they are connected to directly.
    pub fn through(&self, target: &Target, connect_to: &[SocketAddr]) -> Option<&Arc<Upstream>> {
        let by_name = match target.host() {
            Host::Name(name) => self.direct_names.find(name).is_some(),
            Host::Address(_) => false,
        };
        let by_address = || {
            !connect_to.is_empty()
                && connect_to.iter().all(|address| self.direct_blocks.find(*address, |_| true).is_some())
        };
        (!by_name && !by_address()).then_some(&self.upstream)
    }
}

/// Every upstream of the guard: no caller reaches one as a destination, whatever its role allows, because it would forward
/// whatever it is asked to.
#[derive(Default)]
pub struct Upstreams(Vec<Arc<Upstream>>);

impl Upstreams {
    /// These.
    pub fn new(all: Vec<Arc<Upstream>>) -> Self {
        Self(all)
    }

    /// Those that have failed every time lately, by name.
    pub fn down(&self) -> Vec<Arc<str>> {
        self.0.iter().filter(|upstream| upstream.is_down()).map(|upstream| Arc::clone(upstream.name())).collect()
    }

    /// Turns what was allowed into a refusal where it leads to an upstream.
    pub async fn shut(&self, policy: &Policy, target: &Target, verdict: Verdict) -> Verdict {
        if !verdict.is_allowed() {
            return verdict;
        }
        for upstream in &self.0 {
            if upstream.is_at(target.host(), target.port(), &verdict.connect_to, &policy.nat64).await {
                let what = format!("{}:{}", target.host(), target.port());
                let denial = Denial { reason: Reason::AddressUpstream, what };
                let refusal = Refusal { rule: Rule::Upstream(Arc::clone(upstream.name())), denial, mixed: false };
                let refused = Verdict::refused(refusal, &target.host().to_string());
                return Verdict { answer: verdict.answer, cached: verdict.cached, ..refused };
            }
        }
        verdict
    }

    /// Whether an address of a target is known to be an upstream's.
    pub fn hold(&self, policy: &Policy, target: &Target, address: SocketAddr) -> bool {
        self.0.iter().any(|upstream| upstream.was_at(target.host(), target.port(), &[address], &policy.nat64))
    }
}

struct Read {
    place: Place,
    direct_names: NameSet,
    direct_blocks: BlockSet,
}

impl Read {
    fn of(config: &config::Upstream) -> Result<Self, Vec<Wrong>> {
        let mut wrong = Wrongs(Vec::new());
        let target = target(config).map_err(|message| wrong.add("url".to_owned(), message)).ok();
        let tls = match target.as_ref().map(Target::scheme) {
            Some(Scheme::Https) => tls(config.ca.as_ref()).map_err(|message| wrong.add("ca".to_owned(), message)).ok(),
            Some(Scheme::Http) if config.ca.is_some() => {
                wrong.add("ca".to_owned(), "is for an upstream that takes https://".to_owned());
                None
            }
            _ => None,
        };
        let credentials = config.credentials.as_ref().map(credentials);
        let credentials = credentials.transpose().map_err(|message| wrong.add("credentials".to_owned(), message)).ok();
        if config.timeout.is_zero() {
            wrong.add("timeout".to_owned(), "must be longer than nothing".to_owned());
        }
        let direct_names: Vec<Names> = wrong.each("direct_domains", &config.direct_domains, |entry| names(entry));
        let direct_blocks: Vec<Block> = wrong.each("direct_cidrs", &config.direct_cidrs, |entry| block(entry));
        match (target, credentials) {
            (Some(target), Some(credentials)) if wrong.0.is_empty() => Ok(Self {
                place: Place { host: target.host().clone(), port: target.port(), tls, credentials },
                direct_names: direct_names.into(),
                direct_blocks: direct_blocks.into_iter().collect(),
            }),
            _ => Err(wrong.0),
        }
    }
}

/// What is wrong with an upstream as the file has it.
pub(crate) fn wrong(config: &config::Upstream) -> Vec<Wrong> {
    Read::of(config).err().unwrap_or_default()
}

fn target(config: &config::Upstream) -> Result<Target, String> {
    let text = config.url.to_string();
    let target = Target::parse(&text).map_err(|reason| format!("is no place that can be called: {reason}"))?;
    if target.path_and_query() != "/" || target.credentials().is_some() {
        return Err("names a proxy by scheme, host and port: http://proxy.corp.example:3128".to_owned());
    }
    Ok(target)
}

fn tls(ca: Option<&Secret>) -> Result<Tls, String> {
    match ca {
        Some(pem) => Tls::none().with_pem(pem.expose().as_bytes()),
        None => Ok(Tls::system()),
    }
}

/// What the Basic scheme of HTTP can carry: a user without a colon, and no control characters.
fn credentials(secret: &Secret) -> Result<Secret, String> {
    let text = secret.expose();
    match text.split_once(':') {
        Some((user, _)) if !user.is_empty() && !text.chars().any(char::is_control) => Ok(secret.clone()),
        _ => Err("are no user:password".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use aiva_chassis::config::Sources;
    use aiva_outbound::resolve::Fixed;

    use super::*;

    fn parsed(keys: &str) -> Result<config::Upstream, String> {
        aiva_chassis::config_section! {
            /// As in the program.
            struct Root {
                /// The section.
                upstream: config::Upstream;
            }
        }
        let text = format!("[upstream]\n{keys}\n");
        let env = [("NOBODY", "nobody"), ("X", "x")].map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        let open = |_: &str| Err(std::io::ErrorKind::NotFound.into());
        let sources = Sources { file: Some(("aiva.toml", &text)), env, flags: Vec::new(), open: &open };
        let loaded = aiva_chassis::config::load::<Root>(&sources);
        loaded.map(|loaded| loaded.config.upstream).map_err(|error| error.to_string())
    }

    #[test]
    fn what_cannot_be_routed_by_is_named() {
        for (keys, want) in [
            ("url = \"http://proxy.corp.example:3128\"", ""),
            ("url = \"http://10.0.0.1:3128\"\ntimeout = \"0s\"", "timeout"),
            ("url = \"http://proxy.corp.example:3128/x\"", "url"),
            ("url = \"http://user:pass@proxy.corp.example:3128\"", "url"),
            (
                "url = \"http://proxy.corp.example:3128\"\ndirect_domains = [\"*.a.example\", \"*\"]",
                "direct_domains[1]",
            ),
            ("url = \"http://proxy.corp.example:3128\"\ndirect_cidrs = [\"10.0.0.0/99\"]", "direct_cidrs[0]"),
            ("url = \"http://proxy.corp.example:3128\"\ncredentials = { env = \"NOBODY\" }", "credentials"),
            ("url = \"http://proxy.corp.example:3128\"\nca = { env = \"X\" }", "ca"),
            ("url = \"https://proxy.corp.example:3128\"\nca = { env = \"X\" }", "ca"),
        ] {
            match (parsed(keys), want) {
                (Ok(_), "") => {}
                (Err(error), want) => assert!(!want.is_empty() && error.contains(want), "{keys}: {error}"),
                (Ok(_), want) => panic!("{keys}: {want} is wrong"),
            }
        }
    }

    #[test]
    fn names_and_networks_go_past_it() {
        let keys = "url = \"http://proxy.corp.example:3128\"\ndirect_domains = [\"*.corp.example\"]\ndirect_cidrs = [\"10.0.0.0/8\"]";
        let route = Route::new("corp", &parsed(keys).unwrap(), Arc::new(Fixed::default()), None).unwrap();
        for (url, addresses, through) in [
            ("https://a.example.com", &["93.184.216.34:443"][..], true),
            ("https://git.corp.example", &["93.184.216.34:443"], false),
            ("https://corp.example", &["93.184.216.34:443"], true),
            ("https://a.example.com", &["10.1.1.1:443"], false),
            ("https://a.example.com", &["10.1.1.1:443", "93.184.216.34:443"], true), // one of them is not inside
            ("https://[::ffff:10.1.1.1]", &["[::ffff:10.1.1.1]:443"], false),        // v4 in v6 clothing
        ] {
            let addresses: Vec<SocketAddr> = addresses.iter().map(|text| text.parse().unwrap()).collect();
            let target = Target::parse(url).unwrap();
            assert_eq!(route.through(&target, &addresses).is_some(), through, "{url} at {addresses:?}");
        }
    }
}
