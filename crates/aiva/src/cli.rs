//! The command line: every flag that a script may rely on, declared once.
//!
//! Pure declaration; what a command does stands in the module of its name. Exit codes (DESIGN section 6) are in [`exit`].

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

pub(crate) mod advisories;
pub(crate) mod config;
pub(crate) mod egress;
pub(crate) mod events;
pub(crate) mod exit;
pub(crate) mod fix;
pub(crate) mod gaps;
pub(crate) mod handbook;
pub(crate) mod licences;
pub(crate) mod mcp;
pub(crate) mod migrate;
pub(crate) mod progress;
pub(crate) mod remote;
pub(crate) mod sca;
pub(crate) mod scan;
pub(crate) mod serve;
pub(crate) mod table;
pub(crate) mod terminal;
pub(crate) mod token;
pub(crate) mod up;

const AFTER_HELP: &str = "\
Exit codes: 0 nothing to report, 1 findings at or over the threshold, 2 could not do the job or found
nothing to read, 3 done, but some inputs could not be read or judged.";

/// Guards a company's services on four sides and tells one story about each.
#[derive(Debug, Parser)]
#[command(name = "aiva", version, about, after_help = AFTER_HELP, propagate_version = true)]
pub(crate) struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
    /// What every command takes.
    #[command(flatten)]
    pub(crate) global: Global,
}

/// Flags of every command.
#[derive(Debug, Clone, Args)]
pub(crate) struct Global {
    /// Where AIVA keeps its state (default: $AIVA_DATA_DIR, else the XDG data home's `aiva`).
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    /// The configuration file (default: `aiva.toml` in the current directory, where there is one).
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// No colours and no progress bar, whatever the terminal can do.
    #[arg(long, global = true)]
    pub(crate) no_color: bool,
    /// Say only what was asked for: no progress, no hints, no summary; of a scan the findings, not what could not be judged.
    #[arg(long, short, global = true)]
    pub(crate) quiet: bool,
}

/// What AIVA can do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Scan dependency manifests and lockfiles for known vulnerabilities; needs no server.
    Scan(Box<Scan>),
    /// The advisory index that scans read.
    #[command(subcommand)]
    Advisories(Advisories),
    /// Questions to the dependency guard besides a scan.
    #[command(subcommand)]
    Sca(Sca),
    /// Run everything in one process on the embedded default.
    Up(Up),
    /// Run some guards alone; without a store.
    Serve(Serve),
    /// The configuration.
    #[command(subcommand)]
    Config(Config),
    /// The bootstrap token that guards the API.
    #[command(subcommand)]
    Token(Token),
    /// The database schema.
    #[command(subcommand)]
    Migrate(Migrate),
    /// Events and dead letters of a running server.
    #[command(subcommand)]
    Events(Events),
    /// Where services may call out: ask, prove, move in.
    #[command(subcommand)]
    Egress(egress::Egress),
    /// Speak the Model Context Protocol on stdin and stdout: an agent's tools `fetch` and `check_url`, by a running server.
    Mcp(Server),
    /// Print a script that completes commands and flags in a shell.
    Completions {
        /// Which shell.
        shell: clap_complete::Shell,
    },
    /// Print the manual page (troff); with a folder, write one for every command.
    Man {
        /// Where to write `aiva.1`, `aiva-scan.1` and so on.
        folder: Option<PathBuf>,
    },
}

/// Whose licences are wanted.
#[derive(Debug, Args)]
pub(crate) struct Asked {
    /// What to read: a folder or one file.
    #[arg(default_value = ".")]
    pub(crate) path: PathBuf,
    /// The path is the root of a file system: read what is installed in it. So is a folder that has an os-release file and a
    /// database of packages.
    #[arg(long)]
    pub(crate) rootfs: bool,
    /// Read what is installed below the path as well: site-packages, node_modules, Java archives, Go and Rust programs.
    #[arg(long, conflicts_with = "rootfs")]
    pub(crate) installed: bool,
    /// The path is a container image: an OCI image layout (folder or tar) or what `docker save` wrote.
    #[arg(long, conflicts_with_all = ["rootfs", "installed"])]
    pub(crate) image: bool,
    /// Which of an image's platforms [default: Linux on this machine's processor].
    #[arg(long, value_name = "OS/ARCH", requires = "image", value_parser = terminal::platform)]
    pub(crate) platform: Option<aiva_sca::inventory::Platform>,
    /// Leave out packages that are only needed to develop or test.
    #[arg(long)]
    pub(crate) no_dev: bool,
}

/// `aiva scan`
#[derive(Debug, Args)]
pub(crate) struct Scan {
    /// What to scan: a folder or one file.
    #[arg(default_value = ".")]
    pub(crate) path: PathBuf,
    /// The path is the root of a file system: read what is installed in it. So is a folder that has an os-release file and a
    /// database of packages.
    #[arg(long)]
    pub(crate) rootfs: bool,
    /// Read what is installed below the path as well: site-packages, node_modules, Java archives, Go and Rust programs.
    #[arg(long, conflicts_with = "rootfs")]
    pub(crate) installed: bool,
    /// The path is a container image: an OCI image layout (folder or tar) or what `docker save` wrote.
    #[arg(long, conflicts_with_all = ["rootfs", "installed"])]
    pub(crate) image: bool,
    /// Which of an image's platforms [default: Linux on this machine's processor].
    #[arg(long, value_name = "OS/ARCH", requires = "image", value_parser = terminal::platform)]
    pub(crate) platform: Option<aiva_sca::inventory::Platform>,
    /// How to print the result.
    #[arg(long, value_enum, default_value_t = Format::Table)]
    pub(crate) format: Format,
    /// Write the result to a file instead of the standard output.
    #[arg(long, short, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// The lowest level that gives exit code 1 [default: any finding that is not informational].
    #[arg(long, value_enum, value_name = "LEVEL")]
    pub(crate) fail_on: Option<FailOn>,
    /// Whether a finding of unknown severity counts for the exit code.
    #[arg(long, value_enum, default_value_t = UnknownSeverity::Gate)]
    pub(crate) unknown_severity: UnknownSeverity,
    /// Take a path without any manifest or lockfile for clean, instead of exit code 2.
    #[arg(long)]
    pub(crate) allow_empty: bool,
    /// Let ranges without a pin that can resolve to an affected version count for the exit code like findings.
    #[arg(long)]
    pub(crate) fail_on_ranges: bool,
    /// Leave out a finding by its id or an alias of it; may be repeated.
    #[arg(long, value_name = "ID")]
    pub(crate) ignore: Vec<String>,
    /// Leave out findings that have no fixed version.
    #[arg(long)]
    pub(crate) ignore_unfixed: bool,
    /// Leave out findings below this level; those of unknown level stay.
    #[arg(long, value_enum, value_name = "LEVEL")]
    pub(crate) severity: Option<Lowest>,
    /// Leave out what is only for developing, testing or building.
    #[arg(long)]
    pub(crate) no_dev: bool,
    /// Fail only on what is new since then: an earlier JSON result, or a revision of the git repository around the path.
    #[arg(long, value_name = "FILE|REV")]
    pub(crate) baseline: Option<String>,
    /// Scan what is staged in git instead of what lies in the folder, by the staged aiva.toml.
    #[arg(long, conflicts_with_all = ["rootfs", "installed", "image", "upload"])]
    pub(crate) staged: bool,
    /// Statements that rule findings out: OpenVEX, CycloneDX or CSAF, JSON; may be repeated.
    #[arg(long, value_name = "FILE")]
    pub(crate) vex: Vec<PathBuf>,
    /// What is scanned, by the name that VEX statements about parts of a product give it [default: any product].
    #[arg(long, value_name = "ID", requires = "vex")]
    pub(crate) vex_product: Option<String>,
    /// List every package in the JSON result, with where it comes from.
    #[arg(long)]
    pub(crate) packages: bool,
    /// Pass over paths that match (git-ignore syntax); may be repeated.
    #[arg(long, value_name = "GLOB")]
    pub(crate) exclude: Vec<String>,
    /// Import these advisories for this run only, instead of the index in the data directory.
    #[arg(long, value_name = "PATH")]
    pub(crate) advisories: Option<PathBuf>,
    /// What to do when there is no advisory index, or only one older than `--max-age`.
    #[arg(long, value_enum, default_value_t = Stale::Fail)]
    pub(crate) stale: Stale,
    /// When the advisory index counts as too old, such as 36h, 30d or 2w [default: as configured, else 30d].
    #[arg(long, value_name = "AGE", value_parser = terminal::age)]
    pub(crate) max_age: Option<std::time::Duration>,
    /// Send the result to a server (`AIVA_TOKEN` holds its token).
    #[arg(long, value_name = "URL", requires = "service")]
    pub(crate) upload: Option<String>,
    /// The service that an uploaded result belongs to.
    #[arg(long, value_name = "NAME")]
    pub(crate) service: Option<String>,
}

/// `--format`
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people.
    Table,
    /// The document `aiva.scan/1` (see api/README.md).
    Json,
    /// SARIF 2.1.0, for code scanning.
    Sarif,
    /// CycloneDX 1.6 JSON: the bill of materials with graph and vulnerabilities.
    Cyclonedx,
    /// The same as XML.
    CyclonedxXml,
    /// SPDX 2.3 JSON.
    Spdx,
    /// SPDX 3.0.1 JSON-LD.
    Spdx3,
    /// JUnit XML, for build servers.
    Junit,
    /// Annotations of GitHub Actions, then the table.
    Github,
    /// GitLab's dependency scanning report.
    Gitlab,
    /// Markdown, for a comment or a job summary.
    Markdown,
    /// One self-contained page.
    Html,
}

/// `--fail-on`
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum FailOn {
    /// Never exit with 1.
    None,
    /// Low and above.
    Low,
    /// Medium and above.
    Medium,
    /// High and above.
    High,
    /// Critical only.
    Critical,
}

/// `--severity`
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Lowest {
    /// All but informational.
    Low,
    /// Medium and above.
    Medium,
    /// High and above.
    High,
    /// Critical only.
    Critical,
}

/// `--unknown-severity`
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum UnknownSeverity {
    /// It counts at every threshold.
    Gate,
    /// It never counts.
    Ignore,
}

/// `--stale`
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Stale {
    /// Exit with 2.
    Fail,
    /// Go on and say so; without any index every package counts as not judged.
    Warn,
}

/// `aiva advisories`
#[derive(Debug, Subcommand)]
pub(crate) enum Advisories {
    /// Read OSV zips (`<ecosystem>/all.zip`) or folders of OSV JSON and replace those ecosystems in the index. EPSS scores and
    /// the KEV list (CSV, gzipped or not, or JSON) are taken as they are published.
    Import {
        /// Zips, folders that hold them or OSV JSON files, EPSS or KEV.
        #[arg(required = true, value_name = "PATH")]
        paths: Vec<PathBuf>,
    },
    /// Download the public OSV exports and replace the index.
    Update {
        /// Another place with the same layout.
        #[arg(long, value_name = "URL")]
        from: Option<String>,
        /// Advisories of a Linux distribution as well (`Debian`, `Red Hat`); kept up to date from then on; may be repeated.
        #[arg(long, value_name = "NAME", value_parser = terminal::distribution)]
        distribution: Vec<aiva_sca::system::Distribution>,
    },
    /// Say how old the index is and what it holds.
    Status {
        /// Check every block's checksum as well.
        #[arg(long)]
        verify: bool,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
}

/// `aiva sca`
#[derive(Debug, Subcommand)]
pub(crate) enum Sca {
    /// Check a list of version comparisons (`1.0-rc1 < 1.0`, a line each); exit 1 when a line does not hold.
    VersionOrder {
        /// Whose order, by OSV's name: npm, Maven, Debian:12 ...
        #[arg(long, value_name = "NAME")]
        ecosystem: String,
        /// The list; `-` reads the standard input.
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
    /// Say under which licences the packages of a folder are, and what those ask in return; exit 1 when the policy in
    /// `[sca.licences]` does not allow one, 3 when a licence is not known.
    Licences {
        #[command(flatten)]
        asked: Asked,
        /// How to print it.
        #[arg(long, value_enum, default_value_t = LicenceFormat::Table)]
        format: LicenceFormat,
    },
    /// Print a NOTICE: the packages of a folder with their licences and the texts that have to be shipped with them.
    Notice {
        #[command(flatten)]
        asked: Asked,
    },
    /// Print the smallest set of bumps that clears the findings, as a difference of the manifests, what to run afterwards, and what
    /// stays; exit 1 when there is something to do or something stays, 3 when something could not be read or judged.
    Fix(Fix),
    /// Say why a package is there: every file that names it, and all shortest paths that lead to it.
    Why {
        /// `name`, `name@version` or a package URL.
        #[arg(value_name = "PACKAGE")]
        package: String,
        /// What to look through: a folder or one file.
        #[arg(default_value = ".")]
        path: PathBuf,
        /// How to print the answer.
        #[arg(long, value_enum, default_value_t = WhyFormat::Text)]
        format: WhyFormat,
        /// The most paths to list for each place.
        #[arg(long, value_name = "COUNT", default_value_t = 20)]
        paths: usize,
        /// Pass over paths that match (git-ignore syntax); may be repeated.
        #[arg(long, value_name = "GLOB")]
        exclude: Vec<String>,
    },
}

/// `aiva sca licences --format`
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LicenceFormat {
    /// For people.
    Table,
    /// The document `aiva.licences/1`.
    Json,
    /// One row a package.
    Csv,
    /// For a pull request or a wiki.
    Markdown,
}

/// `aiva sca fix`
#[derive(Debug, Args)]
pub(crate) struct Fix {
    /// What to mend: a folder or one manifest.
    #[arg(default_value = ".")]
    pub(crate) path: PathBuf,
    /// Rewrite the manifests instead of printing the difference.
    #[arg(long)]
    pub(crate) apply: bool,
    /// Pass over paths that match (git-ignore syntax); may be repeated.
    #[arg(long, value_name = "GLOB")]
    pub(crate) exclude: Vec<String>,
    /// What to do when the advisory index is older than configured.
    #[arg(long, value_enum, default_value_t = Stale::Fail)]
    pub(crate) stale: Stale,
}

/// `--format` of questions
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum WhyFormat {
    /// For people.
    Text,
    /// An array of places.
    Json,
}

/// `aiva up`
#[derive(Debug, Args)]
pub(crate) struct Up {
    /// Where the console, REST and gRPC listen [default: 127.0.0.1:8080].
    #[arg(long, value_name = "ADDR")]
    pub(crate) listen: Option<SocketAddr>,
    /// Where health, metrics and profiles listen [default: 127.0.0.1:9090].
    #[arg(long, value_name = "ADDR")]
    pub(crate) admin_listen: Option<SocketAddr>,
    /// Where the egress proxy listens [default: 127.0.0.1:4750].
    #[arg(long, value_name = "ADDR")]
    pub(crate) egress_listen: Option<SocketAddr>,
    /// Bring a small example company with its own advisories, in a data directory of its own.
    #[arg(long)]
    pub(crate) demo: bool,
    /// Do not download advisories.
    #[arg(long)]
    pub(crate) no_update: bool,
}

/// `aiva serve`
#[derive(Debug, Args)]
pub(crate) struct Serve {
    /// Which guards.
    #[arg(long, value_enum, required = true, value_delimiter = ',', value_name = "GUARDS")]
    pub(crate) guards: Vec<Alone>,
    /// Where the egress proxy listens [default: 127.0.0.1:4750].
    #[arg(long, value_name = "ADDR")]
    pub(crate) egress_listen: Option<SocketAddr>,
    /// Where health, metrics and profiles listen [default: 127.0.0.1:9090].
    #[arg(long, value_name = "ADDR")]
    pub(crate) admin_listen: Option<SocketAddr>,
}

/// `--guards`: those that can run alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Alone {
    /// The egress proxy.
    Egress,
}

/// `aiva config`
#[derive(Debug, Subcommand)]
pub(crate) enum Config {
    /// Check the configuration and say every error at once.
    Check,
    /// Print the configuration in force, secrets redacted, with the source of every value.
    Print,
    /// Print an annotated example with every key and its default.
    Example,
}

/// `aiva token`
#[derive(Debug, Subcommand)]
pub(crate) enum Token {
    /// Print the token; it is made when there is none.
    Show,
    /// Replace the token; the old one stops working at once.
    Rotate,
    /// Print a fresh link into the console of the running server: good for ten minutes and one sign-in.
    Link {
        #[command(flatten)]
        server: Server,
    },
}

/// `aiva migrate`
#[derive(Debug, Subcommand)]
pub(crate) enum Migrate {
    /// Say which steps are applied and which are not.
    Status,
    /// Apply the missing steps.
    Up,
}

/// `aiva events`
#[derive(Debug, Subcommand)]
pub(crate) enum Events {
    /// Follow the events as they happen.
    Tail {
        /// How to reach the server.
        #[command(flatten)]
        server: Server,
        /// Only events of this type.
        #[arg(long = "type", value_name = "TYPE")]
        kind: Option<String>,
    },
    /// List the messages that kept failing.
    DeadLetters {
        /// How to reach the server.
        #[command(flatten)]
        server: Server,
    },
    /// Try dead letters again.
    Redrive {
        /// How to reach the server.
        #[command(flatten)]
        server: Server,
        /// Which one; see `aiva events dead-letters`.
        #[arg(required = true, value_name = "ID")]
        ids: Vec<String>,
    },
}

/// How a command reaches a running server.
#[derive(Debug, Clone, Args)]
pub(crate) struct Server {
    /// The server's address [default: the one that runs on the data directory, else the configured listen address].
    #[arg(long, value_name = "URL", env = "AIVA_SERVER")]
    pub(crate) server: Option<String>,
}
