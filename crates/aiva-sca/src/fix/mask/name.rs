//! Which names speak of a secret.

/// Words of which the last one of a name tells that its value is a secret, also of several.
const SECRETS: [&str; 18] = [
    "password",
    "passwd",
    "passphrase",
    "pwd",
    "pass",
    "token",
    "authtoken",
    "accesstoken",
    "secret",
    "apikey",
    "accesskey",
    "secretkey",
    "privatekey",
    "auth",
    "authorization",
    "credential",
    "bearer",
    "signature",
];

/// Words that make a secret of the `key` behind them.
const OF_KEYS: [&str; 5] = ["api", "access", "secret", "private", "auth"];

/// Whether the last word of a name speaks of a secret; words are parted by signs or begin with a capital letter.
pub(super) fn is_secret(name: &str) -> bool {
    let mut words: Vec<String> = Vec::new();
    let mut is_small = false;
    for c in name.chars() {
        let is_sign = !c.is_ascii_alphanumeric();
        if words.is_empty() || is_sign || is_small && c.is_ascii_uppercase() {
            words.push(String::new());
        }
        is_small = c.is_ascii_lowercase();
        if let Some(word) = words.last_mut().filter(|_| !is_sign) {
            word.push(c.to_ascii_lowercase());
        }
    }
    match words.as_slice() {
        [.., of, key] if key == "key" || key == "keys" => OF_KEYS.contains(&of.as_str()),
        [.., last] => SECRETS.iter().any(|word| last == word || last.strip_suffix('s') == Some(word)),
        [] => false,
    }
}
