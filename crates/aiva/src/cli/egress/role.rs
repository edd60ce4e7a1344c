//! The policy of a role, as configured.

use aiva_egress::config::Mode as Strictness;
use aiva_outbound::policy::{Mode, Names, Policy};
use anyhow::Result;

use crate::failure::Failure;
use crate::settings::Settings;

/// The role's policy; any public name on ports 80 and 443 where none is named.
pub(super) fn policy(settings: &Settings, name: Option<&str>) -> Result<Policy> {
    let Some(name) = name else { return Ok(Policy::public()) };
    let Some(role) = settings.egress.roles.get(name) else {
        let known: Vec<&str> = settings.egress.roles.keys().map(String::as_str).collect();
        let hint = match known.as_slice() {
            [] => format!("no role is configured; add [egress.roles.{name}]"),
            known => format!("the configured roles are {}", known.join(", ")),
        };
        return Err(Failure::new(format!("there is no role {name:?}")).hint(hint).into());
    };
    let mut policy = Policy::public();
    policy.mode = match role.mode {
        Strictness::Enforce => Mode::Enforce,
        Strictness::Report => Mode::Report,
        Strictness::Open => Mode::Open,
    };
    policy.allow_names = role.allow_domains.iter().filter_map(|name| Names::new(name)).collect();
    Ok(policy)
}
