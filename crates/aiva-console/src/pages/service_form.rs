//! The forms that add, change and remove a service: `GET /console/add-service`, `GET /console/services/{service}/edit`.
//!
//! Promises: what was typed is sent to the API, which judges it; a refused form comes back as it was, with the API's words
//! at the fields they are about; a change of what somebody else changed meanwhile is refused. Lists are texts with one
//! entry a line. What `aiva.toml` defines has no form.

use std::collections::BTreeMap;

use axum::extract::{Form, Path, State};
use axum::response::Response;
use http::Method;
use maud::{Markup, html};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{back, may};
use crate::App;
use crate::client::{Failure, Viewer};
use crate::layout::{Flash, Page, Section, notice};
use crate::link::Link;
use crate::ui;
use aiva_contracts::api::{Origin, Service, ServiceDescription, ServiceDetail};

/// What the form sends, as it was typed.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Typed {
    name: String,
    owners: String,
    source: String,
    egress_role: String,
    oauth_clients: String,
    aws_account: String,
    azure_subscription: String,
    gcp_project: String,
    tags: String,
    /// The service as the viewer saw it.
    version: Option<u64>,
}

/// What the remove form sends.
#[derive(Debug, Deserialize)]
pub(super) struct Seen {
    version: Option<u64>,
}

impl Typed {
    fn of(service: &Service) -> Self {
        let ServiceDescription { owners, source, egress_role, oauth_clients, cloud } = service.description.clone();
        let cloud = cloud.unwrap_or_default();
        let tags = cloud.tags.unwrap_or_default();
        Self {
            name: service.name.clone(),
            owners: owners.join("\n"),
            source: source.join("\n"),
            egress_role: egress_role.unwrap_or_default(),
            oauth_clients: oauth_clients.join("\n"),
            aws_account: cloud.aws_account.unwrap_or_default(),
            azure_subscription: cloud.azure_subscription.map(|id| id.to_string()).unwrap_or_default(),
            gcp_project: cloud.gcp_project.unwrap_or_default(),
            tags: tags.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("\n"),
            version: Some(service.version),
        }
    }

    /// The description as the API wants it; what was left empty is left out.
    fn description(&self) -> Value {
        let mut description = json!({ "owners": lines(&self.owners), "source": lines(&self.source), "oauth_clients": lines(&self.oauth_clients) });
        if let Some(role) = filled(&self.egress_role) {
            description["egress_role"] = json!(role);
        }
        let mut cloud = serde_json::Map::new();
        for (name, text) in [
            ("aws_account", &self.aws_account),
            ("azure_subscription", &self.azure_subscription),
            ("gcp_project", &self.gcp_project),
        ] {
            if let Some(text) = filled(text) {
                cloud.insert(name.to_owned(), json!(text));
            }
        }
        let tags: BTreeMap<&str, &str> = lines(&self.tags).into_iter().map(tag).collect();
        if !tags.is_empty() {
            cloud.insert("tags".to_owned(), json!(tags));
        }
        if !cloud.is_empty() {
            description["cloud"] = Value::Object(cloud);
        }
        description
    }
}

fn filled(text: &str) -> Option<&str> {
    let text = text.trim();
    (!text.is_empty()).then_some(text)
}

fn lines(text: &str) -> Vec<&str> {
    text.lines().filter_map(filled).collect()
}

/// `name=value`; a name alone has an empty value.
fn tag(line: &str) -> (&str, &str) {
    line.split_once('=').map_or((line, ""), |(name, value)| (name.trim_end(), value.trim_start()))
}

fn there(name: &str) -> Link {
    Link::to("/v1/services").segment(name)
}

fn here(name: &str) -> Link {
    Link::to("/console/services").segment(name)
}

/// The link that leads to an empty form, for those who may use it.
pub(super) fn add_link(viewer: &Viewer) -> Markup {
    html! { @if may(viewer, "services:write") { a.button href="/console/add-service" { "Add a service" } } }
}

/// The link that leads to the form of this service, for those who may use it.
pub(super) fn edit_link(viewer: &Viewer, service: &Service) -> Markup {
    html! {
        @if may(viewer, "services:write") && service.origin == Origin::Api {
            a.button href=(here(&service.name).then("/edit")) { "Edit" }
        }
    }
}

pub(super) async fn new(viewer: Viewer) -> Response {
    let typed = Typed { source: ".".to_owned(), ..Typed::default() };
    Page::new("Add a service", Section::Services, &viewer).with(&adding(&typed, None))
}

pub(super) async fn create(State(app): State<App>, viewer: Viewer, Form(typed): Form<Typed>) -> Response {
    let body = json!({ "name": typed.name.trim(), "description": typed.description() });
    match app.api.post::<_, Service>(&viewer, Link::to("/v1/services"), &body, None).await {
        Ok(made) => back(here(&made.name), Flash::Added),
        Err(failure) => Page::new("Add a service", Section::Services, &viewer)
            .status(failure.status())
            .with(&adding(&typed, Some(&failure))),
    }
}

pub(super) async fn edit(State(app): State<App>, viewer: Viewer, Path(name): Path<String>) -> Response {
    let page = Page::new("Edit a service", Section::Services, &viewer);
    match app.api.get::<ServiceDetail>(&viewer, there(&name)).await {
        Ok(detail) if detail.service.origin == Origin::File => page.with(&read_only(&name)),
        Ok(detail) => page.with(&changing(&Typed::of(&detail.service), &name, None)),
        Err(failure) => page.failed(&failure),
    }
}

pub(super) async fn update(
    State(app): State<App>,
    viewer: Viewer,
    Path(name): Path<String>,
    Form(typed): Form<Typed>,
) -> Response {
    match app.api.put::<_, Service>(&viewer, there(&name), &typed.description(), typed.version).await {
        Ok(_) => back(here(&name), Flash::Saved),
        Err(failure) => Page::new("Edit a service", Section::Services, &viewer)
            .status(failure.status())
            .with(&changing(&typed, &name, Some(&failure))),
    }
}

pub(super) async fn remove(
    State(app): State<App>,
    viewer: Viewer,
    Path(name): Path<String>,
    Form(seen): Form<Seen>,
) -> Response {
    match app.api.change_seen(&viewer, Method::DELETE, there(&name), seen.version).await {
        Ok(()) => back(Link::to("/console/services"), Flash::ServiceRemoved),
        Err(failure) => Page::new(&name, Section::Services, &viewer).failed(&failure),
    }
}

fn adding(typed: &Typed, refused: Option<&Failure>) -> Markup {
    html! {
        p.crumbs { a href="/console/services" { "Services" } }
        div.head { div { h1 { "Add a service" } p.sub { "Its code is scanned within a minute, and then daily." } } }
        (form(typed, &Link::to("/console/services"), "Add", refused, true))
    }
}

fn changing(typed: &Typed, name: &str, refused: Option<&Failure>) -> Markup {
    html! {
        p.crumbs { a href="/console/services" { "Services" } " / " a href=(here(name)) { (name) } }
        div.head { div { h1 { "Edit " (name) } } }
        (form(typed, &here(name), "Save", refused, false))
        section.panel aria-labelledby="remove" {
            header { h2 #remove { "Remove" } }
            div.body {
                p.prose { "The service goes with its scans and findings. This cannot be undone." }
                form.fields method="post" action=(here(name).then("/remove")) {
                    @if let Some(version) = typed.version { input type="hidden" name="version" value=(version); }
                    div { button type="submit" { "Remove " (name) } }
                }
            }
        }
    }
}

fn read_only(name: &str) -> Markup {
    html! {
        p.crumbs { a href="/console/services" { "Services" } " / " a href=(here(name)) { (name) } }
        div.head { div { h1 { "Edit " (name) } } }
        (ui::empty("Defined in aiva.toml", "Change it there, then restart or reload AIVA."))
    }
}

fn form(typed: &Typed, action: &Link, verb: &str, refused: Option<&Failure>, named: bool) -> Markup {
    let text = |name: &str, words: &str, hint: &str, value: &str| input(name, words, hint, value, refused);
    let many = |name: &str, words: &str, hint: &str, value: &str| area(name, words, hint, value, refused);
    html! {
        @if let Some(failure) = refused { (notice(failure)) }
        section.panel aria-label="Service" { div.body {
            form.fields method="post" action=(action) {
                @if let Some(version) = typed.version { input type="hidden" name="version" value=(version); }
                @if named { (text("name", "Name", "Small letters, digits, dots, dashes. It stays.", &typed.name)) }
                (many("owners", "Owners", "Who is told: a #channel or an address, one a line.", &typed.owners))
                (many("source", "Source", "Folders and files with its code, one a line, relative to the folder of the configuration.", &typed.source))
                (text("egress_role", "Egress role", "What it may reach.", &typed.egress_role))
                (many("oauth_clients", "OAuth clients", "One a line.", &typed.oauth_clients))
                (text("aws_account", "AWS account", "Twelve digits.", &typed.aws_account))
                (text("azure_subscription", "Azure subscription", "", &typed.azure_subscription))
                (text("gcp_project", "GCP project", "", &typed.gcp_project))
                (many("tags", "Tags", "What its cloud resources carry: name=value, one a line.", &typed.tags))
                div { button.primary type="submit" { (verb) } }
            }
        } }
    }
}

fn input(name: &str, words: &str, hint: &str, value: &str, refused: Option<&Failure>) -> Markup {
    let wrong = wrong(name, refused);
    let input = html! {
        input id=(name) name=(name) value=(value) required[name == "name"] maxlength="200" autocomplete="off" spellcheck="false"
            aria-describedby=(format!("{name}-hint")) aria-invalid=[wrong.as_ref().map(|_| "true")];
    };
    ui::field(name, words, hint, wrong, &input)
}

fn area(name: &str, words: &str, hint: &str, value: &str, refused: Option<&Failure>) -> Markup {
    let wrong = wrong(name, refused);
    let input = html! {
        textarea id=(name) name=(name) rows="3" autocomplete="off" spellcheck="false"
            aria-describedby=(format!("{name}-hint")) aria-invalid=[wrong.as_ref().map(|_| "true")] { (value) }
    };
    ui::field(name, words, hint, wrong, &input)
}

/// What the API says of a field: `/description/owners/0` and `/owners/0` are both about `owners`.
fn wrong(name: &str, refused: Option<&Failure>) -> Option<String> {
    let about = |pointer: &str| pointer.split('/').any(|part| part == name);
    let fields = refused.map_or(&[][..], Failure::fields);
    fields.iter().find(|field| about(&field.pointer)).map(|field| field.message.clone())
}
