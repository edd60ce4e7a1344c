//! CycloneDX 1.6 as XML, with the same content and serial number as the JSON. The order of elements is the schema's.

use std::fmt::Write as _;

use super::cyclonedx::{ROOT, affects, analysis, depends, rated, recommendation, scope, serial_number, status};
use super::{Bom, Component, Vulnerability, address, database, web};
use crate::package::Source;

/// The bill as CycloneDX 1.6 XML.
pub fn cyclonedx_xml(bom: &Bom<'_>) -> String {
    let mut out = Xml(String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"));
    let serial = serial_number(bom);
    let attributes = [("xmlns", "http://cyclonedx.org/schema/bom/1.6"), ("serialNumber", &serial), ("version", "1")];
    out.inside("bom", &attributes, |out| {
        out.inside("metadata", &[], |out| {
            out.text("timestamp", &bom.created());
            out.inside("tools", &[], |out| {
                out.inside("components", &[], |out| {
                    out.inside("component", &[("type", "application")], |out| {
                        out.text("name", "aiva");
                        out.text("version", bom.made.version);
                    });
                });
            });
            out.inside("component", &[("type", "application"), ("bom-ref", ROOT)], |out| {
                out.text("name", bom.made.target);
            });
        });
        out.inside("components", &[], |out| {
            for file in &bom.files {
                out.inside("component", &[("type", "file"), ("bom-ref", &file.reference)], |out| {
                    out.text("name", &file.input.path);
                    properties(out, &[("aiva:format", &*file.input.kind), ("aiva:status", file.input.status.name())]);
                });
            }
            bom.components.iter().for_each(|one| component(out, one));
        });
        out.inside("dependencies", &[], |out| {
            for (from, to) in depends(bom) {
                out.inside("dependency", &[("ref", from)], |out| {
                    to.iter().for_each(|to| out.empty("dependency", &[("ref", to)]));
                });
            }
        });
        compositions(out, bom);
        if !bom.vulnerabilities.is_empty() {
            out.inside("vulnerabilities", &[], |out| {
                bom.vulnerabilities.iter().for_each(|one| vulnerability(out, bom, one));
            });
        }
    });
    out.0
}

fn component(out: &mut Xml, one: &Component<'_>) {
    let kind = if matches!(one.source, Source::Path(_)) { "application" } else { "library" };
    out.inside("component", &[("type", kind), ("bom-ref", &one.reference)], |out| {
        out.text("name", one.name);
        if !one.version.is_empty() {
            out.text("version", one.version);
        }
        out.text("scope", scope(one.scope));
        let declared = one.declared();
        if declared.is_some() || !one.licences.is_empty() {
            out.inside("licenses", &[], |out| {
                if let Some(expression) = declared {
                    return out.line("expression", &[("acknowledgement", "declared")], &expression);
                }
                one.licences.iter().for_each(|name| out.inside("license", &[], |out| out.text("name", name)));
            });
        }
        if let Some(purl) = &one.purl {
            out.text("purl", purl);
        }
        properties(out, &super::cyclonedx::properties(one));
        out.inside("evidence", &[], |out| {
            out.inside("occurrences", &[], |out| {
                for (path, line) in &one.places {
                    out.inside("occurrence", &[], |out| {
                        out.text("location", path);
                        out.text("line", &line.to_string());
                    });
                }
            });
            if let Some(expression) = one.concluded() {
                out.inside("licenses", &[], |out| {
                    out.line("expression", &[("acknowledgement", "concluded")], &expression);
                });
            }
        });
    });
}

fn properties(out: &mut Xml, pairs: &[(&str, &str)]) {
    out.inside("properties", &[], |out| {
        pairs.iter().for_each(|(name, value)| out.line("property", &[("name", name)], value));
    });
}

fn compositions(out: &mut Xml, bom: &Bom<'_>) {
    out.inside("compositions", &[], |out| {
        out.inside("composition", &[], |out| {
            out.text("aggregate", if bom.is_complete() { "complete" } else { "incomplete" });
            out.inside("assemblies", &[], |out| out.empty("assembly", &[("ref", ROOT)]));
        });
        let mut blind = bom.files.iter().filter(|file| !file.has_graph).peekable();
        if blind.peek().is_some() {
            out.inside("composition", &[], |out| {
                out.text("aggregate", "unknown");
                out.inside("dependencies", &[], |out| {
                    blind.for_each(|file| out.empty("dependency", &[("ref", &file.reference)]));
                });
            });
        }
    });
}

fn vulnerability(out: &mut Xml, bom: &Bom<'_>, one: &Vulnerability<'_>) {
    let finding = &*one.finding;
    let source = |out: &mut Xml, id: &str| {
        out.inside("source", &[], |out| {
            out.text("name", database(id));
            out.text("url", &address(id));
        });
    };
    out.inside("vulnerability", &[("bom-ref", &one.reference)], |out| {
        out.text("id", &finding.id);
        source(out, &finding.id);
        if !finding.aliases.is_empty() {
            out.inside("references", &[], |out| {
                for alias in &finding.aliases {
                    out.inside("reference", &[], |out| {
                        out.text("id", alias);
                        source(out, alias);
                    });
                }
            });
        }
        out.inside("ratings", &[], |out| {
            let rated = rated(finding);
            out.inside("rating", &[], |out| {
                if let Some(score) = rated.score {
                    out.text("score", &score.to_string());
                }
                out.text("severity", rated.severity);
                if let (Some(method), Some(vector)) = (rated.method, rated.vector) {
                    out.text("method", method);
                    out.text("vector", vector);
                }
            });
        });
        out.text("description", &finding.summary);
        if !finding.description.is_empty() {
            out.text("detail", &finding.description);
        }
        out.text("recommendation", &recommendation(finding));
        if web(finding).next().is_some() {
            out.inside("advisories", &[], |out| {
                web(finding).for_each(|url| out.inside("advisory", &[], |out| out.text("url", url)));
            });
        }
        if let Some(analysis) = analysis(finding) {
            out.inside("analysis", &[], |out| {
                out.text("state", analysis.state);
                if let Some(justification) = analysis.justification {
                    out.text("justification", justification);
                }
                if let Some(response) = analysis.response {
                    out.inside("responses", &[], |out| out.text("response", response));
                }
                out.text("detail", &analysis.detail);
            });
        }
        out.inside("affects", &[], |out| {
            for (reference, version) in affects(bom, one) {
                out.inside("target", &[], |out| {
                    out.text("ref", reference);
                    out.inside("versions", &[], |out| {
                        out.inside("version", &[], |out| {
                            out.text("version", version);
                            out.text("status", status(finding));
                        });
                    });
                });
            }
        });
        let told = one.properties();
        if !told.is_empty() {
            properties(out, &told.iter().map(|(name, value)| (*name, value.as_str())).collect::<Vec<_>>());
        }
    });
}

/// Text that grows by whole elements; whatever stands in them is escaped.
struct Xml(String);

impl Xml {
    fn inside(&mut self, name: &str, attributes: &[(&str, &str)], content: impl FnOnce(&mut Self)) {
        self.open(name, attributes);
        self.0.push_str(">\n");
        content(self);
        self.close(name);
    }

    fn line(&mut self, name: &str, attributes: &[(&str, &str)], text: &str) {
        self.open(name, attributes);
        self.0.push('>');
        escape(&mut self.0, text);
        self.close(name);
    }

    fn text(&mut self, name: &str, text: &str) {
        self.line(name, &[], text);
    }

    fn empty(&mut self, name: &str, attributes: &[(&str, &str)]) {
        self.open(name, attributes);
        self.0.push_str("/>\n");
    }

    fn open(&mut self, name: &str, attributes: &[(&str, &str)]) {
        write!(self.0, "<{name}").expect("writing to a String cannot fail");
        for (key, value) in attributes {
            write!(self.0, " {key}=\"").expect("writing to a String cannot fail");
            escape(&mut self.0, value);
            self.0.push('"');
        }
    }

    fn close(&mut self, name: &str) {
        writeln!(self.0, "</{name}>").expect("writing to a String cannot fail");
    }
}

/// What XML cannot hold at all is replaced (XML 1.0 §2.2).
fn escape(out: &mut String, text: &str) {
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\r' => out.push_str("&#13;"),
            '\n' | '\t' => out.push(c),
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
}
