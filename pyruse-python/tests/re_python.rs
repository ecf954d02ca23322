//! The module against Python 3.11, by tables that Python wrote (`gen_expressions.py` and
//! `gen_code_points.py`), so that the tests need no Python.

use std::collections::BTreeSet;

use pyruse_python::re::{Groups, Pattern};
use serde_json::Value;

/// Expressions that Python takes and the module refuses.
const REFUSED_HERE: &[&str] = &[
    r"\N{DIGIT ONE}",
    r"\ud800",
    r"(|a){0,3}",
    r"((?(1)a|b))+",
    r"(?:a(b)|a)++",
    r"(?i)𐐀",
    r"(?ai)[^a\u0100-\U00010450]",
    r"(?:(a|b*){2,}c?)+",
    r"(?:(?=(a\b|aa)(?!b))a)+",
    r"(?:(?=(a)))*a",
    r"(?=(a))*a",
    r"(?i)[𐐀x]",
    r"(?=(?(1)a|b))(c)?",
    r"(?a:\W)",
    r"(?a)(?u:\w)",
    r"(?( 1 )a|b)(c)",
];

fn table(text: &str) -> Value {
    serde_json::from_str(text).expect("the table is JSON")
}

#[test]
fn every_expression_of_the_table_does_what_python_does() {
    let table = table(include_str!("expressions/expressions.json"));
    let rows = table.as_array().expect("a list of rows");
    assert!(rows.len() >= 104, "the table has shrunk to {}", rows.len());
    let mut groups = Groups::default();
    let mut wrong = Vec::new();
    for row in rows {
        let (expression, text) = (row[0].as_str().unwrap(), row[1].as_str().unwrap());
        let expected = &row[2];
        let got = outcome(expression, text, &mut groups);
        let same = if REFUSED_HERE.contains(&expression) {
            expected["error"].is_null() && got["error"].is_string()
        } else if expected["position"].is_null() {
            expected["error"] == got["error"]
                && expected["spans"] == got["spans"]
                && expected["names"] == got["names"]
        } else {
            *expected == got
        };
        if !same {
            wrong.push(format!("{expression:?} on {text:?}\n  Python {expected}\n  here   {got}"));
        }
    }
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong.join("\n"));
}

/// What the module says, in the form of the table.
fn outcome(expression: &str, text: &str, groups: &mut Groups) -> Value {
    let pattern = match Pattern::new(expression) {
        Ok(pattern) => pattern,
        Err(error) => {
            let before = &expression[..error.offset];
            return serde_json::json!({
                "error": error.message,
                "position": before.chars().count(),
            });
        }
    };
    let found = match pattern.search(text, groups) {
        Ok(found) => found,
        Err(error) => return serde_json::json!({ "gave_up": error.to_string() }),
    };
    assert_eq!(pattern.is_match(text), Ok(found), "{expression:?} on {text:?}");
    assert_eq!(groups.len(), if found { pattern.group_count() + 1 } else { 0 });
    let spans = found.then(|| {
        let spans = (0..groups.len()).map(|group| groups.get(group));
        spans.map(|span| span.map(|span| [span.start, span.end])).collect::<Vec<_>>()
    });
    let names: Vec<_> = pattern.group_names().collect();
    serde_json::json!({ "names": names, "spans": spans })
}

/// Returns every text of up to six letters `a` and `b`, in order of length, then of the alphabet.
fn short_texts() -> impl Iterator<Item = String> {
    let letter = |number: u32, bit: u32| if number >> bit & 1 == 0 { 'a' } else { 'b' };
    (0..7_u32).flat_map(move |length| {
        (0..1 << length).map(move |number| (0..length).rev().map(|bit| letter(number, bit)).collect())
    })
}

#[test]
fn loops_with_empty_rounds_and_look_behind_find_what_python_finds_in_every_short_text() {
    let rows: Vec<(String, String)> = serde_json::from_str(include_str!("expressions/loops.json")).unwrap();
    let mut groups = Groups::default();
    let (mut refused, mut linear) = (0, 0);
    for (expression, expected) in &rows {
        let Ok(pattern) = Pattern::new(expression) else {
            refused += 1;
            continue;
        };
        linear += usize::from(!pattern.is_backtracking());
        let expected: Vec<&str> = expected.split(' ').collect();
        assert_eq!(expected.len(), short_texts().count(), "{expression}");
        for (text, expected) in short_texts().zip(expected) {
            let found = pattern.search(&text, &mut groups).unwrap();
            let found = match groups.get(0).filter(|_| found) {
                Some(span) => format!("{}{}", span.start, span.end),
                None => "-".to_owned(),
            };
            assert_eq!(found, expected, "{expression} on {text:?}");
        }
    }
    assert!(rows.len() >= 200 && refused <= 15 && linear >= 60, "{refused} refused, {linear} linear");
}

#[test]
fn classes_hold_the_code_points_that_python_puts_in_them() {
    let table = table(include_str!("expressions/code_points.json"));
    let unassigned = code_points(&table["unassigned"]);
    for (name, expression) in [("w", r"\w"), ("d", r"\d"), ("s", r"\s")] {
        let expected = code_points(&table[name]);
        let plain = Pattern::new(expression).unwrap();
        let in_set = Pattern::new(&format!("[{expression}]")).unwrap();
        let inverse = Pattern::new(&expression.to_uppercase()).unwrap();
        let in_inverse_set = Pattern::new(&format!("[^{expression}]")).unwrap();
        for char in all().filter(|&char| !unassigned.contains(&char.into())) {
            let text = char.to_string();
            let is_in = expected.contains(&char.into());
            assert_eq!(plain.is_match(&text), Ok(is_in), "{expression} {char:?}");
            assert_eq!(in_set.is_match(&text), Ok(is_in), "[{expression}] {char:?}");
            assert_eq!(inverse.is_match(&text), Ok(!is_in), "not {expression} {char:?}");
            assert_eq!(in_inverse_set.is_match(&text), Ok(!is_in), "[^{expression}] {char:?}");
        }
    }
}

#[test]
fn characters_equal_ignoring_case_are_those_of_python() {
    let table = table(include_str!("expressions/code_points.json"));
    let unassigned = code_points(&table["unassigned"]);
    let cased = table["cases"].as_array().unwrap();
    let all_cased: String = cased.iter().filter_map(|row| row.as_str()?.chars().next()).collect();
    assert!(all_cased.chars().count() > 2500);
    let one: &dyn Fn(char) -> String = &|char| format!("(?i){char}");
    let set: &dyn Fn(char) -> String = &|char| format!("(?i)[{char}\\0]");
    for (key, expression) in [("cases", one), ("set_cases", set)] {
        for row in table[key].as_array().unwrap() {
            let mut row = row.as_str().unwrap().chars();
            let char = row.next().unwrap();
            let expected: BTreeSet<char> = row.collect();
            let expression = expression(char);
            let pattern = match Pattern::new(&expression) {
                Ok(pattern) => pattern,
                Err(error) => {
                    assert!(char > '\u{FFFF}', "{expression}: {error}");
                    continue;
                }
            };
            // Checked again only if the whole list matches.
            let is_match = |char: char| pattern.is_match(char.encode_utf8(&mut [0; 4])).unwrap();
            let near = (0x2_u32..0x80).chain(u32::from(char).saturating_sub(300)..u32::from(char) + 300);
            let candidates = near.filter_map(char::from_u32).chain(expected.iter().copied());
            let found: BTreeSet<char> = candidates
                .filter(|&char| !unassigned.contains(&char.into()))
                .filter(|&char| char != '\0' && is_match(char))
                .collect();
            let rest: String = all_cased.chars().filter(|char| !expected.contains(char)).collect();
            assert_eq!(pattern.is_match(&rest), Ok(false), "{expression}: too much");
            let expected_near: BTreeSet<char> = expected;
            assert_eq!(found, expected_near, "{expression}");
        }
    }
}

#[test]
fn a_back_reference_ignoring_case_sees_what_python_sees_or_gives_up() {
    let table = table(include_str!("expressions/code_points.json"));
    let unassigned = code_points(&table["unassigned"]);
    let pattern = Pattern::new(r"(?i)\A(.)\1").unwrap();
    let rows = table["cases"].as_array().unwrap().iter();
    let mut decided = 0;
    for (candidates, expected) in rows.zip(table["reference_cases"].as_array().unwrap()) {
        let mut candidates = candidates.as_str().unwrap().chars();
        let char = candidates.next().unwrap();
        for other in candidates.filter(|&char| !unassigned.contains(&char.into())) {
            let expected = expected.as_str().unwrap().chars().skip(1).any(|found| found == other);
            if let Ok(found) = pattern.is_match(&format!("{char}{other}")) {
                assert_eq!(found, expected, "{char} {other}");
                decided += 1;
            }
        }
    }
    assert!(decided > 5000, "only {decided}");
}

fn all() -> impl Iterator<Item = char> {
    '\0'..=char::MAX
}

fn code_points(ranges: &Value) -> BTreeSet<u32> {
    let ranges: Vec<(u32, u32)> = serde_json::from_value(ranges.clone()).expect("ranges");
    ranges.into_iter().flat_map(|(first, last)| first..=last).collect()
}
