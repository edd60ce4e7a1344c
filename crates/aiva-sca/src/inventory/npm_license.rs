//! The licences that npm's lockfiles state. Few lists are all packages', so each is kept once.

use std::borrow::Cow;

use rapidhash::RapidHashMap;

use super::json::{Json, Value};
use super::reading::Fault;
use crate::package::Licenses;

/// What one entry states: nearly always one licence.
#[derive(Default)]
pub(super) struct Stated<'a> {
    first: Option<Cow<'a, str>>,
    more: Vec<String>,
}

impl<'a> Stated<'a> {
    fn add(&mut self, text: Cow<'a, str>) {
        if self.first.is_none() {
            self.first = Some(text);
        } else {
            self.more.push(text.into_owned());
        }
    }
}

/// The licences that stood alone, by their texts.
#[derive(Default)]
pub(super) struct Shared<'a>(RapidHashMap<Cow<'a, str>, Licenses>);

impl<'a> Shared<'a> {
    /// The licences of an entry, shared with whoever has the same one.
    pub(super) fn share(&mut self, Stated { first, more }: Stated<'a>) -> Licenses {
        let Some(first) = first else { return Licenses::default() };
        if !more.is_empty() {
            return std::iter::once(first.into_owned()).chain(more).collect();
        }
        let alone = |text: &Cow<'a, str>| std::iter::once(text.to_string()).collect();
        self.0.entry(first).or_insert_with_key(alone).clone()
    }
}

/// A licence as a string, as npm's old object, or a list of either.
pub(super) fn read<'a>(json: &mut Json<'a>, licenses: &mut Stated<'a>) -> Result<(), Fault> {
    match json.next() {
        Value::Text => {
            if let Some(text) = json.string()? {
                licenses.add(text);
            }
        }
        Value::Object => json.object(|json, key, _| {
            if key != "type" {
                return json.skip();
            }
            if let Some(text) = json.string()? {
                licenses.add(text);
            }
            Ok(())
        })?,
        Value::Array => {
            json.array(|json| if json.next() == Value::Array { json.skip() } else { read(json, licenses) })?
        }
        Value::Other => json.skip()?,
    }
    Ok(())
}
