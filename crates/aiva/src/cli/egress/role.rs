//! The policy of a role, as configured.

use aiva_egress::role;
use aiva_outbound::policy::Policy;
use anyhow::Result;

use crate::failure::Failure;
use crate::settings::Settings;

/// The complete policy of a role.
pub(super) fn policy(settings: &Settings, name: &str) -> Result<Policy> {
    let role = settings.egress.roles.get(name).ok_or_else(|| unknown(settings.egress.roles.keys(), name))?;
    role::policy(role).map_err(|wrong| {
        let wrong: Vec<String> = wrong.iter().map(ToString::to_string).collect();
        Failure::new(format!("the role {name:?} cannot be judged by: {}", wrong.join(", "))).into()
    })
}

/// There is no such role.
pub(super) fn unknown(known: impl IntoIterator<Item = impl ToString>, name: &str) -> Failure {
    let known: Vec<String> = known.into_iter().map(|name| name.to_string()).collect();
    let hint = match known.as_slice() {
        [] => format!("no role is configured; add [egress.roles.{name}]"),
        known => format!("the roles are {}; what a running server keeps is looked for with --stored", known.join(", ")),
    };
    Failure::new(format!("there is no role {name:?}")).hint(hint)
}
