//! When addresses were banned, for durations that become longer.

use serde::{Deserialize, Serialize};

use crate::state::Map;
use crate::time::Timestamp;

/// The bans of an address that count.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Offence {
    /// When each began, in order.
    pub(super) at: Vec<Timestamp>,
    /// When the last one ends. The held bans cannot answer this: they forget a ban that is over, while an entry of its
    /// time may still come.
    pub(super) until: Timestamp,
}

/// The bans that count, by set and address.
pub(super) type Offences = Map<Offence>;

impl Offence {
    /// The last ban was lifted.
    pub(super) fn lift(&mut self) {
        self.until = Timestamp(0);
    }
}
