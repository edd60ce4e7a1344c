//! Package URLs of what a system has installed: types `deb`, `rpm` and `apk`.
//!
//! What tells which advisories are about such a package stands in the qualifiers: `distro` its release, `epoch` the first part of
//! its version, `upstream` the source package that it was built from (as Syft writes it: a name, `name@version`, or the file name
//! of a source RPM).

use super::{Named, NotNamed, decode};
use crate::package::{BuiltFrom, Ecosystem, Source};
use crate::system::System;

/// Reads a URL of one of the three types; `namespace` and `name` are decoded.
pub(super) fn read(
    kind: &str,
    namespace: &str,
    name: &str,
    version: &str,
    qualifiers: &str,
) -> Result<Named, NotNamed> {
    let (mut distro, mut epoch, mut upstream) = (String::new(), String::new(), String::new());
    for (key, value) in qualifiers.split('&').filter_map(|one| one.split_once('=')) {
        let value = decode(value).ok_or(NotNamed::Malformed)?;
        match key {
            "distro" => distro = value,
            "epoch" => epoch = value,
            "upstream" => upstream = value,
            _ => {}
        }
    }
    let system = System::of_distro(kind, namespace, &distro).ok_or(NotNamed::NoRelease)?;
    let has_epoch = version.split_once(':').is_some_and(|(epoch, _)| epoch.bytes().all(|byte| byte.is_ascii_digit()));
    let version = match epoch.as_str() {
        "" | "0" => version.to_owned(),
        _ if version.is_empty() || has_epoch => version.to_owned(),
        epoch if epoch.bytes().all(|byte| byte.is_ascii_digit()) => format!("{epoch}:{version}"),
        _ => return Err(NotNamed::Malformed),
    };
    let built_from = built_from(&upstream, &version).filter(|from| from.name != name || from.version != version);
    Ok(Named {
        ecosystem: Ecosystem::System(system),
        name: name.to_owned(),
        version,
        source: Source::Registry,
        built_from,
    })
}

/// The source package; one without a version has that of the package.
fn built_from(upstream: &str, version: &str) -> Option<BuiltFrom> {
    let (name, own) = match upstream.strip_suffix(".src.rpm") {
        Some(file) => {
            let (rest, release) = file.rsplit_once('-')?;
            let (name, number) = rest.rsplit_once('-')?;
            // A source RPM's file name has no epoch; what is built from it mostly has the source's.
            let epoch = version.split_once(':').map(|(epoch, _)| format!("{epoch}:")).unwrap_or_default();
            (name, Some(format!("{epoch}{number}-{release}")))
        }
        None => match upstream.split_once('@') {
            Some((name, version)) => (name, Some(version.to_owned())),
            None => (upstream, None),
        },
    };
    let version = own.filter(|version| !version.is_empty()).unwrap_or_else(|| version.to_owned());
    (!name.is_empty()).then(|| BuiltFrom { name: name.to_owned(), version })
}

#[cfg(test)]
mod tests {
    use super::super::read;
    use super::*;

    #[test]
    fn other_tools_packages_are_those_of_a_release() {
        for (url, system, name, version, from) in [
            // Syft
            (
                "pkg:deb/debian/libssl3@3.0.11-1~deb12u2?arch=amd64&distro=debian-12&upstream=openssl",
                "Debian:12",
                "libssl3",
                "3.0.11-1~deb12u2",
                "openssl 3.0.11-1~deb12u2",
            ),
            (
                "pkg:deb/debian/libc-bin@2.36-9%2Bdeb12u4?distro=debian-12&upstream=glibc%402.36-9",
                "Debian:12",
                "libc-bin",
                "2.36-9+deb12u4",
                "glibc 2.36-9",
            ),
            (
                "pkg:rpm/redhat/openssl-libs@3.0.7-24.el9?arch=x86_64&distro=rhel-9.3&epoch=1&upstream=openssl-3.0.7-24.el9.src.rpm",
                "Red Hat:enterprise_linux:9",
                "openssl-libs",
                "1:3.0.7-24.el9",
                "openssl 1:3.0.7-24.el9",
            ),
            ("pkg:apk/alpine/musl@1.2.4-r2?arch=x86_64&distro=alpine-3.19.1", "Alpine:v3.19", "musl", "1.2.4-r2", ""),
            // Trivy
            ("pkg:deb/debian/tar@1.34?arch=amd64&distro=debian-12.4&epoch=1", "Debian:12", "tar", "1:1.34", ""),
            ("pkg:rpm/rocky/bash@5.1.8-6.el9?distro=rocky-9.3&epoch=0", "Rocky Linux:9", "bash", "5.1.8-6.el9", ""),
            // What was built from a source of its own name and version is not said to be built from another.
            ("pkg:deb/debian/bash@5.2-1?distro=debian-12&upstream=bash", "Debian:12", "bash", "5.2-1", ""),
            ("pkg:deb/debian/libstdc%2B%2B6@12?distro=debian-12", "Debian:12", "libstdc++6", "12", ""),
        ] {
            let named = read(url).unwrap();
            let built = named.built_from.map(|from| format!("{} {}", from.name, from.version)).unwrap_or_default();
            let got = (named.ecosystem.osv_name(), named.name.as_str(), named.version.as_str(), built.as_str());
            assert_eq!(got, (system, name, version, from), "{url}");
        }
        for (url, want) in [
            ("pkg:deb/debian/curl@7.50.3-1?arch=i386", NotNamed::NoRelease),
            ("pkg:rpm/curl@1", NotNamed::NoRelease),
            ("pkg:rpm/fedora/curl@1?distro=fedora-40&epoch=x", NotNamed::Malformed),
            ("pkg:oci/curl@1", NotNamed::Foreign),
        ] {
            assert_eq!(read(url), Err(want), "{url}");
        }
    }
}
