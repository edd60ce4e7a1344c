//! Running other programs and talking to the developer: the only edge of this tool.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

/// The root of the checkout that this tool runs for.
///
/// Where several checkouts share a target directory, cargo may start what it built for another: what it says at the start
/// counts, not what it said at the build.
pub(crate) fn root() -> PathBuf {
    let told = std::env::var_os("CARGO_MANIFEST_DIR");
    let manifest = told.map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
    manifest.parent().expect("xtask lies one level below the root").to_path_buf()
}

/// Writes one piece of text for the developer.
#[expect(clippy::print_stdout, reason = "this is the developer's command line")]
pub(crate) fn say(text: &str) {
    println!("{text}");
}

/// Runs a program at the root with the terminal's own streams; an exit status other than 0 is an error.
pub(crate) fn run(program: &str, args: &[&str], env: &[(&str, &str)]) -> Result<()> {
    say(&format!("\n$ {}", shown(program, args)));
    let status = Command::new(program)
        .args(args)
        .envs(env.iter().copied())
        .current_dir(root())
        .stdin(Stdio::null())
        .status()
        .with_context(|| format!("cannot start {program}; is it installed and on the PATH?"))?;
    if !status.success() {
        bail!("`{}` failed ({status})", shown(program, args));
    }
    Ok(())
}

/// The command line without what lets somebody in.
fn shown(program: &str, args: &[&str]) -> String {
    let mask = |arg: &&str| {
        if arg.starts_with("Authorization:") { "Authorization: ...".to_owned() } else { (*arg).to_owned() }
    };
    std::iter::once(program.to_owned()).chain(args.iter().map(mask)).collect::<Vec<_>>().join(" ")
}

/// Runs a program and returns what it printed; its error stream is shown only when it fails.
pub(crate) fn output(program: &str, args: &[&str]) -> Result<String> {
    let out = Command::new(program)
        .args(args)
        .current_dir(root())
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("cannot start {program}"))?;
    if !out.status.success() {
        bail!("`{program} {}` failed ({}): {}", args.join(" "), out.status, String::from_utf8_lossy(&out.stderr));
    }
    Ok(String::from_utf8_lossy(&out.stdout).into_owned())
}

/// Whether a program of this name is on the PATH.
pub(crate) fn has(program: &str) -> bool {
    let Some(path) = std::env::var_os("PATH") else { return false };
    std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
}
