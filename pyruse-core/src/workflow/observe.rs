//! Observers watch entries in the workflow: hit counts, `explain`, `replay`, and the daemon's log of errors are
//! observers, not copies of the loop.

use super::site::{Site, SiteId};
use crate::effect::Effect;
use crate::entry::{Entry, StepError};
use crate::state::State;

/// Watches a run. Every method does nothing by default; a default method costs nothing.
pub trait Observer {
    /// Whether it wants to see effects. If not, none are made.
    const EFFECTS: bool = false;

    /// Whether it wants to see steps ([`Observer::enter`], [`Observer::step`]). To report every rung that an entry
    /// skips in a ladder of similar questions takes longer than to find its path. Set it to `false` if you implement
    /// neither method.
    const STEPS: bool = true;

    /// Returns `true` if this entry may have consequences. Called once, before the first action that acts or the first
    /// error that is reported; `false` stops the entry.
    fn admits(&mut self, _entry: &mut Entry<'_>, _state: &mut State) -> bool {
        true
    }

    /// Called when a step is about to run.
    fn enter(&mut self, _id: SiteId, _site: &Site, _entry: &mut Entry<'_>) {}

    /// Called when a step has run; `_passed` says whether it passed.
    fn step(&mut self, _id: SiteId, _site: &Site, _entry: &mut Entry<'_>, _passed: bool) {}

    /// Called when an action does something.
    fn effect(&mut self, _site: &Site, _entry: &mut Entry<'_>, _effect: &Effect) {}

    /// Called when the entry may have no consequences, and stops here.
    fn refused(&mut self, _why: SkipReason) {}

    /// Called when the entry is finished, with all effects that it has caused.
    fn finished(&mut self, _entry: &mut Entry<'_>, _state: &mut State, _done: EntryEffects<'_>) {}

    /// Called when a step could not do its work.
    fn error(&mut self, _id: SiteId, _site: &Site, _entry: &mut Entry<'_>, _error: &StepError) {}
}

/// An observer that ignores everything.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoObserver;

impl Observer for NoObserver {
    const STEPS: bool = false;
}

/// The reason why an entry may have no consequences.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SkipReason {
    /// It is one of our own diagnostics: an error about an entry must not become an entry with an error.
    OwnDiagnostic,
    /// A service knows that the entry has already had its consequences.
    Repeated,
}

/// The effects that one entry has caused, each with its step.
#[derive(Clone, Copy, Debug)]
pub struct EntryEffects<'a> {
    effects: &'a [Effect],
    causes: &'a [SiteId],
    sites: &'a [Site],
}

impl<'a> EntryEffects<'a> {
    pub(super) fn new(effects: &'a [Effect], causes: &'a [SiteId], sites: &'a [Site]) -> EntryEffects<'a> {
        EntryEffects { effects, causes, sites }
    }

    /// Returns the effects, in the order in which they happened.
    pub fn effects(self) -> impl Iterator<Item = (&'a Site, &'a Effect)> {
        let sites = self.causes.iter().map(move |site| &self.sites[site.index()]);
        sites.zip(self.effects)
    }
}
