//! Streams of NATS JetStream, with a real server: what one machine publishes, others read, each message once.

#![cfg(feature = "nats")]

mod common;

use common::nats_server::NatsServer;
use common::{BanBackend, Firewall, Journald, Site, wait_for};
use serde_json::{Value, json};

/// The connection `fleet` to the server.
fn fleet(server: &NatsServer) -> Value {
    json!({"fleet": {"servers": [server.url()]}})
}

/// The program in the namespace of a firewall, run from outside, where the server is.
fn nft(firewall: &Firewall) -> Value {
    json!({"nft": ["nsenter", format!("--net=/run/netns/{}", firewall.name), "nft"]})
}

#[test]
fn a_ban_reaches_other_machines_and_so_does_its_lift() {
    let server = NatsServer::start();
    server.stream("BAN", &["ban.>"]);
    let (journald, aggregator) = (Journald::start(), Site::new());
    aggregator.configure_with(
        &journald,
        &json!({"attack": [
            {"filter": "filter_pcre", "args": {"field": "MESSAGE", "re": "^attack from (.*)$", "save": ["thatIP"]}},
            {"action": "action_natsBan", "args": {"IP": "thatIP", "banSeconds": 600, "set": "fleet ban"}},
        ]}),
        &json!({"nats": fleet(&server)}),
    );
    let (host, firewall) = (Site::new().by(BanBackend::NetlinkOrNft), Firewall::with_sets(&["fleet"]));
    let ban = |lift: bool| {
        let mut args =
            json!({"IP": "BAN_IP", "nftSetIPv4": "ip Inet4 fleet", "nftSetIPv6": "ip6 Inet6 fleet"});
        if lift {
            args["lift"] = json!(true);
        } else {
            args["banSeconds"] = json!({"field": "BAN_SECONDS"});
        }
        json!({"action": "action_nftBan", "args": args})
    };
    let host_journald = Journald::start();
    host.configure_with(
        &host_journald,
        &json!({
            "bans": [
                {"filter": "filter_equals", "args": {"field": "BAN_ACTION", "value": "ban"}},
                ban(false),
            ],
            "lifts": [
                {"filter": "filter_equals", "args": {"field": "BAN_ACTION", "value": "lift"}},
                ban(true),
            ],
        }),
        &json!({
            "nats": fleet(&server),
            "nftBan": nft(&firewall),
            "sources": {"bans": {"source": "source_nats", "args": {
                "connection": "fleet", "stream": "BAN", "subjects": ["ban.>"], "oneWriter": true}}},
        }),
    );
    let (running, other) = (aggregator.start(None), host.start(None));
    journald.line("test", 6, "attack from 192.0.2.1");
    journald.line("test", 6, "attack from 2001:db8::1");
    wait_for("both bans", || {
        (firewall.addresses("ip Inet4 fleet") == ["192.0.2.1"]
            && firewall.addresses("ip6 Inet6 fleet") == ["2001:db8::1"])
        .then_some(())
    });
    let [(_, Some(timeout))] = &firewall.elements("ip Inet4 fleet")[..] else { panic!() };
    assert!((540..=600).contains(timeout), "{timeout}");
    let removed = aggregator.pyruse(None, &["bans", "remove", "192.0.2.1"]);
    assert!(removed.status.success(), "{}", String::from_utf8_lossy(&removed.stderr));
    wait_for("the lift", || firewall.addresses("ip Inet4 fleet").is_empty().then_some(()));
    assert_eq!(firewall.addresses("ip6 Inet6 fleet"), ["2001:db8::1"]);
    assert!(running.terminate().success(), "{}", aggregator.log());
    assert!(other.terminate().success(), "{}", host.log());
}

#[test]
fn attempts_are_counted_over_hosts_each_once_though_its_message_is_repeated() {
    let server = NatsServer::start();
    server.stream("FAIL", &["fail.>"]);
    let (journald, host) = (Journald::start(), Site::new());
    host.configure_with(
        &journald,
        &json!({"failure": [
            {"filter": "filter_pcre", "args": {"field": "MESSAGE", "re": "^failure of (\\S+) from (.*)$",
                "save": ["user", "thatIP"]}},
            {"action": "action_publish", "args": {
                "to": "fleet", "subject": "fail.web-1.{user}", "fields": ["thatIP", "user"]}},
        ]}),
        &json!({"nats": fleet(&server)}),
    );
    let (other, aggregator) = (Journald::start(), Site::new());
    aggregator.configure_with(
        &other,
        &json!({"failures": [
            {"filter": "filter_equals", "args": {"field": "_SOURCE", "value": "fails"}},
            {"action": "action_counterRaise", "args": {
                "counter": "hosts", "for": "thatIP", "distinct": "_SENDER", "keepSeconds": 3600, "save": "hosts"}},
            {"action": "action_email", "args": {"subject": "Failure",
                "message": "found {thatIP} {hosts} {_SENDER} {_SUBJECT} {user} {REMOTE__UID}"}},
        ]}),
        &json!({"nats": fleet(&server), "sources": {"fails": {"source": "source_nats", "args": {
            "connection": "fleet", "stream": "FAIL", "senderToken": 2}}}}),
    );
    let (sending, reading) = (host.start(None), aggregator.start(None));
    journald.line("test", 6, "failure of a.b from 192.0.2.1");
    let found = |count: usize| {
        wait_for(&format!("{count} mails: {} {}", aggregator.log(), host.log()), || {
            let mails = aggregator.mails();
            (mails.len() == count).then(|| {
                let line = |mail: &String| {
                    mail.lines().find_map(|line| line.strip_prefix("found ")).unwrap_or_default().to_owned()
                };
                let mut lines: Vec<String> = mails.iter().map(line).collect();
                lines.sort();
                lines
            })
        })
    };
    assert_eq!(found(1), ["192.0.2.1 1 web-1 fail.web-1.a%2Eb a.b None"]);
    // The server has forgotten the identities after a moment: only the reader can know a repeat.
    let payload = |user: &str| json!({"thatIP": "192.0.2.1", "user": user, "_UID": 0}).to_string();
    for (host, number) in [("web-2", 1), ("web-2", 1), ("web-2", 2), ("web-2", 1), ("web-3", 1), ("web-2", 2)]
    {
        std::thread::sleep(std::time::Duration::from_millis(150));
        let identity = format!("machine/state/{number}");
        server.publish_as(
            &format!("fail.{host}.x"),
            Some(&identity),
            payload(&number.to_string()).as_bytes(),
        );
    }
    let expected = [
        "192.0.2.1 1 web-1 fail.web-1.a%2Eb a.b None",
        "192.0.2.1 2 web-2 fail.web-2.x 1 0",
        "192.0.2.1 2 web-2 fail.web-2.x 2 0",
        "192.0.2.1 3 web-3 fail.web-3.x 1 0",
    ];
    assert_eq!(found(4), expected);
    assert!(sending.terminate().success(), "{}", host.log());
    assert!(reading.terminate().success(), "{}", aggregator.log());
}
