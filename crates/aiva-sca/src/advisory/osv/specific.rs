//! The parts of an OSV record that have no schema, as far as databases agree on them.
//!
//! A value of another sort than expected is as good as none: it never makes a record unreadable.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// `ecosystem_specific` and `database_specific`: GHSA's `severity`, `cwe_ids` and `affected_functions`, RustSec's `informational`,
/// `cvss` and `affects`, the `imports` of Go and PyPA, the origins of what OpenSSF collects of malicious packages.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub struct Specific<'a> {
    /// A level as a word (GHSA).
    #[serde(borrow, default)]
    pub severity: Word<'a>,
    /// `unmaintained`, `unsound` or `notice` (RustSec).
    #[serde(borrow, default)]
    pub informational: Word<'a>,
    /// A CVSS vector (RustSec).
    #[serde(borrow, default)]
    pub cvss: Word<'a>,
    /// The affected parts of the package (Go, PyPA).
    #[serde(borrow, default)]
    pub imports: Imports<'a>,
    /// The affected functions (RustSec).
    #[serde(borrow, default)]
    pub affects: Affects<'a>,
    /// The affected functions (GHSA).
    #[serde(borrow, default)]
    pub affected_functions: Names<'a>,
    /// The weaknesses that it is of, such as `CWE-506` (GHSA).
    #[serde(borrow, default)]
    pub cwe_ids: Names<'a>,
    /// Who said that the package is malicious (OpenSSF).
    #[serde(default, rename = "malicious-packages-origins")]
    pub malicious_origins: Count,
}

/// A string where one stands.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Word<'a>(pub Option<Cow<'a, str>>);

impl Word<'_> {
    /// The string, if there is one.
    pub fn get(&self) -> Option<&str> {
        self.0.as_deref()
    }
}

/// The strings of a list, but for blank ones.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Names<'a>(pub Vec<Cow<'a, str>>);

/// How many entries a list has.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Count(pub usize);

/// The affected parts of a package.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Imports<'a>(pub Vec<Import<'a>>);

/// One of them: `{path, symbols}` (Go), or `{attribute, modules}` (PyPA), where each module has the attribute.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Import<'a> {
    /// The import path of a Go package.
    pub path: Word<'a>,
    /// Its functions and methods.
    pub symbols: Names<'a>,
    /// What a Python module has; blank for all of it.
    pub attribute: Word<'a>,
    /// The modules that have it.
    pub modules: Names<'a>,
}

/// RustSec's `{arch, functions, os}`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Affects<'a> {
    /// Paths of functions.
    pub functions: Names<'a>,
}

/// What can be read out of a value of any sort; by default nothing.
trait Loose<'de>: Default {
    fn of_text(_text: Cow<'de, str>) -> Self {
        Self::default()
    }

    fn of_list<A: SeqAccess<'de>>(mut list: A) -> Result<Self, A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Self::default())
    }

    fn of_map<A: MapAccess<'de>>(mut map: A) -> Result<Self, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Self::default())
    }
}

impl<'de> Loose<'de> for Word<'de> {
    fn of_text(text: Cow<'de, str>) -> Self {
        Self(Some(text))
    }
}

impl<'de> Loose<'de> for Names<'de> {
    fn of_list<A: SeqAccess<'de>>(mut list: A) -> Result<Self, A::Error> {
        let mut names = Vec::new();
        while let Some(Word(name)) = list.next_element()? {
            names.extend(name.filter(|name| !name.trim().is_empty()));
        }
        Ok(Self(names))
    }
}

impl<'de> Loose<'de> for Count {
    fn of_list<A: SeqAccess<'de>>(mut list: A) -> Result<Self, A::Error> {
        let mut count = 0;
        while list.next_element::<IgnoredAny>()?.is_some() {
            count += 1;
        }
        Ok(Self(count))
    }
}

impl<'de> Deserialize<'de> for Count {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyValue::<Self>(PhantomData))
    }
}

impl<'de> Loose<'de> for Imports<'de> {
    fn of_list<A: SeqAccess<'de>>(mut list: A) -> Result<Self, A::Error> {
        let mut imports = Vec::new();
        while let Some(import) = list.next_element()? {
            imports.push(import);
        }
        Ok(Self(imports))
    }
}

impl<'de> Loose<'de> for Import<'de> {
    fn of_map<A: MapAccess<'de>>(mut map: A) -> Result<Self, A::Error> {
        let mut import = Self::default();
        while let Some(key) = map.next_key::<Word<'de>>()? {
            match key.get() {
                Some("path") => import.path = map.next_value()?,
                Some("symbols") => import.symbols = map.next_value()?,
                Some("attribute") => import.attribute = map.next_value()?,
                Some("modules") => import.modules = map.next_value()?,
                _ => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(import)
    }
}

impl<'de> Loose<'de> for Affects<'de> {
    fn of_map<A: MapAccess<'de>>(mut map: A) -> Result<Self, A::Error> {
        let mut affects = Self::default();
        while let Some(key) = map.next_key::<Word<'de>>()? {
            match key.get() {
                Some("functions") => affects.functions = map.next_value()?,
                _ => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(affects)
    }
}

struct AnyValue<T>(PhantomData<T>);

impl<'de, T: Loose<'de>> Visitor<'de> for AnyValue<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("anything")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<T, E> {
        Ok(T::of_text(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<T, E> {
        Ok(T::of_text(Cow::Owned(text.to_owned())))
    }

    fn visit_bool<E>(self, _: bool) -> Result<T, E> {
        Ok(T::default())
    }

    fn visit_i64<E>(self, _: i64) -> Result<T, E> {
        Ok(T::default())
    }

    fn visit_u64<E>(self, _: u64) -> Result<T, E> {
        Ok(T::default())
    }

    fn visit_f64<E>(self, _: f64) -> Result<T, E> {
        Ok(T::default())
    }

    fn visit_unit<E>(self) -> Result<T, E> {
        Ok(T::default())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<T, A::Error> {
        T::of_list(list)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
        T::of_map(map)
    }
}

macro_rules! read_loosely {
    ($($name:ident),+) => {$(
        impl<'de: 'a, 'a> Deserialize<'de> for $name<'a> {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_any(AnyValue::<$name<'de>>(PhantomData))
            }
        }
    )+};
}

read_loosely!(Word, Names, Imports, Import, Affects);
