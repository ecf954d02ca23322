//! Short payloads that were read, by file and offset: most fields of an entry have values that were seen before, and then
//! they have the same offsets.

/// How many payloads are remembered. A power of two.
const SLOTS: usize = 8192;

/// Longer payloads are not remembered.
const LONGEST: usize = 256;

/// See the module. Its memory is bounded by the product of the two.
#[derive(Default)]
pub(super) struct Memo {
    slots: Vec<Slot>,
}

#[derive(Clone, Default)]
struct Slot {
    file: u32,
    /// 0: nothing is remembered here.
    offset: u64,
    payload: Vec<u8>,
}

impl Memo {
    /// Where the payload is remembered, if it is.
    pub(super) fn find(&self, file: u32, offset: u64) -> Option<usize> {
        let at = place(file, offset);
        let slot = self.slots.get(at)?;
        (slot.offset == offset && slot.file == file).then_some(at)
    }

    /// What is remembered there.
    pub(super) fn payload(&self, at: usize) -> &[u8] {
        &self.slots[at].payload
    }

    pub(super) fn remember(&mut self, file: u32, offset: u64, payload: &[u8]) {
        if payload.len() > LONGEST {
            return;
        }
        if self.slots.is_empty() {
            self.slots.resize(SLOTS, Slot::default());
        }
        let slot = &mut self.slots[place(file, offset)];
        (slot.file, slot.offset) = (file, offset);
        slot.payload.clear();
        slot.payload.extend_from_slice(payload);
    }
}

/// Objects begin at multiples of 8; multiplying spreads them.
fn place(file: u32, offset: u64) -> usize {
    let mixed = (offset ^ u64::from(file) << 40).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (mixed >> 51) as usize
}
