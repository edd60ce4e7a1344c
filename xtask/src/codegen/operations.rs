//! Per tag a module with its operations and the types of their path and query parameters.

use std::fmt::Write as _;

use anyhow::Result;

use super::openapi::{Contract, Ordered, Parameter, Place};
use super::types::{Structure, docs, pascal, structure};

/// One row of an operation table.
struct Row<'a> {
    variant: String,
    id: &'a str,
    method: &'static str,
    path: &'a str,
    permission: &'a str,
    summary: &'a str,
}

pub(super) fn emit(contract: &Contract) -> Result<String> {
    let mut out = String::new();
    for tag in &contract.tags {
        docs(&mut out, &tag.description);
        writeln!(out, "pub mod {} {{", tag.name)?;
        let mut rows = Vec::new();
        let mut parameters = String::new();
        for (path, method, item, operation) in contract.operations().filter(|(_, _, _, o)| o.tags[0] == tag.name) {
            let variant = pascal(&operation.operation_id);
            let all = contract.parameters(item, operation)?;
            for (place, suffix, words) in [(Place::Path, "Path", "path"), (Place::Query, "Query", "query")] {
                parameter_type(&mut parameters, contract, &all, place, &format!("{variant}{suffix}"), words)?;
            }
            rows.push(Row {
                variant,
                id: &operation.operation_id,
                method,
                path,
                permission: &operation.permission,
                summary: &operation.summary,
            });
        }
        if !parameters.is_empty() {
            writeln!(out, "use super::*;")?;
        }
        table(&mut out, &rows)?;
        out.push_str(&parameters);
        writeln!(out, "}}")?;
    }
    Ok(out)
}

fn parameter_type(
    out: &mut String,
    contract: &Contract,
    all: &[&Parameter],
    place: Place,
    name: &str,
    words: &str,
) -> Result<()> {
    let here: Vec<&&Parameter> = all.iter().filter(|parameter| parameter.place == place).collect();
    if here.is_empty() {
        return Ok(());
    }
    let properties = Ordered(
        here.iter()
            .map(|parameter| {
                let mut schema = parameter.schema.clone();
                schema.description = Some(parameter.description.clone());
                (parameter.name.clone(), schema)
            })
            .collect(),
    );
    let required: Vec<String> = here.iter().filter(|p| p.required).map(|p| p.name.clone()).collect();
    let description = format!("The {words} parameters of this operation.");
    structure(
        out,
        contract,
        &Structure { name, description: &description, properties: &properties, required: &required, strict: true },
    )
}

fn table(out: &mut String, rows: &[Row<'_>]) -> Result<()> {
    writeln!(
        out,
        "/// What can be done here. A `match` over it that names every variant is a router without gaps.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Operation {{"
    )?;
    for row in rows {
        writeln!(out, "/// `{} {}`: {}\n{},", row.method, row.path, row.summary, row.variant)?;
    }
    let arms = |value: fn(&Row<'_>) -> String| {
        rows.iter().map(|row| format!("Self::{} => {:?},", row.variant, value(row))).collect::<String>()
    };
    writeln!(
        out,
        "}}
        impl Operation {{
            /// Every operation, in the order of the contract.
            pub const ALL: &'static [Self] = &[{all}];
            /// Its `operationId`.
            pub const fn id(self) -> &'static str {{ match self {{ {ids} }} }}
            /// Its method, in capitals.
            pub const fn method(self) -> &'static str {{ match self {{ {methods} }} }}
            /// Its path template.
            pub const fn path(self) -> &'static str {{ match self {{ {paths} }} }}
            /// The permission that a caller must hold, or `public`.
            pub const fn permission(self) -> &'static str {{ match self {{ {permissions} }} }}
        }}",
        all = rows.iter().map(|row| format!("Self::{}", row.variant)).collect::<Vec<_>>().join(", "),
        ids = arms(|row| row.id.to_owned()),
        methods = arms(|row| row.method.to_owned()),
        paths = arms(|row| row.path.to_owned()),
        permissions = arms(|row| row.permission.to_owned()),
    )?;
    Ok(())
}
