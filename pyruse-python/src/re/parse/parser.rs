//! The state of the parser. The other files read one kind of construct each.

use std::collections::BTreeMap;

use super::cursor::Cursor;
use crate::re::error::PatternError;
use crate::re::flags::Flags;
use crate::re::width::Width;

/// What was read so far.
pub(super) struct Parser<'e> {
    pub(super) cursor: Cursor<'e>,
    /// The flags that are set for the whole expression.
    pub(super) global: Flags,
    /// The widths of the groups; `None` while a group is open. Index 0 is unused.
    pub(super) widths: Vec<Option<Width>>,
    pub(super) names: Vec<(usize, String)>,
    /// The groups that conditions refer to by number, and where first; the groups may come later.
    pub(super) conditions: BTreeMap<usize, usize>,
    /// Inside of a look-behind: the number of the next group when it began.
    pub(super) behind: Option<usize>,
    /// The first construct that Python accepts and this crate refuses. It is reported last, so that an expression that
    /// Python refuses too gets Python's error.
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

    /// Records a construct that Python accepts and this crate refuses.
    pub(super) fn refuse(&mut self, offset: usize, message: &str) {
        self.refusal.get_or_insert_with(|| PatternError::new(offset, message));
    }
}
