//! What git has of the files that a scan reads: of a revision, or of its index. Nothing is checked out: only those files are laid
//! down in a temporary folder. Start reading at [`of_revision`] and [`staged`].

use std::collections::{HashMap, HashSet};
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::Write as _;
use std::path::{Component, Path, PathBuf};
use std::process::{Command, Stdio};

use aiva_sca::inventory::{Kind, is_mark, taken_in};
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
    lay_down(&of_commit(&commit, &base, name.is_some())?, &base, name.as_deref(), folder)
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
    let failure = || Failure::new(format!("cannot read what is staged in the repository around {}", base.display()));
    let hint = "`--staged` wants a git repository without unresolved conflicts";
    let tree = of_index(&base, name.is_some()).map_err(|error| failure().because(error).hint(hint))?;
    let folder = tempfile::tempdir().context("no temporary folder for what is staged")?;
    let root = lay_down(&tree, &base, name.as_deref(), folder.path())?;
    let root = root.ok_or_else(|| {
        Failure::new(format!("{} is not in git's index", path.display())).hint("stage it with `git add`")
    })?;
    Ok(Staged { root, _folder: folder })
}

/// The staged text of a file, by its path from the current folder; `None` if the index does not have it.
pub(super) fn staged_text(file: &str) -> Result<Option<String>> {
    let object = format!(":./{file}");
    if git(Path::new("."), &["rev-parse", "--verify", "--quiet", &object]).is_err() {
        return Ok(None);
    }
    let text = git(Path::new("."), &["cat-file", "blob", &object])?;
    let text = String::from_utf8(text).map_err(|_| {
        Failure::new(format!("cannot read the configuration file {file} as it is staged"))
            .because("it is not UTF-8")
            .hint("stage it again once it is (`git add`)")
    })?;
    Ok(Some(text))
}

/// The folder to ask git in, and the file that is meant in it. A link is that file: what it leads to is another one. What is only
/// staged need not lie there.
fn place(path: &Path) -> Result<(PathBuf, Option<OsString>)> {
    let looked = |error| format!("cannot look at {}: {error}", path.display());
    let (Some(name), false) = (path.file_name(), path.is_dir()) else {
        return Ok((path.canonicalize().map_err(|error| anyhow::anyhow!(looked(error)))?, None));
    };
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    Ok((parent.canonicalize().map_err(|error| anyhow::anyhow!(looked(error)))?, Some(name.to_owned())))
}

/// What git has at a path.
struct Entry {
    is_link: bool,
    object: String,
}

/// By their paths from a folder, those below it.
type Tree = HashMap<PathBuf, Entry>;

/// The files of a commit: below a folder, or all by their paths from the top.
fn of_commit(commit: &str, base: &Path, all: bool) -> Result<Tree> {
    let whole: &[&str] = if all { &["--full-tree"] } else { &[] };
    let listed = git(base, &[&["ls-tree", "-r", "-z"], whole, &["--end-of-options", commit]].concat())?;
    // `<mode> blob <object>`, a tab, the path.
    let entries = listed.split(|byte| *byte == 0).filter_map(|entry| {
        let (about, path) = entry.split_at_checked(entry.iter().position(|byte| *byte == b'\t')?)?;
        let about = String::from_utf8_lossy(about);
        let mut about = about.split(' ');
        let (mode, object) = (about.next()?, about.nth(1)?);
        Some((path.get(1..)?, mode.to_owned(), object.to_owned()))
    });
    Ok(tree(entries))
}

/// The files of the index, as the next commit would have them. It is compared with the tree that has nothing in it: that leaves out
/// what `git add --intent-to-add` only announced, as a commit does, and writes nothing. `git write-tree` writes objects, and the
/// index; `git ls-files --stage` tells what is announced as an empty file.
fn of_index(base: &Path, all: bool) -> Result<Tree> {
    let empty = git(base, &["hash-object", "-t", "tree", "--stdin"])?;
    let empty = String::from_utf8_lossy(&empty).trim().to_owned();
    let mut args =
        vec!["diff-index", "--cached", "--raw", "-z", "--no-abbrev", "--no-renames", "--ita-invisible-in-index"];
    if !all {
        args.push("--relative");
    }
    args.extend([empty.as_str(), "--"]);
    let listed = git(base, &args)?;
    let mut parts = listed.split(|byte| *byte == 0);
    let mut entries = Vec::new();
    // `:<mode> <mode> <object> <object> <status>`, and then the path.
    while let (Some(about), Some(path)) = (parts.next(), parts.next()) {
        let about = String::from_utf8_lossy(about);
        let mut about = about.split(' ').skip(1);
        let (Some(mode), Some(object), Some(status)) = (about.next(), about.nth(1), about.next()) else { continue };
        anyhow::ensure!(!status.starts_with('U'), "{} is in conflict", os(path).display());
        entries.push((path, mode.to_owned(), object.to_owned()));
    }
    Ok(tree(entries.into_iter()))
}

/// Files and links; what is neither, such as a submodule, is left out.
fn tree<'g>(entries: impl Iterator<Item = (&'g [u8], String, String)>) -> Tree {
    let known = entries.filter(|(_, mode, _)| mode.starts_with("100") || mode == "120000");
    let entry = |(path, mode, object): (&[u8], String, String)| {
        (PathBuf::from(os(path)), Entry { is_link: mode == "120000", object })
    };
    known.map(entry).filter(|(path, _)| is_plain(path)).collect()
}

/// A file that is to be laid down.
struct Wanted {
    file: PathBuf,
    /// The name by which it is read: of a link that leads to it, its own.
    read_as: PathBuf,
    /// Whether it is read as requirements whatever its name is.
    is_list: bool,
}

/// Lays down the files that a scan reads; answers with what stands for the path.
fn lay_down(tree: &Tree, base: &Path, name: Option<&OsStr>, folder: &Path) -> Result<Option<PathBuf>> {
    let asked = name.map(|name| Ok::<_, anyhow::Error>(prefix(base)?.join(name))).transpose()?;
    let is_asked = |file: &&PathBuf| asked.as_ref().map_or_else(|| is_read(file), |asked| *file == asked);
    let mut open: Vec<Wanted> = Vec::new();
    for file in tree.keys().filter(is_asked) {
        open.push(Wanted { file: file.clone(), read_as: file.clone(), is_list: false });
    }
    if asked.is_some() && open.is_empty() {
        return Ok(None);
    }
    let mut seen: HashSet<PathBuf> = open.iter().map(|wanted| wanted.file.clone()).collect();
    let mut links = Vec::new();
    while !open.is_empty() {
        let mut next: Vec<Wanted> = Vec::new();
        let objects = open.iter().map(|wanted| tree.get(&wanted.file).map_or("", |entry| &entry.object)).collect();
        copy(base, objects, |at, bytes| {
            let Some(Wanted { file, read_as, is_list }) = open.get(at) else { return Ok(()) };
            if tree.get(file).is_some_and(|entry| entry.is_link) {
                // What it leads to is laid down if it is of the tree: the scan follows the link, or says why not.
                let target = PathBuf::from(os(bytes));
                let at = below(file.parent().unwrap_or(Path::new("")), &target);
                next.extend(at.map(|file| Wanted { file, read_as: read_as.clone(), is_list: *is_list }));
                links.push((folder.join(file), target));
                return Ok(());
            }
            let path = folder.join(file);
            fs::create_dir_all(path.parent().unwrap_or(folder))?;
            fs::write(path, bytes)?;
            let more = taken_in(&read_as.to_string_lossy(), bytes, *is_list);
            next.extend(more.into_iter().map(PathBuf::from).map(|file| Wanted {
                read_as: file.clone(),
                file,
                is_list: true,
            }));
            Ok(())
        })?;
        next.retain(|wanted| tree.contains_key(&wanted.file) && seen.insert(wanted.file.clone()));
        open = next;
    }
    // Last, so that nothing is written through a link.
    for (place, target) in links {
        fs::create_dir_all(place.parent().unwrap_or(folder))?;
        std::os::unix::fs::symlink(target, place)?;
    }
    Ok(Some(asked.map_or_else(|| folder.to_path_buf(), |asked| folder.join(asked))))
}

/// Where a folder is from the top of its repository.
fn prefix(base: &Path) -> Result<PathBuf> {
    let said = git(base, &["rev-parse", "--show-prefix"])?;
    Ok(PathBuf::from(os(said.strip_suffix(b"\n").unwrap_or(&said))))
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
        || is_mark(&file.to_string_lossy())
        || matches!(&*name, ".gitignore" | ".npmrc" | ".yarnrc.yml" | "go.sum")
        || matches!(&*extension, "txt" | "in" | "toml" | "xml" | "props" | "targets")
}

/// One `git cat-file --batch` for all of them: its answers come in the order of the questions.
fn copy(base: &Path, objects: Vec<&str>, mut put: impl FnMut(usize, &[u8]) -> Result<()>) -> Result<()> {
    let mut child = command(base).args(["cat-file", "--batch"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    let mut questions = child.stdin.take().context("git takes no questions")?;
    let asked: String = objects.iter().map(|object| format!("{object}\n")).collect();
    // git answers while it is asked: one thread cannot do both.
    let asking = std::thread::spawn(move || questions.write_all(asked.as_bytes()));
    let mut answers = std::io::BufReader::new(child.stdout.take().context("git gives no answers")?);
    for (at, object) in objects.into_iter().enumerate() {
        let bytes = answer(&mut answers).with_context(|| format!("git cannot read {object}"))?;
        put(at, &bytes)?;
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
