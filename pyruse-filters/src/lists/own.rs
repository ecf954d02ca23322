//! The machine's own addresses, and the kernel's notices that they have changed.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, bind, recv, socket,
};
use pyruse_core::network::Network;

/// The groups of `linux/rtnetlink.h` for changes of addresses: `RTMGRP_IPV4_IFADDR` and `RTMGRP_IPV6_IFADDR`.
const GROUPS: u32 = 0x10 | 0x100;

/// How many notices are discarded at once: an interface that comes and goes must not keep us here.
const MOST_NOTICES: usize = 1000;

/// Returns the addresses of all interfaces, and the whole of 127.0.0.0/8, which always is this machine.
pub(super) fn addresses() -> Result<Arc<[Network]>, String> {
    let found = nix::ifaddrs::getifaddrs().map_err(|e| format!("the addresses cannot be read: {e}"))?;
    let address = |storage: nix::sys::socket::SockaddrStorage| {
        let v4 = storage.as_sockaddr_in().map(|v4| IpAddr::V4(v4.ip()));
        v4.or_else(|| storage.as_sockaddr_in6().map(|v6| IpAddr::V6(v6.ip())))
    };
    let mut all: BTreeSet<Network> =
        found.filter_map(|interface| interface.address.and_then(address)).map(Network::from).collect();
    all.retain(|network| !matches!(network.first(), IpAddr::V4(v4) if v4.is_loopback()));
    all.extend(Network::parse("127.0.0.0/8"));
    Ok(all.into_iter().collect())
}

/// A socket on which the kernel says that addresses have changed. What has changed is not read from it: a notice may be
/// lost when there are many, and then all addresses must be read again anyway.
pub(super) struct Notices(OwnedFd);

impl Notices {
    pub(super) fn open() -> Result<Notices, Errno> {
        let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
        let socket = socket(AddressFamily::Netlink, SockType::Raw, flags, SockProtocol::NetlinkRoute)?;
        bind(socket.as_raw_fd(), &NetlinkAddr::new(0, GROUPS))?;
        Ok(Notices(socket))
    }

    /// Discards the notices; a queue that has overflowed says so once.
    pub(super) fn clear(&self) {
        let mut buffer = [0; 8192];
        for _ in 0..MOST_NOTICES {
            match recv(self.0.as_raw_fd(), &mut buffer, MsgFlags::empty()) {
                Ok(1..) | Err(Errno::ENOBUFS | Errno::EINTR) => {}
                _ => return,
            }
        }
    }
}

impl AsFd for Notices {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
