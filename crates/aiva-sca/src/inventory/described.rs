//! yarn's descriptors, `name@range`: looked up by their parts, without putting those together.

use std::cmp::Ordering;

use rapidhash::v3::rapidhash_v3;
use smol_str::SmolStr;

use super::npm_source::split_name;

/// A descriptor and what answers it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Descriptor {
    /// Of its name: most names differ in it, and numbers are compared sooner than texts.
    hash: u64,
    pub(crate) text: SmolStr,
    /// The place of the package that answers it.
    pub(crate) package: u32,
}

impl Descriptor {
    pub(super) fn new(text: &str, package: u32) -> Self {
        let name = split_name(text).map_or(text, |(name, _)| name);
        Self { hash: rapidhash_v3(name.as_bytes()), text: text.into(), package }
    }
}

/// Puts descriptors in the order in which they are looked up: those of a name together.
pub(super) fn sort(all: &mut [Descriptor]) {
    all.sort_unstable_by(|one, other| one.hash.cmp(&other.hash).then_with(|| one.text.cmp(&other.text)));
}

/// [Sorted](sort) descriptors.
#[derive(Debug, Clone, Copy)]
pub(super) struct Described<'l>(pub(super) &'l [Descriptor]);

impl<'l> Described<'l> {
    /// What answers a range; `scheme` stands before it (berry's `npm:`).
    pub(super) fn find(self, name: &str, scheme: &str, range: &str) -> Option<u32> {
        let at = self.0.binary_search_by(compare_to(name, [name, "@", scheme, range])).ok()?;
        self.0.get(at).map(|found| found.package)
    }

    /// All ranges of a name, with what answers each.
    pub(super) fn of_name(self, name: &str) -> impl Iterator<Item = (&'l str, u32)> {
        let stands = compare_to(name, [name, "@", "", ""]);
        let from = self.0.partition_point(|one| stands(one) == Ordering::Less);
        let same = self.0.get(from..).unwrap_or_default().iter();
        same.map_while(move |one| Some((one.text.strip_prefix(name)?.strip_prefix('@')?, one.package)))
    }
}

/// How a descriptor stands to one of a name that has these parts.
fn compare_to(name: &str, parts: [&str; 4]) -> impl Fn(&Descriptor) -> Ordering {
    let hash = rapidhash_v3(name.as_bytes());
    move |one| one.hash.cmp(&hash).then_with(|| compare(&one.text, parts))
}

/// How a text stands to the parts of another.
fn compare(text: &str, parts: [&str; 4]) -> Ordering {
    let mut rest = text.as_bytes();
    for part in parts {
        let part = part.as_bytes();
        let (begin, behind) = rest.split_at(rest.len().min(part.len()));
        // Where the text ends within the part, it is the lesser one.
        match begin.cmp(part) {
            Ordering::Equal => rest = behind,
            other => return other,
        }
    }
    if rest.is_empty() { Ordering::Equal } else { Ordering::Greater }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_finds_what_the_whole_text_finds(
            all in proptest::collection::vec("[ab@][ab]{0,2}@(npm:)?[\\^ab@]{0,2}", 0..12),
            (name, scheme, range) in ("[ab@][ab]{0,2}", "(npm:)?", "[\\^ab]{0,2}"),
        ) {
            let mut all: Vec<Descriptor> = all.iter().zip(0..).map(|(text, at)| Descriptor::new(text, at)).collect();
            sort(&mut all);
            all.dedup_by(|one, other| one.text == other.text);
            let described = Described(&all);
            let whole = format!("{name}@{scheme}{range}");
            let known = all.iter().find(|one| one.text == whole).map(|one| one.package);
            prop_assert_eq!(described.find(&name, &scheme, &range), known);
            let start = format!("{name}@");
            let same: Vec<u32> = all.iter().filter(|one| one.text.starts_with(&start)).map(|one| one.package).collect();
            prop_assert_eq!(described.of_name(&name).map(|(_, at)| at).collect::<Vec<_>>(), same);
        }
    }
}
