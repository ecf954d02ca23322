//! The program against the second interpreter ([`reference`]), effect by effect: a large configuration over a journal
//! with everything in it.
//!
//! `PYRUSE_ENTRIES=200000` makes a campaign of it.

mod generator;
mod reference;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use pyruse_actions as _;
use pyruse_filters as _;
use serde_json::Value;

use generator::Mix;
use reference::Reference;

const FULL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/conf/full.json");

fn entries() -> u64 {
    std::env::var("PYRUSE_ENTRIES").map_or(20_000, |count| count.parse().expect("PYRUSE_ENTRIES is a number"))
}

/// What `replay --json` prints; an error's message is the program's own, so only its presence and place are kept.
fn replayed(config: &Path, input: &Path, flags: &[&str]) -> Vec<Value> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pyruse"));
    command.arg("--config").arg(config).args(["replay", "--json", "--input"]).arg(input).args(flags);
    let output = command.output().unwrap();
    let complaints = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{complaints}");
    let effect = |line: &str| {
        let mut effect: Value = serde_json::from_str(line).unwrap();
        if effect["effect"] == "error" {
            let message = effect.as_object_mut().unwrap().remove("message");
            assert!(message.is_some_and(|message| message.as_str().is_some_and(|text| !text.is_empty())));
        }
        effect
    };
    String::from_utf8(output.stdout).unwrap().lines().map(effect).collect()
}

/// Compares all effects; gives how often each step ran.
fn compare(mix: Mix, count: u64) -> BTreeMap<(String, usize), u64> {
    let text = std::fs::read_to_string(FULL).unwrap();
    let directory = tempfile::tempdir().unwrap();
    let input = directory.path().join("journal.export");
    std::fs::write(&input, generator::export(mix, count, 1)).unwrap();
    let found = replayed(Path::new(FULL), &input, &[]);
    assert_eq!(
        replayed(Path::new(FULL), &input, &["--no-optimize"]),
        found,
        "the optimiser changes what is done"
    );

    assert_same_in_files(&text, &input, found.len());

    let mut reference = Reference::new(&text);
    let mut effects = found.iter();
    let mut number = 0;
    let mut steps: BTreeMap<(String, usize), u64> = BTreeMap::new();
    for entry in generator::journal(mix, count, 1) {
        let outcome = reference.run(&entry.fields);
        for expected in &outcome.effects {
            let effect = effects.next();
            assert_eq!(effect, Some(expected), "effect {number}, of {entry:?}, by way of {:?}", outcome.path);
            number += 1;
        }
        for place in outcome.path {
            *steps.entry(place).or_default() += 1;
        }
    }
    assert_eq!(effects.next(), None, "after {number} effects, all that there should be");

    let mut kinds: BTreeMap<&str, usize> = BTreeMap::new();
    for effect in &found {
        *kinds.entry(effect["effect"].as_str().unwrap()).or_default() += 1;
    }
    println!("{count} entries of {mix:?}: {kinds:?}");
    for kind in ["ban", "email", "log", "report", "error"] {
        assert!(kinds.contains_key(kind), "no {kind} in {kinds:?}: nothing was compared");
    }
    steps
}

/// In a journal, the same entries have the same effects with both readers, and as many as these.
fn assert_same_in_files(config: &str, export: &Path, expected: usize) {
    let directory = export.parent().unwrap();
    let journal = directory.join("journal");
    std::fs::create_dir(&journal).unwrap();
    let mut writer = Command::new("/lib/systemd/systemd-journal-remote");
    writer.arg(format!("--output={}", journal.join("system.journal").display())).arg(export);
    assert!(writer.output().expect("systemd-journal-remote is needed").status.success());
    let printed = ["files", "libsystemd"].map(|reader| {
        let settings = serde_json::json!({"directory": journal, "reader": reader});
        let path = directory.join(format!("{reader}.json"));
        std::fs::write(&path, config.replacen("\n{\n", &format!("\n{{\n\"journal\": {settings},\n"), 1))
            .unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_pyruse"));
        let output =
            command.arg("--config").arg(path).args(["replay", "--json", "--since", "@0"]).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    });
    assert!(printed[0] == printed[1], "the readers differ");
    // In a file, the values of a repeated field have another order.
    assert_eq!(printed[0].lines().count(), expected);
}

#[test]
fn a_large_configuration_does_what_a_simple_interpreter_says() {
    compare(Mix::Server, entries());
}

#[test]
fn every_step_of_the_large_configuration_runs_and_does_what_the_interpreter_says() {
    let ran = compare(Mix::Even, entries());
    let chains = reference::chains(&std::fs::read_to_string(FULL).unwrap());
    let length = |steps: &Value| steps.as_array().unwrap().len();
    let all = chains.iter().flat_map(|(label, steps)| (0..length(steps)).map(|n| (label.clone(), n)));
    let missed: Vec<_> = all.filter(|place| !ran.contains_key(place)).collect();
    assert!(missed.is_empty(), "no entry of tests/generator came to {missed:?}");
}

#[test]
fn the_large_configuration_has_no_finding_and_uses_every_filter_and_action() {
    let output = Command::new(env!("CARGO_BIN_EXE_pyruse")).args(["check", "--json", FULL]).output().unwrap();
    let findings = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{findings}");
    let report: Value = serde_json::from_str(&findings).unwrap();
    assert_eq!(report["findings"], serde_json::json!([]), "{report}");

    let text = std::fs::read_to_string(FULL).unwrap();
    let chains = reference::chains(&text);
    assert!(chains.len() >= 60);
    let registry = pyruse_core::plugin::Registry::linked().unwrap();
    assert!(registry.plugins().count() >= 15);
    for plugin in registry.plugins().filter(|plugin| !plugin.name.starts_with("source_")) {
        let is_used = chains
            .iter()
            .flat_map(|(_, steps)| steps.as_array().unwrap())
            .any(|step| [&step["filter"], &step["action"]].contains(&&Value::from(plugin.name)));
        assert!(is_used, "{} is not in it", plugin.name);
    }
}
