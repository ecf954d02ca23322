//! The static workflow: a train on rails, where the filters are the switch points.
//!
//! A configuration goes in once ([`Compiler`]); then records go in, and what they leave is in the state. No decision
//! that could have been taken at the start is taken per entry: a step is a number, an exit is a number.

mod compile;
mod graph;
mod observe;
mod optimize;

pub use self::compile::Compiler;
pub use self::observe::{Observer, Unobserved};

use self::graph::STOP;
use self::optimize::{Ladders, Worth};
use crate::effect::Effect;
use crate::entry::{Buffers, Entry, Fields, Record, Slot};
use crate::plugin::{Act, Action, Fact, Filter, Stated, StepError};
use crate::state::State;

#[derive(Clone, Copy, Debug)]
enum Op {
    Filter(u32),
    Action {
        action: u32,
        inert: bool,
    },
    /// Stands for a rung of a ladder of comparisons, and those after it.
    Switch {
        switch: u32,
        from: u32,
    },
    /// Stands for a ladder of searches.
    Sieve(u32),
}

#[derive(Clone, Copy, Debug)]
struct Node {
    op: Op,
    pass: u32,
    fail: u32,
    site: u32,
}

/// A step in the configuration: what a node goes back to.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Site {
    /// The chain's label.
    pub chain: String,
    /// The step in it, from 0.
    pub step: usize,
    /// What its module states about it.
    pub facts: Vec<Stated>,
}

impl Site {
    /// The fields that it reads.
    pub fn reads(&self) -> impl Iterator<Item = Slot> {
        self.facts.iter().filter_map(|stated| match stated.fact {
            Fact::Reads(slot) => Some(slot),
            _ => None,
        })
    }

    /// The fields that it saves.
    pub fn saves(&self) -> impl Iterator<Item = Slot> {
        self.facts.iter().filter_map(|stated| match stated.fact {
            Fact::Saves(save) => Some(save.field),
            _ => None,
        })
    }
}

/// The number of a [`Site`] in its workflow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SiteId(u32);

impl SiteId {
    /// For tables with one place for each site.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// A compiled workflow.
pub struct Workflow {
    nodes: Vec<Node>,
    filters: Vec<Box<dyn Filter>>,
    actions: Vec<Box<dyn Action>>,
    sites: Vec<Site>,
    ladders: Ladders,
    buffers: Buffers,
    effects: Vec<Effect>,
}

impl Workflow {
    /// Pushes one record through. What it changes is in `state` and in the observer afterwards.
    pub fn run<O: Observer>(&mut self, record: &mut dyn Record, state: &mut State, observer: &mut O) {
        let Workflow { nodes, filters, actions, sites, ladders, buffers, effects } = self;
        let time = state.believed(record.realtime());
        let mut entry = buffers.entry_at(record, time);
        Ride { nodes, filters, actions, sites, ladders, effects }.run(&mut entry, state, observer);
        observer.finished(&mut entry, state);
    }

    /// Makes it faster, once: filters that ask alike are answered together. What it does stays the same.
    pub fn optimize(&mut self) {
        self.optimize_where(Worth::default());
    }

    /// The same wherever it can be done, worth it or not: for tests.
    #[doc(hidden)]
    pub fn optimize_everywhere(&mut self) {
        self.optimize_where(Worth { switch: 1, sieve: 1 });
    }

    fn optimize_where(&mut self, worth: Worth) {
        if self.ladders.switches.is_empty() && self.ladders.sieves.is_empty() {
            self.ladders = Ladders::of(&mut self.nodes, &self.filters, worth);
        }
    }

    /// The steps of the configuration.
    pub fn sites(&self) -> &[Site] {
        &self.sites
    }

    /// A step.
    pub fn site(&self, site: SiteId) -> &Site {
        &self.sites[site.index()]
    }

    /// All fields that the configuration names.
    pub fn fields(&self) -> &Fields {
        self.buffers.fields()
    }

    /// The fields that entries are asked for.
    pub fn wanted(&self) -> impl Iterator<Item = (Slot, &str)> {
        compile::wanted(self)
    }

    /// The nodes of the graph, in order of their numbers: the step of each, whether that is a filter, and the numbers of
    /// the nodes behind its exits (one that there is not: the way ends). The first node is where entries begin.
    pub fn graph(&self) -> impl Iterator<Item = (SiteId, bool, [u32; 2])> {
        let node =
            |node: &Node| (SiteId(node.site), !matches!(node.op, Op::Action { .. }), [node.pass, node.fail]);
        self.nodes.iter().map(node)
    }

    /// The actions, with their steps: for [`crate::review::inspect`].
    pub(crate) fn actions(&self) -> impl Iterator<Item = (SiteId, &dyn Action)> {
        let mut known = vec![false; self.actions.len()];
        self.nodes.iter().filter_map(move |node| match node.op {
            Op::Action { action, .. } if !std::mem::replace(&mut known[action as usize], true) => {
                Some((SiteId(node.site), &*self.actions[action as usize]))
            }
            _ => None,
        })
    }

    /// How many nodes the graph has.
    pub fn size(&self) -> usize {
        self.nodes.len()
    }
}

/// The parts of a workflow while an entry, which borrows the rest, is on its way.
struct Ride<'w> {
    nodes: &'w [Node],
    filters: &'w mut [Box<dyn Filter>],
    actions: &'w mut [Box<dyn Action>],
    sites: &'w [Site],
    ladders: &'w mut Ladders,
    effects: &'w mut Vec<Effect>,
}

impl Ride<'_> {
    fn run<O: Observer>(&mut self, entry: &mut Entry<'_>, state: &mut State, observer: &mut O) {
        let mut admitted = false;
        let mut at = 0;
        while let Some(node) = self.nodes.get(at as usize) {
            let site = SiteId(node.site);
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
                    let effects = O::EFFECTS.then_some(&mut *self.effects);
                    let result = action.act(&mut Act { entry, state, effects });
                    for effect in self.effects.drain(..) {
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

    /// What a filter's answer means; `None`: the entry may have no consequences, and its way ends.
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
        // Comparisons never err.
        let passing = switch.ask(entry, from).ok().flatten();
        let rungs = &switch.rungs[from as usize..];
        let Some(rung) = passing else {
            self.tell(rungs, entry, observer);
            return switch.beyond;
        };
        let (passed_by, rungs) = rungs.split_at((rung - from) as usize);
        self.tell(passed_by, entry, observer);
        let node = self.nodes[rungs[0] as usize];
        self.stepped(node.site, true, entry, observer);
        node.pass
    }

    /// The observer is told of filters that did not pass.
    fn tell<O: Observer>(&self, rungs: &[u32], entry: &mut Entry<'_>, observer: &mut O) {
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

    /// The node to go on with; `None`: the way ends here.
    fn sieve<O: Observer>(
        &mut self,
        sieve: u32,
        admitted: &mut bool,
        entry: &mut Entry<'_>,
        state: &mut State,
        observer: &mut O,
    ) -> Option<u32> {
        let sieve = sieve as usize;
        // Looking never errs.
        let _ = self.ladders.sieves[sieve].look(entry);
        let mut from = 0;
        loop {
            let found = self.ladders.sieves[sieve].next(from);
            let rungs = &self.ladders.sieves[sieve].rungs;
            let Some(rung) = found else {
                self.tell(&rungs[from as usize..], entry, observer);
                return Some(self.ladders.sieves[sieve].beyond);
            };
            self.tell(&rungs[from as usize..rung as usize], entry, observer);
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

/// Once per entry, and only before something is done or said because of it.
fn admit<O: Observer>(
    admitted: &mut bool,
    observer: &mut O,
    entry: &mut Entry<'_>,
    state: &mut State,
) -> bool {
    *admitted = *admitted || observer.admits(entry, state);
    *admitted
}

/// Errors are told to people with their place.
pub fn describe(site: &Site, error: &StepError) -> String {
    format!("chain `{}`, step {}: {error}", site.chain, site.step)
}
