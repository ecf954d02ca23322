//! A node of the graph: what runs there, and the numbers of the nodes after its exits.

use crate::entry::Slot;

#[derive(Clone, Copy, Debug)]
pub(super) enum Op {
    Filter(u32),
    Action {
        action: u32,
        inert: bool,
    },
    /// Stands for a rung of a ladder of comparisons, and for all rungs after it.
    Switch {
        switch: u32,
        from: u32,
    },
    /// Stands for a ladder of searches.
    Sieve(u32),
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Node {
    pub(super) op: Op,
    pub(super) pass: u32,
    pub(super) fail: u32,
    pub(super) site: u32,
    /// The field whose values alone decide which exit is taken, if so; see [`super::ways`].
    pub(super) asks: Option<Slot>,
}
