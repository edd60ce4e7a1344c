//! Roles that are stored instead of written into the file: the same words, read by the same reader, with every error at once.
//!
//! Pure. Between the API's JSON and the file's TOML stands no translation that could mean something else: the JSON is written
//! as the table that it is, and read as the file would be.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use aiva_chassis::config::{self, Leaf, Sources};
use aiva_chassis::config_section;
use serde_json::{Map, Value, json};

use super::role::{Level, Role};
use crate::role::Wrong;

config_section! {
    /// A role by itself.
    struct Alone {
        /// The role.
        role: Role;
    }
}

/// Reads a role as JSON has it.
///
/// # Errors
/// Every entry that is wrong, with its place in the role.
pub fn read(role: &Value) -> Result<Role, Vec<Wrong>> {
    let mut text = String::from("role = ");
    write(role, &mut text);
    text.push('\n');
    let sources = Sources {
        file: Some(("role", &text)),
        env: BTreeMap::new(),
        flags: Vec::new(),
        open: &|_| Err(std::io::ErrorKind::NotFound.into()),
    };
    let loaded = config::load::<Alone>(&sources).map_err(|error| {
        let wrong = |problem: config::Problem| {
            let key = problem.key.strip_prefix("role").unwrap_or(&problem.key);
            Wrong { key: key.strip_prefix('.').unwrap_or(key).to_owned(), message: problem.message }
        };
        error.problems.into_iter().map(wrong).collect::<Vec<_>>()
    })?;
    Ok(loaded.config.role)
}

/// What a role says in the words of the file, as far as it is not what a role says anyway and not among `without`: lines for
/// the end of the table `at`, and further tables below it.
pub fn besides(at: &str, role: &Role, without: &[&str]) -> String {
    let (said, usual) = (told(role), told(&Role::default()));
    let (mut lines, mut tables) = (String::new(), String::new());
    let is_usual = |key: &str, value: &Value| usual.get(key) == Some(value);
    let entry = |text: &mut String, key: &str, value: &Value| {
        text.push_str(&self::key(key));
        text.push_str(" = ");
        write(value, text);
        text.push('\n');
    };
    let all = said.as_object().into_iter().flatten();
    for (key, value) in all.filter(|(key, value)| !without.contains(&key.as_str()) && !is_usual(key, value)) {
        match value {
            Value::Object(named) if key == "exceptions" => {
                for (name, exception) in named {
                    let _infallible = writeln!(tables, "[{at}.{key}.{}]", self::key(name));
                    exception.as_object().into_iter().flatten().for_each(|(key, value)| entry(&mut tables, key, value));
                }
            }
            Value::Object(table) => {
                let _infallible = writeln!(tables, "[{at}.{key}]");
                let usual = usual.get(key);
                for (key, value) in
                    table.iter().filter(|(key, value)| usual.and_then(|usual| usual.get(key)) != Some(value))
                {
                    entry(&mut tables, key, value);
                }
            }
            _ => entry(&mut lines, key, value),
        }
    }
    lines + &tables
}

/// A key, quoted where it must be.
pub(crate) fn key(name: &str) -> String {
    let is_bare = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    if !name.is_empty() && name.bytes().all(is_bare) {
        return name.to_owned();
    }
    let mut text = String::new();
    quote(name, &mut text);
    text
}

/// A value in TOML: what is null is left out, as in the file.
fn write(value: &Value, text: &mut String) {
    match value {
        Value::Null => text.push_str("\"\""),
        Value::Bool(_) | Value::Number(_) => {
            let _infallible = write!(text, "{value}");
        }
        Value::String(string) => quote(string, text),
        Value::Array(items) => {
            text.push('[');
            for (at, item) in items.iter().enumerate() {
                text.push_str(if at == 0 { "" } else { ", " });
                write(item, text);
            }
            text.push(']');
        }
        Value::Object(table) => {
            text.push('{');
            for (at, (key, item)) in table.iter().filter(|(_, item)| !item.is_null()).enumerate() {
                text.push_str(if at == 0 { " " } else { ", " });
                quote(key, text);
                text.push_str(" = ");
                write(item, text);
            }
            text.push_str(" }");
        }
    }
}

/// A basic string: what JSON escapes, TOML reads alike, and DEL has to be escaped as well (TOML 1.0, "String").
fn quote(string: &str, text: &mut String) {
    text.push_str(&Value::from(string).to_string().replace('\u{7f}', "\\u007F"));
}

/// A role as JSON has it: everything that it says, defaults included.
pub fn told(role: &Role) -> Value {
    let level = |level: Level| level.as_str();
    let mut bounds = Map::new();
    let durations = [
        ("connect", Some(role.bounds.connect)),
        ("first_byte", Some(role.bounds.first_byte)),
        ("idle", Some(role.bounds.idle)),
        ("request", Some(role.bounds.request)),
        ("tunnel", role.bounds.tunnel),
    ];
    bounds.extend(durations.into_iter().filter_map(|(key, value)| Some((key.to_owned(), json!(shown(&value?))))));
    bounds.extend(role.bounds.max_bytes.iter().map(|size| ("max_bytes".to_owned(), json!(shown(size)))));
    let mut budgets = Map::from_iter([("window".to_owned(), json!(shown(&role.budgets.window)))]);
    budgets.extend(role.budgets.requests.iter().map(|count| ("requests".to_owned(), json!(count))));
    budgets.extend(role.budgets.tunnels.iter().map(|count| ("tunnels".to_owned(), json!(count))));
    budgets.extend(role.budgets.bytes.iter().map(|size| ("bytes".to_owned(), json!(shown(size)))));
    let networks: Vec<String> = role.nat64_prefixes.iter().map(shown).collect();
    let allowed = role.allow_cidrs.iter();
    let allowed: Vec<Value> =
        allowed.map(|one| json!({"cidr": one.cidr, "owner": one.owner, "expires": one.expires.to_string()})).collect();
    let exceptions: Map<String, Value> = role
        .exceptions
        .iter()
        .map(|(name, one)| {
            let mut told = json!({
                "ports": one.ports, "owner": one.owner, "reason": one.reason, "expires": one.expires.to_string(),
            });
            for (key, text) in [("host", &one.host), ("address", &one.address)] {
                if let (Some(text), Some(table)) = (text, told.as_object_mut()) {
                    table.insert(key.to_owned(), json!(text));
                }
            }
            (name.clone(), told)
        })
        .collect();
    let mut told = json!({
        "mode": role.mode.as_str(),
        "allow_domains": role.allow_domains,
        "deny_domains": role.deny_domains,
        "ports": role.ports,
        "schemes": role.schemes.iter().map(|scheme| scheme.as_str()).collect::<Vec<_>>(),
        "methods": role.methods,
        "paths": role.paths,
        "deny_cidrs": role.deny_cidrs,
        "nat64_prefixes": networks,
        "allow_cidrs": allowed,
        "exceptions": exceptions,
        "dns": {
            "servers": role.dns.servers.iter().map(ToString::to_string).collect::<Vec<_>>(),
            "mixed": role.dns.mixed.as_str(),
        },
        "inspection": {
            "sni": level(role.inspection.sni),
            "missing_sni": level(role.inspection.missing_sni),
            "ech": level(role.inspection.ech),
            "protocols": level(role.inspection.protocols),
        },
        "bounds": bounds,
        "budgets": budgets,
    });
    if let (Some(upstream), Some(table)) = (&role.upstream, told.as_object_mut()) {
        table.insert("upstream".to_owned(), json!(upstream));
    }
    told
}

/// As the file has it, without the quotes.
fn shown<T: Leaf>(value: &T) -> String {
    value.show().trim_matches('"').to_owned()
}

/// The place of an entry as a JSON pointer (RFC 6901): `exceptions."a.b".ports[0]` is `/exceptions/a.b/ports/0`.
pub fn pointer(key: &str) -> String {
    let (mut pointer, mut quoted, mut fresh) = (String::new(), false, true);
    for letter in key.chars() {
        match letter {
            '"' => {
                quoted = !quoted;
                continue;
            }
            '.' | '[' if !quoted => {
                fresh = true;
                continue;
            }
            ']' if !quoted => continue,
            _ => {}
        }
        if std::mem::take(&mut fresh) {
            pointer.push('/');
        }
        match letter {
            '~' => pointer.push_str("~0"),
            '/' => pointer.push_str("~1"),
            other => pointer.push(other),
        }
    }
    pointer
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrong(role: Value) -> Vec<String> {
        read(&role).unwrap_err().into_iter().map(|entry| pointer(&entry.key)).collect()
    }

    #[test]
    fn an_empty_role_is_the_default_one() {
        assert_eq!(format!("{:?}", read(&json!({})).unwrap()), format!("{:?}", Role::default()));
    }

    #[test]
    fn what_is_told_reads_back_the_same() {
        let role = json!({
            "mode": "report", "upstream": "direct", "allow_domains": ["*.example.net"], "ports": [443, 8443], "schemes": ["https"],
            "methods": ["GET"], "paths": ["/v1/"], "deny_cidrs": ["203.0.113.0/24"], "nat64_prefixes": ["2001:db8:64::/96"],
            "allow_cidrs": [{"cidr": "10.20.0.0/16:5432", "owner": "ana", "expires": "2027-01-31"}],
            "exceptions": {"the mirror.x": {"host": "m.corp", "ports": [80], "owner": "ana", "reason": "y \"z\"\u{7f}", "expires": "2027-01-31"}},
            "dns": {"servers": ["10.0.0.53:53"], "mixed": "filter"}, "inspection": {"sni": "enforce"},
            "bounds": {"connect": "3s", "tunnel": "12h", "max_bytes": "1GiB"},
            "budgets": {"requests": 7, "window": "2m", "bytes": "10MiB"},
        });
        let read_once = read(&role).unwrap();
        let again = read(&told(&read_once)).unwrap();
        assert_eq!(format!("{read_once:?}"), format!("{again:?}"));
        assert_eq!(
            told(&again)["bounds"],
            json!({"connect": "3s", "first_byte": "1m", "idle": "5m", "request": "1h", "tunnel": "12h", "max_bytes": "1GiB"})
        );
    }

    #[test]
    fn everything_that_is_wrong_is_said_at_once_with_its_place() {
        assert_eq!(wrong(json!({"mode": "strict", "prots": [1], "ports": ["x"]})), ["/prots", "/mode", "/ports/0"]);
        assert_eq!(
            wrong(json!({
                "allow_domains": ["a.example", "http://b"], "schemes": [], "bounds": {"idle": "0s"},
                "exceptions": {"a.b/c": {"owner": "ana", "reason": "x", "expires": "2027-01-31"}},
                "allow_cidrs": [{"cidr": "0.0.0.0/0", "owner": "ana", "expires": "2027-01-31"}],
            }))
            .len(),
            5
        );
        assert!(wrong(json!({"allow_domains": ["a", "http://b"]})).contains(&"/allow_domains/1".to_owned()));
        assert_eq!(pointer("exceptions.\"a.b/c\".ports[0]"), "/exceptions/a.b~1c/ports/0");
        assert_eq!(pointer(""), "");
    }

    #[test]
    fn no_text_ends_its_string() {
        for text in ["\"", "\\", "\n", "\u{0}", "\u{7f}", "\u{2028}", "'''", "\\u0041", "}", "# x"] {
            let text = format!("a{text}b");
            let exception = json!({"host": "m.corp", "owner": "ana", "reason": text, "expires": "2027-01-31"});
            let role = json!({"exceptions": {"x": exception}});
            assert_eq!(read(&role).unwrap().exceptions["x"].reason, text, "{text:?}");
        }
    }
}
