//! The product as a child of this tool: started on the demo, asked over its API, stopped or killed.
//!
//! Never answers with a guess: a call whose answer did not arrive whole is [`Lost`], and nobody knows whether it was done.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use crate::process;

/// How long an answer may take before the call counts as lost.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running server.
pub(crate) struct Server {
    child: Child,
    /// Where the API is, without a slash at the end.
    pub(crate) url: String,
    /// Where health and metrics are.
    pub(crate) admin: String,
    /// The egress proxy's address and port.
    pub(crate) proxy: String,
}

impl Server {
    /// Starts `aiva up` with these arguments and waits until it says where it is; it has no rate limits.
    pub(crate) fn start(binary: &Path, data: &Path, arguments: &[&str]) -> Result<Self> {
        Self::start_with(binary, data, arguments, &[])
    }

    /// The same with variables of the environment.
    pub(crate) fn start_with(
        binary: &Path,
        data: &Path,
        arguments: &[&str],
        variables: &[(&str, &str)],
    ) -> Result<Self> {
        let mut child = start(binary, data, arguments, variables)?;
        let mut lines = BufReader::new(child.stdout.take().context("the server's output")?);
        let (mut url, mut admin, mut line) = (None, None, String::new());
        loop {
            line.clear();
            if lines.read_line(&mut line)? == 0 {
                let status = child.wait()?;
                bail!("the server ended before it was ready ({status})");
            }
            let Some(start) = line.find("http://127.0.0.1:") else { continue };
            let found = line[start..].split(['/', ' ', '\n']).take(3).collect::<Vec<_>>().join("/");
            if line.contains("/metrics") {
                admin = Some(found);
            } else if line.contains("http_proxy=") {
                let url = url.context("the server names its console first")?;
                let admin = admin.context("the server names its proxy last")?;
                std::thread::spawn(move || lines.read_to_end(&mut Vec::new()));
                return Ok(Self { child, url, admin, proxy: found.trim_start_matches("http://").to_owned() });
            } else {
                url.get_or_insert(found);
            }
        }
    }

    /// The operating system's number for it.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// SIGKILL, without any warning.
    pub(crate) fn kill(mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// Asks it to drain and expects a clean end.
    pub(crate) fn stop(mut self) -> Result<()> {
        process::output("kill", &["-TERM", &self.child.id().to_string()])?;
        let status = self.child.wait()?;
        ensure!(status.success(), "the server did not end cleanly ({status})");
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Only finds a running child when something failed before `stop` or `kill`.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Starts the server and waits for nothing.
pub(crate) fn spawn(binary: &Path, data: &Path, arguments: &[&str]) -> Result<Child> {
    start(binary, data, arguments, &[])
}

fn start(binary: &Path, data: &Path, arguments: &[&str], variables: &[(&str, &str)]) -> Result<Child> {
    Command::new(binary)
        .envs(variables.iter().copied())
        .arg("up")
        .args(arguments)
        .args([
            "--listen",
            "127.0.0.1:0",
            "--admin-listen",
            "127.0.0.1:0",
            "--egress-listen",
            "127.0.0.1:0",
            "--data-dir",
        ])
        .arg(data)
        .env("AIVA__SERVER__RATE_LIMIT__PER_CLIENT", "0")
        .env("AIVA__SERVER__RATE_LIMIT__WHOLE", "0")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .with_context(|| format!("cannot start {}", binary.display()))
}

/// The token that lets its bearer do everything.
pub(crate) fn token(binary: &Path, data: &Path) -> Result<String> {
    let (binary, data) = (binary.display().to_string(), data.display().to_string());
    Ok(process::output(&binary, &["token", "show", "--data-dir", &data])?.trim().to_owned())
}

/// One call of the API.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub(crate) method: &'static str,
    pub(crate) path: String,
    /// Makes a repetition harmless.
    pub(crate) key: Option<String>,
    /// The version that was read.
    pub(crate) expects: Option<u64>,
    pub(crate) body: Option<Value>,
}

impl Call {
    pub(crate) fn get(path: impl Into<String>) -> Self {
        Self { method: "GET", path: path.into(), key: None, expects: None, body: None }
    }
}

/// What the server answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Value,
}

/// The answer did not arrive.
#[derive(Debug)]
pub(crate) struct Lost;

/// One kept-alive connection.
pub(crate) struct Client {
    authority: String,
    token: String,
    stream: Option<BufReader<TcpStream>>,
}

impl Client {
    /// A client of the server there; connects with its first call.
    pub(crate) fn new(url: &str, token: &str) -> Self {
        Self { authority: url.trim_start_matches("http://").to_owned(), token: token.to_owned(), stream: None }
    }

    /// Makes one call. After [`Lost`] the next one connects anew.
    pub(crate) fn call(&mut self, call: &Call) -> Result<Answer, Lost> {
        self.exchange(call).map_err(|_| {
            self.stream = None;
            Lost
        })
    }

    /// What a call answers that must succeed.
    pub(crate) fn get(&mut self, path: &str) -> Result<Value> {
        let answer = self.call(&Call::get(path)).map_err(|Lost| anyhow::anyhow!("no answer to {path}"))?;
        ensure!(answer.status == 200, "{path} answered {}: {}", answer.status, answer.body);
        Ok(answer.body)
    }

    /// Every item of a list, page after page, until `enough` says so of one.
    pub(crate) fn all(&mut self, path: &str, enough: impl Fn(&Value) -> bool) -> Result<Vec<Value>> {
        let (mut items, mut cursor) = (Vec::new(), String::new());
        loop {
            let mut page = self.get(&format!("{path}?limit=500{cursor}"))?;
            let Value::Array(found) = page["items"].take() else { bail!("{path} is no list") };
            for item in found {
                if enough(&item) {
                    return Ok(items);
                }
                items.push(item);
            }
            let Some(next) = page["next_cursor"].as_str() else { return Ok(items) };
            cursor = format!("&cursor={next}");
        }
    }

    fn exchange(&mut self, call: &Call) -> Result<Answer> {
        let stream = match &mut self.stream {
            Some(stream) => stream,
            none => none.insert(BufReader::new(connect(&self.authority)?)),
        };
        let mut head = format!("{} {} HTTP/1.1\r\nHost: {}\r\n", call.method, call.path, self.authority);
        head += &format!("Authorization: Bearer {}\r\n", self.token);
        if let Some(key) = &call.key {
            head += &format!("Idempotency-Key: {key}\r\n");
        }
        if let Some(version) = call.expects {
            head += &format!("If-Match: \"{version}\"\r\n");
        }
        let body = call.body.as_ref().map(Value::to_string).unwrap_or_default();
        if call.body.is_some() {
            head += &format!("Content-Type: application/json\r\nContent-Length: {}\r\n", body.len());
        }
        stream.get_mut().write_all(format!("{head}\r\n{body}").as_bytes())?;
        answer(stream)
    }
}

#[expect(clippy::disallowed_methods, reason = "a loopback connection to a child of this tool")]
pub(crate) fn connect(authority: &str) -> Result<TcpStream> {
    let stream = TcpStream::connect(authority)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    Ok(stream)
}

/// Reads one answer (RFC 9112), by length or in chunks.
fn answer(stream: &mut impl BufRead) -> Result<Answer> {
    let status = line(stream)?.split(' ').nth(1).context("a status")?.parse()?;
    let (mut length, mut chunked) = (0, false);
    loop {
        let header = line(stream)?.to_ascii_lowercase();
        match header.split_once(':').map(|(name, value)| (name, value.trim())) {
            Some(("content-length", value)) => length = value.parse()?,
            Some(("transfer-encoding", value)) => chunked = value == "chunked",
            Some(_) => {}
            None => break,
        }
    }
    let mut body = Vec::new();
    if chunked {
        loop {
            let size = u64::from_str_radix(line(stream)?.split(';').next().unwrap_or_default(), 16)?;
            take(stream, size, &mut body)?;
            line(stream)?;
            if size == 0 {
                break;
            }
        }
    } else {
        take(stream, length, &mut body)?;
    }
    let text = String::from_utf8_lossy(&body);
    Ok(Answer { status, body: serde_json::from_str(&text).unwrap_or_else(|_| Value::String(text.into_owned())) })
}

fn take(stream: &mut impl BufRead, length: u64, body: &mut Vec<u8>) -> Result<()> {
    let read = stream.take(length).read_to_end(body)?;
    ensure!(read as u64 == length, "the answer was cut off");
    Ok(())
}

fn line(stream: &mut impl BufRead) -> Result<String> {
    let mut line = String::new();
    ensure!(stream.read_line(&mut line)? > 0 && line.ends_with('\n'), "the connection ended");
    Ok(line.trim_end().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, want: Option<(u16, Value)>) {
        let got = answer(&mut text.as_bytes()).ok().map(|answer| (answer.status, answer.body));
        assert_eq!(got, want, "{text:?}");
    }

    #[test]
    fn an_answer_is_whole_or_lost() {
        let two = || serde_json::json!({"a": 2});
        check("HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n{\"a\":2}", Some((200, two())));
        check(
            "HTTP/1.1 201 Created\r\ntransfer-encoding: chunked\r\n\r\n3\r\n{\"a\r\n4\r\n\":2}\r\n0\r\n\r\n",
            Some((201, two())),
        );
        check("HTTP/1.1 204 No Content\r\n\r\n", Some((204, "".into())));
        check("HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n{\"a\":", None); // killed in the middle
        check("HTTP/1.1 200 OK\r\nContent-Le", None);
        check("", None);
    }
}
