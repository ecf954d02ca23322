//! A DATA object: the name and the value of a field (systemd.io/JOURNAL_FILE_FORMAT).
//!
//! Only type, flags, size and payload are read: journald fills in the rest after the entry can be seen.

use std::fs::File;
use std::os::unix::fs::FileExt;

use pyruse_core::entry::FIELD_LIMIT;

use super::unpack::{PACKED_LIMIT, Packing, Unpacker};
use super::window::Window;

/// The type of the object.
const DATA: u8 = 1;

/// A value of full length, and its name.
const PAYLOAD: usize = FIELD_LIMIT + 256;

/// The payload of the DATA object at that place, `NAME=value`, perhaps cut behind [`FIELD_LIMIT`] bytes of its value;
/// `None` if it is damaged.
pub(super) fn read_payload<'w>(
    file: &File,
    is_compact: bool,
    at: u64,
    window: &'w mut Window,
    unpacker: &'w mut Unpacker,
) -> Option<&'w [u8]> {
    let start: u64 = if is_compact { 72 } else { 64 };
    let head = window.get(file, at, 16).ok()?;
    let (kind, flags, size) = (head[0], head[1], offset(&head[8..16]));
    let packing = match flags {
        0 => None,
        1 => Some(Packing::Xz),
        2 => Some(Packing::Lz4),
        4 => Some(Packing::Zstd),
        _ => return None,
    };
    let length = size.checked_sub(start).filter(|length| *length > 0)?;
    if kind != DATA || !at.is_multiple_of(8) {
        return None;
    }
    let from = at.checked_add(start)?;
    let Some(packing) = packing else {
        return window.get(file, from, usize::try_from(length.min(PAYLOAD as u64)).ok()?).ok();
    };
    let length = usize::try_from(length.min(PACKED_LIMIT)).ok()?;
    if length <= FIELD_LIMIT {
        let packed = window.get(file, from, length).ok()?;
        return unpacker.unpack(packing, packed, PAYLOAD);
    }
    // Rare: a window of that size would stay.
    if file.metadata().ok()?.len() < from.checked_add(length as u64)? {
        return None;
    }
    let mut packed = vec![0; length];
    file.read_exact_at(&mut packed, from).ok()?;
    unpacker.unpack(packing, &packed, PAYLOAD)
}

/// A number of up to 64 bits.
pub(super) fn offset(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte))
}
