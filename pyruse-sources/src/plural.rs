//! Words that depend on a number.

/// Returns `one` if the number is 1, otherwise `many`.
pub(crate) fn plural(count: u64, one: &'static str, many: &'static str) -> &'static str {
    if count == 1 { one } else { many }
}
