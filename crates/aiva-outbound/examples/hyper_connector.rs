//! hyper's own client over checked connections.
//!
//! `cargo run -p aiva-outbound --features hyper-connector --example hyper_connector -- https://example.com/`

use std::io::Write as _;

use aiva_outbound::client::Client;
use aiva_outbound::policy::Policy;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper_util::client::legacy;
use hyper_util::rt::TokioExecutor;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let url = std::env::args().nth(1).ok_or("say which URL")?;
    let connector = Client::builder(Policy::public()).build_connector();
    let client: legacy::Client<_, Empty<Bytes>> = legacy::Client::builder(TokioExecutor::new())
        // A connection that is kept is used again by name, without asking: keep none where that matters.
        .pool_max_idle_per_host(0)
        .build(connector);
    let answer = client.get(url.parse()?).await?;
    let body = Limited::new(answer.into_body(), 1024 * 1024).collect().await.map_err(|error| error.to_string())?;
    std::io::stdout().write_all(&body.to_bytes())?;
    Ok(())
}
