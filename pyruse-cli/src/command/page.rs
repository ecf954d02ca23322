//! A page for a terminal: titles, wrapped paragraphs, and preformatted lines.

use std::fmt::Write as _;

use super::text::wrapped;

/// A page that is being written.
pub(super) struct TextPage {
    pub(super) out: String,
    width: usize,
}

impl TextPage {
    /// Creates a page for a terminal with this many columns.
    pub(super) fn new(title: &str, width: usize) -> TextPage {
        TextPage { out: format!("{title}\n"), width }
    }

    pub(super) fn title(&mut self, title: &str) {
        self.out.push('\n');
        self.prose(title, 0);
    }

    pub(super) fn prose(&mut self, text: &str, indent: usize) {
        for line in wrapped(text, self.width.saturating_sub(indent)) {
            let _ = writeln!(self.out, "{:indent$}{line}", "");
        }
    }

    /// Adds preformatted lines, which can be copied.
    pub(super) fn verbatim(&mut self, text: &str, indent: usize) {
        for line in text.lines() {
            let _ = writeln!(self.out, "{}", format!("{:indent$}{line}", "").trim_end());
        }
    }
}
