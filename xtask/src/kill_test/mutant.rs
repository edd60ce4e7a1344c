//! Broken builds of the product: a copy of the sources in which one promise is taken out, built and killed like the sound one.
//!
//! The product itself holds no switch for this. Each edit must fit the sources exactly once; a test holds that, so that a
//! mutant cannot quietly become the sound build.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use crate::process;

/// A build with a defect.
pub(super) struct Mutant {
    pub(super) name: &'static str,
    edits: &'static [Edit],
}

struct Edit {
    file: &'static str,
    from: &'static str,
    to: &'static str,
}

const WRITER: &str = "crates/aiva-store/src/sqlite/writer.rs";

/// Every promise that a kill could break.
pub(super) const MUTANTS: &[Mutant] = &[
    // Callers are answered while their transaction is still open.
    Mutant {
        name: "ack-before-commit",
        edits: &[
            Edit { file: WRITER, from: "group: &mut [Box<dyn Job>]", to: "group: &mut Vec<Box<dyn Job>>" },
            Edit { file: WRITER, from: "for job in group {", to: "for job in group.iter_mut() {" },
            Edit {
                file: WRITER,
                from: "        tx.commit()?;",
                to: "        group.drain(..).for_each(|job| job.answer(Ok(())));
        std::thread::sleep(std::time::Duration::from_millis(3));
        tx.commit()?;",
            },
        ],
    },
    // An event is on the disk before the state that it tells of.
    Mutant {
        name: "publish-before-commit",
        edits: &[Edit {
            file: "crates/aiva-events/src/outbox/sqlite.rs",
            from: "        ids.push(id);",
            to: "        ids.push(id);
        tx.execute_batch(\"COMMIT; BEGIN IMMEDIATE; SAVEPOINT job\")?;",
        }],
    },
    // What was answered once is not remembered.
    Mutant {
        name: "inbox-not-recorded",
        edits: &[Edit {
            file: "crates/aiva-events/src/inbox.rs",
            from: "Ok(claim.execute(params![consumer, event.to_string()])? == 1)",
            to: "Ok(claim.execute(params![consumer, event.to_string()])? < 2)",
        }],
    },
    // Progress is recorded before the handler has done its work.
    Mutant {
        name: "handled-before-done",
        edits: &[Edit {
            file: "crates/aiva-events/src/local/lane.rs",
            from: "            match self.handle(event).await {",
            to: "            self.record(&subject.name, *position, Ending::Handled).await;
            match self.handle(event).await {",
        }],
    },
];

impl Mutant {
    /// Builds it and says where it is. `work` keeps the copy, so that a second build is short.
    pub(super) fn build(&self, work: &Path, target: &Path) -> Result<PathBuf> {
        let tree = work.join("tree");
        copy(&tree)?;
        for edit in self.edits {
            let file = tree.join(edit.file);
            let text = edit.apply(&std::fs::read_to_string(&file)?)?;
            std::fs::write(&file, text)?;
        }
        let manifest = tree.join("Cargo.toml").display().to_string();
        let into = target.display().to_string();
        let build = ["build", "--quiet", "--package", "aiva", "--manifest-path", &manifest, "--target-dir", &into];
        process::run("cargo", &build, &[]).with_context(|| format!("the broken build {}", self.name))?;
        let program = work.join(self.name);
        std::fs::copy(target.join("debug").join("aiva"), &program)?;
        Ok(program)
    }
}

impl Edit {
    fn apply(&self, text: &str) -> Result<String> {
        let fits = text.matches(self.from).count();
        ensure!(fits == 1, "{} holds {fits} times, not once: {}", self.file, self.from);
        Ok(text.replacen(self.from, self.to, 1))
    }
}

/// Brings the copy to what is in the checkout; an equal file keeps its time, so that it is not compiled again.
fn copy(tree: &Path) -> Result<()> {
    let listed = process::output("git", &["ls-files", "--cached", "--others", "--exclude-standard"])?;
    for path in listed.lines() {
        let (from, to) = (process::root().join(path), tree.join(path));
        let Ok(new) = std::fs::read(&from) else { continue }; // deleted, not committed yet
        if std::fs::read(&to).is_ok_and(|old| old == new) {
            continue;
        }
        std::fs::create_dir_all(to.parent().context("a file lies in a folder")?)?;
        std::fs::write(&to, new)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_mutant_still_fits_the_sources() {
        for edit in MUTANTS.iter().flat_map(|mutant| mutant.edits) {
            let text = std::fs::read_to_string(process::root().join(edit.file)).unwrap();
            let changed = edit.apply(&text).unwrap_or_else(|error| panic!("{error:#}; bring the edit up to date"));
            assert_ne!(changed, text);
        }
    }
}
