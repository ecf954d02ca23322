//! Any text of a configuration is loaded or refused: it never panics and never hangs.
//!
//! `PROPTEST_CASES=1000000 cargo test --release -p pyruse-bin --test no_panic` is the campaign.

use proptest::prelude::*;
use pyruse_actions as _;
use pyruse_core::config::{ConfigText, Diagnostics};
use pyruse_core::engine::Engine;
use pyruse_core::entry::{Fields, MemoryRecord};
use pyruse_core::pattern::Pattern;
use pyruse_core::plugin::Registry;
use pyruse_core::state::State;
use pyruse_core::template::Template;
use pyruse_core::time::Timestamp;
use pyruse_core::workflow::NoObserver;
use pyruse_filters as _;
use pyruse_sources as _;

/// Loads the text; draws its errors, or runs an entry through it.
fn load(text: &str) {
    let source = ConfigText::new("fuzz", text);
    let mut diagnostics = Diagnostics::default();
    let mut state = State::in_memory();
    let registry = Registry::linked().unwrap();
    let engine = Engine::load(&source, &registry, Fields::default(), &mut state, &mut diagnostics).unwrap();
    let drawn = source.draw(&diagnostics, true);
    assert!(source.findings(&diagnostics).is_array());
    match engine {
        None => assert!(drawn.contains("error"), "refused without a word: {text}"),
        Some(mut engine) => {
            pyruse_core::review::review(&source, &engine, &mut diagnostics);
            assert!(!diagnostics.has_errors(), "reviewed and refused: {text}");
            source.draw(&diagnostics, false);
            assert!(source.findings(&diagnostics).is_array());
            let mut record =
                MemoryRecord::at(Timestamp(1)).with("MESSAGE", "a from 192.0.2.1").with("PRIORITY", "3");
            engine.workflow.run(&mut record, &mut state, &mut NoObserver);
            state.commit().unwrap();
        }
    }
}

/// The number of cases of each kind.
fn cases() -> u32 {
    std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(200)
}

/// Pieces of configurations, good and bad.
fn piece() -> impl Strategy<Value = String> {
    prop_oneof![
        Just(include_str!("../../examples/demo/pyruse.json").to_owned()),
        Just(include_str!("check/mistakes.json").to_owned()),
        proptest::sample::select(vec![
            "{",
            "}",
            "[",
            "]",
            ",",
            ":",
            "\"",
            "\\",
            "\\u",
            "\\ud83d",
            "\\udc00",
            "//",
            "/*",
            "*/",
            "null",
            "true",
            "1e999",
            "-0",
            "\"actions\"",
            "\"filter\"",
            "\"action\"",
            "\"args\"",
            "\"then\"",
            "\"else\"",
            "\"filter_pcre\"",
            "\"re\"",
            "\"(?P<a>\"",
            "\"{a\"",
            "\"{a:>9999999}\"",
            "\u{feff}",
            "\u{202e}",
            "ä",
            "\u{0}",
            "\n",
        ])
        .prop_map(str::to_owned),
        ".{0,8}",
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(cases()))]

    #[test]
    fn a_text_from_pieces_is_loaded_or_refused(pieces in prop::collection::vec(piece(), 1..12)) {
        load(&pieces.concat());
    }

    #[test]
    fn a_good_text_with_damage_is_loaded_or_refused(
        places in prop::collection::vec((any::<prop::sample::Index>(), 0..4_usize, piece()), 1..4),
    ) {
        let mut text: Vec<char> = include_str!("../../examples/demo/pyruse.json").chars().collect();
        for (at, removed, inserted) in places {
            let at = at.index(text.len() + 1);
            let end = (at + removed).min(text.len());
            text.splice(at..end, inserted.chars());
        }
        load(&text.into_iter().collect::<String>());
    }

    #[test]
    fn any_template_is_parsed_or_refused(text in "[{}!:a-z0-9<>^=+# ,._%-]{0,40}|.{0,40}") {
        if let Err(e) = Template::parse(&text) {
            prop_assert!(text.is_char_boundary(e.offset), "{} in {text:?}", e.offset);
        }
    }

    #[test]
    fn any_expression_is_compiled_or_refused(text in "[()\\[\\]{}?*+|.^$\\\\a-cPw<>=!:0-9,#-]{0,24}|.{0,24}") {
        match Pattern::new(&text) {
            Ok(pattern) => drop(pattern.is_match("abc (abc) 123\nä")),
            Err(e) => prop_assert!(text.is_char_boundary(e.offset), "{} in {text:?}", e.offset),
        }
    }
}
