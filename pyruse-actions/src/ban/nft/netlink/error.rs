//! The errors of netlink, as text.

use nix::errno::Errno;

/// Why netlink cannot be used, as text for people: nft must deliver instead.
pub(super) struct NetlinkError(pub(super) String);

impl From<Errno> for NetlinkError {
    fn from(errno: Errno) -> Self {
        NetlinkError(text(errno))
    }
}

/// Returns the error's name as nft and all other programs print it.
pub(super) fn text(errno: Errno) -> String {
    let text = std::io::Error::from(errno).to_string();
    text.split(" (os error").next().unwrap_or_default().to_owned()
}
