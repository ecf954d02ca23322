//! Python's way of ignoring case, which differs from the Unicode standard and from the Rust engines.
//!
//! A character of the text is lowered by its *simple* mapping. Then it is looked up among the lowered members of the
//! set, to which the lower-case letters with the same upper case are added. So `ß` and `ẞ` are equal, `K` equals the
//! Kelvin sign, and `İ` equals `i`.
//!
//! The sets are expanded here, and the engines always compare exactly.

use std::sync::OnceLock;

use super::ranges::{contains, normalized};

/// Lower-case letters that share their upper case, the usual one first.
const SAME_UPPER: &[&[char]] = &[
    &['i', '\u{131}'],
    &['s', '\u{17F}'],
    &['\u{3BC}', '\u{B5}'],
    &['\u{3B9}', '\u{345}', '\u{1FBE}'],
    &['\u{390}', '\u{1FD3}'],
    &['\u{3B0}', '\u{1FE3}'],
    &['\u{3B2}', '\u{3D0}'],
    &['\u{3B5}', '\u{3F5}'],
    &['\u{3B8}', '\u{3D1}'],
    &['\u{3BA}', '\u{3F0}'],
    &['\u{3C0}', '\u{3D6}'],
    &['\u{3C1}', '\u{3F1}'],
    &['\u{3C3}', '\u{3C2}'],
    &['\u{3C6}', '\u{3D5}'],
    &['\u{432}', '\u{1C80}'],
    &['\u{434}', '\u{1C81}'],
    &['\u{43E}', '\u{1C82}'],
    &['\u{441}', '\u{1C83}'],
    &['\u{442}', '\u{1C84}', '\u{1C85}'],
    &['\u{44A}', '\u{1C86}'],
    &['\u{463}', '\u{1C87}'],
    &['\u{A64B}', '\u{1C88}'],
    &['\u{1E61}', '\u{1E9B}'],
    &['\u{FB05}', '\u{FB06}'],
];

/// Returns the simple lower case: one character for one character.
pub(super) fn lower(char: char) -> char {
    // Only İ has a lower case of two characters, an i and a dot; its simple lower case is the i.
    char.to_lowercase().next().unwrap_or(char)
}

/// Returns the characters that are not lower case, each with its lower case.
fn lowered() -> &'static [(u32, u32)] {
    static TABLE: OnceLock<Vec<(u32, u32)>> = OnceLock::new();
    TABLE.get_or_init(|| {
        // Nothing above the supplementary multilingual plane has case.
        ('\0'..='\u{1FFFF}')
            .filter(|&char| lower(char) != char)
            .map(|char| (char.into(), lower(char).into()))
            .collect()
    })
}

/// Returns the ranges, extended by every character that equals one of them ignoring case.
pub(super) fn unicode(ranges: &[(u32, u32)]) -> Vec<(u32, u32)> {
    let table = lowered();
    let mut wanted = ranges.to_vec();
    let lowered_members = table.iter().filter(|(upper, _)| contains(ranges, *upper));
    wanted.extend(lowered_members.map(|&(_, lower)| (lower, lower)));
    let wanted = normalized(wanted);
    let mut closed = wanted.clone();
    for same in SAME_UPPER {
        if same.iter().any(|&char| contains(&wanted, char.into())) {
            closed.extend(same.iter().map(|&char| (u32::from(char), u32::from(char))));
        }
    }
    let closed = normalized(closed);
    // A character is a member exactly if its lower case is wanted.
    let mut found = Vec::with_capacity(closed.len());
    let mut uppers = table.iter().map(|&(upper, _)| upper).peekable();
    for &(first, last) in &closed {
        let mut from = first;
        while uppers.next_if(|&upper| upper < first).is_some() {}
        while let Some(upper) = uppers.next_if(|&upper| upper <= last) {
            if upper > from {
                found.push((from, upper - 1));
            }
            from = upper + 1;
        }
        if from <= last {
            found.push((from, last));
        }
    }
    let uppers = table.iter().filter(|(_, lower)| contains(&closed, *lower));
    found.extend(uppers.map(|&(upper, _)| (upper, upper)));
    found
}

/// Does the same for the flags `ai`: only ASCII letters have case.
pub(super) fn ascii(ranges: &[(u32, u32)]) -> Vec<(u32, u32)> {
    let mut found = ranges.to_vec();
    for upper in u32::from('A')..=u32::from('Z') {
        let lower = upper + 0x20;
        if contains(ranges, upper) || contains(ranges, lower) {
            found.push((upper, upper));
            found.push((lower, lower));
        }
    }
    found
}
