//! What became of the ways that were tried: a number for each place of the expression where ways meet, and each place of
//! the text.
//!
//! A *row* stands for a place of the expression from which what follows hangs on the place in the text alone. It is made
//! when it is first written to: most searches end long before anything is worth remembering.

/// The most numbers that are kept: 16 MiB. What finds no room is tried again, and counted.
const CELLS: usize = 4 << 20;
/// How many are kept for the next search.
const KEPT: usize = 16 << 10;

/// What is known of one place.
pub(super) type Known = u32;
/// Nothing is known.
pub(super) const UNKNOWN: Known = 0;
/// No way leads from there to the end of the expression, or of the look-around or atomic group that it is in.
pub(super) const FAILED: Known = 1;

/// The look-around or atomic group that it is in ends at this place of the text.
pub(super) fn ends_at(place: u32) -> Known {
    place + 2
}

/// The place, if it is known to end.
pub(super) fn end_of(known: Known) -> Option<u32> {
    known.checked_sub(2)
}

#[derive(Debug, Default)]
pub(super) struct Memo {
    rows: Vec<Vec<Known>>,
    /// Numbers in a row: one for each place of the text, the end too.
    width: usize,
    cells: usize,
}

impl Memo {
    /// Forgets everything, for a text with so many places.
    pub(super) fn begin(&mut self, rows: usize, width: usize) {
        if self.cells > 0 {
            self.rows.iter_mut().for_each(Vec::clear);
            self.cells = 0;
        }
        self.rows.resize_with(rows, Vec::new);
        self.width = width;
    }

    #[inline]
    pub(super) fn get(&self, row: u32, place: u32) -> Known {
        self.rows[row as usize].get(place as usize).copied().unwrap_or(UNKNOWN)
    }

    pub(super) fn set(&mut self, row: u32, place: u32, known: Known) {
        self.set_all(row, place, place, known);
    }

    /// For the places from one to another, both included.
    pub(super) fn set_all(&mut self, row: u32, from: u32, to: u32, known: Known) {
        let row = &mut self.rows[row as usize];
        if row.is_empty() {
            if self.cells + self.width > CELLS {
                return;
            }
            self.cells += self.width;
            if row.capacity() < self.width {
                // Pages that nothing is written to then take no memory.
                *row = vec![UNKNOWN; self.width];
            } else {
                row.resize(self.width, UNKNOWN);
            }
        }
        row[from as usize..=to as usize].fill(known);
    }

    /// The first place from one to another of which something is known that `counts`.
    pub(super) fn first_known(
        &self,
        row: u32,
        from: u32,
        to: u32,
        counts: impl Fn(Known) -> bool,
    ) -> Option<(u32, Known)> {
        let places = self.rows[row as usize].get(from as usize..=to as usize)?;
        let at = places.iter().position(|known| *known != UNKNOWN && counts(*known))?;
        u32::try_from(at).ok().map(|at| (from + at, places[at as usize]))
    }

    /// Gives back what the usual text does not need.
    pub(super) fn shrink(&mut self) {
        if self.cells > KEPT {
            self.rows = Vec::new();
            self.cells = 0;
        }
    }
}
