//! Commits of a batch to the disk.

use std::time::{Duration, Instant};

use pyruse_core::state::{Map, Position, State};
use pyruse_core::time::{Expiry, Timestamp};

use super::Case;

/// A commit of this many changed rows and the position; with or without waiting for the disk. Each commit changes other rows
/// of ten thousand.
pub fn commit(rows: u64, waits: bool) -> Case {
    let directory = tempfile::tempdir().unwrap();
    let mut state = State::open_file(&directory.path().join("state.sqlite")).unwrap();
    let map = state.open::<Map<String>>("bench").unwrap();
    let mut number = 0;
    Box::new(move |n| {
        let _ = &directory;
        let mut taken = Duration::ZERO;
        for _ in 0..n {
            for _ in 0..rows {
                number += 1;
                let key = format!("198.51.{}", number % 10_000);
                let value = "ip Inet4 mail_ban, until tomorrow".to_owned();
                state.get_mut(map).insert(&key, value, Expiry::NEVER, Timestamp::default());
            }
            let cursor = format!("s=0123456789abcdef0123456789abcdef;i={number:x};b=7;m=1;t=2;x=3");
            state.set_position("journal", Position { place: cursor.into_bytes(), time: Timestamp(number) });
            if waits {
                state.wait_for_disk();
            }
            let start = Instant::now();
            state.commit().unwrap();
            taken += start.elapsed();
        }
        taken
    })
}
