//! The reasons why netlink cannot be used, in words.

use nix::errno::Errno;

/// Something is not as expected, in words: nft must deliver instead.
pub(super) struct Trouble(pub(super) String);

impl From<Errno> for Trouble {
    fn from(errno: Errno) -> Self {
        Trouble(words(errno))
    }
}

/// Returns the error's name as nft and all other programs print it.
pub(super) fn words(errno: Errno) -> String {
    let words = std::io::Error::from(errno).to_string();
    words.split(" (os error").next().unwrap_or_default().to_owned()
}
