//! Kinds of lines: lines of the same origin, section and priority that have the same [shape](shape).
//!
//! Lines enter as they are recorded, and leave as [`Kind`]s: how often, when, one example, the most frequent values.
//! Where masks leave lines apart that differ in one word, the index [joins](index) them.

mod index;
mod kind;
mod mask;
mod shape;
mod shares;
#[cfg(test)]
mod tests;
mod tokens;
mod values;

pub(super) use self::index::Kinds;
pub(super) use self::kind::{Kind, ShapeKey};
pub(super) use self::mask::Mask;
pub(super) use self::shares::{OriginSlot, Shares};
pub(super) use self::values::Frequent;
