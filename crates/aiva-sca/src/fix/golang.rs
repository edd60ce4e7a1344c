//! One module moved in a `go.mod`, or the standard library.

use super::ask::{Ask, Edited};

/// `module v1.2.3`, alone or in a block. The standard library is that of the `toolchain` line, which is written where there is
/// none: the `go` line is the least that builds the module, for everybody who uses it, and stays.
pub(super) fn go_mod(text: &str, ask: &Ask<'_>) -> Edited {
    let mut edited = Edited::default();
    let mut after = String::with_capacity(text.len() + 8);
    let is_toolchain = matches!(ask.name, "stdlib" | "toolchain");
    let names_toolchain = text.lines().any(|line| line.split_whitespace().next() == Some("toolchain"));
    let to = ask.highest();
    for (number, whole) in text.split_inclusive('\n').enumerate() {
        let wanted = u32::try_from(number + 1).is_ok_and(|number| ask.lines.contains(&number));
        let code = whole.split("//").next().unwrap_or_default();
        let mut words = code.split_whitespace().filter(|word| *word != "require");
        let (first, second) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        if first == "replace" && code.split_whitespace().any(|word| word.trim_matches('"') == ask.name) {
            edited.refused.push(format!("{} is replaced; move the replacement to v{to} by hand", ask.name));
        }
        let new = match (first, second) {
            _ if !wanted => None,
            ("go", _) if is_toolchain && !names_toolchain => {
                edited.entries.push(ask.whole());
                let end = if whole.ends_with("\r\n") { "\r\n" } else { "\n" };
                let line = whole.trim_end_matches(['\n', '\r']);
                Some(format!("{line}{end}{end}toolchain go{to}{end}"))
            }
            ("toolchain", version) if is_toolchain => Some(whole.replacen(version, &format!("go{to}"), 1)),
            (module, version) if module.trim_matches('"') == ask.name && version.starts_with('v') => {
                Some(whole.replacen(version, &format!("v{to}"), 1))
            }
            _ => None,
        };
        match new {
            Some(new) => {
                if edited.entries.is_empty() {
                    edited.entries.push(ask.whole());
                }
                after.push_str(&new);
            }
            None => after.push_str(whole),
        }
    }
    // A line that is replaced is no line that builds.
    if !edited.refused.is_empty() {
        text.clone_into(&mut after);
        edited.entries.clear();
    }
    edited.after = Some(after);
    edited
}
