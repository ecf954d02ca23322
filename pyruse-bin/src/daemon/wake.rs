//! Wakes the loop: signals, replies of couriers and requests of operators all write to one socket that it polls.

use std::io::{ErrorKind, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

/// The socket, and what the signals have asked for.
pub(crate) struct Wake {
    reader: UnixStream,
    writer: Arc<UnixStream>,
    stop: Arc<AtomicBool>,
    reload: Arc<AtomicBool>,
}

impl Wake {
    /// Starts to receive SIGTERM, SIGINT and SIGHUP.
    pub(crate) fn new() -> std::io::Result<Wake> {
        let (reader, writer) = UnixStream::pair()?;
        reader.set_nonblocking(true)?;
        writer.set_nonblocking(true)?;
        let (stop, reload) = (Arc::default(), Arc::default());
        for (signal, flag) in [(SIGTERM, &stop), (SIGINT, &stop), (SIGHUP, &reload)] {
            let flag: &Arc<AtomicBool> = flag;
            signal_hook::flag::register(signal, flag.clone())?;
            signal_hook::low_level::pipe::register(signal, writer.try_clone()?)?;
        }
        Ok(Wake { reader, writer: Arc::new(writer), stop, reload })
    }

    /// Returns a function that wakes the loop from any thread.
    pub(crate) fn caller(&self) -> Arc<dyn Fn() + Send + Sync> {
        let writer = self.writer.clone();
        // If the socket is full, the loop will wake up anyway.
        Arc::new(move || drop((&*writer).write(&[0])))
    }

    pub(crate) fn as_fd(&self) -> BorrowedFd<'_> {
        self.reader.as_fd()
    }

    /// Empties the socket.
    pub(crate) fn clear(&mut self) {
        let mut buffer = [0; 256];
        loop {
            match self.reader.read(&mut buffer) {
                Ok(length) if length == buffer.len() => {}
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                _ => return,
            }
        }
    }

    /// Returns `true` if a signal has asked to stop.
    pub(crate) fn stop(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// Returns `true` if a signal has asked for a reload since the last call.
    pub(crate) fn take_reload(&self) -> bool {
        self.reload.swap(false, Ordering::Relaxed)
    }
}
