//! Listening at a path.

use std::io::{Error, ErrorKind};
use std::os::fd::AsRawFd;
use std::os::unix::fs::FileTypeExt;
use std::os::unix::net::UnixListener;
use std::path::Path;

use nix::sys::socket::{Backlog, bind, listen};
use nix::sys::stat::{Mode, fchmod};
use pyruse_cli::control::{connect_to, stream, with_address};

/// Listens at this path. A socket that nobody listens at is replaced; anything else there is an error.
pub(super) fn listen_at(path: &Path, mode: Mode) -> std::io::Result<UnixListener> {
    if let Ok(found) = path.symlink_metadata() {
        if !found.file_type().is_socket() {
            return Err(Error::new(ErrorKind::AlreadyExists, "something that is not a socket is there"));
        }
        if connect_to(path).is_ok() {
            return Err(Error::new(ErrorKind::AddrInUse, "another process listens there"));
        }
        std::fs::remove_file(path)?;
    }
    let socket = stream()?;
    // The file gets the mode that the socket has before it is bound: so there is no moment at which others could
    // connect.
    fchmod(&socket, mode)?;
    with_address(path, |address| bind(socket.as_raw_fd(), address))?;
    listen(&socket, Backlog::new(64)?)?;
    Ok(UnixListener::from(socket))
}
