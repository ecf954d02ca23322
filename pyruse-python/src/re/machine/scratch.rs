//! What a search works on: a text whose characters are numbered, and room for what it has to come back to.

use super::memo::{self, Memo};

/// A place that a group has not got.
pub(super) const UNSET: u32 = u32::MAX;
/// Bytes of the frames that are kept for the next search.
const KEPT: usize = 64 << 10;

/// A text whose characters are numbered.
pub(super) trait Text: Copy {
    /// Are all its characters ASCII?
    const IS_ASCII: bool;
    /// How many of them, passed over in a row, count as one step.
    const CHARS: u32;
    /// How many of a hundred steps a search may make: for others than ASCII, each takes longer.
    const SHARE: u32;

    fn len(self) -> u32;
    fn at(self, place: u32) -> u32;
}

impl Text for &[u8] {
    const IS_ASCII: bool = true;
    const CHARS: u32 = 8;
    const SHARE: u32 = 100;

    fn len(self) -> u32 {
        // Nobody has texts of 4 GiB; what lies beyond is not searched.
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

    fn len(self) -> u32 {
        u32::try_from(<[char]>::len(self)).unwrap_or(u32::MAX - 2)
    }

    #[inline]
    fn at(self, place: u32) -> u32 {
        self[place as usize].into()
    }
}

/// What to come back to.
#[derive(Debug, Clone, Copy)]
pub(super) enum Frame {
    /// Another way.
    Way { pc: u32, place: u32 },
    /// A slot gets back what it was.
    Slot { slot: u32, was: u32 },
    /// So does the place where a round began.
    Round { round: u32, was: u32 },
    /// Look-around or an atomic group has been entered by the instruction there, at this place.
    Level { pc: u32, place: u32 },
    /// When the way comes back here, all that began there has failed.
    Begun { row: u32, place: u32 },
    /// A loop that may go on `from` one place `to` another, and has last done so `at` this one.
    Loop { pc: u32, row: u32, from: u32, to: u32, at: u32, then: memo::Known },
}

/// What is needed while searching.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    pub(super) frames: Vec<Frame>,
    /// Where in `frames` the levels are that have not ended.
    pub(super) levels: Vec<usize>,
    /// Where the groups begin and end.
    pub(super) slots: Vec<u32>,
    /// Where the last round of each loop began that may be empty.
    pub(super) rounds: Vec<u32>,
    /// For each loop over characters, the last run of them that was looked at: from, to.
    pub(super) runs: Vec<(u32, u32)>,
    pub(super) memo: Memo,
    chars: Vec<char>,
    /// Where each character begins, and the end.
    bytes: Vec<u32>,
}

impl Scratch {
    /// The characters of a text; to be given back by [`Scratch::keep`].
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

    /// The byte at which a character begins.
    pub(super) fn byte(&self, place: usize, is_ascii: bool) -> usize {
        if is_ascii { place } else { self.bytes.get(place).map_or(0, |byte| *byte as usize) }
    }

    /// The character that begins at a byte.
    pub(super) fn char_at(&self, byte: usize) -> usize {
        self.bytes.partition_point(|begin| (*begin as usize) < byte)
    }

    /// Gives back what the usual text does not need.
    pub(super) fn shrink(&mut self) {
        self.memo.shrink();
        self.frames.clear();
        self.frames.shrink_to(KEPT / size_of::<Frame>());
        self.chars.shrink_to(KEPT / size_of::<char>());
        self.bytes.shrink_to(KEPT / size_of::<u32>());
    }
}
