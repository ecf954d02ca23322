//! Counts something for each step of the configuration, also through reloads.

use std::collections::{BTreeMap, HashSet};

use pyruse_core::workflow::{Site, SiteId};

/// Counts, by chain and step.
pub(super) type Steps = BTreeMap<(String, usize), u64>;

/// A count for each step.
pub(crate) struct Tally {
    /// By the numbers of the sites.
    counts: Vec<u64>,
    /// What was counted with the configurations before this one, of the steps that it still has.
    former: Steps,
}

impl Tally {
    /// Counts nothing yet.
    pub(super) fn of(sites: &[Site]) -> Tally {
        Tally { counts: vec![0; sites.len()], former: Steps::new() }
    }

    pub(super) fn count(&mut self, id: SiteId) {
        self.counts[id.index()] += 1;
    }

    /// Returns the counts that are not 0.
    pub(super) fn by_step(&self, sites: &[Site]) -> Steps {
        let mut steps = self.former.clone();
        for (site, count) in sites.iter().zip(&self.counts).filter(|(_, count)| **count > 0) {
            *steps.entry((site.chain.clone(), site.step)).or_default() += count;
        }
        steps
    }

    /// Returns the counts of all first steps: an entry comes into a chain only there.
    pub(super) fn by_chain(&self, sites: &[Site]) -> BTreeMap<String, u64> {
        let former = self.former.iter().filter(|((_, step), _)| *step == 0);
        let mut chains: BTreeMap<String, u64> =
            former.map(|((chain, _), count)| (chain.clone(), *count)).collect();
        for (site, count) in sites.iter().zip(&self.counts).filter(|(site, _)| site.step == 0) {
            *chains.entry(site.chain.clone()).or_default() += count;
        }
        chains
    }

    /// Goes on with these counts for another configuration, as far as it has the steps.
    pub(super) fn resume(&mut self, mut former: Steps, sites: &[Site]) {
        let steps: HashSet<(&str, usize)> =
            sites.iter().map(|site| (site.chain.as_str(), site.step)).collect();
        former.retain(|(chain, step), _| steps.contains(&(chain.as_str(), *step)));
        *self = Tally { counts: vec![0; sites.len()], former };
    }
}
