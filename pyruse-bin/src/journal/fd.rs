//! The journal's file descriptor as a borrowed one: the only unsafe code, since the bindings give a bare number.

#![allow(unsafe_code, reason = "the bindings know the descriptor as a number only")]

use std::os::fd::{AsRawFd, BorrowedFd};

use systemd::Journal;

/// The descriptor, for as long as the journal is borrowed.
pub(super) fn borrow(journal: &Journal) -> BorrowedFd<'_> {
    // SAFETY: libsystemd opens the descriptor when it is first asked for it (which `Source::new` has done) and keeps it
    // open until the journal is closed, which cannot be while it is borrowed here. It is not -1: `as_raw_fd` panics
    // where asking failed, and `Source::new` has returned that error.
    unsafe { BorrowedFd::borrow_raw(journal.as_raw_fd()) }
}
