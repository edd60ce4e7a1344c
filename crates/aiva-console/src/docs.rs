//! `GET /docs`: the API for people, made from `api/openapi.yaml` when it is first asked for.
//!
//! Promises: every operation of the contract is on the page, with its permission, parameters, bodies, answers and a `curl`
//! line that runs. No script is needed and none is loaded from elsewhere.

mod node;
mod prose;
mod schema;

use maud::{DOCTYPE, Markup, html};

use crate::{assets, layout};
use node::Node;
pub(crate) use node::ReadError;
use prose::prose;

const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];

/// One operation with its place.
struct Operation<'a> {
    method: &'a str,
    path: &'a str,
    node: &'a Node,
    shared: &'a Node,
}

impl Operation<'_> {
    fn id(&self) -> &str {
        self.node.at("operationId").text()
    }

    fn tag(&self) -> &str {
        self.node.at("tags").items().first().map_or("other", Node::text)
    }

    fn summary(&self) -> &str {
        match self.node.at("summary").text() {
            "" => self.id(),
            summary => summary,
        }
    }
}

/// The whole page for one contract.
pub(crate) fn page(contract: &str) -> Result<String, ReadError> {
    let root = Node::read(contract)?;
    let operations = operations(&root);
    let tags = tags(&root, &operations);
    let title = root.at("info").at("title").text();
    let markup = html! {
        (DOCTYPE)
        html lang="en" {
            (layout::head("API", None))
            body {
                a.skip href="#main" { "Skip to content" }
                div.docs {
                    aside.side {
                        (layout::brand("/console"))
                        (contents(&tags, &operations))
                    }
                    main #main tabindex="-1" {
                        div.head { div {
                            h1 { (title) }
                            p.sub { span { "Version " (root.at("info").at("version").text()) } span.dot { a href="/console" { "Console" } } }
                        } }
                        div.prose-block { (prose(root.at("info").at("description").text())) }
                        @for (tag, about) in &tags {
                            section aria-labelledby=(format!("tag-{tag}")) {
                                h2 id=(format!("tag-{tag}")) { (title_case(tag)) }
                                @if !about.is_empty() { p { (about) } }
                                @for operation in operations.iter().filter(|operation| operation.tag() == tag) {
                                    (one(operation, &root))
                                }
                            }
                        }
                        (codes(&root))
                        (schemas(&root))
                    }
                }
                script src=(assets::SCRIPT.url()) defer {}
            }
        }
    };
    Ok(markup.into_string())
}

fn operations(root: &Node) -> Vec<Operation<'_>> {
    let paths = root.at("paths").pairs().iter();
    paths
        .flat_map(|(path, item)| {
            let methods = item.pairs().iter().filter(|(method, _)| METHODS.contains(&method.as_str()));
            methods.map(move |(method, node)| Operation { method, path, node, shared: item })
        })
        .collect()
}

/// Tags in the order of the contract, then those that only operations name.
fn tags(root: &Node, operations: &[Operation<'_>]) -> Vec<(String, String)> {
    let declared = root.at("tags").items().iter();
    let mut tags: Vec<(String, String)> =
        declared.map(|tag| (tag.at("name").text().to_owned(), tag.at("description").text().to_owned())).collect();
    for operation in operations {
        if !tags.iter().any(|(name, _)| name == operation.tag()) {
            tags.push((operation.tag().to_owned(), String::new()));
        }
    }
    tags.retain(|(name, _)| operations.iter().any(|operation| operation.tag() == name));
    tags
}

fn contents(tags: &[(String, String)], operations: &[Operation<'_>]) -> Markup {
    html! {
        nav.toc aria-label="Operations" {
            @for (tag, _) in tags {
                h2 { (title_case(tag)) }
                @for operation in operations.iter().filter(|operation| operation.tag() == tag) {
                    a href=(format!("#{}", operation.id())) { (method(operation.method)) span title=(operation.summary()) { (operation.id()) } }
                }
            }
            h2 { "Reference" }
            a href="#codes" { span {} span { "Errors" } }
            a href="#schemas" { span {} span { "Schemas" } }
        }
    }
}

fn method(method: &str) -> Markup {
    html! { span class=(format!("method {method}")) { (method.to_uppercase()) } }
}

fn one(operation: &Operation<'_>, root: &Node) -> Markup {
    let node = operation.node;
    let body = node.at("requestBody").follow(root).at("content");
    html! {
        article.panel.op id=(operation.id()) {
            header {
                (method(operation.method))
                h3 { code { (operation.path) } }
                @match node.at("x-permission").text() {
                    "" => {}
                    "public" | "none" => span.badge.outline { "open to everybody" },
                    permission => span.badge.outline { "needs " (permission) },
                }
            }
            div.body {
                p.lead { (operation.summary()) }
                (prose(node.at("description").text()))
                (parameters(operation, root))
                @for (media, content) in body.pairs() {
                    h4 { "Body, " code { (media) } }
                    p { (schema::kind(content.at("schema"))) }
                }
                h4 { "Answers" }
                (answers(node, root))
                h4 { "Example" }
                pre.code tabindex="0" { code { (curl(operation, root)) } }
            }
        }
    }
}

fn parameters(operation: &Operation<'_>, root: &Node) -> Markup {
    let all: Vec<&Node> = [operation.shared, operation.node]
        .into_iter()
        .flat_map(|holder| holder.at("parameters").items())
        .map(|parameter| parameter.follow(root))
        .collect();
    html! {
        @if !all.is_empty() {
            h4 { "Parameters" }
            div.scroll { table {
                caption.sr { "Parameters of " (operation.id()) }
                thead { tr { th scope="col" { "Name" } th scope="col" { "In" } th scope="col" { "Type" } th scope="col" { "Meaning" } } }
                tbody { @for parameter in all {
                    @let schema = parameter.at("schema").follow(root);
                    tr {
                        td.nowrap { code { (parameter.at("name").text()) } @if parameter.at("required").text() == "true" { " " span.badge.square { "required" } } }
                        td { (parameter.at("in").text()) }
                        td { (schema::kind(parameter.at("schema"))) }
                        td { (prose::spans(parameter.at("description").text())) (limit_line(schema)) }
                    }
                } }
            } }
        }
    }
}

fn limit_line(schema: &Node) -> Markup {
    let limits = schema::limits(schema);
    html! { @if !limits.is_empty() { span.where { (limits) } } }
}

fn answers(node: &Node, root: &Node) -> Markup {
    let (good, refused): (Vec<_>, Vec<_>) =
        node.at("responses").pairs().iter().partition(|(status, _)| status.starts_with(['2', '3']));
    html! {
        div.scroll { table {
            caption.sr { "Answers" }
            thead { tr { th scope="col" { "Status" } th scope="col" { "Meaning" } th scope="col" { "Body" } } }
            tbody { @for (status, answer) in good {
                @let answer = answer.follow(root);
                tr {
                    td.num { code { (status) } }
                    td { (prose::spans(answer.at("description").text())) }
                    td { @for (media, content) in answer.at("content").pairs() {
                        span.line { (schema::kind(content.at("schema"))) " " span.muted.small { (media) } }
                    } }
                }
            } }
        } }
        @if !refused.is_empty() {
            p.small.soft.refusals {
                "Refused with "
                @for (status, answer) in refused { span.badge.square.outline title=(answer.follow(root).at("description").text()) { (status) } " " }
                "as a " a href="#codes" { "problem" } "."
            }
        }
    }
}

/// A line that runs once `AIVA` and `TOKEN` are set.
fn curl(operation: &Operation<'_>, root: &Node) -> String {
    let node = operation.node;
    let mut line = String::from("curl");
    if operation.method != "get" {
        line.push_str(&format!(" -X {}", operation.method.to_uppercase()));
    }
    let open = matches!(node.at("x-permission").text(), "public" | "none");
    if !open {
        line.push_str(" -H \"Authorization: Bearer $TOKEN\"");
    }
    let named = |name: &str| {
        let holders = [operation.shared, node];
        holders
            .iter()
            .flat_map(|h| h.at("parameters").items())
            .any(|p| p.follow(root).at("name").text().eq_ignore_ascii_case(name))
    };
    if named("Idempotency-Key") {
        line.push_str(" \\\n  -H \"Idempotency-Key: $(uuidgen)\"");
    }
    if named("If-Match") {
        line.push_str(" \\\n  -H 'If-Match: \"1\"'");
    }
    if let Some((media, content)) = node.at("requestBody").follow(root).at("content").pairs().first() {
        let body = if content.has("example") {
            schema::example(content, root)
        } else {
            schema::example(content.at("schema"), root)
        };
        line.push_str(&format!(" \\\n  -H 'Content-Type: {media}' -d '{}'", body.replace('\'', "'\\''")));
    }
    line.push_str(&format!(" \\\n  \"$AIVA{}\"", operation.path.replace('{', "$").replace('}', "")));
    line
}

/// The codes that a problem can carry, if the contract lists them.
fn codes(root: &Node) -> Markup {
    let problem = root.at("components").at("schemas").at("Problem");
    let listed = root.at("x-error-codes").pairs();
    html! {
        section aria-labelledby="codes" {
            h2 #codes { "Errors" }
            p {
                "Every refusal is " code { "application/problem+json" } " with a stable " code { "code" } " to branch on and a "
                code { "request_id" } " to quote. " (problem.at("description").text())
            }
            article.panel.op { div.body {
                pre.code tabindex="0" { code {
                    "{\n  \"type\": \"urn:aiva:problem:validation_failed\",\n  \"title\": \"Unprocessable Content\",\n  \"status\": 422,\n"
                    "  \"code\": \"validation_failed\",\n  \"detail\": \"the body is not valid; see errors\",\n"
                    "  \"request_id\": \"01960a3e-6f2b-7c11-9d55-3f0c5b1d2e4a\",\n"
                    "  \"errors\": [{ \"pointer\": \"/expires\", \"message\": \"must be in the future\" }]\n}"
                } }
                (refusals(root))
                @if !listed.is_empty() {
                    div.scroll { table {
                        caption.sr { "Error codes" }
                        thead { tr { th scope="col" { "Code" } th scope="col" { "Meaning" } } }
                        tbody { @for (code, meaning) in listed { tr { td { code { (code) } } td { (prose::spans(meaning.text())) } } } }
                    } }
                }
            } }
        }
    }
}

/// What the statuses of refusals mean, said once for all operations.
fn refusals(root: &Node) -> Markup {
    let all = operations(root);
    let mut seen: Vec<(&str, &str)> = all
        .iter()
        .flat_map(|operation| operation.node.at("responses").pairs())
        .filter(|(status, _)| status.starts_with(['4', '5']))
        .map(|(status, answer)| (status.as_str(), answer.follow(root).at("description").text()))
        .collect();
    seen.sort_unstable();
    seen.dedup();
    html! {
        div.scroll { table {
            caption.sr { "Statuses of refusals" }
            thead { tr { th scope="col" { "Status" } th scope="col" { "Meaning" } } }
            tbody { @for (status, meaning) in seen { tr { td { code { (status) } } td { (prose::spans(meaning)) } } } }
        } }
    }
}

fn schemas(root: &Node) -> Markup {
    html! {
        section aria-labelledby="schemas" {
            h2 #schemas { "Schemas" }
            @for (name, schema) in root.at("components").at("schemas").pairs() {
                article.panel.op id=(format!("schema-{name}")) {
                    header { h3 { (name) } span.note { (schema::kind_of_whole(schema)) } }
                    div.body {
                        (prose(schema.at("description").text()))
                        (limit_line(schema))
                        (properties(name, schema, root))
                    }
                }
            }
        }
    }
}

fn properties(name: &str, schema: &Node, root: &Node) -> Markup {
    let required: Vec<&str> = schema.at("required").items().iter().map(Node::text).collect();
    let properties = schema.at("properties").pairs();
    html! {
        @if !properties.is_empty() {
            div.scroll { table {
                caption.sr { "Properties of " (name) }
                thead { tr { th scope="col" { "Property" } th scope="col" { "Type" } th scope="col" { "Meaning" } } }
                tbody { @for (property, schema) in properties {
                    tr {
                        td.nowrap { code { (property) } @if required.contains(&property.as_str()) { " " span.badge.square { "always" } } }
                        td { (schema::kind(schema)) }
                        td { (prose::spans(schema.at("description").text())) (limit_line(schema.follow(root))) }
                    }
                } }
            } }
        }
    }
}

fn title_case(tag: &str) -> String {
    let mut letters = tag.replace(['-', '_'], " ").chars().collect::<Vec<_>>();
    if let Some(first) = letters.first_mut() {
        *first = first.to_ascii_uppercase();
    }
    letters.into_iter().collect()
}
