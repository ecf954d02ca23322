//! What the parser knows on its way. What it reads has files by kind.

use std::collections::BTreeMap;

use super::cursor::Cursor;
use crate::re::error::PatternError;
use crate::re::flags::Flags;
use crate::re::width::Width;

/// What was read so far.
pub(super) struct Parser<'e> {
    pub(super) cursor: Cursor<'e>,
    /// The flags set for the whole expression.
    pub(super) global: Flags,
    /// The widths of the groups; none while a group is open. Index 0 is unused.
    pub(super) widths: Vec<Option<Width>>,
    pub(super) names: Vec<(usize, String)>,
    /// The groups asked for by number in conditions, and where first; they may come later.
    pub(super) conditions: BTreeMap<usize, usize>,
    /// Inside of a look-behind: the number that the next group had when it began.
    pub(super) behind: Option<usize>,
    /// The first thing that Python takes and we do not. It is told last, so that an expression that
    /// Python refuses too is refused with Python's words.
    pub(super) refusal: Option<PatternError>,
}

impl<'e> Parser<'e> {
    pub(super) fn new(expression: &'e str) -> Result<Self, PatternError> {
        Ok(Parser {
            cursor: Cursor::new(expression)?,
            global: Flags::NONE,
            widths: vec![None],
            names: Vec::new(),
            conditions: BTreeMap::new(),
            behind: None,
            refusal: None,
        })
    }

    /// Notes something that Python takes and we do not.
    pub(super) fn refuse(&mut self, offset: usize, message: &str) {
        self.refusal.get_or_insert_with(|| PatternError::new(offset, message));
    }
}
