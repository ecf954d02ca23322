//! The forms of texts that the linear engine has different expressions for.

/// What is known of the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Form {
    /// Its last character is a newline, and no other is; or it is not known. Else it does not end in a newline.
    pub(super) newline_at_end: bool,
    /// It is ASCII: sets need no other members.
    pub(super) ascii: bool,
    /// The expression is to be found wherever Python finds it, and may be found elsewhere.
    pub(super) loose: bool,
}
