//! The section `[sca]`.

use std::time::Duration;

use aiva_chassis::config::Reader;
use aiva_chassis::config::types::HttpUrl;
use aiva_chassis::config_section;

use crate::advisory::update::PUBLIC_EXPORTS;

config_section! {
    /// What services are built from: where advisories come from, and what no scan looks at.
    pub struct Sca checks check_sca {
        /// Where the OSV exports are, one <ecosystem>/all.zip each.
        pub advisories_from: HttpUrl = PUBLIC_EXPORTS;
        /// Whether a running server downloads them by itself.
        pub advisories_update: bool = true;
        /// How often it looks for new ones.
        pub advisories_every: Duration = "6h";
        /// From which age on the advisories count as too old, and every report says so.
        pub advisories_max_age: Duration = "30d";
        /// Patterns of what no scan looks at, in the syntax of .gitignore.
        pub exclude: Vec<String>, example "[\"third_party/\"]";
    }
}

fn check_sca(sca: &Sca, reader: &mut Reader<'_>) {
    if sca.advisories_every < Duration::from_secs(60) {
        reader.refuse("advisories_every", "must be at least a minute");
    }
    if sca.advisories_max_age.is_zero() {
        reader.refuse("advisories_max_age", "must not be zero: any advisories would count as too old");
    }
    if !sca.advisories_from.is_private() {
        reader.hazard("advisories_from", "fetches advisories without encryption: anyone on the way can hide one");
    }
}
