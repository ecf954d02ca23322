//! Texts from entries, bounded.

/// Cuts a text at `limit` bytes, between two characters; was it longer?
pub(crate) fn cut(text: &mut String, limit: usize) -> bool {
    if text.len() <= limit {
        return false;
    }
    let end = (0..=limit).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    text.truncate(end);
    true
}
