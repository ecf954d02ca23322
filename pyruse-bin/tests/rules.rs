//! `pyruse rules`: nothing is changed unless the configuration is good with the change.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::PathBuf;
use std::process::Command;

use serde_json::{Value, json};

/// A library with two sets of rules, and a configuration.
struct Machine {
    directory: tempfile::TempDir,
}

/// What a command printed, and its exit code.
struct Done {
    code: i32,
    out: String,
    complaint: String,
}

impl Machine {
    fn new() -> Machine {
        let machine = Machine { directory: tempfile::tempdir().unwrap() };
        let pass = json!([
            {"filter": "filter_equals", "args": {"field": "MESSAGE", "value": "other"}},
            {"action": "action_noop"}
        ]);
        let reported = json!([
            {"filter": "filter_equals", "args": {"field": "MESSAGE", "value": "drop"}},
            {"action": "action_dailyReport", "args": {"level": "WARN", "message": "{MESSAGE}"}}
        ]);
        machine.rules(
            "web",
            &json!({"actions": {"web": reported}}),
            "The web, as nginx 1.22 sees it. More words.",
        );
        machine.rules("mail", &json!({"actions": {"mail": pass}}), "Mail.");
        machine.configure(&json!({"include": ["rules.d/*.json"], "actions": {"all": pass}}));
        machine
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn configure(&self, config: &Value) {
        fs::write(self.path("pyruse.json"), config.to_string()).unwrap();
    }

    fn rules(&self, name: &str, rules: &Value, comment: &str) {
        let folder = self.path("library").join(name);
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("rules.json"), format!("// {comment}\n//\n// Details.\n{rules}")).unwrap();
        fs::write(folder.join("pyruse.json"), r#"{"include": ["rules.json"], "email": {"to": ["x"]}}"#)
            .unwrap();
        fs::write(folder.join("entries.jsonl"), "{\"MESSAGE\": \"drop\", \"__REALTIME_TIMESTAMP\": \"1\"}\n")
            .unwrap();
        fs::write(folder.join("effects.jsonl"), "").unwrap();
    }

    fn run(&self, verb: &str, names: &[&str]) -> Done {
        let output = Command::new(env!("CARGO_BIN_EXE_pyruse"))
            .args(["--config", self.path("pyruse.json").to_str().unwrap(), "rules", verb])
            .args(["--library", self.path("library").to_str().unwrap()])
            .args(names)
            .output()
            .unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Done { code: output.status.code().unwrap(), out: text(output.stdout), complaint: text(output.stderr) }
    }

    /// The state of each set of rules.
    fn states(&self) -> Vec<(String, String)> {
        let list: Value = serde_json::from_str(&self.run("list", &["--json"]).out).unwrap();
        let text = |rule: &Value, key: &str| rule[key].as_str().unwrap().to_owned();
        let rules = list["rules"].as_array().unwrap().iter();
        rules.map(|rule| (text(rule, "name"), text(rule, "state"))).collect()
    }

    fn has(&self, mail: &str, web: &str) {
        assert_eq!(self.states(), [("mail".into(), mail.into()), ("web".into(), web.into())]);
    }
}

#[test]
fn rules_are_enabled_by_a_link_and_disabled_again() {
    let machine = Machine::new();
    machine.has("-", "-");
    let done = machine.run("enable", &["web", "mail"]);
    assert_eq!((done.code, done.complaint.as_str()), (0, ""));
    assert_eq!(
        done.out,
        "mail: enabled\nweb: enabled\nnow: pyruse check --live && systemctl reload pyruse\n"
    );
    assert!(machine.path("rules.d/20-web.json").is_symlink());
    machine.has("enabled", "enabled");
    assert_eq!(machine.run("enable", &["web"]).out, "web: enabled already\n");
    let done = machine.run("disable", &["web"]);
    assert_eq!(done.out, "web: disabled\nnow: pyruse check --live && systemctl reload pyruse\n");
    assert_eq!(machine.run("disable", &["web"]).out, "web: was not enabled\n");
    machine.has("enabled", "-");
    let table = machine.run("list", &[]).out;
    assert!(table.contains("web    -        The web, as nginx 1.22 sees it\n"), "{table}");
    assert!(table.lines().all(|line| line.chars().count() <= 80), "{table}");
}

#[test]
fn what_belongs_to_the_administrator_stays() {
    let machine = Machine::new();
    fs::create_dir(machine.path("rules.d")).unwrap();
    for make in [
        |path: &PathBuf| fs::write(path, r#"{"actions": {"own": [{"action": "action_noop"}]}}"#).unwrap(),
        |path: &PathBuf| symlink("/dev/null", path).unwrap(),
        |path: &PathBuf| fs::create_dir(path).unwrap(),
    ] {
        let own = machine.path("rules.d/20-web.json");
        make(&own);
        for verb in ["enable", "disable"] {
            let done = machine.run(verb, &["mail", "web"]);
            assert_eq!(done.code, 1);
            assert!(
                done.complaint.contains("rules.d/20-web.json is a file of its own"),
                "{}",
                done.complaint
            );
        }
        assert!(own.symlink_metadata().is_ok());
        assert!(!machine.path("rules.d/20-mail.json").exists(), "nothing is half done");
        if own.is_dir() { fs::remove_dir(own).unwrap() } else { fs::remove_file(own).unwrap() }
    }
}

#[test]
fn a_link_to_a_library_that_is_gone_is_replaced_or_removed() {
    for verb in ["enable", "disable"] {
        let machine = Machine::new();
        fs::create_dir(machine.path("rules.d")).unwrap();
        symlink(machine.path("removed/web/rules.json"), machine.path("rules.d/20-web.json")).unwrap();
        machine.has("-", "BROKEN LINK");
        let done = machine.run(verb, &["web"]);
        assert_eq!(done.code, 0, "{}", done.complaint);
        machine.has("-", if verb == "enable" { "enabled" } else { "-" });
    }
}

#[test]
fn nothing_is_changed_if_the_configuration_would_have_an_error() {
    let machine = Machine::new();
    let jump = json!([{"filter": "filter_equals", "args": {"field": "MESSAGE", "value": "x"}, "then": "mail"},
        {"action": "action_noop"}]);
    machine.rules("web", &json!({"actions": {"web": jump}}), "Needs mail.");
    let done = machine.run("enable", &["web"]);
    assert_eq!(done.code, 78, "{}", done.complaint);
    assert!(
        done.complaint.contains("`mail`") && done.complaint.contains("nothing is changed"),
        "{}",
        done.complaint
    );
    machine.has("-", "-");
    assert_eq!(machine.run("enable", &["web", "mail"]).code, 0);
    let done = machine.run("disable", &["mail"]);
    assert_eq!(done.code, 78, "{}", done.complaint);
    machine.has("enabled", "enabled");
}

#[test]
fn rules_that_the_configuration_does_not_include_are_not_enabled() {
    let machine = Machine::new();
    machine.configure(&json!({"actions": {"all": [{"action": "action_noop"}]}}));
    let done = machine.run("enable", &["web"]);
    assert_eq!(done.code, 1);
    assert!(
        done.complaint.contains(r#"it needs the line "include": ["rules.d/*.json"]"#),
        "{}",
        done.complaint
    );
    machine.has("-", "-");
    // By hand.
    fs::create_dir_all(machine.path("rules.d")).unwrap();
    symlink(machine.path("library/web/rules.json"), machine.path("rules.d/20-web.json")).unwrap();
    machine.has("-", "NOT INCLUDED");
    // Included in another way.
    machine.configure(&json!({"include": machine.path("library/mail/rules.json")}));
    machine.has("enabled", "NOT INCLUDED");
}

#[test]
fn a_library_that_others_may_write_is_not_used() {
    let machine = Machine::new();
    let rules = machine.path("library/web/rules.json");
    fs::set_permissions(&rules, fs::Permissions::from_mode(0o666)).unwrap();
    let done = machine.run("enable", &["web"]);
    assert_eq!(done.code, 78, "{}", done.complaint);
    assert!(done.complaint.contains("can be written by others"), "{}", done.complaint);
    machine.has("-", "-");
}

#[test]
fn a_name_that_is_not_there_is_said_with_the_nearest() {
    let machine = Machine::new();
    for verb in ["show", "enable", "disable", "test"] {
        let done = machine.run(verb, &["mial"]);
        assert_eq!(done.code, 1);
        assert!(done.complaint.contains("there are no rules `mial`"), "{}", done.complaint);
        assert!(done.complaint.contains("did you mean `mail`?"), "{}", done.complaint);
    }
    // It is a name, not a path.
    assert!(machine.run("enable", &["../library/web"]).complaint.contains("there are no rules"));
    fs::remove_dir_all(machine.path("library")).unwrap();
    assert!(machine.run("list", &[]).complaint.contains("library"));
}

#[test]
fn rules_are_shown_and_tested() {
    let machine = Machine::new();
    assert!(
        machine.run("show", &["web"]).out.starts_with("// The web, as nginx 1.22 sees it. More words.\n")
    );
    let done = machine.run("test", &["mail"]);
    assert_eq!(done.code, 0, "{}", done.out);
    let done = machine.run("test", &["--json"]);
    assert_eq!(done.code, 1);
    let trials: Value = serde_json::from_str(&done.out).unwrap();
    let of = |name: &str| {
        trials["rules"].as_array().unwrap().iter().find(|trial| trial["name"] == name).unwrap().clone()
    };
    assert_eq!((&of("mail")["good"], &of("mail")["entries"]), (&json!(true), &json!(1)));
    assert_eq!((&of("web")["good"], &of("web")["effects"]), (&json!(false), &json!(1)));
    assert!(
        of("web")["difference"]
            .as_str()
            .unwrap()
            .starts_with("effect 1: expected nothing, found {\"effect\":\"report\"")
    );
}
