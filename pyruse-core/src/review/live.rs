//! P101 to P103: what `check --live` finds on the machine.

use super::check::LintPlugin;
use crate::access::Account;
use crate::config::{Config, Diagnostics, Examples, Lint, Severity, SourceSpan, StepPlace};
use crate::engine::Engine;
use crate::plugin::{Inspection, LiveFinding, Subject};

pub(super) static BROKEN: Lint = Lint {
    code: "P101",
    name: "does-not-work-here",
    severity: Severity::Error,
    what: "Something that a step or a setting needs is missing, or of the wrong kind: a firewall set, the program \
           for mails, the server, the storage directory, the journal.",
    why: "everything that needs it will fail, every time",
    instead: "Create what is missing (the finding says how), or name something that exists.",
    examples: Examples::OfMachine,
};

inventory::submit!(LintPlugin::reported_elsewhere(&BROKEN));

pub(super) static WORKS_BADLY: Lint = Lint {
    code: "P102",
    name: "works-badly-here",
    severity: Severity::Warning,
    what: "Something that a step or a setting needs exists, but with a problem: a set with `interval`, which is \
           slow, or one with its own time-out.",
    why: "it will work, but slowly, or not as configured",
    instead: "Change it as the finding says.",
    examples: Examples::OfMachine,
};

inventory::submit!(LintPlugin::reported_elsewhere(&WORKS_BADLY));

pub(super) static UNKNOWN: Lint = Lint {
    code: "P103",
    name: "could-not-be-asked",
    severity: Severity::Note,
    what: "Something could not be checked, usually because the user who runs `pyruse check --live` lacks the \
           permission.",
    why: "so it is not known whether it works",
    instead: "Run `pyruse check --live` as root, or as the user that runs Pyruse.",
    examples: Examples::OfMachine,
};

inventory::submit!(LintPlugin::reported_elsewhere(&UNKNOWN));

/// Checks, without changing anything, whether all steps, sources and services can do their work on this machine; then
/// whether the program can, which adds what it finds about the top-level settings by itself. Returns lines for people, about
/// what is there.
pub fn inspect(
    engine: &Engine,
    program: impl FnOnce(&mut Inspection),
    diagnostics: &mut Diagnostics,
) -> Vec<String> {
    let mut inspection = Inspection::of(Account::of_service(&engine.config.storage));
    let mut reported: std::collections::HashSet<(Severity, String)> = std::collections::HashSet::new();
    for (id, action) in engine.workflow.actions() {
        action.inspect(&mut inspection);
        let site = engine.workflow.site(id);
        let chain = engine.config.chains.iter().find(|chain| chain.label.text == site.chain);
        let Some(step) = chain.and_then(|chain| chain.steps.get(site.step)) else { continue };
        let place = StepPlace { chain: site.chain.clone(), step: Some(site.step) };
        for finding in inspection.take() {
            let span = match &finding.at {
                Subject::Argument(path) => step.args.as_ref().unwrap_or(&step.node).at(path).span.clone(),
                Subject::Setting(path) => setting(&engine.config, path),
            };
            let place = matches!(finding.at, Subject::Argument(_)).then(|| place.clone());
            // Several steps may depend on the same thing.
            if reported.insert((finding.severity, finding.message.clone())) {
                report(finding, span, place, diagnostics);
            }
        }
    }
    for source in &engine.sources {
        source.source.inspect(&mut inspection);
        for finding in inspection.take() {
            let (Subject::Argument(path) | Subject::Setting(path)) = &finding.at;
            let span = source.span(path);
            report(finding, span, None, diagnostics);
        }
    }
    engine.services.inspect(&mut inspection);
    program(&mut inspection);
    for finding in inspection.take() {
        let (Subject::Setting(path) | Subject::Argument(path)) = &finding.at;
        let span = setting(&engine.config, path);
        report(finding, span, None, diagnostics);
    }
    inspection.take_shown()
}

/// Returns the position of a setting; of the whole file, if the setting is missing and its default is in force.
fn setting(config: &Config, path: &str) -> SourceSpan {
    let root = config.root();
    let key = path.split('.').next().unwrap_or_default();
    if root.get(key).is_some() { root.at(path).span.clone() } else { root.span.start..root.span.start + 1 }
}

fn report(finding: LiveFinding, span: SourceSpan, place: Option<StepPlace>, diagnostics: &mut Diagnostics) {
    let lint = match finding.severity {
        Severity::Error => &BROKEN,
        Severity::Warning => &WORKS_BADLY,
        Severity::Note => &UNKNOWN,
    };
    let reported = diagnostics.lint(lint, span, place, finding.message);
    if !finding.help.is_empty() {
        reported.help(finding.help);
    }
}
