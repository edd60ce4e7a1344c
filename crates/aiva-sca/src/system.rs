//! Linux distributions and their releases: whose packages an installed system has, and which advisories are about them.
//!
//! OSV names a release after its distribution (`Debian:12`, `Alpine:v3.19`, `Red Hat:enterprise_linux:9::appstream`). Advisories
//! hold for one release, so a [`System`] is a distribution with a release; without one it stands for all releases together, as
//! the index keeps them. Names of releases are kept once for the whole process, so that a `System` is as small as a number;
//! there is a bound, so that a hostile file cannot fill the memory. Start reading at [`System::of`] and [`System::installed`].

mod distro;

use std::borrow::Cow;
use std::cmp::Ordering;
use std::collections::HashMap;
use std::fmt;
use std::sync::{LazyLock, PoisonError, RwLock};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::version::Order;

/// The most releases that one process keeps apart, and the longest name of one.
const MOST_RELEASES: usize = 4096;
const LONGEST_RELEASE: usize = 96;

/// A distribution, as OSV names it. The last three are those that OSV has no advisories for, by the form of their packages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[expect(missing_docs, reason = "names of distributions")]
pub enum Distribution {
    AlmaLinux,
    Alpaquita,
    Alpine,
    AzureLinux,
    BellSoft,
    Chainguard,
    Debian,
    Mageia,
    MinimOs,
    OpenEuler,
    OpenSuse,
    Photon,
    RedHat,
    Rocky,
    Suse,
    Ubuntu,
    Wolfi,
    OtherDpkg,
    OtherRpm,
    OtherApk,
}

/// Under which of a package's names a distribution's advisories are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Named {
    /// Under that of the source package.
    Source,
    /// Under that of the source package or of the installed one; databases differ from record to record.
    Either,
}

/// What tells one distribution from another.
struct Traits {
    osv_name: &'static str,
    order: Order,
    /// Namespace of its package URLs.
    vendor: &'static str,
}

impl Distribution {
    /// Every distribution, in a stable order.
    pub const ALL: [Self; 20] = [
        Self::AlmaLinux,
        Self::Alpaquita,
        Self::Alpine,
        Self::AzureLinux,
        Self::BellSoft,
        Self::Chainguard,
        Self::Debian,
        Self::Mageia,
        Self::MinimOs,
        Self::OpenEuler,
        Self::OpenSuse,
        Self::Photon,
        Self::RedHat,
        Self::Rocky,
        Self::Suse,
        Self::Ubuntu,
        Self::Wolfi,
        Self::OtherDpkg,
        Self::OtherRpm,
        Self::OtherApk,
    ];

    const fn traits(self) -> Traits {
        let (osv_name, order, vendor) = match self {
            Self::AlmaLinux => ("AlmaLinux", Order::Rpm, "almalinux"),
            Self::Alpaquita => ("Alpaquita", Order::Alpine, "alpaquita"),
            Self::Alpine => ("Alpine", Order::Alpine, "alpine"),
            Self::AzureLinux => ("Azure Linux", Order::Rpm, "azurelinux"),
            Self::BellSoft => ("BellSoft Hardened Containers", Order::Alpine, "bellsoft-hardened-containers"),
            Self::Chainguard => ("Chainguard", Order::Alpine, "chainguard"),
            Self::Debian => ("Debian", Order::Debian, "debian"),
            Self::Mageia => ("Mageia", Order::Rpm, "mageia"),
            Self::MinimOs => ("MinimOS", Order::Alpine, "minimos"),
            Self::OpenEuler => ("openEuler", Order::Rpm, "openeuler"),
            Self::OpenSuse => ("openSUSE", Order::Rpm, "opensuse"),
            Self::Photon => ("Photon OS", Order::Rpm, "photon"),
            Self::RedHat => ("Red Hat", Order::Rpm, "redhat"),
            Self::Rocky => ("Rocky Linux", Order::Rpm, "rocky-linux"),
            Self::Suse => ("SUSE", Order::Rpm, "suse"),
            Self::Ubuntu => ("Ubuntu", Order::Debian, "ubuntu"),
            Self::Wolfi => ("Wolfi", Order::Alpine, "wolfi"),
            Self::OtherDpkg => ("dpkg", Order::Debian, ""),
            Self::OtherRpm => ("rpm", Order::Rpm, ""),
            Self::OtherApk => ("apk", Order::Alpine, ""),
        };
        Traits { osv_name, order, vendor }
    }

    /// OSV's name of it.
    pub const fn osv_name(self) -> &'static str {
        self.traits().osv_name
    }

    /// The order of its versions.
    pub const fn order(self) -> Order {
        self.traits().order
    }

    /// Whether OSV publishes advisories about it.
    pub const fn has_advisories(self) -> bool {
        !matches!(self, Self::OtherDpkg | Self::OtherRpm | Self::OtherApk)
    }

    /// The package URL type of its packages.
    pub const fn purl_type(self) -> &'static str {
        match self.order() {
            Order::Debian => "deb",
            Order::Alpine => "apk",
            _ => "rpm",
        }
    }

    /// Where to look for its advisories.
    pub const fn named(self) -> Named {
        match self {
            Self::Debian | Self::Ubuntu | Self::Alpine | Self::OtherDpkg => Named::Source,
            _ => Named::Either,
        }
    }

    /// The release of a name as advisories have it, without what tells repositories or editions of one release apart.
    fn release(self, text: &str) -> Cow<'_, str> {
        let major = |text: &'_ str| text.split('.').next().unwrap_or_default().to_owned();
        match self {
            Self::RedHat => {
                let stream = text.split("::").next().unwrap_or(text);
                match stream.strip_prefix("enterprise_linux:") {
                    Some(version) => Cow::Owned(format!("enterprise_linux:{}", major(version))),
                    None => Cow::Owned(stream.to_owned()),
                }
            }
            Self::Rocky | Self::AlmaLinux | Self::AzureLinux => Cow::Owned(major(text)),
            Self::Suse => enterprise(text).map_or_else(|| Cow::Owned(text.to_owned()), Cow::Owned),
            _ => Cow::Owned(text.to_owned()),
        }
    }
}

/// `15.5` of `Linux Enterprise Module for Basesystem 15 SP5` and of all other products that make up one SUSE release.
fn enterprise(product: &str) -> Option<String> {
    if !product.contains("Linux Enterprise") || product.contains("Micro") {
        return None;
    }
    let is_number = |word: &&str| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_digit());
    let mut words = product.split([' ', '-']).skip_while(|word| !is_number(word));
    let major = words.next()?;
    Some(match words.next().and_then(|word| word.strip_prefix("SP")).filter(is_number) {
        Some(pack) => format!("{major}.{pack}"),
        None => major.to_owned(),
    })
}

/// A distribution at one release, or at none in particular.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct System {
    distribution: Distribution,
    /// Its place in [`NAMES`].
    at: u16,
}

/// The names that were met so far. The first are those of the distributions themselves.
static NAMES: LazyLock<RwLock<Names>> = LazyLock::new(|| {
    let known = Distribution::ALL.map(Distribution::osv_name).to_vec();
    let places = known.iter().enumerate().map(|(at, name)| (*name, at as u16)).collect();
    RwLock::new(Names { known, places })
});

struct Names {
    known: Vec<&'static str>,
    places: HashMap<&'static str, u16>,
}

impl System {
    /// All releases of a distribution together.
    pub const fn family(distribution: Distribution) -> Self {
        Self { distribution, at: distribution as u16 }
    }

    /// One release; `None` when its name is empty or no name, or when there are too many.
    pub fn new(distribution: Distribution, release: &str) -> Option<Self> {
        let release = distribution.release(release.trim());
        if release.is_empty() || release.len() > LONGEST_RELEASE || release.contains(char::is_control) {
            return None;
        }
        let name = format!("{}:{release}", distribution.osv_name());
        let known = NAMES.read().unwrap_or_else(PoisonError::into_inner).places.get(&*name).copied();
        if let Some(at) = known {
            return Some(Self { distribution, at });
        }
        let mut names = NAMES.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(at) = names.places.get(&*name).copied() {
            return Some(Self { distribution, at });
        }
        if names.known.len() >= MOST_RELEASES {
            return None;
        }
        let at = names.known.len() as u16;
        let name: &'static str = Box::leak(name.into_boxed_str());
        names.known.push(name);
        names.places.insert(name, at);
        Some(Self { distribution, at })
    }

    /// The system of OSV's name for it (`Debian:12`, `Wolfi`).
    pub fn of(osv_name: &str) -> Option<Self> {
        let (family, release) = osv_name.split_once(':').map_or((osv_name, None), |(name, rest)| (name, Some(rest)));
        let distribution = Distribution::ALL.into_iter().find(|known| known.osv_name() == family)?;
        match release {
            Some(release) => Self::new(distribution, release),
            None => Some(Self::family(distribution)),
        }
    }

    /// Which distribution.
    pub const fn distribution(self) -> Distribution {
        self.distribution
    }

    /// OSV's name, with the release.
    pub fn osv_name(self) -> &'static str {
        let names = NAMES.read().unwrap_or_else(PoisonError::into_inner);
        names.known.get(usize::from(self.at)).copied().unwrap_or_else(|| self.distribution.osv_name())
    }

    /// The release alone; `None` for all together.
    pub fn release(self) -> Option<&'static str> {
        self.osv_name().split_once(':').map(|(_, release)| release)
    }

    /// The spelling of a package's name that tells releases apart, as the index keeps it.
    pub fn key(self, name: &str) -> Cow<'_, str> {
        match self.release() {
            Some(release) => Cow::Owned(format!("{release}\u{1f}{name}")),
            None => Cow::Owned(name.to_owned()),
        }
    }

    /// The `distro` of a package URL and the namespace before its name: `debian`, `debian-12`.
    pub(crate) fn vendor(self) -> (&'static str, String) {
        let release = self.release().unwrap_or_default();
        if !self.distribution.has_advisories() {
            let (vendor, version) = release.split_once(':').unwrap_or((release, ""));
            return (vendor, if version.is_empty() { vendor.to_owned() } else { format!("{vendor}-{version}") });
        }
        let vendor = self.distribution.traits().vendor;
        let release = release.trim_start_matches("enterprise_linux:").replace([' ', ':'], "-");
        (vendor, if release.is_empty() { vendor.to_owned() } else { format!("{vendor}-{release}") })
    }

    /// What is installed, by what `/etc/os-release` says and the form of the packages. A distribution that OSV does not know
    /// keeps its own name, so that its packages are told apart and said to be not judged.
    pub fn installed(release: &OsRelease, other: Distribution) -> Self {
        let version = release.version_id.as_str();
        let up_to = |parts: usize| version.splitn(parts + 1, '.').take(parts).collect::<Vec<_>>().join(".");
        let found = match release.id.as_str() {
            "almalinux" => Self::new(Distribution::AlmaLinux, version),
            "alpaquita" => Self::new(Distribution::Alpaquita, version),
            "alpine" if version.contains('_') => Self::new(Distribution::Alpine, "edge"),
            "alpine" => Self::new(Distribution::Alpine, &format!("v{}", up_to(2))),
            "azurelinux" | "mariner" => Self::new(Distribution::AzureLinux, version),
            "bellsoft-hardened-containers" => Self::new(Distribution::BellSoft, version),
            "chainguard" => Some(Self::family(Distribution::Chainguard)),
            "debian" if version.is_empty() => {
                let codename = release.codename.as_str();
                let number = CODENAMES.iter().find(|(name, _)| *name == codename).map(|(_, number)| *number);
                Self::new(Distribution::Debian, number.unwrap_or("unstable"))
            }
            "debian" => Self::new(Distribution::Debian, &up_to(1)),
            "mageia" => Self::new(Distribution::Mageia, version),
            "minimos" => Some(Self::family(Distribution::MinimOs)),
            "openEuler" => {
                // `22.03 (LTS-SP4)` is `22.03-LTS-SP4`.
                let edition = release.version.split_once('(').and_then(|(_, rest)| rest.split_once(')'));
                let edition = edition.map(|(edition, _)| format!("{version}-{edition}"));
                Self::new(Distribution::OpenEuler, edition.as_deref().unwrap_or(version))
            }
            "opensuse-leap" => Self::new(Distribution::OpenSuse, &format!("Leap {version}")),
            "opensuse-tumbleweed" => Self::new(Distribution::OpenSuse, "Tumbleweed"),
            "photon" => Self::new(Distribution::Photon, version),
            "rhel" | "redhat" => Self::new(Distribution::RedHat, &format!("enterprise_linux:{version}")),
            "rocky" => Self::new(Distribution::Rocky, version),
            "sles" | "sled" | "sles_sap" => Self::new(Distribution::Suse, version),
            "sle-micro" => Self::new(Distribution::Suse, &format!("Linux Enterprise Micro {version}")),
            "sl-micro" => Self::new(Distribution::Suse, &format!("Linux Micro {version}")),
            "ubuntu" => {
                // Every second year's April release has long-term support, and OSV says so.
                let year = version.split_once('.').filter(|(_, month)| *month == "04");
                let is_long = year.and_then(|(year, _)| year.parse::<u32>().ok()).is_some_and(|year| year % 2 == 0);
                Self::new(Distribution::Ubuntu, &format!("{version}{}", if is_long { ":LTS" } else { "" }))
            }
            "wolfi" => Some(Self::family(Distribution::Wolfi)),
            _ => None,
        };
        let is_fit = |system: &Self| system.distribution.purl_type() == other.purl_type();
        found.filter(is_fit).unwrap_or_else(|| {
            let id = if release.id.is_empty() { "unknown" } else { &release.id };
            let name = if version.is_empty() { id.to_owned() } else { format!("{id}:{version}") };
            Self::new(other, &name).unwrap_or(Self::family(other))
        })
    }
}

/// Debian's releases before they get their number.
const CODENAMES: &[(&str, &str)] = &[("bookworm", "12"), ("trixie", "13"), ("forky", "14"), ("duke", "15")];

/// What `/etc/os-release` says (freedesktop.org, `os-release(5)`).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "fields are named and meant as in the manual")]
pub struct OsRelease {
    pub id: String,
    pub version_id: String,
    pub version: String,
    pub codename: String,
    pub pretty_name: String,
}

impl OsRelease {
    /// Reads the file; what it does not say is empty.
    pub fn read(text: &str) -> Self {
        let mut release = Self::default();
        for (key, value) in text.lines().filter_map(|line| line.trim().split_once('=')) {
            let value = value.trim();
            let quoted = |mark: char| value.strip_prefix(mark).and_then(|rest| rest.strip_suffix(mark));
            let value: String = quoted('"').or_else(|| quoted('\'')).unwrap_or(value).replace('\\', "");
            let value = value.chars().filter(|c| !c.is_control()).take(LONGEST_RELEASE).collect();
            match key {
                "ID" => release.id = value,
                "VERSION_ID" => release.version_id = value,
                "VERSION" => release.version = value,
                "VERSION_CODENAME" => release.codename = value,
                "PRETTY_NAME" => release.pretty_name = value,
                _ => {}
            }
        }
        release
    }
}

impl PartialOrd for System {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// By name: the places depend on what was read first.
impl Ord for System {
    fn cmp(&self, other: &Self) -> Ordering {
        if self.at == other.at { Ordering::Equal } else { self.osv_name().cmp(other.osv_name()) }
    }
}

impl fmt::Debug for System {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.osv_name())
    }
}

impl Serialize for System {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.osv_name())
    }
}

impl<'de> Deserialize<'de> for System {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = Cow::<'_, str>::deserialize(deserializer)?;
        Self::of(&name)
            .ok_or_else(|| serde::de::Error::custom(format!("{name:?} is no distribution that is known here")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_one_release_are_one() {
        for (osv, want) in [
            ("Debian:12", "Debian:12"),
            ("Debian", "Debian"),
            ("Ubuntu:22.04:LTS", "Ubuntu:22.04:LTS"),
            ("Ubuntu:Pro:18.04:LTS", "Ubuntu:Pro:18.04:LTS"), // another stream: its fixes are not everybody's
            ("Alpine:v3.19", "Alpine:v3.19"),
            ("Red Hat:enterprise_linux:9::appstream", "Red Hat:enterprise_linux:9"),
            ("Red Hat:enterprise_linux:10.1", "Red Hat:enterprise_linux:10"),
            ("Red Hat:rhel_eus:9.2::baseos", "Red Hat:rhel_eus:9.2"),
            ("Rocky Linux:9", "Rocky Linux:9"),
            ("SUSE:Linux Enterprise Module for Basesystem 15 SP5", "SUSE:15.5"),
            ("SUSE:Linux Enterprise Server 12 SP5-LTSS", "SUSE:12.5"),
            ("SUSE:Linux Enterprise Server 15-LTSS", "SUSE:15"),
            ("SUSE:Linux Enterprise Micro 5.3", "SUSE:Linux Enterprise Micro 5.3"),
            ("openSUSE:Leap 15.5", "openSUSE:Leap 15.5"),
            ("Wolfi", "Wolfi"),
        ] {
            assert_eq!(System::of(osv).unwrap().osv_name(), want, "{osv}");
        }
        for bad in ["Debian:", "Devuan:5", "debian:12", "Debian:\u{7}"] {
            assert_eq!(System::of(bad), None, "{bad}");
        }
        assert_eq!(System::of("Debian:12"), System::new(Distribution::Debian, "12"));
        assert!(System::of("Debian:9") > System::of("Debian:12")); // by name, whichever was met first
    }

    #[test]
    fn an_installed_system_is_the_release_of_its_advisories() {
        use Distribution::{OtherApk, OtherDpkg, OtherRpm};
        for (text, other, want) in [
            ("ID=debian\nVERSION_ID=\"12\"\n", OtherDpkg, "Debian:12"),
            ("ID=debian\nVERSION_CODENAME=trixie\n", OtherDpkg, "Debian:13"),
            ("ID=debian\nPRETTY_NAME=\"Debian GNU/Linux sid\"\n", OtherDpkg, "Debian:unstable"),
            ("ID=ubuntu\nVERSION_ID=\"22.04\"\n", OtherDpkg, "Ubuntu:22.04:LTS"),
            ("ID=ubuntu\nVERSION_ID=\"23.04\"\n", OtherDpkg, "Ubuntu:23.04"),
            ("ID=ubuntu\nVERSION_ID=\"22.10\"\n", OtherDpkg, "Ubuntu:22.10"),
            ("ID=alpine\nVERSION_ID=3.19.1\n", OtherApk, "Alpine:v3.19"),
            ("ID=alpine\nVERSION_ID=3.21_alpha20240807\n", OtherApk, "Alpine:edge"),
            ("ID=wolfi\nVERSION_ID=20230201\n", OtherApk, "Wolfi"),
            ("ID='rhel'\nVERSION_ID='9.3'\n", OtherRpm, "Red Hat:enterprise_linux:9"),
            ("ID=\"rocky\"\nVERSION_ID=\"9.3\"\n", OtherRpm, "Rocky Linux:9"),
            ("ID=\"sles\"\nVERSION_ID=\"15.5\"\n", OtherRpm, "SUSE:15.5"),
            ("ID=\"opensuse-leap\"\nVERSION_ID=\"15.5\"\n", OtherRpm, "openSUSE:Leap 15.5"),
            ("ID=openEuler\nVERSION=\"22.03 (LTS-SP4)\"\nVERSION_ID=22.03\n", OtherRpm, "openEuler:22.03-LTS-SP4"),
            ("ID=azurelinux\nVERSION_ID=\"3.0\"\n", OtherRpm, "Azure Linux:3"),
            ("ID=fedora\nVERSION_ID=40\n", OtherRpm, "rpm:fedora:40"),
            ("ID=debian\nVERSION_ID=12\n", OtherRpm, "rpm:debian:12"), // rpm packages on a Debian are nobody's
            ("", OtherDpkg, "dpkg:unknown"),
        ] {
            assert_eq!(System::installed(&OsRelease::read(text), other).osv_name(), want, "{text}");
        }
    }
}
