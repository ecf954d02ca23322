//! Decompresses the payload of a DATA object, as far as it is wanted, in bounded memory.
//!
//! zstd is what journald has compressed with since 2020, lz4 since 2014, xz before.

use std::io::Read;

use lzma_rust2::Lzma2Reader;
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};

use super::lz4;

/// How a payload is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Packing {
    Xz,
    Lz4,
    Zstd,
}

/// zstd's own minimum for decoders; journald's level of compression has windows of 2 MiB.
const ZSTD_WINDOW: u64 = 8 << 20;

/// The largest dictionary of xz; journald has one of 1 MiB.
const XZ_DICTIONARY: u32 = 8 << 20;

/// The most of a compressed payload that is read.
pub(super) const PACKED_LIMIT: u64 = 12 << 20;

/// Decompresses one payload after the other.
#[derive(Default)]
pub(super) struct Unpacker {
    zstd: Option<Box<FrameDecoder>>,
    output: Vec<u8>,
}

impl Unpacker {
    /// The first `limit` bytes of that payload; `None` if it is damaged, or needs too much memory.
    pub(super) fn unpack(&mut self, packing: Packing, packed: &[u8], limit: usize) -> Option<&[u8]> {
        self.output.clear();
        match packing {
            Packing::Zstd => self.zstd(packed, limit)?,
            Packing::Lz4 => {
                let (length, block) = packed.split_first_chunk::<8>()?;
                let limit = usize::try_from(u64::from_le_bytes(*length)).map_or(limit, |all| all.min(limit));
                lz4::unpack(block, limit, &mut self.output).ok()?;
                if self.output.len() < limit {
                    return None;
                }
            }
            Packing::Xz => {
                let (dictionary, chunks) = xz_block(packed)?;
                let reader = Lzma2Reader::new(chunks, dictionary, None);
                reader.take(limit as u64).read_to_end(&mut self.output).ok()?;
            }
        }
        Some(&self.output)
    }

    fn zstd(&mut self, mut packed: &[u8], limit: usize) -> Option<()> {
        let decoder = self.zstd.get_or_insert_with(|| {
            let mut decoder = Box::new(FrameDecoder::new());
            decoder.set_max_window_size(ZSTD_WINDOW);
            decoder
        });
        decoder.reset(&mut packed).ok()?;
        // Of an unfinished frame, what its window needs is kept back.
        while !decoder.is_finished() && decoder.can_collect() < limit {
            decoder.decode_blocks(&mut packed, BlockDecodingStrategy::UptoBlocks(1)).ok()?;
        }
        decoder.take(limit as u64).read_to_end(&mut self.output).ok()?;
        Some(())
    }
}

/// The dictionary's size, and what follows the header of the first block (tukaani.org/xz/xz-file-format.txt). journald
/// writes one block with one filter, LZMA2, and no checks.
fn xz_block(packed: &[u8]) -> Option<(u32, &[u8])> {
    let packed = packed.strip_prefix(b"\xfd7zXZ\0")?.get(6..)?;
    let header = usize::from(*packed.first()?) * 4 + 4;
    let (header, chunks) = packed.split_at_checked(header)?;
    let flags = *header.get(1)?;
    // One filter; and perhaps the sizes, each a number of up to nine bytes.
    if flags & 0b11_1111 != 0 {
        return None;
    }
    let mut rest = &header[2..];
    for _ in 0..(flags >> 6).count_ones() {
        let length = rest.iter().position(|byte| *byte < 0x80)? + 1;
        rest = &rest[length..];
    }
    let [0x21, 1, size, ..] = rest else { return None };
    let exponent = u32::from(size / 2) + 11;
    let dictionary = (2 + u32::from(size & 1)).checked_shl(exponent)?;
    (exponent < 30 && dictionary <= XZ_DICTIONARY).then_some((dictionary, chunks))
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn whatever_the_payload_the_limit_holds(bytes: Vec<u8>, limit in 0_usize..5000) {
            let mut unpacker = Unpacker::default();
            let starts: [(Packing, &[u8]); 3] = [
                (Packing::Zstd, b"\x28\xb5\x2f\xfd\x04\x00"),
                (Packing::Lz4, b"\xff\xff\xff\xff\0\0\0\0"),
                (Packing::Xz, b"\xfd7zXZ\0\0\0\0\0\0\0\x02\0\x21\x01\x10\0\0\0\0\0\0\0"),
            ];
            for (packing, start) in starts {
                for packed in [[start, &bytes].concat(), bytes.clone()] {
                    let length = unpacker.unpack(packing, &packed, limit).map_or(0, <[u8]>::len);
                    assert!(length <= limit);
                }
            }
        }
    }

    #[test]
    fn a_dictionary_that_is_too_large_is_refused() {
        let header =
            |size: u8| [b"\xfd7zXZ\0\0\0\0\0\0\0\x02\0\x21\x01".as_slice(), &[size], &[0; 8]].concat();
        assert_eq!(xz_block(&header(16)).map(|(dictionary, _)| dictionary), Some(1 << 20));
        for size in [24, 40, 41, 255] {
            assert_eq!(xz_block(&header(size)), None, "{size}");
        }
    }
}
