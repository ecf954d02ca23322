//! `action_run` with the real daemon and real programs: arguments as attackers write them, and programs that hang, flood,
//! fork or cannot be run.

mod common;

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::PathBuf;

use common::{Journald, Running, Site, wait_for};
use serde_json::{Value, json};

fn rules(args: &Value) -> Value {
    json!({"app": [
        {"filter": "filter_equals", "args": {"field": "SYSLOG_IDENTIFIER", "value": "app"}},
        {"action": "action_run", "args": args},
    ]})
}

/// A program that writes its arguments and its environment.
fn recorder(site: &Site) -> (PathBuf, PathBuf) {
    let record = site.path("record");
    let body = format!(
        "{{ for a in \"$@\"; do printf '<%s>' \"$a\"; done; echo \" $FROM $HOME $(env | wc -l)\"; }} >> {}",
        record.display()
    );
    (site.script("program", &body), record)
}

fn wait_text(path: &PathBuf, site: &Site, is_it: impl Fn(&str) -> bool) -> String {
    wait_for(&format!("the text; {}", site.log()), || {
        Some(fs::read_to_string(path).unwrap_or_default()).filter(|text| is_it(text))
    })
}

fn wait_log(site: &Site, text: &str) {
    wait_for(&format!("`{text}` in the log: {}", site.log()), || site.log().contains(text).then_some(()));
}

fn stop(pyruse: Running, site: &Site) {
    assert!(pyruse.terminate().success(), "{}", site.log());
}

#[test]
fn each_argument_is_one_whatever_a_line_contains() {
    let (journald, site) = (Journald::start(), Site::new());
    let (program, record) = recorder(&site);
    let args = json!({"argv": [program, "--", "{MESSAGE}", "--x={MESSAGE}"], "env": {"FROM": "-{MESSAGE}"}});
    site.configure(&journald, &rules(&args));
    let pyruse = site.start(None);
    // Refused for that entry only.
    journald.line("app", 6, "--version");
    journald.line("app", 6, "a b; $(touch /x) `id` \"'|&");
    let text = wait_text(&record, &site, |text| text.ends_with('\n'));
    let line = "a b; $(touch /x) `id` \"'|&";
    assert!(text.starts_with(&format!("<--><{line}><--x={line}> -{line}  ")), "{text}");
    assert_eq!(text.lines().count(), 1, "{text}");
    wait_log(&site, "`--version` would be an option");
    stop(pyruse, &site);
}

#[test]
fn a_program_that_hangs_is_killed_with_its_children_and_one_that_floods_is_read_no_further() {
    let (journald, site) = (Journald::start(), Site::new());
    let alive = site.path("alive");
    let program = site.script(
        "program",
        &format!(
            "case $1 in hang) sleep 1000 & echo $! > {0}; sleep 1000;; flood) yes | head -c 20000000 >&2; exit 3;; esac",
            alive.display()
        ),
    );
    site.configure(&journald, &rules(&json!({"argv": [program, "{MESSAGE}"], "timeoutSeconds": 2})));
    let pyruse = site.start(None);
    journald.line("app", 6, "hang");
    wait_log(&site, "not finished after 2 s, killed");
    let child = fs::read_to_string(&alive).unwrap();
    wait_for("the child's end", || {
        (!PathBuf::from(format!("/proc/{}", child.trim())).exists()).then_some(())
    });
    journald.line("app", 6, "flood");
    wait_log(&site, "exit status 3: y / y");
    assert!(site.log().len() < 20_000, "the output is cut");
    stop(pyruse, &site);
}

#[test]
fn a_program_that_cannot_be_run_waits_and_others_must_not_be_able_to_write_it() {
    let (journald, site) = (Journald::start(), Site::new());
    let (program, record) = recorder(&site);
    site.configure(&journald, &rules(&json!({"argv": [program, "{MESSAGE}"]})));
    let pyruse = site.start(None);
    let mode = |mode| fs::set_permissions(&program, fs::Permissions::from_mode(mode)).unwrap();
    mode(0o644);
    journald.line("app", 6, "one");
    wait_log(&site, "is not executable");
    mode(0o757);
    pyruse.signal("-HUP");
    wait_log(&site, "can be written by others (mode 0757), who could run anything through it");
    mode(0o755);
    chown(&program, Some(1234), None).unwrap();
    pyruse.signal("-HUP");
    wait_log(&site, "belongs to user 1234, who could run anything through it");
    chown(&program, Some(0), None).unwrap();
    pyruse.signal("-HUP");
    wait_text(&record, &site, |text| text.starts_with("<one>") && text.ends_with('\n'));
    stop(pyruse, &site);
}

#[test]
fn mistakes_are_reported() {
    let site = Site::new();
    let check = |args: &Value| {
        fs::write(site.path("pyruse.json"), json!({"actions": rules(args)}).to_string()).unwrap();
        let output = site.pyruse(None, &["check"]);
        String::from_utf8([output.stdout, output.stderr].concat()).unwrap()
    };
    for (args, error) in [
        (json!({"argv": []}), "the command is empty"),
        (json!({"argv": ["echo"]}), "`echo` is not the absolute path of a program"),
        (json!({"argv": ["/bin/{x}"]}), "is not the absolute path of a program"),
        (json!({"argv": ["/no/such"]}), "warning: /no/such does not exist"),
        (json!({"argv": ["/etc/passwd"]}), "/etc/passwd is not executable"),
        (json!({"argv": ["/bin/echo", "{x"]}), "bad template"),
        (json!({"argv": ["/bin/echo"], "env": {"a=b": "c"}}), "`a=b` is not the name of a variable"),
        (json!({"argv": ["/bin/echo"], "timeoutSeconds": 0}), "the time limit must not be 0 seconds"),
    ] {
        let printed = check(&args);
        assert!(printed.contains(error), "{error}: {printed}");
    }
}
