//! Deliveries to firewalls and mail programs that are late, broken or missing: bans and mails arrive nevertheless, and none
//! delays another.

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::time::{Duration, SystemTime};

use common::{BanBackend, Firewall, Journald, Running, Site, both_ways, failed_login, ssh_rules, wait_for};
use serde_json::{Value, json};

const SET: &str = "ip Inet4 ssh_ban";

fn parts() -> (Journald, Firewall, Site) {
    parts_by(BanBackend::Nft)
}

fn parts_by(way: BanBackend) -> (Journald, Firewall, Site) {
    (Journald::start(), Firewall::with_sets(&["ssh_ban"]), Site::new().by(way))
}

/// Each line `WORD ADDRESS` bans at once: one chain a word, which is also the set's name.
fn ban_rules(words: &[(&str, Option<u64>)]) -> Value {
    let mut chains = serde_json::Map::new();
    for (word, seconds) in words {
        let mut args = json!({
            "IP": "thatIP", "nftSetIPv4": format!("ip Inet4 {word}"), "nftSetIPv6": format!("ip6 Inet6 {word}")});
        if let Some(seconds) = seconds {
            args["banSeconds"] = json!(seconds);
        }
        let expression = format!("(?s)^{word} (.*)\\Z");
        chains.insert(
            (*word).to_owned(),
            json!([
                {"filter": "filter_pcre", "args": {"field": "MESSAGE", "re": expression, "save": ["thatIP"]}},
                {"action": "action_nftBan", "args": args},
            ]),
        );
    }
    Value::Object(chains)
}

fn ban(journald: &Journald, word: &str, address: &str) {
    journald.line("test", 6, &format!("{word} {address}"));
}

/// A program in place of nft that records its calls with their arguments, and then runs nft.
fn recording_nft(site: &Site) -> Value {
    let record = site.path("nft.record").display().to_string();
    let path = site.script("nft", &format!("printf '%s %s\\n' \"$#\" \"$*\" >> {record}\nexec nft \"$@\""));
    json!({"nftBan": {"nft": [path]}})
}

/// The calls: the number of arguments, and the arguments.
fn calls(site: &Site) -> Vec<String> {
    let record = fs::read_to_string(site.path("nft.record")).unwrap_or_default();
    record.lines().map(str::to_owned).collect()
}

fn three_failed_logins(journald: &Journald, address: &str) {
    for _ in 0..3 {
        failed_login(journald, address);
    }
}

fn wait_banned(firewall: &Firewall, set: &str, addresses: &[&str]) {
    let expected: BTreeSet<String> = addresses.iter().map(|address| (*address).to_owned()).collect();
    wait_for(&format!("{addresses:?} in {set}"), || {
        firewall.addresses(set).into_iter().collect::<BTreeSet<_>>().is_superset(&expected).then_some(())
    });
}

fn wait_log(site: &Site, text: &str) {
    wait_for(&format!("`{text}` in the log"), || site.log().contains(text).then_some(()));
}

/// Where the mail program of a test keeps its input, one file per call.
fn record_mail(site: &Site) -> String {
    let tries = site.path("tries");
    fs::create_dir_all(&tries).unwrap();
    format!("m=$(mktemp {0}/.XXXXXXXX) && cat > $m && mv $m $m.mail", tries.display())
}

fn deliver_mail(site: &Site) -> String {
    format!("m=$(mktemp {0}/.XXXXXXXX) && cat > $m && mv $m $m.mail", site.path("mails").display())
}

fn tries(site: &Site) -> Vec<String> {
    let files = fs::read_dir(site.path("tries")).unwrap().map(|entry| entry.unwrap().path());
    files.filter(|path| path.extension().is_some()).map(|path| fs::read_to_string(path).unwrap()).collect()
}

fn message_id(mail: &str) -> String {
    mail.lines().find(|line| line.starts_with("Message-ID: ")).expect("a Message-ID").to_owned()
}

fn body(mail: &str) -> String {
    mail.split_once("\n\n").expect("a body").1.trim().to_owned()
}

/// Every mail arrived once, and was the same mail at each try.
fn assert_each_once(site: &Site, addresses: &[&str]) {
    let arrived: BTreeMap<String, String> =
        site.mails().iter().map(|mail| (body(mail), message_id(mail))).collect();
    let expected: BTreeSet<String> =
        addresses.iter().map(|address| format!("banned {address} after 3")).collect();
    assert_eq!(arrived.keys().cloned().collect::<BTreeSet<_>>(), expected, "{}", site.log());
    assert_eq!(site.mails().len(), addresses.len(), "each once: {:?}", site.mails());
    let identities: BTreeSet<&String> = arrived.values().collect();
    assert_eq!(identities.len(), addresses.len(), "{arrived:?}");
    for mail in tries(site) {
        assert_eq!(arrived.get(&body(&mail)), Some(&message_id(&mail)));
    }
}

fn stop(pyruse: Running, site: &Site) {
    assert!(pyruse.terminate().success(), "{}", site.log());
}

fn mail_settings(site: &Site, program: &str, timeout_seconds: u64) -> Value {
    json!({"email": {
        "from": "pyruse@example.org",
        "to": ["hostmaster@example.org"],
        "sendmail": [site.path(program), "-t"],
        "timeoutSeconds": timeout_seconds,
    }})
}

#[test]
fn a_mail_program_that_hangs_delays_no_ban() {
    let (journald, firewall, site) = parts();
    fs::create_dir(site.path("tries")).unwrap();
    fs::write(site.path("hang"), "").unwrap();
    let (hang, begun) = (site.path("hang"), site.path("begun"));
    let wait = format!("echo >> {}; while [ -e {} ]; do sleep 0.05; done", begun.display(), hang.display());
    site.script("sendmail", &format!("{wait}; {}", deliver_mail(&site)));
    site.configure_with(&journald, &ssh_rules(600), &mail_settings(&site, "sendmail", 600));
    let pyruse = site.start(Some(&firewall));

    three_failed_logins(&journald, "192.0.2.1");
    wait_for("the mail program", || begun.exists().then_some(()));
    three_failed_logins(&journald, "192.0.2.2");
    wait_banned(&firewall, SET, &["192.0.2.1", "192.0.2.2"]);
    assert_eq!(site.mails().len(), 0, "it hangs still");

    fs::remove_file(hang).unwrap();
    wait_for("both mails", || (site.mails().len() == 2).then_some(()));
    stop(pyruse, &site);
    assert_each_once(&site, &["192.0.2.1", "192.0.2.2"]);
    assert_eq!(fs::read_to_string(begun).unwrap().lines().count(), 2, "no mail was tried again");
}

#[test]
fn a_mail_program_that_hangs_is_ended_in_time_and_its_mail_tried_again() {
    let (journald, firewall, site) = parts();
    let record = record_mail(&site);
    site.script("sendmail", &format!("{record}; echo waiting for the relay >&2; exec sleep 1000"));
    site.configure_with(&journald, &ssh_rules(600), &mail_settings(&site, "sendmail", 1));
    let pyruse = site.start(Some(&firewall));

    three_failed_logins(&journald, "192.0.2.1");
    let program = site.path("sendmail");
    wait_log(&site, &format!("{}: not finished after 1 s, killed: waiting for the relay", program.display()));
    site.script("sendmail", &deliver_mail(&site));
    wait_for("the mail", || (site.mails().len() == 1).then_some(()));
    stop(pyruse, &site);
    wait_banned(&firewall, SET, &["192.0.2.1"]);
    assert!(!tries(&site).is_empty());
    assert_each_once(&site, &["192.0.2.1"]);
}

#[test]
fn mails_that_a_failing_program_refused_arrive_once_each_when_it_works_again_also_after_a_restart() {
    let (journald, firewall, site) = parts();
    let addresses = ["192.0.2.1", "192.0.2.2", "192.0.2.3"];
    let record = record_mail(&site);
    site.script("sendmail", &format!("{record}; echo 4.3.2 the queue is full >&2; exit 75"));
    site.configure(&journald, &ssh_rules(600));
    let pyruse = site.start(Some(&firewall));

    for address in addresses {
        three_failed_logins(&journald, address);
    }
    wait_banned(&firewall, SET, &addresses);
    wait_for("a second try", || (tries(&site).len() > 3).then_some(()));
    wait_log(&site, &format!("{}: exit status 75: 4.3.2 the queue is full", site.path("sendmail").display()));
    stop(pyruse, &site);

    let before = tries(&site).len();
    let pyruse = site.start(Some(&firewall));
    wait_for("a try after the restart", || (tries(&site).len() > before).then_some(()));
    assert_eq!(site.mails().len(), 0);
    site.script("sendmail", &format!("{record}; cat $m.mail | ({})", deliver_mail(&site)));
    wait_for("all mails", || (site.mails().len() >= 3).then_some(()));
    stop(pyruse, &site);
    assert_each_once(&site, &addresses);
}

#[test]
fn a_command_that_delivers_ends_at_its_timeout_and_leaves_the_rest_queued() {
    let (journald, site) = (Journald::start(), Site::new());
    let rules = json!({"alerts": [
        {"filter": "filter_equals", "args": {"field": "SYSLOG_IDENTIFIER", "value": "alert"}},
        {"action": "action_email", "args": {"message": "{MESSAGE}"}},
    ]});
    site.configure_with(&journald, &rules, &mail_settings(&site, "sendmail", 60));
    site.script("sendmail", "exit 75");
    let pyruse = site.start(None);
    for n in 0..50 {
        journald.line("alert", 6, &format!("mail {n}"));
    }
    let waiting = || {
        let output = site.pyruse(None, &["outbox", "list", "--json"]);
        let list: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
        list["deliveries"].as_array().map_or(0, |list| {
            list.iter().filter(|mail| mail["error"].is_string() || mail["tries"] == 0).count()
        })
    };
    wait_for("fifty mails that wait", || (waiting() == 50).then_some(()));
    pyruse.kill();
    // A second for each: more than the ten that the command has.
    site.script("sendmail", "cat > /dev/null; sleep 1");
    assert!(site.pyruse(None, &["outbox", "retry", "email:0"]).status.success());
    let left = waiting();
    assert!((20..50).contains(&left), "{left}");
}

#[test]
fn a_command_that_delivers_ends_with_the_last_delivery_also_after_failures() {
    let (journald, site) = (Journald::start(), Site::new());
    let rules = json!({"all": [
        {"filter": "filter_equals", "args": {"field": "SYSLOG_IDENTIFIER", "value": "prog"}},
        {"action": "action_dailyReport", "args": {"level": "WARN", "message": "{MESSAGE}"}},
    ]});
    site.configure_with(&journald, &rules, &mail_settings(&site, "sendmail", 60));
    let pyruse = site.start(None);
    journald.line("prog", 4, "a line");
    wait_for("the line", || {
        let shown = site.pyruse(None, &["report", "show"]);
        String::from_utf8_lossy(&shown.stdout).contains("a line").then_some(())
    });
    stop(pyruse, &site);
    // The same failure twice: the second is only counted, and its number is for the log a minute later.
    let [tries, mails] = ["tries", "mails"].map(|name| site.path(name).display().to_string());
    site.script(
        "sendmail",
        &format!("echo x >> {tries}; [ $(wc -l < {tries}) -gt 2 ] || exit 75; cat > {mails}/report.mail"),
    );
    let start = std::time::Instant::now();
    assert!(site.pyruse(None, &["report", "send"]).status.success());
    assert_eq!(site.mails().len(), 1);
    assert!(start.elapsed().as_secs() < 45, "it has a patience of 60 s, and needs 3");
}

#[test]
fn a_missing_mail_program_delays_no_ban_and_its_mail_is_sent_when_it_exists() {
    let (journald, firewall, site) = parts();
    fs::create_dir(site.path("tries")).unwrap();
    site.configure_with(&journald, &ssh_rules(600), &mail_settings(&site, "postfix", 60));
    let pyruse = site.start(Some(&firewall));

    three_failed_logins(&journald, "192.0.2.1");
    wait_banned(&firewall, SET, &["192.0.2.1"]);
    wait_log(
        &site,
        &format!("{}: cannot be started: No such file or directory", site.path("postfix").display()),
    );
    site.script("postfix", &deliver_mail(&site));
    wait_for("the mail", || (site.mails().len() == 1).then_some(()));
    stop(pyruse, &site);
    assert_each_once(&site, &["192.0.2.1"]);
}

fn a_missing_set_delays_no_other_and_its_bans_arrive_when_it_exists(way: BanBackend) {
    let (journald, firewall, site) = parts_by(way);
    site.configure(&journald, &ban_rules(&[("ssh_ban", Some(600)), ("late_ban", Some(600))]));
    let pyruse = site.start(Some(&firewall));

    // The daemon is stopped, so that all are one batch.
    pyruse.signal("-STOP");
    let addresses: Vec<String> = (1..=40).map(|n| format!("192.0.2.{n}")).collect();
    for pair in addresses.chunks(2) {
        ban(&journald, "late_ban", &pair[0]);
        ban(&journald, "ssh_ban", &pair[1]);
    }
    journald.sync();
    pyruse.signal("-CONT");
    let of = |rest: usize| -> Vec<&str> {
        addresses
            .iter()
            .enumerate()
            .filter(|(n, _)| n % 2 == rest)
            .map(|(_, address)| address.as_str())
            .collect()
    };
    wait_banned(&firewall, SET, &of(1));
    wait_log(&site, "No such file or directory");
    let told_at = SystemTime::now();
    wait_for("a second to pass", || (told_at.elapsed().unwrap() > Duration::from_secs(1)).then_some(()));
    assert!(site.log().contains("ip Inet4 late_ban"), "the missing set is named: {}", site.log());

    firewall.add_sets(&["late_ban"]);
    wait_banned(&firewall, "ip Inet4 late_ban", &of(0));
    for (address, timeout) in firewall.elements("ip Inet4 late_ban") {
        assert!(timeout.is_some_and(|left| (500..600).contains(&left)), "{address}: {timeout:?}");
    }
    stop(pyruse, &site);
    assert_eq!(firewall.addresses(SET).len(), 20, "nothing else came in");
}

#[test]
fn a_set_that_is_missing_does_not_flood_the_log() {
    let (journald, firewall, site) = parts();
    let nft = recording_nft(&site);
    site.configure_with(&journald, &ban_rules(&[("late_ban", Some(600)), ("ssh_ban", Some(600))]), &nft);
    let pyruse = site.start(Some(&firewall));
    // Every ban is a batch of its own: each waits for the one before to have been tried.
    for n in 1..=100 {
        let address = format!("192.0.2.{n}");
        ban(&journald, "late_ban", &address);
        wait_for("the try", || calls(&site).iter().any(|call| call.contains(&address)).then_some(()));
    }
    ban(&journald, "ssh_ban", "198.51.100.1");
    wait_banned(&firewall, SET, &["198.51.100.1"]);
    stop(pyruse, &site);
    let logged = site.log().lines().filter(|line| line.contains("action_nftBan")).count();
    assert!((1..=12).contains(&logged), "{logged} lines: {}", site.log());
}

/// Empties the firewall as a reload of its rules does.
fn flush(firewall: &Firewall) {
    firewall.nft(&["flush ruleset"]);
    firewall.add_sets(&["ssh_ban", "for_ever"]);
}

fn a_flushed_firewall_gets_its_bans_back_with_the_time_that_is_left(way: BanBackend) {
    let (journald, site) = (Journald::start(), Site::new().by(way));
    let firewall = Firewall::with_sets(&["ssh_ban", "for_ever"]);
    site.configure(&journald, &ban_rules(&[("ssh_ban", Some(600)), ("for_ever", None)]));
    let mut pyruse = site.start(Some(&firewall));
    let v4: Vec<String> = (1..=50).map(|n| format!("192.0.2.{n}")).collect();
    for address in &v4 {
        ban(&journald, "ssh_ban", address);
    }
    ban(&journald, "ssh_ban", "2001:db8::1");
    ban(&journald, "for_ever", "203.0.113.1");
    let everything = |firewall: &Firewall| {
        [SET, "ip6 Inet6 ssh_ban", "ip Inet4 for_ever"].map(|set| firewall.elements(set))
    };
    let counts = |found: &[Vec<common::Element>; 3]| found.each_ref().map(Vec::len) == [50, 1, 1];
    let mut before = wait_for("the bans", || Some(everything(&firewall)).filter(counts));

    let check = |what: &str, before: &mut [Vec<common::Element>; 3]| {
        let after =
            wait_for(&format!("the bans after {what}"), || Some(everything(&firewall)).filter(counts));
        for ((address, timeout), (old_address, old_timeout)) in
            after.iter().flatten().zip(before.iter().flatten())
        {
            assert_eq!(address, old_address, "{what}");
            match (timeout, old_timeout) {
                (None, None) => {}
                (Some(left), Some(old)) => {
                    assert!(left <= old && *left > 500, "{what}: {address}: {left} of {old}");
                }
                other => panic!("{what}: {address}: {other:?}"),
            }
        }
        *before = after;
    };
    let boot = |what: &str| {
        let output = site.pyruse(Some(&firewall), &["boot", "action_nftBan"]);
        assert!(output.status.success(), "{what}: {}", String::from_utf8_lossy(&output.stderr));
    };

    stop(pyruse, &site);
    flush(&firewall);
    pyruse = site.start(Some(&firewall));
    check("a restart", &mut before);

    pyruse.kill();
    flush(&firewall);
    pyruse = site.start(Some(&firewall));
    check("a crash", &mut before);

    flush(&firewall);
    boot("boot beside the daemon");
    check("boot beside the daemon", &mut before);

    flush(&firewall);
    pyruse.signal("-HUP");
    pyruse.wait_ready();
    check("a reload", &mut before);

    let good = fs::read(site.path("pyruse.json")).unwrap();
    fs::write(site.path("pyruse.json"), "{").unwrap();
    flush(&firewall);
    pyruse.signal("-HUP");
    pyruse.wait_ready();
    check("a reload that was refused", &mut before);
    fs::write(site.path("pyruse.json"), good).unwrap();

    stop(pyruse, &site);
    flush(&firewall);
    boot("boot without the daemon");
    check("boot without the daemon", &mut before);
}

#[test]
fn an_expired_ban_is_not_put_back() {
    let (journald, site) = (Journald::start(), Site::new());
    let firewall = Firewall::with_sets(&["ssh_ban", "for_ever"]);
    let nft = recording_nft(&site);
    site.configure_with(&journald, &ban_rules(&[("ssh_ban", Some(1)), ("for_ever", None)]), &nft);
    let pyruse = site.start(Some(&firewall));
    ban(&journald, "ssh_ban", "192.0.2.1");
    ban(&journald, "for_ever", "192.0.2.2");
    wait_banned(&firewall, "ip Inet4 for_ever", &["192.0.2.2"]);
    // Our count begins with the entry, the kernel's a little later.
    wait_for("the end of the ban", || firewall.elements(SET).is_empty().then_some(()));
    let banned_at = SystemTime::now();
    wait_for("its end in the state", || {
        (banned_at.elapsed().unwrap() > Duration::from_secs(1)).then_some(())
    });

    let put_back = |what: &str| {
        wait_banned(&firewall, "ip Inet4 for_ever", &["192.0.2.2"]);
        let calls = calls(&site);
        assert_eq!(calls, ["1 add element ip Inet4 for_ever {192.0.2.2}"], "{what}");
        fs::remove_file(site.path("nft.record")).unwrap();
        flush(&firewall);
    };
    fs::remove_file(site.path("nft.record")).unwrap();
    flush(&firewall);
    pyruse.signal("-HUP");
    put_back("a reload");
    site.pyruse(Some(&firewall), &["boot", "action_nftBan"]);
    put_back("boot");
    stop(pyruse, &site);
    let pyruse = site.start(Some(&firewall));
    put_back("a restart");
    stop(pyruse, &site);
    assert_eq!(firewall.elements(SET), []);
}

/// For how long an address is still banned, in seconds.
fn left(firewall: &Firewall, set: &str, address: &str) -> Option<u64> {
    let listing = firewall.nft(&["-j", &format!("list set {set}")]);
    let listing: Value = serde_json::from_str(&listing).unwrap();
    let elements =
        listing["nftables"].as_array()?.iter().filter_map(|item| item["set"]["elem"].as_array()).flatten();
    let mut found = elements.filter(|element| element["elem"]["val"] == address);
    found.next()?["elem"]["expires"].as_u64()
}

#[test]
fn nft_gets_a_ban_in_one_argument_and_a_renewal_leaves_no_moment_without_the_ban() {
    let (journald, site) = (Journald::start(), Site::new());
    let firewall = Firewall::with_sets(&["ssh_ban", "for_ever"]);
    let nft = recording_nft(&site);
    site.configure_with(&journald, &ban_rules(&[("ssh_ban", Some(600)), ("for_ever", None)]), &nft);
    let pyruse = site.start(Some(&firewall));

    ban(&journald, "for_ever", "1.2.3.4");
    wait_banned(&firewall, "ip Inet4 for_ever", &["1.2.3.4"]);
    ban(&journald, "ssh_ban", "1.2.3.4");
    wait_banned(&firewall, SET, &["1.2.3.4"]);
    wait_for("a part of its time to pass", || left(&firewall, SET, "1.2.3.4").filter(|left| *left <= 597));

    let mut monitor = firewall
        .command("nft")
        .args(["monitor", "elements"])
        .stdout(fs::File::create(site.path("monitor")).unwrap())
        .spawn()
        .unwrap();
    let monitored = |text: &str| fs::read_to_string(site.path("monitor")).unwrap().contains(text);
    // It does not say when it listens: it is asked until it answers.
    wait_for("nft monitor", || {
        let _ = firewall.command("nft").args(["add element ip Inet4 for_ever {5.6.7.8}"]).output();
        let _ = firewall.command("nft").args(["delete element ip Inet4 for_ever {5.6.7.8}"]).output();
        monitored("5.6.7.8").then_some(())
    });
    ban(&journald, "ssh_ban", "1.2.3.4");
    wait_for("the full time again", || {
        let left = left(&firewall, SET, "1.2.3.4");
        assert!(left.is_some(), "there is a moment without a ban");
        left.filter(|left| *left > 597)
    });
    wait_for("the monitor", || monitored("ssh_ban").then_some(()));
    let _ = monitor.kill();
    let _ = monitor.wait();
    stop(pyruse, &site);

    let calls: Vec<String> = calls(&site);
    assert_eq!(calls.len(), 3, "{calls:?}");
    assert_eq!(calls[0], "1 add element ip Inet4 for_ever {1.2.3.4}");
    let whole = |text: &str| {
        // A slow machine may take seconds until nft runs.
        (590..=600).map(|seconds| text.replace("600", &seconds.to_string())).collect::<Vec<_>>()
    };
    let first = "1 add element ip Inet4 ssh_ban {1.2.3.4 timeout 600s}";
    assert!(whole(first).contains(&calls[1]), "{calls:?}");
    let renewal = "1 add element ip Inet4 ssh_ban {1.2.3.4}; delete element ip Inet4 ssh_ban {1.2.3.4}; \
                   add element ip Inet4 ssh_ban {1.2.3.4 timeout 600s}";
    assert!(whole(renewal).contains(&calls[2]), "{calls:?}");
}

fn a_threshold_that_bans_again_renews(way: BanBackend) {
    let (journald, firewall, site) = parts_by(way);
    let mut rules = ssh_rules(600);
    // From the third time on, every time.
    rules["ssh"][3] = json!({"filter": "filter_greaterOrEquals", "args": {"field": "tries", "value": 3}});
    site.configure(&journald, &rules);
    let pyruse = site.start(Some(&firewall));
    three_failed_logins(&journald, "192.0.2.1");
    wait_for("a part of the ban to pass", || left(&firewall, SET, "192.0.2.1").filter(|left| *left <= 597));
    failed_login(&journald, "192.0.2.1");
    wait_for("the full time again", || left(&firewall, SET, "192.0.2.1").filter(|left| *left > 597));
    stop(pyruse, &site);
    assert_eq!(firewall.elements(SET).len(), 1);
}

#[test]
fn an_old_entry_bans_for_the_remaining_time_and_not_at_all_if_there_is_none() {
    let (journald, site) = (Journald::start(), Site::new());
    let firewall = Firewall::with_sets(&["ssh_ban", "short_ban"]);
    let nft = recording_nft(&site);
    site.configure_with(&journald, &ban_rules(&[("ssh_ban", Some(600)), ("short_ban", Some(2))]), &nft);
    ban(&journald, "short_ban", "192.0.2.1");
    ban(&journald, "ssh_ban", "192.0.2.2");
    let written = SystemTime::now();
    journald.sync();
    wait_for("the entries to be old", || (written.elapsed().unwrap() > Duration::from_secs(3)).then_some(()));

    let pyruse = site.launch(Some(&firewall), &["run", "--since", "@0"]);
    pyruse.wait_ready();
    wait_banned(&firewall, SET, &["192.0.2.2"]);
    stop(pyruse, &site);
    let timeout = firewall.elements(SET)[0].1.unwrap();
    assert!((500..=597).contains(&timeout), "{timeout}");
    let calls = calls(&site);
    assert_eq!(calls, [format!("1 add element ip Inet4 ssh_ban {{192.0.2.2 timeout {timeout}s}}")]);
}

#[test]
fn text_that_is_not_an_address_never_reaches_nft() {
    let (journald, firewall, site) = parts();
    let nft = recording_nft(&site);
    site.configure_with(&journald, &ban_rules(&[("ssh_ban", Some(600))]), &nft);
    let pyruse = site.start(Some(&firewall));
    let before = firewall.nft(&["list", "ruleset"]);

    let bad = [
        "1.2.3.4}; flush ruleset; add element x {",
        "1.2.3.4/0",
        "$(reboot)",
        "1.2.3.4\nadd",
        "1.2.3.4 ",
        "::/0",
        "",
    ];
    for text in bad.iter().cycle().take(100) {
        ban(&journald, "ssh_ban", text);
    }
    // This one is an address; and when it arrives, those before it have been seen.
    ban(&journald, "ssh_ban", "::ffff:10.0.0.1");
    wait_banned(&firewall, SET, &["10.0.0.1"]);
    stop(pyruse, &site);

    let calls = calls(&site);
    assert_eq!(calls.len(), 1, "{calls:?}");
    assert!(calls[0].starts_with("1 add element ip Inet4 ssh_ban {10.0.0.1 timeout "), "{calls:?}");
    firewall.nft(&["delete element ip Inet4 ssh_ban {10.0.0.1}"]);
    assert_eq!(firewall.nft(&["list", "ruleset"]), before);

    let log = site.log();
    let logged: Vec<&str> = log.lines().filter(|line| line.contains("chain `ssh_ban`, step 1")).collect();
    assert_eq!(logged.len(), 6, "five, and how many more there were: {log}");
    assert!(logged[0].contains("`1.2.3.4}; flush ruleset; add element x {` is not an IP address"), "{log}");
    assert!(logged[3].contains(r"`1.2.3.4\nadd` is not an IP address"), "one line each: {log}");
    assert!(logged[5].contains("95 more such errors"), "{log}");
}

#[test]
fn two_thousand_addresses_at_once_are_banned_by_few_processes() {
    let (journald, firewall, site) = parts();
    let nft = recording_nft(&site);
    site.configure_with(&journald, &ban_rules(&[("ssh_ban", Some(600))]), &nft);
    let pyruse = site.start(Some(&firewall));
    // The daemon is stopped, so that it finds all of them at once.
    pyruse.signal("-STOP");
    let addresses: Vec<String> = (0..2000).map(|n| format!("10.9.{}.{}", n / 250, n % 250)).collect();
    for address in &addresses {
        ban(&journald, "ssh_ban", address);
    }
    journald.sync();
    pyruse.signal("-CONT");
    wait_for("all bans", || (firewall.elements(SET).len() == 2000).then_some(()));
    stop(pyruse, &site);
    let calls = calls(&site);
    assert!(calls.len() <= 20, "{} processes", calls.len());
    assert!(calls.iter().all(|call| call.starts_with("1 add element ")));
    let mut sorted = addresses;
    sorted.sort();
    assert_eq!(firewall.addresses(SET), sorted);
}

both_ways! {
    a_missing_set_delays_no_other_and_its_bans_arrive_when_it_exists,
    a_flushed_firewall_gets_its_bans_back_with_the_time_that_is_left,
    a_threshold_that_bans_again_renews,
}
