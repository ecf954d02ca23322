//! What a running daemon does when its configuration or its journal changes under it.

mod common;

use common::{Journald, Site, wait_for};
use serde_json::json;

fn rules() -> serde_json::Value {
    json!({
        "a": [
            {"filter": "filter_equals", "args": {"field": "SYSLOG_IDENTIFIER", "value": "sshd"}},
            {"action": "action_counterRaise", "args": {"counter": "c", "for": "SYSLOG_IDENTIFIER", "save": "n"}},
            {"filter": "filter_equals", "args": {"field": "n", "value": 5}},
            {"action": "action_email", "args": {"message": "five"}},
        ],
        "b": [
            {"filter": "filter_equals", "args": {"field": "SYSLOG_IDENTIFIER", "value": "mail"}},
            {"action": "action_email", "args": {"message": "{MESSAGE}"}},
        ],
    })
}

#[test]
fn a_refused_configuration_changes_nothing_at_all() {
    let (journald, site) = (Journald::start(), Site::new());
    site.configure(&journald, &rules());
    let pyruse = site.start(None);
    // Bounds that would forget the count, beside a mistake.
    let mut broken = rules();
    broken["c"] = json!([{"filter": "no_such_filter"}]);
    site.configure_with(&journald, &broken, &json!({"counter": {"maxTicks": 2}}));
    pyruse.signal("-HUP");
    pyruse.wait_ready();
    for _ in 0..5 {
        journald.line("sshd", 6, "x");
    }
    wait_for("the mail", || site.mails().pop());
    assert!(pyruse.terminate().success());
}

/// The rules are valid, but their journal does not exist: the old rules stay in force, with the old limits.
#[test]
fn a_reload_whose_journal_cannot_be_opened_changes_nothing_at_all() {
    let (journald, site) = (Journald::start(), Site::new());
    site.configure(&journald, &rules());
    let pyruse = site.start(None);
    for _ in 0..3 {
        journald.line("sshd", 6, "x");
    }
    journald.line("mail", 6, "three are counted");
    wait_for("the first mail", || site.mails().pop());
    // Bounds that would forget the count, another rule, and sets for bans by hand.
    let mut other = rules();
    other["c"] = json!([{"action": "action_nftBan", "args": {
        "IP": "MESSAGE", "nftSetIPv4": "ip other ban4", "nftSetIPv6": "ip6 other ban6"
    }}]);
    let nowhere = json!({"counter": {"maxTicks": 2}, "journal": {"files": [site.path("no.journal")]}});
    site.configure_with(&journald, &other, &nowhere);
    pyruse.signal("-HUP");
    pyruse.wait_ready();
    wait_for("the refusal", || {
        site.log().contains("not reloaded; the old configuration stays in force").then_some(())
    });
    // The old configuration, so that the command finds the daemon; the daemon itself does not read it again.
    site.configure(&journald, &rules());
    let added = site.pyruse(None, &["bans", "add", "192.0.2.1"]);
    assert!(!added.status.success(), "the old rules name no set");
    for _ in 0..2 {
        journald.line("sshd", 6, "x");
    }
    wait_for("the mail of the fifth", || (site.mails().len() == 2).then_some(()));
    assert!(pyruse.terminate().success());
}

/// The report was the only one that wanted to see every entry.
#[test]
fn a_reload_without_a_report_ends_watching_entries() {
    let (journald, site) = (Journald::start(), Site::new());
    let mut reporting = rules();
    reporting["z"] =
        json!([{"action": "action_dailyReport", "args": {"level": "OTHER", "message": "{MESSAGE}"}}]);
    site.configure(&journald, &reporting);
    let pyruse = site.start(None);
    journald.line("x", 6, "one");
    let entries = || {
        let shown = site.pyruse(None, &["report", "show", "--json"]);
        let report: serde_json::Value = serde_json::from_slice(&shown.stdout).unwrap_or_default();
        report["report"]["counts"]["entries"].clone()
    };
    wait_for("the entry", || (entries() == 1).then_some(()));
    site.configure(&journald, &rules());
    pyruse.signal("-HUP");
    pyruse.wait_ready();
    journald.line("x", 6, "two");
    journald.line("mail", 6, "both are read");
    wait_for("the mail", || site.mails().pop());
    assert_eq!(entries(), 1);
    assert!(pyruse.terminate().success());
}

#[test]
fn a_reload_sends_no_mail_twice() {
    let (journald, site) = (Journald::start(), Site::new());
    site.configure(&journald, &rules());
    let began = site.path("began");
    let go = site.path("go");
    let mails = site.path("mails");
    site.script(
        "sendmail",
        &format!(
            "echo >>{began}; while ! [ -e {go} ]; do sleep 0.05; done; t=$(mktemp {mails}/.XXXXXX) && cat >$t && mv $t $t.mail",
            began = began.display(),
            go = go.display(),
            mails = mails.display()
        ),
    );
    let pyruse = site.start(None);
    journald.line("mail", 6, "once");
    wait_for("the mail to be on its way", || began.exists().then_some(()));
    for _ in 0..5 {
        pyruse.signal("-HUP");
        pyruse.wait_ready();
    }
    journald.line("mail", 6, "last");
    std::fs::write(&go, "").unwrap();
    wait_for("both mails", || (site.mails().len() >= 2).then_some(()));
    assert!(pyruse.terminate().success());
    assert_eq!(site.mails().len(), 2);
    assert_eq!(std::fs::read_to_string(&began).unwrap().lines().count(), 2);
}

#[test]
fn a_reload_that_names_another_journal_is_logged_first() {
    let (journald, other, site) = (Journald::start(), Journald::start(), Site::new());
    site.configure(&journald, &rules());
    let pyruse = site.start(None);
    site.configure(&other, &rules());
    pyruse.signal("-HUP");
    pyruse.wait_ready();
    other.line("mail", 6, "heard");
    wait_for("the mail", || site.mails().pop());
    let log = site.log();
    let said = log.find("the configuration names another source as `journal` now").expect(&log);
    assert!(log.find("the journal no longer contains").is_none_or(|lost| lost > said), "{log}");
    assert!(pyruse.terminate().success());
}

#[test]
fn a_dry_run_warns_if_no_entry_can_be_read() {
    let site = Site::new();
    std::fs::create_dir(site.path("empty")).unwrap();
    site.configure_for("", &rules(), &json!({"journal": {"directory": site.path("empty")}}));
    let pyruse = site.launch(None, &["run", "--dry-run"]);
    let words = "no entries were found there, or you may not read them (root and the group systemd-journal may read a journal)";
    wait_for("the warning", || site.log().contains(words).then_some(()));
    wait_for("the start", || site.log().contains("in a dry run: effects are printed").then_some(()));
    assert!(pyruse.terminate().success());
}

#[test]
fn a_journal_whose_directory_comes_after_the_start_is_read() {
    let (namespace, site) = (common::unique("late"), Site::new());
    site.configure_for(&namespace, &rules(), &json!({}));
    let pyruse = site.start(None);
    assert!(site.log().contains("the configured source `journal` does not exist yet"), "{}", site.log());
    let journald = Journald::start_in(namespace);
    journald.line("mail", 6, "heard");
    wait_for("the mail", || site.mails().pop());
    assert!(pyruse.terminate().success());
}
