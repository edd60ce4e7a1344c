//! Roles that a running server keeps, for questions that are answered here.
//!
//! They are read as the server reads them, and go beside the configuration's; the file's win, as there.

use std::collections::BTreeMap;

use aiva_egress::config::{Role, stored};
use anyhow::Result;
use serde::Deserialize;
use serde_json::Value;

use crate::cli::Server;
use crate::cli::remote::Api;
use crate::failure::Failure;
use crate::settings::Found;

#[derive(Deserialize)]
struct List {
    items: Vec<One>,
}

#[derive(Deserialize)]
struct One {
    name: String,
    origin: String,
    /// As it was said: an empty list is not one that was left out.
    role: Value,
}

/// All that the server has stored.
pub(super) fn roles(server: &Server, found: &Found) -> Result<BTreeMap<String, Role>> {
    let api = Api::of(server, found)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let List { items } = runtime.block_on(api.get("/v1/egress/roles"))?;
    let mut roles = BTreeMap::new();
    for One { name, role, .. } in items.into_iter().filter(|one| one.origin == "api") {
        let read = stored::read(&role).map_err(|wrong| {
            let wrong: Vec<String> = wrong.iter().map(ToString::to_string).collect();
            Failure::new(format!("the stored role {name:?} cannot be read: {}", wrong.join(", ")))
                .hint("is the server of another release?")
        })?;
        roles.insert(name, read);
    }
    Ok(roles)
}
