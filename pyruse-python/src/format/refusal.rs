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
                return write!(f, "the separator `{separator}` is not allowed with `{kind}`");
            }
            Refusal::UnknownType(kind) => return write!(f, "unknown type `{kind}`"),
            Refusal::SignOfText => "text cannot have a sign",
            Refusal::ZeroOfText => "text cannot have the option `z`",
            Refusal::AlternateText => "text cannot have an alternate form (`#`)",
            Refusal::InsideText => "text cannot have the alignment `=`",
            Refusal::PrecisionOfInteger => "an integer cannot have a precision",
            Refusal::ZeroOfInteger => "an integer cannot have the option `z`",
            Refusal::SignOfCharacter => "a character (`c`) cannot have a sign",
            Refusal::AlternateCharacter => "a character (`c`) cannot have an alternate form (`#`)",
            Refusal::NoCharacter(code) => return write!(f, "{code} is not a character (`c`)"),
            Refusal::Missing => "it cannot have a spec (write `!s` before the `:`)",
            Refusal::OutOfRange(micros) => {
                return write!(f, "{micros} µs is not within the years 1 to 9999");
            }
        })
    }
}
