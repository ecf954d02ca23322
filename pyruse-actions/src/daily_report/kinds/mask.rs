//! What is masked in a line.

/// What a masked place holds. Its code stands in the shape, where no text can contain it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(in super::super) enum Mask {
    Address = 1,
    User,
    Path,
    Host,
    Text,
    Number,
    Id,
    /// A word that differs between lines which are otherwise equal.
    Word,
    /// The machine that wrote the line: not a part of its text.
    Machine,
}

impl Mask {
    /// All masks, in the order in which their values are shown.
    pub(in super::super) const ALL: [Mask; 9] = [
        Mask::Address,
        Mask::User,
        Mask::Path,
        Mask::Host,
        Mask::Text,
        Mask::Word,
        Mask::Number,
        Mask::Id,
        Mask::Machine,
    ];

    /// Returns its name, for programs and in a shape that is shown.
    pub(in super::super) fn name(self) -> &'static str {
        match self {
            Mask::Address => "address",
            Mask::User => "user",
            Mask::Path => "path",
            Mask::Host => "host",
            Mask::Text => "text",
            Mask::Number => "number",
            Mask::Id => "id",
            Mask::Word => "word",
            Mask::Machine => "machine",
        }
    }

    pub(super) fn of_code(code: u8) -> Option<Mask> {
        Mask::ALL.into_iter().find(|mask| *mask as u8 == code)
    }

    /// Whether its values are worth counting: numbers and ids are mostly all different.
    pub(super) fn is_counted(self) -> bool {
        !matches!(self, Mask::Number | Mask::Id)
    }
}
