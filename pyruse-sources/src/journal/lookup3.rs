//! Bob Jenkins' hash `lookup3` (2006, public domain) as journald uses it: `hashlittle2` with both seeds zero, the
//! primary result in the upper half.
//!
//! The hashes of an entry's fields, XORed, are the `x=` of its cursor. They are unkeyed in every journal file, also
//! where the file's own hash tables are keyed.

/// How many bytes are mixed in at a time.
const BLOCK: usize = 12;

/// The hash of a field, `NAME=value`.
pub(super) fn hash64(bytes: &[u8]) -> u64 {
    #[allow(clippy::cast_possible_truncation, reason = "lookup3 takes the length modulo 2³²")]
    let start = 0xdead_beef_u32.wrapping_add(bytes.len() as u32);
    let mut state = [start; 3];
    let mut rest = bytes;
    while rest.len() > BLOCK {
        let (block, left) = rest.split_at(BLOCK);
        add(&mut state, block);
        mix(&mut state);
        rest = left;
    }
    if !rest.is_empty() {
        // Bytes that are missing count as zero.
        let mut block = [0; BLOCK];
        block[..rest.len()].copy_from_slice(rest);
        add(&mut state, &block);
        finish(&mut state);
    }
    let [_, b, c] = state;
    u64::from(c) << 32 | u64::from(b)
}

fn add(state: &mut [u32; 3], block: &[u8]) {
    for (word, bytes) in state.iter_mut().zip(block.chunks_exact(4)) {
        *word = word.wrapping_add(u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]));
    }
}

fn mix(state: &mut [u32; 3]) {
    for (turn, rotation) in [4, 6, 8, 16, 19, 4].into_iter().enumerate() {
        let (this, before, after) = (turn % 3, (turn + 2) % 3, (turn + 1) % 3);
        state[this] = state[this].wrapping_sub(state[before]) ^ state[before].rotate_left(rotation);
        state[before] = state[before].wrapping_add(state[after]);
    }
}

fn finish(state: &mut [u32; 3]) {
    for (turn, rotation) in [14, 11, 25, 16, 4, 14, 24].into_iter().enumerate() {
        let (this, before) = ((turn + 2) % 3, (turn + 1) % 3);
        state[this] = (state[this] ^ state[before]).wrapping_sub(state[before].rotate_left(rotation));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_has_the_values_of_the_authors_own_test() {
        assert_eq!(hash64(b""), 0xdead_beef_dead_beef);
        assert_eq!(hash64(b"Four score and seven years ago"), 0x1777_0551_ce72_26e6);
    }
}
