//! The sections of the shared story: `[[services]]` and `[[exceptions]]`.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;

use super::Reader;
use crate::{config_section, config_words};

config_section! {
    /// A service of the catalogue: what it is built from, where it may call, who signs in, what it runs on.
    pub struct Service checks check_service {
        /// Its name: letters, digits, - and _.
        pub name: String, example "\"checkout\"";
        /// Who hears of its alerts.
        pub owners: Vec<String>, example "[\"#team-pay\"]";
        /// Folders or files that are scanned, relative to this file.
        pub source: Vec<String>, example "[\"services/checkout\"]";
        /// The egress role its requests carry.
        pub egress_role: Option<String>, example "\"checkout\"";
        /// Its OAuth clients.
        pub oauth_clients: Vec<String>, example "[\"checkout-web\"]";
        /// The cloud resources that belong to it.
        pub cloud: Option<Cloud>;
    }
}

config_section! {
    /// The cloud resources that belong to the service.
    pub struct Cloud {
        /// Twelve digits.
        pub aws_account: Option<String>, example "\"111122223333\"";
        /// A subscription id.
        pub azure_subscription: Option<String>, example "\"00000000-0000-0000-0000-000000000000\"";
        /// A project id.
        pub gcp_project: Option<String>, example "\"checkout-prod\"";
        /// Tags or labels that the resources carry.
        pub tags: BTreeMap<String, String>, example "{ service = \"checkout\" }";
    }
}

config_words! {
    /// One of the four sides.
    pub enum Guard {
        /// Who may come in.
        Authn = "authn",
        /// Where it may call out.
        Egress = "egress",
        /// What it is built from.
        Sca = "sca",
        /// What it runs on.
        Cspm = "cspm",
    }
}

config_section! {
    /// A choice not to act on a finding: owned, reasoned and expiring.
    pub struct Exception checks check_exception {
        /// Whose findings: "authn", "egress", "sca" or "cspm".
        pub guard: Guard, example "\"sca\"";
        /// Which of them; all that is given must fit.
        pub r#match: Match;
        /// Who answers for it.
        pub owner: String, example "\"ana@example.com\"";
        /// Why nothing is done.
        pub reason: String, example "\"not reachable: build-time only\"";
        /// The last day on which it holds.
        pub expires: Date, example "2027-01-31";
    }
}

config_section! {
    /// Which findings an exception is about; all that is given must fit.
    pub struct Match {
        /// An advisory's or a rule's id, or any alias of it.
        pub id: Option<String>, example "\"CVE-2026-0001\"";
        /// The package's name.
        pub package: Option<String>, example "\"left-pad\"";
        /// The service's name.
        pub service: Option<String>, example "\"checkout\"";
        /// The file or resource; * is any part of a name, ** any depth.
        pub path: Option<String>, example "\"services/checkout/**\"";
    }
}

fn check_service(service: &Service, reader: &mut Reader<'_>) {
    if !is_name(&service.name) {
        reader.refuse("name", "is not a name: 1 to 64 letters, digits, - and _");
    }
    let account = service.cloud.as_ref().and_then(|cloud| cloud.aws_account.as_ref());
    if account.is_some_and(|account| account.len() != 12 || !account.bytes().all(|b| b.is_ascii_digit())) {
        reader.refuse("cloud.aws_account", "is not a string of twelve digits");
    }
}

fn check_exception(exception: &Exception, reader: &mut Reader<'_>) {
    let Match { id, package, service, path } = &exception.r#match;
    if [id, package, service, path].iter().all(|part| part.is_none()) {
        reader.refuse("match", "the exception matches everything: give match.id, package, service or path");
    }
    for (key, text) in [("owner", &exception.owner), ("reason", &exception.reason)] {
        if text.trim().is_empty() {
            reader.refuse(key, "must not be empty");
        }
    }
}

/// For the root's checks: what one entry alone cannot see. `services` is the key that holds them.
pub fn check_catalogue(services: &[Service], exceptions: &[Exception], reader: &mut Reader<'_>) {
    let mut names = BTreeSet::new();
    for (index, service) in services.iter().enumerate() {
        if !names.insert(service.name.as_str()) {
            reader.refuse(&format!("services[{index}].name"), format!("{:?} is there twice", service.name));
        }
    }
    for (index, exception) in exceptions.iter().enumerate() {
        if let Some(service) = exception.r#match.service.as_deref().filter(|service| !names.contains(service)) {
            reader.refuse(&format!("exceptions[{index}].match.service"), format!("there is no service {service:?}"));
        }
    }
}

fn is_name(name: &str) -> bool {
    (1..=64).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
}
