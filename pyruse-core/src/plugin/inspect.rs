//! Checks, without changing anything, whether a configuration can do its work on this machine: `check --live`.
//!
//! A step or a service looks at what it depends on (sets of a firewall, a program, a server) and reports what it finds.

use std::any::Any;
use std::collections::HashMap;

use crate::access::Account;
use crate::config::Severity;

/// A finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LiveFinding {
    /// How bad it is; see [`Inspection::argument`].
    pub(crate) severity: Severity,
    /// The argument of the step, or the top-level setting, that the finding is about.
    pub(crate) at: Subject,
    /// What is wrong.
    pub(crate) message: String,
    /// What to do about it; may be empty.
    pub(crate) help: String,
}

/// What a finding is about, as a path of keys and indices such as `sendmail.0`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Subject {
    /// An argument of the step.
    Argument(String),
    /// A top-level setting.
    Setting(String),
}

/// Collects the findings of a step or a service.
#[derive(Debug, Default)]
pub struct Inspection {
    found: Vec<LiveFinding>,
    shown: Vec<String>,
    answers: HashMap<String, Box<dyn Any>>,
    service_user: Option<Account>,
}

impl Inspection {
    /// Begins an inspection; `service_user` is the user that runs Pyruse, if that is known and not root.
    pub(crate) fn of(service_user: Option<Account>) -> Inspection {
        Inspection { service_user, ..Inspection::default() }
    }

    /// Returns the user that runs Pyruse, if that is known and not root, who can read everything.
    pub fn service_user(&self) -> Option<&Account> {
        self.service_user.as_ref()
    }

    /// Reports a finding about the argument at `path`: an error if it will not work, a warning if it will work but not
    /// well, a note if it could not be checked.
    pub fn argument(
        &mut self,
        path: &str,
        severity: Severity,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        self.report(Subject::Argument(path.into()), severity, message.into(), help.into());
    }

    /// Reports the same about the top-level setting at `path`, which begins with its key.
    pub fn setting(
        &mut self,
        path: &str,
        severity: Severity,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        self.report(Subject::Setting(path.into()), severity, message.into(), help.into());
    }

    /// Shows a fact about this machine that is good to know, and not a finding; a line for people.
    pub fn show(&mut self, line: impl Into<String>) {
        self.shown.push(line.into());
    }

    /// Takes all lines so far.
    pub(crate) fn take_shown(&mut self) -> Vec<String> {
        std::mem::take(&mut self.shown)
    }

    /// Returns the answer to a question that several steps ask; `ask` runs only once, because it may take long.
    /// `question` identifies the question and what answers it.
    pub fn once<T: Clone + 'static>(&mut self, question: &str, ask: impl FnOnce() -> T) -> T {
        if let Some(answer) = self.answers.get(question).and_then(|answer| answer.downcast_ref::<T>()) {
            return answer.clone();
        }
        let answer = ask();
        self.answers.insert(question.to_owned(), Box::new(answer.clone()));
        answer
    }

    fn report(&mut self, at: Subject, severity: Severity, message: String, help: String) {
        self.found.push(LiveFinding { severity, at, message, help });
    }

    /// Takes all findings so far.
    pub(crate) fn take(&mut self) -> Vec<LiveFinding> {
        std::mem::take(&mut self.found)
    }
}
