//! The calls of `gem` in a `Gemfile`: where each begins, which strings it has, and where what it says would have to be worked out.
//!
//! Nothing is run. What is neither a plain string nor behind a key may be a requirement, whatever it is.

/// A string in the text: where its content begins and ends, without the quotes.
pub(super) struct Literal {
    pub(super) from: usize,
    pub(super) end: usize,
}

/// Where the first argument of each `gem` call begins.
pub(super) fn calls(text: &str) -> impl Iterator<Item = usize> {
    let mut line = 0;
    text.split_inclusive('\n').filter_map(move |whole| {
        let start = line;
        line += whole.len();
        let code = whole.trim_start();
        let rest = code.strip_prefix("gem")?;
        let argument = rest.trim_start_matches([' ', '\t', '(']);
        (argument.len() < rest.len()).then(|| start + whole.len() - argument.len())
    })
}

/// The string that begins here.
pub(super) fn literal(text: &str, at: usize) -> Option<Literal> {
    let rest = text.get(at..)?;
    let quote = rest.chars().next().filter(|c| matches!(c, '"' | '\''))?;
    let length = rest.get(1..)?.find([quote, '\n'])?;
    text.get(at + 1 + length..)?.starts_with(quote).then_some(Literal { from: at + 1, end: at + 1 + length })
}

/// The strings behind the name of a gem, also as items of a list; and whether anything else there may be a requirement.
pub(super) fn requirements(text: &str, mut at: usize) -> (Vec<Literal>, bool) {
    let mut all = Vec::new();
    let mut in_list = false;
    while let Some(rest) = text.get(at..) {
        let code = without_blanks(rest);
        if let Some(after) = code.strip_prefix(']').filter(|_| in_list) {
            (in_list, at) = (false, text.len() - after.len());
            continue;
        }
        let Some(after) = code.strip_prefix(',') else { return (all, in_list || !is_end(rest)) };
        let mut next = without_blanks(after);
        if let Some(inside) = next.strip_prefix('[').filter(|_| !in_list) {
            (in_list, next) = (true, without_blanks(inside));
        }
        let start = text.len() - next.len();
        if in_list && next.starts_with(']') {
            at = start; // an empty list, or one that ends with a comma
            continue;
        }
        if !in_list && (is_option(next) || next.starts_with(')')) {
            return (all, false);
        }
        let Some(own) = literal(text, start) else { return (all, true) };
        at = own.end + 1;
        all.push(own);
    }
    (all, true)
}

/// What follows blanks, line breaks and comments.
fn without_blanks(text: &str) -> &str {
    let mut rest = text.trim_start();
    while let Some(comment) = rest.strip_prefix('#') {
        rest = comment.find('\n').and_then(|end| comment.get(end..)).unwrap_or_default().trim_start();
    }
    rest
}

/// Whether a call ends here: nothing is done to the last argument.
fn is_end(rest: &str) -> bool {
    let rest = rest.trim_start_matches([' ', '\t']);
    let word = rest.get(..rest.find(|c: char| !c.is_alphanumeric()).unwrap_or(rest.len()));
    rest.is_empty()
        || rest.starts_with(['\n', '\r', '#', ')', ';', '}'])
        || matches!(word, Some("if" | "unless" | "end"))
}

/// Whether an argument has a key, which no requirement has: `key: x`, `:key => x`, `"key" => x`, and a hash.
fn is_option(argument: &str) -> bool {
    if argument.starts_with("**") || argument.starts_with(['{', '&']) {
        return true;
    }
    let symbol = argument.strip_prefix(':');
    let bare = symbol.unwrap_or(argument);
    let end = match literal(bare, 0) {
        Some(quoted) => quoted.end + 1,
        None => bare.find(|c: char| !c.is_alphanumeric() && !matches!(c, '_' | '?' | '!')).unwrap_or(bare.len()),
    };
    let (key, rest) = bare.split_at_checked(end).unwrap_or((bare, ""));
    let has_colon = symbol.is_none() && rest.starts_with(':') && !rest.starts_with("::");
    let has_arrow = (symbol.is_some() || key.starts_with(['"', '\''])) && rest.trim_start().starts_with("=>");
    !key.is_empty() && (has_colon || has_arrow)
}

/// What is left of a call: its line, and those after it as long as each ends with a comma.
pub(super) fn statement(text: &str, at: usize) -> &str {
    let rest = text.get(at..).unwrap_or_default();
    let mut end = 0;
    for line in rest.split_inclusive('\n') {
        end += line.len();
        let code = line.split(" #").next().unwrap_or_default();
        if !code.trim_end().ends_with(',') {
            break;
        }
    }
    rest.get(..end).unwrap_or_default()
}

/// `key: x`, `:key => x`.
pub(super) fn has_option(options: &str, key: &str) -> bool {
    let words = options.split(|c: char| !c.is_alphanumeric() && !matches!(c, ':' | '_'));
    let (new, old) = (format!("{key}:"), format!(":{key}"));
    words.into_iter().any(|word| word == new || word == old)
}
