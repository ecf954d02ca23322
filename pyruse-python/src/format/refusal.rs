//! The reasons why a value cannot be printed as a spec says.

use std::fmt;

/// The reason why a value cannot be printed as the spec says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    Malformed,
    NoPrecision,
    BothSeparators,
    /// This separator is not allowed with this type.
    Separator(char, char),
    UnknownType(char),
    SignOfText,
    ZeroOfText,
    AlternateText,
    InsideText,
    PrecisionOfInteger,
    ZeroOfInteger,
    SignOfCharacter,
    AlternateCharacter,
    NoCharacter(i64),
    Missing,
    OutOfRange(i64),
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Refusal::Malformed => "this is not a format spec",
            Refusal::NoPrecision => "a number must follow the `.`",
            Refusal::BothSeparators => "it has both separators, `,` and `_`",
            Refusal::Separator(separator, kind) => {
                return write!(f, "the separator `{separator}` does not go with `{kind}`");
            }
            Refusal::UnknownType(kind) => return write!(f, "unknown type `{kind}`"),
            Refusal::SignOfText => "text has no sign",
            Refusal::ZeroOfText => "text has no negative zero (`z`)",
            Refusal::AlternateText => "text has no alternate form (`#`)",
            Refusal::InsideText => "text has no sign to align behind (`=`)",
            Refusal::PrecisionOfInteger => "an integer has no precision",
            Refusal::ZeroOfInteger => "an integer has no negative zero (`z`)",
            Refusal::SignOfCharacter => "a character (`c`) has no sign",
            Refusal::AlternateCharacter => "a character (`c`) has no alternate form (`#`)",
            Refusal::NoCharacter(code) => return write!(f, "{code} is not a character (`c`)"),
            Refusal::Missing => "it takes no spec (write `!s` before the `:`)",
            Refusal::OutOfRange(micros) => {
                return write!(f, "{micros} µs is not within the years 1 to 9999");
            }
        })
    }
}
