//! Decisions of the egress proxy: requests that it refuses and tunnels that it opens, and a reader of their records.
//!
//! Promises to find: a record that was read over the API before the kill and cannot be read after it, or reads otherwise.
//! Tunnels lead to an origin of this tool on loopback; what is refused is never connected to.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use super::Dice;
use crate::process;
use crate::product::{Client, connect};

/// Places that the role never reaches.
const REFUSED: &[&str] =
    &["169.254.169.254:80", "10.0.0.1:80", "[::ffff:192.168.0.1]:443", "metadata.google.internal:80"];

/// How long a tunnel is held at most, in milliseconds: beyond the time in which records are grouped.
const HELD: u64 = 400;

/// How many pages of the newest records are read again after a kill; the records between two reads are fewer.
const PER_PAGE: usize = 500;

/// What was read of the records, by id: everything that may not change.
pub(super) type Read = BTreeMap<String, String>;

/// Lays the demo's configuration out with a role in which the tunnels are allowed; the product never overwrites it.
pub(super) fn configure(data: &Path) -> Result<()> {
    let demo = std::fs::read_to_string(process::root().join("examples/demo/aiva.toml"))?;
    let role = "\n[egress.roles.default]\nports = []\n\n[[egress.roles.default.allow_cidrs]]\ncidr = \"127.0.0.0/8\"\n\
                owner = \"kill-test\"\nexpires = \"9999-12-31\"\n";
    std::fs::create_dir_all(data.join("demo"))?;
    Ok(std::fs::write(data.join("demo/aiva.toml"), demo + role)?)
}

/// Accepts connections and holds them until the other side goes.
pub(super) fn origin() -> Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            std::thread::spawn(move || std::io::copy(&mut stream, &mut std::io::sink()));
        }
    });
    Ok(address)
}

/// Calls through the proxy until it is gone; how many were answered.
///
/// # Errors
/// What a live proxy should not have answered.
pub(super) fn call(proxy: &str, origin: SocketAddr, dice: &mut Dice) -> Result<usize, String> {
    let mut answered = 0;
    loop {
        let (target, want, held) = match dice.below(4) {
            0 => (origin.to_string(), "200", Duration::from_millis(dice.below(HELD))),
            _ => (dice.pick(REFUSED).copied().unwrap_or(REFUSED[0]).to_owned(), "403", Duration::ZERO),
        };
        let Ok(status) = tunnel(proxy, &target, held) else { return Ok(answered) };
        if status != want {
            return Err(format!("CONNECT {target} was answered with {status}, not {want}"));
        }
        answered += 1;
    }
}

fn tunnel(proxy: &str, target: &str, held: Duration) -> Result<String> {
    let mut stream: TcpStream = connect(proxy)?;
    stream.write_all(format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n").as_bytes())?;
    let mut line = String::new();
    BufReader::new(&stream).read_line(&mut line)?;
    let status = line.split(' ').nth(1).context("the proxy is gone")?.to_owned();
    if status == "200" {
        std::thread::sleep(held); // open in the records for a while
    }
    Ok(status)
}

/// Reads the newest records again and again until the server is gone.
pub(super) fn read(client: &mut Client, known: &mut Read) {
    while let Ok(page) = newest(client, None) {
        known.extend(page.items);
    }
}

struct Page {
    items: Vec<(String, String)>,
    next: Option<String>,
}

fn newest(client: &mut Client, cursor: Option<&str>) -> Result<Page> {
    let cursor = cursor.map_or_else(String::new, |cursor| format!("&cursor={cursor}"));
    let page = client.get(&format!("/v1/egress/decisions?limit={PER_PAGE}{cursor}"))?;
    let items = page["items"].as_array().context("a list")?;
    let items = items.iter().map(|item| Ok((text(item, "id")?, lasting(item)))).collect::<Result<_>>()?;
    Ok(Page { items, next: page["next_cursor"].as_str().map(str::to_owned) })
}

/// What a record says that its end does not change.
fn lasting(item: &Value) -> String {
    ["at", "role", "form", "method", "place", "outcome", "rule", "reason", "addresses"]
        .map(|key| item[key].to_string())
        .join(" ")
}

fn text(item: &Value, key: &str) -> Result<String> {
    Ok(item[key].as_str().with_context(|| format!("no {key} in {item}"))?.to_owned())
}

/// Looks for all that was read before; names what is missing or changed.
pub(super) fn faults(client: &mut Client, known: &Read) -> Result<Vec<String>> {
    let (mut left, mut cursor, begun) = (known.clone(), None, Instant::now());
    let mut faults = Vec::new();
    while !left.is_empty() {
        ensure!(begun.elapsed() < Duration::from_secs(120), "the list of decisions has no end");
        let page = newest(client, cursor.as_deref())?;
        for (id, now) in page.items {
            match left.remove(&id) {
                Some(before) if before != now => faults.push(format!("decision {id} was {before}, is {now}")),
                _ => {}
            }
        }
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    if let Some((id, before)) = left.iter().next() {
        faults.push(format!("{} decisions that were read are missing, first {id}: {before}", left.len()));
    }
    Ok(faults)
}
