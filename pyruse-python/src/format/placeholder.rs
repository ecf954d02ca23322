//! Finds text that looks like a template's field outside of a template.

use std::ops::Range;

/// Returns the first place where the text has something like `{NAME}` or `{NAME:spec}`: its author may have taken it
/// for a template.
///
/// ```
/// # use pyruse_python::format::placeholder;
/// assert_eq!(placeholder("from {thatIP}"), Some(5..13));
/// assert_eq!(placeholder("{ } {} {1} {a b}"), None);
/// ```
pub fn placeholder(text: &str) -> Option<Range<usize>> {
    text.match_indices('{').find_map(|(open, _)| {
        let inside = &text[open + 1..];
        let inside = &inside[..inside.find('}')?];
        let name = inside.split(['!', ':']).next().unwrap_or_default();
        let mut chars = name.chars();
        let is_name = chars.next().is_some_and(|first| first.is_alphabetic() || first == '_')
            && chars.all(|char| char.is_alphanumeric() || char == '_');
        is_name.then_some(open..open + inside.len() + 2)
    })
}
