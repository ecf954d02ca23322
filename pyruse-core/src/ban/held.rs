//! A ban as the state holds it.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::network::Network;
use crate::operation::BanReason;
use crate::time::{Expiry, Timestamp};

/// A ban as the state holds it. It ends when its entry in the state does.
#[derive(Serialize, Deserialize)]
pub(super) struct StoredBan {
    pub(super) set: String,
    /// Usually a single address. Earlier versions stored only addresses.
    #[serde(rename = "ip")]
    pub(super) net: Network,
    /// Its duration in seconds; 0: for ever, or not known.
    #[serde(default)]
    pub(super) seconds: u64,
    /// When it was made, if that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) at: Option<Timestamp>,
    /// Why it was made, if that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) why: Option<BanReason>,
    /// Which ban of that address it is, if such bans become longer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) nth: Option<u32>,
}

impl StoredBan {
    /// Returns since when it is in force, if that is known; `end` is the end of its entry in the state. It is never
    /// later than the end allows: a clock that was ahead may have made the ban.
    pub(super) fn since(&self, end: Timestamp) -> Option<Timestamp> {
        let length = self.length().and_then(|length| i64::try_from(length.as_micros()).ok());
        let from_end = length.filter(|_| end != Timestamp::NEVER).map(|length| end.0.saturating_sub(length));
        match (self.at, from_end.map(Timestamp)) {
            (Some(at), Some(from_end)) => Some(at.min(from_end)),
            (at, from_end) => at.or(from_end),
        }
    }

    /// Returns its duration, if that is known and not for ever.
    pub(super) fn length(&self) -> Option<Duration> {
        (self.seconds > 0).then(|| Duration::from_secs(self.seconds))
    }
}

/// Returns the end of a ban of `seconds` seconds; 0: for ever.
pub(super) fn ends(start: Timestamp, seconds: u64) -> Expiry {
    if seconds == 0 { Expiry::NEVER } else { Expiry::after_seconds(start, seconds) }
}
