//! What a part of the state must do: load itself from its rows, and return the rows that changed.

use std::any::Any;

use super::rows::{Change, Row};
use crate::time::ClockStep;

/// A part of the state: in memory, with changes that are not written yet.
pub trait Resource: Any + Send {
    /// Builds the part from its stored rows, in order of their keys. The error says why the rows make no sense.
    fn load(rows: Vec<Row>) -> Result<Self, String>
    where
        Self: Sized;

    /// Returns the changes since the last call.
    fn changes(&mut self, changes: &mut Changes<'_>);

    /// Corrects times that cannot be right; see [`Expiry::adjust`](crate::time::Expiry::adjust). Called right after
    /// [`Resource::load`], and whenever a step of the wall clock was detected. A part without ends has nothing to do.
    fn adjust(&mut self, _step: ClockStep) {}

    /// Returns `true` if somebody waits for the next commit, so that it must be on the disk when it returns.
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
