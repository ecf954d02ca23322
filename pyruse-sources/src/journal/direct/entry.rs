//! What an ENTRY object says of its entry, and the text of its cursor.

use crate::journal::file::Id;

/// The length of an ENTRY object without its items.
pub(super) const HEAD: usize = 64;

/// Times from here on are damage.
const LAST_TIME: u64 = 1 << 55;

/// See the module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) number: u64,
    pub(super) realtime: u64,
    pub(super) monotonic: u64,
    pub(super) boot: Id,
    pub(super) xor: u64,
}

/// An entry in its sequence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Address {
    pub(super) sequence: Id,
    pub(super) head: Head,
}

impl Head {
    /// From the first bytes of an ENTRY object; `None` if they cannot be right.
    pub(super) fn read(bytes: &[u8; HEAD]) -> Option<Head> {
        let u64 = |at: usize| u64::from_le_bytes(std::array::from_fn(|n| bytes[at + n]));
        let head = Head {
            number: u64(16),
            realtime: u64(24),
            monotonic: u64(32),
            boot: Id::from_be_bytes(std::array::from_fn(|n| bytes[40 + n])),
            xor: u64(56),
        };
        let is_time = |micros: u64| micros < LAST_TIME;
        (head.number > 0 && head.realtime > 0 && is_time(head.realtime) && is_time(head.monotonic))
            .then_some(head)
    }
}

impl Address {
    /// As libsystemd writes it.
    pub(super) fn cursor(&self) -> String {
        let Address { sequence, head: Head { number, realtime, monotonic, boot, xor } } = *self;
        let mut cursor = String::with_capacity(144);
        for (name, value, digits) in [
            ("s=", sequence, 32),
            (";i=", u128::from(number), 1),
            (";b=", boot, 32),
            (";m=", u128::from(monotonic), 1),
            (";t=", u128::from(realtime), 1),
            (";x=", u128::from(xor), 1),
        ] {
            cursor.push_str(name);
            push_hexadecimal(&mut cursor, value, digits);
        }
        cursor
    }

    /// From the text of a cursor.
    pub(super) fn read(cursor: &str) -> Option<Address> {
        let part = |name: &str| cursor.split(';').find_map(|part| part.strip_prefix(name));
        let number = |name: &str| u64::from_str_radix(part(name)?, 16).ok();
        let id = |name: &str| Id::from_str_radix(part(name)?, 16).ok();
        let (number_of, realtime) = (number("i=")?, number("t=")?);
        let head = Head {
            number: number_of,
            realtime,
            monotonic: number("m=")?,
            boot: id("b=")?,
            xor: number("x=")?,
        };
        Some(Address { sequence: id("s=")?, head })
    }
}

/// With at least that many digits. This is several times as fast as the standard library, and many effects are printed.
fn push_hexadecimal(text: &mut String, value: u128, least: u32) {
    let skipped = (value.leading_zeros() / 4).min(32 - least);
    let digits = value.to_be_bytes().into_iter().flat_map(|byte| [byte >> 4, byte & 15]);
    let digits = digits.skip(skipped as usize).map(|digit| b"0123456789abcdef"[usize::from(digit)]);
    text.extend(digits.map(char::from));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_read_as_it_was_written() {
        let head = Head { number: 0x1a, realtime: 6, monotonic: 5, boot: 7, xor: 0x9_fabc };
        let address = Address { sequence: u128::MAX / 3, head };
        let cursor =
            "s=55555555555555555555555555555555;i=1a;b=00000000000000000000000000000007;m=5;t=6;x=9fabc";
        assert_eq!(address.cursor(), cursor);
        let numbers = [0, 1, 15, 16, u64::MAX - 1, u64::MAX];
        for number in numbers {
            let mut text = String::new();
            push_hexadecimal(&mut text, u128::from(number), 1);
            assert_eq!(text, format!("{number:x}"));
        }
        assert_eq!(Address::read(cursor), Some(address));
        for garbage in ["", "s=1", "s=1;i=2;b=3;m=4;t=5", "s=g;i=2;b=3;m=4;t=5;x=6"] {
            assert_eq!(Address::read(garbage), None, "{garbage}");
        }
    }
}
