//! `[egress.upstreams.NAME]`: a proxy on the way out, and what goes past it.
//!
//! Which role goes through which is said by `egress.upstream` and by the role's own `upstream`.

use std::time::Duration;

use aiva_chassis::config::{HttpUrl, Reader};
use aiva_chassis::config_section;
use aiva_chassis::secret::Secret;

config_section! {
    /// One proxy on the way out. It is asked for tunnels to addresses that were checked here, never for names, so that it
    /// cannot look up anything else. It may be internal, and no caller can reach it as a destination.
    pub struct Upstream checks check_upstream {
        /// Where it listens; https:// for TLS to the proxy itself.
        pub url: HttpUrl, example "\"https://proxy.corp.example:3128\"";
        /// user:password, where it wants them.
        pub credentials: Option<Secret>, example "{ env = \"AIVA_UPSTREAM_CREDENTIALS\" }";
        /// Authorities (PEM) that its certificate is believed by; the system's if left out.
        pub ca: Option<Secret>, example "{ file = \"/etc/aiva/proxy-ca.crt\" }";
        /// Names that are connected to directly; "*.x" is any depth below x, not x itself.
        pub direct_domains: Vec<String>, example "[\"*.corp.example\"]";
        /// Networks that are connected to directly, where every address of a name is in one of them.
        pub direct_cidrs: Vec<String>, example "[\"10.0.0.0/8\"]";
        /// How long it may take to open one tunnel.
        pub timeout: Duration = "10s";
    }
}

fn check_upstream(upstream: &Upstream, reader: &mut Reader<'_>) {
    for entry in crate::role::upstream::wrong(upstream) {
        reader.refuse(&entry.key, entry.message);
    }
    if upstream.credentials.is_some() && !upstream.url.is_private() {
        reader.hazard("credentials", "go to the upstream in plain: let it take https://, or none");
    }
}
