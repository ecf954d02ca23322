//! The static workflow: entries are trains on rails, and filters are the switch points.
//!
//! A configuration goes in once; then records go in, and their changes are in the state. No decision that could be made
//! at the start is made per entry: a step is a number, an exit is a number.

mod compile;
mod graph;
mod node;
mod observe;
mod optimize;
mod run;
mod site;
mod ways;

pub(crate) use self::compile::{Compiler, Steps};
pub use self::observe::{EntryEffects, NoObserver, Observer, SkipReason};
pub use self::site::{Site, SiteId, describe};

use jiff::tz::TimeZone;

use self::node::{Node, Op};
use self::optimize::{Ladders, Worth, settle_questions};
use self::run::Run;
use self::ways::Ways;
use crate::effect::Effect;
use crate::entry::{Buffers, EightBit, Fields, Record};
use crate::plugin::{Action, Filter};
use crate::state::State;

/// A compiled workflow.
pub struct Workflow {
    nodes: Vec<Node>,
    filters: Vec<Box<dyn Filter>>,
    actions: Vec<Box<dyn Action>>,
    sites: Vec<Site>,
    ladders: Ladders,
    ways: Ways,
    buffers: Buffers,
    /// The effects of the current entry, and the steps that caused them.
    effects: Vec<Effect>,
    causes: Vec<SiteId>,
}

impl Workflow {
    /// `fields` are all fields that its steps, services and observers read.
    pub(crate) fn new(steps: Steps, fields: Fields, eight_bit: EightBit, zone: TimeZone) -> Workflow {
        let Steps { nodes, filters, actions, sites } = steps;
        Workflow {
            nodes,
            filters,
            actions,
            sites,
            ladders: Ladders::default(),
            ways: Ways::default(),
            buffers: Buffers::new(fields, eight_bit, zone),
            effects: Vec::new(),
            causes: Vec::new(),
        }
    }

    /// Runs one record through the workflow, without gates and watchers: for tests and benches. Changes are in `state`
    /// and in the observer afterwards.
    #[doc(hidden)]
    pub fn run<O: Observer>(&mut self, record: &mut dyn Record, state: &mut State, observer: &mut O) {
        let Workflow { nodes, filters, actions, sites, ladders, ways, buffers, effects, causes } = self;
        let time = state.believed(record.realtime());
        let mut entry = buffers.entry_at(record, time);
        let mut run = Run { nodes, filters, actions, sites, ladders, ways, effects, causes };
        run.run(&mut entry, state, observer);
        observer.finished(&mut entry, state, EntryEffects::new(effects, causes, sites));
        effects.clear();
        causes.clear();
    }

    /// Sets the name of the source that the next records come from.
    pub(crate) fn set_source(&mut self, name: &str) {
        self.buffers.set_source(name);
    }

    /// Makes it faster, once: similar filters are answered together. Its results stay the same.
    pub fn optimize(&mut self) {
        self.optimize_where(Worth::default());
    }

    /// Like [`Workflow::optimize`], wherever it can be done, worth it or not: for tests.
    #[doc(hidden)]
    pub fn optimize_everywhere(&mut self) {
        self.optimize_where(Worth { switch: 1, sieve: 1 });
    }

    fn optimize_where(&mut self, worth: Worth) {
        if self.ladders.switches.is_empty() && self.ladders.sieves.is_empty() {
            self.ladders = Ladders::of(&mut self.nodes, &self.filters, worth);
            settle_questions(&mut self.nodes, &self.filters, &self.ladders, self.buffers.fields());
        }
    }

    /// Returns the steps of the configuration.
    pub fn sites(&self) -> &[Site] {
        &self.sites
    }

    /// Returns a step.
    pub fn site(&self, site: SiteId) -> &Site {
        &self.sites[site.index()]
    }

    /// Returns all fields that the configuration names.
    pub fn fields(&self) -> &Fields {
        self.buffers.fields()
    }

    /// Returns the nodes of the graph, in order of their numbers: the step of each, whether it is a filter, and the
    /// numbers of the nodes after its exits (a number without a node means that the path ends). Entries begin at the
    /// first node.
    pub fn graph(&self) -> impl Iterator<Item = (SiteId, bool, [u32; 2])> {
        let node =
            |node: &Node| (SiteId(node.site), !matches!(node.op, Op::Action { .. }), [node.pass, node.fail]);
        self.nodes.iter().map(node)
    }

    /// Returns the actions, with their steps: for [`crate::review::inspect`].
    pub(crate) fn actions(&self) -> impl Iterator<Item = (SiteId, &dyn Action)> {
        let mut known = vec![false; self.actions.len()];
        self.nodes.iter().filter_map(move |node| match node.op {
            Op::Action { action, .. } if !std::mem::replace(&mut known[action as usize], true) => {
                Some((SiteId(node.site), &*self.actions[action as usize]))
            }
            _ => None,
        })
    }

    /// Returns the number of nodes of the graph: for tests.
    #[doc(hidden)]
    pub fn size(&self) -> usize {
        self.nodes.len()
    }
}
