//! What a module states about its step while it is compiled: the words in which a whole workflow can be reviewed.
//!
//! The core knows no module, and a review must know what steps do: which fields they read and save, what they ask,
//! whom they ban. So each module says it, in these words, at the argument that says it to the module. A module that only
//! says what it reads and saves is reviewed as far as that goes.

use crate::config::SourceSpan;
use crate::entry::Slot;
use crate::pattern::Pattern;

/// A fact, and the text of the configuration that it follows from.
#[derive(Clone, Debug)]
pub struct Stated {
    /// What is so.
    pub fact: Fact,
    /// Where the configuration says it.
    pub span: SourceSpan,
}

/// What a step does.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Fact {
    /// It reads the field.
    Reads(Slot),
    /// It shows the field in a format that a missing field does not have: the step then fails.
    Formats(Slot),
    /// It saves into the field: a filter when it passes, an action when it is done.
    Saves(Save),
    /// The filter passes, or does not, by what is in the field.
    Tests(Slot, Test),
    /// The filter passes when the expression is found in the field.
    Searches(Search),
    /// It counts in a category.
    Counts {
        /// The category.
        category: String,
        /// How.
        count: Count,
    },
    /// It bans an address.
    Bans(Ban),
    /// It sends a mail for the entry.
    Mails,
}

/// What is saved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Save {
    /// Into this field.
    pub field: Slot,
    /// What it is then.
    pub content: SavedAs,
    /// Always, and not only in some cases: what was there before is gone.
    pub surely: bool,
    /// Because an argument asks for it; else the name stands in an expression, where it may be there for people.
    pub asked: bool,
}

/// The type of what is saved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SavedAs {
    /// Text.
    Text,
    /// An integer.
    Number,
    /// The one or the other.
    Either,
}

/// What a filter asks of a field.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Test {
    /// Is it one of these?
    OneOf {
        /// The values, with their places.
        values: Vec<(Literal, SourceSpan)>,
        /// Does a missing field pass, too?
        missing: bool,
    },
    /// Is it at least, or at most, this?
    Bound(Literal, SourceSpan),
    /// Is it an address in one of some networks?
    Networks {
        /// Where it says "all of IPv4", or "all of IPv6".
        everything: Option<SourceSpan>,
    },
    /// Something else, with the help of the machine (a user database, a name server), which takes its time.
    Machine,
}

/// A value in the configuration.
#[derive(Clone, Debug, PartialEq)]
pub enum Literal {
    /// A text.
    Text(String),
    /// A number.
    Number(f64),
}

/// An expression that a field is searched for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Search {
    /// The field.
    pub field: Slot,
    /// The expression.
    pub pattern: Pattern,
    /// The numbers of the groups that are saved, and where to.
    pub groups: Vec<(usize, Slot)>,
}

/// How is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Count {
    /// One more.
    Raises {
        /// Does it ever count no more by itself?
        expires: bool,
        /// The field that the count is saved in.
        save: Option<Slot>,
    },
    /// One less, or none.
    Lowers {
        /// The field that the count is saved in.
        save: Option<Slot>,
    },
}

/// A ban.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ban {
    /// The field that holds the address.
    pub address: Slot,
    /// Does it end?
    pub ends: bool,
    /// The sets for IPv4 and for IPv6.
    pub sets: [String; 2],
}
