//! Functions of libsystemd that its bindings lack, or that are too slow in them: the only unsafe code.

#![allow(unsafe_code, reason = "the descriptor is known as a number only, and a field would be taken apart")]

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::{ptr, slice};

use foreign_types::ForeignTypeRef;
use libsystemd_sys::journal::{sd_journal, sd_journal_enumerate_data};
use nix::libc::{E2BIG, ENOBUFS, EPROTONOSUPPORT};
use systemd::Journal;

/// The errors of libsystemd for a field that it can never read.
const UNAVAILABLE: [i32; 3] = [ENOBUFS, E2BIG, EPROTONOSUPPORT];

unsafe extern "C" {
    /// Available since systemd 246; the bindings lack it.
    fn sd_journal_enumerate_available_data(
        journal: *mut sd_journal,
        data: *mut *const u8,
        length: *mut usize,
    ) -> i32;
}

/// Returns the descriptor, for as long as the journal is borrowed.
pub(super) fn descriptor(journal: &Journal) -> BorrowedFd<'_> {
    // SAFETY: libsystemd opens the descriptor on the first call (made in `OpenJournal::new`) and keeps it open until the
    // journal is closed, which cannot happen while it is borrowed here. It is not -1: `as_raw_fd` panics if the call
    // failed, and `OpenJournal::new` has returned that error.
    unsafe { BorrowedFd::borrow_raw(journal.as_raw_fd()) }
}

/// Returns the next field of the current entry, `NAME=value`, as it is in the journal; `None` at the entry's end.
///
/// A field that libsystemd cannot read (too large, or compressed in a way that it does not support) is skipped, and
/// counted in `unavailable`. libsystemd skips fields that it considers damaged without an error.
pub(super) fn next_field<'j>(
    journal: &'j mut Journal,
    unavailable: &mut u64,
) -> io::Result<Option<&'j [u8]>> {
    let mut field = ptr::null();
    let mut length = 0;
    // SAFETY: the journal is open, and both variables live until the call returns.
    let mut found = unsafe { sd_journal_enumerate_data(journal.as_ptr(), &raw mut field, &raw mut length) };
    if UNAVAILABLE.contains(&-found) {
        *unavailable += 1;
        // SAFETY: as above.
        found =
            unsafe { sd_journal_enumerate_available_data(journal.as_ptr(), &raw mut field, &raw mut length) };
    }
    match found {
        0 => Ok(None),
        // SAFETY: libsystemd has set both. The bytes are valid until another field or entry is read
        // (sd_journal_get_data(3)), which needs the journal, and that is borrowed for as long as the slice.
        1.. => Ok(Some(unsafe { slice::from_raw_parts(field, length) })),
        errno => Err(io::Error::from_raw_os_error(-errno)),
    }
}
