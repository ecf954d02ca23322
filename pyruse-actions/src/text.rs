//! Texts from entries, with a length limit.

use pyruse_core::text::floor_char_boundary;

/// Cuts a text at `limit` bytes, between two characters. Returns whether it was longer.
pub(crate) fn cut(text: &mut String, limit: usize) -> bool {
    if text.len() <= limit {
        return false;
    }
    text.truncate(floor_char_boundary(text, limit));
    true
}
