//! The static workflow: a train on rails, where the filters are the switch points.
//!
//! A configuration goes in once ([`Compiler`]); then records go in, and what they leave is in the state. No decision
//! that could have been taken at the start is taken per entry: a step is a number, an exit is a number.

mod compile;
mod graph;
mod observe;

pub use self::compile::Compiler;
pub use self::observe::{Observer, Unobserved};

use self::graph::STOP;
use crate::effect::Effect;
use crate::entry::{Buffers, Entry, Fields, Record, Slot};
use crate::plugin::{Act, Action, Filter, StepError, Touch};
use crate::state::State;

#[derive(Clone, Copy, Debug)]
enum Op {
    Filter(u32),
    Action { action: u32, inert: bool },
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
pub struct Site {
    /// The chain's label.
    pub chain: String,
    /// The step in it, from 0.
    pub step: usize,
    /// The fields that it reads and saves.
    pub touches: Vec<Touch>,
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
    buffers: Buffers,
    effects: Vec<Effect>,
}

impl Workflow {
    /// Pushes one record through. What it changes is in `state` and in the observer afterwards.
    pub fn run<O: Observer>(&mut self, record: &mut dyn Record, state: &mut State, observer: &mut O) {
        let Workflow { nodes, filters, actions, sites, buffers, effects } = self;
        let mut entry = buffers.entry(record);
        Ride { nodes, filters, actions, sites, effects }.run(&mut entry, state, observer);
        observer.finished(&mut entry, state);
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
    effects: &'w mut Vec<Effect>,
}

impl Ride<'_> {
    fn run<O: Observer>(&mut self, entry: &mut Entry<'_>, state: &mut State, observer: &mut O) {
        let mut admitted = false;
        let mut at = 0;
        while let Some(node) = self.nodes.get(at as usize) {
            let site = SiteId(node.site);
            observer.enter(site, &self.sites[site.index()], entry);
            let passed = match node.op {
                Op::Filter(filter) => match self.filters[filter as usize].passes(entry) {
                    Ok(passed) => passed,
                    Err(error) => {
                        if !admit(&mut admitted, observer, entry, state) {
                            return;
                        }
                        observer.error(site, &self.sites[site.index()], entry, &error);
                        false
                    }
                },
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
                        observer.step(site, &self.sites[site.index()], entry, false);
                        observer.error(site, &self.sites[site.index()], entry, &error);
                        return;
                    }
                    true
                }
            };
            observer.step(site, &self.sites[site.index()], entry, passed);
            at = if passed { node.pass } else { node.fail };
        }
        debug_assert!(at == STOP || self.nodes.is_empty());
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
