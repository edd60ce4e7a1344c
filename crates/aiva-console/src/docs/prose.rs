//! Shows the little Markdown that descriptions use: paragraphs, lists, code spans and code blocks. Everything else is text.

use maud::{Markup, html};

/// A description as HTML.
pub(crate) fn prose(text: &str) -> Markup {
    html! {
        @for block in blocks(text) {
            @match block {
                Block::Paragraph(text) => p { (spans(&text)) },
                Block::Heading(text) => p { b { (spans(&text)) } },
                Block::List(items) => ul.bullets { @for item in items { li { (spans(&item)) } } },
                Block::Code(text) => pre.code tabindex="0" { code { (text) } },
            }
        }
    }
}

/// One line of text with its code spans.
pub(crate) fn spans(text: &str) -> Markup {
    html! {
        @for (at, part) in text.split('`').enumerate() {
            @if at % 2 == 1 { code { (part) } } @else { (part) }
        }
    }
}

enum Block {
    Paragraph(String),
    Heading(String),
    List(Vec<String>),
    Code(String),
}

fn blocks(text: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        let line = line.trim_end();
        if line.trim_start().starts_with("```") {
            let code: Vec<&str> = lines.by_ref().take_while(|line| !line.trim_start().starts_with("```")).collect();
            blocks.push(Block::Code(code.join("\n")));
        } else if line.starts_with('#') {
            blocks.push(Block::Heading(line.trim_start_matches('#').trim().to_owned()));
        } else if let Some(item) = line.trim_start().strip_prefix("- ") {
            match blocks.last_mut() {
                Some(Block::List(items)) => items.push(item.to_owned()),
                _ => blocks.push(Block::List(vec![item.to_owned()])),
            }
        } else if !line.is_empty() {
            match blocks.last_mut() {
                Some(Block::List(items)) if line.starts_with("  ") => {
                    if let Some(item) = items.last_mut() {
                        item.push(' ');
                        item.push_str(line.trim_start());
                    }
                }
                _ => blocks.push(Block::Paragraph(paragraph(line, &mut lines))),
            }
        }
    }
    blocks
}

fn paragraph<'a>(first: &str, lines: &mut std::iter::Peekable<impl Iterator<Item = &'a str>>) -> String {
    let mut text = first.trim().to_owned();
    while let Some(next) = lines.next_if(|line| {
        let line = line.trim_start();
        !line.is_empty() && !line.starts_with("- ") && !line.starts_with("```") && !line.starts_with('#')
    }) {
        text.push(' ');
        text.push_str(next.trim());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, want: &str) {
        assert_eq!(prose(text).into_string(), want);
    }

    #[test]
    fn the_little_that_we_use_is_shown() {
        check("one\ntwo\n\nthree `x<y`", "<p>one two</p><p>three <code>x&lt;y</code></p>");
        check("- a\n  b\n- c", r#"<ul class="bullets"><li>a b</li><li>c</li></ul>"#);
        check("see:\n- a", r#"<p>see:</p><ul class="bullets"><li>a</li></ul>"#);
        check("```\n<a>\n```\nend", "<pre class=\"code\" tabindex=\"0\"><code>&lt;a&gt;</code></pre><p>end</p>");
        check("## Head\n<b>", "<p><b>Head</b></p><p>&lt;b&gt;</p>");
        check("", "");
    }
}
