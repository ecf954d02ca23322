//! Checks SQLite's journal (`-wal`) before SQLite reads it, by its documented format
//! (<https://www.sqlite.org/walformat.html>).
//!
//! SQLite reads the journal up to the first frame with a wrong checksum, and takes that for its end. That is right
//! after a crash. It is wrong if that frame was damaged later: then sound frames follow it, with commits that SQLite
//! would drop. The checksum of a frame starts from the stored checksum of the frame before it; so frames after a bad
//! one can still be checked.

use std::fs::File;
use std::io::{BufReader, ErrorKind, Read};
use std::path::Path;

const HEADER: usize = 32;
const FRAME_HEADER: usize = 24;

/// The condition of a journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Looks {
    /// There is no journal, or nothing in it that SQLite would read: SQLite takes it for empty.
    Absent,
    /// Its beginning is sound, and no commit follows its end.
    Sound,
    /// This frame, counted from 1, is bad, and a commit follows it.
    Broken { frame: u64 },
}

/// Checks a journal. Nobody may write to it meanwhile.
pub(super) fn look(path: &Path) -> std::io::Result<Looks> {
    match File::open(path) {
        Ok(file) => scan(BufReader::with_capacity(1 << 16, file)),
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(Looks::Absent),
        Err(e) => Err(e),
    }
}

/// Returns `true` if there is a journal that SQLite would begin to read.
pub(super) fn begins(path: &Path) -> std::io::Result<bool> {
    match File::open(path) {
        Ok(mut file) => Ok(header(&mut file)?.is_some()),
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(false),
        Err(e) => Err(e),
    }
}

struct Header {
    big_endian: bool,
    page: usize,
    salts: [u8; 8],
    sum: Sum,
}

type Sum = (u32, u32);

fn word(bytes: &[u8], at: usize) -> u32 {
    u32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

fn header(file: &mut impl Read) -> std::io::Result<Option<Header>> {
    let mut bytes = [0; HEADER];
    if !read_whole(file, &mut bytes)? {
        return Ok(None);
    }
    let big_endian = match word(&bytes, 0) {
        0x377f_0682 => false,
        0x377f_0683 => true,
        _ => return Ok(None),
    };
    let page = word(&bytes, 8) as usize;
    let sum = add((0, 0), &bytes[..24], big_endian);
    if !(512..=65536).contains(&page)
        || !page.is_power_of_two()
        || sum != (word(&bytes, 24), word(&bytes, 28))
    {
        return Ok(None);
    }
    let mut salts = [0; 8];
    salts.copy_from_slice(&bytes[16..24]);
    Ok(Some(Header { big_endian, page, salts, sum }))
}

fn scan(mut file: impl Read) -> std::io::Result<Looks> {
    let Some(Header { big_endian, page, salts, sum }) = header(&mut file)? else {
        return Ok(Looks::Absent);
    };
    let mut before = sum;
    let mut bad = None;
    let mut frame = vec![0; FRAME_HEADER + page];
    let mut number = 0;
    while read_whole(&mut file, &mut frame)? {
        number += 1;
        let stored = (word(&frame, 16), word(&frame, 20));
        // Frames from an earlier round of the journal have other salts.
        let sound = frame[8..16] == salts
            && add(add(before, &frame[..8], big_endian), &frame[FRAME_HEADER..], big_endian) == stored;
        match bad {
            None if !sound => bad = Some(number),
            // The size of the database after a commit; 0 within a transaction.
            Some(bad) if sound && word(&frame, 4) != 0 => return Ok(Looks::Broken { frame: bad }),
            _ => {}
        }
        before = stored;
    }
    Ok(Looks::Sound)
}

fn add((mut a, mut b): Sum, bytes: &[u8], big_endian: bool) -> Sum {
    for pair in bytes.chunks_exact(8) {
        let (first, second) = (word(pair, 0), word(pair, 4));
        let own = |word: u32| if big_endian { word } else { word.swap_bytes() };
        a = a.wrapping_add(own(first)).wrapping_add(b);
        b = b.wrapping_add(own(second)).wrapping_add(a);
    }
    (a, b)
}

/// Reads until the buffer is full; returns `false` if the file ends before that.
fn read_whole(file: &mut impl Read, buffer: &mut [u8]) -> std::io::Result<bool> {
    match file.read_exact(buffer) {
        Ok(()) => Ok(true),
        Err(e) if e.kind() == ErrorKind::UnexpectedEof => Ok(false),
        Err(e) => Err(e),
    }
}

#[cfg(test)]
mod tests {
    use rusqlite::Connection;

    use super::*;

    /// Returns the journal of a database after commits with these numbers of rows, as a crash leaves it.
    fn journal(commits: u32) -> Vec<u8> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("db");
        let connection = Connection::open(&path).unwrap();
        connection.pragma_update(None, "journal_mode", "WAL").unwrap();
        connection.execute_batch("CREATE TABLE t (a)").unwrap();
        for n in 0..commits {
            connection.execute("INSERT INTO t VALUES (?1)", [format!("{n}").repeat(500)]).unwrap();
        }
        std::fs::read(directory.path().join("db-wal")).unwrap()
    }

    const FRAME: usize = FRAME_HEADER + 4096;

    #[test]
    fn a_journal_that_a_crash_cut_anywhere_is_sound() {
        let good = journal(20);
        assert!(good.len() > HEADER + 10 * FRAME);
        assert_eq!(scan(&good[..]).unwrap(), Looks::Sound);
        for length in (0..good.len()).step_by(97) {
            let expected = if length < HEADER { Looks::Absent } else { Looks::Sound };
            assert_eq!(scan(&good[..length]).unwrap(), expected, "{length}");
        }
    }

    #[test]
    fn a_bit_anywhere_before_the_last_commits_breaks_it() {
        let good = journal(20);
        let frames = (good.len() - HEADER) / FRAME;
        for at in (0..good.len()).step_by(61) {
            let mut bad = good.clone();
            bad[at] ^= 1;
            let found = scan(&bad[..]).unwrap();
            let frame = at.saturating_sub(HEADER) / FRAME + 1;
            if at < HEADER {
                assert_eq!(found, Looks::Absent, "{at}");
            } else if frame + 2 <= frames {
                assert_eq!(found, Looks::Broken { frame: frame as u64 }, "byte {at} of frame {frame}");
            } else if frame == frames {
                assert_eq!(found, Looks::Sound, "a torn end: {at}");
            }
        }
    }

    #[test]
    fn frames_of_an_older_round_are_not_damage() {
        let (old, new) = (journal(20), journal(5));
        let mut mixed = old.clone();
        mixed[..new.len()].copy_from_slice(&new);
        assert_eq!(scan(&mixed[..]).unwrap(), Looks::Sound);
    }
}
