//! The working memory of a search: a text with numbered characters, and space for the paths to backtrack to.

use super::memo::{self, Memo};

/// A position that a group does not have.
pub(super) const UNSET: u32 = u32::MAX;
/// No row of the memo.
pub(super) const NO_ROW: u32 = u32::MAX;
/// The maximum size, in bytes, of the frames that are kept for the next search.
const KEPT: usize = 64 << 10;

/// A text with numbered characters.
pub(super) trait Text: Copy {
    /// Whether all its characters are ASCII.
    const IS_ASCII: bool;
    /// How many skipped characters count as one step.
    const CHARS: u32;
    /// The percentage of the steps that a search may take: beyond ASCII, each step takes longer.
    const SHARE: u32;

    fn len(self) -> u32;
    fn at(self, place: u32) -> u32;
}

impl Text for &[u8] {
    const IS_ASCII: bool = true;
    const CHARS: u32 = 8;
    const SHARE: u32 = 100;

    #[inline]
    fn len(self) -> u32 {
        // No real text has 4 GiB; what lies beyond is not searched.
        u32::try_from(<[u8]>::len(self)).unwrap_or(u32::MAX - 2)
    }

    #[inline]
    fn at(self, place: u32) -> u32 {
        self[place as usize].into()
    }
}

impl Text for &[char] {
    const IS_ASCII: bool = false;
    const CHARS: u32 = 2;
    const SHARE: u32 = 60;

    #[inline]
    fn len(self) -> u32 {
        u32::try_from(<[char]>::len(self)).unwrap_or(u32::MAX - 2)
    }

    #[inline]
    fn at(self, place: u32) -> u32 {
        self[place as usize].into()
    }
}

/// A path to backtrack to.
#[derive(Debug, Clone, Copy)]
pub(super) enum Frame {
    /// Try another path.
    Way { pc: u32, place: u32 },
    /// Restore the old value of a slot.
    Slot { slot: u32, was: u32 },
    /// Restore the position where a round began.
    Round { round: u32, was: u32 },
    /// Look-around or an atomic group was entered by this instruction, at this position.
    Level { pc: u32, place: u32 },
    /// If backtracking arrives here, everything that began there has failed.
    Begun { row: u32, place: u32 },
    /// A loop that may continue at the positions `from` to `to`, and last did so at `at`.
    Loop { pc: u32, row: u32, from: u32, to: u32, at: u32, then: memo::Known },
}

/// The working memory of a search.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    pub(super) frames: Vec<Frame>,
    /// The indexes in `frames` of the levels that have not ended.
    pub(super) levels: Vec<usize>,
    /// Where the groups begin and end.
    pub(super) slots: Vec<u32>,
    /// For each loop whose rounds may be empty, where its last round began.
    pub(super) rounds: Vec<u32>,
    /// For each loop over characters, the last run of characters that was scanned: from, to.
    pub(super) runs: Vec<(u32, u32)>,
    /// For each loop over characters, positions in sequence behind which everything has failed: from, to before.
    pub(super) failed: Vec<(u32, u32)>,
    pub(super) memo: Memo,
    chars: Vec<char>,
    /// The byte offset of each character, and of the end.
    bytes: Vec<u32>,
}

impl Scratch {
    /// Returns the characters of a text. Return the list to [`Scratch::keep`] after use.
    pub(super) fn decode(&mut self, text: &str) -> Vec<char> {
        let mut chars = std::mem::take(&mut self.chars);
        chars.clear();
        self.bytes.clear();
        for (byte, char) in text.char_indices() {
            chars.push(char);
            self.bytes.push(u32::try_from(byte).unwrap_or(u32::MAX));
        }
        self.bytes.push(u32::try_from(text.len()).unwrap_or(u32::MAX));
        chars
    }

    pub(super) fn keep(&mut self, chars: Vec<char>) {
        self.chars = chars;
    }

    /// Returns the byte at which a character begins.
    pub(super) fn byte(&self, place: usize, is_ascii: bool) -> usize {
        if is_ascii { place } else { self.bytes.get(place).map_or(0, |byte| *byte as usize) }
    }

    /// Returns the character that begins at a byte.
    pub(super) fn char_at(&self, byte: usize) -> usize {
        self.bytes.partition_point(|begin| (*begin as usize) < byte)
    }

    /// Frees what a usual text does not need.
    pub(super) fn shrink(&mut self) {
        self.memo.shrink();
        self.frames.clear();
        self.frames.shrink_to(KEPT / size_of::<Frame>());
        self.chars.shrink_to(KEPT / size_of::<char>());
        self.bytes.shrink_to(KEPT / size_of::<u32>());
    }
}
