//! Fills a field up to its width.

use super::parts::Align;

/// The number of fill characters on each side.
pub(super) struct Padding {
    pub left: usize,
    /// After the sign.
    pub inside: usize,
    pub right: usize,
}

impl Padding {
    /// Distributes the difference between `width` and `length`, both in characters.
    pub fn new(align: Align, width: usize, length: usize) -> Padding {
        let room = width.saturating_sub(length);
        let (left, inside, right) = match align {
            Align::Left => (0, 0, room),
            Align::Right => (room, 0, 0),
            Align::Center => (room / 2, 0, room - room / 2),
            Align::Inside => (0, room, 0),
        };
        Padding { left, inside, right }
    }
}

/// Appends `count` times the same character.
pub(super) fn fill(out: &mut String, c: char, count: usize) {
    out.extend(std::iter::repeat_n(c, count));
}
