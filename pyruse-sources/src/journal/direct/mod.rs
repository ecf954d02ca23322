//! Reads journal files itself, without libsystemd: by `pread`, in windows that go forward.
//!
//! An entry is an array of offsets of its fields; fields with the same name and value have the same offset within a file.
//! So most fields of an entry were seen before, and are remembered by their offset ([`memo`]), or with others by all of
//! their offsets ([`shapes`]).

mod data;
mod entry;
mod files;
mod holes;
mod lz4;
mod matches;
mod memo;
mod numbers;
mod place;
mod reader;
mod sequence;
mod shapes;
mod stream;
#[cfg(test)]
#[allow(clippy::cast_possible_truncation, reason = "the numbers of tests are small")]
mod tests;
mod unpack;
mod walk;
mod watch;
mod window;

pub(super) use self::files::left_out;
pub(super) use self::place::Place;
pub(super) use self::reader::FilesReader;
