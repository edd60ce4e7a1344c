//! Reads the subset of OpenAPI 3.0.3 that the generator covers; an unknown key anywhere is an error with its place.

use std::fmt;
use std::marker::PhantomData;

use anyhow::{Context, Result, bail};
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};

/// A map that keeps the order of the document.
#[derive(Debug, Clone)]
pub(super) struct Ordered<T>(pub(super) Vec<(String, T)>);

impl<T> Default for Ordered<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> Ordered<T> {
    pub(super) fn find(&self, name: &str) -> Option<&T> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Ordered<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Pairs<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Pairs<T> {
            type Value = Ordered<T>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a map")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut pairs: Vec<(String, T)> = Vec::new();
                while let Some(pair) = map.next_entry::<String, T>()? {
                    if pairs.iter().any(|(key, _)| *key == pair.0) {
                        return Err(serde::de::Error::custom(format!("`{}` stands twice", pair.0)));
                    }
                    pairs.push(pair);
                }
                Ok(Ordered(pairs))
            }
        }
        deserializer.deserialize_map(Pairs(PhantomData))
    }
}

#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Contract {
    pub(super) openapi: String,
    #[serde(rename = "info")]
    _info: IgnoredAny,
    #[serde(rename = "servers")]
    _servers: IgnoredAny,
    #[serde(rename = "security")]
    _security: IgnoredAny,
    pub(super) tags: Vec<Tag>,
    pub(super) paths: Ordered<PathItem>,
    pub(super) components: Components,
}

#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Tag {
    pub(super) name: String,
    pub(super) description: String,
}

#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PathItem {
    #[serde(default)]
    pub(super) parameters: Vec<ParameterOrRef>,
    get: Option<Operation>,
    put: Option<Operation>,
    post: Option<Operation>,
    delete: Option<Operation>,
}

impl PathItem {
    /// What can be done at this path, with the method in capitals.
    pub(super) fn operations(&self) -> impl Iterator<Item = (&'static str, &Operation)> {
        [("GET", &self.get), ("PUT", &self.put), ("POST", &self.post), ("DELETE", &self.delete)]
            .into_iter()
            .filter_map(|(method, operation)| Some((method, operation.as_ref()?)))
    }
}

#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct Operation {
    pub(super) operation_id: String,
    pub(super) tags: [String; 1],
    #[serde(rename = "x-permission")]
    pub(super) permission: String,
    pub(super) summary: String,
    #[serde(default, rename = "description")]
    _description: Option<String>,
    pub(super) security: Option<[IgnoredAny; 0]>,
    #[serde(default)]
    pub(super) parameters: Vec<ParameterOrRef>,
    pub(super) request_body: Option<RequestBody>,
    pub(super) responses: Ordered<ResponseOrRef>,
}

#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RequestBody {
    pub(super) required: bool,
    pub(super) content: Ordered<Media>,
}

#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Media {
    pub(super) schema: Schema,
}

/// A reference and nothing else; parameters are always written once under `components`.
#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ParameterOrRef {
    #[serde(rename = "$ref")]
    target: String,
}

#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ResponseOrRef {
    #[serde(rename = "$ref")]
    target: Option<String>,
    description: Option<String>,
    #[serde(default)]
    headers: Ordered<HeaderRef>,
    #[serde(default)]
    content: Ordered<Media>,
}

/// A response without its indirection.
pub(super) struct Response<'a> {
    pub(super) content: &'a Ordered<Media>,
}

#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct HeaderRef {
    #[serde(rename = "$ref")]
    target: String,
}

#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct Components {
    #[serde(rename = "securitySchemes")]
    _security_schemes: IgnoredAny,
    pub(super) headers: Ordered<Header>,
    pub(super) parameters: Ordered<Parameter>,
    pub(super) responses: Ordered<ResponseOrRef>,
    pub(super) schemas: Ordered<Schema>,
}

#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Header {
    #[serde(rename = "description")]
    _description: String,
    pub(super) schema: Schema,
}

#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Parameter {
    pub(super) name: String,
    #[serde(rename = "in")]
    pub(super) place: Place,
    #[serde(default)]
    pub(super) required: bool,
    pub(super) description: String,
    pub(super) schema: Schema,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Place {
    Path,
    Query,
    Header,
}

/// A schema as written; [`Contract::shape`] makes sense of it.
#[derive(Debug, Clone, Default, serde::Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub(super) struct Schema {
    #[serde(rename = "$ref")]
    pub(super) target: Option<String>,
    #[serde(rename = "type")]
    pub(super) kind: Option<String>,
    pub(super) format: Option<String>,
    #[serde(rename = "enum")]
    pub(super) words: Option<Vec<String>>,
    pub(super) description: Option<String>,
    pub(super) properties: Option<Ordered<Self>>,
    pub(super) required: Vec<String>,
    pub(super) additional_properties: Option<Additional>,
    pub(super) max_properties: Option<u64>,
    pub(super) items: Option<Box<Self>>,
    pub(super) min_length: Option<u64>,
    pub(super) max_length: Option<u64>,
    pub(super) pattern: Option<String>,
    pub(super) minimum: Option<i64>,
    pub(super) maximum: Option<i64>,
    pub(super) max_items: Option<u64>,
    pub(super) nullable: bool,
}

#[derive(Debug, Clone, serde::Deserialize)]
#[serde(untagged)]
pub(super) enum Additional {
    Allowed(bool),
    Each(Box<Schema>),
}

/// What a schema means.
pub(super) enum Shape<'a> {
    /// A named schema that has a type of its own.
    Named(&'a str),
    Words(&'a [String]),
    Text {
        min: u64,
        max: u64,
        pattern: Option<&'a str>,
    },
    Uuid,
    Date,
    DateTime,
    Integer {
        wide: bool,
        minimum: i64,
        maximum: i64,
    },
    Number {
        minimum: i64,
        maximum: i64,
    },
    Boolean,
    List {
        max: u64,
        items: &'a Schema,
    },
    Map {
        max: u64,
        values: &'a Schema,
    },
    Object {
        properties: &'a Ordered<Schema>,
        strict: bool,
    },
}

pub(super) fn parse(text: &str) -> Result<Contract> {
    let contract: Contract = serde_saphyr::from_str(text).map_err(|error| anyhow::anyhow!("{error}"))?;
    if contract.openapi != "3.0.3" {
        bail!("openapi: {} is not 3.0.3", contract.openapi);
    }
    Ok(contract)
}

impl Contract {
    /// All operations with path, method and path item.
    pub(super) fn operations(&self) -> impl Iterator<Item = (&str, &'static str, &PathItem, &Operation)> {
        self.paths.0.iter().flat_map(|(path, item)| {
            item.operations().map(move |(method, operation)| (path.as_str(), method, item, operation))
        })
    }

    /// The parameters of an operation, those of its path first.
    pub(super) fn parameters(&self, item: &PathItem, operation: &Operation) -> Result<Vec<&Parameter>> {
        item.parameters
            .iter()
            .chain(&operation.parameters)
            .map(|reference| resolve(&self.components.parameters, "parameters", &reference.target))
            .collect()
    }

    /// The response behind a possible reference.
    pub(super) fn response<'a>(&'a self, response: &'a ResponseOrRef) -> Result<Response<'a>> {
        let found = match &response.target {
            Some(target) => resolve(&self.components.responses, "responses", target)?,
            None => response,
        };
        if found.description.is_none() {
            bail!("a response has no description");
        }
        for (name, header) in &found.headers.0 {
            resolve(&self.components.headers, "headers", &header.target).with_context(|| name.clone())?;
        }
        Ok(Response { content: &found.content })
    }

    /// The schema behind a reference, by its name.
    pub(super) fn named(&self, target: &str) -> Result<(&str, &Schema)> {
        let schema = resolve(&self.components.schemas, "schemas", target)?;
        let (name, _) = self
            .components
            .schemas
            .0
            .iter()
            .find(|(name, _)| target.ends_with(&format!("/{name}")))
            .context("a resolved schema has a name")?;
        Ok((name, schema))
    }

    /// What a schema means; a reference to a plain text is that text.
    pub(super) fn shape<'a>(&'a self, schema: &'a Schema) -> Result<Shape<'a>> {
        let Some(target) = &schema.target else { return own_shape(schema) };
        let (name, found) = self.named(target)?;
        Ok(match own_shape(found).with_context(|| name.to_owned())? {
            text @ Shape::Text { .. } => text,
            _ => Shape::Named(name),
        })
    }
}

fn resolve<'a, T>(all: &'a Ordered<T>, section: &str, target: &str) -> Result<&'a T> {
    let name = target
        .strip_prefix(&format!("#/components/{section}/"))
        .with_context(|| format!("`{target}` is no reference into components/{section}"))?;
    all.find(name).with_context(|| format!("`{target}` leads nowhere"))
}

/// What a schema without a reference means.
pub(super) fn own_shape(schema: &Schema) -> Result<Shape<'_>> {
    let kind = schema.kind.as_deref().context("a schema needs a `type`")?;
    Ok(match (kind, schema.format.as_deref()) {
        ("string", None) => match &schema.words {
            Some(words) => Shape::Words(words),
            None => Shape::Text {
                min: schema.min_length.unwrap_or(0),
                max: schema.max_length.context("a string needs `maxLength`, `enum` or a known `format`")?,
                pattern: schema.pattern.as_deref(),
            },
        },
        ("string", Some("uuid")) => Shape::Uuid,
        ("string", Some("date")) => Shape::Date,
        ("string", Some("date-time")) => Shape::DateTime,
        ("integer", Some(format @ ("int32" | "int64"))) => Shape::Integer {
            wide: format == "int64",
            minimum: schema.minimum.context("an integer needs `minimum`")?,
            maximum: schema.maximum.context("an integer needs `maximum`")?,
        },
        ("number", Some("double")) => Shape::Number {
            minimum: schema.minimum.context("a number needs `minimum`")?,
            maximum: schema.maximum.context("a number needs `maximum`")?,
        },
        ("boolean", None) => Shape::Boolean,
        ("array", None) => Shape::List {
            max: schema.max_items.context("an array needs `maxItems`")?,
            items: schema.items.as_deref().context("an array needs `items`")?,
        },
        ("object", None) => match (&schema.properties, &schema.additional_properties) {
            (Some(properties), None) => Shape::Object { properties, strict: false },
            (Some(properties), Some(Additional::Allowed(false))) => Shape::Object { properties, strict: true },
            (None, Some(Additional::Each(values))) => {
                Shape::Map { max: schema.max_properties.context("a map needs `maxProperties`")?, values }
            }
            _ => bail!("an object has either `properties` or a schema as `additionalProperties`"),
        },
        (kind, format) => bail!("type {kind} with format {format:?} is not covered"),
    })
}
