//! An ACL that another guard obeys means the same here, or says where not.

use super::*;

const SAMPLE: &str = r#"---
version: v1
services:
  - name: Enforce_Srv@1
    project: usersec
    action: enforce
    allowed_domains:
      - example1.com
      - badexample1.com # beats the global deny list
  - name: report-srv
    action: report
    allowed_domains: [example3.com]
  - name: open-srv
    action: open
    allowed_domains:
  - name: glob
    action: enforce
    allowed_domains: ["*.example.com", "Db.Corp.Internal", "10.0.0.1"]
    allowed_external_proxies: [proxy.example.com]
    mitm_domains: [{domain: "*.example.com", detailed_http_logs: true}]
default:
  project: other
  action: report
  allowed_domains: [default.example.com]
global_allow_list: [good.example, both.example]
global_deny_list: [badexample1.com, badexample2.com, both.example, "*.example3.com"]
colour: blue
"#;

#[test]
fn an_acl_becomes_roles_that_decide_alike() {
    let import = import(SAMPLE).unwrap();
    let lists = |name: &str| {
        let role = &import.roles[name];
        (role.mode, role.allow_domains.join(" "), role.deny_domains.join(" "))
    };
    let rows = [
        // Its own name beats the deny list there, so the entry is gone; what nothing allows needs no entry.
        ("enforce_srv-1", Mode::Enforce, "example1.com badexample1.com good.example both.example", "both.example"),
        (
            "report-srv",
            Mode::Report,
            "example3.com good.example both.example",
            "badexample1.com badexample2.com both.example *.example3.com",
        ),
        (
            "open-srv",
            Mode::Open,
            "good.example both.example",
            "badexample1.com badexample2.com both.example *.example3.com",
        ),
        ("glob", Mode::Enforce, "*.example.com db.corp.internal good.example both.example", "both.example"),
        (
            "default",
            Mode::Report,
            "default.example.com good.example both.example",
            "badexample1.com badexample2.com both.example *.example3.com",
        ),
    ];
    assert_eq!(import.roles.len(), rows.len());
    for (name, mode, allow, deny) in rows {
        assert_eq!(lists(name), (mode, allow.to_owned(), deny.to_owned()), "{name}");
    }
}

#[test]
fn what_is_not_carried_is_said() {
    let remarks: Vec<String> = import(SAMPLE).unwrap().remarks.iter().map(ToString::to_string).collect();
    let wanted = [
        "the file: \"colour\" is not known",
        "its role is called \"enforce_srv-1\"",
        "service glob: db.corp.internal is an internal name",
        "service glob: \"10.0.0.1\" is no host name",
        "service glob: allowed_external_proxies was left out",
        "service glob: mitm_domains was left out",
    ];
    for want in wanted {
        assert!(remarks.iter().any(|remark| remark.contains(want)), "{want}: {remarks:#?}");
    }
    assert_eq!(remarks.len(), wanted.len(), "{remarks:#?}");
}

#[test]
fn of_a_wildcard_what_is_below_it_counts() {
    for (entry, is_internal) in [("*.com", false), ("*.corp", true), ("*.corp.internal", true), ("corp", true)] {
        let acl = format!("version: v1\nservices: [{{name: a, action: enforce, allowed_domains: [\"{entry}\"]}}]\n");
        let import = import(&acl).unwrap();
        assert_eq!(import.roles["a"].allow_domains, [entry]);
        assert_eq!(import.remarks.iter().any(|remark| remark.text.contains("internal name")), is_internal, "{entry}");
    }
}

#[test]
fn the_two_orders_of_allow_and_deny_never_widen() {
    let acl = |deny: &str| {
        format!(
            "version: v1\nservices: [{{name: a, action: open, allowed_domains: [\"api.bad.example\"]}}]\n\
             global_deny_list: [\"{deny}\"]\n"
        )
    };
    let wide = import(&acl("*.bad.example")).unwrap();
    assert_eq!(wide.roles["a"].deny_domains, ["*.bad.example"]);
    assert!(wide.remarks[0].text.contains("api.bad.example stays refused"), "{:?}", wide.remarks);
    let same = import(&acl("api.bad.example")).unwrap();
    assert!(same.roles["a"].deny_domains.is_empty() && same.remarks.is_empty(), "{same:?}");
    // Nobody without a rule passes, as there.
    assert_eq!(same.roles["default"].mode, Mode::Enforce);
    assert!(same.roles["default"].allow_domains.is_empty());
}

#[test]
fn the_roles_are_toml() {
    let import = import(SAMPLE).unwrap();
    let document: toml_edit::DocumentMut = import.toml().parse().unwrap();
    let role = &document["egress"]["roles"]["enforce_srv-1"];
    assert_eq!(role["mode"].as_str(), Some("enforce"));
    assert_eq!(role["allow_domains"].as_array().map(toml_edit::Array::len), Some(4));
    assert!(import.comments().lines().all(|line| line.starts_with("# ")));
}

#[test]
fn what_is_no_acl_is_refused() {
    let rows = [
        ("", "empty"),
        ("version: v2\nservices: []\n", "\"v2\""),
        ("services: []\n", "version"),
        ("version: v1\n", "services"),
        ("version: v1\nservices: [{name: a, action: maybe}]\n", "maybe"),
        ("version: v1\nservices: [{name: a, action: open}, {name: A, action: open}]\n", "twice"),
        ("version: v1\nservices: &x [*x]\n", "alias"),
        ("version: v1\nversion: v1\nservices: []\n", "twice"),
        ("[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]", "deep"),
    ];
    for (text, want) in rows {
        let error = import(text).unwrap_err().to_string();
        assert!(error.contains(want), "{text:?}: {error}");
    }
}
