//! A progress bar on a terminal, silence everywhere else.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};

use super::table::counted;
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
            Unit::Things(_) => "{spinner} {msg} {count} {elapsed}",
            Unit::Bytes => "{spinner} {msg} [{bar:30}] {bytes}/{total_bytes} {bytes_per_sec}",
        };
        if let Ok(style) = ProgressStyle::with_template(style) {
            let count = move |state: &ProgressState, out: &mut dyn std::fmt::Write| {
                if let Unit::Things(thing) = unit {
                    let count = usize::try_from(state.pos()).unwrap_or(usize::MAX);
                    // What cannot be drawn is not drawn.
                    let _ = out.write_str(&counted(count, thing));
                }
            };
            bar.set_style(style.with_key("count", count).progress_chars("=> "));
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
