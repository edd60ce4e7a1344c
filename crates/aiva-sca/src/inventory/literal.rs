//! The words, strings and marks of a manifest that is a program (Ruby, Groovy, Kotlin), with their lines and places.
//!
//! No expression is ever worked out: what is not a literal is left to the reader, which says so.

use super::reading::Fault;

/// More text than this is no manifest.
const LONGEST: usize = 4 * 1024 * 1024;

/// How the language writes comments and puts values into strings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Language {
    /// `#` comments, `#{…}` in double quotes.
    Ruby,
    /// `//` and `/* */` comments, `$name` and `${…}` in double quotes.
    Gradle,
}

/// One token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Token {
    /// What it is.
    pub(crate) kind: Kind,
    /// Its line, from 1.
    pub(crate) line: u32,
    /// Where it begins in the text, in bytes; of a string, what stands between the quotes.
    pub(crate) at: usize,
}

/// What a token is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A name, with the dots in it, or a number.
    Word(String),
    /// A string without its quotes.
    Text {
        /// What stands between the quotes, verbatim.
        text: String,
        /// Whether values are put into it.
        is_computed: bool,
    },
    /// Any other sign.
    Mark(char),
    /// The end of a line.
    Break,
}

impl Token {
    /// The word, if it is one.
    pub(crate) fn word(&self) -> Option<&str> {
        if let Kind::Word(word) = &self.kind { Some(word) } else { None }
    }

    /// The string, if it is one that nothing is put into.
    pub(crate) fn text(&self) -> Option<&str> {
        match &self.kind {
            Kind::Text { text, is_computed: false } => Some(text),
            _ => None,
        }
    }

    /// Whether it is this sign.
    pub(crate) fn is(&self, mark: char) -> bool {
        self.kind == Kind::Mark(mark)
    }
}

/// All tokens of a text, and what ended the reading before its end.
pub(crate) fn tokens(text: &str, language: Language) -> (Vec<Token>, Option<Fault>) {
    if text.len() > LONGEST {
        return (Vec::new(), Some(Fault::new(0, "larger than any manifest: not read")));
    }
    let mut scanner = Scanner { text, at: 0, line: 1, language };
    let mut tokens = Vec::new();
    let outcome = loop {
        match scanner.next() {
            Ok(Some(token)) => tokens.push(token),
            Ok(None) => break None,
            Err(fault) => {
                // The line that was not read to its end says nothing for sure.
                let whole = tokens.iter().rposition(|token: &Token| token.kind == Kind::Break).map_or(0, |at| at + 1);
                tokens.truncate(whole);
                break Some(fault);
            }
        }
    };
    (tokens, outcome)
}

struct Scanner<'a> {
    text: &'a str,
    at: usize,
    line: u32,
    language: Language,
}

impl<'a> Scanner<'a> {
    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn next(&mut self) -> Result<Option<Token>, Fault> {
        loop {
            let rest = self.rest();
            let Some(c) = rest.chars().next() else { return Ok(None) };
            let (line, at) = (self.line, self.at);
            let token = |kind| Ok(Some(Token { kind, line, at }));
            if let Some(length) = self.comment(rest)? {
                self.pass(length);
                continue;
            }
            match c {
                '\n' => {
                    self.pass(1);
                    return token(Kind::Break);
                }
                '\\' if rest.starts_with("\\\n") || rest.starts_with("\\\r\n") => {
                    self.pass(rest.find('\n').unwrap_or(0) + 1);
                }
                c if c.is_whitespace() => self.pass(c.len_utf8()),
                '"' | '\'' => return self.quoted(c).map(Some),
                '`' => {
                    let end = rest.get(1..).and_then(|body| body.find(['`', '\n'])).unwrap_or(rest.len() - 1);
                    let word = rest.get(1..=end).unwrap_or_default().to_owned();
                    self.pass((end + 2).min(rest.len()));
                    return token(Kind::Word(word));
                }
                c if is_part(c) => {
                    let mut end = rest.find(|c: char| !is_part(c) && c != '.').unwrap_or(rest.len());
                    // A dot at the end belongs to what follows: `id("x").version("1")`.
                    end = rest.get(..end).map_or(end, |word| word.trim_end_matches('.').len());
                    self.pass(end);
                    return token(Kind::Word(rest.get(..end).unwrap_or_default().to_owned()));
                }
                c => {
                    self.pass(c.len_utf8());
                    return token(Kind::Mark(c));
                }
            }
        }
    }

    /// The length of a comment that begins here.
    fn comment(&self, rest: &str) -> Result<Option<usize>, Fault> {
        let line = || Some(rest.find('\n').unwrap_or(rest.len()));
        match self.language {
            Language::Ruby if rest.starts_with('#') => Ok(line()),
            Language::Gradle if rest.starts_with("//") => Ok(line()),
            Language::Gradle if rest.starts_with("/*") => match rest.find("*/") {
                Some(end) => Ok(Some(end + 2)),
                None => Err(Fault::new(self.line, "a comment without its end: the file may have been cut off")),
            },
            _ => Ok(None),
        }
    }

    fn pass(&mut self, length: usize) {
        let passed = self.rest().as_bytes().get(..length).unwrap_or_default();
        let lines = memchr::memchr_iter(b'\n', passed).count();
        self.line = self.line.saturating_add(u32::try_from(lines).unwrap_or(u32::MAX));
        self.at += length;
    }

    fn quoted(&mut self, quote: char) -> Result<Token, Fault> {
        let (rest, line) = (self.rest(), self.line);
        let triple: String = std::iter::repeat_n(quote, 3).collect();
        let fence = if self.language == Language::Gradle && rest.starts_with(&triple) { 3 } else { 1 };
        let body = rest.get(fence..).unwrap_or_default();
        let unclosed = || Fault::new(line, "a string without its closing quote: the file may have been cut off");
        let mut end = None;
        let mut escaped = false;
        for (at, c) in body.char_indices() {
            if escaped {
                escaped = false;
            } else if c == '\\' {
                escaped = true;
            } else if c == '\n' && fence == 1 {
                break;
            } else if c == quote && (fence == 1 || body.get(at..).is_some_and(|body| body.starts_with(&triple))) {
                end = Some(at);
                break;
            }
        }
        let end = end.ok_or_else(unclosed)?;
        let text = body.get(..end).unwrap_or_default().to_owned();
        let is_computed = quote == '"'
            && match self.language {
                Language::Ruby => text.contains("#{"),
                Language::Gradle => text.contains('$'),
            };
        let at = self.at + fence;
        self.pass(fence * 2 + end);
        Ok(Token { kind: Kind::Text { text, is_computed }, line, at })
    }
}

fn is_part(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '?' | '!')
}

/// Tokens between commas that stand in no bracket.
pub(crate) fn by_commas(tokens: &[Token]) -> Vec<&[Token]> {
    let mut depth = 0_i32;
    tokens
        .split(|token| {
            match token.kind {
                Kind::Mark('(' | '[' | '{') => depth += 1,
                Kind::Mark(')' | ']' | '}') => depth -= 1,
                _ => {}
            }
            depth <= 0 && token.is(',')
        })
        .collect()
}

/// Without the brackets around all of it.
pub(crate) fn unwrapped(tokens: &[Token]) -> &[Token] {
    let [open, inner @ .., close] = tokens else { return tokens };
    let mut depth = 0_i32;
    let is_whole = inner.iter().all(|token| {
        depth += i32::from(token.is('(')) - i32::from(token.is(')'));
        depth >= 0
    });
    if open.is('(') && close.is(')') && is_whole { inner } else { tokens }
}
