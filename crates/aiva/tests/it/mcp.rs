//! The Model Context Protocol, spoken to the real binary over both transports; and a fetch through the API.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::process::Stdio;

use http::header::{AUTHORIZATION, CONTENT_TYPE};
use serde_json::{Value, json};

use crate::program::{World, command};
use crate::server::Server;

async fn post(server: &Server, path: &str, body: &Value, origin: Option<&str>) -> (u16, Value) {
    let request = server.client.post(format!("{}{path}", server.url)).header(CONTENT_TYPE, "application/json");
    let request = request.header(AUTHORIZATION, format!("Bearer {}", server.token)).body(body.to_string());
    let request = match origin {
        Some(origin) => request.header(http::header::ORIGIN, origin),
        None => request,
    };
    let response = request.send().await.unwrap();
    let status = response.status.as_u16();
    (status, serde_json::from_slice(&response.bytes(1 << 20).await.unwrap()).unwrap_or(Value::Null))
}

/// A conversation as a client has it, and what each answer must hold.
fn script() -> Vec<(Value, Option<(&'static str, Value)>)> {
    let call = |id: u32, name: &str, url: &str| json!({ "jsonrpc": "2.0", "id": id, "method": "tools/call", "params": { "name": name, "arguments": { "url": url } } });
    vec![
        (
            json!({ "jsonrpc": "2.0", "id": 0, "method": "initialize", "params": { "protocolVersion": "2025-06-18",
                "capabilities": {}, "clientInfo": { "name": "test", "version": "1" } } }),
            Some(("/result/protocolVersion", json!("2025-06-18"))),
        ),
        (json!({ "jsonrpc": "2.0", "method": "notifications/initialized" }), None),
        (json!({ "jsonrpc": "2.0", "id": 1, "method": "ping" }), Some(("/result", json!({})))),
        (json!({ "jsonrpc": "2.0", "id": 2, "method": "tools/list" }), Some(("/result/tools/0/name", json!("fetch")))),
        (call(3, "check_url", "http://93.184.216.34/"), Some(("/result/structuredContent/outcome", json!("allow")))),
        (
            call(4, "check_url", "http://169.254.169.254/"),
            Some(("/result/structuredContent/reason", json!("address-metadata"))),
        ),
        (call(5, "fetch", "http://127.0.0.1/"), Some(("/result/isError", json!(true)))),
        (call(6, "nothing", "http://127.0.0.1/"), Some(("/error/code", json!(-32_602)))),
        (json!({ "jsonrpc": "2.0", "id": 7, "method": "prompts/list" }), Some(("/error/code", json!(-32_601)))),
    ]
}

#[tokio::test]
async fn an_agent_is_answered_over_both_transports() {
    let world = World::new();
    let server = Server::start(&world);
    for (message, want) in script() {
        let (status, answer) = post(&server, "/mcp", &message, None).await;
        match want {
            None => assert_eq!((status, answer), (202, Value::Null), "{message}"),
            Some((pointer, value)) => {
                assert_eq!((status, &answer["id"]), (200, &message["id"]), "{answer}");
                assert_eq!(answer.pointer(pointer), Some(&value), "{message}: {answer}");
            }
        }
    }
    assert_eq!(post(&server, "/mcp", &json!({}), Some("https://evil.example")).await.0, 403);
    let bare = server.client.post(format!("{}/mcp", server.url)).body("{}").send().await.unwrap();
    assert_eq!(bare.status.as_u16(), 401);
    // What a page can send without asking is not taken.
    let plain = server.client.post(format!("{}/mcp", server.url)).header(CONTENT_TYPE, "text/plain").body("{}");
    let plain = plain.header(AUTHORIZATION, format!("Bearer {}", server.token)).send().await.unwrap();
    assert_eq!(plain.status.as_u16(), 415);
    let read =
        server.client.get(format!("{}/mcp", server.url)).header(AUTHORIZATION, format!("Bearer {}", server.token));
    assert_eq!(read.send().await.unwrap().status.as_u16(), 405); // no stream is offered

    // The same conversation on stdin: the server is found by the data directory.
    let mut program = command(world.folder.path());
    program.args(["mcp", "--data-dir"]).arg(world.path("data"));
    let mut child = program.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    for (message, want) in script() {
        writeln!(stdin, "{message}").unwrap();
        let Some((pointer, value)) = want else { continue };
        let answer: Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
        assert_eq!((&answer["id"], answer.pointer(pointer)), (&message["id"], Some(&value)), "{message}: {answer}");
    }
    // What was agreed on is told the server with every message: this version has no batches.
    for (line, code) in [("no json", -32_700), (r#"[{"jsonrpc":"2.0","id":8,"method":"ping"}]"#, -32_600)] {
        writeln!(stdin, "{line}").unwrap();
        let answer: Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
        assert_eq!(answer["error"]["code"], code, "{line}");
    }
    drop(stdin);
    assert!(lines.next().is_none(), "stdout carries answers only");
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[tokio::test]
async fn what_is_cancelled_is_not_fetched_further_and_not_answered() {
    let origin = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = origin.local_addr().unwrap().port();
    let world = World::new();
    let open = format!("{{ cidr = \"127.0.0.1/32:{port}\", owner = \"ana@example.com\", expires = 9999-01-31 }}");
    world.write(
        "aiva.toml",
        &format!("[[services]]\nname = \"shop\"\n[egress.roles.default]\nmode = \"open\"\nallow_cidrs = [{open}]\n"),
    );
    let _server = Server::start_own(&world);
    let mut program = command(world.folder.path());
    program.args(["mcp", "--data-dir"]).arg(world.path("data"));
    let mut child = program.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let call = json!({ "jsonrpc": "2.0", "id": "slow", "method": "tools/call",
        "params": { "name": "fetch", "arguments": { "url": format!("http://127.0.0.1:{port}/") } } });
    writeln!(stdin, "{call}").unwrap();
    // The request has come, and nothing is ever answered to it.
    let (mut stream, _) = origin.accept().unwrap();
    assert_ne!(stream.read(&mut [0; 1]).unwrap(), 0);
    let cancel = json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": { "requestId": "slow" } });
    writeln!(stdin, "{cancel}").unwrap();
    // Until the other side has hung up.
    while stream.read(&mut [0; 1024]).unwrap_or(0) > 0 {}
    writeln!(stdin, r#"{{"jsonrpc":"2.0","id":1,"method":"ping"}}"#).unwrap();
    drop(stdin);
    let out = child.wait_with_output().unwrap();
    let answers: Vec<Value> =
        out.stdout.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice(line).ok()).collect();
    assert_eq!(answers, [json!({ "jsonrpc": "2.0", "id": 1, "result": {} })]);
}

#[tokio::test]
async fn without_a_server_a_request_is_told_so() {
    let world = World::new();
    assert_eq!(world.aiva(&["token", "show"]).code(), 0);
    let mut program = command(world.folder.path());
    program.args(["mcp", "--server", "http://127.0.0.1:1", "--data-dir"]).arg(world.path("data"));
    let mut child = program.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    writeln!(stdin, r#"{{"jsonrpc":"2.0","id":"x","method":"ping"}}"#).unwrap();
    drop(stdin);
    let out = child.wait_with_output().unwrap();
    let answer: Value = serde_json::from_slice(&out.stdout).unwrap();
    assert_eq!((&answer["id"], &answer["error"]["code"]), (&json!("x"), &json!(-32_603)), "{answer}");
}

#[tokio::test]
async fn a_refused_fetch_is_on_record_and_on_a_page() {
    let world = World::new();
    let server = Server::start(&world);
    let (status, problem) =
        post(&server, "/v1/egress/fetches", &json!({ "url": "http://169.254.169.254/latest" }), None).await;
    assert_eq!((status, &problem["code"]), (403, &json!("egress_denied")));
    let page = server
        .until("/v1/egress/decisions?form=fetch", |page| {
            page["items"].as_array().is_some_and(|items| !items.is_empty())
        })
        .await;
    assert_eq!(page["items"][0]["reason"], "address-metadata");
    let answer = server.client.get(format!("{}/console/egress", server.url)).redirects(0).send().await.unwrap();
    assert_eq!(answer.status.as_u16(), 303, "nobody sees it without signing in");
}
