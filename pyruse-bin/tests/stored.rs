//! A state file that an earlier version of this program wrote: its counters and mappings are all there.
//!
//! `stored/format-1.sqlite` was written by commit d266c59 from the entries of [`BEFORE`]. It must never be written again:
//! users have state files of that version. This program must write the same rows for the same entries, and must continue
//! with the file as with state of its own.

mod logged_lines;

use std::path::Path;

use logged_lines::LoggedLines;
use pyruse_actions as _;
use pyruse_core::config::{ConfigText, Diagnostics};
use pyruse_core::engine::Engine;
use pyruse_core::entry::{Fields, MemoryRecord};
use pyruse_core::plugin::Registry;
use pyruse_core::state::{Changes, Resource, Row, State};
use pyruse_core::time::{Clock, Now, Timestamp};
use pyruse_filters as _;
use pyruse_sources as _;
use serde_json::{Value, json};

const START: i64 = 1_795_000_000;

/// The parts of the state that the rules below use.
const PARTS: [&str; 2] = ["counter/logins", "dnat/mappings"];

fn rules() -> Value {
    let chain = |kind: &str, action: &str, args: Value, says: &str| {
        json!([
            {"filter": "filter_equals", "args": {"field": "KIND", "value": kind}},
            {"action": action, "args": args},
            {"action": "action_log", "args": {"message": says}},
        ])
    };
    let counter = |more: Value| {
        let mut args = json!({"counter": "logins", "for": "KEY", "save": "n"});
        args.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        args
    };
    let capture = |keep: u64| json!({"saddr": "S", "sport": "SP", "addr": "A", "port": "P", "daddr": "D", "dport": "DP", "keepSeconds": keep});
    let replace = |asked: &[&str]| {
        let mut args = json!({"saddrInto": "S", "sportInto": "SP"});
        for (name, field) in [("addr", "A"), ("port", "P"), ("daddr", "D"), ("dport", "DP")] {
            if asked.contains(&name) {
                args[name] = field.into();
            }
        }
        args
    };
    json!({"actions": {
        "raise": chain("raise", "action_counterRaise", counter(json!({"keepSeconds": 3600})), "{n}"),
        "endless": chain("endless", "action_counterRaise", counter(json!({"by": "BY"})), "{n}"),
        "lower": chain("lower", "action_counterLower", counter(json!({})), "{n}"),
        "reset": chain("reset", "action_counterReset", counter(json!({})), "{n}"),
        "forgive": chain("forgive", "action_counterReset", counter(json!({"graceSeconds": 600})), "{n}"),
        "capture": chain("capture", "action_dnatCapture", capture(900), "captured"),
        "captureLong": chain("captureLong", "action_dnatCapture", capture(u64::MAX), "captured"),
        "captureNumber": chain("captureNumber", "action_dnatCapture",
            json!({"saddr": "S", "sport": "_PID", "addr": "A", "portValue": 7, "keepSeconds": 900}), "captured"),
        "byPort": chain("byPort", "action_dnatReplace", replace(&["addr", "port"]), "{S} {SP}"),
        "byService": chain("byService", "action_dnatReplace", replace(&["daddr"]), "{S} {SP}"),
        "byAll": chain("byAll", "action_dnatReplace", replace(&["addr", "port", "daddr", "dport"]), "{S} {SP}"),
    }})
}

/// Entries, each with its second. `LONG` in a text is replaced by 150 times `ä`, which is 300 bytes, and `PATH` by 250
/// bytes of ASCII: a key of more than 200 bytes is counted under its head and a hash.
type Entries = &'static [(i64, &'static [(&'static str, &'static str)])];

#[rustfmt::skip]
const BEFORE: Entries = &[
    (0, &[("KIND", "raise"), ("KEY", "192.0.2.1")]),
    (1, &[("KIND", "raise"), ("KEY", "192.0.2.1")]),
    (2, &[("KIND", "endless"), ("KEY", "192.0.2.1"), ("BY", "3")]),
    (3, &[("KIND", "raise"), ("KEY", "LONG")]),
    (4, &[("KIND", "raise"), ("KEY", "LONG")]),
    (4, &[("KIND", "raise"), ("KEY", "LONG.")]),
    (5, &[("KIND", "endless"), ("KEY", "PATH"), ("BY", "140")]),
    (6, &[("KIND", "raise"), ("KEY", "PATH/other")]),
    (7, &[("KIND", "lower"), ("KEY", "PATH")]),
    (8, &[("KIND", "reset"), ("KEY", "PATH/other")]),
    (9, &[("KIND", "forgive"), ("KEY", "forgiven LONG")]),
    (10, &[("KIND", "forgive"), ("KEY", "forgiven")]),
    (10, &[("KIND", "capture"), ("A", "10.0.0.3"), ("P", "40123"), ("S", "203.0.113.7"), ("SP", "51000")]),
    (11, &[("KIND", "capture"), ("A", "10.0.0.3"), ("P", "40124"), ("D", "10.0.0.8"), ("DP", "5222"), ("S", "203.0.113.8")]),
    (12, &[("KIND", "capture"), ("A", "2001:DB8:0::1"), ("P", "1"), ("S", "2001:db8:85a3:8d3:1319:8a2e:370:7348"), ("SP", "1")]),
    (13, &[("KIND", "captureLong"), ("A", "10.0.0.3"), ("P", "2"), ("S", "long"), ("SP", "2")]),
    (14, &[("KIND", "capture"), ("A", "10.0.0.3"), ("P", "2"), ("S", "short"), ("SP", "3")]),
    (15, &[("KIND", "captureNumber"), ("A", "::ffff:10.0.0.9"), ("S", "LONG"), ("_PID", "77")]),
    (16, &[("KIND", "capture"), ("A", "10.0.0.3"), ("P", "40123"), ("S", "203.0.113.9"), ("SP", "51001")]),
    (17, &[("KIND", "capture"), ("A", "LONG"), ("P", ""), ("D", "\u{1f980}\"\\\n"), ("S", ""), ("SP", "PATH")]),
    (18, &[("KIND", "captureNumber"), ("A", "10.0.0.10"), ("S", "without a port")]),
];

#[rustfmt::skip]
const AFTER: Entries = &[
    (20, &[("KIND", "raise"), ("KEY", "192.0.2.1")]),
    (20, &[("KIND", "raise"), ("KEY", "LONG")]),
    (20, &[("KIND", "raise"), ("KEY", "LONG.")]),
    (20, &[("KIND", "raise"), ("KEY", "PATH")]),
    (20, &[("KIND", "raise"), ("KEY", "PATH/other")]),
    (7, &[("KIND", "raise"), ("KEY", "PATH/other")]),
    (20, &[("KIND", "raise"), ("KEY", "forgiven LONG")]),
    (608, &[("KIND", "raise"), ("KEY", "forgiven LONG")]),
    (609, &[("KIND", "raise"), ("KEY", "forgiven LONG")]),
    (20, &[("KIND", "raise"), ("KEY", "forgiven")]),
    (21, &[("KIND", "byPort"), ("A", "10.0.0.3"), ("P", "40123")]),
    (21, &[("KIND", "byPort"), ("A", "10.0.0.3"), ("P", "40124"), ("SP", "as it was")]),
    (21, &[("KIND", "byService"), ("D", "10.0.0.8")]),
    (21, &[("KIND", "byAll"), ("A", "10.0.0.3"), ("P", "40124"), ("D", "10.0.0.8"), ("DP", "5222")]),
    (21, &[("KIND", "byPort"), ("A", "2001:db8::1"), ("P", "1")]),
    (21, &[("KIND", "byPort"), ("A", "10.0.0.3"), ("P", "2")]),
    (9000, &[("KIND", "byPort"), ("A", "10.0.0.3"), ("P", "2")]),
    (21, &[("KIND", "byPort"), ("A", "10.0.0.9"), ("P", "7")]),
    (21, &[("KIND", "byPort"), ("A", "LONG"), ("P", "")]),
    (21, &[("KIND", "byService"), ("D", "\u{1f980}\"\\\n")]),
    (21, &[("KIND", "byPort"), ("A", "10.0.0.10"), ("P", "7"), ("SP", "as it was")]),
];

fn open(path: &Path) -> State {
    let now = Now::at(Timestamp::from_seconds(START + 10_000));
    State::open_file(path).unwrap().with_clock(Clock::of(move || now))
}

/// What the rules say of those entries, with the state in that file.
fn run(path: &Path, entries: Entries) -> Vec<String> {
    let mut state = open(path);
    let source = ConfigText::new("test", rules().to_string());
    let mut diagnostics = Diagnostics::default();
    let registry = Registry::linked().unwrap();
    let engine = Engine::load(&source, &registry, Fields::default(), &mut state, &mut diagnostics).unwrap();
    let mut engine = engine.unwrap_or_else(|| panic!("{}", source.draw_within(500, &diagnostics, false)));
    let mut logged = LoggedLines::default();
    for (second, fields) in entries {
        let mut record = MemoryRecord::at(Timestamp::from_seconds(START + second));
        for (name, value) in *fields {
            record.push(*name, value.replace("LONG", &"ä".repeat(150)).replace("PATH", &"/usr/".repeat(50)));
        }
        engine.workflow.run(&mut record, &mut state, &mut logged);
    }
    state.commit().unwrap();
    logged.0
}

/// The rows of a part as they are stored.
struct Rows(Vec<Row>);

impl Resource for Rows {
    fn load(rows: Vec<Row>) -> Result<Rows, String> {
        Ok(Rows(rows))
    }

    fn changes(&mut self, _: &mut Changes<'_>) {}
}

fn rows(path: &Path) -> Vec<Vec<(String, String)>> {
    let mut state = open(path);
    let shown = |bytes: &[u8]| bytes.escape_ascii().to_string();
    let part = |name: &str| {
        let rows = state.open::<Rows>(name).unwrap();
        state.get(rows).0.iter().map(|(key, value)| (shown(key), shown(value))).collect()
    };
    PARTS.into_iter().map(part).collect()
}

#[test]
fn a_file_of_an_earlier_version_is_loaded_and_continued_as_if_this_one_had_written_it() {
    let directory = tempfile::tempdir().unwrap();
    let [earlier, ours] = ["earlier", "ours"].map(|name| directory.path().join(name));
    std::fs::write(&earlier, include_bytes!("stored/format-1.sqlite")).unwrap();
    run(&ours, BEFORE);
    assert_eq!(rows(&earlier), rows(&ours));
    let logged = run(&earlier, AFTER);
    insta::assert_debug_snapshot!(logged);
    assert_eq!(logged, run(&ours, AFTER));
    assert_eq!(rows(&earlier), rows(&ours));
}

/// Rows that are written as they are.
struct Given(Vec<Row>);

impl Resource for Given {
    fn load(_: Vec<Row>) -> Result<Given, String> {
        Ok(Given(Vec::new()))
    }

    fn changes(&mut self, changes: &mut Changes<'_>) {
        for (key, value) in self.0.drain(..) {
            changes.put(key, value);
        }
    }
}

/// What lists store: a network that was added by hand, and the addresses of a name. Users have such rows: this program
/// must read them, and write the same.
const STORED_LISTS: [(&str, &str, &str); 2] = [
    (
        "lists/added",
        "friends 192.0.2.0/24",
        r#"{"e":[1795096400000000,86400000000],"v":{"since":1795010000000000}}"#,
    ),
    (
        "lists/resolved",
        "home.example.org",
        r#"{"e":[1797602000000000,2592000000000],"v":{"at":1795010000000000,"addresses":["192.0.2.10","2001:db8::10"]}}"#,
    ),
];

#[test]
fn lists_have_what_an_earlier_version_stored_and_store_the_same() {
    use pyruse_core::operation::{Answer, Operation};
    let directory = tempfile::tempdir().unwrap();
    let [earlier, ours] = ["earlier", "ours"].map(|name| directory.path().join(name));
    let mut state = open(&earlier);
    for (part, key, value) in STORED_LISTS {
        let given = state.open::<Given>(part).unwrap();
        state.get_mut(given).0.push((key.as_bytes().into(), value.as_bytes().into()));
    }
    state.commit().unwrap();
    drop(state);
    let source = ConfigText::new(
        "test",
        json!({
            "lists": {"friends": {"names": ["home.example.org"]}},
            "actions": {"a": [
                {"filter": "filter_inList", "args": {"field": "IP", "list": "friends"}},
                {"action": "action_log", "args": {"message": "{IP}"}},
            ]},
        })
        .to_string(),
    );
    let load = |state: &mut State| {
        let (registry, mut diagnostics) = (Registry::linked().unwrap(), Diagnostics::default());
        let engine = Engine::load(&source, &registry, Fields::default(), state, &mut diagnostics).unwrap();
        engine.unwrap_or_else(|| panic!("{}", source.draw_within(500, &diagnostics, false)))
    };
    let mut state = open(&earlier);
    let mut engine = load(&mut state);
    let mut logged = LoggedLines::default();
    for (second, ip) in
        [(10_000, "192.0.2.10"), (10_000, "2001:db8::10"), (10_000, "192.0.2.77"), (10_000, "192.0.3.1")]
    {
        let mut record = MemoryRecord::at(Timestamp::from_seconds(START + second)).with("IP", ip);
        engine.workflow.run(&mut record, &mut state, &mut logged);
    }
    assert_eq!(logged.0, ["192.0.2.10", "2001:db8::10", "192.0.2.77"]);

    let mut state = open(&ours);
    let mut engine = load(&mut state);
    let network = pyruse_core::network::Network::parse("192.0.2.0/24").unwrap();
    let allow = Operation::AllowInList { network, list: None, seconds: 86_400 };
    let now = state.now().wall;
    assert!(matches!(engine.services.operate(&allow, &mut state, now), Ok(Answer::ListParts(_))));
    state.commit().unwrap();
    drop((engine, state));
    let stored = |path: &Path, part: &str| {
        let mut state = open(path);
        let rows = state.open::<Rows>(part).unwrap();
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        state.get(rows).0.iter().map(|(key, value)| (text(key), text(value))).collect::<Vec<_>>()
    };
    assert_eq!(stored(&ours, "lists/added"), stored(&earlier, "lists/added"));
    assert_eq!(stored(&ours, "lists/added"), [(STORED_LISTS[0].1.to_owned(), STORED_LISTS[0].2.to_owned())]);
}
