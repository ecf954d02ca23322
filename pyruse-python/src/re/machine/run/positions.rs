//! What is true at a position of a text.

use crate::re::ast::{Anchor, Folding};
use crate::re::casefold;
use crate::re::machine::scratch::Text;
use crate::re::machine::sets::is_word;

/// Whether the text of a group is repeated at a position.
#[inline]
pub(super) fn repeats<T: Text>(text: T, (begin, end): (u32, u32), place: u32, folding: Folding) -> bool {
    if u64::from(place) + u64::from(end.saturating_sub(begin)) > u64::from(text.len()) {
        return false;
    }
    let fold = |code: u32| match folding {
        Folding::Exact => code,
        Folding::Ascii => u8::try_from(code).map_or(code, |byte| byte.to_ascii_lowercase().into()),
        Folding::Unicode => char::from_u32(code).map_or(code, |char| casefold::lower(char).into()),
    };
    (begin..end).zip(place..).all(|(a, b)| {
        let (a, b) = (text.at(a), text.at(b));
        a == b || fold(a) == fold(b)
    })
}

/// Whether an anchor holds at a position.
#[inline]
pub(super) fn holds<T: Text>(text: T, anchor: Anchor, place: u32) -> bool {
    let len = text.len();
    let newline = u32::from(b'\n');
    let is_newline = |place: u32| text.at(place) == newline;
    match anchor {
        Anchor::TextStart => place == 0,
        Anchor::LineStart => place == 0 || is_newline(place - 1),
        Anchor::TextEnd => place == len,
        Anchor::LastLineEnd => place == len || (place + 1 == len && is_newline(place)),
        Anchor::LineEnd => place == len || is_newline(place),
        Anchor::Boundary { negated, ascii } => {
            let is_word = |place: u32| {
                let code = text.at(place);
                match u8::try_from(code) {
                    Ok(byte) if byte.is_ascii() => byte.is_ascii_alphanumeric() || byte == b'_',
                    _ => !ascii && is_word(code),
                }
            };
            let before = place > 0 && is_word(place - 1);
            let behind = place < len && is_word(place);
            // An empty text has no position at all, not even one that is no boundary.
            len > 0 && (before != behind) != negated
        }
    }
}
