//! Waiting for the sources and for other descriptors at once.

use std::os::fd::BorrowedFd;
use std::time::Duration;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, ppoll};
use nix::sys::time::TimeSpec;
use pyruse_core::sources::Sources;

/// Waits until one of `own` or a descriptor of a source is readable, or until the timeout. Wakes the sources whose
/// descriptors are readable; returns which of `own` are.
pub(crate) fn wait<const N: usize>(
    own: [BorrowedFd<'_>; N],
    sources: Option<&mut Sources>,
    timeout: Option<Duration>,
) -> nix::Result<[bool; N]> {
    let mut timeout = timeout;
    let mut fds: Vec<PollFd<'_>> = own.into_iter().map(|fd| PollFd::new(fd, PollFlags::POLLIN)).collect();
    // For each descriptor behind `own`: the source, and which of its descriptors it is.
    let mut of_sources = Vec::new();
    if let Some(sources) = sources.as_deref() {
        for (source, readiness) in sources.readiness().enumerate() {
            timeout = [timeout, readiness.timeout].into_iter().flatten().min();
            for (descriptor, fd) in readiness.descriptors.into_iter().enumerate() {
                if let Some(fd) = fd {
                    fds.push(PollFd::new(fd, PollFlags::POLLIN));
                    of_sources.push((source, descriptor));
                }
            }
        }
    }
    match ppoll(&mut fds, timeout.map(TimeSpec::from_duration), None) {
        Ok(_) | Err(Errno::EINTR) => {}
        Err(e) => return Err(e),
    }
    let ready: Vec<bool> = fds.iter().map(|fd| fd.any().unwrap_or(false)).collect();
    drop(fds);
    if let Some(sources) = sources {
        for ((source, descriptor), _) in of_sources.iter().zip(&ready[N..]).filter(|(_, ready)| **ready) {
            sources.wake(*source, *descriptor);
        }
    }
    Ok(std::array::from_fn(|n| ready[n]))
}
