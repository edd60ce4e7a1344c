//! Talking to a person or to a pipe: the one place that prints.
//!
//! Results go to the standard output, everything else to the error stream. Colour and width are decided once: never in a
//! pipe, never with `NO_COLOR` (no-color.org) or `--no-color`.

use std::fs::File;
use std::io::{self, IsTerminal as _, Write as _};
use std::os::fd::AsFd;
use std::time::Duration;

use aiva_sca::inventory::Platform;
use aiva_sca::system::Distribution;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;

use super::Global;

/// How much is gathered before it is written. The findings of a document come in longer pieces, which are not gathered again.
pub(crate) const BUFFER: usize = 16 * 1024;

/// How the two streams may be written to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Terminal {
    /// Whether results may carry colour.
    pub(crate) colour: bool,
    /// Whether a progress bar may be drawn on the error stream.
    pub(crate) progress: bool,
    /// Whether hints and summaries are wanted.
    pub(crate) chatty: bool,
    /// Columns of the standard output; `None` in a pipe, where nothing is cut.
    pub(crate) width: Option<usize>,
}

impl Terminal {
    /// Looks at the streams and the environment once.
    pub(crate) fn detect(global: &Global) -> Self {
        let no_colour = global.no_color || std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let dumb = std::env::var("TERM").is_ok_and(|term| term == "dumb");
        let out = io::stdout().is_terminal();
        Self {
            colour: out && !no_colour && !dumb,
            progress: io::stderr().is_terminal() && !global.no_color && !global.quiet && !dumb,
            chatty: !global.quiet,
            width: out.then(columns),
        }
    }

    /// Writes a result. A reader that went away (`aiva scan | head`) is no error.
    pub(crate) fn print(self, text: &str) -> io::Result<()> {
        self.write(|out| out.write_all(text.as_bytes()))
    }

    /// Writes a result as it is made.
    pub(crate) fn write(self, write: impl FnOnce(&mut dyn io::Write) -> io::Result<()>) -> io::Result<()> {
        // The standard output's own buffer ends at every line, and looks for their ends in all that is written.
        let mut own = io::stdout().lock();
        own.flush()?;
        let mut out = io::BufWriter::with_capacity(BUFFER, Patient(File::from(own.as_fd().try_clone_to_owned()?)));
        match write(&mut out).and_then(|()| out.flush()) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                drop(out.into_parts()); // What is left in the buffer has no reader.
                Ok(())
            }
            other => other.map_err(|error| io::Error::new(error.kind(), format!("cannot write the result: {error}"))),
        }
    }

    /// Writes a line for the person, unless told to be quiet.
    pub(crate) fn note(self, text: &str) {
        if self.chatty {
            complain(text);
        }
    }
}

/// Writes lines on the error stream: warnings and errors are said also when quiet.
pub(crate) fn complain(text: &str) {
    let lines: Vec<String> = text.lines().map(printable).collect();
    // A closed error stream leaves nobody to tell.
    drop(writeln!(Patient(io::stderr().lock()), "{}", lines.join("\n")));
}

/// A stream that its maker may have set not to block, as some runners do with a pipe: waits until the reader takes more.
struct Patient<W>(W);

impl<W: io::Write + AsFd> io::Write for Patient<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        loop {
            match self.0.write(bytes) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.wait()?,
                other => return other,
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

impl<W: AsFd> Patient<W> {
    fn wait(&self) -> io::Result<()> {
        match poll(&mut [PollFd::new(&self.0, PollFlags::OUT)], None) {
            Ok(_) | Err(Errno::INTR) => Ok(()), // What is wrong with it the next write says.
            Err(error) => Err(error.into()),
        }
    }
}

/// A line as a terminal may show it: what a file or a server says must not move the cursor or turn the text around.
pub(crate) fn printable(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '\n' | '\t' => ' ',
            // Bidirectional overrides can make a line read as another one ("Trojan Source", CVE-2021-42574).
            c if c.is_control()
                || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}') =>
            {
                '\u{fffd}'
            }
            c => c,
        })
        .collect()
}

/// What the shell says of the width, else the terminal, else what every terminal has.
fn columns() -> usize {
    let said = std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
    let drawn = || terminal_size::terminal_size().map(|(columns, _)| usize::from(columns.0));
    said.or_else(drawn).filter(|columns| *columns >= 40).unwrap_or(100)
}

/// A Linux distribution by the name that OSV has for it.
pub(crate) fn distribution(name: &str) -> Result<Distribution, String> {
    let mut known = Distribution::ALL.into_iter().filter(|known| known.has_advisories());
    let names = || known.clone().map(Distribution::osv_name).collect::<Vec<_>>().join(", ");
    let unknown = format!("OSV has advisories for {}", names());
    known.find(|known| known.osv_name() == name).ok_or(unknown)
}

/// The platform of an image.
pub(crate) fn platform(text: &str) -> Result<Platform, String> {
    Platform::parse(text).ok_or_else(|| format!("{text:?} is no platform; write it as linux/amd64 or linux/arm/v7"))
}

/// Parses an age such as `36h`, `30d` or `2w`.
pub(crate) fn age(text: &str) -> Result<Duration, String> {
    let wrong = || format!("{text:?} is no age; write a number and h, d or w, such as 30d");
    let unit = text.chars().last().ok_or_else(wrong)?;
    let seconds = match unit {
        'h' => 3_600,
        'd' => 86_400,
        'w' => 604_800,
        _ => return Err(wrong()),
    };
    let count: u64 = text[..text.len() - 1].parse().map_err(|_| wrong())?;
    count.checked_mul(seconds).map(Duration::from_secs).ok_or_else(wrong)
}

/// An age as a person says it: `3 days`, `5 hours`.
pub(crate) fn spoken_age(age: Duration) -> String {
    let (count, unit) = match age.as_secs() {
        seconds if seconds >= 2 * 86_400 => (seconds / 86_400, "days"),
        seconds if seconds >= 2 * 3_600 => (seconds / 3_600, "hours"),
        seconds if seconds >= 120 => (seconds / 60, "minutes"),
        seconds => (seconds, "seconds"),
    };
    format!("{count} {unit}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_age_is_a_number_and_a_unit() {
        let rows = [("36h", Some(36 * 3_600)), ("30d", Some(30 * 86_400)), ("2w", Some(14 * 86_400)), ("0d", Some(0))];
        for (text, seconds) in rows {
            assert_eq!(age(text).ok().map(|age| age.as_secs()), seconds, "{text}");
        }
        for text in ["", "d", "30", "-1d", "1.5d", "30m", "99999999999999999999d", "18446744073709551615w", "3é"] {
            assert!(age(text).is_err(), "{text}");
        }
    }
}
