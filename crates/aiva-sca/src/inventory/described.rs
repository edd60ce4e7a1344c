//! yarn's descriptors, `name@range`, sorted: looked up by their parts, without putting those together.

use std::cmp::Ordering;

use smol_str::SmolStr;

/// Sorted descriptors, each with the place of the package that answers it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Described<'l>(pub(super) &'l [(SmolStr, u32)]);

impl<'l> Described<'l> {
    /// What answers a range; `scheme` stands before it (berry's `npm:`).
    pub(super) fn find(self, name: &str, scheme: &str, range: &str) -> Option<u32> {
        let at = self.0.binary_search_by(|(text, _)| compare(text, [name, "@", scheme, range])).ok()?;
        self.0.get(at).map(|(_, package)| *package)
    }

    /// All ranges of a name, with what answers each.
    pub(super) fn of_name(self, name: &str) -> impl Iterator<Item = (&'l str, u32)> {
        let from = self.0.partition_point(|(text, _)| compare(text, [name, "@", "", ""]) == Ordering::Less);
        let same = self.0.get(from..).unwrap_or_default().iter();
        same.map_while(move |(text, at)| Some((text.strip_prefix(name)?.strip_prefix('@')?, *at)))
    }
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
            all in proptest::collection::vec("[ab@]{1,3}@(npm:)?[\\^ab]{0,2}", 0..12),
            (name, scheme, range) in ("[ab@]{1,3}", "(npm:)?", "[\\^ab]{0,2}"),
        ) {
            let mut all: Vec<(SmolStr, u32)> = all.iter().map(SmolStr::from).zip(0..).collect();
            all.sort_unstable();
            all.dedup_by(|(one, _), (other, _)| one == other);
            let described = Described(&all);
            let whole = format!("{name}@{scheme}{range}");
            let known = all.iter().find(|(text, _)| *text == whole).map(|(_, at)| *at);
            prop_assert_eq!(described.find(&name, &scheme, &range), known);
            let start = format!("{name}@");
            let same: Vec<u32> = all.iter().filter(|(text, _)| text.starts_with(&start)).map(|(_, at)| *at).collect();
            prop_assert_eq!(described.of_name(&name).map(|(_, at)| at).collect::<Vec<_>>(), same);
        }
    }
}
