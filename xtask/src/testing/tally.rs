//! Counts what passed, failed and was skipped, and says it in the closing lines.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::process;

/// The state of one run.
#[derive(Default)]
pub(super) struct Tally {
    passed: u64,
    failures: Vec<String>,
    skips: Vec<String>,
    times: Vec<(String, Duration)>,
}

impl Tally {
    /// Runs one check; a failure is kept and the run goes on.
    pub(super) fn step(&mut self, name: &str, check: impl FnOnce() -> Result<()>) {
        process::say(&format!("\n== {name}"));
        let start = Instant::now();
        match check() {
            Ok(()) => self.passed += 1,
            Err(error) => {
                process::say(&format!("{name} failed: {error:#}"));
                self.failures.push(name.to_owned());
            }
        }
        self.times.push((name.to_owned(), start.elapsed()));
    }

    /// Runs a check that wants a tool, or notes the skip.
    pub(super) fn tool(&mut self, name: &str, tool: Result<&String, &String>, check: impl FnOnce(&str) -> Result<()>) {
        match tool {
            Ok(program) => self.step(name, || check(program)),
            Err(reason) => self.skips.push(format!("{name}: {reason}")),
        }
    }

    /// Runs cargo's tests, passing their output on, and adds up the closing line of every binary.
    pub(super) fn tests(&mut self, name: &str, args: &[&str], environment: &[(&'static str, String)]) {
        process::say(&format!("\n== {name}\n$ cargo {}", args.join(" ")));
        let start = Instant::now();
        let outcome = self.stream_tests(args, environment);
        if let Err(error) = outcome {
            process::say(&format!("{name}: {error:#}"));
            if self.failures.is_empty() {
                self.failures.push(name.to_owned());
            }
        }
        self.times.push((name.to_owned(), start.elapsed()));
    }

    fn stream_tests(&mut self, args: &[&str], environment: &[(&'static str, String)]) -> Result<()> {
        let mut child = Command::new("cargo")
            .args(args)
            .envs(environment.iter().map(|(name, value)| (*name, value.as_str())))
            .current_dir(process::root())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .context("cannot start cargo")?;
        let output = child.stdout.take().context("cargo's output")?;
        for line in BufReader::new(output).lines() {
            let line = line?;
            if let Some((passed, failed)) = closing_line(&line) {
                self.passed += passed;
                if failed > 0 {
                    process::say(&line);
                }
            } else if let Some(test) = line.strip_prefix("test ").and_then(|rest| rest.strip_suffix(" ... FAILED")) {
                self.failures.push(test.to_owned());
                process::say(&line);
            } else if worth_showing(&line) {
                process::say(&line);
            }
        }
        let status = child.wait()?;
        if !status.success() {
            bail!("tests failed ({status})");
        }
        Ok(())
    }

    /// Adds what the tests themselves said that they skipped, one line each.
    pub(super) fn read_skips(&mut self, path: &Path) {
        let mut lines: Vec<String> =
            std::fs::read_to_string(path).unwrap_or_default().lines().map(str::to_owned).collect();
        lines.sort();
        lines.dedup();
        self.skips.extend(lines.into_iter().map(|line| line.trim_start_matches("AIVA-SKIPPED ").to_owned()));
    }

    /// The closing lines. With `strict` a skip is a failure.
    pub(super) fn close(self, strict: bool) -> Result<()> {
        process::say("\n== times");
        for (name, time) in &self.times {
            process::say(&format!("{:>7.1} s  {name}", time.as_secs_f64()));
        }
        process::say("\n== closing");
        for skip in &self.skips {
            process::say(&format!("skipped: {skip}"));
        }
        for failure in &self.failures {
            process::say(&format!("failed: {failure}"));
        }
        process::say(&format!("{} passed, {} failed, {} skipped", self.passed, self.failures.len(), self.skips.len()));
        if !self.failures.is_empty() {
            bail!("{} failed", self.failures.len());
        }
        if strict && !self.skips.is_empty() {
            bail!("{} skipped, and CI must skip nothing", self.skips.len());
        }
        Ok(())
    }
}

/// `test result: ok. 12 passed; 0 failed; ...` as (passed, failed).
fn closing_line(line: &str) -> Option<(u64, u64)> {
    let counts = line.strip_prefix("test result: ")?.split_once(". ")?.1;
    let number = |word: &str| -> Option<u64> {
        counts.split("; ").find_map(|part| part.strip_suffix(word)?.trim().parse().ok())
    };
    Some((number("passed")?, number("failed")?))
}

/// Passing tests one by one are noise; what failed, panicked or was said by a test is not.
fn worth_showing(line: &str) -> bool {
    let passed = line.starts_with("test ") && (line.ends_with(" ... ok") || line.ends_with(" ... ignored"));
    !(passed || line.is_empty() || line.starts_with("running "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cargo_s_closing_line_is_counted() {
        let line = "test result: ok. 12 passed; 1 failed; 0 ignored; 0 measured; 3 filtered out; finished in 0.02s";
        assert_eq!(closing_line(line), Some((12, 1)));
        assert_eq!(closing_line("test x ... ok"), None);
    }
}
