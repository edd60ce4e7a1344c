//! What the tools are called, what they take, and how their results are told.

use serde_json::{Value, json};

/// Fetches an address.
pub const FETCH: &str = "fetch";

/// Asks whether an address may be called.
pub const CHECK_URL: &str = "check_url";

/// Both, as `tools/list` has them. Their arguments are the bodies of the API's operations.
pub fn list() -> Value {
    let role = json!({ "type": "string", "description": "The egress role to go by; the default one without it" });
    json!([
        {
            "name": FETCH,
            "title": "Fetch a URL",
            "description": "Fetches a URL under the egress policy and returns status, headers and body. Redirects are followed, each \
                            judged anew. Internal addresses and metadata services are refused.",
            "inputSchema": {
                "type": "object",
                "additionalProperties": false,
                "required": ["url"],
                "properties": {
                    "url": { "type": "string", "description": "The absolute http or https address" },
                    "method": { "type": "string", "enum": ["GET", "HEAD", "POST"], "description": "GET without it; POST only where the role allows it" },
                    "role": role,
                    "headers": { "type": "object", "additionalProperties": { "type": "string" }, "description": "Header fields to send" },
                    "body": { "type": "string", "description": "The body, for POST" },
                    "max_bytes": { "type": "integer", "minimum": 1, "description": "Cut the body off after so many bytes" },
                    "timeout_ms": { "type": "integer", "minimum": 1, "maximum": 600_000, "description": "How long it may take in all" },
                    "max_redirects": { "type": "integer", "minimum": 0, "maximum": 20, "description": "How many redirects to follow" },
                    "content_types": { "type": "array", "items": { "type": "string" }, "description": "Content types to take, such as text/html or image/*" },
                },
            },
            "outputSchema": fetched(),
            "annotations": { "readOnlyHint": false, "destructiveHint": false, "idempotentHint": false, "openWorldHint": true },
        },
        {
            "name": CHECK_URL,
            "title": "Check a URL",
            "description": "Says whether the egress policy would let a request to this URL leave, by which rule and why, without \
                            calling it. The name is looked up.",
            "inputSchema": {
                "type": "object",
                "additionalProperties": false,
                "required": ["url"],
                "properties": {
                    "url": { "type": "string", "description": "The absolute http or https address" },
                    "method": { "type": "string", "description": "The method, where the role limits methods" },
                    "role": role,
                },
            },
            "outputSchema": checked(),
            "annotations": { "readOnlyHint": true, "openWorldHint": true },
        },
    ])
}

/// The operation's answer, as `Fetched` of the contract has it; the body of a picture stands beside it as one.
fn fetched() -> Value {
    let hop = json!({
        "type": "object",
        "required": ["decision", "origin", "outcome"],
        "properties": {
            "decision": { "type": "string", "description": "The record of the decision" },
            "origin": { "type": "string" },
            "outcome": outcome(),
            "address": { "type": "string", "description": "What was connected to" },
            "status": { "type": "integer" },
        },
    });
    json!({
        "type": "object",
        "required": ["status", "url", "headers", "encoding", "bytes", "truncated", "hops"],
        "properties": {
            "status": { "type": "integer", "description": "The status of the last answer" },
            "url": { "type": "string", "description": "Who answered at last" },
            "headers": { "type": "object", "additionalProperties": { "type": "string" } },
            "encoding": { "type": "string", "enum": ["text", "base64"], "description": "How the body is written" },
            "body": { "type": "string" },
            "bytes": { "type": "integer", "description": "How many bytes of the body are here" },
            "truncated": { "type": "boolean", "description": "Whether there was more of it" },
            "hops": { "type": "array", "items": hop, "description": "Every request that was made" },
        },
    })
}

fn checked() -> Value {
    json!({
        "type": "object",
        "required": ["outcome", "role", "rule", "reason", "addresses", "decision"],
        "properties": {
            "outcome": outcome(),
            "role": { "type": "string" },
            "rule": { "type": "string", "description": "Which rule decided" },
            "reason": { "type": "string", "description": "The stable word of why" },
            "addresses": { "type": "array", "items": { "type": "string" }, "description": "What would be connected to" },
            "decision": { "type": "string", "description": "The record of the decision" },
        },
    })
}

fn outcome() -> Value {
    json!({ "type": "string", "enum": ["allow", "deny", "unresolved"] })
}

/// A result for people and programs.
pub fn good(text: &str, structured: Value) -> Value {
    json!({ "content": [{ "type": "text", "text": text }], "structuredContent": structured, "isError": false })
}

/// The same with a picture.
pub fn picture(text: &str, data: &str, media_type: &str, structured: Value) -> Value {
    let content = json!([{ "type": "text", "text": text }, { "type": "image", "data": data, "mimeType": media_type }]);
    json!({ "content": content, "structuredContent": structured, "isError": false })
}

/// What went wrong inside a tool: the model is to read it.
pub fn bad(text: &str) -> Value {
    json!({ "content": [{ "type": "text", "text": text }], "isError": true })
}
