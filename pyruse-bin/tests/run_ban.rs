//! `action_runBan` with the real daemon and real programs: bans that end, are lifted, made again, survive kills; and
//! programs that hang, fork, flood, vanish or never work.

mod common;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use common::{Journald, Running, Site, wait_for};
use serde_json::{Value, json};

/// A firewall that is a list of addresses in a file. It writes down how it was called, and refuses to ban twice, and to
/// lift what is not banned.
const LIST: &str = r#"cd "$(dirname "$0")"
echo "$*" >> calls
case $1 in
check) test -e banned || exit 1; exec grep -qxF -- "$2" banned;;
ban) if grep -qxF -- "$2" banned 2>/dev/null; then echo twice >&2; exit 9; fi; echo "$2" >> banned;;
unban) grep -qxF -- "$2" banned || { echo "not banned" >&2; exit 9; }
    grep -vxF -- "$2" banned > .banned; mv .banned banned;;
esac"#;

struct Parts {
    journald: Journald,
    site: Site,
    program: PathBuf,
}

impl Parts {
    fn new() -> Parts {
        let site = Site::new();
        let program = site.script("list", LIST);
        Parts { journald: Journald::start(), site, program }
    }

    /// A set with this program.
    fn set(&self) -> Value {
        let argv = |what: &str| json!([self.program, what, "{ip}"]);
        json!({"ban": argv("ban"), "unban": argv("unban"), "check": argv("check"), "timeoutSeconds": 2})
    }

    fn configure(&self, sets: &Value) {
        self.site.configure_with(&self.journald, &rules(), &json!({"runBan": {"sets": sets}}));
    }

    fn start(&self) -> Running {
        self.configure(&json!({"list": self.set()}));
        self.site.start(None)
    }

    /// Each line `SET SECONDS ADDRESS` bans at once.
    fn line(&self, text: &str) {
        self.journald.line("test", 6, text);
    }

    fn lines(&self, file: &str) -> Vec<String> {
        let text = fs::read_to_string(self.site.path(file)).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    fn wait_banned(&self, wanted: &[&str]) {
        wait_for(&format!("{wanted:?}; {:?}; {}", self.lines("calls"), self.site.log()), || {
            let mut banned = self.lines("banned");
            banned.sort();
            (banned == wanted).then_some(())
        });
    }

    fn wait_log(&self, text: &str) {
        wait_for(&format!("`{text}` in the log: {}", self.site.log()), || {
            self.site.log().contains(text).then_some(())
        });
    }

    fn pyruse(&self, args: &[&str]) -> String {
        let output = self.site.pyruse(None, args);
        String::from_utf8([output.stdout, output.stderr].concat()).unwrap()
    }

    fn stop(&self, pyruse: Running) {
        assert!(pyruse.terminate().success(), "{}", self.site.log());
    }

    /// Waits until nothing is to be done.
    fn wait_idle(&self) {
        wait_for("the last delivery", || {
            self.pyruse(&["outbox", "list"]).contains("nothing is pending").then_some(())
        });
    }
}

/// A chain that bans in the set of its name.
fn chain(set: &str) -> Value {
    let re = format!("^{set} (?P<seconds>\\d+) (?P<ip>\\S+)$");
    json!([
        {"filter": "filter_pcre", "args": {"field": "MESSAGE", "re": re}},
        {"action": "action_runBan", "args": {"IP": "ip", "banSeconds": {"field": "seconds"}, "set": set}},
    ])
}

fn rules() -> Value {
    json!({"list": chain("list")})
}

#[test]
fn a_ban_is_lifted_when_it_ends_and_the_program_gets_its_arguments_only() {
    let parts = Parts::new();
    let pyruse = parts.start();
    parts.line("list 2 192.0.2.1");
    wait_for("the end", || (parts.lines("calls").len() == 4).then_some(()));
    assert_eq!(
        parts.lines("calls"),
        ["check 192.0.2.1", "ban 192.0.2.1", "check 192.0.2.1", "unban 192.0.2.1"]
    );
    parts.line("list 60 2001:DB8::1");
    parts.line("list 60 --help");
    parts.line("list 60 ::ffff:192.0.2.2");
    parts.wait_banned(&["192.0.2.2", "2001:db8::1"]);
    parts.wait_log("`--help` is not an IP address");
    parts.stop(pyruse);
    assert!(parts.lines("calls").iter().all(|call| !call.contains("help")), "{:?}", parts.lines("calls"));
}

#[test]
fn what_arguments_can_contain() {
    let parts = Parts::new();
    let own = json!([parts.program, "unban", "{ip}", "{family}", "{set}"]);
    let ban = json!([parts.program, "ban", "{ip}", "{family}", "{seconds}", "{set}", "{{x}}", "a b;$(id)"]);
    parts.configure(&json!({"list": {"ban": ban, "unban": own, "check": [parts.program, "check", "{ip}"]}}));
    let pyruse = parts.site.start(None);
    parts.pyruse(&["bans", "add", "2001:db8::1"]);
    parts.wait_banned(&["2001:db8::1"]);
    parts.pyruse(&["bans", "add", "192.0.2.0/24", "--set", "list", "--for", "1h"]);
    parts.wait_banned(&["192.0.2.0/24", "2001:db8::1"]);
    parts.pyruse(&["bans", "remove", "192.0.2.0/24"]);
    parts.wait_banned(&["2001:db8::1"]);
    parts.stop(pyruse);
    let mut calls = parts.lines("calls");
    calls[1] = calls[1].replace("3599", "3600");
    assert_eq!(
        calls,
        [
            // A program that gets the time is not asked first.
            "ban 2001:db8::1 ipv6 0 list {x} a b;$(id)",
            "ban 192.0.2.0/24 ipv4 3600 list {x} a b;$(id)",
            "check 192.0.2.0/24",
            "unban 192.0.2.0/24 ipv4 list"
        ]
    );
}

#[test]
fn operators_list_make_and_lift_such_bans() {
    let parts = Parts::new();
    let pyruse = parts.start();
    parts.line("list 3600 192.0.2.1");
    parts.wait_banned(&["192.0.2.1"]);
    let added = parts.pyruse(&["bans", "add", "2001:db8::7"]);
    assert!(added.contains("2001:db8::7 is banned in list for ever"), "{added}");
    parts.wait_banned(&["192.0.2.1", "2001:db8::7"]);
    let listed = parts.pyruse(&["bans", "list"]);
    assert!(listed.contains("192.0.2.1    list") && listed.contains("2 bans"), "{listed}");
    let removed = parts.pyruse(&["bans", "remove", "--all", "--set", "list"]);
    assert!(removed.contains("the ban of 192.0.2.1 in list is lifted"), "{removed}");
    parts.wait_banned(&[]);
    let refused = parts.pyruse(&["bans", "add", "192.0.2.2", "--set", "lisst"]);
    assert!(refused.contains("did you mean `list`?"), "{refused}");
    parts.stop(pyruse);
    // Without a daemon, the command runs the programs.
    parts.pyruse(&["bans", "add", "192.0.2.3"]);
    assert_eq!(parts.lines("banned"), ["192.0.2.3"]);
    parts.pyruse(&["bans", "remove", "192.0.2.3"]);
    assert_eq!(parts.lines("banned"), [""; 0]);
}

#[test]
fn after_a_kill_what_has_ended_is_lifted_and_what_is_in_force_is_there() {
    let parts = Parts::new();
    let pyruse = parts.start();
    parts.line("list 3 192.0.2.1");
    parts.line("list 3600 192.0.2.2");
    parts.line("list 3600 192.0.2.3");
    parts.wait_banned(&["192.0.2.1", "192.0.2.2", "192.0.2.3"]);
    parts.wait_idle();
    let listed: Value = serde_json::from_str(&parts.pyruse(&["bans", "list", "--json"])).unwrap();
    let until = listed["bans"][0]["until"].as_str().unwrap().to_owned();
    pyruse.kill();
    // Somebody has removed one.
    fs::write(parts.site.path("banned"), "192.0.2.1\n192.0.2.2\n").unwrap();
    let date = || common::run(std::process::Command::new("date").args(["-u", "+%Y-%m-%dT%H:%M:%S"]));
    wait_for("the end of the first ban", || {
        (date().trim() > until[..19].replace(' ', "T").as_str()).then_some(())
    });
    let pyruse = parts.site.start(None);
    parts.wait_banned(&["192.0.2.2", "192.0.2.3"]);
    parts.wait_idle();
    parts.stop(pyruse);
    assert!(!parts.site.log().contains("failed"), "{}", parts.site.log());
    let unbanned = parts.lines("calls").iter().filter(|call| call.starts_with("unban")).count();
    assert_eq!(unbanned, 1, "{:?}", parts.lines("calls"));
}

#[test]
fn bans_and_lifts_in_quick_succession_end_with_what_came_last() {
    let parts = Parts::new();
    let slow = parts.site.script("slow", &format!("sleep 0.05; exec {} \"$@\"", parts.program.display()));
    let argv = |what: &str| json!([slow, what, "{ip}"]);
    parts.configure(&json!({"list": {"ban": argv("ban"), "unban": argv("unban"), "check": argv("check")}}));
    let pyruse = parts.site.start(None);
    for n in 0..10 {
        parts.line("list 3600 192.0.2.1");
        parts.line("list 3600 192.0.2.2");
        wait_for("the ban", || parts.pyruse(&["bans", "list"]).contains("192.0.2.1").then_some(()));
        let output = parts.site.pyruse(None, &["bans", "remove", "192.0.2.1"]);
        assert!(output.status.success(), "{n}: {}", String::from_utf8_lossy(&output.stderr));
    }
    parts.wait_idle();
    assert_eq!(parts.lines("banned"), ["192.0.2.2"], "{}", parts.site.log());
    parts.line("list 3600 192.0.2.1");
    parts.wait_banned(&["192.0.2.1", "192.0.2.2"]);
    parts.stop(pyruse);
    assert!(!parts.site.log().contains("failed"), "{}", parts.site.log());
}

#[test]
fn a_program_that_hangs_forks_or_floods_delays_no_other_set() {
    let parts = Parts::new();
    let bad = parts.site.script(
        "bad",
        "case $2 in
192.0.2.1) sleep 1000 & echo $! >> \"$(dirname \"$0\")/children\"; exec sleep 1000;;
192.0.2.2) yes | head -c 20000000 >&2; exit 3;;
esac",
    );
    let argv = |what: &str| json!([bad, what, "{ip}"]);
    let sets = json!({"list": parts.set(),
        "bad": {"ban": argv("ban"), "unban": argv("unban"), "timeoutSeconds": 1}});
    let rules = json!({"bad": chain("bad"), "list": chain("list")});
    parts.site.configure_with(&parts.journald, &rules, &json!({"runBan": {"sets": sets}}));
    let pyruse = parts.site.start(None);
    for _ in 0..20 {
        parts.line("bad 3600 192.0.2.1");
        parts.line("bad 3600 192.0.2.2");
        parts.line("bad 3600 192.0.2.3");
    }
    parts.line("list 3600 192.0.2.4");
    parts.wait_banned(&["192.0.2.4"]);
    parts.wait_log("set `bad`: ");
    parts.wait_log("not finished after 1 s, killed");
    parts.wait_log("exit status 3: y / y");
    let child = parts.lines("children").remove(0);
    wait_for("the child's end", || (!PathBuf::from(format!("/proc/{child}")).exists()).then_some(()));
    // While the set hangs again and again, the others are served.
    parts.line("list 3600 192.0.2.5");
    parts.wait_banned(&["192.0.2.4", "192.0.2.5"]);
    let waiting = parts.pyruse(&["bans", "list"]);
    assert!(waiting.contains("not finished after 1 s, killed"), "{waiting}");
    assert!(parts.site.log().len() < 40_000, "the output is cut");
    parts.stop(pyruse);
}

#[test]
fn a_program_that_vanishes_or_that_others_can_write_is_not_run_and_nothing_is_lost() {
    let parts = Parts::new();
    let pyruse = parts.start();
    parts.line("list 3600 192.0.2.1");
    parts.wait_banned(&["192.0.2.1"]);
    parts.wait_idle();
    let away = parts.site.path("away");
    fs::rename(&parts.program, &away).unwrap();
    parts.line("list 3600 192.0.2.2");
    parts.wait_log("list: cannot be started: No such file");
    fs::rename(&away, &parts.program).unwrap();
    let mode = |mode| fs::set_permissions(&parts.program, fs::Permissions::from_mode(mode)).unwrap();
    mode(0o757);
    parts.pyruse(&["bans", "remove", "192.0.2.1"]);
    parts.wait_log("can be written by others (mode 0757), who could run anything through it");
    assert_eq!(parts.lines("banned"), ["192.0.2.1"]);
    let listed = parts.pyruse(&["bans", "list"]);
    assert!(listed.lines().any(|line| line.contains("192.0.2.1") && line.contains("not lifted")), "{listed}");
    mode(0o755);
    pyruse.signal("-HUP");
    parts.wait_banned(&["192.0.2.2"]);
    parts.stop(pyruse);
}

#[test]
fn a_set_that_the_configuration_no_longer_has_keeps_its_bans_until_it_is_back() {
    let parts = Parts::new();
    let pyruse = parts.start();
    parts.line("list 3600 192.0.2.1");
    parts.wait_banned(&["192.0.2.1"]);
    parts.wait_idle();
    parts.site.configure(&parts.journald, &json!({"end": [{"action": "action_noop"}]}));
    pyruse.signal("-HUP");
    parts.wait_log("`runBan.sets` has no member `list` any more: put it back, or drop this order");
    // A step is not needed to lift.
    let sets = json!({"runBan": {"sets": {"list": parts.set()}}});
    parts.site.configure_with(&parts.journald, &json!({"end": [{"action": "action_noop"}]}), &sets);
    pyruse.signal("-HUP");
    parts.wait_idle();
    parts.pyruse(&["bans", "remove", "192.0.2.1"]);
    parts.wait_banned(&[]);
    parts.stop(pyruse);
}

#[test]
fn a_lift_that_fails_for_a_day_is_given_up_and_shown_until_it_is_done_by_hand() {
    let parts = Parts::new();
    let mut set = parts.set();
    let never = parts.site.script("never", "echo never >&2; exit 4");
    set["unban"] = json!([never, "{ip}"]);
    parts.configure(&json!({"list": set}));
    let pyruse = parts.site.start(None);
    parts.line("list 1 192.0.2.1");
    parts.wait_log("never: exit status 4: never");
    parts.stop(pyruse);
    // A day later.
    let state = rusqlite::Connection::open(parts.site.path("state/state.sqlite")).unwrap();
    let changed = state.execute(
        "UPDATE rows SET value = CAST(json_set(CAST(value AS TEXT), '$.tried', 86401) AS BLOB)
         WHERE part = (SELECT id FROM parts WHERE name = 'action_runBan/orders')",
        [],
    );
    assert_eq!(changed.unwrap(), 1);
    drop(state);
    let pyruse = parts.site.start(None);
    parts.wait_log("is given up: 192.0.2.1 is not lifted: set `list`: ");
    let listed = parts.pyruse(&["bans", "list"]);
    assert!(
        listed.contains("not lifted") && listed.contains("given up: 192.0.2.1 is not lifted"),
        "{listed}"
    );
    assert!(parts.pyruse(&["status"]).contains("1 given up"), "{}", parts.pyruse(&["status"]));
    parts.configure(&json!({"list": parts.set()}));
    pyruse.signal("-HUP");
    let removed = wait_for("the removal", || {
        let removed = parts.pyruse(&["bans", "remove", "192.0.2.1"]);
        parts.lines("banned").is_empty().then_some(removed)
    });
    assert!(removed.contains("192.0.2.1"), "{removed}");
    wait_for("the list", || parts.pyruse(&["bans", "list"]).contains("no bans").then_some(()));
    parts.stop(pyruse);
}

#[test]
fn mistakes_are_reported_where_they_are() {
    let site = Site::new();
    fs::write(site.path("plain"), "").unwrap();
    let open = site.script("open", "exit 0");
    fs::set_permissions(&open, fs::Permissions::from_mode(0o777)).unwrap();
    let check = |set: &Value, name: &str| {
        let config = json!({
            "actions": {"a": [
                {"filter": "filter_pcre", "args": {"field": "MESSAGE", "re": "^from (?P<ip>\\S+)$"}},
                {"action": "action_runBan", "args": {"IP": "ip", "set": name}},
            ]},
            "runBan": {"sets": {"list": set}},
        });
        fs::write(site.path("pyruse.json"), serde_json::to_string_pretty(&config).unwrap()).unwrap();
        let output = site.pyruse(None, &["check"]);
        String::from_utf8([output.stdout, output.stderr].concat()).unwrap()
    };
    let good = json!(["/bin/true", "{ip}"]);
    let with = |ban: Value| json!({"ban": ban, "unban": good});
    for (set, at, error) in [
        (with(json!([])), "[]", "the command is empty"),
        (with(json!(["true", "{ip}"])), "\"true\"", "`true` is not the absolute path of a program"),
        (with(json!(["/no/such", "{ip}"])), "\"/no/such\"", "warning: /no/such does not exist"),
        (with(json!([site.path("plain"), "{ip}"])), "plain", "is not executable"),
        (with(json!([open, "{ip}"])), "open", "can be written by others"),
        (with(json!(["/bin/true", "{ip"])), "{ip", "bad template"),
        (with(json!(["/bin/true", "{IP}"])), "{IP}", "`IP` is not known here"),
        (with(json!(["/bin/true", "x"])), "[", "no argument contains `{ip}`"),
        (
            json!({"ban": good, "unban": ["/bin/true", "{ip}", "{seconds}"]}),
            "{seconds}",
            "`seconds` is known in `ban` only",
        ),
        (
            json!({"ban": good, "unban": good, "timeoutSeconds": 0}),
            "0",
            "the time limit must not be 0 seconds",
        ),
        (json!({"ban": good}), "{", "missing field `unban`"),
    ] {
        let printed = check(&set, "list");
        assert!(printed.contains(error), "{error}: {printed}");
        let line = printed.lines().skip_while(|line| !line.contains(error)).find(|line| line.contains(at));
        assert!(line.is_some(), "{error}: {printed}");
    }
    let printed = check(&with(good.clone()), "lisst");
    assert!(printed.contains("`runBan.sets` has no member `lisst`; did you mean `list`?"), "{printed}");
    // The lints know that it bans.
    let printed = check(&with(good.clone()), "list");
    assert!(printed.contains("warning[P009]"), "there is no allow-list: {printed}");
    assert!(printed.contains("warning[P007]"), "anybody can write such an entry: {printed}");
    assert!(!printed.contains("P013"), "one set for both families is right here: {printed}");
}

#[test]
fn check_live_runs_the_question_only() {
    let parts = Parts::new();
    parts.configure(&json!({"list": parts.set()}));
    let live = || parts.pyruse(&["check", "--live"]);
    let printed = live();
    assert!(!printed.contains("runBan"), "{printed}");
    assert_eq!(parts.lines("calls"), ["check 192.0.2.1", "check 2001:db8::1"]);
    let mut set = parts.set();
    set["check"] = json!([parts.site.script("odd", "echo why >&2; exit 7"), "{ip}"]);
    set["ban"] = json!(["/no/such", "{ip}"]);
    parts.configure(&json!({"list": set}));
    let printed = live();
    assert!(printed.contains("error[P101]: /no/such does not exist on this machine"), "{printed}");
    set["ban"] = set["unban"].clone();
    parts.configure(&json!({"list": set}));
    let printed = live();
    assert!(
        printed.contains("it does not say whether 192.0.2.1 is banned: ")
            && printed.contains("exit status 7: why"),
        "{printed}"
    );
}
