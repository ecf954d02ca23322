//! P009 follows values that are copied: to another field, or through the state to a later entry.

use super::{codes, drawn};

const PROOF: &str = r#"{"filter": "filter_equals", "args": {"field": "_UID", "value": 0}}"#;

const TAKE: &str = r#"{"filter": "filter_pcre", "args": {"field": "MESSAGE", "re": "^(?P<user>\\S+) (?P<session>\\S+) from (?P<client>\\S+)"}}"#;

/// Rules that take `client` from an entry, compare it with an allow-list or not, then do `steps`; a later chain is
/// entered by the same entries and bans `whom` after `before`.
fn rules(is_listed: bool, steps: &str, before: &str, whom: &str) -> String {
    let listed = if is_listed {
        r#", {"filter": "filter_inNetworks", "args": {"field": "client", "nets": ["10.0.0.0/8"]}, "then": "end", "else": "take"}"#
    } else {
        r#", {"filter": "filter_pcre", "args": {"field": "MESSAGE", "re": "x"}, "then": "take"}"#
    };
    format!(
        r#"{{"actions": {{
        "first": [{PROOF}, {TAKE}{listed}],
        "take": [{steps}],
        "later": [{PROOF}, {{"filter": "filter_pcre", "args": {{"field": "MESSAGE", "re": "^(?P<user>\\S+) (?P<session>\\S+) fails (?P<proxy>\\S+)"}}, "then": "ban"}}],
        "ban": [{before} {{"action": "action_nftBan", "args": {{"IP": "{whom}", "banSeconds": 60, "nftSetIPv4": "ip a b4", "nftSetIPv6": "ip6 a b6"}}}}],
        "end": [{{"action": "action_noop"}}]}}}}"#
    )
}

#[track_caller]
fn found_only_without_a_list(steps: &str, before: &str, whom: &str) {
    let of = |is_listed| -> Vec<_> {
        let found = codes(&rules(is_listed, steps, before, whom));
        found.into_iter().filter(|code| *code == "P009").collect()
    };
    assert_eq!(of(true), [""; 0], "compared with an allow-list: {steps} {before}");
    assert_eq!(of(false), ["P009"], "not compared: {steps} {before}");
}

const RAISE: &str = r#"{"action": "action_counterRaise", "args": {"counter": "users", "for": "user", "distinct": "client", "keepSeconds": 60, "save": "n"}}"#;

const RAISE_AND_SAVE: &str = r#"{"action": "action_counterRaise", "args": {"counter": "users", "for": "user", "distinct": "client", "keepSeconds": 60, "save": "n", "saveValues": "all"}},
    {"filter": "filter_greaterOrEquals", "args": {"field": "n", "value": 4}, "then": "ban"}"#;

/// Leads from a chain to the ban.
const END: &str = r#"{"filter": "filter_pcre", "args": {"field": "MESSAGE", "re": "y"}, "then": "ban"}"#;

#[test]
fn values_of_a_counter_were_compared_if_each_was_before_it_was_counted() {
    found_only_without_a_list(RAISE_AND_SAVE, "", "all");
    // One raise of two is behind no list.
    let text = rules(true, RAISE_AND_SAVE, "", "all");
    let other = format!(r#""other": [{PROOF}, {TAKE}, {RAISE}], "end": ["#);
    assert!(codes(&text.replacen(r#""end": ["#, &other, 1)).contains(&"P009"));
}

#[test]
fn a_remembered_address_was_compared_if_it_was_before_it_was_remembered() {
    let remember = r#"{"action": "action_remember", "args": {"memory": "m", "for": "session", "fields": ["client"], "keepSeconds": 60}}"#;
    let recall =
        r#"{"action": "action_recall", "args": {"memory": "m", "for": "session", "fields": ["client"]}},"#;
    found_only_without_a_list(remember, recall, "client");
    // Another memory has nothing to do with it, and nobody knows what is in it.
    let other = recall.replace("\"m\"", "\"n\"");
    assert!(codes(&rules(true, remember, &other, "client")).contains(&"P009"));
}

#[test]
fn a_captured_client_was_compared_if_it_was_before_it_was_captured() {
    let capture = r#"{"action": "action_dnatCapture", "args": {"saddr": "client", "addr": "session"}}"#;
    let replace = r#"{"filter": "filter_inNetworks", "args": {"field": "proxy", "nets": ["10.0.0.0/8"]}, "then": "end", "else": "replace"}],
        "replace": [{"action": "action_dnatReplace", "args": {"addr": "session", "saddrInto": "proxy"}},"#;
    found_only_without_a_list(capture, replace, "proxy");
    // A replacement that finds nothing leaves the previous value, which was not compared.
    let only = r#"{"action": "action_dnatReplace", "args": {"addr": "session", "saddrInto": "proxy"}},"#;
    assert!(codes(&rules(true, capture, only, "proxy")).contains(&"P009"));
}

#[test]
fn a_copied_field_was_compared_if_its_original_was() {
    let first = r#"{"action": "action_set", "args": {"field": "who", "first": ["client"]}}"#;
    let template = r#"{"action": "action_set", "args": {"field": "who", "value": "{client}"}}"#;
    let chain = r#"{"action": "action_set", "args": {"field": "a", "value": "{client}"}}, {"action": "action_set", "args": {"field": "who", "value": "{a}"}}"#;
    let steps = |set: &str| format!("{set}, {END}");
    for set in [first, template, chain] {
        found_only_without_a_list(&steps(set), "", "who");
    }
    let found =
        |is_listed: bool, set: &str| codes(&rules(is_listed, &steps(set), "", "who")).contains(&"P009");
    // A part of a text is another text.
    for other in ["{client:.5}", "{client}.1", "1{client}", "{client}{user}", "{client!r}"] {
        assert!(found(true, &template.replace("{client}", other)), "{other}");
    }
    // One of two fields was not compared; nor was the previous value of a field of the journal, which may stay.
    assert!(found(true, &first.replace("[\"client\"]", "[\"client\", \"user\"]")));
    let text = rules(true, &steps(&first.replace("who", "MY_ADDRESS")), "", "MY_ADDRESS");
    assert!(codes(&text).contains(&"P009"));
}

#[test]
fn a_circle_of_copies_ends() {
    let set = |to: &str, from: &str| {
        format!(r#"{{"action": "action_set", "args": {{"field": "{to}", "value": "{{{from}}}"}}}}"#)
    };
    let keep = r#"{"action": "action_remember", "args": {"memory": "m", "for": "user", "fields": ["f0"], "keepSeconds": 60}},
        {"action": "action_recall", "args": {"memory": "m", "for": "user", "fields": ["f0"]}}"#;
    let found = |first: &str, fields: usize| {
        let copies: Vec<String> = (0..2 * fields)
            .map(|n| set(&format!("f{}", (n + 1) % fields), &format!("f{}", n % fields)))
            .collect();
        let steps =
            format!("{}, {}, {keep}, {}, {END}", set("f0", first), copies.join(", "), copies.join(", "));
        codes(&rules(true, &steps, "", "f3")).contains(&"P009")
    };
    assert!(!found("client", 5));
    assert!(found("user", 5));
    assert!(!found("client", 500));
    assert!(found("user", 500));
}

#[test]
fn the_finding_names_the_step_that_copies_and_the_one_that_the_value_is_from() {
    let text = rules(false, RAISE_AND_SAVE, "", "all");
    let found = drawn(&text);
    let found = found.split("[P009]").nth(1).unwrap_or_else(|| panic!("{found}"));
    let found = found.split_whitespace().filter(|word| *word != "=").collect::<Vec<_>>().join(" ");
    for part in [
        "step 0 of `take` sets `all` to values that `client` has in step 0 of `take`",
        "put a `filter_inNetworks` on `client` with your own networks before step 0 of `take`",
    ] {
        assert!(found.contains(part), "{found}");
    }
}
