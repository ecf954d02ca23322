//! The findings of one check.

use super::flow::Exit;
use super::subject::Review;
use crate::config::{Diagnostic, Diagnostics, Lint, SourceSpan, StepPlace};

/// At most this many findings of one kind are shown; the rest are counted.
pub(super) const MOST: usize = 100;

/// The findings of one check.
pub struct Findings {
    lint: &'static Lint,
    found: Vec<Diagnostic>,
}

impl Findings {
    pub(super) fn new(lint: &'static Lint) -> Findings {
        Findings { lint, found: Vec::new() }
    }

    /// Adds a finding, which belongs to a step.
    pub fn add(
        &mut self,
        span: &SourceSpan,
        place: StepPlace,
        message: impl Into<String>,
    ) -> &mut Diagnostic {
        self.add_at(span, Some(place), message.into())
    }

    /// Adds a finding about a setting, which belongs to no step.
    pub fn add_to_setting(&mut self, span: &SourceSpan, message: impl Into<String>) -> &mut Diagnostic {
        self.add_at(span, None, message.into())
    }

    fn add_at(&mut self, span: &SourceSpan, place: Option<StepPlace>, message: String) -> &mut Diagnostic {
        let found = Diagnostic::new(self.lint.severity, span.clone(), place, message);
        let at = self.found.len();
        self.found.push(Diagnostic { lint: Some(self.lint), ..found });
        &mut self.found[at]
    }

    /// Returns `true` if further findings are only counted. Then costly details about them are not worth it.
    pub fn is_full(&self) -> bool {
        self.found.len() > MOST
    }

    /// Returns the text of a path to the next finding, if that finding is shown.
    pub(super) fn path(
        &self,
        review: &Review<'_>,
        path: impl FnOnce() -> Vec<(u32, Exit)>,
    ) -> Option<String> {
        (!self.is_full()).then(|| review.describe_path(&path()))
    }

    pub(super) fn report(mut self, diagnostics: &mut Diagnostics) {
        self.found.sort_by_key(|found| (found.span.start, found.span.end));
        // One step may be several nodes; what is reported about it is reported once.
        self.found.dedup_by(|b, a| a.span == b.span && a.message == b.message);
        for found in self.found {
            diagnostics.push(found);
        }
    }
}
