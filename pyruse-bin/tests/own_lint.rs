//! A plugin crate can bring a lint: it registers it, and `review` runs it with the built-in ones.

use pyruse_bin as _;
use pyruse_core::config::{ConfigText, Diagnostics, Examples, Lint, Severity};
use pyruse_core::engine::Engine;
use pyruse_core::entry::Fields;
use pyruse_core::inventory;
use pyruse_core::plugin::{Fact, Registry};
use pyruse_core::review::{self, Findings, LintPlugin, Review, lints};
use pyruse_core::state::State;

const fn lint(code: &'static str, name: &'static str) -> Lint {
    Lint {
        code,
        name,
        severity: Severity::Warning,
        what: "A step that mails.",
        why: "this site has no mail server",
        instead: "Use the report.",
        examples: Examples::OfMachine,
    }
}

static NO_MAILS: Lint = lint("X100", "no-mails");
static ONE: Lint = lint("X200", "one");
static OTHER: Lint = lint("X200", "other");

fn no_mails(review: &Review<'_>, findings: &mut Findings) {
    for (site, fact, span) in review.facts() {
        if matches!(fact, Fact::Mails) {
            findings.add(span, review.place(site), "this step mails").help("use action_dailyReport");
        }
    }
}

fn nothing(_: &Review<'_>, _: &mut Findings) {}

inventory::submit!(LintPlugin::new(&NO_MAILS, no_mails));
inventory::submit!(LintPlugin::new(&ONE, nothing));
inventory::submit!(LintPlugin::new(&OTHER, nothing));

fn review(text: &str) -> String {
    let source = ConfigText::new("pyruse.json", text);
    let mut diagnostics = Diagnostics::default();
    let (registry, mut state) = (Registry::linked().unwrap(), State::in_memory());
    let engine = Engine::load(&source, &registry, Fields::default(), &mut state, &mut diagnostics).unwrap();
    review::review(&source, &engine.expect("it can be used"), &mut diagnostics);
    source.draw(&diagnostics, false)
}

const MAILS: &str = r#"{"actions": {"all": [
    {"action": "action_email", "args": {"message": "{MESSAGE}"}}
]}}"#;

#[test]
fn a_lint_of_a_plugin_crate_works_and_is_listed_in_order() {
    let found = review(MAILS);
    assert!(found.contains("warning[X100]: this step mails"), "{found}");
    assert!(found.contains("in chain `all`, step 0"), "{found}");
    assert!(found.contains("use action_dailyReport"), "{found}");
    let codes: Vec<_> = lints().map(|lint| lint.code).collect();
    assert!(codes.is_sorted() && codes.contains(&"P001") && codes.contains(&"X100"), "{codes:?}");
    let allowed = MAILS.replace("[\n", "[\n    // allow X100: this machine has one\n");
    assert!(!review(&allowed).contains("X100"), "a comment allows it like any other");
}

#[test]
fn two_lints_of_one_code_are_an_error_that_names_both() {
    let found = review(MAILS);
    assert!(found.contains("error: two lints have the code X200: "), "{found}");
    assert!(found.contains("one of the linked plugin crates must choose another code"), "{found}");
}
