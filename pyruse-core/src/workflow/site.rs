//! The steps of the configuration, as the nodes of the graph refer to them.

use crate::entry::{Slot, StepError};
use crate::plugin::fact::{Fact, Stated};

/// A step in the configuration, to which nodes refer.
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
    /// Returns the fields that it reads.
    pub fn reads(&self) -> impl Iterator<Item = Slot> {
        self.facts.iter().filter_map(|stated| match stated.fact {
            Fact::Reads(slot) => Some(slot),
            _ => None,
        })
    }

    /// Returns the fields that it saves.
    pub fn saves(&self) -> impl Iterator<Item = Slot> {
        self.facts.iter().filter_map(|stated| match stated.fact {
            Fact::Saves(save) => Some(save.field),
            _ => None,
        })
    }
}

/// The number of a [`Site`] in its workflow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SiteId(pub(super) u32);

impl SiteId {
    /// Returns its index, for tables with one place for each site.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// Formats an error with its position, for people.
pub fn describe(site: &Site, error: &StepError) -> String {
    format!("chain `{}`, step {}: {error}", site.chain, site.step)
}
