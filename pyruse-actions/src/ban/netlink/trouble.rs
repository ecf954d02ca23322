//! Why the kernel cannot be spoken with, in words.

use nix::errno::Errno;

/// What is not as it should be, in words: nft must do it.
pub(super) struct Trouble(pub(super) String);

impl From<Errno> for Trouble {
    fn from(errno: Errno) -> Self {
        Trouble(words(errno))
    }
}

/// As nft, and everybody else, calls it.
pub(super) fn words(errno: Errno) -> String {
    let words = std::io::Error::from(errno).to_string();
    words.split(" (os error").next().unwrap_or_default().to_owned()
}
