//! The section `[egress]`: what each service may reach, by role.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use aiva_chassis::config::Reader;
use aiva_chassis::{config_section, config_words};

config_section! {
    /// Where services may call out, through the proxy.
    pub struct Egress checks check_egress {
        /// Where the proxy listens: HTTP/1.1 in absolute form, CONNECT and SOCKS5.
        pub listen: SocketAddr = "127.0.0.1:4750";
        /// What a client with this role may reach.
        pub roles: BTreeMap<String, Role>;
    }
}

/// The role of callers that nobody knows.
pub const DEFAULT: &str = "default";

config_section! {
    /// One role.
    pub struct Role checks check_role {
        /// "enforce" refuses, "report" only says what it would refuse, "open" lets every public address pass.
        pub mode: Mode = "enforce";
        /// Names that may be reached; "*.x" is any depth below x, not x itself.
        pub allow_domains: Vec<String>, example "[\"api.stripe.com\", \"*.example.net\"]";
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
    }
}

fn check_egress(egress: &Egress, reader: &mut Reader<'_>) {
    if egress.roles.keys().any(|name| name != DEFAULT) {
        reader.hazard("roles", "other than `default` are checked but used for nobody: this release knows no callers");
    }
    if !egress.listen.ip().is_loopback() {
        reader.hazard("listen", "is reachable from other machines and asks nobody who they are: bind it to loopback, or let a network policy keep strangers out");
    }
}

fn check_role(role: &Role, reader: &mut Reader<'_>) {
    for (index, domain) in role.allow_domains.iter().enumerate() {
        let name = domain.strip_prefix("*.").unwrap_or(domain);
        let is_label = |label: &str| {
            (1..=63).contains(&label.len())
                && !label.starts_with('-')
                && !label.ends_with('-')
                && label.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
        };
        if name.len() > 253 || !name.split('.').all(is_label) {
            let message =
                format!("{domain:?} is no host name; write api.example.com or *.example.com, without scheme or port");
            reader.refuse(&format!("allow_domains[{index}]"), message);
        }
    }
}
