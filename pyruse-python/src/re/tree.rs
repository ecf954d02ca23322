//! From an expression to the tree that engines can run: one step after the other, in the order in which Python reports
//! errors.

use super::analysis::check_size;
use super::ast::Node;
use super::error::PatternError;
use super::look_behinds::drop_certain_look_behinds;
use super::loops::settle_loops;
use super::parse::{Parsed, parse};
use super::refusals;
use super::width::{Width, check_look_behinds};

/// A parsed and checked expression.
#[derive(Debug)]
pub(super) struct Tree {
    pub(super) root: Node,
    /// The widths of its groups, from group 1 on; index 0 is unused.
    pub(super) widths: Vec<Option<Width>>,
    /// Number and name of each named group.
    pub(super) names: Vec<(usize, String)>,
}

impl Tree {
    pub(super) fn new(expression: &str) -> Result<Tree, PatternError> {
        let Parsed { root, widths, names, refusal } = parse(expression)?;
        check_look_behinds(&root, &widths)?;
        // The last of the errors found while reading: an expression that Python refuses too gets Python's error.
        refusal.map_or(Ok(()), Err)?;
        refusals::check(&root)?;
        let root = drop_certain_look_behinds(root, &widths);
        let root = settle_loops(root, &widths)?;
        check_size(&root)?;
        Ok(Tree { root, widths, names })
    }
}
