//! Programs that people have, unmodified, through the proxy: each fetches from an origin on loopback that only the proxy can
//! find, because its name is known to the role's name server alone.

use std::io::{BufRead as _, BufReader, Read, Write};
use std::net::{IpAddr, Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Arc;

use aiva_testkit::dns::{NameServer, Reply};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use sha2::{Digest as _, Sha256};

use crate::egress::Proxy;
use crate::program::World;

/// Known to no name server but the test's own.
const HOST: &str = "origin.aiva-clients.test";

/// What the origin's page says.
const PAGE: &str = "reached the origin";

/// Serves a folder over HTTP and over TLS.
struct Origin {
    plain: u16,
    secret: u16,
}

impl Origin {
    fn start(folder: PathBuf, authority_file: &Path) -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        // Two certificates of one name look like one that signed itself.
        params.distinguished_name.push(DnType::CommonName, "authority of the test");
        let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        std::fs::write(authority_file, authority.pem()).unwrap();
        let key = KeyPair::generate().unwrap();
        let leaf = CertificateParams::new(vec![HOST.to_owned()]).unwrap().signed_by(&key, &authority).unwrap();
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![leaf.der().clone()], key)
            .unwrap();
        Self { plain: listen(folder.clone(), None), secret: listen(folder, Some(Arc::new(config))) }
    }
}

fn listen(folder: PathBuf, tls: Option<Arc<ServerConfig>>) -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let (folder, tls) = (folder.clone(), tls.clone());
            std::thread::spawn(move || match tls.map(ServerConnection::new) {
                None => serve(stream, &folder),
                Some(Ok(connection)) => serve(StreamOwned::new(connection, stream), &folder),
                Some(Err(_)) => {}
            });
        }
    });
    port
}

/// Answers requests for files until the client goes.
fn serve(stream: impl Read + Write, folder: &Path) {
    let mut stream = BufReader::new(stream);
    loop {
        let mut head = Vec::new();
        loop {
            let mut line = String::new();
            match stream.read_line(&mut line) {
                Ok(2..) if line.trim().is_empty() => break,
                Ok(1..) => head.push(line),
                _ => return,
            }
        }
        let mut words = head.first().map(String::as_str).unwrap_or_default().split(' ');
        let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let path = path.split('?').next().unwrap_or_default().trim_start_matches('/');
        let mut file = folder.join(path);
        if file.is_dir() {
            file.push("index.html");
        }
        let found = std::fs::read(&file).ok().filter(|_| !path.contains(".."));
        let status = if found.is_some() { "200 OK" } else { "404 Not Found" };
        let body = found.unwrap_or_default();
        let kind =
            if file.extension().is_some_and(|end| end == "html") { "text/html" } else { "application/octet-stream" };
        let out = stream.get_mut();
        let head = format!("HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\r\n", body.len());
        let body = if method == "HEAD" { &[][..] } else { &body };
        if out.write_all(head.as_bytes()).and_then(|()| out.write_all(body)).and_then(|()| out.flush()).is_err() {
            return;
        }
    }
}

/// What a client's row is made of.
struct Stage {
    folder: PathBuf,
    /// `http://127.0.0.1:4750`
    proxy: String,
    plain: String,
    secret: String,
    authority: PathBuf,
}

impl Stage {
    /// A program, found on the path, that asks the proxy because its environment says so.
    fn program(&self, program: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(program);
        command.current_dir(&self.folder).args(arguments).env("HOME", self.folder.join("home"));
        for name in ["http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"] {
            command.env(name, &self.proxy);
        }
        for name in ["no_proxy", "NO_PROXY"] {
            command.env_remove(name);
        }
        for name in [
            "SSL_CERT_FILE",
            "REQUESTS_CA_BUNDLE",
            "CURL_CA_BUNDLE",
            "NODE_EXTRA_CA_CERTS",
            "GIT_SSL_CAINFO",
            "CARGO_HTTP_CAINFO",
            "PIP_CERT",
        ] {
            command.env(name, &self.authority);
        }
        command.env_remove("SSL_CERT_DIR");
        command
    }

    /// A script of an interpreter, which gets the two addresses.
    fn script(&self, interpreter: &str, name: &str, text: &str) -> Command {
        std::fs::write(self.folder.join(name), text).unwrap();
        self.program(interpreter, &[name, &self.plain, &self.secret, &self.proxy])
    }
}

#[track_caller]
fn says(name: &str, mut command: Command, times: usize) {
    let output = command.output().unwrap_or_else(|error| panic!("{name}: {error}"));
    let text = both(&output);
    assert!(output.status.success() && text.matches(PAGE).count() >= times, "{name}: {}\n{text}", output.status);
}

#[track_caller]
fn succeeds(name: &str, mut command: Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{name}: {error}"));
    assert!(output.status.success(), "{name}: {}\n{}", output.status, both(&output));
    both(&output)
}

fn both(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// Whether a program is there; if not, it is said.
fn has(program: &str) -> bool {
    let found = std::env::var_os("PATH")
        .is_some_and(|path| std::env::split_paths(&path).any(|folder| folder.join(program).is_file()));
    if !found {
        aiva_testkit::skip::skipped(
            program,
            "it is not on the path, so nobody knows whether it gets through the proxy",
        );
    }
    found
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unmodified_clients_get_through() {
    let names = NameServer::start().await;
    names.set(HOST, [Reply::Addresses(vec![IpAddr::V4(Ipv4Addr::LOCALHOST)], 60)]);
    let world = World::new();
    let root = world.path("origin");
    world.write("origin/page.html", PAGE);
    std::fs::create_dir_all(world.path("home")).unwrap();
    let authority = world.path("origin.pem");
    let origin = Origin::start(root.clone(), &authority);
    world.write(
        "aiva.toml",
        &format!(
            "[egress.roles.default]\nmode = \"open\"\n[egress.roles.default.dns]\nservers = [\"{}\"]\n\
             [egress.roles.default.exceptions.origin]\nhost = \"{HOST}\"\naddress = \"127.0.0.1/32\"\nports = [{}, {}]\n\
             owner = \"ana@example.com\"\nreason = \"the test's origin\"\nexpires = 2999-01-01\n",
            names.address(),
            origin.plain,
            origin.secret
        ),
    );
    let proxy = Proxy::start(&world);
    let stage = Stage {
        folder: world.folder.path().to_owned(),
        proxy: format!("http://{}", proxy.address),
        plain: format!("http://{HOST}:{}", origin.plain),
        secret: format!("https://{HOST}:{}", origin.secret),
        authority,
    };
    fetchers(&stage);
    languages(&stage);
    package_managers(&stage, &root);
}

fn fetchers(stage: &Stage) {
    let (plain, secret) = (format!("{}/page.html", stage.plain), format!("{}/page.html", stage.secret));
    if has("curl") {
        says("curl", stage.program("curl", &["-sS", &plain, &secret]), 2);
        let socks = stage.proxy.replace("http://", "socks5h://");
        let mut command = stage.program("curl", &["-sS", "--proxy", &socks, &plain, &secret]);
        command.env_remove("http_proxy").env_remove("https_proxy");
        says("curl over SOCKS5", command, 2);
        let refused = stage.program("curl", &["-sS", "-i", "http://169.254.169.254/"]).output().unwrap();
        assert!(both(&refused).contains("reason=address-metadata"), "{}", both(&refused));
    }
    if has("wget") {
        let authority = format!("--ca-certificate={}", stage.authority.display());
        says("wget", stage.program("wget", &["-q", "-O", "-", &authority, &plain, &secret]), 2);
    }
}

const PYTHON: &str = "
import sys, urllib.request
for url in sys.argv[1:3]:
    print(urllib.request.urlopen(url + '/page.html').read().decode())
";
const REQUESTS: &str = "
import sys, requests
session = requests.Session()
for url in sys.argv[1:3] * 2:
    print(session.get(url + '/page.html').text)
";
const HTTPX: &str = "
import os, ssl, sys, httpx
context = ssl.create_default_context(cafile=os.environ['SSL_CERT_FILE'])
with httpx.Client(proxy=sys.argv[3], verify=context) as client:
    for url in sys.argv[1:3] * 2:
        print(client.get(url + '/page.html').text)
";
const UNDICI: &str = "
const { ProxyAgent, fetch } = require('undici');
const dispatcher = new ProxyAgent(process.argv[4]);
(async () => {
  for (const url of [process.argv[2], process.argv[3]]) {
    console.log(await (await fetch(url + '/page.html', { dispatcher })).text());
  }
})();
";
/// Two tunnels over one HTTP/2 connection, the one with TLS inside.
const HTTP2: &str = "
const http = require('http'), http2 = require('http2'), tls = require('tls');
const session = http2.connect(process.argv[4]);
const tunnel = (url) => new Promise((done, failed) => {
  const { hostname, port, protocol } = new URL(url);
  const stream = session.request({ ':method': 'CONNECT', ':authority': `${hostname}:${port}` });
  stream.on('error', failed);
  stream.on('response', (headers) => {
    if (headers[':status'] !== 200) return failed(new Error(headers['aiva-decision']));
    done(protocol === 'https:' ? tls.connect({ socket: stream, servername: hostname }) : stream);
  });
});
const get = async (url) => {
  const socket = await tunnel(url);
  return new Promise((done, failed) => {
    http.get(url.replace('https:', 'http:') + '/page.html', { createConnection: () => socket }, (answer) => {
      answer.setEncoding('utf8');
      answer.on('data', (text) => console.log(text)).on('end', done);
    }).on('error', failed);
  });
};
(async () => {
  const refused = await tunnel('http://169.254.169.254:8080').catch((error) => error.message);
  if (!refused.includes('reason=address-metadata')) throw new Error(`not refused: ${refused}`);
  await Promise.all([get(process.argv[2]), get(process.argv[3])]);
  session.destroy();
  process.exit(0);
})();
";
const GO: &str = r#"package main

import (
	"fmt"
	"io"
	"net/http"
	"os"
)

func main() {
	for _, url := range os.Args[1:3] {
		answer, err := http.Get(url + "/page.html")
		if err != nil {
			panic(err)
		}
		body, _ := io.ReadAll(answer.Body)
		fmt.Println(string(body))
	}
}
"#;
const JAVA: &str = r#"import java.net.*;
import java.net.http.*;
import java.security.KeyStore;
import java.security.cert.CertificateFactory;
import java.io.FileInputStream;
import javax.net.ssl.*;

public class Client {
    public static void main(String[] args) throws Exception {
        KeyStore store = KeyStore.getInstance(KeyStore.getDefaultType());
        store.load(null);
        try (FileInputStream file = new FileInputStream(System.getenv("SSL_CERT_FILE"))) {
            store.setCertificateEntry("origin", CertificateFactory.getInstance("X.509").generateCertificate(file));
        }
        TrustManagerFactory trust = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
        trust.init(store);
        SSLContext tls = SSLContext.getInstance("TLS");
        tls.init(null, trust.getTrustManagers(), null);
        URI proxy = URI.create(args[2]);
        ProxySelector selector = ProxySelector.of(new InetSocketAddress(proxy.getHost(), proxy.getPort()));
        HttpClient client = HttpClient.newBuilder().proxy(selector).sslContext(tls).build();
        for (int i = 0; i < 2; i++) {
            HttpRequest request = HttpRequest.newBuilder(URI.create(args[i] + "/page.html")).build();
            System.out.println(client.send(request, HttpResponse.BodyHandlers.ofString()).body());
        }
    }
}
"#;

fn languages(stage: &Stage) {
    // The test run brings a Python with requests and httpx, and undici for node.
    let python = std::env::var("AIVA_TEST_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    if python != "python3" || has("python3") {
        says("Python's urllib", stage.script(&python, "plain.py", PYTHON), 2);
        for (module, text) in [("requests", REQUESTS), ("httpx", HTTPX)] {
            let there = Command::new(&python).args(["-c", &format!("import {module}")]).output();
            if there.is_ok_and(|there| there.status.success()) {
                says(module, stage.script(&python, &format!("with_{module}.py"), text), 4);
            } else {
                aiva_testkit::skip::skipped(module, "Python does not have it; AIVA_TEST_PYTHON names one that does");
            }
        }
    }
    if has("node") {
        says("node over HTTP/2", stage.script("node", "http2.js", HTTP2), 2);
        match std::env::var("AIVA_TEST_NODE_MODULES") {
            Ok(modules) => {
                let mut command = stage.script("node", "client.js", UNDICI);
                command.env("NODE_PATH", modules);
                says("undici", command, 2);
            }
            Err(_) => aiva_testkit::skip::skipped("undici", "AIVA_TEST_NODE_MODULES names no folder with it"),
        }
    }
    if has("go") {
        std::fs::write(stage.folder.join("client.go"), GO).unwrap();
        let mut command = stage.program("go", &["run", "client.go", &stage.plain, &stage.secret]);
        // Its own caches: none of ours, and nothing is downloaded.
        command
            .env("GOPATH", stage.folder.join("go"))
            .env("GOPROXY", "off")
            .env("GOTOOLCHAIN", "local")
            .env("GO111MODULE", "off");
        says("Go's net/http", command, 2);
    }
    if has("java") {
        says("Java's HttpClient", stage.script("java", "Client.java", JAVA), 2);
    }
}

fn package_managers(stage: &Stage, root: &Path) {
    if has("git") {
        let (work, bare) = (stage.folder.join("work"), root.join("demo.git"));
        let (work, bare) = (work.to_str().unwrap(), bare.to_str().unwrap());
        succeeds("git init", stage.program("git", &["init", "-q", work]));
        let who = ["-c", "user.name=a", "-c", "user.email=a@example.com"];
        let commit = [&["-C", work], &who[..], &["commit", "-q", "--allow-empty", "-m", "one"]].concat();
        succeeds("git commit", stage.program("git", &commit));
        succeeds("git clone", stage.program("git", &["clone", "-q", "--bare", work, bare]));
        succeeds("git update-server-info", stage.program("git", &["-C", bare, "update-server-info"]));
        for (from, into) in [(&stage.plain, "cloned-plain"), (&stage.secret, "cloned-secret")] {
            let authority = format!("http.sslCAInfo={}", stage.authority.display());
            let url = format!("{from}/demo.git");
            succeeds("git clone over the proxy", stage.program("git", &["-c", &authority, "clone", "-q", &url, into]));
        }
    }
    if has("pip") {
        let wheel = crate::program::zip(&[
            ("demo/__init__.py", b""),
            ("demo-1.0.dist-info/METADATA", b"Metadata-Version: 2.1\nName: demo\nVersion: 1.0\n"),
            (
                "demo-1.0.dist-info/WHEEL",
                b"Wheel-Version: 1.0\nGenerator: a\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
            ),
            ("demo-1.0.dist-info/RECORD", b""),
        ]);
        std::fs::create_dir_all(root.join("simple/demo")).unwrap();
        std::fs::write(root.join("simple/demo/demo-1.0-py3-none-any.whl"), wheel).unwrap();
        let link = "<!DOCTYPE html><a href=\"demo-1.0-py3-none-any.whl\">demo-1.0-py3-none-any.whl</a>";
        std::fs::write(root.join("simple/demo/index.html"), link).unwrap();
        let index = format!("{}/simple", stage.secret);
        let authority = stage.authority.to_str().unwrap();
        let arguments =
            ["download", "--no-deps", "--no-cache-dir", "--isolated", "--disable-pip-version-check", "--proxy"];
        let more = [&stage.proxy, "--cert", authority, "--index-url", &index, "-d", "wheels", "demo"];
        succeeds("pip", stage.program("pip", &[&arguments[..], &more[..]].concat()));
        assert!(stage.folder.join("wheels/demo-1.0-py3-none-any.whl").is_file());
    }
    if has("cargo") && has("tar") {
        cargo(stage, root);
    }
    if has("apt-get") {
        apt(stage, root);
    }
}

/// A sparse registry with one crate.
fn cargo(stage: &Stage, root: &Path) {
    let krate = stage.folder.join("packed/demo-1.0.0");
    std::fs::create_dir_all(krate.join("src")).unwrap();
    std::fs::write(krate.join("Cargo.toml"), "[package]\nname = \"demo\"\nversion = \"1.0.0\"\n").unwrap();
    std::fs::write(krate.join("src/lib.rs"), "").unwrap();
    std::fs::create_dir_all(root.join("index/de/mo")).unwrap();
    std::fs::create_dir_all(root.join("dl/demo/1.0.0")).unwrap();
    let archive = root.join("dl/demo/1.0.0/download");
    let packed = stage.folder.join("packed");
    let arguments = ["-czf", archive.to_str().unwrap(), "-C", packed.to_str().unwrap(), "demo-1.0.0"];
    succeeds("tar", stage.program("tar", &arguments));
    let sum: String =
        Sha256::digest(std::fs::read(&archive).unwrap()).iter().map(|byte| format!("{byte:02x}")).collect();
    std::fs::write(root.join("index/config.json"), format!("{{\"dl\":\"{}/dl\"}}", stage.secret)).unwrap();
    let entry = format!(
        "{{\"name\":\"demo\",\"vers\":\"1.0.0\",\"deps\":[],\"cksum\":\"{sum}\",\"features\":{{}},\"yanked\":false}}\n"
    );
    std::fs::write(root.join("index/de/mo/demo"), entry).unwrap();
    let project = stage.folder.join("rust");
    std::fs::create_dir_all(project.join("src")).unwrap();
    std::fs::create_dir_all(project.join(".cargo")).unwrap();
    std::fs::write(project.join("src/lib.rs"), "").unwrap();
    let manifest = "[package]\nname = \"app\"\nversion = \"1.0.0\"\n[dependencies]\ndemo = { version = \"1\", registry = \"own\" }\n";
    std::fs::write(project.join("Cargo.toml"), manifest).unwrap();
    let config = format!(
        "[registries.own]\nindex = \"sparse+{}/index/\"\n[http]\nproxy = \"{}\"\ncainfo = \"{}\"\n",
        stage.secret,
        stage.proxy,
        stage.authority.display()
    );
    std::fs::write(project.join(".cargo/config.toml"), config).unwrap();
    let mut command = stage.program("cargo", &["fetch"]);
    command.current_dir(&project).env("CARGO_HOME", stage.folder.join("cargo-home"));
    if let Some(home) = std::env::var_os("HOME") {
        // Where a rustup finds its toolchains; nothing of it is changed.
        command.env("RUSTUP_HOME", std::env::var_os("RUSTUP_HOME").unwrap_or(Path::new(&home).join(".rustup").into()));
    }
    succeeds("cargo", command);
    assert!(std::fs::read_to_string(project.join("Cargo.lock")).unwrap().contains(&sum), "the crate was not taken");
}

/// A flat repository without a single package.
fn apt(stage: &Stage, root: &Path) {
    std::fs::create_dir_all(root.join("apt")).unwrap();
    std::fs::write(root.join("apt/Packages"), "").unwrap();
    let state = stage.folder.join("apt");
    for folder in ["lists/partial", "archives/partial", "etc/apt.conf.d", "etc/preferences.d"] {
        std::fs::create_dir_all(state.join(folder)).unwrap();
    }
    std::fs::write(state.join("status"), "").unwrap();
    std::fs::write(state.join("sources.list"), format!("deb [trusted=yes] {}/apt ./\n", stage.plain)).unwrap();
    let place = |name: &str, path: &str| format!("{name}={}", state.join(path).display());
    let options = [
        place("Dir::Etc::sourcelist", "sources.list"),
        "Dir::Etc::sourceparts=-".to_owned(),
        place("Dir::State::lists", "lists"),
        place("Dir::State::status", "status"),
        place("Dir::Cache::archives", "archives"),
        place("Dir::Cache", ""),
        format!("Acquire::http::Proxy={}", stage.proxy),
        "APT::Sandbox::User=".to_owned(),
        "Acquire::Languages=none".to_owned(),
    ];
    let mut arguments = vec!["update"];
    arguments.extend(options.iter().flat_map(|option| ["-o", option.as_str()]));
    let said = succeeds("apt-get", stage.program("apt-get", &arguments));
    // Of the ways in which a list may be packed, the origin has the plain one.
    assert!(said.contains(&format!("Get:3 {}/apt ./ Packages", stage.plain)), "{said}");
}
