//! The limit for the length of a value.

/// A value is cut at this many bytes: libsystemd's own default data threshold.
pub const FIELD_LIMIT: usize = 64 * 1024;
