//! Fetches a URL that somebody else wrote, as a link preview would, and says what was decided at each hop.
//!
//! `cargo run -p aiva-outbound --example fetch -- https://example.com/`

use std::io::Write as _;
use std::sync::Arc;
use std::time::Duration;

use aiva_outbound::client::{Client, Limits};
use aiva_outbound::policy::Policy;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let url = std::env::args().nth(1).ok_or("say which URL")?;
    let client = Client::builder(Policy::public())
        .limits(Limits { total: Duration::from_secs(10), ..Limits::default() })
        .max_body(1024 * 1024)
        .max_redirects(3)
        .content_types(["text/html", "text/plain", "image/*"])
        .observer(Arc::new(|target, verdict| {
            let line = format!("{}: {} by {}\n", target.origin(), verdict.reason(), verdict.rule);
            let _closed = std::io::stderr().write_all(line.as_bytes());
        }))
        .build();
    let response = client.get(url).send().await?;
    let body = response.bytes(1024 * 1024).await?;
    std::io::stdout().write_all(&body)?;
    Ok(())
}
