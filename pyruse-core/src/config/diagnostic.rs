//! What is wrong with a configuration, where, and what to write instead.
//!
//! Everything that is found is collected in one [`Diagnostics`], so that a person mends a file in one go. How it is
//! drawn (source line and caret) is decided here and nowhere else.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::Write as _;

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};
use serde::Serialize;

use super::lint::{Lint, Severity};
use super::node::SourceSpan;
use crate::text::{self, floor_char_boundary, is_hidden, printable};

/// A step of the configuration.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StepPlace {
    /// The chain's label.
    pub chain: String,
    /// The number of the step in its chain, from 0; none where the chain as a whole is meant.
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
    /// What stands under the caret.
    pub label: Option<String>,
    /// The step it belongs to.
    pub place: Option<StepPlace>,
    /// What else a person should know, e.g. by which way an entry gets there.
    pub notes: Vec<String>,
    /// What to write instead.
    pub help: Option<String>,
    /// The lint that it comes from.
    pub lint: Option<&'static Lint>,
}

/// All findings on one source text.
#[derive(Clone, Debug, Default)]
pub struct Diagnostics {
    found: Vec<Diagnostic>,
    /// How many more there are of each lint, which are not shown.
    beyond: BTreeMap<&'static str, (Severity, usize)>,
}

impl Diagnostics {
    /// Adds one.
    pub fn push(&mut self, diagnostic: Diagnostic) {
        self.found.push(diagnostic);
    }

    /// Adds an error.
    pub fn error(
        &mut self,
        span: SourceSpan,
        place: Option<StepPlace>,
        message: impl Into<String>,
    ) -> &mut Diagnostic {
        self.add(Severity::Error, span, place, message.into())
    }

    /// Adds a warning.
    pub fn warning(
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
        self.found.push(Diagnostic {
            severity,
            message,
            span,
            label: None,
            place,
            notes: Vec::new(),
            help: None,
            lint: None,
        });
        &mut self.found[at]
    }

    /// Is there an error among them?
    pub fn has_errors(&self) -> bool {
        self.found.iter().any(|d| d.severity == Severity::Error)
    }

    /// Adds what a lint found.
    pub fn lint(
        &mut self,
        lint: &'static Lint,
        span: SourceSpan,
        place: Option<StepPlace>,
        message: impl Into<String>,
    ) -> &mut Diagnostic {
        let told = self.add(lint.severity, span, place, message.into());
        told.lint = Some(lint);
        told
    }

    /// How many errors and warnings there are.
    pub fn counts(&self) -> (usize, usize) {
        (self.count(Severity::Error), self.count(Severity::Warning))
    }

    /// How many there are of a severity.
    pub fn count(&self, severity: Severity) -> usize {
        let beyond = self.beyond.values().filter(|(of, _)| *of == severity).map(|(_, more)| more);
        self.found.iter().filter(|d| d.severity == severity).count() + beyond.sum::<usize>()
    }

    /// Keeps the first `most` findings of each lint, in order of their place. The others are counted, and the last one
    /// kept says how many they are.
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
                last.note(format!("and {} more of {code}, not shown", text::grouped(*more as u64)));
            }
        }
    }

    /// Keeps those that are to be told.
    pub fn retain(&mut self, keep: impl FnMut(&Diagnostic) -> bool) {
        self.found.retain(keep);
    }

    /// Is there nothing to say?
    pub fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// All findings, in order of their place.
    pub fn in_order(&self) -> Vec<&Diagnostic> {
        let mut all: Vec<_> = self.found.iter().collect();
        all.sort_by_key(|d| (d.span.start, d.span.end));
        all
    }
}

impl Diagnostic {
    /// Says what to write instead.
    pub fn help(&mut self, text: impl Into<String>) -> &mut Self {
        self.help = Some(text.into());
        self
    }

    /// Says what the caret points at.
    pub fn label(&mut self, text: impl Into<String>) -> &mut Self {
        self.label = Some(text.into());
        self
    }

    /// Says what else a person should know.
    pub fn note(&mut self, text: impl Into<String>) -> &mut Self {
        self.notes.push(text.into());
        self
    }

    /// The same of what may be nothing.
    pub fn notes(&mut self, texts: impl IntoIterator<Item = String>) -> &mut Self {
        self.notes.extend(texts);
        self
    }

    /// Suggests the name among `known` that is nearest to `name`, if one is near.
    pub fn suggest<'k>(&mut self, name: &str, known: impl IntoIterator<Item = &'k str>) -> &mut Self {
        if let Some(near) = nearest(name, known) {
            self.help = Some(format!("did you mean `{near}`?"));
        }
        self
    }
}

/// The name that was probably meant.
pub fn nearest<'k>(name: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    let lower = name.to_lowercase();
    known
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(&lower, &candidate.to_lowercase()), candidate))
        .filter(|(distance, candidate)| *distance <= 1 + candidate.chars().count() / 5)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// A source text with its name: what findings are shown against.
#[derive(Clone, Debug)]
pub struct Source {
    /// The file's path, as the user gave it.
    pub name: String,
    /// Its text.
    pub text: String,
}

/// A finding as data, for `check --json`.
#[derive(Serialize)]
pub struct Finding<'a> {
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

/// Where lines begin, so that the place of each of many findings is found by halving.
pub struct Lines<'a> {
    source: &'a Source,
    starts: Vec<usize>,
}

impl Lines<'_> {
    /// How many there are; the first is there even in an empty text.
    pub fn count(&self) -> usize {
        self.starts.len()
    }

    /// The number, from 0, of the line that holds this byte.
    pub fn number(&self, offset: usize) -> usize {
        self.starts.partition_point(|start| *start <= offset).saturating_sub(1)
    }

    /// The bytes of a line, without its end.
    pub fn span(&self, number: usize) -> SourceSpan {
        let start = self.starts.get(number).copied().unwrap_or(self.source.text.len());
        let end = self.starts.get(number + 1).map_or(self.source.text.len(), |next| next - 1);
        start..end.max(start)
    }

    /// Line and column, both from 1, the column in characters.
    fn line_column(&self, offset: usize) -> (usize, usize) {
        let offset = floor_char_boundary(&self.source.text, offset);
        let line = self.number(offset);
        (line + 1, self.source.text[self.starts[line]..offset].chars().count() + 1)
    }

    /// A finding as data.
    fn finding<'d>(&'d self, diagnostic: &'d Diagnostic) -> Finding<'d> {
        let (line, column) = self.line_column(diagnostic.span.start);
        let place = diagnostic.place.as_ref();
        let from = diagnostic.lint;
        Finding {
            severity: diagnostic.severity,
            code: from.map(|lint| lint.code),
            name: from.map(|lint| lint.name),
            file: &self.source.name,
            line,
            column,
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
        let text = &self.source.text;
        let mut span = diagnostic.span.start.min(text.len())..diagnostic.span.end.min(text.len());
        // A value over many lines would drown its message: its first line says where.
        if let Some(newline) = text.get(span.clone()).and_then(|text| text.find('\n')) {
            span.end = span.start + newline;
        }
        // Only that line is given away to be drawn: to look through the whole text for each finding takes long.
        let number = self.number(span.start);
        let line = self.span(number);
        let (shown, place) = shown_line(text.get(line.clone()).unwrap_or_default(), line.start, &span);
        // `123 | ` stands before the source, and `123 = note: ` before what is said of it.
        let margin = (number + 1).to_string().len() + 3;
        let label = diagnostic.label.as_deref().map(visible).unwrap_or_default();
        // Beside the source, a label takes at most two thirds of the line; a longer one follows as a note.
        let (beside, below) =
            if text::columns(&label) * 3 > columns * 2 { ("", &*label) } else { (&*label, "") };
        let place = shortened(&shown, place, beside, columns.saturating_sub(margin));
        let mut annotation = AnnotationKind::Primary.span(place);
        if !beside.is_empty() {
            annotation = annotation.label(beside);
        }
        let name = printable(&self.source.name);
        let snippet = Snippet::source(shown).line_start(number + 1).path(name).annotation(annotation);
        let code = diagnostic.lint.map(|lint| lint.code);
        let head = "warning: ".len() + code.map_or(0, |code| code.len() + 2);
        let mut title = level.primary_title(said(&diagnostic.message, columns.saturating_sub(head)));
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
            group = group.element(Level::NOTE.message(said(&text, room("note"))));
        }
        let below = Some(below).filter(|below| !below.is_empty());
        for note in below.into_iter().chain(diagnostic.notes.iter().map(String::as_str)) {
            group = group.element(Level::NOTE.message(said(note, room("note"))));
        }
        if let Some(lint) = diagnostic.lint {
            group = group.element(Level::NOTE.with_name("why").message(said(lint.why, room("why"))));
        }
        if let Some(help) = &diagnostic.help {
            group = group.element(Level::HELP.message(said(help, room("help"))));
        }
        if let Some(lint) = diagnostic.lint {
            group = group.element(
                Level::NOTE.with_name("read on").message(said(&lint.explained_by(), room("read on"))),
            );
        }
        renderer.render(&[group])
    }
}

/// A text as it is said: without what a terminal obeys, in lines of so many columns.
fn said(text: &str, room: usize) -> String {
    text::folded(&visible(text), room)
}

/// Without what a terminal obeys; lines stay lines.
fn visible(text: &str) -> Cow<'_, str> {
    let is_obeyed = |c: char| is_hidden(c) && c != '\n';
    if !text.contains(is_obeyed) {
        return text.into();
    }
    text.split('\n').map(printable).collect::<Vec<_>>().join("\n").into()
}

/// A line of the source, which begins at byte `start`, as it is drawn, and where in it the span is then.
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
            // The renderer gives it a width.
            '\t' => shown.push(c),
            c if is_hidden(c) => shown.extend(c.escape_unicode()),
            c => shown.push(c),
        }
    }
    let first = first.unwrap_or(shown.len());
    let last = last.unwrap_or(shown.len()).max(first);
    (shown, first..last)
}

/// The place, cut where it and its label would not fit into the room: a long value is marked at its beginning.
fn shortened(line: &str, place: SourceSpan, label: &str, room: usize) -> SourceSpan {
    /// The renderer keeps so many columns on each side for `...`.
    const ELLIPSES: usize = 12;
    let room = room.saturating_sub(ELLIPSES + text::columns(label) + 1).max(1);
    let mut taken = 0;
    let fits = line[place.clone()].char_indices().find(|(_, c)| {
        taken += text::columns(c.encode_utf8(&mut [0; 4]));
        taken > room
    });
    fits.map_or(place.clone(), |(at, _)| place.start..place.start + at)
}

impl Source {
    /// Where its lines begin.
    pub fn lines(&self) -> Lines<'_> {
        let after = self.text.match_indices('\n').map(|(at, _)| at + 1);
        Lines { source: self, starts: std::iter::once(0).chain(after).collect() }
    }

    /// Line and column of a byte, both from 1, the column in characters.
    pub fn line_column(&self, offset: usize) -> (usize, usize) {
        self.lines().line_column(offset)
    }

    /// All findings as data, in order of their place.
    pub fn findings(&self, diagnostics: &Diagnostics) -> serde_json::Value {
        let lines = self.lines();
        let found = diagnostics.in_order();
        // Texts and numbers always become JSON.
        found.into_iter().map(|d| serde_json::to_value(lines.finding(d)).unwrap_or_default()).collect()
    }

    /// All findings, drawn with file, line, column, the source line and a caret, as wide as a page is.
    pub fn draw(&self, diagnostics: &Diagnostics, colour: bool) -> String {
        self.draw_within(80, diagnostics, colour)
    }

    /// The same for a terminal of so many columns. Only a word that is longer makes a longer line.
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
