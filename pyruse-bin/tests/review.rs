//! `check` as a reviewer: every lint finds what its page says that it finds, and nothing else.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use pyruse_bin as _;
use pyruse_core::config::{ConfigText, Diagnostics, Severity};
use pyruse_core::engine::Engine;
use pyruse_core::entry::Fields;
use pyruse_core::plugin::Registry;
use pyruse_core::review::{self, lints};
use pyruse_core::state::State;

/// What is found in a configuration that can be used.
fn review(text: &str) -> (ConfigText, Diagnostics) {
    let source = ConfigText::new("pyruse.json", text);
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
    let codes: Vec<_> = lints().map(|lint| lint.code).collect();
    assert!(codes.is_sorted_by(|a, b| a < b), "{codes:?}");
    let names: BTreeSet<_> = lints().map(|lint| lint.name).collect();
    assert_eq!(names.len(), lints().count());
    for lint in lints() {
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
    assert_eq!(review::run_examples(&Registry::linked().unwrap()), [""; 0]);
}

#[test]
fn every_finding_as_text() {
    for lint in lints() {
        let Some([bad, _]) = lint.examples.rules() else { continue };
        insta::assert_snapshot!(lint.name, drawn(&bad));
    }
}

#[test]
fn every_finding_as_data() {
    let mut printed = String::new();
    for lint in lints() {
        let Some([bad, _]) = lint.examples.rules() else { continue };
        let (source, diagnostics) = review(&bad);
        printed += &serde_json::to_string_pretty(&source.findings(&diagnostics)).unwrap();
        printed.push('\n');
    }
    insta::assert_snapshot!(printed);
}

#[test]
fn the_shipped_configurations_are_without_findings() {
    for file in ["conf/full.json", "demo/pyruse.json"] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples").join(file);
        let text = fs::read_to_string(path).unwrap().replace("\"@JOURNAL@\"", "{}");
        let (source, diagnostics) = review(&text);
        assert!(diagnostics.is_empty(), "{file}:\n{}", source.draw(&diagnostics, false));
    }
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
fn findings_of_check_live_can_be_allowed_in_advance() {
    let text = r#"{"actions": {"a": [
        {"action": "action_noop"} // allow P102: no rule uses the set yet
    ]}}"#;
    assert_eq!(codes(text), [""; 0]);
}

#[test]
fn a_group_that_is_repeated_many_times_is_reported_with_the_length_of_texts_that_are_searched() {
    let bad = r#"{"actions": {"a": [
        {"filter": "filter_pcreAny", "args": {"field": "MESSAGE", "re": [
            "(?:.{1,20}(?<=a)){1,20}x", "(?:[^\"\\\\]|\\\\.){0,200}(?<!x)\"y", "\\w{1,60}\\b", "^(?:\\w+\\s?){1,60}(?!z)"]}},
        {"action": "action_dailyReport", "args": {"message": "{MESSAGE}", "level": "WARN"}}]}}"#;
    insta::assert_snapshot!(drawn(bad));
}

#[test]
fn all_findings_are_counted_though_only_some_are_shown() {
    // Of one kind that looks at each step alone, and of one that looks at the ways between them.
    for (code, severity, step) in [
        (
            "P020",
            Severity::Note,
            r#"{"filter": "filter_pcreAny", "args": {"field": "MESSAGE", "re": ["(aN)\\1b", "(a)\\1xN"]}}"#,
        ),
        (
            "P005",
            Severity::Warning,
            r#"{"filter": "filter_equals", "args": {"field": "nothingN", "value": "x"}}"#,
        ),
    ] {
        let each = step.matches("\\1").count().max(1);
        let steps: Vec<String> = (0..150).map(|n| step.replace('N', &n.to_string())).collect();
        let rules = |allow: &str| {
            let last = r#"{"action": "action_dailyReport", "args": {"level": "WARN", "message": "x"}}"#;
            format!("{{\"actions\": {{\"a\": [\n{allow}{},\n{last}]}}}}", steps.join(",\n"))
        };
        let (source, diagnostics) = review(&rules(""));
        let shown = diagnostics.in_order().iter().filter(|found| found.lint.unwrap().code == code).count();
        assert_eq!((shown, diagnostics.count(severity)), (100, 150 * each), "{code}");
        let printed = source.draw(&diagnostics, false);
        assert!(
            printed.contains(&format!("and {} more findings {code}, not shown", 150 * each - 100)),
            "{code}"
        );
        // What a comment allows is not counted.
        let (_, diagnostics) = review(&rules(&format!("// allow {code}: as we like it\n")));
        assert_eq!(diagnostics.count(severity), 149 * each, "{code}");
    }
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
    assert_eq!(lints().filter(|lint| lint.severity == Severity::Error).count(), 1, "of --live alone");
}

/// These steps as the first chain, before ones that ban `thatIP`, do as they should, and end the way.
fn with_ban(steps: &str) -> String {
    format!(
        r#"{{"actions": {{"first": [{steps}],
        "listed": [{{"filter": "filter_inNetworks", "args": {{"field": "thatIP", "nets": ["10.0.0.0/8"]}}, "then": "end", "else": "ban"}}],
        "ban": [{{"action": "action_nftBan", "args": {{"IP": "thatIP", "banSeconds": 60, "nftSetIPv4": "ip a b4", "nftSetIPv6": "ip6 a b6"}}}}],
        "end": [{{"action": "action_noop"}}]}}}}"#
    )
}

fn filter(name: &str, args: &str, more: &str) -> String {
    format!(r#"{{"filter": "{name}", "args": {{{args}}}{more}}}"#)
}

/// The address, at a place that the text cannot change.
const TAKEN: &str = r#"{"filter": "filter_pcre", "args": {"field": "MESSAGE", "re": "^from (?P<thatIP>\\S+)"}, "then": "listed"}"#;

#[test]
fn the_writer_of_an_entry_is_identified_by_fields_that_it_cannot_choose() {
    let asks = |args: &str, name: &str| codes(&with_ban(&format!("{}, {TAKEN}", filter(name, args, ""))));
    for (name, proof) in [
        ("filter_equals", r#""field": "_UID", "value": 0"#),
        ("filter_in", r#""field": "_EXE", "values": ["/usr/sbin/sshd", "/usr/bin/sshd"]"#),
        ("filter_equals", r#""field": "_TRANSPORT", "value": "kernel""#),
        ("filter_pcre", r#""field": "_SYSTEMD_UNIT", "re": "^ssh""#),
        ("filter_lowerOrEquals", r#""field": "_UID", "value": 999"#),
        ("filter_pcre", r#""field": "_EXE", "re": "^/usr/s?bin/sshd$""#),
        ("filter_pcreAny", r#""field": "_TRANSPORT", "re": ["^kernel$", "^audit$"]"#),
        ("filter_pcre", r#""field": "_SYSTEMD_CGROUP", "re": "^/system\\.slice/""#),
    ] {
        assert_eq!(asks(proof, name), [""; 0], "{proof}");
    }
    for (name, word) in [
        ("filter_equals", r#""field": "SYSLOG_IDENTIFIER", "value": "sshd""#),
        ("filter_equals", r#""field": "_COMM", "value": "sshd""#),
        ("filter_equals", r#""field": "_HOSTNAME", "value": "server""#),
        ("filter_in", r#""field": "_TRANSPORT", "values": ["syslog", "kernel"]"#),
        ("filter_lowerOrEquals", r#""field": "PRIORITY", "value": 3"#),
        // A process that ends before journald reads its unit has none.
        ("filter_in", r#""field": "_SYSTEMD_UNIT", "values": ["ssh.service", null]"#),
        // Units of his own, files of his own, groups of his own.
        ("filter_equals", r#""field": "_SYSTEMD_USER_UNIT", "value": "ssh.service""#),
        ("filter_pcre", r#""field": "_EXE", "re": "/sshd$""#),
        ("filter_pcre", r#""field": "_EXE", "re": "^/usr/""#),
        ("filter_pcre", r#""field": "_SYSTEMD_CGROUP", "re": "ssh\\.service""#),
        // What is found in entries of everybody.
        ("filter_pcre", r#""field": "_TRANSPORT", "re": "syslog|stdout""#),
        ("filter_pcreAny", r#""field": "_SYSTEMD_UNIT", "re": ["^ssh", "\\.(service|scope)$"]"#),
    ] {
        assert_eq!(asks(word, name), ["P007"], "{word}");
    }
    // That a user is not root does not identify them.
    let not_root =
        filter("filter_equals", r#""field": "_UID", "value": 0"#, r#", "then": "end", "else": "more""#);
    let text = with_ban(&not_root).replacen("\"listed\"", &format!("\"more\": [{TAKEN}], \"listed\""), 1);
    assert_eq!(codes(&text), ["P007"]);
}

#[test]
fn an_address_that_is_replaced_behind_the_allow_list_was_never_tested() {
    let root = filter("filter_equals", r#""field": "_UID", "value": 0"#, "");
    let text = with_ban(&format!("{root}, {TAKEN}"));
    let replaced = text.replacen(
        r#""ban": ["#,
        r#""ban": [{"action": "action_dnatReplace", "args": {"addr": "thatIP", "saddrInto": "thatIP"}}, "#,
        1,
    );
    assert_eq!(codes(&text), [""; 0]);
    assert_eq!(codes(&replaced), ["P009"]);
}

#[test]
fn a_field_is_known_where_it_was_saved_and_not_before() {
    let read =
        |name: &str| format!(r#"{{"filter": "filter_pcre", "args": {{"field": "{name}", "re": "x"}}}}"#);
    let ask = |steps: &str| {
        codes(&format!(
            r#"{{"actions": {{"a": [{steps}, {{"action": "action_dailyReport", "args": {{"message": "x", "level": "WARN"}}}}]}}}}"#
        ))
    };
    for known in
        ["MESSAGE", "_UID", "_AUDIT_FIELD_NAME", "MY_OWN_FIELD", "__REALTIME_TIMESTAMP", "COREDUMP_EXE"]
    {
        assert_eq!(ask(&read(known)), [""; 0], "{known}");
    }
    for unknown in ["message", "thatIP", "SYSLOG_IDENTIFER", "_SYSTEMD_UNITS", "__SEQNUM", "", "Ä", "PRIORTY"]
    {
        assert_eq!(ask(&read(unknown)), ["P005"], "{unknown}");
    }
    let save = r#"{"filter": "filter_pcre", "args": {"field": "MESSAGE", "re": "(?P<who>.)"}}"#;
    assert_eq!(ask(&format!("{save}, {}", read("who"))), [""; 0]);
    assert_eq!(ask(&format!("{}, {save}", read("who"))), ["P005"]);
    insta::assert_snapshot!(
        "not_there_yet",
        drawn(&format!(
            r#"{{"actions": {{"a": [{}, {save}, {{"action": "action_dailyReport", "args": {{"message": "x", "level": "WARN"}}}}]}}}}"#,
            read("who")
        ))
    );
}

/// A format fails for a missing field; a field is never missing where every path has tested it.
#[test]
fn a_format_needs_the_field_unless_a_conversion_makes_it_text() {
    let shown = |steps: &str, message: &str| {
        codes(&format!(
            r#"{{"actions": {{"a": [{steps}
            {{"action": "action_dailyReport", "args": {{"message": "{message}", "level": "OTHER"}}}}]}}}}"#
        ))
    };
    for safe in [
        "{MESSAGE}",
        "{MESSAGE!s:.500}",
        "{MESSAGE!r:>9}",
        "{MESSAGE!s}",
        "{MESSAGE:}",
        "{__REALTIME_TIMESTAMP:%H:%M}",
    ] {
        assert_eq!(shown("", safe), [""; 0], "{safe}");
    }
    for unsafe_format in
        ["{MESSAGE:.500}", "{_PID:d}", "{MESSAGE} {MESSAGE:>9}", "{_SOURCE_REALTIME_TIMESTAMP:%H}"]
    {
        assert_eq!(shown("", unsafe_format), ["P021"], "{unsafe_format}");
    }
    let asked = |filter: &str, more: &str| {
        shown(
            &format!(r#"{{"filter": "{filter}", "args": {{"field": "MESSAGE", {more}}}}},"#),
            "{MESSAGE:.9}",
        )
    };
    assert_eq!(asked("filter_pcre", r#""re": "x""#), [""; 0]);
    assert_eq!(asked("filter_equals", r#""value": "x""#), [""; 0]);
    assert_eq!(asked("filter_in", r#""values": ["x"]"#), [""; 0]);
    // This filter passes if the field is missing.
    assert_eq!(asked("filter_in", r#""values": ["x", null]"#), ["P021"]);
    let otherwise = r#"{"actions": {
        "a": [{"filter": "filter_in", "args": {"field": "MESSAGE", "values": [null]}, "then": "done", "else": "b"}],
        "b": [{"action": "action_dailyReport", "args": {"message": "{MESSAGE:.9}", "level": "OTHER"}}],
        "done": [{"action": "action_noop"}]}}"#;
    assert_eq!(codes(otherwise), [""; 0]);
    // A test of another field does not help, nor does the `else` exit of a test of the same one.
    let another = r#"{"filter": "filter_pcre", "args": {"field": "SYSLOG_IDENTIFIER", "re": "x"}},"#;
    assert_eq!(shown(another, "{MESSAGE:.9}"), ["P021"]);
    let not_found = r#"{"actions": {
        "a": [{"filter": "filter_pcre", "args": {"field": "MESSAGE", "re": "x"}, "then": "done", "else": "b"}],
        "b": [{"action": "action_dailyReport", "args": {"message": "{MESSAGE:.9}", "level": "OTHER"}}],
        "done": [{"action": "action_noop"}]}}"#;
    assert_eq!(codes(not_found), ["P021"]);
    // What a step has saved is there; a counter's key is, too, or the step would have failed.
    let saved = r#"{"filter": "filter_pcre", "args": {"field": "MESSAGE", "re": "^(?P<who>.)"}},"#;
    assert_eq!(shown(saved, "{who:>9}"), [""; 0]);
    let counted = r#"{"action": "action_counterRaise", "args": {"counter": "c", "for": "UNIT", "keepSeconds": 9, "save": "n"}},
        {"filter": "filter_greaterOrEquals", "args": {"field": "n", "value": 3}},"#;
    assert_eq!(shown(counted, "{UNIT:>9} {n:d}"), [""; 0]);
}

#[test]
fn a_count_is_a_number_and_a_group_is_text() {
    let steps = |value: &str, saved: &str| {
        codes(&format!(
            r#"{{"actions": {{"a": [
            {{"filter": "filter_pcre", "args": {{"field": "MESSAGE", "re": "(?P<n>\\d+)"}}}}, {saved}
            {{"filter": "filter_greaterOrEquals", "args": {{"field": "n", "value": {value}}}}},
            {{"action": "action_dailyReport", "args": {{"message": "x", "level": "WARN"}}}}]}}}}"#
        ))
    };
    let count = r#"{"action": "action_counterRaise", "args": {"counter": "c", "for": "_UID", "keepSeconds": 9, "save": "n"}},"#;
    assert_eq!(steps("3", ""), ["P006"]);
    assert_eq!(steps("\"3\"", ""), [""; 0]);
    assert_eq!(steps("3", count), [""; 0]);
    assert_eq!(steps("\"3\"", count), ["P006"]);
}

/// Chains that jump on and on, with a ban at the end that everything is wrong with.
fn long(chains: usize) -> String {
    let chain = |n: usize| {
        let (name, then, other) = (n % 1000, n + 1, (n + 2).min(chains));
        format!(
            "\"c{n}\": [{{\"filter\": \"filter_pcre\", \"args\": {{\"field\": \"MESSAGE\", \"re\": \"x (?P<f{name}>a)\"}}, \
             \"then\": \"c{then}\", \"else\": \"c{other}\"}}],\n"
        )
    };
    let text = String::from("{\"actions\": {") + &(0..chains).map(chain).collect::<Vec<_>>().concat();
    text + &format!(
        "\"c{chains}\": [{{\"action\": \"action_nftBan\", \"args\": {{\"IP\": \"f1\", \"nftSetIPv4\": \"ip a b\", \"nftSetIPv6\": \"ip a b\"}}}}]}}}}"
    )
}

#[test]
fn a_large_graph_is_reviewed_in_time_that_grows_with_its_size() {
    let time = |chains: usize| {
        let text = long(chains);
        let source = ConfigText::new("long", text);
        let mut diagnostics = Diagnostics::default();
        let registry = Registry::linked().unwrap();
        let mut state = State::in_memory();
        let engine =
            Engine::load(&source, &registry, Fields::default(), &mut state, &mut diagnostics).unwrap();
        let engine = engine.unwrap();
        let start = std::time::Instant::now();
        review::review(&source, &engine, &mut diagnostics);
        let found: Vec<_> =
            diagnostics.in_order().iter().filter_map(|found| found.lint).map(|lint| lint.code).collect();
        for code in ["P007", "P009", "P011", "P012", "P013"] {
            assert!(found.contains(&code), "{code} among {} findings", found.len());
        }
        assert!(found.len() < 1000);
        (engine.workflow.size(), start.elapsed())
    };
    let chains = std::env::var("PYRUSE_CHAINS").map_or(4000, |n| n.parse().unwrap());
    let (size, taken) = time(chains);
    println!("{size} nodes: {taken:?}");
    // Some microseconds a node, in a debug build on a busy machine; ways are without number here.
    assert!(
        taken
            < std::time::Duration::from_millis(500)
                + std::time::Duration::from_micros(500) * u32::try_from(size).unwrap(),
        "{size} nodes: {taken:?}"
    );
}

#[path = "review/copied.rs"]
mod copied;
