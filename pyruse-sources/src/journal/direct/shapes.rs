//! The shapes of entries: those of one program and one process have nearly all their fields in common, and an entry is an
//! array of offsets. So the offsets that are older than the previous entry are looked up all at once.
//!
//! An entry may also have an older value that rarely comes, such as a message that was written before. Its offset is
//! nearly always the last one, because journald sorts them, and the program's other fields came with its first message.
//! So all old offsets but the last are a shape, too.

use pyruse_core::entry::{Combination, Known};

/// How many shapes are remembered. A power of two.
const SLOTS: usize = 1024;

/// Shapes with more bytes are not remembered.
const LONGEST: usize = 1024;

/// How many of the last offsets need not belong to the shape.
const RARE: usize = 1;

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
    combination: Combination,
}

impl Shapes {
    /// The longest shape that these items begin with, of those that have nearly all of them: how many items it has, and
    /// its values with their number. `length` is the length of an item.
    pub(super) fn find(
        &self,
        file: u32,
        items: &[u8],
        length: usize,
    ) -> Option<(usize, Combination, &[Known])> {
        let count = items.len() / length;
        (0..=RARE.min(count.saturating_sub(1))).find_map(|rare| {
            let items = &items[..(count - rare) * length];
            let shape = self.slots.get(place(file, items))?;
            (shape.file == file && shape.items == items).then_some((
                count - rare,
                shape.combination,
                shape.values.as_slice(),
            ))
        })
    }

    /// Remembers these items as a shape, and without the last ones, which may rarely come. `values` are those of all
    /// items; `combine` returns a number for them.
    pub(super) fn remember(
        &mut self,
        file: u32,
        items: &[u8],
        length: usize,
        values: &[Known],
        mut combine: impl FnMut() -> Combination,
    ) {
        if items.len() > LONGEST {
            return;
        }
        if self.slots.is_empty() {
            self.slots.resize(SLOTS, Shape::default());
        }
        let count = values.len();
        for count in (0..=RARE.min(count.saturating_sub(1))).map(|rare| count - rare) {
            let items = &items[..count * length];
            let shape = &mut self.slots[place(file, items)];
            shape.file = file;
            shape.items.clear();
            shape.items.extend_from_slice(items);
            shape.combination = combine();
            shape.values.clear();
            shape.values.extend(values[..count].iter().filter(|value| **value != Known::default()));
        }
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
