//! What is wrong with a configuration, where, and what to write instead.
//!
//! Everything that is found is collected in one [`Diagnostics`], so that a person mends a file in one go. How it is
//! drawn (source line and caret) is decided here and nowhere else.

use std::fmt::Write as _;

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};
use serde::Serialize;

use super::node::SourceSpan;

/// Does it keep the configuration from being used?
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Severity {
    /// It does.
    Error,
    /// It does not, but something in it cannot have been meant.
    Warning,
}

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
    /// What to write instead.
    pub help: Option<String>,
}

/// All findings on one source text.
#[derive(Clone, Debug, Default)]
pub struct Diagnostics {
    found: Vec<Diagnostic>,
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
        self.found.push(Diagnostic { severity, message, span, label: None, place, help: None });
        &mut self.found[at]
    }

    /// Is there an error among them?
    pub fn has_errors(&self) -> bool {
        self.found.iter().any(|d| d.severity == Severity::Error)
    }

    /// How many errors and warnings there are.
    pub fn counts(&self) -> (usize, usize) {
        let errors = self.found.iter().filter(|d| d.severity == Severity::Error).count();
        (errors, self.found.len() - errors)
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
    file: &'a str,
    line: usize,
    column: usize,
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    chain: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    step: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    help: Option<&'a str>,
}

impl Source {
    /// Line and column, both from 1, the column in characters.
    pub fn line_column(&self, offset: usize) -> (usize, usize) {
        let mut offset = offset.min(self.text.len());
        while !self.text.is_char_boundary(offset) {
            offset -= 1;
        }
        let before = &self.text[..offset];
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
    }

    /// A finding as data.
    pub fn finding<'a>(&'a self, diagnostic: &'a Diagnostic) -> Finding<'a> {
        let (line, column) = self.line_column(diagnostic.span.start);
        let place = diagnostic.place.as_ref();
        Finding {
            severity: diagnostic.severity,
            file: &self.name,
            line,
            column,
            message: &diagnostic.message,
            chain: place.map(|p| p.chain.as_str()),
            step: place.and_then(|p| p.step),
            help: diagnostic.help.as_deref(),
        }
    }

    /// All findings, drawn with file, line, column, the source line and a caret.
    pub fn draw(&self, diagnostics: &Diagnostics, colour: bool) -> String {
        let renderer = if colour { Renderer::styled() } else { Renderer::plain() };
        let mut out = String::new();
        for diagnostic in diagnostics.in_order() {
            let level = match diagnostic.severity {
                Severity::Error => Level::ERROR,
                Severity::Warning => Level::WARNING,
            };
            let mut span = diagnostic.span.clone();
            span.end = span.end.min(self.text.len());
            // A value over many lines would drown its message: its first line says where.
            if let Some(newline) = self.text.get(span.clone()).and_then(|text| text.find('\n')) {
                span.end = span.start + newline;
            }
            let mut annotation = AnnotationKind::Primary.span(span);
            if let Some(label) = &diagnostic.label {
                annotation = annotation.label(label);
            }
            let snippet = Snippet::source(&self.text).path(&self.name).annotation(annotation);
            let mut group = level.primary_title(&diagnostic.message).element(snippet);
            if let Some(place) = &diagnostic.place {
                let text = match place.step {
                    Some(step) => format!("in chain `{}`, step {step}", place.chain),
                    None => format!("in chain `{}`", place.chain),
                };
                group = group.element(Level::NOTE.message(text));
            }
            if let Some(help) = &diagnostic.help {
                group = group.element(Level::HELP.message(help));
            }
            let _ = writeln!(out, "{}\n", renderer.render(&[group]));
        }
        out
    }
}
