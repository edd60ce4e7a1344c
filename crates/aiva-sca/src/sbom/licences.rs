//! The licences of a bill: what the files state, what the packages themselves state, and what their texts are recognised as.
//!
//! What a file or a package states is *declared*. What only the text of a licence file says is *concluded*: nobody wrote it in a field.

use std::collections::{BTreeSet, HashMap};

use super::{Bom, Component, located};
use crate::licence::expression::{Meaning, read};
use crate::licence::survey::Licensed;
use crate::licence::{Evidence, How, Licence};

/// Licences that were found where the package is installed, vendored or cached.
#[derive(Debug, Clone, Default)]
pub(super) struct Own {
    stated: BTreeSet<String>,
    recognised: BTreeSet<String>,
}

impl Bom<'_> {
    /// The bill with the licences that were found in vendored sources and package caches as well.
    #[must_use]
    pub fn with_licences(mut self, licensed: &[Licensed<'_>]) -> Self {
        let places: HashMap<String, usize> =
            self.components.iter().enumerate().map(|(at, component)| (component.reference.clone(), at)).collect();
        for one in licensed {
            let Licence::Known { expression, evidence: Evidence { how, .. } } = &one.licence else { continue };
            let place = located(one.package).and_then(|reference| places.get(&reference));
            let Some(component) = place.and_then(|at| self.components.get_mut(*at)) else { continue };
            let found = match how {
                How::Stated => &mut component.own.stated,
                How::Recognised(_) => &mut component.own.recognised,
            };
            found.insert(expression.to_string());
        }
        self
    }
}

impl Component<'_> {
    /// The licence that the files state, where all of them state one and it is clear, else that of the package itself, as an SPDX
    /// expression.
    pub(super) fn declared(&self) -> Option<String> {
        let mut stated = self.licences.iter();
        match (stated.next().map(|one| read(one)), stated.next()) {
            (Some(Meaning::Clear(expression)), None) => Some(expression.to_string()),
            _ => only(&self.own.stated),
        }
    }

    /// The licence that the texts are, where nothing is declared.
    pub(super) fn concluded(&self) -> Option<String> {
        only(&self.own.recognised).filter(|_| self.declared().is_none())
    }
}

/// The one that there is; of several nobody knows which holds.
fn only(all: &BTreeSet<String>) -> Option<String> {
    all.first().filter(|_| all.len() == 1).cloned()
}
