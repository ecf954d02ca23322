//! What a workflow does to the world, as data.
//!
//! `replay` and `run --dry-run` show these instead of acting; embedders read them. The form is a contract: one JSON
//! object each.

use serde::Serialize;

use crate::time::Timestamp;

/// Something that an action does.
#[derive(Clone, Debug, PartialEq, Serialize)]
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
        /// For how long from the entry's time, in seconds; 0: for ever.
        seconds: u64,
        /// It was banned in that set already.
        renewed: bool,
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
    /// A line is written to the journal.
    Log {
        /// `EMERG` … `DEBUG`.
        level: &'static str,
        /// The line.
        message: String,
    },
    /// A line is recorded for the daily report.
    Report {
        /// `WARN`, `INFO` or `OTHER`.
        level: &'static str,
        /// The line.
        message: String,
        /// `NONE`, `FIRST`, `LAST`, `FIRSTLAST` or `ALL`.
        details: &'static str,
    },
    /// A step could not do its work.
    Error {
        /// Why.
        message: String,
    },
    /// What a module from outside does.
    Custom {
        /// The module.
        action: &'static str,
        /// What it says of it.
        details: serde_json::Value,
    },
}

/// An effect with its place and time.
#[derive(Clone, Debug)]
pub struct PlacedEffect<'a> {
    /// What is done.
    pub effect: &'a Effect,
    /// The entry's time.
    pub at: Timestamp,
    /// The entry's address.
    pub cursor: Option<&'a str>,
    /// The chain.
    pub chain: &'a str,
    /// The step in it, from 0.
    pub step: usize,
}

impl PlacedEffect<'_> {
    /// One JSON object on one line.
    pub fn to_json(&self) -> serde_json::Value {
        let mut object = match serde_json::to_value(self.effect) {
            Ok(serde_json::Value::Object(object)) => object,
            // A struct of texts and numbers always becomes an object.
            _ => serde_json::Map::new(),
        };
        object.insert("at".into(), self.at.to_string().into());
        object.insert("cursor".into(), self.cursor.into());
        object.insert("chain".into(), self.chain.into());
        object.insert("step".into(), self.step.into());
        serde_json::Value::Object(object)
    }
}
