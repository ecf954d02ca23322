//! The outcomes of the paths that were tried: one number for each point of the expression where paths meet, and each
//! position in the text.
//!
//! A *row* stands for a point of the expression where the outcome depends on the position in the text alone. It is
//! allocated when it is first written to: most searches end long before anything is worth remembering.

/// The maximum number of cells: 16 MiB. What does not fit is tried again, and counted.
const CELLS: usize = 4 << 20;
/// How many cells are kept for the next search.
const KEPT: usize = 16 << 10;

/// What is known of one position.
pub(super) type Known = u32;
/// Nothing is known.
pub(super) const UNKNOWN: Known = 0;
/// No path leads from there to the end of the expression, or of the look-around or atomic group around it.
pub(super) const FAILED: Known = 1;

/// Returns the cell for: the look-around or atomic group around it ends at this position in the text.
pub(super) fn ends_at(place: u32) -> Known {
    place + 2
}

/// Returns the position of a known end.
pub(super) fn end_of(known: Known) -> Option<u32> {
    known.checked_sub(2)
}

#[derive(Debug, Default)]
pub(super) struct Memo {
    rows: Vec<Vec<Known>>,
    /// The number of cells in a row: one for each position in the text, the end included.
    width: usize,
    cells: usize,
}

impl Memo {
    /// Forgets everything, for a text with `width` positions.
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

    /// Sets the cells from one position to another, both included.
    pub(super) fn set_all(&mut self, row: u32, from: u32, to: u32, known: Known) {
        let row = &mut self.rows[row as usize];
        if row.is_empty() {
            if self.cells + self.width > CELLS {
                return;
            }
            self.cells += self.width;
            if row.capacity() < self.width {
                // Pages that are never written to use no memory then.
                *row = vec![UNKNOWN; self.width];
            } else {
                row.resize(self.width, UNKNOWN);
            }
        }
        row[from as usize..=to as usize].fill(known);
    }

    /// Returns the first position in this range whose cell is known and satisfies `counts`.
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

    /// Frees what a usual text does not need.
    pub(super) fn shrink(&mut self) {
        if self.cells > KEPT {
            self.rows = Vec::new();
            self.cells = 0;
        }
    }
}
