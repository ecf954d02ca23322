//! Who watches entries on their way: hit counts, `explain`, `replay`, and the daemon's log of errors are observers,
//! not copies of the loop.

use super::site::{Site, SiteId};
use crate::effect::Effect;
use crate::entry::{Entry, StepError};
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
    fn effect(&mut self, _site: &Site, _entry: &mut Entry<'_>, _effect: &Effect) {}

    /// The entry may have no consequences, and its way ends here.
    fn refused(&mut self, _why: Refused) {}

    /// The entry has gone its way, with all that it has caused.
    fn finished(&mut self, _entry: &mut Entry<'_>, _state: &mut State, _done: Done<'_>) {}

    /// A step could not do its work.
    fn error(&mut self, _id: SiteId, _site: &Site, _entry: &mut Entry<'_>, _error: &StepError) {}
}

/// Nobody watches.
#[derive(Clone, Copy, Debug, Default)]
pub struct Unobserved;

impl Observer for Unobserved {
    const STEPS: bool = false;
}

/// Why an entry may have no consequences.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refused {
    /// It is one of our own diagnostics: an error about an entry must not become an entry with an error.
    OwnDiagnostic,
    /// A service knows that it has had its consequences already.
    Repeated,
}

/// What one entry has caused: effects, each with the step that it is of.
#[derive(Clone, Copy, Debug)]
pub struct Done<'a> {
    effects: &'a [Effect],
    causes: &'a [SiteId],
    sites: &'a [Site],
}

impl<'a> Done<'a> {
    pub(super) fn new(effects: &'a [Effect], causes: &'a [SiteId], sites: &'a [Site]) -> Done<'a> {
        Done { effects, causes, sites }
    }

    /// The effects, in the order in which they happened.
    pub fn effects(self) -> impl Iterator<Item = (&'a Site, &'a Effect)> {
        let sites = self.causes.iter().map(move |site| &self.sites[site.index()]);
        sites.zip(self.effects)
    }
}
