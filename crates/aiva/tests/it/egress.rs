//! `aiva serve --guards egress`: the proxy alone, asked by clients that write bytes.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};

use super::program::{World, command};

struct Proxy {
    child: Child,
    address: String,
}

impl Proxy {
    fn start(world: &World) -> Self {
        let mut command = command(world.folder.path());
        command.args([
            "serve",
            "--guards",
            "egress",
            "--egress-listen",
            "127.0.0.1:0",
            "--admin-listen",
            "127.0.0.1:0",
        ]);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let line = lines.find_map(|line| line.ok().filter(|line| line.contains("http_proxy="))).unwrap();
        let address = line.rsplit("//").next().unwrap().to_owned();
        std::thread::spawn(move || lines.count());
        Self { child, address }
    }

    /// What it answers to these bytes, up to the end of the connection.
    #[expect(clippy::disallowed_methods, reason = "the test's own proxy on loopback")]
    fn ask(&self, bytes: &str) -> String {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream.write_all(bytes.as_bytes()).unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

#[test]
fn the_proxy_alone_refuses_what_is_inside_and_stops_when_told() {
    let world = World::new();
    let mut proxy = Proxy::start(&world);
    let own = proxy.address.clone();
    let rows = [
        (
            "GET http://169.254.169.254/latest/ HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(),
            "HTTP/1.1 403",
            "address-metadata",
        ),
        (
            "GET http://metadata.google.internal/ HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(),
            "HTTP/1.1 403",
            "name-metadata",
        ),
        ("CONNECT 127.0.0.1:443 HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(), "HTTP/1.1 403", "address-internal"),
        (format!("CONNECT {own} HTTP/1.1\r\nHost: a\r\n\r\n"), "HTTP/1.1 403", "address-self"),
        ("CONNECT localhost:443 HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(), "HTTP/1.1 403", "name-local"),
        ("GET http://2130706433/ HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(), "HTTP/1.1 403", "host-number"),
        ("GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".to_owned(), "HTTP/1.1 400", "origin-form"),
    ];
    for (asked, status, reason) in rows {
        let answer = proxy.ask(&asked);
        assert!(answer.starts_with(status) && answer.contains(&format!("reason={reason}")), "{asked:?}: {answer}");
        assert!(answer.contains("Proxy-Status: aiva; error="), "{answer}");
    }
    let pid = proxy.child.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    assert_eq!(proxy.child.wait().unwrap().code(), Some(0));
}

#[test]
fn a_taken_port_is_an_error_with_a_hint() {
    let world = World::new();
    let proxy = Proxy::start(&world);
    let second = world.aiva(&[
        "serve",
        "--guards",
        "egress",
        "--admin-listen",
        "127.0.0.1:0",
        "--egress-listen",
        &proxy.address,
    ]);
    assert_eq!(second.code(), 2);
    assert!(second.err().contains("--egress-listen"), "{}", second.err());
}
