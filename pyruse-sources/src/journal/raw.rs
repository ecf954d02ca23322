//! What the bindings of libsystemd do not give, or give too slowly: the only unsafe code.

#![allow(unsafe_code, reason = "the descriptor is known as a number only, and a field would be taken apart")]

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::{ptr, slice};

use foreign_types::ForeignTypeRef;
use libsystemd_sys::journal::{sd_journal, sd_journal_enumerate_data};
use nix::libc::{E2BIG, ENOBUFS, EPROTONOSUPPORT};
use systemd::Journal;

/// What libsystemd says of a field that it can never read.
const UNAVAILABLE: [i32; 3] = [ENOBUFS, E2BIG, EPROTONOSUPPORT];

unsafe extern "C" {
    /// Since systemd 246; the bindings lack it.
    fn sd_journal_enumerate_available_data(
        journal: *mut sd_journal,
        data: *mut *const u8,
        length: *mut usize,
    ) -> i32;
}

/// The descriptor, for as long as the journal is borrowed.
pub(super) fn descriptor(journal: &Journal) -> BorrowedFd<'_> {
    // SAFETY: libsystemd opens the descriptor when it is first asked for it (which `Source::new` has done) and keeps it
    // open until the journal is closed, which cannot be while it is borrowed here. It is not -1: `as_raw_fd` panics
    // where asking failed, and `Source::new` has returned that error.
    unsafe { BorrowedFd::borrow_raw(journal.as_raw_fd()) }
}

/// The next field of the current entry, `NAME=value`, as it stands in the journal; `None` at the entry's end.
///
/// A field that this libsystemd cannot read (too large, or compressed in a way that it does not know) is passed over and
/// counted in `unavailable`. Fields that libsystemd takes for damaged are passed over without a word.
pub(super) fn next_field<'j>(
    journal: &'j mut Journal,
    unavailable: &mut u64,
) -> io::Result<Option<&'j [u8]>> {
    let mut field = ptr::null();
    let mut length = 0;
    // SAFETY: the journal is open, and both places live until the call returns.
    let mut found = unsafe { sd_journal_enumerate_data(journal.as_ptr(), &raw mut field, &raw mut length) };
    if UNAVAILABLE.contains(&-found) {
        *unavailable += 1;
        // SAFETY: as above.
        found =
            unsafe { sd_journal_enumerate_available_data(journal.as_ptr(), &raw mut field, &raw mut length) };
    }
    match found {
        0 => Ok(None),
        // SAFETY: libsystemd has set both. What they tell of is there until it is asked for another field, or goes to
        // another entry (sd_journal_get_data(3)), which takes the journal that is borrowed for as long as the slice.
        1.. => Ok(Some(unsafe { slice::from_raw_parts(field, length) })),
        errno => Err(io::Error::from_raw_os_error(-errno)),
    }
}
