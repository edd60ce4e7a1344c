//! Kills real processes at random moments and checks what is left against what they had acknowledged.
//!
//! Promises to find, over all rounds: an acknowledged service, finding, exception or scan that is missing, an event that was
//! never delivered or tells of nothing, an effect that came twice, a decision of the egress proxy that was read and is gone. Two targets: the product itself ([`trial`]), and a small
//! server of the events crate ([`example`]) that has the defects to be caught built in and is quick enough for every run of
//! CI. Broken builds of the product are made from edited sources ([`mutant`]). What does not catch a broken build proves
//! nothing. Only process death is tested: the page cache survives it, so this says nothing of power loss.
//!
//! Start reading at [`run`].

use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};

use crate::process::say;
use crate::testing;

mod audit;
mod clients;
mod decisions;
mod example;
mod mutant;
mod trial;

use mutant::{MUTANTS, Mutant};
use trial::Trial;

/// What is killed without being told otherwise.
const ROUNDS: u32 = 20;
const SEED: u64 = 20_261_121;

/// A broken build is killed this often at most until it is caught.
const PATIENCE: u32 = 200;

/// How much is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Extent {
    /// Also broken builds of the product.
    Long,
    /// What CI has time for: only the example's broken builds.
    Short,
}

/// The long form, with its arguments as they were typed.
pub(crate) fn verb(arguments: &[&str]) -> Result<()> {
    let (rounds, seed) = match arguments {
        [] => (ROUNDS, SEED),
        [rounds] => (rounds.parse().context("ROUNDS is a number")?, SEED),
        [rounds, seed] => (rounds.parse().context("ROUNDS is a number")?, seed.parse().context("SEED is a number")?),
        _ => bail!("usage: cargo xtask kill-test [ROUNDS] [SEED]"),
    };
    run(rounds, seed, Extent::Long)
}

/// The short form.
pub(crate) fn short(rounds: u32) -> Result<()> {
    run(rounds, SEED, Extent::Short)
}

fn run(rounds: u32, seed: u64, extent: Extent) -> Result<()> {
    let mut dice = Dice::new(seed);
    let target = testing::target_directory()?;
    sound(&testing::product(&target)?, rounds, &mut dice).with_context(|| format!("seed {seed}"))?;
    example::run(rounds, &mut dice)?;
    if extent == Extent::Long {
        let work = target.join("kill-test");
        for mutant in MUTANTS {
            caught(mutant, &work, &target, &mut dice)?;
        }
        testing::product(&target)?; // the broken ones were built in its place
    }
    Ok(())
}

/// Kills the product as it is.
fn sound(binary: &Path, rounds: u32, dice: &mut Dice) -> Result<()> {
    let (mut trial, begun) = (Trial::new(binary, dice)?, Instant::now());
    for round in 1..=rounds {
        let faults = trial.round(round, dice)?;
        ensure!(faults.is_empty(), "round {round}: {}", faults.join("; "));
    }
    let faults = trial.close()?;
    ensure!(faults.is_empty(), "after round {rounds}: {}", faults.join("; "));
    let (kills, counts) = (trial.kills, trial.counts());
    say(&format!(
        "kill-test: {} kills of the product ({} at any moment, {} inside a commit, {} while it started) in {:.0} s",
        kills.anytime + kills.in_commit + kills.at_start,
        kills.anytime,
        kills.in_commit,
        kills.at_start,
        begun.elapsed().as_secs_f64(),
    ));
    say(&format!(
        "kill-test: acknowledged: {} services, {} changes of them, {} uploads with {} findings, {} exceptions, {} scans; \
         {} answers were lost and repeated; {} egress decisions were read; nothing missing, nothing undelivered, nothing \
         twice",
        counts.services,
        counts.edits,
        counts.uploads,
        counts.findings,
        counts.exceptions,
        counts.scans,
        counts.lost,
        trial.read.len()
    ));
    Ok(())
}

/// Kills a broken build until the check sees it.
fn caught(mutant: &Mutant, work: &Path, target: &Path, dice: &mut Dice) -> Result<()> {
    let binary = mutant.build(work, target)?;
    let mut trial = Trial::new(&binary, dice)?;
    for round in 1..=PATIENCE {
        let faults = trial.round(round, dice)?;
        if let Some(first) = faults.first() {
            say(&format!("kill-test: the product with `{}` was caught in round {round}: {first}", mutant.name));
            return Ok(());
        }
    }
    bail!("the product with `{}` was not caught in {PATIENCE} rounds", mutant.name)
}

/// A small random generator, so that a seed names a run's moments.
struct Dice(u64);

impl Dice {
    fn new(seed: u64) -> Self {
        Self(seed | 1)
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    fn pick<'t, T>(&mut self, from: &'t [T]) -> Option<&'t T> {
        let count = u64::try_from(from.len()).ok().filter(|count| *count > 0)?;
        from.get(usize::try_from(self.below(count)).ok()?)
    }
}
