//! The flags of an expression. Only the parser has them; the tree has none.

/// A set of flags.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Flags(u8);

impl Flags {
    pub(super) const NONE: Self = Self(0);
    pub(super) const IGNORE_CASE: Self = Self(1);
    pub(super) const MULTI_LINE: Self = Self(2);
    pub(super) const DOT_ALL: Self = Self(4);
    pub(super) const VERBOSE: Self = Self(8);
    pub(super) const ASCII: Self = Self(16);
    pub(super) const UNICODE: Self = Self(32);
    /// `L`: for bytes only, so it is always refused.
    pub(super) const LOCALE: Self = Self(64);
    /// `t`: has no effect, and is only allowed for the whole expression.
    pub(super) const TEMPLATE: Self = Self(128);
    /// The flags that say which characters are letters. They exclude each other.
    pub(super) const TYPE: Self = Self(16 | 32 | 64);

    /// Returns the flag of a letter.
    pub(super) fn of_letter(letter: char) -> Option<Self> {
        Some(match letter {
            'i' => Self::IGNORE_CASE,
            'm' => Self::MULTI_LINE,
            's' => Self::DOT_ALL,
            'x' => Self::VERBOSE,
            'a' => Self::ASCII,
            'u' => Self::UNICODE,
            'L' => Self::LOCALE,
            't' => Self::TEMPLATE,
            _ => return None,
        })
    }

    pub(super) fn has(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    pub(super) fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    pub(super) fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub(super) fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Returns the flags inside of `(?add-remove:…)`.
    pub(super) fn scoped(self, add: Self, remove: Self) -> Self {
        let base = if add.has(Self::TYPE) { self.without(Self::TYPE) } else { self };
        base.with(add).without(remove)
    }
}
