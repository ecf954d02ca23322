//! A line as it is recorded: its text, and who wrote its entry, when, and how urgent it is.

use pyruse_core::entry::{Entry, Slot};
use pyruse_core::level::ReportLevel;
use pyruse_core::schemars::JsonSchema;
use pyruse_core::serde::{Deserialize, Serialize};
use pyruse_core::time::Timestamp;

use crate::text;

/// The owner of what Pyruse itself has to say.
const PYRUSE: &str = "pyruse";

/// The maximum length of an identifier and of a host name.
const ORIGIN_LIMIT: usize = 100;

/// Which times of a message the report shows.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(crate = "pyruse_core::serde")]
#[schemars(crate = "pyruse_core::schemars")]
pub(super) enum Details {
    #[serde(rename = "NONE")]
    None,
    #[serde(rename = "FIRST")]
    First,
    #[serde(rename = "LAST")]
    Last,
    #[serde(rename = "FIRSTLAST")]
    FirstLast,
    #[default]
    #[serde(rename = "ALL")]
    All,
}

impl Details {
    pub(super) fn name(self) -> &'static str {
        ["NONE", "FIRST", "LAST", "FIRSTLAST", "ALL"][self as usize]
    }
}

/// A recorded line.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(crate = "pyruse_core::serde")]
pub(super) struct Line {
    #[serde(rename = "l")]
    pub(super) level: ReportLevel,
    #[serde(rename = "t")]
    pub(super) time: Timestamp,
    #[serde(rename = "m")]
    pub(super) message: String,
    #[serde(rename = "d")]
    pub(super) details: Details,
    /// The priority of the entry, from 0, the most urgent, to 7.
    #[serde(rename = "p", default, skip_serializing_if = "Option::is_none")]
    pub(super) priority: Option<u8>,
    #[serde(rename = "o", default, skip_serializing_if = "LineOrigin::is_unknown")]
    pub(super) origin: LineOrigin,
}

#[cfg(test)]
impl Line {
    /// Returns a line without details, priority and origin.
    pub(super) fn of(level: ReportLevel, time: Timestamp, message: &str) -> Line {
        Line {
            level,
            time,
            message: message.to_owned(),
            details: Details::None,
            priority: None,
            origin: LineOrigin::default(),
        }
    }
}

/// Who wrote the entry of a line.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(crate = "pyruse_core::serde", default)]
pub(super) struct LineOrigin {
    /// What a writer cannot choose: the user id, or, of entries that have none, the sender or the source.
    #[serde(rename = "u", skip_serializing_if = "String::is_empty")]
    pub(super) owner: String,
    #[serde(rename = "i", skip_serializing_if = "String::is_empty")]
    pub(super) identifier: String,
    #[serde(rename = "h", skip_serializing_if = "String::is_empty")]
    pub(super) host: String,
}

impl LineOrigin {
    pub(super) fn is_unknown(&self) -> bool {
        *self == LineOrigin::default()
    }

    /// Returns the origin of what Pyruse itself has to say.
    pub(super) fn own() -> LineOrigin {
        LineOrigin { owner: PYRUSE.into(), ..LineOrigin::default() }
    }
}

/// The fields that say who wrote an entry, and how urgent it is.
#[derive(Clone, Copy)]
pub(super) struct OriginFields {
    priority: Slot,
    user: Slot,
    sender: Slot,
    source: Slot,
    identifier: Slot,
    host: Slot,
}

impl OriginFields {
    /// Registers the fields; `slot` returns the number of a name.
    pub(super) fn register(mut slot: impl FnMut(&str) -> Slot) -> OriginFields {
        OriginFields {
            priority: slot("PRIORITY"),
            user: slot("_UID"),
            sender: slot("_SENDER"),
            source: slot("_SOURCE"),
            identifier: slot("SYSLOG_IDENTIFIER"),
            host: slot("_HOSTNAME"),
        }
    }

    pub(super) fn priority(self, entry: &mut Entry<'_>) -> Option<u8> {
        entry.first_text(self.priority).and_then(|text| text.parse().ok()).filter(|priority| *priority < 8)
    }

    pub(super) fn origin(self, entry: &mut Entry<'_>) -> LineOrigin {
        let mut text = |slot: Slot| {
            let mut text = entry.first_text(slot).unwrap_or_default().to_owned();
            text::cut(&mut text, ORIGIN_LIMIT);
            text
        };
        let (identifier, host) = (text(self.identifier), text(self.host));
        let user = text(self.user);
        let sender = text(self.sender);
        let host = if sender.is_empty() { host } else { sender.clone() };
        let owner = [user, sender].into_iter().find(|owner| !owner.is_empty());
        let owner = owner.unwrap_or_else(|| text(self.source));
        LineOrigin { owner, identifier, host }
    }
}
