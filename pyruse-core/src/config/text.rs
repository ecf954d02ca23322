//! The text of a configuration: one file, and the files that it includes.
//!
//! The texts of all files are joined to one text, so a position in any of them is one number. Positions are turned back
//! into file, line and column when they are shown.

use super::node::{JsonNode, SourceSpan, SyntaxError, parse};
use crate::text::floor_char_boundary;

/// The text of a configuration, and the name of its file. Findings are shown against it.
#[derive(Clone, Debug)]
pub struct ConfigText {
    /// The texts of all files, one after the other.
    text: String,
    files: Vec<ConfigFile>,
    /// What the values of `include` stand for.
    pub(super) includes: Vec<Include>,
}

/// A file of a configuration.
#[derive(Clone, Debug)]
pub(super) struct ConfigFile {
    name: String,
    /// Where its text begins in the joined text.
    start: usize,
    /// Its content. Positions are those in the joined text.
    pub(super) parsed: Result<JsonNode, SyntaxError>,
}

/// What a value of `include` stands for.
#[derive(Clone, Debug)]
pub(super) struct Include {
    /// The value.
    pub(super) at: SourceSpan,
    /// The numbers of the files; or why they cannot be read.
    pub(super) files: Result<Vec<usize>, String>,
}

/// A position in a configuration, for people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TextPosition<'t> {
    /// The name of the file.
    pub file: &'t str,
    /// The number of the line, from 1.
    pub line: usize,
    /// The number of the character in its line, from 1.
    pub column: usize,
}

impl ConfigText {
    /// Makes a configuration of one file. `name` is its path, as the user gave it.
    pub fn new(name: impl Into<String>, text: impl Into<String>) -> ConfigText {
        let mut config = ConfigText { text: String::new(), files: Vec::new(), includes: Vec::new() };
        config.add(name.into(), &text.into());
        config
    }

    /// Adds a file, and returns its number.
    pub(super) fn add(&mut self, name: String, text: &str) -> usize {
        if !self.files.is_empty() {
            self.text.push('\n');
        }
        let start = self.text.len();
        self.text.push_str(text);
        let parsed = match parse(text) {
            Ok(mut root) => {
                if start > 0 {
                    root.shift(start);
                }
                Ok(root)
            }
            Err(e) => Err(SyntaxError { span: e.span.start + start..e.span.end + start, ..e }),
        };
        self.files.push(ConfigFile { name, start, parsed });
        self.files.len() - 1
    }

    /// Returns the name of the main file.
    pub fn name(&self) -> &str {
        &self.files[0].name
    }

    /// Returns the names of all files: the main file, then the included ones.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.files.iter().map(|file| file.name.as_str())
    }

    /// Is this byte in the main file, not in one that it includes?
    pub(crate) fn is_in_main_file(&self, offset: usize) -> bool {
        self.file_of(offset) == 0
    }

    /// Returns the texts of all files, one after the other. Positions are those in this text.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    pub(super) fn file_name(&self, number: usize) -> &str {
        &self.files[number].name
    }

    pub(super) fn file(&self, number: usize) -> &ConfigFile {
        &self.files[number]
    }

    /// Returns the number of the file that holds this byte.
    pub(super) fn file_of(&self, offset: usize) -> usize {
        self.files.partition_point(|file| file.start <= offset).saturating_sub(1)
    }

    /// Returns the bytes of each file.
    pub(crate) fn ranges(&self) -> impl Iterator<Item = SourceSpan> {
        let ends = self.files.iter().skip(1).map(|file| file.start - 1).chain([self.text.len()]);
        self.files.iter().zip(ends).map(|(file, end)| file.start..end)
    }

    /// Finds where the lines begin.
    pub(crate) fn lines(&self) -> Lines<'_> {
        let after = self.text.match_indices('\n').map(|(at, _)| at + 1);
        Lines { source: self, starts: std::iter::once(0).chain(after).collect() }
    }

    /// Returns file, line and column of a byte.
    pub fn position(&self, offset: usize) -> TextPosition<'_> {
        self.lines().position(offset)
    }
}

/// The start of each line, so that a binary search finds the line of a finding. Lines are numbered over all files.
pub(crate) struct Lines<'a> {
    pub(super) source: &'a ConfigText,
    starts: Vec<usize>,
}

impl<'a> Lines<'a> {
    /// Returns the number, from 0, of the line that holds this byte.
    pub(crate) fn number(&self, offset: usize) -> usize {
        self.starts.partition_point(|start| *start <= offset).saturating_sub(1)
    }

    /// Returns the bytes of a line, without its line end.
    pub(crate) fn span(&self, number: usize) -> SourceSpan {
        let end_of_text = self.source.text.len();
        let start = self.starts.get(number).copied().unwrap_or(end_of_text);
        let end = self.starts.get(number + 1).map_or(end_of_text, |next| next - 1);
        start..end.max(start)
    }

    /// Returns file, line and column of a byte.
    pub(super) fn position(&self, offset: usize) -> TextPosition<'a> {
        let file = &self.source.files[self.source.file_of(offset)];
        let offset = floor_char_boundary(&self.source.text, offset);
        let line = self.number(offset);
        TextPosition {
            file: &file.name,
            line: line - self.number(file.start) + 1,
            column: self.source.text[self.starts[line]..offset].chars().count() + 1,
        }
    }
}
