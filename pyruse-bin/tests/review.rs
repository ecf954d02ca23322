//! `check` as a reviewer: every lint finds what its page says that it finds, and nothing else.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use pyruse_bin as _;
use pyruse_core::config::{Diagnostics, Severity, Source};
use pyruse_core::engine::Engine;
use pyruse_core::entry::Fields;
use pyruse_core::plugin::Registry;
use pyruse_core::review::{self, Examples, LINTS};
use pyruse_core::state::State;

/// What is found in a configuration that can be used.
fn review(text: &str) -> (Source, Diagnostics) {
    let source = Source { name: "pyruse.json".into(), text: text.into() };
    let mut diagnostics = Diagnostics::default();
    let registry = Registry::linked().unwrap();
    let mut state = State::in_memory();
    let engine = Engine::load(&source, &registry, Fields::default(), &mut state, &mut diagnostics).unwrap();
    let Some(engine) = engine else { panic!("refused:\n{}", source.draw(&diagnostics, false)) };
    review::review(&source, &engine, &mut diagnostics);
    (source, diagnostics)
}

fn codes(text: &str) -> Vec<&'static str> {
    let (_, diagnostics) = review(text);
    diagnostics.in_order().iter().map(|found| found.lint.expect("all findings have codes").code).collect()
}

fn drawn(text: &str) -> String {
    let (source, diagnostics) = review(text);
    source.draw(&diagnostics, false)
}

#[test]
fn lints_are_in_order_with_unique_codes_and_names_and_whole_texts() {
    let codes: Vec<_> = LINTS.iter().map(|lint| lint.code).collect();
    assert!(codes.is_sorted_by(|a, b| a < b), "{codes:?}");
    let names: BTreeSet<_> = LINTS.iter().map(|lint| lint.name).collect();
    assert_eq!(names.len(), LINTS.len());
    for lint in LINTS {
        let code = lint.code;
        assert!(code.len() == 4 && code.starts_with('P') && code[1..].parse::<u16>().is_ok(), "{code}");
        assert!(lint.name.chars().all(|c| c.is_ascii_lowercase() || c == '-'), "{code}: {}", lint.name);
        for text in [lint.what, lint.instead] {
            assert!(text.ends_with('.') && text.starts_with(char::is_uppercase), "{code}: {text}");
        }
        assert!(!lint.why.ends_with('.') && lint.why.starts_with(char::is_lowercase), "{code}: {}", lint.why);
    }
}

#[test]
fn every_lint_finds_its_bad_example_and_nothing_in_the_good_one() {
    for lint in LINTS {
        let Examples::Rules { bad, good } = lint.examples else { continue };
        assert_eq!(codes(bad), [lint.code], "{} in the bad example:\n{}", lint.code, drawn(bad));
        assert_eq!(codes(good), [""; 0], "{} in the good example:\n{}", lint.code, drawn(good));
        let (_, diagnostics) = review(bad);
        assert_eq!(diagnostics.in_order()[0].severity, lint.severity, "{}", lint.code);
    }
}

#[test]
fn every_finding_as_it_is_told() {
    for lint in LINTS {
        let Examples::Rules { bad, .. } = lint.examples else { continue };
        insta::assert_snapshot!(lint.name, drawn(bad));
    }
}

#[test]
fn every_finding_as_data() {
    let mut told = String::new();
    for lint in LINTS {
        let Examples::Rules { bad, .. } = lint.examples else { continue };
        let (source, diagnostics) = review(bad);
        told += &serde_json::to_string_pretty(&source.findings(&diagnostics)).unwrap();
        told.push('\n');
    }
    insta::assert_snapshot!(told);
}

/// `UPDATE_DOCS=1 cargo test -p pyruse-bin --test review` writes the page anew.
#[test]
fn the_page_of_lints_is_fresh() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/lints.md");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&path, review::page()).unwrap();
    }
    let page = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        page == review::page(),
        "docs/lints.md is not what the lints say: run this test with UPDATE_DOCS=1"
    );
}

#[test]
fn the_shipped_configurations_are_without_findings() {
    for file in ["conf/full.json", "demo/pyruse.json"] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples").join(file);
        let text = fs::read_to_string(path).unwrap().replace("\"@JOURNAL@\"", "{}");
        let (source, diagnostics) = review(&text);
        assert!(diagnostics.is_empty(), "{file}:\n{}", source.draw(&diagnostics, false));
    }
    let readme = include_str!("../../README.md");
    let (_, block) = readme.split_once("```json\n").unwrap();
    let (text, _) = block.split_once("```").unwrap();
    assert!(codes(text).is_empty(), "{}", drawn(text));
}

#[test]
fn an_allowance_is_for_its_step_alone() {
    let rule = |before: &str, first: &str, second: &str| {
        format!(
            "{{\"actions\": {{\"a\": [\n{before}\n{{\"filter\": \"filter_equals\", \"args\": {{\"field\": \"PRIORITY\", \"value\": \"3\"}}}},{first}\n\
             {{\"filter\": \"filter_equals\", \"args\": {{\"field\": \"_UID\", \"value\": \"0\"}}}},{second}\n\
             {{\"action\": \"action_noop\"}}]}}}}"
        )
    };
    let allow = "// allow P006: as we like it";
    assert_eq!(codes(&rule("", "", "")), ["P006", "P006"]);
    assert_eq!(codes(&rule(allow, "", "")), ["P006"]);
    assert_eq!(codes(&rule("", allow, "")), ["P006"]);
    assert_eq!(codes(&rule("", allow, allow)), [""; 0]);
    assert_eq!(codes(&rule("/* allow P006: as we\n like it */", "", allow)), [""; 0]);
    assert_eq!(codes(&rule(allow, allow, allow)), [""; 0], "two for the same are no harm");
    assert_eq!(codes(&rule("// allow P006", "", allow)), ["P004"], "without a reason");
    assert_eq!(codes(&rule("// allow P007: as we like it", allow, allow)), ["P004"]);
    assert_eq!(codes(&rule("// allow P999: as we like it", allow, allow)), ["P004"]);
    assert_eq!(codes(&rule("// allow P006, P007: as we like it", "", allow)), ["P004"]);
    insta::assert_snapshot!(
        "allowances",
        drawn(&rule("// allow P06: as we like it", " // allow P006", "// allow P006, P001: as we like it"))
    );
}

#[test]
fn a_text_that_looks_like_a_comment_allows_nothing() {
    let text = r#"{"actions": {"a": [
        {"filter": "filter_equals", "args": {"field": "PRIORITY", "value": "// allow P006: no"}},
        {"action": "action_noop"}
    ]}}"#;
    assert_eq!(codes(text), ["P006"]);
}

#[test]
fn severities_decide_the_exit_code() {
    assert_eq!(LINTS.iter().filter(|lint| lint.severity == Severity::Error).count(), 1, "of --live alone");
}
