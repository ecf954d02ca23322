//! The shapes of entries: those of one program and one process have nearly all their fields in common, and an entry is an
//! array of offsets. So the offsets that are older than the previous entry are looked up all at once.

use pyruse_core::entry::Known;

/// How many shapes are remembered. A power of two.
const SLOTS: usize = 1024;

/// Shapes with more bytes are not remembered.
const LONGEST: usize = 1024;

/// See the module.
#[derive(Default)]
pub(super) struct Shapes {
    slots: Vec<Shape>,
}

#[derive(Clone, Default)]
struct Shape {
    file: u32,
    /// The offsets, as they are in the file. If they are empty, nothing is remembered here.
    items: Vec<u8>,
    /// The values that are wanted, in order.
    values: Vec<Known>,
}

impl Shapes {
    pub(super) fn find(&self, file: u32, items: &[u8]) -> Option<&[Known]> {
        let shape = self.slots.get(place(file, items))?;
        (shape.file == file && shape.items == items).then_some(&shape.values)
    }

    pub(super) fn remember(&mut self, file: u32, items: &[u8], values: &[Known]) {
        if items.len() > LONGEST {
            return;
        }
        if self.slots.is_empty() {
            self.slots.resize(SLOTS, Shape::default());
        }
        let shape = &mut self.slots[place(file, items)];
        shape.file = file;
        shape.items.clear();
        shape.items.extend_from_slice(items);
        shape.values.clear();
        shape.values.extend(values.iter().filter(|value| **value != Known::default()));
    }

    pub(super) fn forget(&mut self) {
        self.slots.clear();
    }
}

/// Anybody can have two shapes that share a place: then one of them is not remembered.
fn place(file: u32, items: &[u8]) -> usize {
    let (words, rest) = items.as_chunks::<8>();
    let rest = rest.iter().fold(u64::from(file), |number, byte| number << 8 | u64::from(*byte));
    let mixed = words.iter().fold(rest, |number, word| {
        (number.rotate_left(23) ^ u64::from_le_bytes(*word)).wrapping_mul(0x9e37_79b9_7f4a_7c15)
    });
    (mixed >> 54) as usize
}
