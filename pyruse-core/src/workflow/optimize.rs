//! A pass over the compiled graph that turns each ladder of similar predicates into one predicate.
//!
//! Configurations ask about the same field again and again, chain after chain: is SYSLOG_IDENTIFIER `sshd`? else
//! `nginx`? else …; and does MESSAGE match this expression, or else that one? Each ladder of filters that are linked by
//! their `fail` exits gets its own node in front:
//!
//! - a [`Switch`] stands for comparisons with values: one look-up finds the first rung that passes;
//! - a [`Sieve`] stands for searches: one scan of the text finds which rungs can pass at all; these are run as usual.
//!
//! The results are the same for the entry, the state and the observer, which gets a report of every rung that was
//! skipped. Filters state their predicate themselves ([`Filter::predicate`]); one that states none is run as it is.

use std::collections::HashMap;

use super::graph::STOP;
use super::node::{Node, Op};
use crate::entry::StepError;
use crate::entry::{Entry, Fields, Slot, Value};
use crate::frozen::Frozen;
use crate::pattern::Candidates;
use crate::plugin::{Filter, Predicate};

/// The thresholds above which a ladder gets its own node.
#[derive(Clone, Copy, Debug)]
pub(super) struct Worth {
    /// Shorter ladders of comparisons are run as they are; at least 1.
    pub(super) switch: usize,
    /// Ladders with fewer expressions are run as they are.
    pub(super) sieve: usize,
}

impl Default for Worth {
    fn default() -> Worth {
        Worth { switch: 3, sieve: 8 }
    }
}

/// The rungs of a ladder that pass for one value, in order.
type Rungs = Box<[u32]>;

/// A ladder of comparisons of one field.
pub(super) struct Switch {
    field: Slot,
    texts: Frozen<Box<[u8]>, Rungs>,
    integers: Frozen<i64, Rungs>,
    /// The rungs that pass if the field is missing.
    missing: Rungs,
    /// The nodes of the rungs.
    pub(super) rungs: Box<[u32]>,
    /// The node after the `fail` exit of the last rung.
    pub(super) beyond: u32,
}

impl Switch {
    /// Returns the first rung, at `from` or later, that passes.
    pub(super) fn ask(&self, entry: &mut Entry<'_>, from: u32) -> Result<Option<u32>, StepError> {
        let mut first = u32::MAX;
        let found = entry.any(self.field, |value| {
            let rungs = match value {
                Value::Text(text) => self.texts.get(text.as_bytes()),
                Value::Integer(integer) => self.integers.get(&integer),
                Value::Time(_) => None,
            };
            first = first.min(at_or_above(rungs, from));
            // No other element of the field can pass earlier.
            Ok(first == from)
        })?;
        if found.is_none() {
            first = at_or_above(Some(&self.missing), from);
        }
        Ok((first != u32::MAX).then_some(first))
    }
}

fn at_or_above(rungs: Option<&Rungs>, from: u32) -> u32 {
    let passing = rungs.map_or(&[][..], |rungs| rungs);
    passing.get(passing.partition_point(|rung| *rung < from)).copied().unwrap_or(u32::MAX)
}

/// A ladder of searches in one field.
pub(super) struct Sieve {
    field: Slot,
    candidates: Candidates,
    /// The rung of each expression.
    rung_of: Vec<u32>,
    /// The nodes of the rungs.
    pub(super) rungs: Box<[u32]>,
    /// The node after the `fail` exit of the last rung.
    pub(super) beyond: u32,
}

impl Sieve {
    /// Scans the field for all expressions at once.
    pub(super) fn look(&mut self, entry: &mut Entry<'_>) -> Result<(), StepError> {
        let Sieve { field, candidates, .. } = self;
        candidates.clear();
        entry.find_text(*field, |text| {
            candidates.inspect_set(text);
            Ok(false)
        })?;
        Ok(())
    }

    /// Returns the first rung, at `from` or later, that can pass.
    pub(super) fn next(&self, from: u32) -> Option<u32> {
        let mut at = self.rung_of.partition_point(|rung| *rung < from);
        at = self.candidates.next(at)?;
        self.rung_of.get(at).copied()
    }
}

/// The ladders of a graph, each turned into one predicate.
#[derive(Default)]
pub(super) struct Ladders {
    pub(super) switches: Vec<Switch>,
    pub(super) sieves: Vec<Sieve>,
}

impl Ladders {
    /// Finds the ladders of a graph, and adds nodes for them to it.
    pub(super) fn of(nodes: &mut Vec<Node>, filters: &[Box<dyn Filter>], worth: Worth) -> Ladders {
        let mut ladders = Ladders::default();
        let asked: Vec<Option<Predicate<'_>>> = nodes.iter().map(|node| predicate(node, filters)).collect();
        let alike = |at: u32, other: u32| {
            let [a, b] = [at, other].map(|n| asked.get(n as usize).and_then(Option::as_ref));
            a.zip(b).is_some_and(|(a, b)| a.is_like(b))
        };
        // A rung after the `fail` exit of another rung is not the head of a ladder, even if other paths enter there.
        let mut is_rung = vec![false; nodes.len()];
        for (at, node) in (0..).zip(nodes.iter()) {
            if node.fail != STOP && alike(at, node.fail) {
                is_rung[node.fail as usize] = true;
            }
        }
        // Exits that lead to a node must lead to the node that stands for it.
        let mut instead: HashMap<u32, u32> = HashMap::new();
        let mut added = Vec::new();
        let mut taken = vec![false; nodes.len()];
        for head in (0..).zip(&is_rung).filter(|(_, is_rung)| !**is_rung).map(|(at, _): (u32, _)| at) {
            let mut rungs = vec![head];
            let mut beyond = nodes[head as usize].fail;
            // Two ladders may lead into a third one: its rungs belong to the first of them.
            while beyond != STOP && alike(head, beyond) && !taken[beyond as usize] {
                taken[beyond as usize] = true;
                rungs.push(beyond);
                beyond = nodes[beyond as usize].fail;
            }
            let predicates: Vec<&Predicate<'_>> =
                rungs.iter().filter_map(|at| asked[*at as usize].as_ref()).collect();
            let first = number(nodes.len() + added.len());
            let site = nodes[head as usize].site;
            let node = |op| Node { op, pass: STOP, fail: STOP, site, asks: None };
            match predicates.first() {
                Some(Predicate::Equals { field, .. }) if rungs.len() >= worth.switch => {
                    let switch = number(ladders.switches.len());
                    // A path may enter at any rung; the last rungs are as fast without a node of their own.
                    for (at, rung) in (0..).zip(&rungs[..=rungs.len() - worth.switch]) {
                        instead.insert(*rung, first + at);
                        added.push(node(Op::Switch { switch, from: at }));
                    }
                    ladders.switches.push(switch_of(*field, &predicates, rungs.into(), beyond));
                }
                Some(Predicate::Finds { field, .. }) => {
                    let (rung_of, patterns): (Vec<u32>, Vec<_>) = (0..)
                        .zip(&predicates)
                        .flat_map(|(rung, predicate)| predicate.patterns().iter().map(move |p| (rung, *p)))
                        .unzip();
                    if rung_of.len() < worth.sieve {
                        continue;
                    }
                    let candidates = Candidates::new(patterns);
                    if !candidates.are_told_apart() {
                        continue;
                    }
                    instead.insert(head, first);
                    added.push(node(Op::Sieve(number(ladders.sieves.len()))));
                    let rungs = rungs.into();
                    ladders.sieves.push(Sieve { field: *field, candidates, rung_of, rungs, beyond });
                }
                _ => {}
            }
        }
        ladders.redirect(nodes, added, &instead);
        ladders
    }

    fn redirect(&mut self, nodes: &mut Vec<Node>, added: Vec<Node>, instead: &HashMap<u32, u32>) {
        if added.is_empty() {
            return;
        }
        nodes.extend(added);
        let to = |exit: &mut u32| *exit = instead.get(exit).copied().unwrap_or(*exit);
        for node in nodes.iter_mut() {
            to(&mut node.pass);
            to(&mut node.fail);
        }
        self.switches.iter_mut().for_each(|switch| to(&mut switch.beyond));
        self.sieves.iter_mut().for_each(|sieve| to(&mut sieve.beyond));
        // An entry starts at the first node.
        if let Some(start) = instead.get(&0) {
            let start = nodes[*start as usize];
            let moved = std::mem::replace(&mut nodes[0], start);
            nodes.push(moved);
            let at = number(nodes.len() - 1);
            for rungs in self
                .switches
                .iter_mut()
                .map(|switch| &mut switch.rungs)
                .chain(self.sieves.iter_mut().map(|sieve| &mut sieve.rungs))
            {
                rungs.iter_mut().filter(|rung| **rung == 0).for_each(|rung| *rung = at);
            }
        }
    }
}

/// Sets which nodes only ask for the values of one field.
pub(super) fn settle_questions(
    nodes: &mut [Node],
    filters: &[Box<dyn Filter>],
    ladders: &Ladders,
    fields: &Fields,
) {
    for node in nodes {
        let field = match node.op {
            Op::Filter(filter) => filters[filter as usize].depends_on(),
            Op::Switch { switch, .. } => Some(ladders.switches[switch as usize].field),
            Op::Sieve(_) | Op::Action { .. } => None,
        };
        // Where and when an entry was written is its own.
        node.asks = field.filter(|field| fields.address(*field).is_none());
    }
}

fn number(n: usize) -> u32 {
    u32::try_from(n).expect("a graph has fewer than 2^32 nodes")
}

fn predicate<'f>(node: &Node, filters: &'f [Box<dyn Filter>]) -> Option<Predicate<'f>> {
    match node.op {
        Op::Filter(filter) => filters[filter as usize].predicate(),
        _ => None,
    }
}

fn switch_of(field: Slot, predicates: &[&Predicate<'_>], rungs: Box<[u32]>, beyond: u32) -> Switch {
    let mut by_text: HashMap<&str, Vec<u32>> = HashMap::new();
    let mut by_integer: HashMap<i64, Vec<u32>> = HashMap::new();
    let mut of_missing = Vec::new();
    for (rung, predicate) in (0..).zip(predicates) {
        let Predicate::Equals { texts, integers, missing, .. } = predicate else { continue };
        for text in texts {
            by_text.entry(text).or_default().push(rung);
        }
        for integer in integers {
            by_integer.entry(*integer).or_default().push(rung);
        }
        if *missing {
            of_missing.push(rung);
        }
    }
    let sorted = |mut rungs: Vec<u32>| -> Rungs {
        rungs.dedup();
        rungs.into()
    };
    Switch {
        field,
        texts: Frozen::new(by_text.into_iter().map(|(text, rungs)| (text.as_bytes().into(), sorted(rungs)))),
        integers: Frozen::new(by_integer.into_iter().map(|(integer, rungs)| (integer, sorted(rungs)))),
        missing: of_missing.into(),
        rungs,
        beyond,
    }
}
