//! When bans end, for a firewall that does not end them by itself. Nothing of it is stored: it is built from the bans in the
//! state.

use super::wakes::Wakes;
use crate::state::{Changes, Resource, Row};
use crate::time::ClockStep;

/// The ends of all bans.
#[derive(Default)]
pub(super) struct Ends {
    pub(super) wakes: Wakes,
    pub(super) is_built: bool,
}

impl Resource for Ends {
    fn load(_: Vec<Row>) -> Result<Self, String> {
        Ok(Ends::default())
    }

    fn changes(&mut self, _: &mut Changes<'_>) {}

    /// The ends of bans change, too: all of them are looked at again.
    fn adjust(&mut self, _: ClockStep) {
        self.wakes.wake_all();
    }
}
