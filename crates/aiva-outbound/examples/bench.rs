//! How much a check costs: `cargo run --release -p aiva-outbound --example bench`. Prints figures, asserts nothing; names
//! and addresses are made up, a name server on loopback knows them, and nothing is connected.
//!
//! Rows: reading a URL; a whole cached check (text, 10,000 rules, kept DNS answer, every address); writing 10,000 rules into
//! a policy. `bench check 100000` does one thing only, for counting instructions under callgrind.

use std::hint::black_box;
use std::io::Write as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Instant;

use aiva_outbound::policy::{Names, Policy};
use aiva_outbound::resolve::Dns;
use aiva_outbound::{Engine, Mode, Target};
use http::Method;
use tokio::net::UdpSocket;

const RULES: usize = 10_000;
const URL: &str = "https://api.service-7777.example.net/v1/charges?expand=customer";

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let only = arguments.first().map(String::as_str);
    let rounds: u32 = arguments.get(1).map_or(Ok(200_000), |text| text.parse())?;
    let entries: Vec<String> = (0..RULES).map(|number| format!("*.service-{number}.example.net")).collect();
    let names = Dns::with_servers([server().await?]);
    let mut out = std::io::stdout();

    let started = Instant::now();
    let mut policy = Policy::public();
    policy.mode = Mode::Enforce;
    policy.allow_names.extend(entries.iter().filter_map(|entry| Names::new(entry)));
    let compiled = started.elapsed();
    let engine = Engine::default();
    if only.is_none() {
        writeln!(out, "{RULES} rules read and indexed: {:.1} ms", compiled.as_secs_f64() * 1e3)?;
        let started = Instant::now();
        for _ in 0..rounds {
            black_box(Target::parse(black_box(URL)).is_ok());
        }
        writeln!(out, "URL read: {:.3} us", started.elapsed().as_secs_f64() * 1e6 / f64::from(rounds))?;
    }
    let started = Instant::now();
    for _ in 0..rounds {
        let verdict = engine.decide_text(&policy, &names, black_box(URL), Some(&Method::GET)).await;
        black_box(verdict.is_allowed());
    }
    let took = started.elapsed();
    writeln!(out, "cached check, {RULES} rules: {:.3} us", took.as_secs_f64() * 1e6 / f64::from(rounds))?;
    Ok(())
}

/// A name server that gives every name one IPv4 address for a minute.
async fn server() -> std::io::Result<SocketAddr> {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let address = socket.local_addr()?;
    tokio::spawn(async move {
        let mut packet = [0; 512];
        while let Ok((length, from)) = socket.recv_from(&mut packet).await {
            // After the header of 12 bytes: the name to its empty label, then type and class (RFC 1035 §4.1.2).
            let Some(end) = packet[12..length].iter().position(|byte| *byte == 0).map(|at| at + 12 + 5) else {
                continue;
            };
            let is_v4 = packet[end - 3] == 1;
            let mut answer = packet[..2].to_vec();
            answer.extend([0x81, 0x80, 0, 1, 0, u8::from(is_v4), 0, 0, 0, 0]);
            answer.extend(&packet[12..end]);
            if is_v4 {
                answer.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 93, 184, 215, 14]);
            }
            let _gone = socket.send_to(&answer, from).await;
        }
    });
    Ok(address)
}
