//! `[egress.roles.NAME]`: what callers with this role may reach, within which bounds, and what is looked at inside tunnels.
//!
//! What a list's entries mean is said by [`crate::role`], which this module asks whether it could judge by them.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use aiva_chassis::config::{ByteSize, Network, Reader};
use aiva_chassis::{config_section, config_words};
use jiff::civil::Date;

config_section! {
    /// One role. Metadata services, this machine and internal addresses stay shut whatever it says; the only ways inside are
    /// `allow_cidrs` and exceptions, and both have an owner and an end.
    pub struct Role checks check_role {
        /// "enforce" refuses, "report" only says what it would refuse, "open" lets every public name pass, "learn" is "report"
        /// until `aiva egress learn` has proposed a role from what was seen.
        pub mode: Mode = "enforce";
        /// Names that may be reached; "*.x" is any depth below x, not x itself. None if empty, but for mode "open".
        pub allow_domains: Vec<String>, example "[\"api.stripe.com\", \"*.example.net\"]";
        /// Names that may never be reached; they win over allowed ones.
        pub deny_domains: Vec<String>, example "[\"*.pastebin.com\"]";
        /// Ports; any if empty.
        pub ports: Vec<u16> = [80, 443];
        /// "http" and "https"; a tunnel counts as https.
        pub schemes: Vec<SchemeName> = ["http", "https"];
        /// Methods of plain HTTP; any if empty.
        pub methods: Vec<String>, example "[\"GET\", \"HEAD\"]";
        /// Paths of plain HTTP, each with all below it; any if empty.
        pub paths: Vec<String>, example "[\"/v1/\"]";
        /// Networks that may never be reached, as "10.0.0.0/8" or "10.0.0.0/8:443".
        pub deny_cidrs: Vec<String>, example "[\"203.0.113.0/24\"]";
        /// The network's own NAT64 prefixes (RFC 6052): an address in them is judged as the IPv4 address that it means.
        pub nat64_prefixes: Vec<Network>, example "[\"2001:db8:64::/96\"]";
        /// Networks that may be reached although they are not public.
        pub allow_cidrs: Vec<AllowedCidr>;
        /// Named ways to internal places.
        pub exceptions: BTreeMap<String, Exception>;
        /// The upstream that it goes through, or "direct"; `egress.upstream` if left out.
        pub upstream: Option<String>, example "\"direct\"";
        /// Who looks names up.
        pub dns: Dns;
        /// What is looked at inside tunnels.
        pub inspection: Inspection;
        /// Bounds of one request or tunnel.
        pub bounds: Bounds;
        /// Bounds of all of the role's callers together.
        pub budgets: Budgets;
    }
}

config_section! {
    /// One network that may be reached although it is not public.
    pub struct AllowedCidr {
        /// The network; with a port, that port only, which it opens as well.
        pub cidr: String, example "\"10.20.0.0/16:5432\"";
        /// Who answers for it.
        pub owner: String, example "\"ana@example.com\"";
        /// The last day on which it holds (UTC).
        pub expires: Date, example "2027-01-31";
    }
}

config_section! {
    /// One named way to an internal place: a host wherever it points, a network whoever points there, or both together.
    pub struct Exception {
        /// The host, or "*.x" for all below x.
        pub host: Option<String>, example "\"mirror.internal\"";
        /// The address or network.
        pub address: Option<String>, example "\"10.20.1.0/24\"";
        /// The ports, which it opens as well; the role's if empty.
        pub ports: Vec<u16>, example "[8080]";
        /// Who answers for it.
        pub owner: String, example "\"ana@example.com\"";
        /// Why it is there.
        pub reason: String, example "\"package mirror\"";
        /// The last day on which it holds (UTC).
        pub expires: Date, example "2027-01-31";
    }
}

config_section! {
    /// Who looks names up, and what to make of an answer with public and internal addresses.
    pub struct Dns {
        /// Name servers, with port; the system's if empty.
        pub servers: Vec<SocketAddr>, example "[\"10.0.0.53:53\"]";
        /// "deny" refuses a name with public and internal addresses, "filter" uses its public ones.
        pub mixed: Mixed = "deny";
    }
}

config_section! {
    /// What is looked at inside tunnels: "off", "report" (recorded) or "enforce" (the tunnel is closed).
    pub struct Inspection {
        /// A TLS ClientHello for another name than the tunnel's, that the role does not allow for its address either.
        pub sni: Level = "off";
        /// A ClientHello for no name, in a tunnel to a name.
        pub missing_sni: Level = "off";
        /// An encrypted ClientHello: nobody sees the name.
        pub ech: Level = "off";
        /// Anything but TLS: SSH, plain HTTP, SMTP, ...
        pub protocols: Level = "off";
    }
}

config_section! {
    /// Bounds of one request or tunnel.
    pub struct Bounds {
        /// To have a connection.
        pub connect: Duration = "10s";
        /// From a request to the head of its answer.
        pub first_byte: Duration = "60s";
        /// How long nothing may stir.
        pub idle: Duration = "5m";
        /// How long a request may take in all.
        pub request: Duration = "1h";
        /// How long a tunnel may be open; no limit if left out.
        pub tunnel: Option<Duration>, example "\"12h\"";
        /// The most bytes of an answer, and of each direction of a tunnel; no limit if left out.
        pub max_bytes: Option<ByteSize>, example "\"1GiB\"";
    }
}

config_section! {
    /// Bounds of all of the role's callers together, in this process. What is over is refused with 429.
    pub struct Budgets {
        /// The time that requests and bytes are counted over.
        pub window: Duration = "1m";
        /// Requests and tunnels in that time; no limit if left out.
        pub requests: Option<u64>, example "6000";
        /// Tunnels open at once; no limit if left out.
        pub tunnels: Option<u64>, example "500";
        /// Bytes in that time, both directions, counted when a request or tunnel ends; no limit if left out.
        pub bytes: Option<ByteSize>, example "\"10GiB\"";
    }
}

config_words! {
    /// How strict a role is.
    pub enum Mode {
        /// Refuse what is not allowed.
        Enforce = "enforce",
        /// Say what would be refused.
        Report = "report",
        /// Any public address.
        Open = "open",
        /// See what is asked for.
        Learn = "learn",
    }
}

config_words! {
    /// How to talk.
    pub enum SchemeName {
        /// Plain HTTP.
        Http = "http",
        /// HTTP over TLS, and tunnels.
        Https = "https",
    }
}

config_words! {
    /// What to make of a mixed answer.
    pub enum Mixed {
        /// Refuse.
        Deny = "deny",
        /// Use the public addresses.
        Filter = "filter",
    }
}

config_words! {
    /// What something found inside a tunnel means.
    pub enum Level {
        /// Not looked at.
        Off = "off",
        /// Recorded.
        Report = "report",
        /// The tunnel is closed.
        Enforce = "enforce",
    }
}

impl Default for Role {
    /// What an empty table says.
    fn default() -> Self {
        let seconds = Duration::from_secs;
        Self {
            mode: Mode::Enforce,
            allow_domains: Vec::new(),
            deny_domains: Vec::new(),
            ports: vec![80, 443],
            schemes: vec![SchemeName::Http, SchemeName::Https],
            methods: Vec::new(),
            paths: Vec::new(),
            deny_cidrs: Vec::new(),
            nat64_prefixes: Vec::new(),
            allow_cidrs: Vec::new(),
            exceptions: BTreeMap::new(),
            upstream: None,
            dns: Dns { servers: Vec::new(), mixed: Mixed::Deny },
            inspection: Inspection { sni: Level::Off, missing_sni: Level::Off, ech: Level::Off, protocols: Level::Off },
            bounds: Bounds {
                connect: seconds(10),
                first_byte: seconds(60),
                idle: seconds(300),
                request: seconds(3600),
                tunnel: None,
                max_bytes: None,
            },
            budgets: Budgets { window: seconds(60), requests: None, tunnels: None, bytes: None },
        }
    }
}

fn check_role(role: &Role, reader: &mut Reader<'_>) {
    if let Err(wrong) = crate::role::check(role) {
        for entry in wrong {
            reader.refuse(&entry.key, entry.message);
        }
    }
    let bounds = &role.bounds;
    for (key, duration) in [
        ("bounds.connect", Some(bounds.connect)),
        ("bounds.first_byte", Some(bounds.first_byte)),
        ("bounds.idle", Some(bounds.idle)),
        ("bounds.request", Some(bounds.request)),
        ("bounds.tunnel", bounds.tunnel),
        ("budgets.window", Some(role.budgets.window)),
    ] {
        if duration.is_some_and(|duration| duration.is_zero()) {
            reader.refuse(key, "must be longer than nothing");
        }
    }
    for (name, exception) in &role.exceptions {
        if let Some(zone) =
            exception.host.as_deref().and_then(|host| host.strip_prefix("*.")).filter(|zone| is_public(zone))
        {
            let message =
                format!("opens internal addresses to every name below {zone}, and anybody can have one: name the host");
            reader.advise(&format!("exceptions.{name}.host"), message);
        }
    }
    if role.schemes.is_empty() {
        reader.refuse("schemes", "without any, nothing can be reached: leave it out for both");
    }
}

/// Whether anybody may have a name in this zone: a single label that is none of those which companies keep to themselves.
fn is_public(zone: &str) -> bool {
    const OWN: [&str; 10] =
        ["corp", "home", "internal", "intranet", "lan", "local", "localdomain", "private", "svc", "test"];
    !zone.contains('.') && !OWN.contains(&zone)
}
