//! A host of the fleet that was broken into: somebody has its key, and a client that keeps to no rule.

#![cfg(feature = "nats")]

mod common;

use std::process::Command;

use async_nats::jetstream::context::PublishErrorKind;
use async_nats::{Client, HeaderMap};
use common::fleet::{Fleet, Plan};
use common::{run, wait_for};
use serde_json::{Value, json};

/// Whose address the thief wants to be banned.
const VICTIM: &str = "198.51.100.1";

/// Who was banned, and is not any more.
const LIFTED: &str = "198.51.100.3";

const BANNED: &str = "198.51.100.2";

/// How many messages the thief publishes.
fn messages() -> usize {
    std::env::var("PYRUSE_HOSTILE_MESSAGES").map_or(20_000, |text| text.parse().unwrap())
}

/// What the thief's permissions allow, beside its own failures.
const REQUESTS: [&str; 3] =
    ["fleet.STREAM.INFO.BAN", "fleet.CONSUMER.CREATE.BAN.thief", "fleet.CONSUMER.MSG.NEXT.BAN.thief"];

/// Subjects that the thief must not reach, directly or through an answer.
const FORBIDDEN: [&str; 3] = ["ban.198%2E51%2E100%2E1", "fail.web-1.ssh", "fail.sender-1.ssh"];

fn failure(address: &str) -> String {
    json!({"thatIP": address}).to_string()
}

/// Publishes to each subject that only others may use.
async fn publish_as_others(client: &Client) {
    let ban = json!({"BAN_ACTION": "ban", "BAN_IP": VICTIM, "BAN_SECONDS": 0}).to_string();
    for subject in FORBIDDEN {
        client.publish(subject, ban.clone().into()).await.unwrap();
        client.publish(subject, failure(VICTIM).into()).await.unwrap();
    }
    for api in ["$JS.API", "fleet"] {
        for request in [
            "STREAM.DELETE.FAIL",
            "STREAM.DELETE.BAN",
            "STREAM.PURGE.BAN",
            "STREAM.UPDATE.BAN",
            "STREAM.CREATE.MINE",
            "STREAM.MSG.GET.FAIL",
            "CONSUMER.CREATE.FAIL",
            "CONSUMER.DELETE.BAN.x",
            "STREAM.INFO.FAIL",
        ] {
            client
                .publish_with_reply(format!("{api}.{request}"), "inbox.thief.x", "{}".into())
                .await
                .unwrap();
        }
    }
    client.flush().await.unwrap();
}

/// Has the broker's answers, and copies of the bans, sent to those subjects.
async fn send_answers_elsewhere(client: &Client) {
    let consumer = |name: &str, to: Option<&str>| {
        let mut config = json!({"ack_policy": "none", "deliver_policy": "all", "mem_storage": true, "name": name,
            "inactive_threshold": 60_000_000_000_u64});
        if let Some(to) = to {
            config["deliver_subject"] = json!(to);
        }
        json!({"stream_name": "BAN", "config": config}).to_string()
    };
    client.request(REQUESTS[1], consumer("thief", None).into()).await.unwrap();
    for (n, to) in FORBIDDEN.into_iter().enumerate() {
        // It is up to the broker whether it creates this one.
        let name = format!("push{n}");
        let request = format!("fleet.CONSUMER.CREATE.BAN.{name}");
        client.request(request, consumer(&name, Some(to)).into()).await.unwrap();
        for request in REQUESTS {
            client.publish_with_reply(request, to, "".into()).await.unwrap();
            client.publish_with_reply(request, to, consumer("thief", None).into()).await.unwrap();
        }
    }
    client.flush().await.unwrap();
}

/// Publishes what it may, but too much of it, and with identities of others.
async fn flood(client: &Client, identity_of_web_1: String) {
    let mut headers = HeaderMap::new();
    headers.insert("Nats-Msg-Id", identity_of_web_1.as_str());
    client.publish_with_headers("fail.thief.ssh", headers, failure(VICTIM).into()).await.unwrap();
    for n in 0..messages() {
        let address = if n % 2 == 0 { VICTIM.to_owned() } else { format!("2001:db8::{n:x}") };
        client.publish("fail.thief.ssh", failure(&address).into()).await.unwrap();
        if n % 1000 == 0 {
            client.flush().await.unwrap();
        }
    }
    let payloads = [
        "",
        "\0",
        "[]",
        "{",
        "{\"thatIP\": \"0.0.0.0/0\"}",
        "{\"thatIP\": [\"127.0.0.1\", \"::\"]}",
        "{\"_SENDER\": \"web-1\", \"thatIP\": \"198.51.100.1\"}",
        "{\"thatIP\": {\"a\": 1}}",
    ];
    for payload in payloads {
        client.publish("fail.thief.ssh", payload.into()).await.unwrap();
    }
    client.flush().await.unwrap();
    // Longer than the stream stores.
    let context = async_nats::jetstream::new(client.clone());
    let refused = loop {
        let sent = context.publish("fail.thief.ssh", vec![b'x'; 100_000].into()).await.unwrap();
        match sent.await {
            // It takes a while if there is much to store.
            Err(e) if e.kind() == PublishErrorKind::TimedOut => {}
            answer => break answer.unwrap_err().to_string(),
        }
    };
    assert!(refused.contains("message size exceeds maximum"), "{refused}");
}

/// A message of 10 MiB, by a client that does not ask how long a message may be.
fn publish_10_mib(fleet: &Fleet) -> String {
    let script = "
import asyncio, nats, ssl, sys
async def main():
    said = []
    async def note(error): said.append(str(error))
    tls = ssl.create_default_context(cafile='keys/ca.pem')
    client = await nats.connect(sys.argv[1], tls=tls, nkeys_seed='keys/thief.nk', inbox_prefix='inbox.thief',
        error_cb=note, allow_reconnect=False)
    client._max_payload = 1 << 30
    try:
        await client.publish('fail.thief.ssh', b'x' * (10 << 20))
        await client.flush(5)
    except Exception as error:
        said.append(repr(error))
    print(said, client.is_connected)
asyncio.run(main())
";
    let mut command = Command::new("nsenter");
    command.arg(fleet.namespace()).arg(common::nats_server::python()).args(["-c", script, &fleet.urls()[0]]);
    run(command.current_dir(fleet.directory()))
}

#[test]
fn a_stolen_key_bans_nobody_and_speaks_for_nobody_else() {
    let names = ["sender-1", "sender-2", "sender-3", "thief"].map(str::to_owned);
    let plan = Plan { servers: 1, hosts: 2, senders: &names, aggregator: &[], host: &[] };
    let mut fleet = Fleet::new(&plan);
    fleet.start();
    let fail_everywhere = |fleet: &Fleet, address: &str| {
        fleet.hosts.iter().for_each(|host| host.failed_login(address));
        for sender in ["sender-1", "sender-1", "sender-2"] {
            fleet.fail(sender, address);
        }
    };
    fail_everywhere(&fleet, LIFTED);
    fail_everywhere(&fleet, BANNED);
    fleet.wait_banned(&[BANNED.to_owned(), LIFTED.to_owned()]);
    let lift = fleet.aggregator.site.pyruse(Some(&fleet.aggregator.firewall), &["bans", "remove", LIFTED]);
    assert!(lift.status.success());
    fleet.wait_banned(&[BANNED.to_owned()]);
    let bans = || fleet.messages("BAN");
    let before = bans();
    let identity =
        fleet.messages("FAIL").into_iter().find(|(subject, ..)| subject == "fail.web-1.ssh").unwrap().1;

    fleet.with("thief", async |client| {
        publish_as_others(&client).await;
        send_answers_elsewhere(&client).await;
        flood(&client, identity).await;
    });
    let said = publish_10_mib(&fleet);
    // It is not connected any more.
    assert!(said.trim_end().ends_with("False"), "{said}");
    let log = std::fs::read_to_string(fleet.directory().join("nats-0.log")).unwrap();
    assert!(log.contains("Maximum Payload Violation") || log.contains("maximum payload exceeded"), "{log}");

    // What comes after all this is read after it. What others say counts as before.
    for sender in ["sender-1", "sender-1", "sender-2", "sender-2", "sender-3"] {
        fleet.fail(sender, "198.51.100.4");
    }
    wait_for(&format!("the ban of 198.51.100.4: {}", fleet.aggregator.site.log()), || {
        fleet.aggregator.json(&["bans", "list"]).to_string().contains("198.51.100.4").then_some(())
    });
    fleet.wait_banned(&[BANNED.to_owned(), "198.51.100.4".to_owned()]);
    let mut after = bans();
    let last = after.pop().unwrap();
    assert_eq!(last.0, "ban.198%2E51%2E100%2E4");
    assert_eq!(before, after);
    // The last of the five is stored with all that come before it.
    let counted = wait_for("the last failure", || {
        Some(fleet.aggregator.report()).filter(|lines| lines.contains_key("sender-3: failed logins by ssh"))
    });
    let banned: Vec<&String> = counted.keys().filter(|line| line.contains("is banned")).collect();
    assert_eq!(
        banned,
        [BANNED, LIFTED, "198.51.100.4"].map(|a| format!("all hosts: {a} is banned")).each_ref()
    );
    let of = |host: &str| counted.get(&format!("{host}: failed logins by ssh")).copied().unwrap_or_default();
    assert_eq!((of("web-1"), of("web-2"), of("sender-1"), of("sender-2")), (2, 2, 6, 4));
    assert!(of("thief") >= messages(), "{counted:?}");
    // Nothing in the stream claims to be from another host.
    let asked = fleet.with("admin", async |client| {
        let answer =
            client.request("$JS.API.STREAM.INFO.FAIL", "{\"subjects_filter\": \"fail.>\"}".into()).await;
        serde_json::from_slice::<Value>(&answer.unwrap().payload).unwrap()
    });
    let mut subjects = asked["state"]["subjects"].as_object().unwrap().clone();
    subjects.retain(|subject, _| !subject.starts_with("fail.thief."));
    let expected = json!({
        "fail.sender-1.ssh": 6, "fail.sender-2.ssh": 4, "fail.sender-3.ssh": 1,
        "fail.web-1.ssh": 2, "fail.web-2.ssh": 2,
    });
    assert_eq!(Value::Object(subjects), expected);
    for member in fleet.hosts.iter_mut().chain([&mut fleet.aggregator]) {
        member.stop();
    }
}
