//! Lines of a manifest as they are shown: without the credentials of the addresses in them.

use std::borrow::Cow;

/// What stands in the place of credentials.
const MASK: &str = "***";

/// A line with the credentials of every address in it masked. A user of ssh is none.
pub fn masked(line: &str) -> Cow<'_, str> {
    let (mut out, mut rest) = (String::new(), line);
    // As JSON may write it, each slash has a backslash before it.
    let next = |rest: &str| ["://", ":\\/\\/"].into_iter().filter_map(|sign| Some((rest.find(sign)?, sign))).min();
    while let Some((at, sign)) = next(rest) {
        let (before, after) = (rest.get(..at).unwrap_or_default(), rest.get(at + sign.len()..).unwrap_or_default());
        let is_end = |c: char| c.is_whitespace() || matches!(c, '/' | '?' | '#' | '"' | '\'' | '`' | '<' | '>' | '\\');
        let authority = after.get(..after.find(is_end).unwrap_or(after.len())).unwrap_or_default();
        let secret = authority.rsplit_once('@').map(|(user, _)| user);
        let secret = secret.filter(|user| !user.is_empty() && (user.contains(':') || !before.ends_with("ssh")));
        out.push_str(before);
        out.push_str(sign);
        out.push_str(secret.map_or("", |_| MASK));
        rest = after.get(secret.map_or(0, str::len)..).unwrap_or_default();
    }
    out.push_str(rest);
    if out == line { Cow::Borrowed(line) } else { Cow::Owned(out) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_masked_wherever_an_address_stands() {
        for (line, want) in [
            (" --index-url https://user:token@host/simple", " --index-url https://***@host/simple"),
            ("-a @ git+https://ghp_x@github.com/o/a@v1", "-a @ git+https://***@github.com/o/a@v1"),
            ("\"a\": \"git+ssh://git@h/a\", b = 'ssh://u:p@h'", "\"a\": \"git+ssh://git@h/a\", b = 'ssh://***@h'"),
            ("x http://a:b@c http://d:e@f#g@h", "x http://***@c http://***@f#g@h"),
            ("https://h/@scope/a?x=a@b", "https://h/@scope/a?x=a@b"),
            ("https://u:p%40q@x@h:80/", "https://***@h:80/"),
            ("https://@h ://", "https://@h ://"),
            ("a==1.0 # me@example.com", "a==1.0 # me@example.com"),
            ("ü://ü:ö@ä", "ü://***@ä"),
            ("\"url\": \"https:\\/\\/u:ghp_x@h\\/a\"", "\"url\": \"https:\\/\\/***@h\\/a\""),
        ] {
            assert_eq!(masked(line), want, "{line}");
        }
    }
}
