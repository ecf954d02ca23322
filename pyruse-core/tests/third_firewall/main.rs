//! A firewall from outside is one file (`deny_files.rs`). It depends on this crate alone, and can do what the built-in
//! ones can.

mod deny_files;

use std::fs;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use pyruse_core::config::{ConfigText, Diagnostics};
use pyruse_core::engine::Engine;
use pyruse_core::entry::{Fields, MemoryRecord};
use pyruse_core::network::Network;
use pyruse_core::operation::{Answer, Operation};
use pyruse_core::plugin::{Registry, run_examples};
use pyruse_core::pump::Pump;
use pyruse_core::review;
use pyruse_core::state::{Queue, State};
use pyruse_core::workflow::NoObserver;
use tempfile::TempDir;

const CONFIG: &str = r#"{
    "denyFiles": {"directory": "DIRECTORY"},
    "actions": {"offenders": [
        {"action": "action_denyBan",
         "args": {"IP": "thatIP", "banSeconds": "1h", "denyIPv4": "v4.deny", "denyIPv6": "v6.deny"}}
    ]}
}"#;

/// The engine of a Pyruse that bans in files of this directory.
fn engine(directory: &TempDir, config: &str, state: &mut State) -> Result<(ConfigText, Engine), String> {
    let text = config.replace("DIRECTORY", directory.path().to_str().unwrap());
    let source = ConfigText::new("pyruse.json", text);
    let mut diagnostics = Diagnostics::default();
    let registry = Registry::linked().map_err(|e| e.to_string())?;
    let engine = Engine::load(&source, &registry, Fields::default(), state, &mut diagnostics);
    let engine = engine.map_err(|e| e.to_string())?;
    engine.ok_or_else(|| source.draw(&diagnostics, false)).map(|engine| (source, engine))
}

/// A Pyruse at work.
struct Running {
    directory: TempDir,
    pump: Pump,
    replies: Receiver<()>,
}

impl Running {
    fn new(files: &[&str]) -> Running {
        Running::with(CONFIG, files)
    }

    fn with(config: &str, files: &[&str]) -> Running {
        let directory = tempfile::tempdir().unwrap();
        for file in files {
            fs::write(directory.path().join(file), "").unwrap();
        }
        let mut state = State::in_memory();
        let (_, engine) = engine(&directory, config, &mut state).unwrap();
        let (wake, replies) = channel();
        let mut pump = Pump::new(engine, state, Arc::new(move || wake.send(()).unwrap())).unwrap();
        let now = pump.state.tick();
        pump.boot(now.wall);
        Running { directory, pump, replies }
    }

    fn run(&mut self, ip: &str) {
        self.run_both(ip, "192.0.2.250");
    }

    fn run_both(&mut self, ip: &str, gone: &str) {
        let mut record = MemoryRecord::at(self.pump.state.tick().wall).with("thatIP", ip).with("gone", gone);
        self.pump.run(&mut record, &mut NoObserver);
    }

    fn operate(&mut self, operation: &Operation) -> Answer {
        let now = self.pump.state.tick();
        self.pump.engine.services.operate(operation, &mut self.pump.state, now.wall).unwrap()
    }

    /// Delivers what is due.
    fn deliver(&mut self) {
        let now = self.pump.state.tick();
        self.pump.settle(now).unwrap();
        self.replies.recv_timeout(Duration::from_secs(60)).unwrap();
        self.pump.collect(now);
    }

    /// Returns the content of a file. What the machine needs for this test is no part of an hour.
    fn file(&self, name: &str) -> String {
        let text = fs::read_to_string(self.directory.path().join(name)).unwrap();
        let about_an_hour = |seconds: &str| seconds.parse().is_ok_and(|n: u32| (3000..=3600).contains(&n));
        let mut words: Vec<&str> = text.split(' ').collect();
        for word in &mut words {
            if about_an_hour(word.trim_end()) {
                *word = "hour\n";
            }
        }
        words.join(" ")
    }

    /// What an operator sees of the deliveries that are not done: what, and why not.
    fn outbox(&mut self) -> Vec<(String, Option<String>)> {
        let Answer::Deliveries(all) = self.operate(&Operation::ListOutbox) else { panic!("no deliveries") };
        all.into_iter().map(|delivery| (delivery.what, delivery.error)).collect()
    }
}

fn remove(ip: &str) -> Operation {
    Operation::RemoveBan { net: Network::parse(ip).unwrap(), set: None }
}

#[test]
fn its_examples_have_their_stated_outcome() {
    assert_eq!(run_examples(&Registry::linked().unwrap()), [] as [String; 0]);
}

#[test]
fn rules_and_operators_ban_and_lift() {
    let mut pyruse = Running::new(&["v4.deny", "v6.deny"]);
    pyruse.run("192.0.2.1");
    pyruse.run("2001:DB8:0::1");
    pyruse.deliver();
    assert_eq!(pyruse.file("v4.deny"), "192.0.2.1 hour\n");
    assert_eq!(pyruse.file("v6.deny"), "2001:db8::1 hour\n");

    let (net, set) = (Network::parse("192.0.2.2").unwrap(), Some("v4.deny".to_owned()));
    pyruse.operate(&Operation::AddBan { net, set, seconds: 0, allow_special: false });
    pyruse.operate(&remove("192.0.2.1"));
    pyruse.deliver();
    assert_eq!(pyruse.file("v4.deny"), "192.0.2.2 ever\n");
    assert_eq!(pyruse.outbox(), []);
    let Answer::Bans(bans) = pyruse.operate(&Operation::ListBans) else { panic!("no bans") };
    let bans: Vec<_> =
        bans.into_iter().map(|ban| format!("{} {} {}", ban.module, ban.set, ban.net)).collect();
    assert_eq!(bans, ["action_denyBan v4.deny 192.0.2.2", "action_denyBan v6.deny 2001:db8::1"]);
}

/// Bans what is in one field, and lifts what is in another.
const LIFTING: &str = r#"{
    "denyFiles": {"directory": "DIRECTORY"},
    "actions": {"both": [
        {"action": "action_denyBan", "args":
            {"IP": "thatIP", "denyIPv4": "v4.deny", "denyIPv6": "v6.deny", "prefix4": 24, "allowNetworks": true}},
        {"action": "action_denyBan", "args":
            {"IP": "gone", "denyIPv4": "v4.deny", "denyIPv6": "v6.deny", "prefix4": 24, "allowNetworks": true, "lift": true}}
    ]}
}"#;

#[test]
fn a_step_bans_networks_and_another_one_lifts_them() {
    let mut pyruse = Running::with(LIFTING, &["v4.deny", "v6.deny"]);
    let bans = |pyruse: &mut Running| {
        let Answer::Bans(bans) = pyruse.operate(&Operation::ListBans) else { panic!("no bans") };
        let mut bans: Vec<_> = bans.into_iter().map(|ban| ban.net.to_string()).collect();
        bans.sort();
        bans
    };
    for net in ["198.18.0.7", "198.51.100.128/25", "203.0.112.0/22", "2001:db8::1", "2001:db8:1::/48"] {
        pyruse.run(net);
    }
    // Too wide, not addresses, and networks that contain special addresses.
    for net in ["8.0.0.0/7", "2001::/15", "0.0.0.0/0", "127.0.0.0/8", "192.0.2.0/33", "FR", "", "-1/8"] {
        pyruse.run(net);
    }
    let all = ["198.18.0.0/24", "198.51.100.0/24", "2001:db8:1::/48", "2001:db8::1", "203.0.112.0/22"];
    assert_eq!(bans(&mut pyruse), all);
    for net in ["198.18.0.99", "203.0.112.0/22", "203.0.113.0/24", "2001:db8::1", "2001:db8::2", "FR"] {
        pyruse.run_both("198.51.100.1", net);
    }
    assert_eq!(bans(&mut pyruse), ["198.51.100.0/24", "2001:db8:1::/48"]);
}

#[test]
fn a_network_is_an_error_unless_it_is_allowed_and_a_lift_has_no_duration() {
    let mut pyruse = Running::new(&[]);
    pyruse.run("192.0.2.0/24");
    let Answer::Bans(bans) = pyruse.operate(&Operation::ListBans) else { panic!("no bans") };
    assert!(bans.is_empty());
    let directory = tempfile::tempdir().unwrap();
    let config = CONFIG.replace(r#""IP""#, r#""lift": true, "IP""#);
    let error = engine(&directory, &config, &mut State::in_memory()).err().unwrap();
    assert!(error.contains("`banSeconds` has no effect with `lift`"), "{error}");
}

#[test]
fn a_ban_is_tried_again_and_all_bans_are_put_back_at_start() {
    let mut pyruse = Running::new(&["v6.deny"]);
    pyruse.run("192.0.2.1");
    pyruse.run("2001:db8::1");
    pyruse.deliver();
    let why = "file `v4.deny`: No such file or directory (os error 2)";
    assert_eq!(pyruse.outbox(), [("ban 192.0.2.1 in v4.deny".to_owned(), Some(why.to_owned()))]);

    for file in ["v4.deny", "v6.deny"] {
        fs::write(pyruse.directory.path().join(file), "").unwrap();
    }
    let now = pyruse.pump.state.tick();
    pyruse.pump.boot(now.wall);
    pyruse.deliver();
    assert_eq!(pyruse.outbox(), []);
    assert_eq!(pyruse.file("v4.deny"), "192.0.2.1 hour\n");
    assert_eq!(pyruse.file("v6.deny"), "2001:db8::1 hour\n");
}

#[test]
fn an_order_that_the_state_should_not_hold_never_reaches_the_firewall() {
    let mut pyruse = Running::new(&["v4.deny"]);
    let queue = pyruse.pump.state.open::<Queue>("action_denyBan/orders").unwrap();
    for payload in [
        r#"{"set": "../passwd", "ip": "192.0.2.1", "until": null, "renew": false}"#,
        r#"{"set": "v4.deny", "ip": "0.0.0.0", "until": null, "renew": false}"#,
        r#"{"set": "v4.deny", "ip": "0.0.0.0", "until": null, "renew": false, "lift": true}"#,
        r#"{"set": "v4.deny", "ip": "192.0.2.1", "until": 1, "renew": false}"#,
        "?",
    ] {
        pyruse.pump.state.get_mut(queue).push(None, payload.into());
    }
    pyruse.deliver();
    let given_up: Vec<String> = pyruse.outbox().into_iter().filter_map(|(_, error)| error).collect();
    assert_eq!(
        given_up,
        [
            "`../passwd` is not a valid name of a set",
            "0.0.0.0 is not banned: a file denies single hosts only",
            "not a ban order: expected value at line 1 column 1",
        ]
    );
    assert_eq!(pyruse.file("v4.deny"), "");
}

#[test]
fn a_wrong_name_and_a_missing_set_are_reported() {
    let directory = tempfile::tempdir().unwrap();
    let wrong = CONFIG.replace("v4.deny", "../passwd");
    let Err(refused) = engine(&directory, &wrong, &mut State::in_memory()) else { panic!("it is accepted") };
    assert!(refused.contains("error: `../passwd` cannot be the name of a file for bans"), "{refused}");
    assert!(refused.contains("help: write the name of a file: `mail.deny`"), "{refused}");

    fs::write(directory.path().join("v6.deny"), "").unwrap();
    let (source, engine) = engine(&directory, CONFIG, &mut State::in_memory()).unwrap();
    let mut diagnostics = Diagnostics::default();
    review::inspect(&engine, |_| (), &mut diagnostics);
    let found = source.draw(&diagnostics, false);
    assert!(found.contains("there is no set `v4.deny`: every ban for it fails"), "{found}");
    let command = format!("help: create it with: touch {}/v4.deny", directory.path().display());
    assert!(found.contains(&command) && !found.contains("v6.deny`"), "{found}");
}
