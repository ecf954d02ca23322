//! The forms of texts for which the linear engine has different expressions.

/// What is known of the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Form {
    /// The last character is the only newline, or it is not known whether there is one. If false, the text does not end
    /// in a newline.
    pub(super) newline_at_end: bool,
    /// The text is ASCII: sets need no other members.
    pub(super) ascii: bool,
    /// The expression must be found wherever Python finds it, and may be found elsewhere.
    pub(super) loose: bool,
}
