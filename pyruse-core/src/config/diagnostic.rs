//! Findings: what is wrong with a configuration, where, and what to write instead.
//!
//! All findings are collected in one [`Diagnostics`], so that a user can correct a file in one go. This module alone
//! decides how a finding is drawn (source line and caret).

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::Write as _;

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};
use serde::Serialize;

use super::lint::{Lint, Severity};
use super::node::SourceSpan;
use super::text::{ConfigText, Lines, TextPosition};
use crate::text::{self, is_hidden, printable};

/// A step of the configuration.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StepPlace {
    /// The chain's label.
    pub chain: String,
    /// The number of the step in its chain, from 0; `None` if the finding is about the whole chain.
    pub step: Option<usize>,
}

/// One finding.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Diagnostic {
    /// Error or warning.
    pub severity: Severity,
    /// What is wrong.
    pub message: String,
    /// Where in the source.
    pub span: SourceSpan,
    /// The text under the caret.
    pub label: Option<String>,
    /// The step that the finding belongs to.
    pub place: Option<StepPlace>,
    /// Further information, e.g. the path by which an entry gets there.
    pub notes: Vec<String>,
    /// What to write instead.
    pub help: Option<String>,
    /// The lint that reported it.
    pub lint: Option<&'static Lint>,
}

/// All findings on one source text.
#[derive(Clone, Debug, Default)]
pub struct Diagnostics {
    found: Vec<Diagnostic>,
    /// The number of further findings of each lint that are not shown.
    beyond: BTreeMap<&'static str, (Severity, usize)>,
}

impl Diagnostics {
    /// Adds a finding.
    pub(crate) fn push(&mut self, diagnostic: Diagnostic) {
        self.found.push(diagnostic);
    }

    /// Adds an error.
    pub(crate) fn error(
        &mut self,
        span: SourceSpan,
        place: Option<StepPlace>,
        message: impl Into<String>,
    ) -> &mut Diagnostic {
        self.add(Severity::Error, span, place, message.into())
    }

    /// Adds a warning.
    pub(crate) fn warning(
        &mut self,
        span: SourceSpan,
        place: Option<StepPlace>,
        message: impl Into<String>,
    ) -> &mut Diagnostic {
        self.add(Severity::Warning, span, place, message.into())
    }

    fn add(
        &mut self,
        severity: Severity,
        span: SourceSpan,
        place: Option<StepPlace>,
        message: String,
    ) -> &mut Diagnostic {
        let at = self.found.len();
        self.found.push(Diagnostic::new(severity, span, place, message));
        &mut self.found[at]
    }

    /// Returns `true` if at least one finding is an error.
    pub fn has_errors(&self) -> bool {
        self.found.iter().any(|d| d.severity == Severity::Error)
    }

    /// Adds a finding of a lint.
    pub(crate) fn lint(
        &mut self,
        lint: &'static Lint,
        span: SourceSpan,
        place: Option<StepPlace>,
        message: impl Into<String>,
    ) -> &mut Diagnostic {
        let finding = self.add(lint.severity, span, place, message.into());
        finding.lint = Some(lint);
        finding
    }

    /// Returns the number of errors and of warnings.
    pub fn counts(&self) -> (usize, usize) {
        (self.count(Severity::Error), self.count(Severity::Warning))
    }

    /// Returns the number of findings with this severity.
    pub fn count(&self, severity: Severity) -> usize {
        let beyond = self.beyond.values().filter(|(of, _)| *of == severity).map(|(_, more)| more);
        self.found.iter().filter(|d| d.severity == severity).count() + beyond.sum::<usize>()
    }

    /// Keeps the first `most` findings of each lint, in order of position. The others are counted, and the last finding
    /// that is kept states their number.
    pub(crate) fn bound(&mut self, most: usize) {
        self.found.sort_by_key(|d| (d.span.start, d.span.end));
        let mut seen: BTreeMap<&'static str, usize> = BTreeMap::new();
        let beyond = &mut self.beyond;
        self.found.retain(|found| {
            let Some(lint) = found.lint else { return true };
            let seen = seen.entry(lint.code).or_default();
            *seen += 1;
            if *seen > most {
                beyond.entry(lint.code).or_insert((found.severity, 0)).1 += 1;
            }
            *seen <= most
        });
        for (code, (_, more)) in &self.beyond {
            if let Some(last) =
                self.found.iter_mut().rfind(|found| found.lint.is_some_and(|lint| lint.code == *code))
            {
                last.note(format!("and {} more findings {code}, not shown", text::grouped(*more as u64)));
            }
        }
    }

    /// Keeps only the findings for which `keep` returns `true`.
    pub fn retain(&mut self, keep: impl FnMut(&Diagnostic) -> bool) {
        self.found.retain(keep);
    }

    /// Returns `true` if there are no findings.
    pub fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// Returns all findings, in order of position.
    pub fn in_order(&self) -> Vec<&Diagnostic> {
        let mut all: Vec<_> = self.found.iter().collect();
        all.sort_by_key(|d| (d.span.start, d.span.end));
        all
    }
}

impl Diagnostic {
    pub(crate) fn new(
        severity: Severity,
        span: SourceSpan,
        place: Option<StepPlace>,
        message: String,
    ) -> Diagnostic {
        Diagnostic { severity, message, span, label: None, place, notes: Vec::new(), help: None, lint: None }
    }

    /// Sets the help text: what to write instead.
    pub fn help(&mut self, text: impl Into<String>) -> &mut Self {
        self.help = Some(text.into());
        self
    }

    /// Sets the text under the caret.
    pub fn label(&mut self, text: impl Into<String>) -> &mut Self {
        self.label = Some(text.into());
        self
    }

    /// Adds a note.
    pub fn note(&mut self, text: impl Into<String>) -> &mut Self {
        self.notes.push(text.into());
        self
    }

    /// Says where the other of two things with one name is, if it is in another file.
    pub(super) fn other(&mut self, text: &ConfigText, other: &SourceSpan) -> &mut Self {
        let other = text.position(other.start);
        if other.file != text.position(self.span.start).file {
            let note = format!("the first one is in {}, line {}", other.file, other.line);
            self.note(note);
        }
        self
    }

    /// Adds any number of notes.
    pub(crate) fn notes(&mut self, texts: impl IntoIterator<Item = String>) -> &mut Self {
        self.notes.extend(texts);
        self
    }

    /// Suggests the name among `known` that is nearest to `name`, if one is near enough.
    pub(crate) fn suggest<'k>(&mut self, name: &str, known: impl IntoIterator<Item = &'k str>) -> &mut Self {
        if let Some(near) = nearest(name, known) {
            self.help = Some(format!("did you mean `{near}`?"));
        }
        self
    }
}

/// Returns the known name that the user probably meant.
pub fn nearest<'k>(name: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    let lower = name.to_lowercase();
    known
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(&lower, &candidate.to_lowercase()), candidate))
        .filter(|(distance, candidate)| *distance <= 1 + candidate.chars().count() / 5)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// A finding as plain data, for `check --json`.
#[derive(Serialize)]
pub(crate) struct Finding<'a> {
    severity: Severity,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    file: &'a str,
    line: usize,
    column: usize,
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    label: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    chain: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    step: Option<usize>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    notes: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    help: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    read_on: Option<String>,
}

impl Lines<'_> {
    /// Turns a finding into plain data.
    fn finding<'d>(&'d self, diagnostic: &'d Diagnostic) -> Finding<'d> {
        let at = self.position(diagnostic.span.start);
        let place = diagnostic.place.as_ref();
        let from = diagnostic.lint;
        Finding {
            severity: diagnostic.severity,
            code: from.map(|lint| lint.code),
            name: from.map(|lint| lint.name),
            file: at.file,
            line: at.line,
            column: at.column,
            message: &diagnostic.message,
            label: diagnostic.label.as_deref(),
            chain: place.map(|p| p.chain.as_str()),
            step: place.and_then(|p| p.step),
            notes: &diagnostic.notes,
            why: from.map(|lint| lint.why),
            help: diagnostic.help.as_deref(),
            read_on: from.map(Lint::page),
        }
    }

    fn draw(&self, diagnostic: &Diagnostic, renderer: &Renderer, columns: usize) -> String {
        let level = match diagnostic.severity {
            Severity::Error => Level::ERROR,
            Severity::Warning => Level::WARNING,
            Severity::Note => Level::NOTE,
        };
        let text = self.source.text();
        let mut span = diagnostic.span.start.min(text.len())..diagnostic.span.end.min(text.len());
        // A value of many lines would hide its message: only its first line is marked.
        if let Some(newline) = text.get(span.clone()).and_then(|text| text.find('\n')) {
            span.end = span.start + newline;
        }
        // The renderer gets only that line: to search the whole text for each finding is slow.
        let number = self.number(span.start);
        let line = self.span(number);
        let (shown, place) = shown_line(text.get(line.clone()).unwrap_or_default(), line.start, &span);
        let TextPosition { file, line: line_number, .. } = self.position(span.start);
        // `123 | ` is in front of the source line, and `123 = note: ` in front of a note.
        let margin = line_number.to_string().len() + 3;
        let label = diagnostic.label.as_deref().map(visible).unwrap_or_default();
        // Beside the source line, a label takes at most two thirds of the width; a longer one is shown as a note.
        let (beside, below) =
            if text::columns(&label) * 3 > columns * 2 { ("", &*label) } else { (&*label, "") };
        let place = shortened(&shown, place, beside, columns.saturating_sub(margin));
        let mut annotation = AnnotationKind::Primary.span(place);
        if !beside.is_empty() {
            annotation = annotation.label(beside);
        }
        let snippet =
            Snippet::source(shown).line_start(line_number).path(printable(file)).annotation(annotation);
        let code = diagnostic.lint.map(|lint| lint.code);
        let head = "warning: ".len() + code.map_or(0, |code| code.len() + 2);
        let mut title = level.primary_title(visible_lines(&diagnostic.message, columns.saturating_sub(head)));
        if let Some(code) = code {
            title = title.id(code);
        }
        let mut group = title.element(snippet);
        let room = |word: &str| columns.saturating_sub(margin + word.len() + 2);
        if let Some(place) = &diagnostic.place {
            let text = match place.step {
                Some(step) => format!("in chain `{}`, step {step}", place.chain),
                None => format!("in chain `{}`", place.chain),
            };
            group = group.element(Level::NOTE.message(visible_lines(&text, room("note"))));
        }
        let below = Some(below).filter(|below| !below.is_empty());
        for note in below.into_iter().chain(diagnostic.notes.iter().map(String::as_str)) {
            group = group.element(Level::NOTE.message(visible_lines(note, room("note"))));
        }
        if let Some(lint) = diagnostic.lint {
            group = group.element(Level::NOTE.with_name("why").message(visible_lines(lint.why, room("why"))));
        }
        if let Some(help) = &diagnostic.help {
            group = group.element(Level::HELP.message(visible_lines(help, room("help"))));
        }
        if let Some(lint) = diagnostic.lint {
            group = group.element(
                Level::NOTE
                    .with_name("read more")
                    .message(visible_lines(&lint.explained_by(), room("read more"))),
            );
        }
        renderer.render(&[group])
    }
}

/// Prepares a text for output: terminal control characters are escaped, and lines have at most `room` columns.
fn visible_lines(text: &str, room: usize) -> String {
    text::folded(&visible(text), room)
}

/// Escapes characters that a terminal would obey; line breaks stay.
fn visible(text: &str) -> Cow<'_, str> {
    let is_obeyed = |c: char| is_hidden(c) && c != '\n';
    if !text.contains(is_obeyed) {
        return text.into();
    }
    text.split('\n').map(printable).collect::<Vec<_>>().join("\n").into()
}

/// Returns a source line, which begins at byte `start`, as it is drawn, and the position of the span in the drawn line.
fn shown_line(line: &str, start: usize, span: &SourceSpan) -> (String, SourceSpan) {
    let mut shown = String::with_capacity(line.len());
    let (mut first, mut last) = (None, None);
    for (at, c) in line.char_indices() {
        if first.is_none() && start + at >= span.start {
            first = Some(shown.len());
        }
        if last.is_none() && start + at >= span.end {
            last = Some(shown.len());
        }
        match c {
            // The renderer expands tabs itself.
            '\t' => shown.push(c),
            c if is_hidden(c) => shown.extend(c.escape_unicode()),
            c => shown.push(c),
        }
    }
    let first = first.unwrap_or(shown.len());
    let last = last.unwrap_or(shown.len()).max(first);
    (shown, first..last)
}

/// Shortens the marked span if it and its label do not fit into `room` columns: only the beginning of a long value is
/// marked.
fn shortened(line: &str, place: SourceSpan, label: &str, room: usize) -> SourceSpan {
    /// The renderer keeps this many columns on each side for `...`.
    const ELLIPSES: usize = 12;
    let room = room.saturating_sub(ELLIPSES + text::columns(label) + 1).max(1);
    let mut taken = 0;
    let fits = line[place.clone()].char_indices().find(|(_, c)| {
        taken += text::columns(c.encode_utf8(&mut [0; 4]));
        taken > room
    });
    fits.map_or(place.clone(), |(at, _)| place.start..place.start + at)
}

impl ConfigText {
    /// Returns all findings as plain data, in order of position.
    pub fn findings(&self, diagnostics: &Diagnostics) -> serde_json::Value {
        let lines = self.lines();
        let found = diagnostics.in_order();
        // Strings and numbers always serialize to JSON.
        found.into_iter().map(|d| serde_json::to_value(lines.finding(d)).unwrap_or_default()).collect()
    }

    /// Draws all findings with file, line, column, source line and caret, at the standard page width.
    pub fn draw(&self, diagnostics: &Diagnostics, colour: bool) -> String {
        self.draw_within(80, diagnostics, colour)
    }

    /// Draws all findings for a terminal with this many columns. Only a word that is longer makes a longer line.
    pub fn draw_within(&self, columns: usize, diagnostics: &Diagnostics, colour: bool) -> String {
        let renderer = if colour { Renderer::styled() } else { Renderer::plain() };
        let renderer = renderer.term_width(columns);
        let lines = self.lines();
        let mut out = String::new();
        for diagnostic in diagnostics.in_order() {
            let _ = writeln!(out, "{}\n", lines.draw(diagnostic, &renderer, columns));
        }
        out
    }
}
