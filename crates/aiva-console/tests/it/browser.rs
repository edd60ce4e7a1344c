//! The console in a real browser, where there is one: no violation of the policy, nothing on the error console.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use axum::Router;
use axum::http::header;
use axum::response::Html;
use axum::routing::get;

use crate::company::{LODASH, RUNNING, Texts, console, person};

/// A browser that is installed, by `AIVA_TEST_CHROMIUM` or on the path.
fn chromium() -> Option<PathBuf> {
    if let Some(named) = std::env::var_os("AIVA_TEST_CHROMIUM") {
        return Some(named.into());
    }
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .flat_map(|folder| ["chromium", "chromium-browser", "google-chrome"].map(|name| folder.join(name)))
        .find(|candidate| candidate.is_file())
}

/// What a browser made of a page.
struct Seen {
    dom: String,
    /// Lines that the page wrote on the console: errors, warnings, violations of the policy.
    said: Vec<String>,
}

/// Opens a page in a fresh profile.
fn read(browser: &Path, address: &str) -> Seen {
    let profile = tempfile::tempdir().unwrap();
    let page = run(browser, profile.path(), &["--dump-dom", address]);
    let log = String::from_utf8_lossy(&page.stderr).into_owned();
    let said = log.lines().filter(|line| line.contains(":CONSOLE")).map(str::to_owned).collect();
    Seen { dom: String::from_utf8_lossy(&page.stdout).into_owned(), said }
}

/// A picture of a page in a fresh profile, as somebody sees it who prefers light or dark.
fn picture(browser: &Path, address: &str, dark: bool) -> Vec<u8> {
    let profile = tempfile::tempdir().unwrap();
    let file = profile.path().join("page.png");
    let scheme = format!("--blink-settings=preferredColorScheme={}", u8::from(!dark));
    run(browser, profile.path(), &[&scheme, &format!("--screenshot={}", file.display()), address]);
    std::fs::read(file).unwrap_or_default()
}

fn run(browser: &Path, profile: &Path, what: &[&str]) -> Output {
    Command::new(browser)
        .args([
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-dev-shm-usage",
        ])
        .args(["--disable-background-networking", "--disable-component-update", "--disable-sync", "--hide-scrollbars"])
        .args(["--enable-logging=stderr", "--window-size=1280,900", "--timeout=10000"])
        .arg(format!("--user-data-dir={}", profile.join("profile").display()))
        .args(what)
        .output()
        .unwrap()
}

/// Serves `router` on the loopback and runs `check` beside it with the address.
async fn served(router: Router, check: impl FnOnce(String) + Send + 'static) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let server = tokio::spawn(async move { axum::serve(listener, router).await });
    let checked = tokio::task::spawn_blocking(move || check(address)).await;
    server.abort();
    checked.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_render_in_a_browser_without_a_complaint() {
    let Some(browser) = chromium() else {
        aiva_testkit::skip::skipped("chromium", "no browser on the path; set AIVA_TEST_CHROMIUM");
        return;
    };
    served(console(person(&[]), &Texts::default()), move |server| {
        let finding = format!("/console/findings/{LODASH}");
        let scan = format!("/console/scans/{RUNNING}");
        for (page, text) in [
            ("/console", "Needs attention"),
            ("/console/findings", "CVE-2021-44906"),
            (&finding, "Accept the risk"),
            (&scan, "Progress"),
            ("/console/egress", "new.example.net"),
            ("/console/egress/summary", "Most called"),
            ("/console/egress/roles/batch", "Ways to internal places"),
            ("/docs", "listFindings"),
        ] {
            let seen = read(&browser, &format!("{server}{page}"));
            assert!(seen.dom.contains(text), "{page} shows no {text}: {}", seen.dom);
            assert!(seen.said.is_empty(), "{page}: {:?}", seen.said);
        }
        let page = format!("{server}/console");
        let (light, dark) = (picture(&browser, &page, false), picture(&browser, &page, true));
        assert!(light.starts_with(b"\x89PNG") && dark.starts_with(b"\x89PNG"), "no picture");
        assert_ne!(light, dark, "the page is the same in the dark");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_that_breaks_the_policy_would_be_noticed() {
    let Some(browser) = chromium() else {
        aiva_testkit::skip::skipped("chromium", "no browser on the path; set AIVA_TEST_CHROMIUM");
        return;
    };
    let broken = || async {
        (
            [(header::CONTENT_SECURITY_POLICY, aiva_console::CONTENT_SECURITY_POLICY)],
            Html("<!DOCTYPE html><p style=\"color:red\">x</p>"),
        )
    };
    served(Router::new().route("/", get(broken)), move |server| {
        let seen = read(&browser, &format!("{server}/"));
        assert!(!seen.said.is_empty(), "the browser said nothing about an inline style");
    })
    .await;
}
