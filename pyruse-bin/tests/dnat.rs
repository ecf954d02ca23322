//! The real client behind a proxy, without a journal: what is captured is found again, exactly as the rule of retention
//! says, also after a restart of the program.

mod logged_lines;

use std::path::Path;

use logged_lines::LoggedLines;
use pyruse_actions as _;
use pyruse_core::config::{ConfigText, Diagnostics};
use pyruse_core::engine::Engine;
use pyruse_core::entry::{Fields, MemoryRecord};
use pyruse_core::plugin::Registry;
use pyruse_core::state::State;
use pyruse_core::time::Timestamp;
use pyruse_filters as _;
use pyruse_sources as _;
use serde_json::{Value, json};

const START: i64 = 1_795_000_000;

/// A workflow with its state.
struct Bench {
    engine: Engine,
    state: State,
}

fn load(config: &Value, state: &mut State) -> Result<Engine, String> {
    let source = ConfigText::new("test", serde_json::to_string_pretty(config).unwrap());
    let mut diagnostics = Diagnostics::default();
    let registry = Registry::linked().unwrap();
    let engine = Engine::load(&source, &registry, Fields::default(), state, &mut diagnostics).unwrap();
    engine.ok_or_else(|| source.draw_within(500, &diagnostics, false))
}

impl Bench {
    fn new(config: &Value, mut state: State) -> Bench {
        let engine = load(config, &mut state).unwrap_or_else(|e| panic!("{e}"));
        Bench { engine, state }
    }

    /// What an entry of that second says; `None` for the value leaves the field out.
    fn at(&mut self, second: i64, fields: &[(&str, &str)]) -> Vec<String> {
        let mut record = MemoryRecord::at(Timestamp::from_seconds(second));
        for (name, value) in fields {
            record.push(*name, *value);
        }
        let mut logged = LoggedLines::default();
        self.engine.workflow.run(&mut record, &mut self.state, &mut logged);
        logged.0
    }
}

/// One chain for each kind of entry: this step, and then a step that logs `{client} {clientPort}`.
fn config(steps: &[(&str, &str, Value)]) -> Value {
    let mut chains = serde_json::Map::new();
    for (kind, action, args) in steps {
        chains.insert(
            (*kind).to_owned(),
            json!([
                {"filter": "filter_equals", "args": {"field": "KIND", "value": kind}},
                {"action": action, "args": args},
                {"action": "action_log", "args": {"message": "{client} {clientPort}"}},
            ]),
        );
    }
    json!({ "actions": chains })
}

const CAPTURE: &str = "action_dnatCapture";
const REPLACE: &str = "action_dnatReplace";

fn simple() -> Value {
    config(&[
        ("proxy", CAPTURE, json!({"saddr": "S", "sport": "SP", "addr": "A", "port": "P"})),
        (
            "service",
            REPLACE,
            json!({"addr": "client", "port": "clientPort", "saddrInto": "client", "sportInto": "clientPort"}),
        ),
    ])
}

fn service(bench: &mut Bench, second: i64, addr: &str, port: &str) -> String {
    bench.at(second, &[("KIND", "service"), ("client", addr), ("clientPort", port)]).remove(0)
}

#[test]
fn the_client_replaces_the_proxy_until_the_mapping_expires() {
    let mut bench = Bench::new(&simple(), State::in_memory());
    assert_eq!(service(&mut bench, START, "10.0.0.1", "40000"), "10.0.0.1 40000");
    let proxy = [("KIND", "proxy"), ("S", "192.0.2.1"), ("SP", "5"), ("A", "10.0.0.1"), ("P", "40000")];
    bench.at(START, &proxy);
    assert_eq!(service(&mut bench, START, "10.0.0.1", "40000"), "192.0.2.1 5");
    assert_eq!(service(&mut bench, START, "10.0.0.1", "40001"), "10.0.0.1 40001");
    assert_eq!(service(&mut bench, START, "10.0.0.2", "40000"), "10.0.0.2 40000");
    // The default of 63 seconds: six binary digits.
    let last = ((START >> 6) + 2) * 64 - 1;
    assert_eq!(service(&mut bench, last, "10.0.0.1", "40000"), "192.0.2.1 5");
    assert_eq!(service(&mut bench, last + 1, "10.0.0.1", "40000"), "10.0.0.1 40000");
}

#[test]
fn the_newest_mapping_wins() {
    let mut bench = Bench::new(&simple(), State::in_memory());
    for client in ["192.0.2.1", "192.0.2.2", "192.0.2.3"] {
        bench.at(START, &[("KIND", "proxy"), ("S", client), ("A", "10.0.0.1"), ("P", "40000")]);
    }
    // The port of the client was not captured: it is left as it is.
    assert_eq!(service(&mut bench, START, "10.0.0.1", "40000"), "192.0.2.3 40000");
}

#[test]
fn an_ipv4_mapped_address_is_that_ipv4_address() {
    let mut bench = Bench::new(&simple(), State::in_memory());
    bench.at(START, &[("KIND", "proxy"), ("S", "192.0.2.1"), ("A", "::ffff:10.0.0.1"), ("P", "40000")]);
    assert_eq!(service(&mut bench, START, "10.0.0.1", "40000"), "192.0.2.1 40000");
    bench.at(START, &[("KIND", "proxy"), ("S", "192.0.2.2"), ("A", "2001:DB8:0::1"), ("P", "40000")]);
    assert_eq!(service(&mut bench, START, "2001:db8::1", "40000"), "192.0.2.2 40000");
}

#[test]
fn a_missing_field_captures_nothing_and_is_not_replaced() {
    let mut bench = Bench::new(&simple(), State::in_memory());
    bench.at(START, &[("KIND", "proxy"), ("A", "10.0.0.1"), ("P", "40000")]);
    bench.at(START, &[("KIND", "proxy"), ("S", "192.0.2.1"), ("P", "40000")]);
    bench.at(START, &[("KIND", "proxy"), ("S", "192.0.2.1"), ("A", "10.0.0.1")]);
    assert_eq!(service(&mut bench, START, "10.0.0.1", "40000"), "10.0.0.1 40000");
    bench.at(START, &[("KIND", "proxy"), ("S", "192.0.2.1"), ("A", "10.0.0.1"), ("P", "40000")]);
    assert_eq!(bench.at(START, &[("KIND", "service"), ("client", "10.0.0.1")]), ["10.0.0.1 None"]);
    assert_eq!(service(&mut bench, START, "10.0.0.1", "40000"), "192.0.2.1 40000");
}

#[test]
fn values_of_the_configuration_stand_in_for_fields_and_numbers_equal_their_text() {
    let mut bench = Bench::new(
        &config(&[
            (
                "proxy",
                CAPTURE,
                json!({"saddr": "S", "sport": "ERRNO", "addr": "A", "addrValue": "::ffff:10.0.0.1", "portValue": 40000,
                    "port": "CODE_LINE", "daddrValue": "10.0.0.9", "dportValue": "25"}),
            ),
            (
                "service",
                REPLACE,
                json!({"addr": "client", "port": "clientPort", "dport": "_PID", "daddr": "D",
                    "saddrInto": "client", "sportInto": "clientPort"}),
            ),
        ]),
        State::in_memory(),
    );
    let mut asked = |addr: &str, port: &str, pid: &str| {
        let fields =
            [("KIND", "service"), ("client", addr), ("clientPort", port), ("_PID", pid), ("D", "10.0.0.9")];
        bench.at(START, &fields).remove(0)
    };
    assert_eq!(asked("10.0.0.1", "40000", "25"), "10.0.0.1 40000");
    bench.at(START, &[("KIND", "proxy"), ("S", "192.0.2.1")]);
    bench.at(
        START,
        &[("KIND", "proxy"), ("S", "192.0.2.2"), ("A", "10.0.0.2"), ("CODE_LINE", "7"), ("ERRNO", "8")],
    );
    let mut asked = |addr: &str, port: &str, pid: &str| {
        let fields =
            [("KIND", "service"), ("client", addr), ("clientPort", port), ("_PID", pid), ("D", "10.0.0.9")];
        bench.at(START, &fields).remove(0)
    };
    assert_eq!(asked("10.0.0.1", "40000", "25"), "192.0.2.1 40000");
    assert_eq!(asked("10.0.0.2", "7", "25"), "192.0.2.2 8");
    assert_eq!(asked("10.0.0.2", "7", "26"), "10.0.0.2 7");
    assert_eq!(asked("10.0.0.2", "07", "25"), "10.0.0.2 07");
}

#[test]
fn a_step_that_could_do_nothing_is_refused() {
    let complaints = |action: &str, args: Value| {
        let report = load(&config(&[("a", action, args)]), &mut State::in_memory()).err().expect("an error");
        let errors = report.lines().filter_map(|line| line.strip_prefix("error: ").map(str::to_owned));
        errors.collect::<Vec<_>>()
    };
    assert_eq!(
        complaints(CAPTURE, json!({"saddr": "S", "port": "P"})),
        [
            "`action_dnatCapture` needs `addr` or `addrValue`: without the proxy's address, nothing would be stored"
        ]
    );
    assert_eq!(
        complaints(CAPTURE, json!({"addr": "A"})),
        ["missing from the arguments of `action_dnatCapture`: `saddr`"]
    );
    assert_eq!(
        complaints(CAPTURE, json!({"saddr": "S", "addr": "A", "portValue": true, "dportValue": [1]})),
        [
            "`dportValue`: must not be a list, but a text or a whole number",
            "`portValue`: must not be boolean `true`, but a text or a whole number",
        ]
    );
    assert_eq!(
        complaints(REPLACE, json!({})),
        [
            "`action_dnatReplace` needs at least one of `addr`, `port`, `daddr` and `dport`",
            "`action_dnatReplace` needs `saddrInto` or `sportInto`: nothing would be replaced",
        ]
    );
    assert!(
        complaints(REPLACE, json!({"addr": "A", "saddrinto": "A"}))
            .contains(&"`saddrinto` is not one of the arguments of `action_dnatReplace`".to_owned())
    );
}

#[test]
fn a_configuration_with_other_properties_finds_earlier_captures() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("state.sqlite");
    let capture =
        ("proxy", CAPTURE, json!({"saddr": "S", "sport": "SP", "addr": "A", "port": "P", "dport": "D"}));
    let mut bench = Bench::new(&config(&[capture]), State::open_file(&file).unwrap());
    for (client, port) in [("192.0.2.1", "1"), ("192.0.2.2", "2"), ("192.0.2.3", "2")] {
        bench.at(
            START,
            &[("KIND", "proxy"), ("S", client), ("SP", "5"), ("A", "10.0.0.1"), ("P", port), ("D", "25")],
        );
    }
    bench.state.commit().unwrap();
    drop(bench);
    let asks = |by: Value| {
        let mut args = by;
        args["saddrInto"] = json!("client");
        let mut bench = Bench::new(&config(&[("service", REPLACE, args)]), State::open_file(&file).unwrap());
        let fields = [("KIND", "service"), ("A", "10.0.0.1"), ("P", "1"), ("D", "25"), ("client", "?")];
        bench.at(START + 5, &fields).remove(0)
    };
    assert_eq!(asks(json!({"addr": "A", "port": "P"})), "192.0.2.1 None");
    assert_eq!(asks(json!({"addr": "A"})), "192.0.2.3 None");
    assert_eq!(asks(json!({"dport": "D"})), "192.0.2.3 None");
    assert_eq!(asks(json!({"daddr": "A"})), "? None");
}

/// Reproducible chance.
struct Chance(u64);

impl Chance {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }

    fn of<'a>(&mut self, choices: &[&'a str]) -> &'a str {
        choices[usize::try_from(self.below(choices.len() as u64)).unwrap()]
    }
}

/// The rule as it is written, over a list.
struct Plain {
    second: i64,
    bits: u32,
    saddr: String,
    sport: Option<String>,
    properties: [Option<String>; 4],
}

impl Plain {
    fn find<'a>(list: &'a [Plain], now: i64, asked: &[(usize, String)]) -> Option<&'a Plain> {
        list.iter().rev().find(|plain| {
            now >> plain.bits <= 1 + (plain.second >> plain.bits)
                && asked.iter().all(|(n, value)| plain.properties[*n].as_ref() == Some(value))
        })
    }
}

const CAPTURES: [(&str, Option<u64>); 4] =
    [("k0", Some(0)), ("k5", Some(5)), ("k", None), ("k100", Some(100))];

const REPLACES: [(&str, &[usize]); 6] = [
    ("r0", &[0]),
    ("r1", &[1]),
    ("r01", &[0, 1]),
    ("r23", &[2, 3]),
    ("r013", &[0, 1, 3]),
    ("r0123", &[0, 1, 2, 3]),
];

const NAMES: [&str; 4] = ["addr", "port", "daddr", "dport"];

fn many_steps() -> Value {
    let mut steps = Vec::new();
    for (kind, keep) in CAPTURES {
        let args = json!({"saddr": "S", "sport": "SP", "addr": "addr", "addrValue": "default", "port": "port",
            "daddr": "daddr", "dport": "dport", "keepSeconds": keep});
        steps.push((kind, CAPTURE, args));
    }
    for (kind, by) in REPLACES {
        let mut args = json!({"saddrInto": "client", "sportInto": "clientPort"});
        for n in by {
            args[NAMES[*n]] = json!(NAMES[*n]);
        }
        steps.push((kind, REPLACE, args));
    }
    config(&steps)
}

fn compare(seed: u64, file: &Path, spread: u64) {
    let mut chance = Chance(seed);
    let config = many_steps();
    let mut bench = Bench::new(&config, State::open_file(file).unwrap());
    let mut list: Vec<Plain> = Vec::new();
    let (mut latest, mut found) = (START, 0);
    for step in 0..2500 {
        latest += i64::try_from(chance.below(4) * chance.below(4)).unwrap();
        // Some entries come late.
        let now =
            if chance.below(5) == 0 { latest - i64::try_from(chance.below(50)).unwrap() } else { latest };
        let values: [Option<String>; 4] = std::array::from_fn(|n| {
            let value = match n {
                0 | 2 => chance
                    .of(&["10.0.0.1", "::ffff:10.0.0.1", "10.0.0.2", "fe80::1", "FE80:0::1", "host"])
                    .to_owned(),
                _ => chance.below(spread).to_string(),
            };
            (chance.below(8) != 0).then_some(value)
        });
        let normal: [Option<String>; 4] = values.clone().map(|value| {
            let value = value?;
            Some(match value.as_str() {
                "::ffff:10.0.0.1" => "10.0.0.1".to_owned(),
                "FE80:0::1" => "fe80::1".to_owned(),
                _ => value,
            })
        });
        let mut fields: Vec<(&str, &str)> = Vec::new();
        for (name, value) in NAMES.iter().zip(&values) {
            fields.extend(value.as_deref().map(|value| (*name, value)));
        }
        let (client, port) = (format!("c{step}"), step.to_string());
        if chance.below(2) == 0 {
            let (kind, keep) = CAPTURES[usize::try_from(chance.below(4)).unwrap()];
            let keep = keep.unwrap_or(63);
            fields.extend([("KIND", kind), ("S", &client)]);
            let sport = (chance.below(3) != 0).then_some(port);
            fields.extend(sport.as_deref().map(|port| ("SP", port)));
            bench.at(now, &fields);
            let mut properties = normal;
            properties[0].get_or_insert_with(|| "default".to_owned());
            list.push(Plain {
                second: now,
                bits: u64::BITS - keep.leading_zeros(),
                saddr: client,
                sport,
                properties,
            });
        } else {
            let (kind, by) = REPLACES[usize::try_from(chance.below(6)).unwrap()];
            fields.extend([("KIND", kind), ("client", "?"), ("clientPort", "?")]);
            let logged = bench.at(now, &fields).remove(0);
            let asked: Option<Vec<(usize, String)>> =
                by.iter().map(|n| normal[*n].clone().map(|value| (*n, value))).collect();
            let expected = asked.and_then(|asked| Plain::find(&list, now, &asked));
            found += usize::from(expected.is_some());
            let expected = expected.map_or("? ?".to_owned(), |plain| {
                format!("{} {}", plain.saddr, plain.sport.as_deref().unwrap_or("?"))
            });
            assert_eq!(logged, expected, "seed {seed}, step {step}, {kind} {fields:?} at {}", now - START);
        }
        if chance.below(7) == 0 {
            bench.state.commit().unwrap();
        }
        if chance.below(300) == 0 {
            bench.state.commit().unwrap();
            drop(bench);
            bench = Bench::new(&config, State::open_file(file).unwrap());
        }
    }
    assert!(found > 200, "too few hits to mean something: {found}");
}

#[test]
fn every_look_up_agrees_with_the_rule_applied_to_a_list_also_over_restarts() {
    let directory = tempfile::tempdir().unwrap();
    for seed in 1..=6 {
        compare(seed * 7_919, &directory.path().join(format!("{seed}.sqlite")), 1 + seed % 4 * 5);
    }
}

#[test]
fn the_memory_for_mappings_is_bounded_as_configured() {
    let mut config = simple();
    config["dnat"] = json!({"maxMappings": 3});
    let mut bench = Bench::new(&config, State::in_memory());
    for port in ["1", "2", "3", "4"] {
        bench.at(START, &[("KIND", "proxy"), ("S", "192.0.2.1"), ("A", "10.0.0.1"), ("P", port)]);
    }
    assert_eq!(service(&mut bench, START, "10.0.0.1", "1"), "10.0.0.1 1");
    assert_eq!(service(&mut bench, START, "10.0.0.1", "2"), "192.0.2.1 2");
    assert_eq!(service(&mut bench, START, "10.0.0.1", "4"), "192.0.2.1 4");
    config["dnat"] = json!({"maxMappings": 0});
    assert!(
        load(&config, &mut State::in_memory()).err().unwrap().contains("`maxMappings` must be at least 1")
    );
}
