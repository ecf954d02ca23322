//! The linked modules and the workflow together, without a journal: what entries do, odd ones too.

use pyruse_actions as _;
use pyruse_core::config::{ConfigText, Diagnostics};
use pyruse_core::effect::Effect;
use pyruse_core::engine::Engine;
use pyruse_core::entry::{Entry, Fields, MemoryRecord};
use pyruse_core::plugin::{Registry, StepError, run_examples};
use pyruse_core::sources::ConfiguredSource;
use pyruse_core::state::State;
use pyruse_core::time::Timestamp;
use pyruse_core::workflow::{Observer, Site, SiteId};
use pyruse_filters as _;
use pyruse_sources as _;
use serde_json::{Value, json};

/// Runs records through chains, and keeps what happened.
struct Bench {
    engine: Engine,
    state: State,
    seen: Seen,
}

#[derive(Default)]
struct Seen {
    effects: Vec<String>,
    errors: Vec<String>,
    steps: Vec<usize>,
}

impl Observer for Seen {
    const EFFECTS: bool = true;

    fn step(&mut self, id: SiteId, _: &Site, _: &mut Entry<'_>, _: bool) {
        self.steps.push(id.index());
    }

    fn effect(&mut self, _: &Site, _: &mut Entry<'_>, effect: &Effect) {
        self.effects.push(match effect {
            Effect::Log { message, .. } => message.clone(),
            other => serde_json::to_string(other).unwrap(),
        });
    }

    fn error(&mut self, _: SiteId, site: &Site, _: &mut Entry<'_>, error: &StepError) {
        self.errors.push(format!("{} {}: {error}", site.chain, site.step));
    }
}

impl Bench {
    fn new(actions: &Value) -> Bench {
        let source = ConfigText::new("test", json!({"actions": actions}).to_string());
        let mut diagnostics = Diagnostics::default();
        let mut state = State::in_memory();
        let registry = Registry::linked().unwrap();
        let engine =
            Engine::load(&source, &registry, Fields::default(), &mut state, &mut diagnostics).unwrap();
        let engine = engine.unwrap_or_else(|| panic!("{}", source.draw(&diagnostics, false)));
        Bench { engine, state, seen: Seen::default() }
    }

    fn run(&mut self, record: &mut MemoryRecord) {
        self.engine.workflow.run(record, &mut self.state, &mut self.seen);
    }

    /// What the entry's `action_log` steps say.
    fn says(&mut self, record: &mut MemoryRecord) -> Vec<String> {
        self.run(record);
        std::mem::take(&mut self.seen.effects)
    }
}

/// How many nodes the optimiser adds to chains of which each asks one question.
fn added(question: impl Fn(usize) -> Value, chains: usize) -> usize {
    let actions: serde_json::Map<String, Value> =
        (0..chains).map(|n| (format!("{n:03}"), json!([question(n), say("x")]))).collect();
    let mut workflow = Bench::new(&actions.into()).engine.workflow;
    let before = workflow.size();
    workflow.optimize();
    workflow.size() - before
}

/// Other tests show that the optimiser changes no result; this one shows that it does something.
#[test]
fn the_optimiser_finds_ladders_and_leaves_short_ones_alone() {
    let equals = |n: usize| {
        let value = format!("program {n}");
        json!({"filter": "filter_equals", "args": {"field": "SYSLOG_IDENTIFIER", "value": value}})
    };
    let pcre = |n: usize| {
        let re = format!("^event number {n} from (\\S+)$");
        json!({"filter": "filter_pcre", "args": {"field": "MESSAGE", "re": re}})
    };
    let mixed = |n: usize| if n.is_multiple_of(2) { equals(n) } else { pcre(n) };
    assert_eq!([added(equals, 2), added(pcre, 7), added(mixed, 100)], [0, 0, 0]);
    assert!(added(equals, 3) > 0 && added(equals, 500) > 490, "each rung may be entered by itself");
    assert!(added(pcre, 8) > 0);
}

fn record() -> MemoryRecord {
    MemoryRecord::at(Timestamp(1_795_000_000_000_000))
}

fn say(text: &str) -> Value {
    json!({"action": "action_log", "args": {"message": text}})
}

#[test]
fn all_examples_of_all_modules_have_their_stated_outcome() {
    let failures = run_examples(&Registry::linked().unwrap());
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn every_module_has_a_well_formed_name_a_sentence_and_an_example() {
    let registry = Registry::linked().unwrap();
    assert!(registry.plugins().count() >= 15);
    for plugin in registry.plugins() {
        assert!(plugin.name.starts_with(&format!("{}_", plugin.kind.word())), "{}", plugin.name);
        assert!(plugin.doc.ends_with('.'), "{}", plugin.name);
        assert!(!(plugin.examples)().is_empty(), "{}", plugin.name);
        let schema = (plugin.schema)();
        for (argument, described) in schema["properties"].as_object().into_iter().flatten() {
            assert!(described["description"].is_string(), "{}: {argument} is not documented", plugin.name);
        }
    }
}

#[test]
fn an_entry_dropped_at_its_second_filter_costs_two_fields() {
    let mut bench = Bench::new(&json!({"a": [
        {"filter": "filter_equals", "args": {"field": "PRIORITY", "value": 6}},
        {"filter": "filter_equals", "args": {"field": "SYSLOG_IDENTIFIER", "value": "dull"}},
        {"action": "action_noop"},
    ], "b": [say("{MESSAGE}")]}));
    let mut record = record().with("PRIORITY", "6").with("SYSLOG_IDENTIFIER", "dull");
    for n in 0..20 {
        record.push(format!("FIELD_{n}"), "x");
    }
    record.push("MESSAGE", "x");
    assert!(bench.says(&mut record).is_empty());
    assert_eq!(record.fields_read(), 2);
}

#[test]
fn a_comparison_with_a_repeated_field_is_true_if_it_is_for_any_element() {
    let mut bench = Bench::new(&json!({"a": [
        {"filter": "filter_pcre", "args": {"field": "MESSAGE", "re": "^second (?P<word>\\w+)"}},
        {"filter": "filter_in", "args": {"field": "PRIORITY", "values": [9, 3]}},
        {"filter": "filter_lowerOrEquals", "args": {"field": "PRIORITY", "value": 3}},
        say("{word}: {MESSAGE} {PRIORITY}"),
    ]}));
    let mut entry = record()
        .with("MESSAGE", "first")
        .with("PRIORITY", "6")
        .with("OTHER", "x")
        .with("MESSAGE", "second hit")
        .with("PRIORITY", "3");
    assert_eq!(bench.says(&mut entry), ["hit: first, second hit 6, 3"]);
    assert_eq!(bench.seen.errors, [] as [&str; 0]);
}

#[test]
fn an_error_of_a_filter_counts_as_not_passed_and_an_error_of_an_action_ends_the_entry() {
    let mut bench = Bench::new(&json!({
        "a": [{"filter": "filter_inNetworks", "args": {"field": "MESSAGE", "nets": ["::/0"]}, "else": "b"}],
        "b": [
            say("b"),
            {"action": "action_counterRaise", "args": {"counter": "c", "for": "NOT_THERE"}},
            say("never"),
        ],
        "c": [say("never")],
    }));
    assert_eq!(bench.says(&mut record().with("MESSAGE", "no address")), ["b"]);
    assert_eq!(
        bench.seen.errors,
        ["a 0: `no address` is not an IP address", "b 1: the entry has no field `NOT_THERE`"]
    );
}

#[test]
fn odd_entries_are_data_and_leave_their_neighbours_alone() {
    let mut bench = Bench::new(&json!({"a": [
        {"filter": "filter_pcre", "args": {"field": "MESSAGE", "re": "(?s)^(?P<first>.{0,3})"}, "else": "none"},
        say("{first!r} {PRIORITY} {__REALTIME_TIMESTAMP}"),
    ], "none": [say("no message")]}));
    let time = "2026-11-18 11:06:40+00:00";
    for (message, priority, says) in [
        (Some(b"ordinary".to_vec()), "6", format!("'ord' 6 {time}")),
        (None, "6", "no message".to_owned()),
        (Some(vec![]), "6", format!("'' 6 {time}")),
        (Some(b"\xff\x00\x1b[31m".to_vec()), "6", format!("'ÿ\\x00\\x1b' 6 {time}")),
        (Some(b"a\nPRIORITY=0\n".to_vec()), "6", format!("'a\\nP' 6 {time}")),
        (Some(vec![b'x'; 64 << 10]), "six", format!("'xxx' six {time}")),
        (Some("ä".repeat(5 << 20).into_bytes()), "", format!("'äää'  {time}")),
        (Some(b"ordinary".to_vec()), "6", format!("'ord' 6 {time}")),
    ] {
        let mut record =
            record().with("\u{fffd}=\n", "odd name").with("", "no name").with("PRIORITY", priority);
        if let Some(message) = message {
            record.push("MESSAGE", message);
        }
        record.push("x".repeat(100_000), "long name");
        assert_eq!(bench.says(&mut record), [says]);
    }
    assert_eq!(bench.seen.errors, [] as [&str; 0]);
}

#[test]
fn a_field_is_cut_at_64_kib_and_saved_parts_are_exact() {
    let mut bench = Bench::new(&json!({"a": [
        {"filter": "filter_pcre", "args": {"field": "MESSAGE", "re": "^(?P<all>.*)$"}},
        {"filter": "filter_pcre", "args": {"field": "all", "re": "(?P<end>..)$"}},
        say("{end}"),
    ]}));
    let long = format!("{}{}", "x".repeat(65_533), "€€€");
    assert_eq!(bench.says(&mut record().with("MESSAGE", long)), ["x€"]);
}

#[test]
fn what_a_step_saves_hides_the_journal_s_field_and_groups_without_part_unset() {
    let mut bench = Bench::new(&json!({"a": [
        {"filter": "filter_pcre", "args": {"field": "MESSAGE", "re": "(?P<PRIORITY>\\d+)|(?P<_UID>x)"}},
        say("{PRIORITY} {_UID}"),
    ]}));
    let mut entry =
        record().with("PRIORITY", "6").with("_UID", "0").with("MESSAGE", "42").with("PRIORITY", "7");
    assert_eq!(bench.says(&mut entry), ["42 None"]);
}

#[test]
fn counters_count_in_the_time_of_entries() {
    let mut bench = Bench::new(&json!({"a": [
        {"action": "action_counterRaise", "args": {"counter": "c", "for": "KEY", "keepSeconds": 10, "save": "n"}},
        say("{n:03d}"),
    ]}));
    let mut at = |seconds: i64, key: &str| {
        let time = Timestamp::from_seconds(1_795_000_000 + seconds);
        bench.says(&mut MemoryRecord::at(time).with("KEY", key)).remove(0)
    };
    assert_eq!(
        [at(0, "a"), at(1, "a"), at(1, "b"), at(10, "a"), at(100, "a")],
        ["001", "002", "001", "002", "001"]
    );
}

#[test]
fn a_ladder_of_60_two_way_jump_chains_is_small() {
    let mut actions = serde_json::Map::new();
    for n in 0..60 {
        let step = json!({"filter": "filter_equals", "args": {"field": format!("F{n}"), "value": 1},
            "then": format!("c{}", n + 1), "else": format!("c{}", n + 1)});
        actions.insert(format!("c{n}"), json!([step]));
    }
    actions.insert("c60".into(), json!([say("end")]));
    let mut bench = Bench::new(&Value::Object(actions));
    assert_eq!(bench.engine.workflow.size(), 61);
    assert_eq!(bench.says(&mut record()), ["end"]);
    assert_eq!(bench.seen.steps.len(), 61);
}

#[test]
fn a_source_that_a_command_names_is_refused_where_its_arguments_are_wrong() {
    let registry = Registry::linked().unwrap();
    let of = |args| ConfiguredSource::of(&registry, "journal", "source_journal", &args);
    assert!(of(json!({"directory": "/nowhere"})).is_ok());
    for (args, why) in [
        (json!({"directry": "/nowhere"}), "`directry`"),
        (json!({"directory": "/nowhere", "namespace": "x"}), "exclude each other"),
    ] {
        let refused = of(args).err().expect("wrong arguments are refused").to_string();
        assert!(refused.contains(why), "{refused}");
    }
}
