//! The JSON Schema of the configuration, asked by a validator that others have written.

mod common;

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use common::run;
use common::workspace::Workspace;
use serde_json::{Value, json};

/// Prints, for each configuration of the list on standard input, what the validator has against it.
const VALIDATOR: &str = "
import json, sys
from jsonschema import Draft202012Validator
schema = json.load(open(sys.argv[1]))
Draft202012Validator.check_schema(schema)
print(json.dumps([
    sorted('/'.join(map(str, e.absolute_path)) + ': ' + e.validator for e in Draft202012Validator(schema).iter_errors(c))
    for c in json.load(sys.stdin)]))
";

/// What a validator has against each of them: places, and the rule that is broken there.
fn complaints(configurations: &[Value]) -> Vec<Vec<String>> {
    let schema = run(Command::new(env!("CARGO_BIN_EXE_pyruse")).arg("schema"));
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("schema.json");
    fs::write(&file, schema).unwrap();
    let mut child = Command::new("/usr/bin/python3")
        .args(["-c", VALIDATOR])
        .arg(&file)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    serde_json::to_writer(child.stdin.take().unwrap(), configurations).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "python3-jsonschema is needed");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// The files of that name in a tree.
fn configurations(directory: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.ends_with("recorded") {
            // What programs have written, and who did what.
        } else if path.is_dir() {
            found.extend(configurations(path.to_str().unwrap()));
        } else if path.extension().is_some_and(|extension| extension == "json") {
            found.push(path);
        }
    }
    found
}

#[test]
fn it_takes_every_configuration_that_we_ship() {
    let of =
        |directory: &str| configurations(&format!("{}/../examples/{directory}", env!("CARGO_MANIFEST_DIR")));
    let files = [of("conf"), of("rules")].concat();
    assert!(!files.is_empty());
    let parsed: Vec<Value> = files
        .iter()
        .map(|file| pyruse_core::config::parse(&fs::read_to_string(file).unwrap()).unwrap().to_json())
        .collect();
    for (file, complaints) in files.iter().zip(complaints(&parsed)) {
        assert_eq!(complaints, [] as [&str; 0], "{}", file.display());
    }
}

#[test]
fn it_takes_the_arguments_of_every_example_of_every_module() {
    let modules = run(Command::new(env!("CARGO_BIN_EXE_pyruse")).args(["modules", "--json"]));
    let (mut steps, mut sources) = (Vec::new(), serde_json::Map::new());
    for module in modules.lines() {
        let module: Value = serde_json::from_str(module).unwrap();
        let name = module["name"].as_str().unwrap();
        let whole = run(Command::new(env!("CARGO_BIN_EXE_pyruse")).args(["modules", name, "--json"]));
        let whole: Value = serde_json::from_str(&whole).unwrap();
        for example in whole["examples"].as_array().unwrap() {
            let kind = module["kind"].as_str().unwrap();
            let used = json!({kind: name, "args": example["args"]});
            if kind == "source" {
                sources.insert(format!("source{}", sources.len()), used);
            } else {
                steps.push(used);
            }
        }
    }
    assert!(steps.len() > 30 && sources.len() > 2);
    assert_eq!(complaints(&[json!({"sources": sources, "actions": {"a": steps}})]), [[] as [&str; 0]]);
}

#[test]
fn it_refuses_what_check_refuses() {
    let step = |step: Value| json!({"actions": {"a": [step]}});
    let broken = [
        ("no actions", json!({})),
        ("no chains", json!({"actions": {}})),
        ("an empty chain", json!({"actions": {"a": []}})),
        ("a chain that is no list", json!({"actions": {"a": {}}})),
        ("neither filter nor action", step(json!({"args": {}}))),
        (
            "both",
            step(json!({"action": "action_noop", "filter": "filter_userExists", "args": {"field": "a"}})),
        ),
        ("an unknown module", step(json!({"filter": "filter_equal", "args": {"field": "a", "value": 1}}))),
        ("a missing argument", step(json!({"filter": "filter_equals", "args": {"field": "a"}}))),
        ("missing arguments", step(json!({"filter": "filter_equals"}))),
        ("null for arguments", step(json!({"filter": "filter_equals", "args": null}))),
        (
            "an unknown argument",
            step(json!({"filter": "filter_userExists", "args": {"field": "a", "fields": 1}})),
        ),
        ("an argument where none is", step(json!({"action": "action_noop", "args": {"x": 1}}))),
        ("a wrong type", step(json!({"filter": "filter_pcre", "args": {"field": "a", "re": ["b"]}}))),
        ("a wrong choice", step(json!({"action": "action_log", "args": {"message": "a", "level": "Info"}}))),
        ("else on an action", step(json!({"action": "action_noop", "else": "b"}))),
        ("an unknown part", step(json!({"action": "action_noop", "than": "b"}))),
        ("a label that is none", step(json!({"action": "action_noop", "then": 1}))),
        (
            "an unknown setting",
            json!({"actions": {"a": [{"action": "action_noop"}]}, "email": {"form": "a"}}),
        ),
        (
            "a setting within",
            json!({"actions": {"a": [{"action": "action_noop"}]}, "email": {"smtp": {"port": 25}}}),
        ),
        ("storage", json!({"actions": {"a": [{"action": "action_noop"}]}, "storage": ""})),
    ];
    let all: Vec<Value> = broken.iter().map(|(_, configuration)| configuration.clone()).collect();
    let mut printed = String::new();
    for ((name, configuration), complaints) in broken.iter().zip(complaints(&all)) {
        let check = Workspace::new(&configuration.to_string()).run(&["check"]);
        assert_eq!(check.code, Some(1), "check takes: {name}");
        assert!(!complaints.is_empty(), "the schema takes: {name}");
        printed += &[name, "\n    ", complaints.join("\n    ").as_str(), "\n"].concat();
    }
    insta::assert_snapshot!(printed);
}

#[test]
fn the_schema_accepts_what_check_accepts() {
    let good = [
        json!({"actions": {"a": [{"action": "action_noop", "args": null, "then": null}]}}),
        json!({"$schema": "pyruse.schema.json", "actions": {"a": [{"action": "action_noop"}]}, "debug": true}),
        json!({"actions": {"a": [{"filter": "filter_in", "args": {"field": "a", "values": [1, 1.5, "x", null]}, "else": null}]}}),
        json!({"actions": {"a": [{"action": "action_dnatCapture", "args": {"saddr": "a", "addr": "b", "portValue": 8443}}]}}),
    ];
    for configuration in &good {
        let check = Workspace::new(&configuration.to_string()).run(&["check"]);
        // What a review has to say is another matter.
        assert_eq!((check.code, check.err.contains("error")), (Some(0), false), "{configuration}");
    }
    assert_eq!(complaints(&good), vec![Vec::<String>::new(); good.len()]);
}
