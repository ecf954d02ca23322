//! The control socket of a daemon: its address, and how clients connect.

use std::fs::File;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::net::UnixStream;
use std::path::Path;

use nix::libc;
use nix::sys::socket::{AddressFamily, SockFlag, SockType, UnixAddr, connect, setsockopt, socket, sockopt};
use nix::sys::time::TimeVal;

/// How long a client waits, in seconds, while the socket's queue is full.
const SEND_TIMEOUT_SECONDS: i64 = 2;

/// The kernel's limit for the path of a socket, including its terminator.
const LONGEST_PATH: usize = 107;

/// Creates a socket that is neither bound nor connected yet.
pub fn stream() -> nix::Result<OwnedFd> {
    socket(AddressFamily::Unix, SockType::Stream, SockFlag::SOCK_CLOEXEC, None)
}

/// Calls `with` with the address of a path of any length: a path that is too long is reached through its open
/// directory.
pub fn with_address<T>(path: &Path, with: impl FnOnce(&UnixAddr) -> nix::Result<T>) -> std::io::Result<T> {
    if path.as_os_str().as_bytes().len() <= LONGEST_PATH {
        return Ok(with(&UnixAddr::new(path)?)?);
    }
    let directory = path.parent().unwrap_or(path);
    let directory = File::options().read(true).custom_flags(libc::O_PATH).open(directory)?;
    let name = path.file_name().unwrap_or_default();
    let short = Path::new("/proc/self/fd").join(directory.as_raw_fd().to_string()).join(name);
    Ok(with(&UnixAddr::new(&short)?)?)
}

/// Connects to a control socket. If its queue is full, for example because the daemon is stopped, this fails after a
/// time-out.
pub fn connect_to(path: &Path) -> std::io::Result<UnixStream> {
    let socket = stream()?;
    setsockopt(&socket, sockopt::SendTimeout, &TimeVal::new(SEND_TIMEOUT_SECONDS, 0))?;
    with_address(path, |address| connect(socket.as_raw_fd(), address))?;
    Ok(UnixStream::from(socket))
}
