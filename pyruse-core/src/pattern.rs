//! Expressions in the syntax of Python's `re`, with Python's meaning: see [`pyruse_python::re`].

pub use pyruse_python::re::{Candidates, Doubt, Groups, MatchError, Pattern, PatternError};
pub(crate) use pyruse_python::re::{advice, begins_with_text, doubt, fail2ban_tags, refers_back_by};
