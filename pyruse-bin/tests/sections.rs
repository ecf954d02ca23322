//! The sections of the report: what the rules for a whole server make of the entries of all examples beside them.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use pyruse_bin as _;
use pyruse_core::config::{ConfigText, Diagnostics};
use pyruse_core::engine::Engine;
use pyruse_core::entry::{Fields, MemoryRecord};
use pyruse_core::plugin::{Registry, ReportForm};
use pyruse_core::pump::Pump;
use pyruse_core::state::State;
use pyruse_core::time::{Now, Timestamp};
use pyruse_core::workflow::NoObserver;
use serde_json::Value;

/// Midnight of the first day, in UTC.
const MIDNIGHT: i64 = 1_795_046_400;

const DAY: i64 = 86_400;

fn server() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/conf/server")
}

/// The engine with the rules for a whole server.
fn pump() -> Pump {
    let path = server().join("pyruse.json");
    let mut source = ConfigText::new(path.display().to_string(), fs::read_to_string(&path).unwrap());
    source.read_included(|path| fs::read_to_string(path).map_err(|e| e.to_string()));
    let (mut state, mut diagnostics) = (State::in_memory(), Diagnostics::default());
    let registry = Registry::linked().unwrap();
    let engine = Engine::load(&source, &registry, Fields::default(), &mut state, &mut diagnostics).unwrap();
    let engine = engine.unwrap_or_else(|| panic!("{}", source.draw(&diagnostics, false)));
    let mut pump = Pump::new(engine, state, Arc::new(|| ())).unwrap();
    pump.boot(Timestamp::from_seconds(MIDNIGHT));
    pump
}

/// The entries of the sections, as lines of JSON, in the order of the names.
fn entries() -> Vec<Value> {
    let rules = fs::read_dir(server().join("rules.d")).unwrap().map(|rule| rule.unwrap().path());
    let folder = |rule: PathBuf| rule.canonicalize().unwrap().parent().unwrap().to_owned();
    let mut folders: Vec<PathBuf> = rules.map(folder).collect();
    folders.sort();
    let read = |folder: &PathBuf| fs::read_to_string(folder.join("entries.jsonl")).unwrap();
    let lines: Vec<String> = folders.iter().map(read).collect();
    lines.iter().flat_map(|text| text.lines()).map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Whether an entry is one of an ordinary day.
fn is_ordinary(entry: &Value) -> bool {
    let text = |name: &str| entry[name].as_str().unwrap_or_default();
    let identifier = text("SYSLOG_IDENTIFIER");
    let is_traffic = ["sshd", "dovecot"].contains(&identifier) || identifier.starts_with("postfix/");
    let routine = ["snapshot b6", "upgrade demo", "Renewing an existing certificate", "   alice : TTY="];
    is_traffic || routine.iter().any(|start| text("MESSAGE").starts_with(start))
}

/// What should not happen, one of each kind.
fn is_trouble(entry: &Value) -> bool {
    let text = entry["MESSAGE"].as_str().unwrap_or_default();
    let starts = [
        "new user: name=toor, UID=0",
        "Fail event detected on md device /dev/md0, component",
        "Device: /dev/sdb [SAT], 8 Currently",
        "Fatal: wrong password",
        "Failed to renew certificate",
        "web-app.service: Failed with result",
        "EXT4-fs (sda1): Remounting",
    ];
    entry["_UID"] != "1002" && starts.iter().any(|start| text.starts_with(start))
}

/// Lets the entries pass, distributed over a day.
fn pass(pump: &mut Pump, day: i64, entries: &[Value]) {
    let step = DAY / (i64::try_from(entries.len()).unwrap() + 1);
    for (n, entry) in (1..).zip(entries) {
        let mut record = MemoryRecord::at(Timestamp::from_seconds(MIDNIGHT + day * DAY + n * step));
        for (name, value) in entry.as_object().unwrap() {
            if name != "COMMENT" && name != "__REALTIME_TIMESTAMP" {
                record.push(name.as_str(), value.as_str().unwrap());
            }
        }
        pump.run(&mut record, &mut NoObserver);
    }
}

#[test]
fn a_report_of_the_rules_for_a_server_begins_with_trouble_and_counts_the_rest() {
    let (mut pump, entries) = (pump(), entries());
    let (ordinary, other): (Vec<Value>, Vec<Value>) = entries.into_iter().partition(is_ordinary);
    let trouble: Vec<Value> = other.into_iter().filter(is_trouble).collect();
    for day in 0..2 {
        pass(&mut pump, day, &ordinary);
        pump.due(Timestamp::from_seconds(MIDNIGHT + (day + 1) * DAY));
        pump.settle(Now::read()).unwrap();
    }
    pass(&mut pump, 2, &[ordinary, trouble].concat());
    let now = Timestamp::from_seconds(MIDNIGHT + 3 * DAY - 1);
    let text = pump.engine.services.report(&mut pump.state, now, ReportForm::Text).unwrap().unwrap();
    insta::assert_snapshot!(text);
    // The program writes it as information; a rule gives it another priority.
    let account = text.find("[crit] another account with UID 0").unwrap();
    assert!(account < text.find("web-app.service: Failed").unwrap(), "{text}");
}
