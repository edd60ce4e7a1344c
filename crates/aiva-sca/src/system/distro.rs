//! The `distro` of a package URL, as the tools that write bills of materials spell it.
//!
//! purl-spec leaves the qualifier open. Most tools write ID and VERSION_ID of `/etc/os-release` (`debian-12.4`, `alpine-3.19.1`),
//! AIVA the release as OSV names it (`ubuntu-22.04-LTS`), some a codename. Start reading at [`System::of_distro`].

use super::{Distribution, OsRelease, System};

/// Releases by the names that people call them by.
const CODENAMES: &[(&str, &str, &str)] = &[
    ("debian", "stretch", "9"),
    ("debian", "buster", "10"),
    ("debian", "bullseye", "11"),
    ("debian", "bookworm", "12"),
    ("debian", "trixie", "13"),
    ("debian", "forky", "14"),
    ("ubuntu", "xenial", "16.04"),
    ("ubuntu", "bionic", "18.04"),
    ("ubuntu", "focal", "20.04"),
    ("ubuntu", "jammy", "22.04"),
    ("ubuntu", "noble", "24.04"),
    ("ubuntu", "resolute", "26.04"),
];

impl System {
    /// The system that a package URL of this type means, by the namespace before its name and its `distro`.
    ///
    /// `None` where no release is told: advisories hold for one. Distributions without releases need none.
    pub(crate) fn of_distro(kind: &str, namespace: &str, distro: &str) -> Option<Self> {
        let other = match kind {
            "deb" => Distribution::OtherDpkg,
            "rpm" => Distribution::OtherRpm,
            "apk" => Distribution::OtherApk,
            _ => return None,
        };
        let namespace = namespace.to_lowercase();
        let (id, version) = split(&namespace, distro)?;
        if let Some(system) = Self::as_osv_names_it(&id, &version) {
            return Some(system).filter(|system| system.distribution().purl_type() == kind);
        }
        let version = version.trim_start_matches('v').trim_end_matches("-LTS");
        let id = match id.as_str() {
            "alma" => "almalinux",
            "cbl-mariner" => "mariner",
            "opensuse.leap" => "opensuse-leap",
            "opensuse.tumbleweed" => "opensuse-tumbleweed",
            "rocky-linux" => "rocky",
            "slem" | "suse-linux-enterprise-micro" => "sle-micro",
            "suse" | "suse linux enterprise server" => "sles",
            "suse-linux-micro" => "sl-micro",
            id => id,
        };
        let release = OsRelease { id: id.to_owned(), version_id: version.to_owned(), ..OsRelease::default() };
        Some(Self::installed(&release, other))
    }

    /// Releases that `/etc/os-release` has in another form, or that are streams of their own.
    fn as_osv_names_it(id: &str, version: &str) -> Option<Self> {
        match (id, version) {
            ("alpine", "edge") => Self::new(Distribution::Alpine, "edge"),
            ("debian", "sid" | "unstable") => Self::new(Distribution::Debian, "unstable"),
            ("openeuler", version) => Self::new(Distribution::OpenEuler, version),
            ("ubuntu-pro", version) => Self::new(Distribution::Ubuntu, &format!("Pro:{}", version.replace('-', ":"))),
            (id, version) => {
                let stream = id.strip_prefix("redhat-")?;
                Self::new(Distribution::RedHat, &format!("{stream}:{version}"))
            }
        }
    }
}

/// The distribution and its release, both as far as they are told.
fn split(namespace: &str, distro: &str) -> Option<(String, String)> {
    let is_release = |text: &str| text.trim_start_matches('v').starts_with(|c: char| c.is_ascii_digit());
    if distro.is_empty() {
        return matches!(namespace, "chainguard" | "minimos" | "wolfi").then(|| (namespace.to_owned(), String::new()));
    }
    if is_release(distro) {
        return (!namespace.is_empty()).then(|| (namespace.to_owned(), distro.to_owned()));
    }
    let numbered = distro.match_indices('-').find(|(at, _)| distro.get(at + 1..).is_some_and(is_release));
    if let Some((id, version)) = numbered.and_then(|(at, _)| Some((distro.get(..at)?, distro.get(at + 1..)?))) {
        return Some((id.to_lowercase(), version.to_owned()));
    }
    let lower = distro.to_lowercase();
    let (id, name) = lower.rsplit_once('-').unwrap_or((namespace, &lower));
    if let Some((_, _, version)) = CODENAMES.iter().find(|(of, codename, _)| *of == id && *codename == name) {
        return Some((id.to_owned(), (*version).to_owned()));
    }
    match (id, name) {
        ("alpine", "edge") | ("debian", "sid" | "unstable") => Some((id.to_owned(), name.to_owned())),
        _ if matches!(lower.as_str(), "chainguard" | "minimos" | "wolfi" | "opensuse-tumbleweed" | "arch") => {
            Some((lower, String::new()))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_way_to_spell_a_release_is_understood() {
        for (kind, namespace, distro, want) in [
            ("deb", "debian", "debian-12", "Debian:12"),
            ("deb", "debian", "debian-12.4", "Debian:12"),
            ("deb", "debian", "bookworm", "Debian:12"),
            ("deb", "debian", "debian-sid", "Debian:unstable"),
            ("deb", "debian", "11", "Debian:11"),
            ("deb", "ubuntu", "ubuntu-22.04", "Ubuntu:22.04:LTS"),
            ("deb", "ubuntu", "ubuntu-22.04-LTS", "Ubuntu:22.04:LTS"),
            ("deb", "ubuntu", "ubuntu-23.10", "Ubuntu:23.10"),
            ("deb", "ubuntu", "jammy", "Ubuntu:22.04:LTS"),
            ("deb", "ubuntu", "ubuntu-Pro-18.04-LTS", "Ubuntu:Pro:18.04:LTS"),
            ("apk", "alpine", "alpine-3.19.1", "Alpine:v3.19"),
            ("apk", "alpine", "alpine-v3.19", "Alpine:v3.19"),
            ("apk", "alpine", "3.19.1", "Alpine:v3.19"),
            ("apk", "alpine", "alpine-edge", "Alpine:edge"),
            ("apk", "wolfi", "", "Wolfi"),
            ("apk", "wolfi", "wolfi-20230201", "Wolfi"),
            ("rpm", "redhat", "redhat-9", "Red Hat:enterprise_linux:9"),
            ("rpm", "redhat", "rhel-9.3", "Red Hat:enterprise_linux:9"),
            ("rpm", "redhat", "redhat-rhel_eus-9.2", "Red Hat:rhel_eus:9.2"),
            ("rpm", "rocky-linux", "rocky-linux-9", "Rocky Linux:9"),
            ("rpm", "rocky", "rocky-9.3", "Rocky Linux:9"),
            ("rpm", "alma", "alma-9.3", "AlmaLinux:9"),
            ("rpm", "azurelinux", "azurelinux-3.0", "Azure Linux:3"),
            ("rpm", "opensuse", "opensuse-Leap-15.5", "openSUSE:Leap 15.5"),
            ("rpm", "opensuse", "opensuse-tumbleweed", "openSUSE:Tumbleweed"),
            ("rpm", "suse", "sles-15.5", "SUSE:15.5"),
            ("rpm", "suse", "suse-15.5", "SUSE:15.5"),
            ("rpm", "suse", "suse-Linux-Enterprise-Micro-5.3", "SUSE:Linux Enterprise Micro 5.3"),
            ("rpm", "openeuler", "openeuler-22.03-LTS-SP4", "openEuler:22.03-LTS-SP4"),
            ("rpm", "fedora", "fedora-40", "rpm:fedora:40"),
            ("deb", "kali", "kali-2024.1", "dpkg:kali:2024.1"),
        ] {
            let system = System::of_distro(kind, namespace, distro);
            assert_eq!(system.map(System::osv_name), Some(want), "{kind} {namespace} {distro}");
        }
        for (kind, namespace, distro) in
            [("deb", "debian", ""), ("rpm", "", "9"), ("deb", "debian", "whatever"), ("npm", "debian", "debian-12")]
        {
            assert_eq!(System::of_distro(kind, namespace, distro), None, "{kind} {namespace} {distro}");
        }
    }

    #[test]
    fn what_is_written_of_a_release_is_read_again() {
        for name in [
            "Debian:12",
            "Debian:unstable",
            "Ubuntu:22.04:LTS",
            "Ubuntu:23.10",
            "Ubuntu:Pro:18.04:LTS",
            "Alpine:v3.19",
            "Alpine:edge",
            "Wolfi",
            "Chainguard",
            "Red Hat:enterprise_linux:9",
            "Red Hat:rhel_eus:9.2",
            "Rocky Linux:9",
            "AlmaLinux:8",
            "Azure Linux:3",
            "SUSE:15.5",
            "SUSE:Linux Enterprise Micro 5.3",
            "openSUSE:Leap 15.5",
            "openSUSE:Tumbleweed",
            "openEuler:22.03-LTS-SP4",
            "Photon OS:5.0",
            "Mageia:9",
            "rpm:fedora:40",
            "apk:postmarketos:24.06",
        ] {
            let system = System::of(name).unwrap();
            let (namespace, distro) = system.vendor();
            let release = if system.release().is_some() { distro.as_str() } else { "" };
            let kind = system.distribution().purl_type();
            assert_eq!(System::of_distro(kind, namespace, release), Some(system), "{name}: {namespace} {distro}");
        }
    }
}
