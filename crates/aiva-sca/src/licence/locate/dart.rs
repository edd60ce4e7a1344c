//! Dart's cache: `hosted/HOST/NAME-VERSION`. A `pubspec.yaml` has no field for the licence; pub.dev goes by the file `LICENSE` too.

use super::{Finder, Own, is_part};
use crate::package::Package;

impl Finder<'_> {
    pub(super) fn dart(&mut self, package: &Package) -> Option<Own> {
        let hosted = self.caches.dart.as_ref()?.join("hosted");
        let full = format!("{}-{}", package.name, package.version);
        if !is_part(&full) {
            return None;
        }
        let hosts = self.beginning(&hosted, "");
        let folder = hosts.into_iter().map(|host| host.join(&full)).find(|folder| folder.is_dir())?;
        Some(Own { stated: None, texts: self.texts(&folder, None), notices: self.notices(&folder) })
    }
}
