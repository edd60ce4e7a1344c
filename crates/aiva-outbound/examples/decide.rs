//! Asks the engine about URLs without connecting: what decided, and what an operator could change.
//!
//! `cargo run -p aiva-outbound --example decide -- https://example.com/ http://169.254.169.254/ http://0x7f.1/`

use std::io::Write as _;
use std::time::{Duration, SystemTime};

use aiva_outbound::policy::{Exception, Names, Opens, Policy};
use aiva_outbound::resolve::Dns;
use aiva_outbound::{Engine, Mode};
use http::Method;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut policy = Policy::public();
    policy.mode = Mode::Enforce;
    policy.allow_names.extend(["example.com", "*.example.net"].into_iter().filter_map(Names::new));
    // One internal host, where it points into one network, on one port, until a year after 1970: it has ended.
    policy.exceptions.push(Exception {
        name: "internal-mirror".into(),
        opens: Opens::HostInBlock(Names::new("mirror.corp").ok_or("no name")?, "10.20.0.0/16".parse()?),
        ports: vec![443],
        owner: "platform@example.com".to_owned(),
        reason: "packages".to_owned(),
        expires: Some(SystemTime::UNIX_EPOCH + Duration::from_secs(365 * 24 * 60 * 60)),
    });
    let (engine, resolver) = (Engine::default(), Dns::system());
    let mut out = std::io::stdout();
    for url in std::env::args().skip(1) {
        let verdict = engine.decide_text(&policy, &resolver, &url, Some(&Method::GET)).await;
        writeln!(out, "{url}: {} by {}; connect to {:?}", verdict.reason(), verdict.rule, verdict.connect_to)?;
        if let Some(remedy) = verdict.remedy {
            writeln!(out, "  to allow it: {remedy}")?;
        }
    }
    Ok(())
}
