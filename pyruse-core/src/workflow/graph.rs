//! Links chains to one graph of nodes.
//!
//! For each step, the input has its kind and the chains it jumps to. The output is a flat list of nodes whose exits are
//! node numbers. Nothing here knows a module.
//!
//! A chain that is the target of a jump continues, at its dangling exits, where the top-level chain of its caller
//! continues. So the pair (chain, continuation) determines what a chain compiles to; the chain is compiled once for
//! each such pair, and a chain that never dangles needs only one. That keeps the graph linear, however the jumps are
//! woven.

use std::collections::HashMap;

/// The number of no node: the path ends here.
pub const STOP: u32 = u32::MAX;

/// A step, as linking sees it; links are numbers of chains.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Whether it has two exits, and not one.
    pub is_filter: bool,
    /// The explicit `then`.
    pub then: Option<usize>,
    /// The explicit `else`.
    pub otherwise: Option<usize>,
}

/// A node: a step of a chain with both exits. An action's exits are the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Link {
    /// The chain.
    pub chain: u32,
    /// The step in it.
    pub step: u32,
    /// The node to continue with when a filter passes, or after an action; or [`STOP`].
    pub pass: u32,
    /// The node to continue with when a filter does not pass; or [`STOP`].
    pub fail: u32,
}

/// The linked graph.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Graph {
    /// All nodes; an entry starts at the first.
    pub nodes: Vec<Link>,
    /// The top-level chains, in order.
    pub top_level: Vec<usize>,
}

/// A loop: each chain jumps to the next, the last to the first; with the step that jumps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loop(pub Vec<(usize, usize)>);

/// Returns the steps of a chain that can run: an explicit `then` ends its chain.
pub fn live(chain: &[Shape]) -> &[Shape] {
    let end = chain.iter().position(|step| step.then.is_some()).map_or(chain.len(), |at| at + 1);
    &chain[..end]
}

/// Links the chains; if there are loops, returns all of them instead.
pub fn link(chains: &[Vec<Shape>]) -> Result<Graph, Vec<Loop>> {
    let order = callees_first(chains)?;
    let dangles = dangling(chains, &order);
    let top_level = top_level(chains);
    let mut linker = Linker {
        chains,
        dangles,
        top_level,
        nodes: Vec::new(),
        instances: HashMap::new(),
        unlinked: Vec::new(),
    };
    linker.top(0);
    while let Some((base, chain, continuation)) = linker.unlinked.pop() {
        linker.link_chain(base, chain, continuation);
    }
    Ok(Graph { nodes: linker.nodes, top_level: linker.top_level })
}

fn jumps(chain: &[Shape]) -> impl Iterator<Item = (usize, usize)> {
    let steps = live(chain).iter().enumerate();
    steps.flat_map(|(n, step)| [step.then, step.otherwise].into_iter().flatten().map(move |to| (n, to)))
}

/// A chain on the path from the root: its number, its jumps, and how many of them have been followed.
type Visit = (usize, Vec<(usize, usize)>, usize);

/// Returns all chains, each after those that it jumps to.
fn callees_first(chains: &[Vec<Shape>]) -> Result<Vec<usize>, Vec<Loop>> {
    #[derive(Clone, Copy, PartialEq)]
    enum Mark {
        New,
        Open,
        Done,
    }
    let mut marks = vec![Mark::New; chains.len()];
    let mut order = Vec::with_capacity(chains.len());
    let mut loops = Vec::new();
    for root in 0..chains.len() {
        if marks[root] != Mark::New {
            continue;
        }
        // Our own stack: chains may jump thousands deep.
        let mut path: Vec<Visit> = vec![(root, jumps(&chains[root]).collect(), 0)];
        marks[root] = Mark::Open;
        while let Some((chain, targets, next)) = path.last_mut() {
            let Some((_, target)) = targets.get(*next).copied() else {
                marks[*chain] = Mark::Done;
                order.push(*chain);
                path.pop();
                continue;
            };
            *next += 1;
            match marks[target] {
                Mark::Done => {}
                Mark::New => {
                    marks[target] = Mark::Open;
                    path.push((target, jumps(&chains[target]).collect(), 0));
                }
                Mark::Open => {
                    let start = path.iter().position(|(chain, ..)| *chain == target).unwrap_or(0);
                    let way =
                        path[start..].iter().map(|(chain, targets, next)| (*chain, targets[*next - 1].0));
                    loops.push(Loop(way.collect()));
                }
            }
        }
    }
    if loops.is_empty() { Ok(order) } else { Err(loops) }
}

/// Returns for each chain whether it, or a chain that it jumps to, has a dangling exit.
fn dangling(chains: &[Vec<Shape>], callees_first: &[usize]) -> Vec<bool> {
    let mut dangles = vec![false; chains.len()];
    for &chain in callees_first {
        let steps = live(&chains[chain]);
        dangles[chain] = steps.iter().enumerate().any(|(n, step)| {
            let open_else = step.is_filter && step.otherwise.is_none();
            let open_end = step.is_filter && step.then.is_none() && n + 1 == steps.len();
            let inherited = [step.then, step.otherwise].into_iter().flatten().any(|to| dangles[to]);
            open_else || open_end || inherited
        });
    }
    dangles
}

/// Returns the labels in file order, without those that a jump had already reached when their turn came.
fn top_level(chains: &[Vec<Shape>]) -> Vec<usize> {
    let mut reached = vec![false; chains.len()];
    let mut top = Vec::new();
    for chain in 0..chains.len() {
        if reached[chain] {
            continue;
        }
        top.push(chain);
        let mut unvisited = vec![chain];
        while let Some(chain) = unvisited.pop() {
            for (_, target) in jumps(&chains[chain]) {
                if !reached[target] {
                    reached[target] = true;
                    unvisited.push(target);
                }
            }
        }
    }
    top
}

struct Linker<'c> {
    chains: &'c [Vec<Shape>],
    dangles: Vec<bool>,
    top_level: Vec<usize>,
    nodes: Vec<Link>,
    instances: HashMap<(usize, usize), u32>,
    unlinked: Vec<(u32, usize, usize)>,
}

impl Linker<'_> {
    /// Returns the first node of the n-th top-level chain.
    fn top(&mut self, n: usize) -> u32 {
        match self.top_level.get(n) {
            Some(&chain) => self.instance(chain, n + 1),
            None => STOP,
        }
    }

    /// Returns the first node of a chain whose dangling exits lead to the `continuation`-th top-level chain.
    fn instance(&mut self, chain: usize, continuation: usize) -> u32 {
        let continuation = if self.dangles[chain] { continuation } else { usize::MAX };
        if let Some(base) = self.instances.get(&(chain, continuation)) {
            return *base;
        }
        let steps = live(&self.chains[chain]).len();
        if steps == 0 {
            return STOP;
        }
        let number = |n: usize| u32::try_from(n).expect("a graph has fewer than 2^32 nodes");
        let base = number(self.nodes.len());
        let nodes =
            (0..steps).map(|n| Link { chain: number(chain), step: number(n), pass: STOP, fail: STOP });
        self.nodes.extend(nodes);
        self.instances.insert((chain, continuation), base);
        self.unlinked.push((base, chain, continuation));
        base
    }

    fn link_chain(&mut self, base: u32, chain: usize, continuation: usize) {
        let chains = self.chains;
        let steps = live(&chains[chain]);
        for (node, (n, step)) in (base..).zip(steps.iter().enumerate()) {
            let is_last = n + 1 == steps.len();
            let pass = match step.then {
                Some(target) => self.instance(target, continuation),
                None if !is_last => node + 1,
                None if step.is_filter => self.top(continuation),
                None => STOP,
            };
            let fail = match step.otherwise {
                _ if !step.is_filter => pass,
                Some(target) => self.instance(target, continuation),
                None => self.top(continuation),
            };
            let link = &mut self.nodes[node as usize];
            (link.pass, link.fail) = (pass, fail);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filter(then: Option<usize>, otherwise: Option<usize>) -> Shape {
        Shape { is_filter: true, then, otherwise }
    }

    fn action(then: Option<usize>) -> Shape {
        Shape { is_filter: false, then, otherwise: None }
    }

    fn walk(graph: &Graph, mut passes: impl FnMut(usize, usize) -> bool) -> Vec<(usize, usize)> {
        let mut way = Vec::new();
        let mut at = 0;
        while at != STOP {
            let node = graph.nodes[at as usize];
            let place = (node.chain as usize, node.step as usize);
            way.push(place);
            at = if passes(place.0, place.1) { node.pass } else { node.fail };
        }
        way
    }

    #[test]
    fn a_dangling_exit_leads_to_the_next_top_level_chain() {
        let graph = link(&[vec![filter(None, None), action(None)], vec![action(None)]]).unwrap();
        assert_eq!(walk(&graph, |_, _| true), [(0, 0), (0, 1)]);
        assert_eq!(walk(&graph, |chain, _| chain != 0), [(0, 0), (1, 0)]);
    }

    #[test]
    fn a_jump_chain_used_from_two_chains_has_two_continuations() {
        // 0: filter else 2; 1: filter else 2; 2 (jump): filter; 3: action
        let chains = [
            vec![filter(None, Some(2))],
            vec![filter(None, Some(2))],
            vec![filter(None, None)],
            vec![action(None)],
        ];
        let graph = link(&chains).unwrap();
        assert_eq!(graph.top_level, [0, 1, 3]);
        assert_eq!(walk(&graph, |_, _| false), [(0, 0), (2, 0), (1, 0), (2, 0), (3, 0)]);
    }

    #[test]
    fn a_chain_above_its_first_caller_is_top_level_and_can_be_jumped_to() {
        let chains = [vec![filter(None, None)], vec![filter(Some(0), None)], vec![action(None)]];
        let graph = link(&chains).unwrap();
        assert_eq!(graph.top_level, [0, 1, 2]);
        assert_eq!(walk(&graph, |_, _| true), [(0, 0), (1, 0), (0, 0), (2, 0)]);
    }

    #[test]
    fn steps_behind_a_then_are_never_reached() {
        let chains = [vec![action(Some(1)), action(Some(2))], vec![action(None)], vec![action(None)]];
        let graph = link(&chains).unwrap();
        assert_eq!(graph.top_level, [0, 2]);
        assert_eq!(graph.nodes.len(), 2, "nothing dangles, so nothing reaches the last chain");
    }

    #[test]
    fn a_ladder_of_60_two_way_jump_chains_is_linear() {
        let mut chains: Vec<Vec<Shape>> = (0..60).map(|n| vec![filter(Some(n + 1), Some(n + 1))]).collect();
        chains.push(vec![filter(None, None)]);
        assert_eq!(link(&chains).unwrap().nodes.len(), 61);
    }

    #[test]
    fn chains_that_jump_100_000_deep_do_not_overflow_the_stack() {
        let mut chains: Vec<Vec<Shape>> = (0..100_000).map(|n| vec![filter(Some(n + 1), None)]).collect();
        chains.push(vec![action(None)]);
        assert_eq!(link(&chains).unwrap().nodes.len(), 100_001);
    }

    #[test]
    fn a_loop_is_found_with_the_steps_that_make_it() {
        let chains = [vec![filter(None, None), filter(Some(1), None)], vec![filter(None, Some(0))]];
        assert_eq!(link(&chains), Err(vec![Loop(vec![(0, 1), (1, 0)])]));
        assert_eq!(link(&[vec![action(Some(0))]]), Err(vec![Loop(vec![(0, 0)])]));
    }
}
