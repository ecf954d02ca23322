//! The graph, and what holds along its paths.
//!
//! A *track* is a statement about an entry in the workflow ("nothing has asked yet who wrote it"), with its truth at
//! the start and the exits of nodes where it changes. [`Flow::spread`] finds, for each node, whether there is a path on
//! which the statement holds there. It takes one pass over the nodes, each before its successors, for 64 tracks at a
//! time. (The graph has no loops: the linker refuses them.)

use std::collections::VecDeque;

use crate::workflow::Workflow;

/// The exit by which a node is left. Actions have only one, which is the first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Exit {
    Pass,
    Fail,
}

/// The nodes of a workflow, in a useful order.
pub(super) struct Flow {
    /// Where each exit leads; a number beyond the last node means that the path ends.
    next: Vec<[u32; 2]>,
    filters: Vec<bool>,
    sites: Vec<u32>,
    /// The reachable nodes, each before its successors.
    order: Vec<u32>,
    /// The nodes of each site: all in one list, and the start of each site in it.
    of_sites: (Vec<u32>, Vec<usize>),
}

/// A statement, and how it changes along the paths.
#[derive(Default)]
pub(super) struct Track {
    pub(super) at_start: bool,
    /// If there are several at one exit, the last one counts.
    pub(super) changes: Vec<(u32, Exit, bool)>,
}

/// The values of a track at all nodes.
pub(super) struct Spread<'f> {
    flow: &'f Flow,
    at: &'f [u64],
    effects: &'f [Effect],
    bit: u64,
}

#[derive(Clone, Copy, Default)]
struct Effect {
    set: [u64; 2],
    cleared: [u64; 2],
}

impl Effect {
    fn through(self, exit: usize, bits: u64) -> u64 {
        (bits & !self.cleared[exit]) | self.set[exit]
    }
}

/// The use of a field, for [`Flow::live`].
#[derive(Default)]
pub(super) struct Use {
    pub(super) readers: Vec<u32>,
    /// Exits after which the previous value is gone.
    pub(super) overwritten: Vec<(u32, Exit)>,
}

impl Flow {
    pub(super) fn new(workflow: &Workflow) -> Flow {
        let (mut next, mut filters, mut sites) = (Vec::new(), Vec::new(), Vec::new());
        for (site, is_filter, exits) in workflow.graph() {
            next.push(exits);
            filters.push(is_filter);
            sites.push(u32::try_from(site.index()).unwrap_or(u32::MAX));
        }
        let order = in_order(&next);
        let mut starts = vec![0; workflow.sites().len() + 1];
        for node in &order {
            starts[sites[*node as usize] as usize + 1] += 1;
        }
        for n in 1..starts.len() {
            starts[n] += starts[n - 1];
        }
        let mut places = starts.clone();
        let mut nodes = vec![0; order.len()];
        for node in &order {
            let place = &mut places[sites[*node as usize] as usize];
            nodes[*place] = *node;
            *place += 1;
        }
        Flow { next, filters, sites, order, of_sites: (nodes, starts) }
    }

    /// Returns the reachable nodes of a site.
    pub(super) fn nodes_of(&self, site: usize) -> &[u32] {
        let (nodes, starts) = &self.of_sites;
        &nodes[starts[site]..starts[site + 1]]
    }

    pub(super) fn is_filter(&self, node: u32) -> bool {
        self.filters[node as usize]
    }

    pub(super) fn site(&self, node: u32) -> usize {
        self.sites[node as usize] as usize
    }

    /// Returns the node after an exit, if the path does not end there.
    pub(super) fn behind(&self, node: u32, exit: Exit) -> Option<u32> {
        let next = self.next[node as usize][exit as usize];
        ((next as usize) < self.next.len()).then_some(next)
    }

    /// Returns the exits of a node.
    fn exits(&self, node: u32) -> &'static [Exit] {
        if self.is_filter(node) { &[Exit::Pass, Exit::Fail] } else { &[Exit::Pass] }
    }

    /// Calls `see` with the values of each track at all nodes, one track after the other.
    pub(super) fn spread(&self, tracks: &[Track], mut see: impl FnMut(usize, &Spread<'_>)) {
        let mut at = vec![0_u64; self.next.len()];
        let mut effects = vec![Effect::default(); self.next.len()];
        for (chunk, tracks) in tracks.chunks(64).enumerate() {
            at.fill(0);
            for (n, track) in tracks.iter().enumerate() {
                let bit = 1 << n;
                if let (true, Some(start)) = (track.at_start, at.first_mut()) {
                    *start |= bit;
                }
                for (node, exit, holds) in &track.changes {
                    let Effect { set, cleared } = &mut effects[*node as usize];
                    let (to, from) = if *holds { (set, cleared) } else { (cleared, set) };
                    to[*exit as usize] |= bit;
                    from[*exit as usize] &= !bit;
                }
            }
            for node in &self.order {
                for exit in self.exits(*node) {
                    if let Some(next) = self.behind(*node, *exit) {
                        let bits = effects[*node as usize].through(*exit as usize, at[*node as usize]);
                        at[next as usize] |= bits;
                    }
                }
            }
            for n in 0..tracks.len() {
                see(chunk * 64 + n, &Spread { flow: self, at: &at, effects: &effects, bit: 1 << n });
            }
            for (node, ..) in tracks.iter().flat_map(|track| &track.changes) {
                effects[*node as usize] = Effect::default();
            }
        }
    }

    /// Calls `see` for each field in turn, with a function that says whether the field is still read after an exit
    /// before it is overwritten.
    pub(super) fn live(&self, uses: &[Use], mut see: impl FnMut(usize, &dyn Fn(u32, Exit) -> bool)) {
        let mut at = vec![0_u64; self.next.len()];
        let mut gone = vec![[0_u64; 2]; self.next.len()];
        for (chunk, uses) in uses.chunks(64).enumerate() {
            at.fill(0);
            for (n, field) in uses.iter().enumerate() {
                let bit = 1 << n;
                field.readers.iter().for_each(|node| at[*node as usize] |= bit);
                field.overwritten.iter().for_each(|(node, exit)| gone[*node as usize][*exit as usize] |= bit);
            }
            for node in self.order.iter().rev() {
                for exit in self.exits(*node) {
                    if let Some(next) = self.behind(*node, *exit) {
                        at[*node as usize] |= at[next as usize] & !gone[*node as usize][*exit as usize];
                    }
                }
            }
            for n in 0..uses.len() {
                let is_live = |node: u32, exit: Exit| {
                    self.behind(node, exit).is_some_and(|next| at[next as usize] & 1 << n != 0)
                };
                see(chunk * 64 + n, &is_live);
            }
            for (node, _) in uses.iter().flat_map(|field| &field.overwritten) {
                gone[*node as usize] = [0; 2];
            }
        }
    }
}

/// Returns the nodes that the first one leads to, each before its successors.
fn in_order(next: &[[u32; 2]]) -> Vec<u32> {
    let mut seen = vec![false; next.len()];
    let mut done = Vec::with_capacity(next.len());
    // Our own stack: chains may jump a hundred thousand deep.
    let mut path: Vec<(u32, usize)> = Vec::new();
    if !next.is_empty() {
        seen[0] = true;
        path.push((0, 0));
    }
    while let Some((node, exit)) = path.last_mut() {
        let Some(to) = next[*node as usize].get(*exit).copied() else {
            done.push(*node);
            path.pop();
            continue;
        };
        *exit += 1;
        if let Some(seen) = seen.get_mut(to as usize).filter(|seen| !**seen) {
            *seen = true;
            path.push((to, 0));
        }
    }
    done.reverse();
    done
}

impl Spread<'_> {
    /// Returns `true` if there is a path to this node on which the statement holds there.
    pub(super) fn holds(&self, node: u32) -> bool {
        self.at[node as usize] & self.bit != 0
    }

    /// Returns a shortest path to this node on which the statement holds there: its nodes, and the exit by which each
    /// is left.
    pub(super) fn path(&self, goal: u32) -> Vec<(u32, Exit)> {
        let count = self.flow.next.len();
        // Each node is visited in two states: with the statement true, and with it false.
        let mut came: Vec<Option<(u32, Exit, bool)>> = vec![None; 2 * count];
        let mut seen = vec![false; 2 * count];
        let place = |node: u32, holds: bool| 2 * node as usize + usize::from(holds);
        let start = self.flow.order.first().copied().unwrap_or(0);
        let started = self.starts_held();
        let mut waiting = VecDeque::from([(start, started)]);
        seen[place(start, started)] = true;
        while let Some((node, holds)) = waiting.pop_front() {
            if (node, holds) == (goal, true) {
                break;
            }
            for exit in self.flow.exits(node) {
                let Some(next) = self.flow.behind(node, *exit) else { continue };
                let bits = if holds { self.bit } else { 0 };
                let then = self.effects[node as usize].through(*exit as usize, bits) & self.bit != 0;
                if !std::mem::replace(&mut seen[place(next, then)], true) {
                    came[place(next, then)] = Some((node, *exit, holds));
                    waiting.push_back((next, then));
                }
            }
        }
        let (mut path, mut at) = (Vec::new(), (goal, true));
        while let Some((node, exit, holds)) = came[place(at.0, at.1)] {
            path.push((node, exit));
            at = (node, holds);
        }
        path.reverse();
        path
    }

    fn starts_held(&self) -> bool {
        // Nothing leads to the first node, so its value is the one at the start.
        self.at.first().is_some_and(|bits| bits & self.bit != 0)
    }
}
