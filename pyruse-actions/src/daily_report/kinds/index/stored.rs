//! Kinds as rows of the state.

use std::borrow::Cow;

use pyruse_core::level::ReportLevel;
use pyruse_core::serde::{Deserialize, Serialize};
use pyruse_core::state::{Changes, Resource, Row};
use pyruse_core::time::Timestamp;

use super::super::kind::{Group, Kind, key, wider_keys};
use super::super::shape::Shape;
use super::super::shares::origin_key;
use super::super::values::Values;
use super::{Kinds, MAX_KINDS, Slot, VARIANTS, removed_key, row_key};

/// A kind as it is stored.
#[derive(Serialize, Deserialize)]
#[serde(crate = "pyruse_core::serde")]
struct Stored<'k> {
    #[serde(rename = "l")]
    level: ReportLevel,
    #[serde(rename = "p", default, skip_serializing_if = "Option::is_none")]
    priority: Option<u8>,
    #[serde(rename = "o")]
    owner: Cow<'k, str>,
    #[serde(rename = "i")]
    identifier: Cow<'k, str>,
    #[serde(rename = "j", default)]
    joined: u64,
    #[serde(rename = "n")]
    count: u64,
    #[serde(rename = "f")]
    first: Timestamp,
    #[serde(rename = "t")]
    last: Timestamp,
    #[serde(rename = "e")]
    example: Cow<'k, str>,
    #[serde(rename = "v")]
    values: Cow<'k, Values>,
}

impl Kinds {
    /// Takes over a stored kind.
    fn restore(&mut self, slot: Slot, stored: Stored<'_>, shape: &mut Shape) {
        shape.read(&stored.example);
        let group = Group {
            origin: origin_key(&stored.owner, &stored.identifier),
            level: stored.level,
            priority: stored.priority,
        };
        let whole = key(group, shape, stored.joined);
        if let Some(known) = self.by_key.get(&whole).copied() {
            // This version of the program masks more than the one that has stored both.
            if let Some(kind) = &mut self.all[known as usize] {
                kind.count += stored.count;
                kind.first = kind.first.min(stored.first);
                kind.last = kind.last.max(stored.last);
                kind.values.merge(&stored.values);
            }
            self.note_dirty(known);
            self.deleted.push(row_key(slot));
            self.all.push(None);
            self.free.push(slot);
            return;
        }
        let origin = self.give(&stored.owner, &stored.identifier);
        self.all.push(Some(Kind {
            level: stored.level,
            priority: stored.priority,
            origin,
            key: whole,
            joined: stored.joined,
            count: stored.count,
            first: stored.first,
            last: stored.last,
            example: stored.example.into_owned(),
            values: stored.values.into_owned(),
            at: 0,
            is_dirty: false,
        }));
        self.register(slot);
        for (_, key) in wider_keys(group, shape, stored.joined, 0) {
            let near = self.near.entry(key).or_default();
            if near.count + 1 < VARIANTS {
                near.slots[near.count] = slot;
                near.count += 1;
            }
        }
        if stored.joined != 0 {
            self.origins[origin as usize].add_joined(shape.words(), stored.joined);
        }
    }
}

/// Keys: `k` and the slot for a kind; `m`, owner, a null byte and identifier for lines whose kinds were removed.
impl Resource for Kinds {
    fn load(rows: Vec<Row>) -> Result<Self, String> {
        let wrong =
            |e: &dyn std::fmt::Display| format!("the stored kinds of report lines cannot be parsed: {e}");
        let mut kinds = Kinds::default();
        let mut shape = Shape::default();
        for (row, value) in rows {
            match row.split_first() {
                Some((b'k', slot)) => {
                    let slot = slot.try_into().map(Slot::from_be_bytes).map_err(|e| wrong(&e))?;
                    let stored: Stored<'_> = serde_json::from_slice(&value).map_err(|e| wrong(&e))?;
                    if slot as usize > 2 * MAX_KINDS {
                        return Err(wrong(&"a row has an impossible number"));
                    }
                    // Rows are in order: what is between them is free.
                    for slot in kinds.all.len()..slot as usize {
                        kinds.all.push(None);
                        kinds.free.push(Slot::try_from(slot).unwrap_or(Slot::MAX));
                    }
                    kinds.restore(slot, stored, &mut shape);
                }
                Some((b'm', name)) => {
                    let name = String::from_utf8_lossy(name).into_owned();
                    let (owner, identifier) = name.split_once('\0').unwrap_or((&name, ""));
                    let removed = serde_json::from_slice(&value).map_err(|e| wrong(&e))?;
                    kinds.removed.insert((owner.to_owned(), identifier.to_owned()), removed);
                }
                _ => return Err(wrong(&"an unknown row")),
            }
        }
        Ok(kinds)
    }

    fn changes(&mut self, changes: &mut Changes<'_>) {
        // Before the rows that are written: a slot may be used again.
        for key in self.deleted.drain(..) {
            changes.delete(key);
        }
        for slot in self.dirty.drain(..) {
            let Some(kind) = self.all[slot as usize].as_mut() else { continue };
            if !std::mem::replace(&mut kind.is_dirty, false) {
                continue;
            }
            let (owner, identifier) = self.shares.names(kind.origin);
            let stored = Stored {
                level: kind.level,
                priority: kind.priority,
                owner: Cow::Borrowed(owner),
                identifier: Cow::Borrowed(identifier),
                joined: kind.joined,
                count: kind.count,
                first: kind.first,
                last: kind.last,
                example: Cow::Borrowed(&kind.example),
                values: Cow::Borrowed(&kind.values),
            };
            // A struct of texts and numbers can always be serialized.
            changes.put(row_key(slot), serde_json::to_vec(&stored).unwrap_or_default());
        }
        for name in std::mem::take(&mut self.dirty_removed) {
            if let Some(removed) = self.removed.get(&name) {
                changes.put(removed_key(&name), serde_json::to_vec(removed).unwrap_or_default());
            }
        }
    }
}
