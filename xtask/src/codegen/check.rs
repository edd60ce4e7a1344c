//! What our contract must say beyond being OpenAPI: bounds on everything, every refusal named, one permission each.

use std::collections::BTreeSet;

use anyhow::{Context, Result, bail, ensure};

use super::openapi::{Contract, Operation, Parameter, Place, Schema, Shape};

pub(super) fn check(contract: &Contract) -> Result<()> {
    for (name, schema) in &contract.components.schemas.0 {
        described(schema).and_then(|()| check_schema(contract, schema)).with_context(|| name.clone())?;
    }
    for (name, parameter) in &contract.components.parameters.0 {
        check_schema(contract, &parameter.schema).with_context(|| name.clone())?;
        ensure!(parameter.required || parameter.place != Place::Path, "{name}: a path parameter is required");
    }
    for (name, header) in &contract.components.headers.0 {
        check_schema(contract, &header.schema).with_context(|| name.clone())?;
    }
    let mut ids = BTreeSet::new();
    for (path, method, item, operation) in contract.operations() {
        let parameters = contract.parameters(item, operation)?;
        check_operation(contract, path, operation, &parameters).with_context(|| format!("{method} {path}"))?;
        ensure!(ids.insert(&operation.operation_id), "{}: stands twice", operation.operation_id);
    }
    Ok(())
}

fn described(schema: &Schema) -> Result<()> {
    ensure!(schema.target.is_some() || schema.description.is_some(), "needs a description");
    Ok(())
}

fn check_schema(contract: &Contract, schema: &Schema) -> Result<()> {
    match contract.shape(schema)? {
        Shape::Object { properties, .. } => {
            for name in &schema.required {
                ensure!(properties.find(name).is_some(), "`{name}` is required but no property");
            }
            for (name, property) in &properties.0 {
                described(property).and_then(|()| check_property(contract, property)).with_context(|| name.clone())?;
                ensure!(!property.nullable || schema.required.contains(name), "{name}: what may be null is required");
            }
        }
        Shape::List { items: inner, .. } | Shape::Map { values: inner, .. } => check_property(contract, inner)?,
        Shape::Text { pattern: Some(pattern), .. } => drop(super::pattern::parse(pattern)?),
        Shape::Words(words) => ensure!(!words.is_empty(), "an empty enum"),
        Shape::Named(_)
        | Shape::Text { pattern: None, .. }
        | Shape::Uuid
        | Shape::Date
        | Shape::DateTime
        | Shape::Integer { .. }
        | Shape::Number { .. }
        | Shape::Boolean => {}
    }
    Ok(())
}

/// Inside another schema, objects and enums must have a name of their own, and so a type.
fn check_property(contract: &Contract, schema: &Schema) -> Result<()> {
    if let Shape::Object { .. } | Shape::Words(_) = contract.shape(schema)? {
        bail!("give it a name under components/schemas");
    }
    check_schema(contract, schema)
}

fn check_operation(contract: &Contract, path: &str, operation: &Operation, parameters: &[&Parameter]) -> Result<()> {
    ensure!(contract.tags.iter().any(|tag| tag.name == operation.tags[0]), "unknown tag {}", operation.tags[0]);
    let public = operation.permission == "public";
    ensure!(public == operation.security.is_some(), "`public` and `security: []` go together");
    ensure!(public || operation.permission.split_once(':').is_some(), "a permission is `noun:verb`");
    let in_path: BTreeSet<&str> =
        path.split('/').filter_map(|part| part.strip_prefix('{').and_then(|part| part.strip_suffix('}'))).collect();
    let declared: BTreeSet<&str> =
        parameters.iter().filter(|p| p.place == Place::Path).map(|p| p.name.as_str()).collect();
    ensure!(in_path == declared, "the path has {in_path:?}, the parameters have {declared:?}");

    let mut wanted = vec!["429", "500", "503"];
    if !public {
        wanted.extend(["401", "403"]);
    }
    if !in_path.is_empty() {
        wanted.push("404");
    }
    if let Some(body) = &operation.request_body {
        ensure!(body.required, "a body is required or absent");
        for (media, content) in &body.content.0 {
            ensure!(media == "application/json", "a body of type {media} is not covered");
            ensure!(matches!(contract.shape(&content.schema)?, Shape::Named(_)), "a body is a named schema");
        }
        wanted.extend(["400", "413", "415", "422"]);
    }
    if parameters.iter().any(|p| p.name == "If-Match") {
        wanted.push("412");
    }
    for code in wanted {
        ensure!(operation.responses.find(code).is_some(), "does not name the refusal {code}");
    }
    for (code, response) in &operation.responses.0 {
        let response = contract.response(response).with_context(|| code.clone())?;
        for (media, content) in &response.content.0 {
            ensure!(content.schema.target.is_some(), "{code} {media}: refer to a named schema");
            contract.shape(&content.schema)?;
        }
    }
    Ok(())
}
