//! The pictures of `graph`: what they show, and whether Graphviz and Mermaid accept them, whatever the labels.

mod common;

use std::io::Write;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use common::workspace::Workspace;
use serde_json::{Value, json};

const RULES: &str = include_str!("graph/rules.json");
const FULL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/conf/full.json");

/// The picture of a configuration; its warnings do not matter here.
fn picture(config: &str, args: &[&str]) -> String {
    let printed = Workspace::new(config).run(&[&["graph"], args].concat());
    assert_eq!(printed.code, Some(0), "{}", printed.err);
    printed.out
}

/// Gives a text to a program; what it writes.
fn fed(program: &mut Command, text: &str) -> String {
    let mut child =
        program.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let text = text.to_owned();
    let writer = std::thread::spawn(move || stdin.write_all(text.as_bytes()));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && errors.is_empty(), "{program:?}: {errors}");
    String::from_utf8(output.stdout).unwrap()
}

/// Texts that mean something to Mermaid, Graphviz, HTML, XML, or a terminal.
fn hostile() -> String {
    let labels = [
        "\"quoted\" 'both' `ways`",
        "</text></svg><script>alert(1)</script>",
        "<b>&amp;&#65; &lt;",
        "end\nsubgraph x\n  %% comment",
        "]] }} )) --> c0 |x|; click c0 href",
        "#quot; #35; \\n \\\" \\",
        "\u{1b}[2J\u{202e}\u{feff}\u{ffff}\u{0}",
        "日本語のラベル 😀 e\u{301}",
        "",
        "end",
    ];
    let mut chains: Vec<String> = Vec::new();
    let long = "x<&\"".repeat(5000);
    for (n, label) in labels.into_iter().chain([long.as_str()]).enumerate() {
        let step =
            json!({"filter": "filter_equals", "args": {"field": label, "value": label}, "then": "noted"});
        let other = json!({"action": "action_log", "args": {"message": format!("{n} {}", label.replace(['{', '}'], ""))}});
        chains.push(format!("{}: [{other}, {step}]", Value::from(label)));
    }
    chains.push("\"noted\": [{\"action\": \"action_noop\"}]".into());
    format!("{{\"actions\": {{{}}}}}", chains.join(","))
}

const WELL_FORMED: &str = "
import sys, xml.etree.ElementTree as tree
root = tree.parse(sys.stdin).getroot()
print(root.tag, len(list(root.iter('{http://www.w3.org/2000/svg}script'))), len(root.findall('{http://www.w3.org/2000/svg}g')))
";

#[test]
fn chains_steps_and_exits_are_drawn() {
    insta::assert_snapshot!("mermaid", picture(RULES, &[]));
    insta::assert_snapshot!("dot", picture(RULES, &["--format", "dot"]));
    insta::assert_snapshot!("svg", picture(RULES, &["--format", "svg"]));
}

#[test]
fn the_same_is_data_with_json() {
    let printed = picture(RULES, &["--json"]);
    assert_eq!(printed.lines().count(), 1);
    let picture: Value = serde_json::from_str(&printed).unwrap();
    insta::assert_snapshot!(serde_json::to_string_pretty(&picture).unwrap());
}

#[test]
fn the_svg_is_well_formed_whatever_the_labels() {
    for (config, chains) in [(std::fs::read_to_string(FULL).unwrap(), None), (hostile(), Some(12))] {
        let svg = picture(&config, &["--format", "svg"]);
        let seen = fed(Command::new("/usr/bin/python3").args(["-c", WELL_FORMED]), &svg);
        let chains = chains.unwrap_or_else(|| {
            pyruse_core::config::parse(&config).unwrap().get("actions").unwrap().members().unwrap().len()
        });
        assert_eq!(seen, format!("{{http://www.w3.org/2000/svg}}svg 0 {chains}\n"));
        assert!(!svg.contains(['\u{1b}', '\u{202e}', '\u{feff}', '\u{ffff}', '\0']));
    }
}

#[test]
fn graphviz_takes_the_dot_whatever_the_labels() {
    for config in [std::fs::read_to_string(FULL).unwrap(), hostile(), RULES.to_owned()] {
        let dot = picture(&config, &["--format", "dot"]);
        let drawn = fed(Command::new("dot").arg("-Tplain"), &dot);
        let nodes = drawn.lines().filter(|line| line.starts_with("node ")).count();
        let chains = pyruse_core::config::parse(&config).unwrap();
        assert_eq!(nodes, chains.get("actions").unwrap().members().unwrap().len());
    }
}

#[test]
fn no_label_ends_its_text_in_mermaid() {
    let drawn = picture(&hostile(), &[]);
    for line in drawn.lines() {
        assert!(line.len() < 2000 && !line.contains(['\u{1b}', '\u{202e}', '\u{feff}', '`', '\\']), "{line}");
        match line.matches('"').count() {
            0 => {}
            2 => {
                let label = line.split('"').nth(1).unwrap().replace("<br/>", "");
                assert!(
                    !label.is_empty() && !label.contains(['<', '>', '&', '{', '}', '[', ']', '|', '%']),
                    "{line}"
                );
                // A `#` begins a code and nothing else.
                for code in label.split('#').skip(1) {
                    let (digits, _) = code.split_once(';').unwrap_or_else(|| panic!("{line}"));
                    assert!(digits.bytes().all(|byte| byte.is_ascii_digit()), "{line}");
                }
            }
            _ => panic!("{line}"),
        }
    }
    insta::assert_snapshot!(drawn);
}

#[test]
fn a_ladder_of_jumps_and_a_long_list_are_drawn_at_once() {
    let start = Instant::now();
    let ladder: Vec<String> = (0..60)
        .map(|n| format!("\"c{n}\": [{{\"filter\": \"filter_userExists\", \"args\": {{\"field\": \"a\"}}, \"then\": \"c{0}\", \"else\": \"c{0}\"}}]", n + 1))
        .chain(["\"c60\": [{\"action\": \"action_noop\"}]".to_owned()])
        .collect();
    let list: Vec<String> = (0..5000)
        .map(|n| format!("\"c{n}\": [{{\"filter\": \"filter_userExists\", \"args\": {{\"field\": \"a\"}}, \"then\": \"end\"}}]"))
        .chain(["\"end\": [{\"action\": \"action_noop\"}]".to_owned()])
        .collect();
    let deep: Vec<String> = (0..5000)
        .map(|n| format!("\"c{n}\": [{{\"filter\": \"filter_userExists\", \"args\": {{\"field\": \"a\"}}, \"else\": \"c{}\"}}]", n + 1))
        .chain(["\"c5000\": [{\"action\": \"action_noop\"}]".to_owned()])
        .collect();
    for chains in [ladder, list, deep] {
        let config = format!("{{\"actions\": {{{}}}}}", chains.join(","));
        for format in ["mermaid", "dot", "svg"] {
            assert!(picture(&config, &["--format", format]).contains("c60"));
        }
    }
    // A size that doubles with every rung would be endless.
    assert!(start.elapsed() < Duration::from_secs(300), "{:?}", start.elapsed());
}

#[test]
fn what_cannot_be_drawn_is_an_error() {
    let unknown = Workspace::new(RULES).run(&["graph", "--format", "png"]);
    assert_eq!(unknown.code, Some(2));
    let broken = Workspace::new("{\"actions\": {\"a\": [{\"action\": \"action_nop\"}]}}").run(&["graph"]);
    assert_eq!(broken.code, Some(78));
    insta::assert_snapshot!(format!("{unknown}{broken}"));
}
