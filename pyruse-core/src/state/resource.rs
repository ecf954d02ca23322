//! What a part of the state must do: be loaded from its rows, and hand over the rows that changed.

use std::any::Any;

use super::rows::{Change, Row};
use crate::time::Step;

/// A part of the state: in memory, with changes that wait to be written.
pub trait Resource: Any + Send {
    /// Builds the part from its stored rows, in order of their keys. The error says why the rows make no sense.
    fn load(rows: Vec<Row>) -> Result<Self, String>
    where
        Self: Sized;

    /// Hands over what changed since the last call.
    fn changes(&mut self, changes: &mut Changes<'_>);

    /// Corrects times that cannot be right, see [`Ends::adjust`](crate::time::Ends::adjust). Called right after
    /// [`Resource::load`], and whenever the wall clock was seen to step. A part that holds no ends has nothing to do.
    fn adjust(&mut self, _step: Step) {}

    /// Must the next commit be on the disk when it returns, because somebody waits for it?
    fn is_urgent(&self) -> bool {
        false
    }
}

/// Where a [`Resource`] puts its changes.
pub struct Changes<'a> {
    pub(super) resource: u32,
    pub(super) pending: &'a mut Vec<Change>,
}

impl Changes<'_> {
    /// Writes a row.
    pub fn put(&mut self, key: impl Into<Box<[u8]>>, value: impl Into<Box<[u8]>>) {
        self.pending.push(Change { resource: self.resource, key: key.into(), value: Some(value.into()) });
    }

    /// Deletes a row.
    pub fn delete(&mut self, key: impl Into<Box<[u8]>>) {
        self.pending.push(Change { resource: self.resource, key: key.into(), value: None });
    }
}
