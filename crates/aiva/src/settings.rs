//! The whole configuration, composed of the sections that each crate declares, and where it is read from.

use std::path::{Path, PathBuf};
use std::{env, io};

use aiva_chassis::config::server::{Alerts, Outbound, Server, Store, Telemetry};
use aiva_chassis::config::services::{Exception, Service, check_catalogue};
use aiva_chassis::config::{self, ConfigError, Flag, Loaded, Reader, Sources, edge};
use aiva_chassis::config_section;
use aiva_egress::config::Egress;
use aiva_sca::checks::Checks;
use aiva_sca::config::Sca;
use aiva_sca::licence::locate::Caches;

use crate::cli::Global;

config_section! {
    /// All of it.
    pub(crate) struct Settings checks check_settings {
        /// Where AIVA listens, what it keeps.
        pub server: Server;
        /// Logs and traces.
        pub telemetry: Telemetry;
        /// Whom to tell.
        pub alerts: Alerts;
        /// Calls that AIVA itself makes.
        pub outbound: Outbound;
        /// Where state is kept.
        pub store: Store;
        /// What services are built from.
        pub sca: Sca;
        /// Where services may call out.
        pub egress: Egress;
        /// The catalogue.
        pub services: Vec<Service>;
        /// Choices not to act.
        pub exceptions: Vec<Exception>;
    }
}

fn check_settings(settings: &Settings, reader: &mut Reader<'_>) {
    check_catalogue(&settings.services, &settings.exceptions, reader);
    for (index, service) in settings.services.iter().enumerate() {
        if let Some(role) = service.egress_role.as_ref().filter(|role| !settings.egress.knows(role)) {
            let message = format!("there is no role {role:?}; add [egress.roles.{role}]");
            reader.refuse(&format!("services[{index}].egress_role"), message);
        }
    }
}

/// The opening lines of the annotated example.
pub(crate) const EXAMPLE_INTRO: &str = "\
AIVA's configuration: every key with its default. Generated; `aiva config example` prints it.
Every key can also be set by a variable: server.listen is AIVA__SERVER__LISTEN. Flags win over variables, variables over
this file. Check it with `aiva config check`, see what is in force with `aiva config print`.";

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SettingsError {
    /// The file that was asked for.
    #[error("cannot read the configuration file {0}")]
    File(#[source] io::Error),
    /// What it says, all of it at once.
    #[error("the configuration is not right:\n{0}")]
    Invalid(#[source] ConfigError),
}

/// A configuration that holds, with the folder that its relative paths start from.
pub(crate) struct Found {
    /// The values and their sources.
    pub(crate) loaded: Loaded<Settings>,
    /// The configuration file's folder, else the current directory.
    pub(crate) base: PathBuf,
    /// The file, where there is one.
    pub(crate) file: Option<PathBuf>,
    /// How to read it again.
    pub(crate) again: Again,
}

/// What a configuration was asked for with: the same flags find what the file says later.
#[derive(Debug, Clone)]
pub(crate) struct Again {
    global: Global,
    flags: Vec<Flag>,
}

impl Again {
    /// Reads everything again.
    pub(crate) fn find(&self) -> Result<Found, SettingsError> {
        find(&self.global, self.flags.clone())
    }

    /// The file that is read, whether or not it is there.
    pub(crate) fn file(&self) -> PathBuf {
        self.global.config.clone().unwrap_or_else(|| PathBuf::from("aiva.toml"))
    }
}

/// Reads everything: the file named by the flag, else `aiva.toml` here where there is one; variables; flags.
pub(crate) fn find(global: &Global, flags: Vec<Flag>) -> Result<Found, SettingsError> {
    find_as(global, flags, None)
}

/// The same, with this name and text for the file where there are some.
pub(crate) fn find_as(
    global: &Global,
    mut flags: Vec<Flag>,
    text: Option<(String, String)>,
) -> Result<Found, SettingsError> {
    let again = Again { global: global.clone(), flags: flags.clone() };
    let text = match text {
        Some(text) => Some(text),
        None => edge::file(global.config.as_deref()).map_err(SettingsError::File)?,
    };
    if let Some(folder) = &global.data_dir {
        flags.push(flag("--data-dir", "server.data_dir", &folder.display().to_string()));
    }
    let sources = Sources {
        file: text.as_ref().map(|(name, text)| (name.as_str(), text.as_str())),
        env: edge::environment(),
        flags,
        open: &edge::secret,
    };
    let loaded = config::load(&sources).map_err(SettingsError::Invalid)?;
    let file = text.map(|(name, _)| PathBuf::from(name));
    let folder = file.as_deref().and_then(Path::parent).filter(|folder| !folder.as_os_str().is_empty());
    let base = folder.unwrap_or(Path::new(".")).to_path_buf();
    Ok(Found { loaded, base, file, again })
}

/// A value that came from a flag.
pub(crate) fn flag(name: &str, key: &str, value: &str) -> Flag {
    Flag { name: name.to_owned(), key: key.to_owned(), value: value.to_owned() }
}

/// The data directory: as configured, else the XDG data home's `aiva` (XDG Base Directory Specification).
pub(crate) fn data_directory(configured: Option<&Path>) -> Result<PathBuf, NoHome> {
    if let Some(folder) = configured {
        return Ok(folder.to_path_buf());
    }
    let absolute = |name: &str| env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let home = absolute("XDG_DATA_HOME").or_else(|| Some(absolute("HOME")?.join(".local").join("share")));
    home.map(|home| home.join("aiva")).ok_or(NoHome)
}

/// What scans look at besides advisories, with this machine's package caches.
pub(crate) fn checks(sca: &Sca) -> Checks {
    Checks { licences: sca.licences.policy(), supply: sca.rules(), caches: caches() }
}

/// Where package managers keep what they have downloaded: as their own variables say, else their usual place.
pub(crate) fn caches() -> Caches {
    let named = |name: &str| env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let home = named("HOME");
    let below = |path: &str| home.as_ref().map(|home| home.join(path));
    Caches {
        cargo: named("CARGO_HOME").or_else(|| below(".cargo")),
        go: named("GOMODCACHE")
            .or_else(|| named("GOPATH").map(|path| path.join("pkg/mod")))
            .or_else(|| below("go/pkg/mod")),
        maven: below(".m2/repository"),
        nuget: named("NUGET_PACKAGES").or_else(|| below(".nuget/packages")),
        gems: [named("GEM_HOME"), below(".gem"), below(".local/share/gem")].into_iter().flatten().collect(),
        dart: named("PUB_CACHE").or_else(|| below(".pub-cache")),
        yarn: named("YARN_GLOBAL_FOLDER").or_else(|| below(".yarn/berry")).map(|folder| folder.join("cache")),
    }
}

/// There is nowhere to keep state.
#[derive(Debug, thiserror::Error)]
#[error("no data directory: neither HOME nor XDG_DATA_HOME is set; say where with --data-dir or AIVA_DATA_DIR")]
pub(crate) struct NoHome;

#[cfg(test)]
mod tests {
    #[test]
    fn the_example_at_the_root_is_generated() {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../aiva.example.toml");
        let want = aiva_chassis::config::example::<super::Settings>(super::EXAMPLE_INTRO);
        let got = std::fs::read_to_string(&path).unwrap_or_default();
        assert_eq!(got, want, "run `cargo run -p aiva -- config example > aiva.example.toml`");
    }
}
