//! What git has of the files that a scan reads: of a revision, or of its index. Nothing is checked out: only those files are laid
//! down in a temporary folder. Start reading at [`of_revision`] and [`staged`].

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::Write as _;
use std::path::{Component, Path, PathBuf};
use std::process::{Command, Stdio};

use aiva_sca::inventory::{Kind, is_sign_of_vendoring};
use anyhow::{Context as _, Result};

use crate::failure::Failure;

/// The files of a revision, laid down in a folder: what stands there for `path`, if the revision has it.
pub(super) fn of_revision(revision: &str, path: &Path, folder: &Path) -> Result<Option<PathBuf>> {
    let (base, name) = place(path)?;
    let commit = format!("{revision}^{{commit}}");
    let verified = git(&base, &["rev-parse", "--verify", "--quiet", "--end-of-options", &commit]);
    let commit = verified.map_err(|error| {
        let failure = Failure::new(format!(
            "{revision} is neither a file nor a revision of the repository around {}",
            base.display()
        ));
        if is_shallow(&base) {
            let reason = "this clone is shallow: git has no older revisions here";
            return failure.because(reason).hint(
                "fetch them with `git fetch --unshallow`, or give the checkout `fetch-depth: 0` (GitHub), `GIT_DEPTH: 0` (GitLab)",
            );
        }
        failure
            .because(error)
            .hint("name a JSON result of an earlier scan, or a branch, tag or commit that git has here")
    })?;
    let commit = String::from_utf8(commit).context("git names a commit strangely")?.trim().to_owned();
    lay_down(&commit, &base, name.as_deref(), folder)
}

/// The files of the index, until this is dropped.
pub(super) struct Staged {
    /// What stands for the path that was asked for.
    pub(super) root: PathBuf,
    _folder: tempfile::TempDir,
}

/// What a commit would have now of a folder or a file. `GIT_INDEX_FILE` is obeyed, by git itself.
pub(super) fn staged(path: &Path) -> Result<Staged> {
    let (base, name) = place(path)?;
    // As a tree: what `git add --intent-to-add` only announced is not in it.
    let tree = git(&base, &["write-tree"]).map_err(|error| {
        Failure::new(format!("cannot read what is staged in the repository around {}", base.display()))
            .because(error)
            .hint("`--staged` wants a git repository without unresolved conflicts")
    })?;
    let tree = String::from_utf8(tree).context("git names a tree strangely")?.trim().to_owned();
    let folder = tempfile::tempdir().context("no temporary folder for what is staged")?;
    let root = lay_down(&tree, &base, name.as_deref(), folder.path())?;
    let root = root.ok_or_else(|| {
        Failure::new(format!("{} is not in git's index", path.display())).hint("stage it with `git add`")
    })?;
    Ok(Staged { root, _folder: folder })
}

/// The staged text of a file, by its path from the current folder; `None` if the index does not have it.
pub(super) fn staged_text(file: &str) -> Option<String> {
    let text = git(Path::new("."), &["cat-file", "blob", &format!(":./{file}")]).ok()?;
    String::from_utf8(text).ok()
}

/// The folder to ask git in, and the file that is meant in it.
fn place(path: &Path) -> Result<(PathBuf, Option<OsString>)> {
    let whole = path.canonicalize().with_context(|| format!("cannot look at {}", path.display()))?;
    Ok(match (whole.is_file(), whole.parent(), whole.file_name()) {
        (true, Some(parent), Some(name)) => (parent.to_path_buf(), Some(name.to_owned())),
        _ => (whole, None),
    })
}

/// Lays down the files of a tree that a scan reads; answers with what stands for the path.
fn lay_down(tree: &str, base: &Path, name: Option<&OsStr>, folder: &Path) -> Result<Option<PathBuf>> {
    // Names are relative to the folder that git runs in, and only what lies in it is listed.
    let listed = git(base, &["ls-tree", "-r", "-z", "--end-of-options", tree])?;
    let mut wanted: Vec<(PathBuf, String)> = Vec::new();
    let (mut links, mut others) = (Vec::new(), HashMap::new());
    for entry in listed.split(|byte| *byte == 0).filter(|entry| !entry.is_empty()) {
        let Some((about, file)) = entry.iter().position(|byte| *byte == b'\t').map(|at| entry.split_at(at)) else {
            continue;
        };
        let about = String::from_utf8_lossy(about);
        let mut about = about.split(' ');
        let (mode, object) = (about.next().unwrap_or_default(), about.nth(1).unwrap_or_default());
        let file = PathBuf::from(os(file.get(1..).unwrap_or_default()));
        let asked = name.is_none_or(|name| file.as_os_str() == name);
        let is_wanted = asked && (name.is_some() || is_read(&file)) && is_plain(&file);
        match mode {
            "120000" if is_wanted => links.push((file, object.to_owned())),
            _ if !mode.starts_with("100") => {}
            _ if is_wanted => wanted.push((file, object.to_owned())),
            _ => drop(others.insert(file, object.to_owned())),
        }
    }
    if name.is_some() && wanted.is_empty() && links.is_empty() {
        return Ok(None);
    }
    let mut targets = Vec::with_capacity(links.len());
    for (file, object) in links {
        let target = git(base, &["cat-file", "blob", &object])?;
        let target = PathBuf::from(os(&target));
        // The link itself is laid down, and what it leads to, if it is of the tree: the scan follows it, or says why not.
        if let Some(at) = below(file.parent().unwrap_or(Path::new("")), &target)
            && let Some(object) = others.remove(&at)
        {
            wanted.push((at, object));
        }
        targets.push((folder.join(file), target));
    }
    copy(base, &wanted, folder)?;
    // Last, so that nothing is written through a link.
    for (place, target) in targets {
        fs::create_dir_all(place.parent().unwrap_or(folder))?;
        std::os::unix::fs::symlink(target, place)?;
    }
    Ok(Some(name.map_or_else(|| folder.to_path_buf(), |name| folder.join(name))))
}

fn is_shallow(base: &Path) -> bool {
    git(base, &["rev-parse", "--is-shallow-repository"]).is_ok_and(|said| said.trim_ascii() == b"true")
}

fn os(bytes: &[u8]) -> &OsStr {
    std::os::unix::ffi::OsStrExt::from_bytes(bytes)
}

/// Where a link in a folder leads, if that is within the tree.
fn below(folder: &Path, target: &Path) -> Option<PathBuf> {
    let mut at = folder.to_path_buf();
    for part in target.components() {
        match part {
            Component::Normal(name) => at.push(name),
            Component::CurDir => {}
            Component::ParentDir if at.pop() => {}
            _ => return None,
        }
    }
    Some(at)
}

/// A name that leads nowhere but below.
fn is_plain(file: &Path) -> bool {
    file.components().all(|part| matches!(part, Component::Normal(_)))
}

/// Known files, and what they may take in or point to.
fn is_read(file: &Path) -> bool {
    let folder = file.parent().unwrap_or(Path::new("")).to_string_lossy();
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    let extension = file.extension().unwrap_or_default().to_string_lossy();
    Kind::of(&folder, &name).is_some()
        || is_sign_of_vendoring(&file.to_string_lossy())
        || matches!(&*name, ".gitignore" | ".npmrc")
        || matches!(&*extension, "txt" | "in" | "toml" | "xml" | "props" | "targets")
}

/// One `git cat-file --batch` for all files: its answers come in the order of the questions.
fn copy(base: &Path, wanted: &[(PathBuf, String)], folder: &Path) -> Result<()> {
    let mut child = command(base).args(["cat-file", "--batch"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    let mut questions = child.stdin.take().context("git takes no questions")?;
    let objects: String = wanted.iter().map(|(_, object)| format!("{object}\n")).collect();
    // git answers while it is asked: one thread cannot do both.
    let asking = std::thread::spawn(move || questions.write_all(objects.as_bytes()));
    let mut answers = std::io::BufReader::new(child.stdout.take().context("git gives no answers")?);
    for (file, object) in wanted {
        let path = folder.join(file);
        fs::create_dir_all(path.parent().unwrap_or(folder))?;
        let bytes = answer(&mut answers).with_context(|| format!("git cannot read {} ({object})", file.display()))?;
        fs::write(path, bytes)?;
    }
    drop(answers);
    // An error in asking shows in the answers.
    drop(asking.join());
    child.wait()?;
    Ok(())
}

/// `<object> blob <length>`, the bytes, a line break.
fn answer(answers: &mut impl std::io::BufRead) -> Result<Vec<u8>> {
    let mut head = String::new();
    answers.read_line(&mut head)?;
    let length: usize = head.trim_end().rsplit(' ').next().unwrap_or_default().parse().with_context(|| head.clone())?;
    let mut bytes = vec![0; length + 1];
    answers.read_exact(&mut bytes)?;
    bytes.truncate(length);
    Ok(bytes)
}

fn git(base: &Path, args: &[&str]) -> Result<Vec<u8>> {
    let output = command(base).args(args).output().map_err(|error| {
        Failure::new("cannot run git")
            .because(error)
            .hint("install git, or give an earlier JSON result as the baseline")
    })?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        anyhow::bail!(
            "git {}: {}",
            args.first().copied().unwrap_or_default(),
            if said.is_empty() { "failed" } else { &said }
        );
    }
    Ok(output.stdout)
}

fn command(base: &Path) -> Command {
    let mut command = Command::new("git");
    command.arg("--no-pager").arg("-C").arg(base).env("GIT_OPTIONAL_LOCKS", "0").stdin(Stdio::null());
    command
}
