//! The workflow compiler and the modules against the second interpreter ([`reference`]): random chains with random
//! jumps, random entries; the same way through the steps, and the same effects.
//!
//! `PYRUSE_CASES=20000` makes a campaign of it.

mod recurring;
mod reference;

use std::collections::BTreeSet;

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use pyruse_actions as _;
use pyruse_core::config::{ConfigText, Diagnostics};
use pyruse_core::effect::{Effect, PlacedEffect};
use pyruse_core::engine::Engine;
use pyruse_core::entry::{Entry, Fields, MemoryRecord};
use pyruse_core::plugin::{Plugin, Registry, StepError};
use pyruse_core::state::State;
use pyruse_core::workflow::{Observer, Site, SiteId};
use pyruse_filters as _;
use pyruse_sources as _;
use serde_json::{Value, json};

use recurring::{Learnt, Recurring, recurs};
use reference::{Chains, Outcome, Reference};

/// Names of fields: few, so that steps meet each other's.
const FIELDS: [&str; 12] = [
    "A",
    "B",
    "C",
    "IP",
    "IP2",
    "PRIORITY",
    "_PID",
    "n",
    "MESSAGE",
    "__REALTIME_TIMESTAMP",
    "COREDUMP_TIMESTAMP",
    "__CURSOR",
];

/// Names that steps save under; some of them are the journal's.
const SAVED: [&str; 6] = ["A", "C", "n", "IP", "_PID", "PRIORITY"];

/// Expressions with at least one group.
const EXPRESSIONS: [&str; 15] = [
    "^(x)",
    "(?P<A>y)|(?P<C>x)",
    "(?P<n>\\d)",
    "^(.)(?:.*)$",
    "(.)\\1",
    "(?=(y))",
    "(?P<IP>1\\S+)",
    "()",
    "(?P<A>x)(?P<B>y)?",
    "(?P<_PID>\\w)$",
    // With words that are searched first, in any case, and beyond ASCII.
    "^denied (?P<A>x)",
    "(?i)(ask) ?(?P<n>\\d)?",
    "(?:denied|refused) (?P<C>.)",
    "(?P<A>den)ied(?! y)",
    "(?i)(refused) (?P<B>[^a-z])\\2",
];

const TEMPLATES: [&str; 12] = [
    "{A}",
    "{B!r}|{C}",
    "{n:03d}",
    "{PRIORITY}",
    "{PRIORITY:>4}",
    "{__REALTIME_TIMESTAMP:%H:%M:%S}",
    "{__REALTIME_TIMESTAMP}",
    "{COREDUMP_TIMESTAMP}",
    "{IP} {_PID} {{}}",
    "{A:d}",
    "{__CURSOR}",
    "no field",
];

fn scalar() -> impl Strategy<Value = Value> {
    select(vec![
        json!("x"),
        json!("y"),
        json!("xy"),
        json!(""),
        json!("1"),
        json!(0),
        json!(1),
        json!(2),
        json!(1.0),
        json!(1.5),
        json!(-1),
    ])
}

fn field() -> impl Strategy<Value = &'static str> {
    select(FIELDS.to_vec())
}

fn nets() -> impl Strategy<Value = Vec<&'static str>> {
    vec(
        select(vec![
            "10.0.0.0/8",
            "10.1.2.3/31",
            "::/0",
            "2001:db8::/32",
            "10.0.0.2",
            "::ffff:10.0.0.0/104",
            "0.0.0.0/0",
            "::1",
            "odd",
            "none",
        ]),
        0..3,
    )
}

/// Lists, one of them empty; networks of one overlap.
fn lists() -> Value {
    json!({
        "odd": {"nets": ["10.0.0.0/31", "10.0.0.0/8", "10.1.2.3", "2001:db8::/127", "::ffff:10.0.0.0/104"]},
        "small": {"nets": ["10.0.0.1", "10.0.0.2/31", "::1"]},
        "none": {"nets": []},
    })
}

fn filter() -> impl Strategy<Value = Value> {
    let step = |name: &str, args: Value| json!({"filter": name, "args": args});
    prop_oneof![
        4 => (field(), scalar()).prop_map(move |(f, v)| step("filter_equals", json!({"field": f, "value": v}))),
        3 => (field(), vec(prop_oneof![4 => scalar(), 1 => Just(Value::Null)], 0..4))
            .prop_map(move |(f, v)| step("filter_in", json!({"field": f, "values": v}))),
        2 => (field(), scalar()).prop_map(move |(f, v)| step("filter_lowerOrEquals", json!({"field": f, "value": v}))),
        2 => (field(), scalar()).prop_map(move |(f, v)| step("filter_greaterOrEquals", json!({"field": f, "value": v}))),
        2 => (prop_oneof![3 => Just("IP"), 1 => field()], nets())
            .prop_map(move |(f, v)| step("filter_inNetworks", json!({"field": f, "nets": v}))),
        2 => (prop_oneof![3 => Just("IP"), 1 => field()], select(vec!["odd", "small", "none"]))
            .prop_map(move |(f, v)| step("filter_inList", json!({"field": f, "list": v}))),
        3 => (field(), select(EXPRESSIONS.to_vec()), option::of(select(SAVED.to_vec()))).prop_map(move |(f, re, save)| {
            let save: Vec<&str> = save.into_iter().collect();
            step("filter_pcre", json!({"field": f, "re": re, "save": save}))
        }),
        2 => (field(), vec(select(EXPRESSIONS.to_vec()), 0..7))
            .prop_map(move |(f, re)| step("filter_pcreAny", json!({"field": f, "re": re}))),
        1 => field().prop_map(move |f| step("filter_userExists", json!({"field": f}))),
    ]
}

#[test]
fn every_filter_and_action_is_drawn() {
    let mut runner = TestRunner::deterministic();
    let steps = prop_oneof![filter(), action()];
    let draw = |_| steps.new_tree(&mut runner).unwrap().current();
    let drawn: BTreeSet<String> = (0..2000)
        .map(draw)
        .map(|step| step.get("filter").or(step.get("action")).and_then(Value::as_str).unwrap().to_owned())
        .collect();
    let registry = Registry::linked().unwrap();
    let is_step = |plugin: &&Plugin| plugin.kind.is_step();
    let linked: BTreeSet<String> =
        registry.plugins().filter(is_step).map(|plugin| plugin.name.to_owned()).collect();
    assert_eq!(drawn, linked);
}

/// Seconds, few and small, so that ends meet entries exactly.
fn seconds() -> impl Strategy<Value = Value> {
    select(vec![Value::Null, json!(0), json!(1), json!(2), json!(5)])
}

/// Fixed, longer each time, or from a field.
fn ban_seconds() -> impl Strategy<Value = Value> {
    prop_oneof![4 => seconds(), 2 => Just(json!([1, 5, 2])), 1 => Just(json!({"field": "n"}))]
}

/// A number of ticks, or the field that has it.
fn by() -> impl Strategy<Value = Value> {
    prop_oneof![6 => Just(Value::Null), 1 => Just(json!(3)), 1 => field().prop_map(Value::from)]
}

/// The lengths of prefixes; null: absent.
fn prefixes() -> impl Strategy<Value = (Value, Value)> {
    select(vec![
        (Value::Null, Value::Null),
        (json!(8), Value::Null),
        (Value::Null, json!(64)),
        (json!(32), json!(128)),
        (json!(24), json!(1)),
    ])
}

/// Without the members that are null: absent.
fn step(name: &str, args: Value) -> Value {
    let Value::Object(mut args) = args else { panic!("arguments are an object") };
    args.retain(|_, value| !value.is_null());
    json!({"action": name, "args": args})
}

fn action() -> impl Strategy<Value = Value> {
    // Mostly the same ones, so that what one step leaves matters to another.
    let category = || select(vec!["c", "c", "d"]);
    let key = || prop_oneof![3 => Just("A"), 1 => field()];
    let counted = || {
        (
            select(vec!["c", "c", "d", "2", "5"]),
            prop_oneof![3 => Just("A"), 2 => Just("IP"), 1 => field()],
            prefixes(),
        )
    };
    let save = || option::of(select(SAVED.to_vec()));
    let count = || prop_oneof![3 => Just(Some("n")), 1 => save()];
    let maybe = || option::weighted(0.6, field());
    let value = || option::weighted(0.3, select(vec!["x", "1", "10.0.0.1"]));
    prop_oneof![
        1 => Just(json!({"action": "action_noop"})),
        3 => (counted(), select(vec!["A", "IP", "B", "n"]), count(), option::of(select(SAVED.to_vec()))).prop_map(
            |((c, f, (v4, v6)), distinct, s, values)| {
                // All raises of such a counter last equally long.
                let c = if c == "2" { c } else { "5" };
                step("action_counterRaise", json!({
                    "counter": c, "for": f, "prefix4": v4, "prefix6": v6, "save": s, "distinct": distinct,
                    "saveValues": values, "keepSeconds": c.parse::<u64>().unwrap(),
                }))
            }
        ),
        4 => (counted(), count(), seconds(), by()).prop_map(|((c, f, (v4, v6)), s, k, by)| {
            let c = if c == "c" { c } else { "d" };
            step("action_counterRaise", json!({
                "counter": c, "for": f, "prefix4": v4, "prefix6": v6, "save": s, "keepSeconds": k, "by": by,
            }))
        }),
        2 => (counted(), count(), seconds()).prop_map(|((c, f, (v4, v6)), s, g)| {
            step("action_counterReset", json!({
                "counter": c, "for": f, "prefix4": v4, "prefix6": v6, "save": s, "graceSeconds": g,
            }))
        }),
        2 => (counted(), count(), by()).prop_map(|((c, f, (v4, v6)), s, by)| {
            step("action_counterLower", json!({
                "counter": c, "for": f, "prefix4": v4, "prefix6": v6, "save": s, "by": by,
            }))
        }),
        1 => counted().prop_map(|(c, f, (v4, v6))| {
            step("action_counterRead", json!({"counter": c, "for": f, "prefix4": v4, "prefix6": v6, "save": "n"}))
        }),
        2 => (select(SAVED.to_vec()), option::of(select(TEMPLATES.to_vec())), vec(field(), 1..4)).prop_map(|(f, value, first)| {
            let first = if value.is_some() { Value::Null } else { json!(first) };
            step("action_set", json!({"field": f, "value": value, "first": first}))
        }),
        2 => (category(), key(), vec(select(SAVED.to_vec()), 1..3), select(vec![1, 2, 5])).prop_map(|(m, f, fields, k)| {
            step("action_remember", json!({"memory": m, "for": f, "fields": fields, "keepSeconds": k}))
        }),
        2 => (category(), key(), vec(select(SAVED.to_vec()), 1..3)).prop_map(|(m, f, fields)| {
            step("action_recall", json!({"memory": m, "for": f, "fields": fields}))
        }),
        3 => (select(TEMPLATES.to_vec()), option::of(select(vec!["EMERG", "ERR", "DEBUG"])))
            .prop_map(|(m, l)| step("action_log", json!({"message": m, "level": l}))),
        1 => (select(TEMPLATES.to_vec()), option::of(Just("Betreff")))
            .prop_map(|(m, s)| step("action_email", json!({"message": m, "subject": s}))),
        1 => select(vec!["{A}", "{MESSAGE}{B}", "--x={PRIORITY}", "{A}{B}"])
            .prop_map(|text| step("action_run", json!({"argv": ["/bin/echo", text, "x"]}))),
        1 => (select(vec!["https://h/a", "https://h/{A}/x?q={MESSAGE}&n={PRIORITY}", "http://h:8/x{B}"]),
            select(vec![
                json!({}), json!({"text": "{A}: {MESSAGE}"}), json!({"form": {"a&": "{IP}", "b": "{B}{A}"}}),
                json!({"json": {"a": ["{MESSAGE}", 1, null, "{A} {B}"], "b": {"c": "x{PRIORITY}"}}}),
            ]), option::of(1..9))
            .prop_map(|(url, mut args, max)| {
                args["url"] = json!(url);
                args["maxValue"] = json!(max);
                step("action_http", args)
            }),
        2 => (select(TEMPLATES.to_vec()), select(vec!["WARN", "INFO", "OTHER"]),
            option::of(select(vec!["NONE", "FIRST", "LAST", "FIRSTLAST", "ALL"])))
            .prop_map(|(m, l, d)| step("action_dailyReport", json!({"message": m, "level": l, "details": d}))),
        3 => (prop_oneof![Just("IP"), Just("IP2"), field()], ban_seconds(), select(vec!["ip a s", "ip b s"]), select(vec![None, None, Some((32, 128)), Some((24, 64)), Some((3, 1))])).prop_map(|(ip, s, set, prefixes)| {
            let mut args = json!({"IP": ip, "banSeconds": s, "nftSetIPv4": set, "nftSetIPv6": "ip6 a s"});
            if let Some((v4, v6)) = prefixes {
                (args["prefix4"], args["prefix6"]) = (json!(v4), json!(v6));
            }
            step("action_nftBan", args)
        }),
        2 => (prop_oneof![Just("IP"), Just("IP2"), field()], seconds(), select(vec!["s", "t"])).prop_map(|(ip, s, set)| {
            step("action_ipsetBan", json!({"IP": ip, "banSeconds": s, "ipSetIPv4": set, "ipSetIPv6": "s6"}))
        }),
        2 => (select(vec!["action_runBan", "action_crowdsec"]), prop_oneof![Just("IP"), Just("IP2"), field()], ban_seconds(), select(vec!["s", "t"]))
            .prop_map(|(action, ip, s, set)| step(action, json!({"IP": ip, "banSeconds": s, "set": set}))),
        2 => (field(), maybe(), field(), (value(), maybe(), value(), maybe(), value(), maybe(), value()), seconds()).prop_map(
            |(saddr, sport, addr, (addr_value, port, port_value, daddr, daddr_value, dport, dport_value), keep)| {
                step("action_dnatCapture", json!({
                    "saddr": saddr, "sport": sport, "addr": addr, "addrValue": addr_value, "port": port,
                    "portValue": port_value, "daddr": daddr, "daddrValue": daddr_value, "dport": dport,
                    "dportValue": dport_value, "keepSeconds": keep,
                }))
            }
        ),
        3 => (field(), maybe(), maybe(), maybe(), select(SAVED.to_vec()), save()).prop_map(|(addr, port, daddr, dport, saddr, sport)| {
            step("action_dnatReplace", json!({
                "addr": addr, "port": port, "daddr": daddr, "dport": dport, "saddrInto": saddr, "sportInto": sport,
            }))
        }),
    ]
}

/// A step, and how it might jump: which of the chains that it may jump to.
type Draft = (Value, Option<u8>, Option<u8>);

fn draft() -> impl Strategy<Value = Draft> {
    let is_registered = |name: &str| Registry::linked().unwrap().plugins().any(|plugin| plugin.name == name);
    let step =
        prop_oneof![3 => filter(), 2 => action()].prop_map(move |step| match step["action"].as_str() {
            Some(name) if !is_registered(name) => json!({"action": "action_noop"}),
            _ => step,
        });
    (step, option::weighted(0.3, any::<u8>()), option::weighted(0.4, any::<u8>()))
}

/// Chains that jump in no circle: each only to those behind it in an order that has nothing to do with the file's.
fn config() -> impl Strategy<Value = Chains> {
    vec(vec(draft(), 1..5), 1..11).prop_flat_map(|chains| {
        let order: Vec<usize> = (0..chains.len()).collect();
        (Just(chains), Just(order).prop_shuffle()).prop_map(|(chains, ranks)| link(chains, &ranks))
    })
}

fn link(chains: Vec<Vec<Draft>>, ranks: &[usize]) -> Chains {
    let label = |chain: usize| format!("Kette „{chain}“");
    let target = |from: usize, choice: Option<u8>| {
        let allowed: Vec<usize> = (0..ranks.len()).filter(|to| ranks[*to] > ranks[from]).collect();
        (!allowed.is_empty())
            .then(|| choice.map(|choice| label(allowed[usize::from(choice) % allowed.len()])))?
    };
    let steps = |from: usize, drafts: Vec<Draft>| {
        let steps = drafts.into_iter().map(|(mut step, then, otherwise)| {
            if let Some(label) = target(from, then) {
                step["then"] = label.into();
            }
            if step["filter"].is_string()
                && let Some(label) = target(from, otherwise)
            {
                step["else"] = label.into();
            }
            step
        });
        let mut steps: Vec<Value> = steps.collect();
        // An action at the end would end the way; with a filter behind it, more of what it left is seen.
        let ends = |step: &Value| {
            step["action"].is_string() && step["action"] != "action_noop" && step["then"].is_null()
        };
        if steps.last().is_some_and(ends) {
            let args = json!({"field": "not there", "values": [null]});
            steps.push(json!({"filter": "filter_in", "args": args}));
        }
        Value::Array(steps)
    };
    let mut chains: Chains =
        chains.into_iter().enumerate().map(|(n, drafts)| (label(n), steps(n, drafts))).collect();
    // An entry that reaches the end logs what all steps have saved.
    let message = "{A}|{B}|{C}|{n}|{IP}|{PRIORITY}|{_PID}";
    chains.push(("Ende".into(), json!([{"action": "action_log", "args": {"message": message}}])));
    chains
}

/// An entry's fields, and how long after the one before, in half seconds.
type Fieldset = (Vec<(String, Vec<u8>)>, u8);

fn entry() -> impl Strategy<Value = Fieldset> {
    let text = || {
        let words = ["denied x", "ask 1", "a\u{17f}\u{212a}2", "refused üü", "REFUSED 11", "denied y\n"];
        let short = ["x", "y", "xy", "xx", "", "1", "root", "ü", "x\ny"];
        prop_oneof![3 => select(short.to_vec()), 2 => select(words.to_vec())]
            .prop_map(|text| text.as_bytes().to_vec())
    };
    let number = || select(vec!["0", "1", "2", "-1", "six", ""]).prop_map(|text| text.as_bytes().to_vec());
    let ip = || {
        select(vec![
            "10.0.0.1",
            "10.0.0.2",
            "::ffff:10.0.0.1",
            "2001:db8::1",
            "2001:DB8:0::1",
            "::1",
            "no address",
            "10.0.0.1 ",
            "fe80::1%eth0",
            "127.0.0.1",
            "255.255.255.255",
        ])
        .prop_map(|text| text.as_bytes().to_vec())
    };
    let named = |name: &'static str| move |value: Vec<u8>| (name.to_owned(), value);
    let pair = prop_oneof![
        3 => text().prop_map(named("A")),
        5 => Just(b"x".to_vec()).prop_map(named("A")),
        2 => text().prop_map(named("B")),
        2 => text().prop_map(named("MESSAGE")),
        1 => Just(b"caf\xe9 \x80".to_vec()).prop_map(named("MESSAGE")),
        3 => ip().prop_map(named("IP")),
        1 => ip().prop_map(named("IP2")),
        2 => number().prop_map(named("PRIORITY")),
        2 => number().prop_map(named("_PID")),
        1 => select(vec!["0", "1795000000450000", "x"]).prop_map(|text| text.as_bytes().to_vec()).prop_map(named("COREDUMP_TIMESTAMP")),
        1 => text().prop_map(named("not asked for")),
    ];
    (vec(pair, 0..9), prop_oneof![4 => select(vec![0_u8, 1, 2, 4, 10]), 1 => 0_u8..60])
}

/// The program, in this process.
struct Subject {
    engine: Engine,
    state: State,
    /// If so, values that recur are given by number, and the steps are not observed.
    learnt: Option<Learnt>,
}

#[derive(Default)]
struct Seen<const STEPS: bool> {
    steps: Vec<SiteId>,
    effects: Vec<Value>,
}

impl<const STEPS: bool> Seen<STEPS> {
    fn report(&mut self, site: &Site, entry: &mut Entry<'_>, effect: &Effect) {
        let (cursor, at) = (entry.cursor(), entry.time());
        let placed =
            PlacedEffect { effect, at, cursor: cursor.as_deref(), chain: &site.chain, step: site.step };
        self.effects.push(serde_json::to_value(&placed).unwrap());
    }
}

impl<const STEPS: bool> Observer for Seen<STEPS> {
    const EFFECTS: bool = true;
    const STEPS: bool = STEPS;

    fn step(&mut self, id: SiteId, _: &Site, _: &mut Entry<'_>, _: bool) {
        self.steps.push(id);
    }

    fn effect(&mut self, site: &Site, entry: &mut Entry<'_>, effect: &Effect) {
        self.report(site, entry, effect);
    }

    fn error(&mut self, _: SiteId, site: &Site, entry: &mut Entry<'_>, _: &StepError) {
        self.report(site, entry, &Effect::Error { message: String::new() });
        self.effects.last_mut().unwrap().as_object_mut().unwrap().remove("message");
    }
}

impl Subject {
    /// The workflow as compiled; optimised wherever possible; and with values that recur.
    fn all(text: &str) -> [Subject; 3] {
        let optimized = || {
            let mut subject = Subject::new(text);
            subject.engine.workflow.optimize_everywhere();
            subject
        };
        let mut learning = optimized();
        learning.learnt = Some(Learnt::default());
        [Subject::new(text), optimized(), learning]
    }

    fn new(text: &str) -> Subject {
        let source = ConfigText::new("random", text);
        let mut diagnostics = Diagnostics::default();
        let mut state = State::in_memory();
        let registry = Registry::linked().unwrap();
        let engine =
            Engine::load(&source, &registry, Fields::default(), &mut state, &mut diagnostics).unwrap();
        let engine = engine.unwrap_or_else(|| panic!("{}", source.draw(&diagnostics, false)));
        Subject { engine, state, learnt: None }
    }

    fn run(&mut self, fields: &[(String, Vec<u8>)]) -> Outcome {
        if let Some(learnt) = &mut self.learnt {
            let mut record = Recurring::new(learnt, fields);
            let mut seen = Seen::<false>::default();
            self.engine.workflow.run(&mut record, &mut self.state, &mut seen);
            return Outcome { path: Vec::new(), effects: seen.effects };
        }
        let mut record = MemoryRecord::default();
        for (name, value) in fields {
            record.push(name.as_bytes(), value.as_slice());
        }
        let mut seen = Seen::<true>::default();
        self.engine.workflow.run(&mut record, &mut self.state, &mut seen);
        let place = |id: SiteId| {
            let site = self.engine.workflow.site(id);
            (site.chain.clone(), site.step)
        };
        Outcome { path: seen.steps.into_iter().map(place).collect(), effects: seen.effects }
    }
}

fn cases() -> u32 {
    std::env::var("PYRUSE_CASES").map_or(300, |cases| cases.parse().expect("PYRUSE_CASES is a number"))
}

/// The entries with their times. `lateness`: how much earlier than it comes an entry is, in half seconds.
fn timed(entries: Vec<Fieldset>, lateness: Vec<u8>) -> impl Iterator<Item = Vec<(String, Vec<u8>)>> {
    let mut time = 1_795_000_000_000_000_u64;
    let late = lateness.into_iter().chain(std::iter::repeat(0));
    entries.into_iter().zip(late).enumerate().map(move |(n, ((mut fields, later), late))| {
        time += u64::from(later) * 500_000;
        let at = time - u64::from(late) * 500_000;
        // Sources give values that recur first.
        fields.sort_by_key(|(_, value)| !recurs(value));
        fields.push(("__REALTIME_TIMESTAMP".into(), at.to_string().into_bytes()));
        if n % 3 > 0 {
            fields.push(("__CURSOR".into(), format!("s=1;i={n}").into_bytes()));
        }
        fields
    })
}

/// Was an address banned before? Of a ban that is over, that is soon forgotten, and an entry that comes late has no way to
/// know it.
fn without_renewals(mut outcome: Outcome) -> Outcome {
    for effect in outcome.effects.iter_mut().filter_map(Value::as_object_mut) {
        effect.remove("renewed");
    }
    outcome
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_chains_take_the_way_that_a_simple_interpreter_takes(chains in config(), entries in vec(entry(), 1..40)) {
        let text = reference::to_text(&chains, &lists());
        let mut subjects = Subject::all(&text);
        let mut reference = Reference::new(&text);
        for (n, fields) in timed(entries, Vec::new()).enumerate() {
            let expected = reference.run(&fields);
            for subject in &mut subjects {
                let mut found = subject.run(&fields);
                if subject.learnt.is_some() {
                    found.path.clone_from(&expected.path);
                }
                prop_assert_eq!(&found, &expected, "entry {} of {}: {:?}", n, text, fields);
            }
        }
    }

    #[test]
    fn entries_out_of_order_do_what_a_simple_interpreter_says(
        chains in config(),
        entries in vec(entry(), 1..40),
        lateness in vec(prop_oneof![3 => Just(0_u8), 2 => 0_u8..8, 2 => 0_u8..100], 40),
    ) {
        let text = reference::to_text(&chains, &lists());
        let mut subjects = Subject::all(&text);
        let mut reference = Reference::new(&text);
        for (n, fields) in timed(entries, lateness).enumerate() {
            let expected = without_renewals(reference.run(&fields));
            for subject in &mut subjects {
                let mut found = without_renewals(subject.run(&fields));
                if subject.learnt.is_some() {
                    found.path.clone_from(&expected.path);
                }
                prop_assert_eq!(&found, &expected, "entry {} of {}: {:?}", n, text, fields);
            }
        }
    }
}
