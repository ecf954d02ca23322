//! Lists of the state: one JSON object for programs, or a table with its number of rows.
//!
//! Bans, counters and deliveries use this, so that all three lists look alike, and an empty one has a message.

use std::io::{self, BufWriter, Write};

use serde_json::{Value, json};

use super::json;
use super::table::{Column, Table};
use super::text::{counted, terminal_columns};

/// How items of one kind are listed.
pub(super) struct Listing<'l, T, const N: usize> {
    /// The key of the list in the object.
    pub(super) key: &'static str,
    /// The message for an empty list.
    pub(super) none: &'static str,
    /// The name of one item, and of several.
    pub(super) names: (&'static str, &'static str),
    pub(super) columns: [Column; N],
    pub(super) row: &'l dyn Fn(&T) -> [String; N],
    pub(super) object: fn(&T) -> Value,
}

impl<T, const N: usize> Listing<'_, T, N> {
    pub(super) fn print(&self, things: &[T], json: bool) -> io::Result<()> {
        let mut out = BufWriter::new(io::stdout().lock());
        if json {
            let objects: Vec<Value> = things.iter().map(self.object).collect();
            json::write_line(&mut out, &json!({ self.key: objects }))?;
        } else if things.is_empty() {
            writeln!(out, "{}", self.none)?;
        } else {
            let mut table = Table::new(self.columns);
            for thing in things {
                table.row((self.row)(thing));
            }
            table.write(&mut out, terminal_columns())?;
            writeln!(out, "{}", counted(things.len() as u64, self.names.0, self.names.1))?;
        }
        out.flush()
    }
}
