//! Manual pages in the language of man(7).
//!
//! Converts the plain text of doc comments and help: paragraphs, indented blocks, items that begin with `- `, and words
//! in back-ticks. Paragraphs are filled, blocks are preformatted, items become lists, words in back-ticks become bold.

use roff::{Inline, Roff, bold, roman};

use crate::command::text::wrapped;

/// Before escapes are added, so that a line of the source has fewer than 80.
const SOURCE_COLUMNS: usize = 66;

/// A page that is being written.
pub(super) struct Manual {
    name: String,
    section: &'static str,
    roff: Roff,
    /// Directly after a title, no new paragraph is needed.
    titled: bool,
}

impl Manual {
    pub(super) fn new(name: &str, section: &'static str) -> Manual {
        let mut roff = Roff::new();
        let version = concat!("pyruse ", env!("CARGO_PKG_VERSION"));
        let title = name.to_uppercase();
        roff.control("TH", [title.as_str(), section, "@DATE@", version, "Pyruse"]);
        // Not hyphenated, and ragged right: names of fields and options must be readable as typed.
        roff.control("nh", []).control("ad", ["l"]);
        Manual { name: name.to_owned(), section, roff, titled: false }
    }

    pub(super) fn finish(self) -> super::page::Page {
        (format!("packaging/man/{}.{}.in", self.name, self.section), self.roff.render())
    }

    pub(super) fn section(&mut self, title: &str) {
        self.roff.control("SH", [title]);
        self.titled = true;
    }

    pub(super) fn subsection(&mut self, title: &str) {
        self.roff.control("SS", [title]);
        self.titled = true;
    }

    /// Adds a line of NAME.
    pub(super) fn name(&mut self, name: &str, about: &str) {
        self.section("NAME");
        self.roff.text([roman(format!("{name} - {about}"))]);
    }

    /// Adds a paragraph, keeping its line breaks.
    pub(super) fn usage(&mut self, usage: &str) {
        for (n, line) in usage.lines().map(str::trim).filter(|line| !line.is_empty()).enumerate() {
            if n > 0 {
                self.roff.control("br", []);
            }
            let (program, rest) = line.split_once(' ').unwrap_or((line, ""));
            self.roff.text([bold(program), roman(format!(" {rest}"))]);
        }
    }

    /// Adds a term with its description; further paragraphs have the same indent.
    pub(super) fn item(&mut self, term: Vec<Inline>, text: &str) {
        self.titled = false;
        self.roff.control("TP", []);
        self.roff.text(term);
        let mut blocks = blocks(text).into_iter();
        match blocks.next() {
            Some(Block::Paragraph(first)) => {
                self.roff.text(inlines(&first));
            }
            Some(other) => self.block(other, true),
            None => {
                self.roff.text([roman("\u{a0}")]);
            }
        }
        for block in blocks {
            self.block(block, true);
        }
    }

    /// Adds paragraphs, blocks and lists.
    pub(super) fn prose(&mut self, text: &str) {
        for block in blocks(text) {
            self.block(block, false);
        }
    }

    /// Adds preformatted lines.
    pub(super) fn verbatim(&mut self, lines: &str) {
        self.block(Block::Verbatim(lines.lines().map(str::to_owned).collect()), false);
    }

    /// Indents what follows, until [`Manual::outdent`].
    pub(super) fn indent(&mut self) {
        self.roff.control("RS", []);
    }

    pub(super) fn outdent(&mut self) {
        self.roff.control("RE", []);
    }

    fn block(&mut self, block: Block, within_item: bool) {
        if !std::mem::take(&mut self.titled) && !matches!(block, Block::Items(_)) {
            self.roff.control(if within_item { "IP" } else { "PP" }, []);
        }
        match block {
            Block::Paragraph(text) => {
                self.roff.text(inlines(&text));
            }
            Block::Items(items) => {
                if within_item {
                    self.indent();
                }
                for item in items {
                    self.roff.control("IP", ["\\(bu", "2"]);
                    self.roff.text(inlines(&item));
                }
                if within_item {
                    self.outdent();
                }
            }
            Block::Verbatim(lines) => {
                self.roff.control("RS", ["4"]).control("nf", []);
                for line in lines {
                    self.roff.text([roman(line)]);
                }
                self.roff.control("fi", []).control("RE", []);
            }
        }
    }
}

#[derive(Debug, PartialEq)]
enum Block {
    Paragraph(String),
    Items(Vec<String>),
    Verbatim(Vec<String>),
}

/// Splits a text into blocks. Indented lines are preformatted; empty lines separate paragraphs.
fn blocks(text: &str) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    let mut fresh = true;
    for line in text.lines() {
        if line.trim().is_empty() {
            fresh = true;
            continue;
        }
        match (blocks.last_mut(), line) {
            (Some(Block::Verbatim(lines)), line) if line.starts_with("  ") => {
                if fresh {
                    lines.push(String::new());
                }
                lines.push(line[2..].to_owned());
            }
            (_, line) if line.starts_with("  ") => blocks.push(Block::Verbatim(vec![line[2..].to_owned()])),
            (Some(Block::Items(items)), line) if line.starts_with("- ") => items.push(line[2..].to_owned()),
            (_, line) if line.starts_with("- ") => blocks.push(Block::Items(vec![line[2..].to_owned()])),
            (Some(Block::Paragraph(paragraph)), line) if !fresh => {
                paragraph.push(' ');
                paragraph.push_str(line.trim());
            }
            (Some(Block::Items(items)), line) if !fresh => {
                let item = items.last_mut().map(|item| {
                    item.push(' ');
                    item.push_str(line.trim());
                });
                debug_assert!(item.is_some(), "a list begins with an item");
            }
            (_, line) => blocks.push(Block::Paragraph(line.trim().to_owned())),
        }
        fresh = false;
    }
    blocks
}

/// Makes words in back-ticks bold. Lines of the source are short, as usual in manual pages.
fn inlines(text: &str) -> Vec<Inline> {
    let text = wrapped(text, SOURCE_COLUMNS).join("\n");
    let parts = text.split('`').enumerate().filter(|(_, part)| !part.is_empty());
    parts.map(|(n, part)| if n % 2 == 1 { bold(part) } else { roman(part) }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_consists_of_paragraphs_lists_and_literal_blocks() {
        let text = "One\nparagraph.\n\nExamples:\n  a --b\n\n  c\n- one\n  two\n- three\nmore\n";
        assert_eq!(
            blocks(text),
            [
                Block::Paragraph("One paragraph.".into()),
                Block::Paragraph("Examples:".into()),
                Block::Verbatim(vec!["a --b".into(), String::new(), "c".into()]),
                Block::Items(vec!["one".into()]),
                Block::Verbatim(vec!["two".into()]),
                Block::Items(vec!["three more".into()]),
            ]
        );
    }
}
