//! Kills the example server of the events crate (`kill_target`), sound and with each of its defects.
//!
//! Promises to find, over all rounds: an acknowledged write that is missing, an event that was never delivered, one that
//! was applied twice or without its state, an order that was broken. The same check must catch builds that are broken on
//! purpose, else it proves nothing.
//!
//! Start reading at [`run`].

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};

use super::{Dice, PATIENCE};
use crate::process::say;

/// Defects of the target that the check has to catch.
const BROKEN: &[&str] = &["publish-before-commit", "claim-outside", "ack-before-commit"];

/// A write: which writer, which number.
type Write = (i64, i64);

/// Kills the sound build `rounds` times, then each broken one until it is caught.
pub(super) fn run(rounds: u32, dice: &mut Dice) -> Result<()> {
    let program = build()?;
    let folder = tempfile::tempdir()?;
    let (mut acked, mut killed) = (BTreeSet::new(), 0);
    for round in 1..=rounds {
        killed += round_of(&program, folder.path(), "sound", &mut acked, dice)?;
        let faults = faults(&acked, &dump(&program, folder.path(), "sound")?);
        ensure!(faults.is_empty(), "round {round} of the example: {}", faults.join("; "));
    }
    say(&format!(
        "kill-test: {rounds} kills of the example, {killed} acknowledged writes, none lost, none twice, order kept"
    ));
    failed_sync(&program)?;
    for variant in BROKEN {
        let folder = tempfile::tempdir()?;
        let mut acked = BTreeSet::new();
        let caught = (1..=PATIENCE).find_map(|round| {
            let tried = round_of(&program, folder.path(), variant, &mut acked, dice)
                .and_then(|_| dump(&program, folder.path(), variant))
                .map(|left| faults(&acked, &left));
            match tried {
                Ok(faults) if faults.is_empty() => None,
                Ok(faults) => Some(Ok((round, faults))),
                Err(error) => Some(Err(error)),
            }
        });
        let Some(caught) = caught else { bail!("the broken build `{variant}` was not caught in {PATIENCE} kills") };
        let (round, faults) = caught?;
        say(&format!("kill-test: the example with `{variant}` caught after {round} kills: {}", faults[0]));
    }
    Ok(())
}

/// Fails a sync under the target: it must stop at once, sync no second time, and have lost nothing that it acknowledged.
fn failed_sync(program: &Path) -> Result<()> {
    if !crate::process::has("strace") {
        say("kill-test: skipped a failing sync: strace is not on the PATH");
        return Ok(());
    }
    let folder = tempfile::tempdir()?;
    let trace = folder.path().join("trace");
    let mut command = Command::new("strace");
    command.args(["-f", "-qq", "-e", "trace=fsync,fdatasync", "-e", "inject=fsync,fdatasync:error=EIO:when=60+", "-o"]);
    let out =
        command.arg(&trace).arg(program).arg(folder.path()).args(["run", "sound"]).stderr(Stdio::null()).output()?;
    ensure!(!out.status.success(), "the target went on after a sync had failed");
    let failed = std::fs::read_to_string(&trace)?.matches("EIO").count();
    ensure!(failed == 1, "after the sync that failed came {} more", failed.saturating_sub(1));
    let text = String::from_utf8(out.stdout)?;
    let acked: BTreeSet<Write> = text.lines().filter_map(parse).map(|(_, write)| write).collect();
    let faults = faults(&acked, &dump(program, folder.path(), "sound")?);
    ensure!(!acked.is_empty() && faults.is_empty(), "after a failed sync: {}", faults.join("; "));
    say(&format!("kill-test: the example stopped at a failed sync, {} acknowledged writes, none lost", acked.len()));
    Ok(())
}

/// Builds the target and says where it is.
fn build() -> Result<PathBuf> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(["build", "--quiet", "--package", "aiva-events", "--example", "kill_target", "--message-format=json"]);
    let out = command.stderr(Stdio::inherit()).output().context("cargo cannot be run")?;
    ensure!(out.status.success(), "the kill target does not build");
    let messages = cargo_metadata::Message::parse_stream(out.stdout.as_slice());
    let artifacts = messages.filter_map(|message| match message {
        Ok(cargo_metadata::Message::CompilerArtifact(artifact)) if artifact.target.name == "kill_target" => {
            artifact.executable
        }
        _ => None,
    });
    Ok(artifacts.last().context("cargo names no executable")?.into())
}

/// Runs the target, kills it at a random moment after its first acknowledgement, and adds what it had acknowledged.
fn round_of(
    program: &Path,
    folder: &Path,
    variant: &str,
    acked: &mut BTreeSet<Write>,
    dice: &mut Dice,
) -> Result<usize> {
    let mut command = Command::new(program);
    let mut child = command.arg(folder).args(["run", variant]).stdout(Stdio::piped()).spawn()?;
    let out = child.stdout.take().context("the target has no output")?;
    let wait = Duration::from_micros(dice.below(150_000));
    let (first, begun) = std::sync::mpsc::channel();
    let reader = std::thread::spawn(move || {
        let mut lines = Vec::new();
        for line in BufReader::new(out).lines().map_while(Result::ok) {
            if lines.is_empty() {
                let _ = first.send(());
            }
            lines.push(line);
        }
        lines
    });
    let begun = begun.recv_timeout(Duration::from_secs(60));
    std::thread::sleep(wait); // the random moment
    child.kill()?; // SIGKILL
    child.wait()?;
    let lines = reader.join().map_err(|_| anyhow::anyhow!("the reader panicked"))?;
    begun.context("the target acknowledged nothing in a minute")?;
    let before = acked.len();
    acked
        .extend(lines.iter().filter_map(|line| parse(line)).filter(|(word, _)| *word == "ack").map(|(_, write)| write));
    Ok(acked.len() - before)
}

/// What is left after a restart that delivers everything.
struct Left {
    state: BTreeSet<Write>,
    effects: Vec<Write>,
}

fn dump(program: &Path, folder: &Path, variant: &str) -> Result<Left> {
    let out = Command::new(program).arg(folder).args(["dump", variant]).stderr(Stdio::inherit()).output()?;
    ensure!(out.status.success(), "the target did not start again after a kill");
    let text = String::from_utf8(out.stdout)?;
    let rows: Vec<_> = text.lines().filter_map(parse).collect();
    let of = |wanted: &'static str| rows.iter().filter(move |(word, _)| *word == wanted).map(|(_, write)| *write);
    Ok(Left { state: of("state").collect(), effects: of("effect").collect() })
}

fn parse(line: &str) -> Option<(&str, Write)> {
    let mut words = line.split(' ');
    let word = words.next()?;
    Some((word, (words.next()?.parse().ok()?, words.next()?.parse().ok()?)))
}

/// What is wrong, from the acknowledgements and what is left alone.
fn faults(acked: &BTreeSet<Write>, left: &Left) -> Vec<String> {
    let mut faults = Vec::new();
    let mut note = |what: &str, writes: Vec<Write>| {
        if let Some(first) = writes.first() {
            faults.push(format!("{} {what}, first {first:?}", writes.len()));
        }
    };
    let applied: BTreeSet<Write> = left.effects.iter().copied().collect();
    note("acknowledged writes are missing", acked.difference(&left.state).copied().collect());
    note("events were never applied", left.state.difference(&applied).copied().collect());
    note("events were applied without their state", applied.difference(&left.state).copied().collect());
    let mut last: BTreeMap<i64, i64> = BTreeMap::new();
    let (mut twice, mut disordered, mut seen) = (Vec::new(), Vec::new(), BTreeSet::new());
    for write in &left.effects {
        if !seen.insert(*write) {
            twice.push(*write);
        } else if last.insert(write.0, write.1).is_some_and(|before| before > write.1) {
            disordered.push(*write);
        }
    }
    note("events were applied twice", twice);
    note("events were applied out of order", disordered);
    faults
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(acked: &[Write], state: &[Write], effects: &[Write], want: &[&str]) {
        let left = Left { state: state.iter().copied().collect(), effects: effects.to_vec() };
        let found = faults(&acked.iter().copied().collect(), &left);
        assert_eq!(found.len(), want.len(), "{found:?}");
        assert!(found.iter().zip(want).all(|(found, want)| found.contains(want)), "{found:?}");
    }

    #[test]
    fn each_fault_is_named() {
        check(&[(1, 1)], &[(1, 1), (1, 2)], &[(1, 1), (1, 2)], &[]); // a write whose acknowledgement died on the way
        check(&[(1, 1)], &[], &[], &["missing"]);
        check(&[], &[(1, 1)], &[], &["never applied"]);
        check(&[], &[], &[(1, 1)], &["without their state"]);
        check(&[], &[(1, 1)], &[(1, 1), (1, 1)], &["twice"]);
        check(&[], &[(1, 1), (1, 2)], &[(1, 2), (1, 1)], &["out of order"]);
    }
}
