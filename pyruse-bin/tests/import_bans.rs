//! `pyruse import fail2ban-bans`: the bans of a real fail2ban get into the sets of the kernel, for the time that is left.

mod common;
#[path = "fail2ban/mod.rs"]
#[allow(dead_code, reason = "this uses a part of it")]
mod fail2ban;

use std::fs;
use std::process::Output;

use common::{Firewall, Journald, Site, wait_for};
use fail2ban::{Copy, Server};
use rusqlite::Connection;

const JAILS: &str = "
[DEFAULT]
backend = polling
bantime = 1h
[web-door]
enabled = true
filter =
failregex = ^refused <HOST>$
logpath = LOGS/door.log
action = nothing
         nftables-allports
[web_door]
enabled = true
filter =
failregex = ^refused <HOST>$
logpath = LOGS/door.log
action = nothing
         nftables-allports
[gone]
enabled = true
filter =
failregex = ^refused <HOST>$
logpath = LOGS/door.log
action = nothing
";

fn printed(output: &Output) -> String {
    String::from_utf8_lossy(&[output.stdout.as_slice(), &output.stderr].concat()).into_owned()
}

#[test]
fn a_thousand_bans_of_a_running_fail2ban_are_in_the_kernel_for_the_time_left() {
    let copy = Copy::with(JAILS);
    fs::write(copy.logs().join("door.log"), "").unwrap();
    let nothing = "[Definition]\nactionban = true <ip>\nactionunban = true <ip>\n";
    fs::write(copy.directory().join("action.d/nothing.conf"), nothing).unwrap();
    let out = copy.path("out");
    copy.import(&out, &[]);
    let database = copy.path("fail2ban.sqlite3");
    // Without nftables, which the namespace of fail2ban need not have.
    let jails = fs::read_to_string(copy.directory().join("jail.local")).unwrap();
    fs::write(copy.directory().join("jail.local"), jails.replace("         nftables-allports\n", ""))
        .unwrap();

    let server = Server::start(&copy, Some(&database));
    let addresses: Vec<String> = (0..1000).map(|n| format!("198.18.{}.{}", n / 250, n % 250 + 1)).collect();
    let addresses: Vec<&str> = addresses.iter().map(String::as_str).collect();
    server.ask(&[&["set", "web-door", "banip"], addresses.as_slice()].concat());
    server.ask(&["set", "web-door", "banip", "2001:db8::1"]);
    // Its sets are others.
    server.ask(&["set", "web_door", "banip", "192.0.2.77"]);
    server.ask(&["set", "gone", "banip", "192.0.2.1"]);
    let count = || -> Option<i64> {
        let connection = Connection::open(&database).ok()?;
        connection.query_row("SELECT count(*) FROM bips", (), |row| row.get(0)).ok()
    };
    wait_for("all bans in the database", || (count() == Some(1003)).then_some(()));

    let (journald, site, firewall) = (Journald::start(), Site::new(), Firewall::with_sets(&[]));
    firewall.nft(&["-f", out.join("fail2ban.nft").to_str().unwrap()]);
    let config = serde_json::json!({
        "include": out.join("fail2ban.json"),
        "storage": site.path("state"),
        "sources": {"journal": {"source": "source_journal", "args": {"namespace": journald.namespace}}},
    });
    fs::write(site.path("pyruse.json"), config.to_string()).unwrap();
    let text = database.to_str().unwrap();
    let listed = site.pyruse(Some(&firewall), &["import", "fail2ban-bans", text, "--dry-run"]);
    assert_eq!(printed(&listed).lines().count(), 1004, "{}", printed(&listed));

    let mut pyruse = Some(site.start(Some(&firewall)));
    for with_daemon in [true, false] {
        let output = site.pyruse(Some(&firewall), &["import", "fail2ban-bans", text]);
        let printed = printed(&output);
        assert!(
            printed.contains("1,003 bans in force: 1,002 added; 0 ended before, 0 of no address"),
            "{printed}"
        );
        assert!(printed.contains("gone: ") && printed.contains("(1 ban)"), "{printed}");
        assert_eq!(output.status.code(), Some(1));
        if with_daemon {
            let full =
                || Some(firewall.elements("inet pyruse_jails web_door4")).filter(|all| all.len() == 1000);
            let elements = wait_for(&format!("a thousand elements; {}", site.log()), full);
            let is_left =
                |(_, left): &(String, Option<u64>)| left.is_some_and(|left| (3000..=3600).contains(&left));
            assert!(elements.iter().all(is_left), "{:?}", elements.first());
            wait_for("the other jail", || {
                (firewall.addresses("inet pyruse_jails web_door_b64a58464") == ["192.0.2.77"]).then_some(())
            });
            wait_for("the IPv6 address", || {
                (firewall.addresses("inet pyruse_jails web_door6") == ["2001:db8::1"]).then_some(())
            });
        }
        // The second time, without a daemon: the same bans, which are in force already.
        if let Some(pyruse) = pyruse.take() {
            assert!(pyruse.terminate().success(), "{}", site.log());
        }
    }
}

#[test]
fn a_locked_database_is_an_error_and_nothing_is_added() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("db");
    let connection = Connection::open(&path).unwrap();
    connection
        .execute_batch(
            "CREATE TABLE fail2banDb(version INTEGER); INSERT INTO fail2banDb VALUES (4); BEGIN EXCLUSIVE;",
        )
        .unwrap();
    let (printed, code) = fail2ban::pyruse(&["import", "fail2ban-bans", path.to_str().unwrap(), "--dry-run"]);
    assert!(printed.contains("is locked by another program") && code == Some(1), "{printed}");
}
