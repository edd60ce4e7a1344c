//! JUnit XML, in the dialect that Jenkins' xunit schema describes and GitLab and Azure read.
//!
//! A suite a file, a test case a finding. A file without findings is one passed case, a finding that is accepted, ruled out or
//! known from the baseline, one that is informational and an entry that nobody could judge are skipped with the reason, a file that was not read to its end is an error: no viewer takes
//! silence for safety.

use std::collections::BTreeMap;

use aiva_contracts::api::{DocumentFinding, DocumentInput, InputStatus, Level};

use super::{
    Document, Standing, introducers, remedy, spoken_entry, spoken_possibility, spoken_statement, standing, symbols,
};

/// The document as JUnit XML.
pub fn junit(document: &Document) -> String {
    let mut findings: BTreeMap<&str, Vec<&DocumentFinding>> = BTreeMap::new();
    for finding in &document.findings {
        findings.entry(&finding.path).or_default().push(finding);
    }
    let mut suites: Vec<Suite> = document
        .inputs
        .iter()
        .map(|input| suite(input, &findings.remove(input.path.as_str()).unwrap_or_default()))
        .collect();
    // A name that had to be cut to be reported is no reason to lose what was found.
    suites.extend(findings.into_iter().map(|(path, findings)| found(path, &findings)));
    let sum = |count: fn(&Suite) -> usize| suites.iter().map(count).sum::<usize>();
    let (tests, failures, errors) = (sum(|suite| suite.tests), sum(|suite| suite.failures), sum(|suite| suite.errors));
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    out.push_str(&format!(
        "<testsuites name=\"aiva scan\" tests=\"{tests}\" failures=\"{failures}\" errors=\"{errors}\">\n"
    ));
    for Suite { name, tests, failures, errors, skipped, cases } in &suites {
        out.push_str(&format!(
            "  <testsuite name=\"{}\" tests=\"{tests}\" failures=\"{failures}\" errors=\"{errors}\" \
             skipped=\"{skipped}\">\n{cases}  </testsuite>\n",
            escaped(name)
        ));
    }
    out.push_str("</testsuites>\n");
    out
}

#[derive(Default)]
struct Suite {
    name: String,
    tests: usize,
    failures: usize,
    errors: usize,
    skipped: usize,
    cases: String,
}

impl Suite {
    fn case(&mut self, name: &str, outcome: &str) {
        self.tests += 1;
        let class = escaped(&self.name);
        let case = format!("    <testcase name=\"{}\" classname=\"{class}\"", escaped(name));
        self.cases.push_str(&case);
        self.cases.push_str(&if outcome.is_empty() { "/>\n".to_owned() } else { format!(">{outcome}</testcase>\n") });
    }
}

/// A suite of findings alone.
fn found(path: &str, findings: &[&DocumentFinding]) -> Suite {
    let mut suite = Suite { name: path.to_owned(), ..Suite::default() };
    for finding in findings {
        let name = format!("{} {}: {}", finding.name, finding.version, finding.id);
        let skip = match standing(finding) {
            // What never fails a scan is no failed test.
            Standing::Open if finding.severity.level == Level::Informational => {
                Some(format!("informational: {}", finding.summary))
            }
            Standing::Open => None,
            Standing::Known => Some("known from the baseline".to_owned()),
            Standing::Suppressed => finding.statement.as_ref().map(spoken_statement),
            Standing::Accepted => finding
                .acceptance
                .as_ref()
                .map(|by| format!("accepted until {} by {}: {}", by.expires, by.owner, by.reason)),
        };
        let outcome = match skip {
            Some(reason) => {
                suite.skipped += 1;
                format!("<skipped message=\"{}\"/>", escaped(&reason))
            }
            None => {
                suite.failures += 1;
                failure(finding)
            }
        };
        suite.case(&name, &outcome);
    }
    suite
}

fn suite(input: &DocumentInput, findings: &[&DocumentFinding]) -> Suite {
    let mut suite = found(&input.path, findings);
    for entry in &input.not_judged {
        suite.skipped += 1;
        let reason = format!("line {}: {}", entry.line, entry.reason);
        let name = format!("{}: not judged", spoken_entry(&entry.name, &entry.requirement));
        suite.case(&name, &format!("<skipped message=\"{}\"/>", escaped(&reason)));
    }
    for entry in &input.can_resolve {
        suite.skipped += 1;
        let reason = format!("line {}: {}", entry.line, spoken_possibility(entry));
        let name = format!("{}: can resolve to an affected version", spoken_entry(&entry.name, &entry.requirement));
        suite.case(&name, &format!("<skipped message=\"{}\"/>", escaped(&reason)));
    }
    if input.status != InputStatus::Parsed {
        suite.errors += 1;
        let problems: Vec<String> = input.problems.iter().map(|p| format!("line {}: {}", p.line, p.message)).collect();
        let outcome = format!(
            "<error type=\"{}\" message=\"not read to its end\">{}</error>",
            input.status,
            escaped(&problems.join("\n"))
        );
        suite.case(&format!("{} can be read", input.kind), &outcome);
    } else if suite.tests == 0 {
        suite.case("no known vulnerability", "");
    }
    suite
}

fn failure(finding: &DocumentFinding) -> String {
    let mut story = vec![format!("{}:{}", finding.path, finding.line), remedy(finding)];
    story.extend(finding.reason.clone());
    story.extend(symbols(finding));
    story.extend(introducers(finding).iter().map(|path| format!("via {path}")));
    story.extend(finding.references.first().cloned());
    format!(
        "<failure type=\"{}\" message=\"{}\">{}</failure>",
        finding.severity.level,
        escaped(&finding.summary),
        escaped(&story.join("\n"))
    )
}

/// Text as XML may hold it, in an attribute or between tags; what XML cannot hold at all is replaced (XML 1.0 §2.2).
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\n' => out.push_str("&#10;"),
            '\t' => out.push_str("&#9;"),
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}
