//! A progress bar on a terminal, silence everywhere else.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};

use super::table::{counted, grouped};
use super::terminal::Terminal;

/// A bar that counts towards a total which may become known later.
#[derive(Debug, Clone)]
pub(crate) struct Bar(ProgressBar);

/// What is counted.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Unit {
    /// Files, records: plain numbers of what this word says of one.
    Things(&'static str),
    /// Bytes, with a rate.
    Bytes,
}

impl Bar {
    /// A bar that says what is going on; hidden unless the error stream is a terminal.
    pub(crate) fn new(terminal: Terminal, what: &str, unit: Unit) -> Self {
        let target = if terminal.progress { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let bar = ProgressBar::with_draw_target(None, target).with_message(what.to_owned());
        let style = match unit {
            Unit::Things(_) => "{spinner} {msg} {part}{count} {elapsed}",
            Unit::Bytes => "{spinner} {msg} [{bar:30}] {bytes}/{total_bytes} {bytes_per_sec}",
        };
        if let Ok(style) = ProgressStyle::with_template(style) {
            let count = move |state: &ProgressState, out: &mut dyn std::fmt::Write| {
                if let Unit::Things(thing) = unit {
                    // What cannot be drawn is not drawn.
                    let _ = out.write_str(&spoken(state.pos(), state.len(), thing));
                }
            };
            let part = |state: &ProgressState, out: &mut dyn std::fmt::Write| {
                if let Some(total) = state.len().filter(|total| *total > 0) {
                    let _ = write!(out, "[{}] ", drawn(state.pos(), total));
                }
            };
            bar.set_style(style.with_key("count", count).with_key("part", part).progress_chars("=> "));
        }
        if terminal.progress {
            bar.enable_steady_tick(Duration::from_millis(120));
        }
        Self(bar)
    }

    /// Where it stands now.
    pub(crate) fn set(&self, position: u64, total: Option<u64>) {
        if let Some(total) = total {
            self.0.set_length(total);
        }
        self.0.set_position(position);
    }

    /// Says what is going on now.
    pub(crate) fn say(&self, what: &str) {
        self.0.set_message(what.to_owned());
    }

    /// Takes the bar away.
    pub(crate) fn done(self) {
        self.0.finish_and_clear();
    }
}

/// How wide the bar is.
const WIDTH: usize = 30;

/// The bar of a part of a total.
fn drawn(position: u64, total: u64) -> String {
    let share = position.min(total) as f64 / total.max(1) as f64;
    let filled = (share * WIDTH as f64) as usize;
    let tip = if filled < WIDTH { ">" } else { "" };
    format!("{}{tip}{}", "=".repeat(filled), " ".repeat(WIDTH - filled - tip.len()))
}

/// `12 of 800 files`, or `12 files` where nobody knows how many there are.
fn spoken(position: u64, total: Option<u64>, thing: &str) -> String {
    let number = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
    match total.filter(|total| *total > 0) {
        Some(total) => format!("{} of {}", grouped(number(position)), counted(number(total), thing)),
        None => counted(number(position), thing),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_grows_with_its_part() {
        for (position, total, want) in [(0, 800, 0), (400, 800, 15), (799, 800, 29), (800, 800, 30), (900, 800, 30)] {
            let bar = drawn(position, total);
            assert_eq!((bar.chars().count(), bar.matches('=').count()), (WIDTH, want), "{bar}");
        }
        assert_eq!(spoken(12, Some(1_092), "file"), "12 of 1,092 files");
        assert_eq!(spoken(1, None, "file"), "1 file");
    }
}
