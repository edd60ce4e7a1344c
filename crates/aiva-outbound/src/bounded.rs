//! A map with so many keys at most, in two generations.
//!
//! New and used entries are in the young one. When that is full it becomes the old one, and what was old is forgotten: no
//! list to keep, and what is in use stays.

use std::collections::HashMap;

pub(crate) struct Bounded<V> {
    young: HashMap<String, V>,
    old: HashMap<String, V>,
    most: usize,
}

impl<V> Bounded<V> {
    /// At most that many keys.
    pub(crate) fn new(most: usize) -> Self {
        Self { young: HashMap::new(), old: HashMap::new(), most: (most / 2).max(1) }
    }

    pub(crate) fn get(&mut self, key: &str) -> Option<&mut V> {
        if !self.young.contains_key(key) {
            let (key, value) = self.old.remove_entry(key)?;
            self.insert(key, value);
        }
        self.young.get_mut(key)
    }

    pub(crate) fn put(&mut self, key: &str, value: V) {
        self.old.remove(key);
        self.insert(key.to_owned(), value);
    }

    fn insert(&mut self, key: String, value: V) {
        if self.young.len() >= self.most && !self.young.contains_key(&key) {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(key, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_used_stays_and_the_rest_is_bounded() {
        let mut map = Bounded::new(10);
        for number in 0..100 {
            map.put(&number.to_string(), number);
            assert_eq!(map.get("0"), Some(&mut 0));
            assert!(map.young.len() + map.old.len() <= 10, "{number}");
        }
        assert!(map.get("50").is_none());
    }
}
