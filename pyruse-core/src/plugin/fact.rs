//! Facts: what a module states about its step while it is compiled, so that a whole workflow can be reviewed.
//!
//! The core knows no module, but a review must know what steps do: which fields they read and save, what they test,
//! which addresses they ban. So each module states facts, at the argument that they follow from. If a module states
//! only what it reads and saves, only that is reviewed.

use crate::config::SourceSpan;
use crate::entry::Slot;
use crate::pattern::Pattern;
use crate::prefixes::Prefixes;

/// A fact, and the text of the configuration that it follows from.
#[derive(Clone, Debug)]
pub struct Stated {
    /// The fact.
    pub fact: Fact,
    /// The position in the configuration that says so.
    pub span: SourceSpan,
}

/// What a step does.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Fact {
    /// It reads the field.
    Reads(Slot),
    /// It records the field, if the entry has it, beside what its arguments ask for.
    Notes(Slot),
    /// It formats the field in a way that fails if the field is missing.
    Formats(Slot),
    /// It saves into the field: a filter when it passes, an action when it is done.
    Saves(Save),
    /// The filter tests the content of the field.
    Tests(Slot, Test),
    /// The filter passes when the expression is found in the field.
    Searches(Search),
    /// The values that it saves into a field are unchanged values from elsewhere. If no such fact is stated about a field
    /// that is saved, its values may be anything.
    Copies {
        /// The field that is saved.
        field: Slot,
        /// The places that a value may be from.
        from: Vec<Origin>,
    },
    /// It puts the value of a field into a part of the state, from which other steps copy it for later entries.
    Keeps {
        /// The field.
        field: Slot,
        /// The name of that part.
        store: String,
    },
    /// It counts in a category.
    Counts {
        /// The category.
        category: String,
        /// Which addresses are one key.
        prefixes: Prefixes,
        /// How.
        change: CounterChange,
    },
    /// It bans an address.
    Bans(BannedAddress),
    /// It sends a mail for the entry.
    Mails,
    /// It sends something else to another program or machine for the entry.
    Sends,
    /// It sends something that the source with this name reads.
    Feeds {
        /// The name of the source.
        source: String,
    },
    /// It uses the member with this name of a top-level key that is an object of named things.
    Uses {
        /// The top-level key.
        key: &'static str,
        /// The name.
        name: String,
    },
}

/// What is saved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Save {
    /// The field.
    pub field: Slot,
    /// The type of the new value.
    pub content: SavedAs,
    /// Whether it always saves, and not only in some cases: then the previous value is gone.
    pub surely: bool,
    /// Whether an argument asks for it. If not, the name is in an expression, where it may only be an explanation for
    /// people.
    pub asked: bool,
}

/// Where a copied value is from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A field of the same entry.
    Field(Slot),
    /// A part of the state, with this name: see [`Fact::Keeps`].
    Store(String),
}

/// The type of a saved value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SavedAs {
    /// Text.
    Text,
    /// An integer.
    Number,
    /// Text or an integer.
    Either,
}

/// A filter's test of a field.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Test {
    /// The field is one of these values.
    OneOf {
        /// The values, with their positions.
        values: Vec<(Literal, SourceSpan)>,
        /// Whether a missing field passes too.
        missing: bool,
    },
    /// The field is at least, or at most, this value.
    Bound(Literal, SourceSpan),
    /// The field is an address in one of some networks.
    Networks {
        /// The position that says "all of IPv4", or "all of IPv6", if there is one.
        everything: Option<SourceSpan>,
    },
    /// Anything else that needs the machine (a user database, a name server), which takes time.
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
    /// The numbers of the groups that are saved, and the fields that they are saved in.
    pub groups: Vec<(usize, Slot)>,
}

/// How a step counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CounterChange {
    /// It adds one.
    Raises {
        /// Whether the count ever expires by itself.
        expires: bool,
        /// The field in which the count is saved.
        save: Option<Slot>,
    },
    /// It subtracts one, or resets the count to zero.
    Lowers {
        /// The field in which the count is saved.
        save: Option<Slot>,
    },
    /// It changes nothing.
    Reads {
        /// The field in which the count is saved.
        save: Option<Slot>,
    },
}

/// A ban.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BannedAddress {
    /// The field that holds the address.
    pub address: Slot,
    /// Whether it ends.
    pub ends: bool,
    /// The sets for IPv4 and for IPv6.
    pub sets: [String; 2],
    /// How long the prefixes of the banned networks are.
    pub prefixes: Prefixes,
}
