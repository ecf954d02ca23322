//! Files as other versions of systemd write them: compressed with lz4 or xz, or not at all. This machine's systemd writes
//! zstd only, but its library reads them all.

use std::collections::HashMap;
use std::io::Write as _;
use std::process::{Command, Stdio};

use crate::journal::direct::unpack::{Packing, Unpacker};

/// Places in the header.
const INCOMPATIBLE: usize = 12;
const ARENA_SIZE: usize = 96;
const TAIL_OBJECT: usize = 136;

/// The flag of compression by zstd, of a file and of an object.
const ZSTD_FILE: u8 = 8;
const ZSTD_OBJECT: u8 = 4;

fn u64(bytes: &[u8], at: usize) -> usize {
    usize::try_from(u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap())).unwrap()
}

fn set(bytes: &mut [u8], at: usize, number: usize) {
    bytes[at..at + 8].copy_from_slice(&(number as u64).to_le_bytes());
}

/// Packs all values again that are packed with zstd. The entries are at these places.
pub(super) fn repack(bytes: &mut Vec<u8>, entries: &[usize], packing: Option<Packing>) {
    let is_compact = bytes[INCOMPATIBLE] & 16 != 0;
    let (item, start) = if is_compact { (4, 72) } else { (16, 64) };
    let mut moved = HashMap::new();
    for entry in entries {
        let end = entry + u64(bytes, entry + 8);
        for at in (entry + 64..end).step_by(item) {
            let data = if is_compact { u64(bytes, at) & 0xffff_ffff } else { u64(bytes, at) };
            if bytes[data + 1] != ZSTD_OBJECT {
                continue;
            }
            let new = *moved.entry(data).or_insert_with(|| append(bytes, data, start, packing));
            let length = item.min(8);
            bytes[at..at + length].copy_from_slice(&(new as u64).to_le_bytes()[..length]);
        }
    }
    assert!(!moved.is_empty());
    let flag = flag(packing);
    bytes[INCOMPATIBLE] = bytes[INCOMPATIBLE] & !ZSTD_FILE | flag;
}

/// The flag of an object, which is that of a file too.
fn flag(packing: Option<Packing>) -> u8 {
    match packing {
        None => 0,
        Some(Packing::Xz) => 1,
        Some(Packing::Lz4) => 2,
        Some(Packing::Zstd) => unreachable!("it is packed so"),
    }
}

/// Appends a copy of the object with its value packed in another way.
fn append(bytes: &mut Vec<u8>, data: usize, start: usize, packing: Option<Packing>) -> usize {
    let packed = &bytes[data + start..data + u64(bytes, data + 8)];
    let value = Unpacker::default().unpack(Packing::Zstd, packed, usize::MAX >> 1).unwrap().to_vec();
    let value = match packing {
        None => value,
        Some(Packing::Xz) => xz(&value),
        Some(_) => lz4(&value),
    };
    let (new, before) = (bytes.len(), bytes.len());
    let mut head = bytes[data..data + start].to_vec();
    head[1] = flag(packing);
    set(&mut head, 8, start + value.len());
    bytes.extend(head);
    bytes.extend(value);
    bytes.resize(bytes.len().next_multiple_of(8), 0);
    let grown = bytes.len() - before;
    let arena = u64(bytes, ARENA_SIZE) + grown;
    set(bytes, ARENA_SIZE, arena);
    set(bytes, TAIL_OBJECT, new);
    new
}

/// As journald packs: one block, without checks.
fn xz(value: &[u8]) -> Vec<u8> {
    let mut child = Command::new("xz")
        .args(["--check=none", "--lzma2=dict=1MiB", "-c", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("xz is needed");
    let mut input = child.stdin.take().unwrap();
    std::thread::scope(|scope| {
        scope.spawn(move || input.write_all(value).unwrap());
        child.wait_with_output().unwrap().stdout
    })
}

/// A simple packer: each place is compared with the last one that began with the same four bytes.
fn lz4(value: &[u8]) -> Vec<u8> {
    let mut packed = (value.len() as u64).to_le_bytes().to_vec();
    let (mut seen, mut literals, mut at) = (HashMap::new(), 0, 0);
    // The last sequence has at least five literals, and no match begins in the last twelve bytes.
    while at + 12 < value.len() {
        let four = &value[at..at + 4];
        match seen.insert(four, at) {
            Some(before) if at - before <= 0xffff => {
                let most = value.len() - 5 - at;
                let length = (0..most).take_while(|n| value[before + n] == value[at + n]).count();
                sequence(&mut packed, &value[literals..at], Some((at - before, length)));
                at += length;
                literals = at;
            }
            _ => at += 1,
        }
    }
    sequence(&mut packed, &value[literals..], None);
    packed
}

fn sequence(packed: &mut Vec<u8>, literals: &[u8], matched: Option<(usize, usize)>) {
    let rest = matched.map_or(0, |(_, length)| length - 4);
    packed.push((literals.len().min(15) as u8) << 4 | rest.min(15) as u8);
    length(packed, literals.len());
    packed.extend(literals);
    if let Some((distance, _)) = matched {
        packed.extend((distance as u16).to_le_bytes());
        length(packed, rest);
    }
}

fn length(packed: &mut Vec<u8>, length: usize) {
    if length >= 15 {
        packed.extend(std::iter::repeat_n(255, (length - 15) / 255));
        packed.push(((length - 15) % 255) as u8);
    }
}
