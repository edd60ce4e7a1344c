//! A real PostgreSQL for tests: the one that `AIVA_TEST_POSTGRES_URL` names, else a throw-away server of this process.
//!
//! Promises: a fresh database for every call; the throw-away server listens on a Unix socket only, runs as an ordinary user
//! and goes away with the test process however that ends; where there is none, the skip is said.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use sqlx::{AssertSqlSafe, Connection, PgConnection};

/// The server's address with `{}` for the database; `Err` says why there is none.
type Server = Result<String, String>;

/// The address of a new, empty database, or `None` where there is no server; the skip is said then.
///
/// # Panics
/// If a server that is there cannot be used: that is a failure, not a skip.
pub async fn database() -> Option<String> {
    static SERVER: OnceLock<Server> = OnceLock::new();
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let server = tokio::task::spawn_blocking(|| SERVER.get_or_init(find)).await.expect("looking does not panic");
    let server = match server {
        Ok(server) => server,
        Err(reason) => {
            crate::skip::skipped("postgres", reason);
            return None;
        }
    };
    let name = format!("aiva_test_{}_{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
    let mut conn = connect(&server.replace("{}", "postgres")).await;
    for sql in [format!("DROP DATABASE IF EXISTS {name}"), format!("CREATE DATABASE {name} TEMPLATE template0")] {
        sqlx::query(AssertSqlSafe(sql)).execute(&mut conn).await.expect("the test server makes databases");
    }
    Some(server.replace("{}", &name))
}

/// Lets nobody into the database of this address any more and throws out who is in, or lets them in again: what a
/// program sees of a server that goes away and comes back.
///
/// # Panics
/// If the server does not do it.
pub async fn open(url: &str, open: bool) {
    let (address, query) = url.split_once('?').map_or((url, String::new()), |(a, q)| (a, format!("?{q}")));
    let (server, name) = address.rsplit_once('/').expect("the address names a database");
    let mut conn = connect(&format!("{server}/postgres{query}")).await;
    let mut sql = format!("ALTER DATABASE {name} ALLOW_CONNECTIONS {open};");
    if !open {
        sql.push_str(&format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"));
    }
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut conn).await.expect("the test server opens and closes databases");
}

async fn connect(url: &str) -> PgConnection {
    let started = Instant::now();
    loop {
        match PgConnection::connect(url).await {
            Ok(conn) => return conn,
            Err(error) if started.elapsed() > Duration::from_secs(60) => panic!("the test server is silent: {error}"),
            Err(_) => tokio::time::sleep(Duration::from_millis(20)).await, // it is starting
        }
    }
}

fn find() -> Server {
    if let Ok(url) = std::env::var("AIVA_TEST_POSTGRES_URL") {
        return Ok(template(&url));
    }
    let programs =
        programs().ok_or("no initdb and postgres below /usr/lib/postgresql and no AIVA_TEST_POSTGRES_URL")?;
    start(&programs)
}

/// Replaces the database's name in an address by `{}`.
fn template(url: &str) -> String {
    let (address, query) = url.split_once('?').map_or((url, String::new()), |(a, q)| (a, format!("?{q}")));
    let host = address.find("://").map_or(0, |at| at + 3);
    let end = address[host..].find('/').map_or(address.len(), |at| host + at);
    format!("{}/{{}}{query}", &address[..end])
}

/// Debian keeps the programs out of the PATH, one folder a version: the newest wins.
fn programs() -> Option<PathBuf> {
    if let Some(folder) = std::env::var_os("AIVA_TEST_POSTGRES_BIN") {
        return Some(folder.into());
    }
    let folders = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let numbered = folders.filter_map(|entry| {
        let version: u32 = entry.file_name().to_str()?.parse().ok()?;
        Some((version, entry.path().join("bin")))
    });
    let usable = numbered.filter(|(_, bin)| bin.join("initdb").is_file() && bin.join("postgres").is_file());
    usable.max().map(|(_, bin)| bin)
}

/// Waits on standard input, which closes when the test process ends, also when it is killed; then takes all away.
const SCRIPT: &str = r#"
set -e
umask 077
cd /tmp
d=$(mktemp -d /tmp/aiva-postgres.XXXXXX)
trap 'rm -rf "$d"' EXIT
trap '' INT
"$0/initdb" -D "$d/data" -U aiva -A trust -N -E UTF8 --locale=C >"$d/log" 2>&1 || { tail -n 3 "$d/log" >&2; exit 1; }
"$0/postgres" -D "$d/data" -k "$d" -c listen_addresses= -c fsync=off -c max_connections=200 -c shared_buffers=32MB \
    </dev/null >>"$d/log" 2>&1 &
p=$!
echo "$d"
cat >/dev/null
kill -QUIT "$p"
wait "$p" || true
"#;

fn start(programs: &Path) -> Server {
    static CHILD: OnceLock<Child> = OnceLock::new(); // keeps its standard input open until this process ends
    let mut command = ordinary_user()?;
    command.args(["sh", "-c", SCRIPT]).arg(programs);
    let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
    let mut child = child.map_err(|error| format!("no test server can be started: {error}"))?;
    let out = child.stdout.take().ok_or("no output")?;
    let mut folder = String::new();
    BufReader::new(out).read_line(&mut folder).map_err(|error| error.to_string())?;
    let folder = folder.trim();
    if folder.is_empty() {
        return Err("initdb failed; its last lines are above".to_owned());
    }
    let _ = CHILD.set(child);
    Ok(format!("postgres://aiva@localhost/{{}}?host={folder}"))
}

/// PostgreSQL refuses to run as root.
fn ordinary_user() -> Result<Command, String> {
    let id = |args: &[&str]| Command::new("id").args(args).output().is_ok_and(|out| out.status.success());
    let root = Command::new("id").arg("-u").output().is_ok_and(|out| out.stdout.trim_ascii() == b"0");
    if !root {
        return Ok(Command::new("env"));
    }
    let user =
        ["postgres", "nobody"].into_iter().find(|user| id(&["-u", user])).ok_or("no ordinary user to run it as")?;
    let mut command = Command::new("setpriv");
    command.args(["--reuid", user, "--clear-groups", "--"]);
    Ok(command)
}

#[cfg(test)]
mod tests {
    use super::template;

    #[test]
    fn the_database_is_replaced_in_any_address() {
        assert_eq!(template("postgres://u:p@h:1/db?sslmode=require"), "postgres://u:p@h:1/{}?sslmode=require");
        assert_eq!(template("postgres://u@h"), "postgres://u@h/{}");
    }
}
