//! Expressions in the syntax of Python's `re`, with Python's meaning: see [`pyruse_python::re`].

mod fail2ban;

pub(crate) use self::fail2ban::fail2ban_tags;
pub use pyruse_python::re::{Candidates, Groups, MatchError, Pattern, PatternError, Wanted};
pub(crate) use pyruse_python::re::{Injection, Target, advice};
