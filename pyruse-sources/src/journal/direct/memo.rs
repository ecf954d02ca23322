//! What is known of the fields that were read, by file and offset: most fields of an entry have values that were seen
//! before, and then they have the same offsets.

/// How many fields are remembered. A power of two.
const SLOTS: usize = 8192;

/// See the module.
#[derive(Default)]
pub(super) struct Memo<T> {
    slots: Vec<Slot<T>>,
}

#[derive(Clone, Default)]
struct Slot<T> {
    file: u32,
    /// 0: nothing is remembered here.
    offset: u64,
    known: T,
}

impl<T: Copy + Default> Memo<T> {
    pub(super) fn find(&self, file: u32, offset: u64) -> Option<T> {
        let slot = self.slots.get(place(file, offset))?;
        (slot.offset == offset && slot.file == file).then_some(slot.known)
    }

    pub(super) fn remember(&mut self, file: u32, offset: u64, known: T) {
        if self.slots.is_empty() {
            self.slots.resize(SLOTS, Slot::default());
        }
        self.slots[place(file, offset)] = Slot { file, offset, known };
    }

    pub(super) fn forget(&mut self) {
        self.slots.clear();
    }
}

/// Objects begin at multiples of 8; multiplying spreads them.
fn place(file: u32, offset: u64) -> usize {
    let mixed = (offset ^ u64::from(file) << 40).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (mixed >> 51) as usize
}
