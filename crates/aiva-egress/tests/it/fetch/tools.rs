//! The MCP tools over HTTP: they say what the API says, to whom it would say it.

use std::sync::Arc;

use aiva_chassis::http::{Permissions, Principal, PrincipalKind};
use http::StatusCode;
use serde_json::{Value, json};

use super::Rig;

impl Rig {
    async fn rpc(&self, headers: &[(&str, &str)], message: Value) -> (StatusCode, Value) {
        let (status, _, answer) = self.post("/mcp", Principal::internal("ana"), headers, message).await;
        (status, answer)
    }

    async fn tool(&self, name: &str, arguments: Value) -> Value {
        let call = json!({ "jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": { "name": name, "arguments": arguments } });
        let (status, answer) = self.rpc(&[], call).await;
        assert_eq!((status, &answer["id"]), (StatusCode::OK, &json!(7)), "{answer}");
        answer["result"].clone()
    }
}

#[tokio::test]
async fn a_tool_says_what_the_api_says() {
    let rig = Rig::new("").await;
    let hello = json!({ "jsonrpc": "2.0", "id": 1, "method": "initialize", "params": { "protocolVersion": "2025-06-18",
        "capabilities": {}, "clientInfo": { "name": "test", "version": "1" } } });
    let (status, answer) = rig.rpc(&[], hello.clone()).await;
    assert_eq!((status, &answer["result"]["protocolVersion"]), (StatusCode::OK, &json!("2025-06-18")));
    let (status, answer) = rig
        .rpc(
            &[("mcp-protocol-version", "2025-06-18")],
            json!({ "jsonrpc": "2.0", "method": "notifications/initialized" }),
        )
        .await;
    assert_eq!((status, answer), (StatusCode::ACCEPTED, Value::Null));
    let (_, answer) = rig.rpc(&[], json!({ "jsonrpc": "2.0", "id": "a", "method": "tools/list" })).await;
    let names: Vec<&str> =
        answer["result"]["tools"].as_array().unwrap().iter().map(|tool| tool["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["fetch", "check_url"]);

    let got = rig.tool("fetch", json!({ "url": rig.at("/to-hello"), "role": "agent" })).await;
    assert_eq!((&got["isError"], &got["structuredContent"]["hops"][1]["status"]), (&json!(false), &json!(200)));
    assert!(got["content"][0]["text"].as_str().unwrap().ends_with("h\u{e9}llo"), "{got}");
    let got = rig.tool("fetch", json!({ "url": rig.at("/picture"), "role": "agent" })).await;
    assert_eq!((&got["content"][1]["type"], &got["content"][1]["mimeType"]), (&json!("image"), &json!("image/png")));
    for (name, arguments, says) in [
        ("fetch", json!({ "url": "http://169.254.169.254/" }), "address-metadata"),
        ("fetch", json!({}), "missing field `url`"),
        ("fetch", json!({ "url": "http://a.example.com", "headers": { "Host": "b" } }), "/headers/Host"),
        ("check_url", json!({ "url": "http://a.example.com", "x": 1 }), "unknown field"),
    ] {
        let got = rig.tool(name, arguments.clone()).await;
        assert_eq!(got["isError"], true, "{arguments}: {got}");
        assert!(got["content"][0]["text"].as_str().unwrap().contains(says), "{arguments}: {got}");
    }
    let got = rig.tool("check_url", json!({ "url": "https://elsewhere.example/", "role": "agent" })).await;
    let text = got["content"][0]["text"].as_str().unwrap();
    assert!(text.contains("name-not-allowed"), "{text}");
    assert_eq!(got["structuredContent"]["outcome"], "deny");
    // Neither what the proxy honours nor what would allow it is for a model.
    assert!(!got.to_string().contains("remedy") && !got.to_string().contains("token"), "{got}");
}

#[tokio::test]
async fn strangers_pages_and_versions_are_refused() {
    let rig = Rig::new("").await;
    let ping = json!({ "jsonrpc": "2.0", "id": 1, "method": "ping" });
    for (name, value, want) in [
        ("origin", "https://evil.example", 403),
        ("origin", "null", 403),
        ("origin", "http://localhost:6274", 200),
        ("mcp-protocol-version", "2025-11-25", 200),
        ("mcp-protocol-version", "1999-01-01", 400),
    ] {
        assert_eq!(rig.rpc(&[(name, value)], ping.clone()).await.0.as_u16(), want, "{name}: {value}");
    }
    assert_eq!(rig.rpc(&[], json!([])).await.0, StatusCode::BAD_REQUEST);
    for (permission, want) in [("egress:fetch", 200), ("egress:decide", 403)] {
        let only = Permissions::Only(Arc::from([permission.to_owned()]));
        let who = Principal::new("bo", "bo", only, PrincipalKind::Person);
        assert_eq!(rig.post("/mcp", who, &[], ping.clone()).await.0.as_u16(), want, "{permission}");
    }
    // A tool wants the permission of what it does.
    let only = Permissions::Only(Arc::from(["egress:fetch".to_owned()]));
    let who = Principal::new("bo", "bo", only, PrincipalKind::Person);
    let call = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": { "name": "check_url", "arguments": { "url": "http://a.example.com" } } });
    let (_, _, answer) = rig.post("/mcp", who, &[], call).await;
    assert_eq!(answer["result"]["isError"], true, "{answer}");
}
