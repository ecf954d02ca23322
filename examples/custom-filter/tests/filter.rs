//! Tests of the filter with the registry, the configuration and the compiler of the core.
//!
//! Like every program, a test outside the crate must name the crate to be linked with it: hence `use … as _`.

use pyruse_core::config::{ConfigText, Diagnostics};
use pyruse_core::engine::Engine;
use pyruse_core::entry::Fields;
use pyruse_core::plugin::{Registry, run_examples};
use pyruse_core::state::State;
use pyruse_working_hours as _;

#[test]
fn all_examples_have_their_stated_outcome() {
    let registry = Registry::linked().unwrap();
    assert_eq!(registry.plugins().count(), 1);
    assert_eq!(run_examples(&registry), [] as [String; 0]);
}

#[test]
fn every_error_is_reported_at_its_place() {
    let text = r#"{"actions": {"night": [
    {"filter": "filter_workingHours", "args": {
        "from": "8:00", "to": "18:00", "days": ["mon", "mittwoch"], "zone": "Europe/Nowhere"}}
]}}"#;
    let source = ConfigText::new("pyruse.json", text);
    let mut diagnostics = Diagnostics::default();
    let registry = Registry::linked().unwrap();
    let engine =
        Engine::load(&source, &registry, Fields::default(), &mut State::in_memory(), &mut diagnostics);
    assert!(engine.unwrap().is_none());
    let reported: Vec<_> = diagnostics
        .in_order()
        .into_iter()
        .map(|found| {
            let at = source.position(found.span.start);
            ((at.line, at.column), found.message.as_str(), found.help.as_deref())
        })
        .collect();
    assert_eq!(
        reported,
        [
            ((3, 17), "`8:00` is not a time of day", Some("write `08:30`")),
            ((3, 56), "`mittwoch` is not a day", Some("mon, tue, wed, thu, fri, sat, sun")),
            ((3, 77), "this machine has no time zone `Europe/Nowhere`", None),
        ]
    );
}
