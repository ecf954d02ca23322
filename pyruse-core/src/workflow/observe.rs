//! Who watches entries on their way: hit counts, `explain`, `replay`, and the daemon's log of errors are observers,
//! not copies of the loop.

use super::{Site, SiteId};
use crate::effect::Effect;
use crate::entry::Entry;
use crate::plugin::StepError;
use crate::state::State;

/// Watches a run. Every method does nothing unless it is written; what is not written costs nothing.
pub trait Observer {
    /// Does it want to see effects? Else none are made.
    const EFFECTS: bool = false;

    /// Does it want to see steps ([`Observer::enter`], [`Observer::step`])? To tell of all that an entry passes by in a
    /// ladder of like questions takes longer than to find its way. Say `false` where neither is written.
    const STEPS: bool = true;

    /// May this entry have consequences? Asked once, before the first action that acts or the first error that is
    /// told; "no" ends its way.
    fn admits(&mut self, _entry: &mut Entry<'_>, _state: &mut State) -> bool {
        true
    }

    /// A step is about to run.
    fn enter(&mut self, _id: SiteId, _site: &Site, _entry: &mut Entry<'_>) {}

    /// A step has run; did it pass?
    fn step(&mut self, _id: SiteId, _site: &Site, _entry: &mut Entry<'_>, _passed: bool) {}

    /// An action does something.
    fn effect(&mut self, _site: &Site, _entry: &mut Entry<'_>, _effect: Effect) {}

    /// The entry has gone its way.
    fn finished(&mut self, _entry: &mut Entry<'_>, _state: &mut State) {}

    /// A step could not do its work.
    fn error(&mut self, _id: SiteId, _site: &Site, _entry: &mut Entry<'_>, _error: &StepError) {}
}

/// Nobody watches.
#[derive(Clone, Copy, Debug, Default)]
pub struct Unobserved;

impl Observer for Unobserved {
    const STEPS: bool = false;
}
