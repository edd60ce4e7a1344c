//! What the stable words of the egress guard mean, for people.

/// Why something was decided as it was; nothing for a word that says it by itself.
pub(super) fn meaning(reason: &str) -> Option<&'static str> {
    Some(match reason {
        "not-url" => "This is no absolute address.",
        "control-character" | "white-space" | "backslash" | "credentials" | "host-encoded" | "host-unicode"
        | "host-number" | "host-address" | "host-name" | "port" => {
            "Two programs would not read this address alike, so nobody can be sure where it leads."
        }
        "scheme" => "Only http and https leave through the guard.",
        "scheme-not-allowed" => "The role does not allow this scheme.",
        "port-not-allowed" => "The role does not allow this port.",
        "method-not-allowed" => "The role does not allow this method.",
        "path-not-allowed" => "The role does not allow this path.",
        "name-local" => "The name means the machine itself.",
        "name-internal" => "The name is of an internal zone, or a single label.",
        "name-metadata" | "address-metadata" => {
            "A cloud's metadata service: it hands out the machine's credentials, and no role or exception opens it."
        }
        "name-denied" => "The name is on the role's list of denied ones.",
        "name-not-allowed" => "The role lists the names that it may call, and this one is not among them.",
        "address-self" => "The address is one that AIVA itself listens on.",
        "address-denied" => "An address of the name is on the role's list of denied ones.",
        "address-internal" => "An address of the name is not public, and one such address spoils the whole answer.",
        "exception-expired" => "What an exception opened, it opened until its last day.",
        "downgrade" => "A redirect led from an encrypted address to one that is not.",
        "redirects" => "There were more redirects than allowed, or they went in a circle.",
        "dns-not-found" => "The DNS says that there is no such name.",
        "dns-timeout" => "The DNS did not answer in time.",
        "dns-failed" => "The DNS could not answer.",
        "budget-requests" | "budget-bytes" | "budget-tunnels" => "The role has used up what its budget allows.",
        "token-invalid" => "The decision token is none of ours, or has run out.",
        "token-mismatch" => "The decision token was given out for another address.",
        "credentials-wrong" => "The caller's credentials are wrong.",
        "certificate-revoked" => "The caller's certificate was taken back.",
        _ => return None,
    })
}

/// What would allow a refused request where no entry of the configuration is known that would.
pub(super) fn way_out(reason: &str) -> &'static str {
    match reason {
        "not-url" | "control-character" | "white-space" | "backslash" | "scheme" | "credentials" | "host-encoded"
        | "host-unicode" | "host-number" | "host-address" | "host-name" | "port" => {
            "No setting does. The caller has to write the address so that every program reads it alike."
        }
        "budget-requests" | "budget-bytes" | "budget-tunnels" => "Waiting, or a larger budget of the role.",
        "token-invalid" | "token-mismatch" => "A new decision token, for this very address.",
        "credentials-wrong" => "The right credentials.",
        "certificate-revoked" => "A certificate that still counts.",
        "redirects" => "A higher limit of redirects, if they do not go in a circle.",
        _ => "Nothing. No role and no exception opens this.",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_services_have_no_way_out() {
        for reason in ["name-metadata", "address-metadata", "address-self", "a-new-word"] {
            assert!(way_out(reason).starts_with("Nothing"), "{reason}");
        }
        assert!(meaning("address-metadata").is_some_and(|words| words.contains("credentials")));
        assert_eq!(meaning("a-new-word"), None);
    }
}
