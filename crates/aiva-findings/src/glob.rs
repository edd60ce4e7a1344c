//! Matches paths against patterns: `*` and `?` within a part, `**` as a part of its own over any number of parts.
//!
//! Pure and quadratic at worst: no pattern makes it try the same thing twice.

/// A pattern over paths with `/` between parts.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Glob(String);

/// A pattern that cannot match any path.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GlobError {
    /// Nothing to match.
    #[error("a path pattern must not be empty")]
    Empty,
    /// Paths are relative.
    #[error("a path pattern must not begin with `/`: paths are relative to the scan's root")]
    Absolute,
}

impl Glob {
    /// Reads a pattern.
    pub fn new(pattern: &str) -> Result<Self, GlobError> {
        match pattern {
            "" => Err(GlobError::Empty),
            absolute if absolute.starts_with('/') => Err(GlobError::Absolute),
            pattern => Ok(Self(pattern.trim_end_matches('/').to_owned())),
        }
    }

    /// The pattern as written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the whole path matches, or a folder above it does.
    pub fn matches(&self, path: &str) -> bool {
        let parts: Vec<&str> = path.split('/').collect();
        // reach[i]: the pattern so far can end before part i.
        let mut reach = vec![false; parts.len() + 1];
        reach[0] = true;
        for piece in self.0.split('/') {
            let mut next = vec![false; parts.len() + 1];
            let mut reached = false;
            for i in 0..=parts.len() {
                reached |= reach[i];
                if piece == "**" {
                    next[i] = reached;
                } else if i > 0 {
                    next[i] = reach[i - 1] && part_matches(piece, parts[i - 1]);
                }
            }
            reach = next;
        }
        reach[1..].contains(&true)
    }
}

fn part_matches(pattern: &str, part: &str) -> bool {
    let (pattern, part): (Vec<char>, Vec<char>) = (pattern.chars().collect(), part.chars().collect());
    let (mut p, mut t) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while t < part.len() {
        match pattern.get(p) {
            Some('*') => {
                star = Some((p, t));
                p += 1;
            }
            Some(c) if *c == '?' || *c == part[t] => {
                p += 1;
                t += 1;
            }
            // Only the last star ever needs to take one more.
            _ => match &mut star {
                Some((at, taken)) => {
                    *taken += 1;
                    (p, t) = (*at + 1, *taken);
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|c| *c == '*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(pattern: &str, path: &str, want: bool) {
        assert_eq!(Glob::new(pattern).unwrap().matches(path), want, "{pattern} on {path}");
    }

    #[test]
    fn patterns_match_parts() {
        check("Cargo.lock", "Cargo.lock", true);
        check("Cargo.lock", "a/Cargo.lock", false);
        check("**/Cargo.lock", "Cargo.lock", true);
        check("**/Cargo.lock", "a/b/Cargo.lock", true);
        check("a/*/Cargo.lock", "a/b/Cargo.lock", true);
        check("a/*/Cargo.lock", "a/b/c/Cargo.lock", false);
        check("a/**/x", "a/x", true);
        check("*.loc?", "Cargo.lock", true);
        check("examples", "examples/a/Cargo.lock", true); // a folder stands for all that is in it
        check("examples/", "examples/a/Cargo.lock", true);
        check("examples", "examples2/a", false);
        check("a*b*c", "aXbXbXc", true);
        check("a*b*c", "aXbXbX", false);
    }

    #[test]
    fn a_hostile_pattern_ends_soon() {
        check(&"*a".repeat(300), &"a".repeat(299), false);
        check(&"**/".repeat(300), &"a/".repeat(300), true);
    }

    #[test]
    fn what_can_never_match_is_refused() {
        assert_eq!(Glob::new(""), Err(GlobError::Empty));
        assert_eq!(Glob::new("/etc"), Err(GlobError::Absolute));
    }
}
