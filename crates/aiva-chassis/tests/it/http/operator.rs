//! The operator's listener.

use aiva_chassis::{
    health::{Health, Impact},
    http::admin,
};

use super::{Server, stack};

#[tokio::test]
async fn probes_say_what_health_says() {
    let health = Health::new();
    let migrations = health.startup_step("migrations");
    let server = Server::start(stack(), admin::routes(health.clone())).await;
    let statuses = async || {
        let mut found = Vec::new();
        for path in ["/healthz", "/health", "/readyz", "/ready", "/startupz"] {
            found.push(server.ask(&format!("GET {path} HTTP/1.1\r\n{{close}}\r\n")).await.status);
        }
        found
    };
    assert_eq!(statuses().await, [200, 200, 503, 503, 503]); // alive, but not started
    migrations.done();
    assert_eq!(statuses().await, [200; 5]);
    let store = health.check("store", Impact::Blocks);
    store.down("disk full");
    assert_eq!(statuses().await, [200, 200, 503, 503, 200]);
    let report = server.ask("GET /readyz HTTP/1.1\r\n{close}\r\n").await;
    assert!(report.body.contains("store: disk full"), "{}", report.body);
    let metrics = server.ask("GET /metrics HTTP/1.1\r\n{close}\r\n").await;
    assert!(metrics.header("content-type").starts_with("application/openmetrics-text"));
    assert!(metrics.body.contains("aiva_panics_total"), "{}", metrics.body);
}
