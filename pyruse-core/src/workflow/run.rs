//! The loop that runs an entry through the workflow.

use super::graph::STOP;
use super::node::{Node, Op};
use super::observe::Observer;
use super::optimize::Ladders;
use super::site::{Site, SiteId};
use super::ways::{Begun, Found, Ways};
use crate::effect::Effect;
use crate::entry::{Entry, StepError};
use crate::plugin::{Act, Action, Filter};
use crate::state::State;

/// The parts of a workflow that are in use while an entry, which borrows the rest, runs.
pub(super) struct Run<'w> {
    pub(super) nodes: &'w [Node],
    pub(super) filters: &'w mut [Box<dyn Filter>],
    pub(super) actions: &'w mut [Box<dyn Action>],
    pub(super) sites: &'w [Site],
    pub(super) ladders: &'w mut Ladders,
    pub(super) ways: &'w mut Ways,
    pub(super) effects: &'w mut Vec<Effect>,
    pub(super) causes: &'w mut Vec<SiteId>,
}

impl Run<'_> {
    pub(super) fn run<O: Observer>(&mut self, entry: &mut Entry<'_>, state: &mut State, observer: &mut O) {
        let mut admitted = false;
        let mut at = 0;
        while let Some(node) = self.nodes.get(at as usize) {
            let site = SiteId(node.site);
            // An observer of steps gets each of them.
            if !O::STEPS
                && let Some(asks) = node.asks
            {
                let to = match self.ways.find(entry, at, asks) {
                    Found::To(to) => to,
                    Found::New(begun) => self.make_way(begun, entry, observer),
                    Found::Never => at,
                };
                if to != at {
                    at = to;
                    continue;
                }
            }
            if O::STEPS {
                observer.enter(site, &self.sites[site.index()], entry);
            }
            let passed = match node.op {
                Op::Filter(filter) => {
                    let answer = self.filters[filter as usize].passes(entry);
                    match self.answered(site, answer, &mut admitted, entry, state, observer) {
                        Some(passed) => passed,
                        None => return,
                    }
                }
                Op::Switch { switch, from } => {
                    at = self.switch(switch, from, entry, observer);
                    continue;
                }
                Op::Sieve(sieve) => {
                    match self.sieve(sieve, &mut admitted, entry, state, observer) {
                        Some(next) => at = next,
                        None => return,
                    }
                    continue;
                }
                Op::Action { action, inert } => {
                    if !inert && !admit(&mut admitted, observer, entry, state) {
                        return;
                    }
                    let action = &mut *self.actions[action as usize];
                    let before = self.effects.len();
                    let effects = O::EFFECTS.then_some(&mut *self.effects);
                    let result = action.act(&mut Act { entry, state, effects });
                    for effect in &self.effects[before..] {
                        self.causes.push(site);
                        observer.effect(&self.sites[site.index()], entry, effect);
                    }
                    if let Err(error) = result {
                        self.stepped(node.site, false, entry, observer);
                        observer.error(site, &self.sites[site.index()], entry, &error);
                        return;
                    }
                    true
                }
            };
            self.stepped(node.site, passed, entry, observer);
            at = if passed { node.pass } else { node.fail };
        }
        debug_assert!(at == STOP || self.nodes.is_empty());
    }

    /// Goes on as long as only values of the combination are asked for, and remembers that way. Returns the node that runs
    /// next.
    fn make_way<O: Observer>(&mut self, mut begun: Begun, entry: &mut Entry<'_>, observer: &mut O) -> u32 {
        let mut at = begun.from;
        while let Some(node) = self.nodes.get(at as usize)
            && let Some(asks) = node.asks
        {
            let next = match node.op {
                Op::Filter(filter) => match self.filters[filter as usize].passes(entry) {
                    Ok(true) => node.pass,
                    Ok(false) => node.fail,
                    // It is asked again, to report that.
                    Err(_) => break,
                },
                Op::Switch { switch, from } => self.switch(switch, from, entry, observer),
                Op::Sieve(_) | Op::Action { .. } => break,
            };
            if !begun.takes(asks, entry) {
                self.ways.end(&begun, at, entry);
                return next;
            }
            at = next;
        }
        self.ways.end(&begun, at, entry);
        at
    }

    /// Applies a filter's answer; `None`: the entry may have no consequences, and stops here.
    fn answered<O: Observer>(
        &self,
        site: SiteId,
        answer: Result<bool, StepError>,
        admitted: &mut bool,
        entry: &mut Entry<'_>,
        state: &mut State,
        observer: &mut O,
    ) -> Option<bool> {
        match answer {
            Ok(passed) => Some(passed),
            Err(error) => {
                if !admit(admitted, observer, entry, state) {
                    return None;
                }
                observer.error(site, &self.sites[site.index()], entry, &error);
                Some(false)
            }
        }
    }

    fn switch<O: Observer>(&self, switch: u32, from: u32, entry: &mut Entry<'_>, observer: &mut O) -> u32 {
        let switch = &self.ladders.switches[switch as usize];
        // Comparisons never return an error.
        let passing = switch.ask(entry, from).ok().flatten();
        let rungs = &switch.rungs[from as usize..];
        let Some(rung) = passing else {
            self.report(rungs, entry, observer);
            return switch.beyond;
        };
        let (passed_by, rungs) = rungs.split_at((rung - from) as usize);
        self.report(passed_by, entry, observer);
        let node = self.nodes[rungs[0] as usize];
        self.stepped(node.site, true, entry, observer);
        node.pass
    }

    /// Reports to the observer the filters that did not pass.
    fn report<O: Observer>(&self, rungs: &[u32], entry: &mut Entry<'_>, observer: &mut O) {
        if O::STEPS {
            for rung in rungs {
                self.stepped(self.nodes[*rung as usize].site, false, entry, observer);
            }
        }
    }

    fn stepped<O: Observer>(&self, site: u32, passed: bool, entry: &mut Entry<'_>, observer: &mut O) {
        if O::STEPS {
            observer.step(SiteId(site), &self.sites[site as usize], entry, passed);
        }
    }

    /// Returns the node to continue with; `None`: the entry stops here.
    fn sieve<O: Observer>(
        &mut self,
        sieve: u32,
        admitted: &mut bool,
        entry: &mut Entry<'_>,
        state: &mut State,
        observer: &mut O,
    ) -> Option<u32> {
        let sieve = sieve as usize;
        // Scanning never returns an error.
        let _ = self.ladders.sieves[sieve].look(entry);
        let mut from = 0;
        loop {
            let found = self.ladders.sieves[sieve].next(from);
            let rungs = &self.ladders.sieves[sieve].rungs;
            let Some(rung) = found else {
                self.report(&rungs[from as usize..], entry, observer);
                return Some(self.ladders.sieves[sieve].beyond);
            };
            self.report(&rungs[from as usize..rung as usize], entry, observer);
            let node = self.nodes[rungs[rung as usize] as usize];
            let site = SiteId(node.site);
            let Op::Filter(filter) = node.op else { return Some(node.pass) };
            let answer = self.filters[filter as usize].passes(entry);
            let passed = self.answered(site, answer, admitted, entry, state, observer)?;
            self.stepped(node.site, passed, entry, observer);
            if passed {
                return Some(node.pass);
            }
            from = rung + 1;
        }
    }
}

/// Checks whether the entry is admitted: once per entry, and only before something is done or reported because of it.
fn admit<O: Observer>(
    admitted: &mut bool,
    observer: &mut O,
    entry: &mut Entry<'_>,
    state: &mut State,
) -> bool {
    *admitted = *admitted || observer.admits(entry, state);
    *admitted
}
