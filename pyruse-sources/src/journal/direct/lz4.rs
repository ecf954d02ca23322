//! The block format of LZ4 (github.com/lz4/lz4, doc/lz4_Block_format.md), up to a limit.
//!
//! Written here because only the beginning of a long value is wanted, and libraries decompress all of it or nothing.

/// The block is damaged.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Damaged;

/// The shortest match; lengths are stored less this.
const SHORTEST: usize = 4;

/// What a length is in a token if more bytes of it follow.
const MORE: usize = 15;

/// Appends what the block holds to `output`, until that is at least `limit` long. A block that is cut off is an error only
/// if its end is needed.
pub(super) fn unpack(block: &[u8], limit: usize, output: &mut Vec<u8>) -> Result<(), Damaged> {
    let mut rest = block;
    while output.len() < limit {
        let Some((&token, after)) = rest.split_first() else { return Ok(()) };
        rest = after;
        let literals = length(usize::from(token >> 4), &mut rest)?;
        let wanted = limit - output.len();
        output.extend_from_slice(rest.get(..literals.min(wanted)).ok_or(Damaged)?);
        if literals >= wanted {
            return Ok(());
        }
        rest = &rest[literals..];
        // The last sequence has literals only.
        let [low, high, after @ ..] = rest else {
            return if rest.is_empty() { Ok(()) } else { Err(Damaged) };
        };
        rest = after;
        let distance = usize::from(u16::from_le_bytes([*low, *high]));
        let matched = length(usize::from(token & 15), &mut rest)?.saturating_add(SHORTEST);
        let from = output.len().checked_sub(distance).filter(|_| distance > 0).ok_or(Damaged)?;
        // A match may overlap what it makes: then it repeats itself.
        for at in from..from + matched.min(limit - output.len()) {
            output.push(output[at]);
        }
    }
    Ok(())
}

fn length(start: usize, rest: &mut &[u8]) -> Result<usize, Damaged> {
    let mut length = start;
    if start == MORE {
        loop {
            let (&byte, after) = rest.split_first().ok_or(Damaged)?;
            *rest = after;
            length = length.saturating_add(usize::from(byte));
            if byte < u8::MAX {
                break;
            }
        }
    }
    Ok(length)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unpacked(block: &[u8], limit: usize) -> Result<Vec<u8>, Damaged> {
        let mut output = Vec::new();
        unpack(block, limit, &mut output).map(|()| output)
    }

    #[test]
    fn literals_and_matches_are_joined() {
        assert_eq!(unpacked(b"\x40abcd", 100).unwrap(), b"abcd");
        assert_eq!(unpacked(b"\x22ab\x02\x00\x10z", 100).unwrap(), b"ababababz");
        assert_eq!(unpacked(b"\x1fa\x01\x00\x02\x20bc", 100).unwrap(), [&[b'a'; 22][..], b"bc"].concat());
        for limit in 0..9 {
            assert_eq!(unpacked(b"\x22ab\x02\x00\x10z", limit).unwrap(), b"ababababz"[..limit]);
        }
    }

    #[test]
    fn a_damaged_block_is_an_error() {
        for block in [&b"\x40abc"[..], b"\x10a\x02\x00", b"\x10a\x00\x00", b"\xf0", b"\xf0\xff", b"\x10a\x01"]
        {
            assert_eq!(unpacked(block, 100), Err(Damaged), "{block:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn whatever_the_block_the_limit_holds(block: Vec<u8>, limit in 0_usize..5000) {
            if let Ok(output) = unpacked(&block, limit) {
                assert!(output.len() <= limit);
            }
        }
    }
}
