//! Makes code of the contracts under `api/`: messages and service stubs of the protos, types and operations of the OpenAPI document, and the
//! JSON schema of the scan document.
//!
//! The result is committed, so that a build needs neither this tool nor protoc. The same input gives the same bytes; with
//! `check` nothing is written and any difference is an error. What the OpenAPI subset does not cover is refused, never
//! passed over.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::process;

mod check;
mod messages;
mod openapi;
mod operations;
mod pattern;
mod schema;
mod types;

/// One file to be written.
struct Generated {
    path: PathBuf,
    content: Vec<u8>,
}

/// Writes all generated files, or only compares them.
pub(crate) fn run(check: bool) -> Result<()> {
    let root = &process::root();
    let files = generate(root)?;
    if !check {
        for file in &files {
            std::fs::create_dir_all(file.path.parent().context("a folder")?)?;
            if std::fs::read(&file.path).ok().as_ref() != Some(&file.content) {
                std::fs::write(&file.path, &file.content).with_context(|| file.path.display().to_string())?;
            }
        }
        return Ok(());
    }
    let stale: Vec<String> = files
        .iter()
        .filter(|file| std::fs::read(&file.path).ok().as_ref() != Some(&file.content))
        .map(|file| file.path.strip_prefix(root).unwrap_or(&file.path).display().to_string())
        .collect();
    if !stale.is_empty() {
        bail!("not what api/ says: {}; run `cargo xtask codegen` and commit", stale.join(", "));
    }
    Ok(())
}

fn generate(root: &Path) -> Result<Vec<Generated>> {
    let out = root.join("crates/aiva-contracts/src/generated");
    let text = std::fs::read_to_string(root.join("api/openapi.yaml")).context("api/openapi.yaml")?;
    let contract = openapi::parse(&text).context("api/openapi.yaml")?;
    check::check(&contract).context("api/openapi.yaml")?;
    let api = format!("{}{}", types::emit(&contract)?, operations::emit(&contract)?);
    let messages = messages::compile(&root.join("api/proto"))?;
    let mut files = vec![
        Generated { path: out.join("api.rs"), content: format(root, &api)? },
        Generated { path: out.join("messages.rs"), content: format(root, &messages.code)? },
        Generated { path: out.join("descriptors.bin"), content: messages.descriptors },
        Generated { path: root.join("api/scan.schema.json"), content: schema::emit(&contract, "ScanDocument")? },
    ];
    for (package, code) in messages.services {
        let guard = package.split('.').nth(1).context("a package is aiva.GUARD.VERSION")?;
        let path = root.join(format!("crates/aiva-{guard}/src/grpc/generated.rs"));
        files.push(Generated { path, content: format(root, &code)? });
    }
    Ok(files)
}

/// The code as rustfmt leaves it.
fn format(root: &Path, code: &str) -> Result<Vec<u8>> {
    let mut child = Command::new("rustfmt")
        .args(["--edition", "2024", "--config-path"])
        .arg(root.join("rustfmt.toml"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .context("rustfmt is a component of the toolchain")?;
    let mut input = child.stdin.take().context("rustfmt's input")?;
    let code = code.to_owned();
    // Written beside the read, so that neither pipe can fill up while the other side waits.
    let writer = std::thread::spawn(move || input.write_all(code.as_bytes()));
    let output = child.wait_with_output()?;
    drop(writer.join());
    if !output.status.success() {
        bail!("rustfmt refused the generated code");
    }
    Ok(output.stdout)
}

#[cfg(test)]
mod tests {
    #[test]
    fn committed_code_is_what_the_contracts_say() {
        super::run(true).unwrap();
    }
}
