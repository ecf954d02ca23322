//! Effects: what a workflow does to the world, as data.
//!
//! `replay` and `run --dry-run` show effects instead of acting; embedders read them. Their form is a contract: one JSON
//! object for each effect.

use schemars::JsonSchema;
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use crate::level::{Level, ReportLevel};
use crate::operation::BanReason;
use crate::time::Timestamp;

/// An effect of an action.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(tag = "effect", rename_all = "lowercase")]
#[non_exhaustive]
pub enum Effect {
    /// An address is banned.
    Ban {
        /// The action, e.g. `action_nftBan`.
        action: &'static str,
        /// The firewall's set.
        set: String,
        /// The address.
        ip: String,
        /// The duration from the entry's time, in seconds; 0: for ever.
        seconds: u64,
        /// Whether it was already banned in that set.
        renewed: bool,
        /// The reason.
        #[serde(skip)]
        reason: BanReason,
    },
    /// A ban is lifted.
    Lift {
        /// The action, e.g. `action_nftBan`.
        action: &'static str,
        /// The firewall's set.
        set: String,
        /// The address.
        ip: String,
    },
    /// A mail is sent.
    Email {
        /// The subject.
        subject: String,
        /// The recipients.
        to: Vec<String>,
        /// The text.
        body: String,
    },
    /// An HTTP request is sent.
    Http {
        /// `GET`, `POST`, `PUT`, `PATCH` or `DELETE`.
        method: String,
        /// The URL; a secret in it is shown as `{$secret}`.
        url: String,
        /// The body; a secret in it is shown as `{$secret}`.
        body: String,
    },
    /// A program is run.
    Run {
        /// The program and its arguments.
        argv: Vec<String>,
    },
    /// A line is written to the journal.
    Log {
        /// `EMERG` … `DEBUG`.
        #[schemars(with = "String")]
        level: Level,
        /// The line.
        message: String,
    },
    /// A line is recorded for the daily report.
    Report {
        /// `WARN`, `INFO` or `OTHER`.
        #[schemars(with = "String")]
        level: ReportLevel,
        /// The line.
        message: String,
        /// `NONE`, `FIRST`, `LAST`, `FIRSTLAST` or `ALL`.
        details: &'static str,
    },
    /// A step failed.
    Error {
        /// The error.
        message: String,
    },
    /// An effect of an external module.
    Custom {
        /// The module.
        action: &'static str,
        /// The details from the module.
        details: serde_json::Value,
    },
}

impl Effect {
    /// Returns the JSON Schema of all kinds, each with its own keys.
    pub fn schema() -> serde_json::Value {
        schemars::schema_for!(Effect).to_value()
    }

    /// Returns its kind, as in the key `effect`.
    pub fn name(&self) -> &'static str {
        match self {
            Effect::Ban { .. } => "ban",
            Effect::Lift { .. } => "lift",
            Effect::Email { .. } => "email",
            Effect::Http { .. } => "http",
            Effect::Run { .. } => "run",
            Effect::Log { .. } => "log",
            Effect::Report { .. } => "report",
            Effect::Error { .. } => "error",
            Effect::Custom { .. } => "custom",
        }
    }
}

/// An effect with its step and time.
#[derive(Clone, Debug)]
pub struct PlacedEffect<'a> {
    /// The effect.
    pub effect: &'a Effect,
    /// The entry's time.
    pub at: Timestamp,
    /// The entry's address.
    pub cursor: Option<&'a str>,
    /// The chain of the step.
    pub chain: &'a str,
    /// The number of the step in its chain, from 0.
    pub step: usize,
}

/// Serialized in the order in which people read it: what, when, where, and then the effect's own keys.
impl Serialize for PlacedEffect<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut line = serializer.serialize_map(None)?;
        line.serialize_entry("effect", self.effect.name())?;
        line.serialize_entry("at", &format_args!("{}", self.at))?;
        line.serialize_entry("cursor", &self.cursor)?;
        line.serialize_entry("chain", self.chain)?;
        line.serialize_entry("step", &self.step)?;
        match self.effect {
            Effect::Ban { action, set, ip, seconds, renewed, .. } => {
                line.serialize_entry("action", action)?;
                line.serialize_entry("set", set)?;
                line.serialize_entry("ip", ip)?;
                line.serialize_entry("seconds", seconds)?;
                line.serialize_entry("renewed", renewed)?;
            }
            Effect::Lift { action, set, ip } => {
                line.serialize_entry("action", action)?;
                line.serialize_entry("set", set)?;
                line.serialize_entry("ip", ip)?;
            }
            Effect::Email { subject, to, body } => {
                line.serialize_entry("subject", subject)?;
                line.serialize_entry("to", to)?;
                line.serialize_entry("body", body)?;
            }
            Effect::Http { method, url, body } => {
                line.serialize_entry("method", method)?;
                line.serialize_entry("url", url)?;
                line.serialize_entry("body", body)?;
            }
            Effect::Run { argv } => line.serialize_entry("argv", argv)?,
            Effect::Log { level, message } => {
                line.serialize_entry("level", level)?;
                line.serialize_entry("message", message)?;
            }
            Effect::Report { level, message, details } => {
                line.serialize_entry("level", level)?;
                line.serialize_entry("message", message)?;
                line.serialize_entry("details", details)?;
            }
            Effect::Error { message } => line.serialize_entry("message", message)?,
            Effect::Custom { action, details } => {
                line.serialize_entry("action", action)?;
                line.serialize_entry("details", details)?;
            }
        }
        line.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn every_kind() -> [Effect; 9] {
        [
            Effect::Ban {
                action: "action_nftBan",
                set: "ip Inet4 ssh".into(),
                ip: "192.0.2.1".into(),
                seconds: 60,
                renewed: false,
                reason: BanReason::Operator,
            },
            Effect::Lift { action: "action_nftBan", set: "ip Inet4 ssh".into(), ip: "192.0.2.1".into() },
            Effect::Email { subject: "ban".into(), to: vec!["root".into()], body: "a\nb".into() },
            Effect::Http { method: "PUT".into(), url: "https://a/b".into(), body: "{}".into() },
            Effect::Run { argv: vec!["/bin/true".into(), "a b".into()] },
            Effect::Log { level: Level::Info, message: "m".into() },
            Effect::Report { level: ReportLevel::Warn, message: "m".into(), details: "ALL" },
            Effect::Error { message: "m".into() },
            Effect::Custom { action: "action_door", details: serde_json::json!({"open": true}) },
        ]
    }

    fn placed(effect: &Effect) -> PlacedEffect<'_> {
        let at = Timestamp(1_795_000_000_000_000);
        PlacedEffect { effect, at, cursor: Some("s=1"), chain: "ssh", step: 4 }
    }

    #[test]
    fn a_line_says_what_when_and_where_before_its_own_keys() {
        let line = |effect: &Effect| serde_json::to_string(&placed(effect)).unwrap();
        let [ban, ..] = every_kind();
        assert_eq!(
            line(&ban),
            r#"{"effect":"ban","at":"2026-11-18T11:06:40.000000Z","cursor":"s=1","chain":"ssh","step":4,"#
                .to_owned()
                + r#""action":"action_nftBan","set":"ip Inet4 ssh","ip":"192.0.2.1","seconds":60,"renewed":false}"#
        );
    }

    #[test]
    fn a_line_contains_the_whole_effect() {
        for effect in every_kind() {
            let mut line = serde_json::to_value(placed(&effect)).unwrap();
            for key in ["at", "cursor", "chain", "step"] {
                assert!(line.as_object_mut().unwrap().remove(key).is_some(), "{key}");
            }
            assert_eq!(line, serde_json::to_value(&effect).unwrap());
        }
    }
}
