//! The built-in sources: the systemd journal, and recordings of it.

pub mod journal;
