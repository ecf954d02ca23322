//! A machine whose entries are read within the test, with a clock of its own.

use std::sync::Arc;

use pyruse_bin as _;
use pyruse_core::config::{ConfigText, Diagnostics};
use pyruse_core::engine::Engine;
use pyruse_core::entry::{Fields, MemoryRecord};
use pyruse_core::operation::Operation;
use pyruse_core::plugin::{Registry, ReportForm};
use pyruse_core::pump::Pump;
use pyruse_core::state::State;
use pyruse_core::time::{Now, Timestamp};
use pyruse_core::workflow::NoObserver;
use serde_json::{Value, json};

/// Midnight of the first day, in UTC.
const MIDNIGHT: i64 = 1_795_046_400;

pub const DAY: i64 = 86_400;

/// Machines whose entries are read.
pub struct Server {
    pump: Pump,
    /// The current time, in seconds since the first midnight.
    pub now: i64,
}

impl Server {
    /// What `status` says is not as usual.
    pub fn news(&mut self) -> Vec<String> {
        let now = self.time();
        let overview = self.pump.engine.services.overview(&self.pump.state, now);
        overview.report.unwrap().news
    }

    pub fn new(more: &Value) -> Server {
        let mut config = json!({
            "actions": {
                "a failed logins": [
                    {"filter": "filter_equals", "args": {"field": "SYSLOG_IDENTIFIER", "value": "sshd"}},
                    {"filter": "filter_pcre", "args": {
                        "field": "MESSAGE", "re": "^Failed password for .* from ([0-9a-f.:]+) port", "save": ["ip"]}},
                    {"action": "action_counterRaise", "args": {
                        "counter": "ssh", "for": "ip", "keepSeconds": 3600, "save": "failures"}},
                    {"filter": "filter_greaterOrEquals", "args": {"field": "failures", "value": 5}},
                    {"action": "action_nftBan", "args": {
                        "IP": "ip", "nftSetIPv4": "ip Inet4 ssh", "nftSetIPv6": "ip6 Inet6 ssh", "banSeconds": 3600}},
                ],
                "b warnings": [
                    {"filter": "filter_lowerOrEquals", "args": {"field": "PRIORITY", "value": 4}},
                    {"action": "action_dailyReport", "args": {
                        "level": "WARN", "message": "{SYSLOG_IDENTIFIER}: {MESSAGE}"}, "then": "d end"},
                ],
                "c information": [
                    {"action": "action_dailyReport", "args": {
                        "level": "INFO", "message": "{SYSLOG_IDENTIFIER}: {MESSAGE}"}},
                ],
                "d end": [{"action": "action_noop", "args": {}}],
            },
        });
        config.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let text = config.to_string();
        let source = ConfigText::new("pyruse.json", &text);
        let mut diagnostics = Diagnostics::default();
        let mut state = State::in_memory();
        let registry = Registry::linked().unwrap();
        let engine = Engine::load(&source, &registry, Fields::default(), &mut state, &mut diagnostics);
        let engine = engine.unwrap().unwrap_or_else(|| panic!("{}", source.draw(&diagnostics, false)));
        let mut pump = Pump::new(engine, state, Arc::new(|| ())).unwrap();
        pump.boot(Timestamp::from_seconds(MIDNIGHT));
        Server { pump, now: 0 }
    }

    pub fn time(&self) -> Timestamp {
        Timestamp::from_seconds(MIDNIGHT + self.now)
    }

    pub fn entry(&mut self, user: &str, identifier: &str, priority: u8, message: &str) {
        let mut record = MemoryRecord::at(self.time())
            .with("_UID", user)
            .with("_HOSTNAME", "server")
            .with("SYSLOG_IDENTIFIER", identifier)
            .with("PRIORITY", priority.to_string())
            .with("MESSAGE", message);
        self.pump.run(&mut record, &mut NoObserver);
    }

    /// Lets the day end and its report be queued.
    pub fn end_day(&mut self) {
        self.now = (self.now / DAY + 1) * DAY;
        let now = self.time();
        self.pump.due(now);
        self.pump.settle(Now::read()).unwrap();
        assert!(self.shown(ReportForm::Text).is_empty());
    }

    pub fn shown(&mut self, form: ReportForm) -> String {
        let now = self.time();
        self.pump.engine.services.report(&mut self.pump.state, now, form).unwrap().unwrap()
    }

    /// Writes the state, as the daemon does after each batch.
    pub fn settle(&mut self) {
        self.pump.settle(Now::read()).unwrap();
    }

    /// Sends the report, and returns its mail as it is queued.
    pub fn mail(&mut self) -> Value {
        let (state, now) = (&mut self.pump.state, Timestamp::from_seconds(MIDNIGHT + self.now));
        self.pump.engine.services.operate(&Operation::SendReport, state, now).unwrap();
        let (_, queue) = state.queues().find(|(name, _)| *name == "action_email").unwrap();
        let (_, message) = queue.messages().last().unwrap();
        serde_json::from_str(&message.payload).unwrap()
    }

    /// Sends the report, and returns its subject, text and HTML.
    pub fn sent(&mut self) -> [String; 3] {
        let mail = self.mail();
        ["subject", "body", "html"].map(|part| mail[part].as_str().unwrap_or_default().to_owned())
    }
}
