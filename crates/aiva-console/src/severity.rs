//! Says in words what a CVSS vector says in letters (versions 3.0, 3.1 and 4.0; first.org).
//!
//! Pure and total: a vector that nobody can read gives an empty list, an unknown metric is shown as it is.

/// One metric of a vector.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Metric {
    /// As written, such as `AV:N`.
    pub(crate) code: String,
    /// What it measures.
    pub(crate) name: &'static str,
    /// What it says.
    pub(crate) meaning: &'static str,
    /// How much it adds: 0 nothing, 1 some, 2 the worst.
    pub(crate) weight: u8,
}

/// Every base metric of `vector`, in its order. Metrics without a weight of their own (temporal, environmental) are left out.
pub(crate) fn explain(vector: &str) -> Vec<Metric> {
    let mut parts = vector.split('/');
    let four = match parts.next() {
        Some("CVSS:3.0" | "CVSS:3.1") => false,
        Some("CVSS:4.0") => true,
        _ => return Vec::new(),
    };
    parts
        .filter_map(|part| {
            let (metric, value) = part.split_once(':')?;
            let (name, meaning, weight) = if four { four_point(metric, value) } else { three_point(metric, value) }?;
            Some(Metric { code: part.to_owned(), name, meaning, weight })
        })
        .collect()
}

type Words = (&'static str, &'static str, u8);

fn three_point(metric: &str, value: &str) -> Option<Words> {
    let words = match (metric, value) {
        ("S", "U") => ("Scope", "stays inside the vulnerable component", 0),
        ("S", "C") => ("Scope", "reaches beyond the vulnerable component", 2),
        ("UI", "R") => ("User interaction", "somebody must act first", 1),
        ("C", v) => ("Confidentiality", impact(v)?.0, impact(v)?.1),
        ("I", v) => ("Integrity", impact(v)?.0, impact(v)?.1),
        ("A", v) => ("Availability", impact(v)?.0, impact(v)?.1),
        _ => return shared(metric, value),
    };
    Some(words)
}

fn four_point(metric: &str, value: &str) -> Option<Words> {
    let words = match (metric, value) {
        ("AT", "N") => ("Attack requirements", "no special conditions", 2),
        ("AT", "P") => ("Attack requirements", "conditions must be right", 0),
        ("UI", "P") => ("User interaction", "somebody must do something ordinary", 1),
        ("UI", "A") => ("User interaction", "somebody must be led to act", 0),
        ("VC", v) => ("Confidentiality", impact(v)?.0, impact(v)?.1),
        ("VI", v) => ("Integrity", impact(v)?.0, impact(v)?.1),
        ("VA", v) => ("Availability", impact(v)?.0, impact(v)?.1),
        ("SC", v) => ("Confidentiality elsewhere", impact(v)?.0, impact(v)?.1),
        ("SI", v) => ("Integrity elsewhere", impact(v)?.0, impact(v)?.1),
        ("SA", v) => ("Availability elsewhere", impact(v)?.0, impact(v)?.1),
        _ => return shared(metric, value),
    };
    Some(words)
}

fn shared(metric: &str, value: &str) -> Option<Words> {
    let words = match (metric, value) {
        ("AV", "N") => ("Attack vector", "over the network", 2),
        ("AV", "A") => ("Attack vector", "from the same network segment", 1),
        ("AV", "L") => ("Attack vector", "with access to the machine", 1),
        ("AV", "P") => ("Attack vector", "with hands on the device", 0),
        ("AC", "L") => ("Attack complexity", "works every time", 2),
        ("AC", "H") => ("Attack complexity", "needs luck or preparation", 0),
        ("PR", "N") => ("Privileges required", "none: anybody", 2),
        ("PR", "L") => ("Privileges required", "an ordinary account", 1),
        ("PR", "H") => ("Privileges required", "an administrator's account", 0),
        ("UI", "N") => ("User interaction", "nobody needs to do anything", 2),
        _ => return None,
    };
    Some(words)
}

fn impact(value: &str) -> Option<(&'static str, u8)> {
    match value {
        "H" => Some(("lost in full", 2)),
        "L" => Some(("lost in part", 1)),
        "N" => Some(("not touched", 0)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn codes(vector: &str) -> Vec<String> {
        explain(vector).into_iter().map(|metric| metric.code).collect()
    }

    #[test]
    fn both_versions_are_read() {
        let three = explain("CVSS:3.1/AV:N/AC:L/PR:N/UI:R/S:C/C:L/I:L/A:N");
        assert_eq!(three.len(), 8);
        assert_eq!((three[0].name, three[0].meaning), ("Attack vector", "over the network"));
        assert_eq!(explain("CVSS:4.0/AV:N/AC:H/AT:N/PR:L/UI:A/VC:N/VI:N/VA:H/SC:N/SI:N/SA:H").len(), 11);
    }

    #[test]
    fn what_is_not_a_vector_gives_nothing() {
        for odd in ["", "CVSS:2.0/AV:N", "AV:N/AC:L", "<script>", "CVSS:3.1", "CVSS:3.1/", "CVSS:3.1/AV"] {
            assert!(explain(odd).is_empty(), "{odd}");
        }
        assert_eq!(codes("CVSS:3.1/AV:N/E:X/C:Z/A:H"), ["AV:N", "A:H"]); // temporal and broken metrics are left out
        assert_eq!(codes("CVSS:3.1/VC:H/UI:P/AT:N"), Vec::<String>::new()); // of the other version
    }
}
