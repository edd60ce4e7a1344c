//! What each page says, and what its forms do.

use axum::http::{StatusCode, header};

use crate::company::{
    ACCEPTED, ALLOWED, DENIED, ENDED, LODASH, METADATA, RUNNING, Texts, anonymous, console, open, person, submit,
};

/// Opens a page as somebody who may do everything and looks for each text.
async fn check(address: &str, texts: &[&str]) {
    let (status, _, page) = open(&console(person(&[]), &Texts::default()), address).await;
    assert_eq!(status, StatusCode::OK, "{address}");
    for text in texts {
        assert!(page.contains(text), "{address} does not say {text}:\n{page}");
    }
}

#[tokio::test]
async fn the_overview_says_what_to_do_first() {
    check(
        "/console",
        &[
            "Needs attention",
            "rustdecimal 1.23.1 in ledger",
            "badge malicious",
            "minimist 1.2.5 in checkout",
            "The advisories are old",
            "One event could not be handled",
            "Exception for CVE-2023-45803 in urllib3",
            "6+ services",
            "preserveAspectRatio=\"none\"",
            "As a table",
            "2027-01-30",
            "Ana Lark",
        ],
    )
    .await;
    let (_, _, page) = open(&console(person(&[]), &Texts::default()), "/console").await;
    assert_eq!(page.matches("rustdecimal 1.23.1 in ledger").count(), 1); // malicious and critical, said once
    assert!(page.find("rustdecimal").unwrap() < page.find("minimist").unwrap());
}

#[tokio::test]
async fn filters_stand_in_the_address() {
    check(
        "/console/findings?level=critical&service=elsewhere&q=%3Cb%3E",
        &[
            "value=\"critical\" selected",
            "value=\"elsewhere\" selected",
            "value=\"&lt;b&gt;\"",
            "CVE-2021-44906",
            "href=\"/console/findings?q=%3Cb%3E&amp;service=elsewhere&amp;level=critical&amp;cursor=bmV4dA\"",
        ],
    )
    .await;
    let (_, _, page) = open(&console(person(&[]), &Texts::default()), "/console/findings?level=critical").await;
    assert!(!page.contains("CVE-2021-23337"), "a high one is in the list of critical ones");
}

#[tokio::test]
async fn a_finding_says_why() {
    check(
        &format!("/console/findings/{LODASH}"),
        &[
            "lodash 4.17.21 is free of it.",
            "services/checkout/package-lock.json:412",
            "<code>lodash.template</code>",
            " and 2 more",
            "CVSS 7.2",
            "over the network",
            "an administrator",
            "GHSA-35jh-r3h4-6jhm",
            "rel=\"noopener noreferrer nofollow\"",
            "Accept the risk",
            "value=\"2027-05-01\"",
            "a complete scan no longer saw it",
        ],
    )
    .await;
    let (_, _, page) = open(&console(person(&[]), &Texts::default()), &format!("/console/findings/{LODASH}")).await;
    assert!(!page.contains("href=\"javascript"), "a link that runs");
    check(
        &format!("/console/findings/{ACCEPTED}?done=accepted"),
        &["Accepted. It counts again", "Holds until", "150 days left", "Reopen"],
    )
    .await;
}

#[tokio::test]
async fn the_other_pages_say_what_they_promise() {
    check("/console/services", &["recommender", "Incomplete", "href=\"/console/services?cursor=bmV4dA\""]).await;
    check(
        "/console/services/checkout",
        &["Scan now", "111122223333", "service=checkout", "from aiva.toml", "checkout-web", "http-equiv=\"refresh\""],
    )
    .await;
    check("/console/scans", &["Running", "5 new", "1 back", "2 fixed", "1.4 s"]).await;
    check(&format!("/console/scans/{ENDED}"), &["Ignored by git", "1 not judged", "line 7", "Scan now"]).await;
    check(
        &format!("/console/scans/{RUNNING}"),
        &[
            "data-follow=\"/console/scans/01960a3e-6f2b-7c11-9d55-3f0c5b1d2e4a/events\"",
            "max=\"5\" value=\"2\"",
            "http-equiv=\"refresh\"",
        ],
    )
    .await;
    check(
        "/console/exceptions",
        &["Expired", "Unused", "ended 306 days ago", "one day left", "/console/exceptions/made-3/remove"],
    )
    .await;
    check("/console/advisories", &["These advisories are old", "12\u{202f}467", "Update now"]).await;
    check("/console/events", &["findings.ingest", "Redrive", "Give up", "ScanCompleted"]).await;
}

#[tokio::test]
async fn decisions_are_found_by_what_stands_in_the_address() {
    check(
        "/console/egress?host=new.example.net&outcome=deny&reason=name-not-allowed&role=elsewhere&since=2027-01-31T11%3A00",
        &[
            "value=\"deny\" selected",
            "value=\"elsewhere\" selected",
            "value=\"2027-01-31T11:00\"",
            "new.example.net:443",
            "Tunnel, CONNECT over https",
            "href=\"/console/egress?host=new.example.net&amp;role=elsewhere&amp;outcome=deny&amp;reason=name-not-allowed\
             &amp;since=2027-01-31T11%3A00&amp;cursor=bmV4dA\"",
        ],
    )
    .await;
    check("/console/egress", &["Would deny", "Rebound", "Without an address", "href=\"/console/egress/summary\""])
        .await;
    let console = console(person(&[]), &Texts::default());
    let (_, _, page) = open(&console, "/console/egress?reason=address-metadata").await;
    assert!(page.contains("169.254.169.254:80") && !page.contains("new.example.net"), "{page}");
    let (_, _, page) = open(&console, "/console/egress?since=2027-01-31T12%3A00").await;
    assert!(page.contains("No decision fits"), "{page}");
    let (status, _, page) = open(&console, "/console/egress?since=never").await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert!(page.contains("since is no time"), "{page}");
}

#[tokio::test]
async fn a_decision_says_why_and_what_would_allow_it() {
    let at = |id: &str| format!("/console/egress/decisions/{id}");
    check(&at(DENIED), &["not among them", "What would allow it", "Add &quot;new.example.net&quot; to checkout never"])
        .await;
    check(&at(METADATA), &["credentials", "Nothing. No role and no exception opens this."]).await;
    check(
        &at(ALLOWED),
        &[
            "203.0.113.7:443",
            "34\u{202f}567 bytes",
            "1\u{202f}204 ms",
            "If enforced",
            "only told",
            "turned from public",
        ],
    )
    .await;
    let (_, _, page) = open(&console(person(&[]), &Texts::default()), &at(ALLOWED)).await;
    assert!(!page.contains("What would allow it"), "what is allowed needs nothing");
    let (_, _, page) = open(&console(person(&["egress:read"]), &Texts::default()), &at(METADATA)).await;
    assert!(page.contains("Whoever operates AIVA is told."), "{page}");
}

#[tokio::test]
async fn the_summary_says_what_is_called_and_by_whom() {
    check(
        "/console/egress/summary?role=checkout&hours=168",
        &[
            "1\u{202f}240 allowed, 63 denied, 1 without an address",
            "value=\"168\" selected",
            "name-not-allowed 60</a>", // both hosts together
            "an address that cannot be read",
            "Called for the first time",
            "href=\"/console/services/ledger\"", // whose role it is
            "href=\"/console/egress?role=checkout&amp;since=2027-01-31T07%3A00%3A00Z&amp;until=2027-01-31T13%3A00%3A00Z\"",
        ],
    )
    .await;
    check("/console/services/checkout", &["href=\"/console/egress/summary?role=checkout\""]).await;
}

#[tokio::test]
async fn a_role_says_what_it_opens_and_who_answers_for_it() {
    check(
        "/console/egress/roles",
        &[
            "href=\"/console/egress/roles/batch\"",
            "stored, version 3",
            "in aiva.toml",
            "Only reports",
            "and 1 more",
            "1 ended",
            "None: it names nothing",
            "href=\"/console/services/checkout\"", // who has it
        ],
    )
    .await;
    check(
        "/console/egress/roles/batch",
        &[
            "what is not listed passes and is told of",
            "<code>billing.corp.example</code> at <code>10.20.1.0/24</code> :8443",
            "28 days left",
            "ended 30 days ago",
            "ends today", // the network's last day counts
            "12\u{202f}000",
            "Deleted",
        ],
    )
    .await;
    // What it does not say holds all the same.
    check(
        "/console/egress/roles/batch",
        &["<dt>Ports</dt><dd><span class=\"tags\"><span class=\"badge square outline\">80</span>"],
    )
    .await;
    check("/console/egress/roles/checkout", &["Enforces", "*.ads.example", "Nothing internal can be reached"]).await;
    check("/console/egress/summary?role=checkout", &["href=\"/console/egress/roles/checkout\""]).await;
    let (status, _, page) = open(&console(person(&[]), &Texts::default()), "/console/egress/roles/nobody").await;
    assert_eq!(status, StatusCode::NOT_FOUND, "{page}");
}

#[tokio::test]
async fn a_change_is_answered_with_the_page_that_shows_it() {
    let console = console(person(&[]), &Texts::default());
    for (address, form, to) in [
        (
            format!("/console/findings/{LODASH}/accept"),
            "owner=ana&reason=why&expires=2027-05-01",
            format!("/console/findings/{LODASH}?done=accepted"),
        ),
        (format!("/console/findings/{ACCEPTED}/reopen"), "", format!("/console/findings/{ACCEPTED}?done=reopened")),
        ("/console/scans".into(), "service=checkout", format!("/console/scans/{RUNNING}")),
        ("/console/services".into(), "name=second&source=.", "/console/services/second?done=added".into()),
        ("/console/services/pilot".into(), WHOLE, "/console/services/pilot?done=saved".into()),
        ("/console/services/pilot/remove".into(), "version=3", "/console/services?done=service-removed".into()),
        ("/console/exceptions/made-3/remove".into(), "", "/console/exceptions?done=removed".into()),
        ("/console/advisories/update".into(), "", "/console/advisories?done=updating".into()),
        (format!("/console/dead-letters/{ENDED}/redrive"), "", "/console/events?done=redriven".into()),
        (format!("/console/dead-letters/{ENDED}/discard"), "", "/console/events?done=discarded".into()),
    ] {
        let (status, headers, page) = submit(&console, &address, form).await;
        assert_eq!(status, StatusCode::SEE_OTHER, "{address}: {page}");
        assert_eq!(headers.get(header::LOCATION).unwrap().to_str().unwrap(), to, "{address}");
    }
}

/// A service with every field filled, at version 3.
const WHOLE: &str = "version=3&owners=%23pay%0D%0A+ana%40example.com+%0D%0A%0D%0A&source=services%2Fpilot&egress_role=pilot\
    &oauth_clients=web&aws_account=111122223333&azure_subscription=&gcp_project=&tags=service+%3D+pilot%0Aalone";

#[tokio::test]
async fn a_service_is_changed_in_a_form() {
    check("/console/services", &["href=\"/console/add-service\""]).await;
    check("/console/add-service", &["name=\"name\"", "Owners", "Add</button>"]).await;
    check("/console/services/pilot", &["href=\"/console/services/pilot/edit\"", "made here"]).await;
    check(
        "/console/services/pilot/edit",
        &[
            "name=\"version\" value=\"3\"",
            "#team-pay\nana@larkspur.example</textarea>",
            "service=pilot</textarea>",
            "Remove pilot",
        ],
    )
    .await;
    check("/console/services/checkout/edit", &["Defined in aiva.toml"]).await;
    let console = console(person(&[]), &Texts::default());
    for (address, form, status, texts) in [
        ("/console/services", "name=pilot&source=.", StatusCode::CONFLICT, ["is taken", "value=\"pilot\""]),
        (
            "/console/services/pilot",
            "version=3&owners=%3Ci%3E",
            StatusCode::UNPROCESSABLE_ENTITY,
            ["is no owner", "&lt;i&gt;</textarea>"],
        ),
        (
            "/console/services/pilot",
            "version=2",
            StatusCode::PRECONDITION_FAILED,
            ["somebody changed it", "value=\"2\""],
        ),
        (
            "/console/services/pilot/remove",
            "version=2",
            StatusCode::PRECONDITION_FAILED,
            ["somebody changed it", "changed"],
        ),
    ] {
        let (answer, _, page) = submit(&console, address, form).await;
        assert_eq!(answer, status, "{address} {form}");
        for text in texts {
            assert!(page.contains(text), "{address} {form} does not say {text}:\n{page}");
        }
    }
}

#[tokio::test]
async fn a_refused_form_comes_back_as_it_was() {
    let console = console(person(&[]), &Texts::default());
    let (status, _, page) =
        submit(&console, &format!("/console/findings/{LODASH}/accept"), "owner=%22me%22&reason=%3Ci%3E&expires=never")
            .await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    for text in [
        "must be a day that comes",
        "aria-invalid=\"true\"",
        "value=\"&quot;me&quot;\"",
        "&lt;i&gt;</textarea>",
        "request-7",
        "validation_failed",
    ] {
        assert!(page.contains(text), "does not say {text}:\n{page}");
    }
}

#[tokio::test]
async fn a_change_of_what_somebody_else_changed_is_refused() {
    let console = console(person(&[]), &Texts::default());
    for (form, want) in [
        ("owner=ana&reason=why&expires=2027-05-01&revision=1", StatusCode::SEE_OTHER),
        ("owner=ana&reason=why&expires=2027-05-01&revision=2", StatusCode::PRECONDITION_FAILED),
    ] {
        let (status, _, page) = submit(&console, &format!("/console/findings/{LODASH}/accept"), form).await;
        assert_eq!(status, want, "{form}: {page}");
    }
    check(&format!("/console/findings/{LODASH}"), &["name=\"revision\" value=\"1\""]).await;
}

#[tokio::test]
async fn a_refusal_of_the_api_is_legible() {
    let console = console(person(&[]), &Texts::default());
    let (status, _, page) = open(&console, "/console/services/nowhere").await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    assert!(page.contains("there is no such service") && page.contains("service_not_found"), "{page}");
    let (status, _, page) = open(&console, "/console/findings?level=awful").await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(page.contains("is none of the levels"), "{page}");
    let (status, _, page) = open(&console, &format!("/console/findings/{}", "f".repeat(32))).await; // the fake knows no such route
    assert_eq!(status, StatusCode::BAD_GATEWAY);
    assert!(page.contains("not in its contract"), "{page}");
}

#[tokio::test]
async fn what_a_person_may_not_do_is_not_offered() {
    let console = console(person(&["findings:read", "services:read"]), &Texts::default());
    for (address, banned) in [
        (format!("/console/findings/{LODASH}"), "Accept the risk"),
        (format!("/console/findings/{ACCEPTED}"), ">Reopen<"),
        ("/console/services/checkout".into(), "Scan now"),
        ("/console/services/pilot".into(), "/edit"),
        ("/console/services".into(), "/console/add-service"),
        ("/console/exceptions".into(), "Remove"),
        ("/console/advisories".into(), "Update now"),
        ("/console/events".into(), "Redrive"),
    ] {
        let (_, _, page) = open(&console, &address).await;
        assert!(!page.contains(banned), "{address} offers {banned}");
    }
}

#[tokio::test]
async fn every_operation_of_the_contract_is_documented() {
    let (_, _, page) = open(&console(person(&[]), &Texts::default()), "/docs").await;
    let ids = aiva_contracts::OPENAPI.lines().filter_map(|line| line.trim().strip_prefix("operationId: "));
    let mut seen = 0;
    for id in ids {
        assert!(page.contains(&format!("<article class=\"panel op\" id=\"{id}\"")), "{id} is not on the page");
        seen += 1;
    }
    assert!(seen > 20, "only {seen} operations in the contract");
    for text in [
        "findings:write",
        "open to everybody",
        "curl -X POST",
        "If-Match",
        "schema-Finding",
        "$AIVA/v1/findings/$finding/accept",
        "one of critical, high",
    ] {
        assert!(page.contains(text), "the documentation does not say {text}");
    }
}

#[tokio::test]
async fn an_unknown_address_is_answered_in_the_clothes_of_the_console() {
    let console = console(person(&[]), &Texts::default());
    for address in ["/console/nowhere", "/console/services/checkout/nothing", "/console/scans/"] {
        let (status, headers, page) = open(&console, address).await;
        assert_eq!(status, StatusCode::NOT_FOUND, "{address}");
        assert!(headers[header::CONTENT_TYPE].to_str().unwrap().starts_with("text/html"), "{address}");
        assert!(page.contains("No such page") && page.contains("aria-label=\"Main\""), "{address}: {page}");
        assert!(!page.contains("aria-current"), "{address} is in no section");
    }
}

#[tokio::test]
async fn whoever_must_sign_in_comes_back() {
    let console = anonymous(&Texts::default());
    for (address, to) in [
        ("/console", "/console/sign-in"),
        (
            "/console/findings?level=high&q=a%20b",
            "/console/sign-in?to=%2Fconsole%2Ffindings%3Flevel%3Dhigh%26q%3Da%2520b",
        ),
        ("/console/nowhere", "/console/sign-in?to=%2Fconsole%2Fnowhere"),
    ] {
        let (status, headers, _) = open(&console, address).await;
        assert_eq!((status, headers[header::LOCATION].to_str().unwrap()), (StatusCode::SEE_OTHER, to), "{address}");
    }
    let (_, headers, _) = submit(&console, "/console/scans", "service=checkout").await;
    assert_eq!(headers[header::LOCATION].to_str().unwrap(), "/console/sign-in", "a change is not made again by itself");
}

#[tokio::test]
async fn a_service_lists_the_exceptions_that_cover_it_without_naming_it() {
    check("/console/services/checkout", &["CVE-2024-29041 in express"]).await; // names an advisory and no service
    let (_, _, page) = open(&console(person(&[]), &Texts::default()), "/console/services/checkout").await;
    assert!(!page.contains("CVE-2023-45803"), "an exception that covers nothing here");
}
