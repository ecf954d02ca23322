//! The files of one sequence of numbers, as one stream in the order of the numbers.
//!
//! One journald writes several files in turn (`system.journal`, `user-1000.journal`) and gives each entry the next number.
//! So the place in a sequence is the numbers that were read, and an entry is given once, whichever file it is found in and
//! whenever that file comes.

use pyruse_core::time::Timestamp;

use crate::journal::file::Id;

use super::entry::{Address, Head};
use super::numbers::Numbers;
use super::walk::Walk;

/// See the module.
pub(super) struct Sequence {
    pub(super) id: Id,
    pub(super) read: Numbers,
    /// The time of the entry that was read last.
    pub(super) last_time: Option<Timestamp>,
    pub(super) walks: Vec<Walk>,
    /// The file that is read now.
    current: usize,
    /// The number of the first entry of another file.
    bound: u64,
    /// Entries up to this number are in the files as they were looked at last. Later ones wait: others with smaller numbers
    /// may have been written into files that were looked at earlier.
    upto: u64,
    /// Entries that were damaged, and are not counted yet.
    damaged: u64,
}

impl Sequence {
    pub(super) fn new(id: Id, read: Numbers) -> Sequence {
        Sequence {
            id,
            read,
            last_time: None,
            walks: Vec::new(),
            current: 0,
            bound: 0,
            upto: u64::MAX,
            damaged: 0,
        }
    }

    /// Adds a file; it is read from its first entry that was not read.
    pub(super) fn add(&mut self, walk: Walk) {
        self.walks.push(walk);
        self.choose_again();
    }

    /// The next file is to be chosen again.
    pub(super) fn choose_again(&mut self) {
        self.bound = 0;
    }

    /// Goes to the entry that comes next, if there is one.
    pub(super) fn peek(&mut self) -> Option<&Head> {
        let next = self.unread(self.current);
        if next.is_none_or(|number| number > self.bound) {
            self.choose()?;
        }
        self.walks.get(self.current)?.head()
    }

    fn choose(&mut self) -> Option<()> {
        self.pass_unused();
        let (mut first, mut second) = (None, u64::MAX);
        for at in 0..self.walks.len() {
            let Some(number) = self.unread(at) else { continue };
            match first {
                Some((smallest, _)) if number >= smallest => second = second.min(number),
                _ => {
                    second = first.map_or(second, |(smallest, _)| smallest);
                    first = Some((number, at));
                }
            }
        }
        self.bound = second;
        self.current = first?.1;
        Some(())
    }

    /// A number is used up, too, if its entry did not fit into a file any more; then the entry is in the next file, with
    /// the next number.
    fn pass_unused(&mut self) {
        let Some(walk) = self.walks.get(self.current) else { return };
        let header = &walk.file.header;
        let last = header.last_number;
        if walk.is_at_end()
            && header.is_archived
            && self.read.below(last).is_some_and(|before| before.checked_add(1) == Some(last))
        {
            self.read.insert(last);
        }
    }

    fn unread(&mut self, walk: usize) -> Option<u64> {
        let walk = self.walks.get_mut(walk)?;
        let upto = if walk.is_complete { u64::MAX } else { self.upto };
        walk.unread(&self.read, upto, &mut self.damaged)
    }

    /// The file of the current entry.
    pub(super) fn walk(&mut self) -> Option<&mut Walk> {
        self.walks.get_mut(self.current)
    }

    /// The current entry.
    pub(super) fn current(&self) -> Option<Address> {
        let head = *self.walks.get(self.current)?.head()?;
        Some(Address { sequence: self.id, head })
    }

    /// Counts the current entry as read. Returns the number that was read before it, if others between them are missing,
    /// and how many others count as read from now on.
    pub(super) fn take(&mut self, number: u64) -> (Option<u64>, u64) {
        let before = self.read.below(number).filter(|before| *before < number - 1);
        (before, self.read.insert(number))
    }

    /// How many entries were found damaged since the last call.
    pub(super) fn take_damaged(&mut self) -> u64 {
        std::mem::take(&mut self.damaged)
    }

    /// Looks at what was written meanwhile, for the first time. New files must be looked for before
    /// [`Sequence::refresh`].
    pub(super) fn look(&mut self) {
        self.refresh_all();
    }

    /// The second time: now all files have what they will ever have of the numbers that were there the first time. Lets
    /// files go that are read and will not grow. Returns `true` if there are such.
    pub(super) fn refresh(&mut self) -> bool {
        let before = self.walks.len();
        self.upto = self.walks.iter().map(Walk::last_number).max().unwrap_or(u64::MAX);
        self.walks.iter_mut().for_each(|walk| walk.is_complete = walk.file.header.is_archived);
        self.refresh_all();
        self.walks.retain(|walk| !(walk.is_at_end() && walk.file.header.is_archived));
        self.choose_again();
        self.walks.len() < before
    }

    /// Lets files go that are read and deleted. Returns `true` if there are such.
    pub(super) fn let_deleted_go(&mut self) -> bool {
        let before = self.walks.len();
        self.walks.retain(|walk| !(walk.is_at_end() && walk.is_deleted()));
        self.choose_again();
        self.walks.len() < before
    }

    fn refresh_all(&mut self) {
        // A file that is no longer a journal file was deleted and emptied.
        self.walks.retain_mut(|walk| walk.file.header.is_archived || walk.refresh().is_ok());
    }

    /// Goes to the first entries of that time or later. What comes before the first of them counts as read.
    pub(super) fn seek_since(&mut self, time: Timestamp) {
        self.read = Numbers::default();
        let mut first = None;
        for walk in &mut self.walks {
            let entries = walk.file.entries();
            let index = entries.first_since(time);
            let number = entries.head(index).map(|head| head.number);
            walk.seek(index);
            first = [first, number].into_iter().flatten().min();
        }
        self.read_before(first);
    }

    /// The time of its last entry.
    pub(super) fn newest(&self) -> Option<Timestamp> {
        let headers = self.walks.iter().map(|walk| walk.file.header).filter(|header| header.entries > 0);
        headers.map(|header| header.last_time).max()
    }

    /// Goes behind its last entry.
    pub(super) fn seek_tail(&mut self) {
        let last = self.walks.iter().map(Walk::last_number).max();
        self.read = Numbers::upto(last.unwrap_or(0));
        self.choose_again();
    }

    /// Goes to its first entry that is not in these numbers.
    pub(super) fn seek(&mut self, read: Numbers) {
        self.read = read;
        self.walks.iter_mut().for_each(|walk| walk.seek(0));
        self.choose_again();
    }

    /// Goes to the first entries that libsystemd gives after that one, which is of another sequence. What comes before the
    /// first of them counts as read.
    pub(super) fn seek_behind(&mut self, last: &Head) {
        let mut first = None;
        for walk in &mut self.walks {
            let count = walk.file.entries().count;
            let index = walk.first_that(count, |head| is_before(last, head));
            let number = walk.head_at(index).map(|head| head.number);
            walk.seek(index);
            first = [first, number].into_iter().flatten().min();
        }
        self.read_before(first);
    }

    fn read_before(&mut self, first: Option<u64>) {
        let last = self.walks.iter().map(Walk::last_number).max();
        self.read = Numbers::upto(first.map(|first| first - 1).or(last).unwrap_or(0));
        self.choose_again();
    }

    /// Forgets numbers that were given out again: a power cut has removed the last entries that were read, and journald
    /// does not know that they were. They now belong to entries of later boots. `last` was read last, if that was one of
    /// this sequence, and not in this boot.
    pub(super) fn forget_reused(&mut self, last: Option<&Head>, boot: Id) {
        let Some(end) = last.map(|last| last.number).or(self.read.below(u64::MAX)) else { return };
        let of_boot = |walk: &mut Walk| walk.last_of_boot(last?.boot, end);
        let kept = self.walks.iter_mut().filter_map(of_boot).map(|head| head.number).max();
        for walk in &mut self.walks {
            let entries = walk.file.entries();
            let first = match kept {
                // All others up to the last one are of later boots.
                Some(kept) => entries.first_above(kept),
                // Nothing is left of that boot: only what is of this boot is certainly later.
                None => walk.first_that(entries.first_above(end), |head| head.boot == boot),
            };
            let first = walk.head_at(first).filter(|first| first.number <= end);
            if let Some(first) = first.filter(|first| kept.is_some() || first.boot == boot) {
                self.read.forget_from(first.number);
            }
        }
        self.walks.iter_mut().for_each(|walk| walk.seek(0));
        self.choose_again();
    }

    /// Is that entry in one of the files?
    pub(super) fn has(&mut self, head: &Head) -> bool {
        self.walks.iter_mut().any(|walk| {
            let index = walk.file.entries().first_above(head.number.saturating_sub(1));
            walk.head_at(index).as_ref() == Some(head)
        })
    }

    /// Is a copy of that entry on the disk, with another number or in another sequence?
    pub(super) fn has_copy(&mut self, of: &Address) -> bool {
        let (id, time) = (self.id, Timestamp(i64::try_from(of.head.realtime).unwrap_or(i64::MAX)));
        self.walks.iter_mut().filter(|walk| !walk.is_runtime).any(|walk| {
            let index = walk.file.entries().first_since(time);
            let entries = (index..walk.file.entries().count).map_while(|index| walk.head_at(index));
            let mut of_that_time = entries.take_while(|head| head.realtime == of.head.realtime);
            of_that_time.any(|head| {
                (id, head.number) != (of.sequence, of.head.number)
                    && Head { number: of.head.number, ..head } == of.head
            })
        })
    }

    /// Goes to the entry with that number; is it there?
    pub(super) fn find(&mut self, number: u64) -> bool {
        for (at, walk) in self.walks.iter_mut().enumerate() {
            let entries = walk.file.entries();
            let index = entries.first_above(number - 1);
            if entries.head(index).is_some_and(|head| head.number == number) {
                walk.seek(index);
                self.read = Numbers::upto(number - 1);
                self.current = at;
                self.bound = number;
                return self.unread(at) == Some(number);
            }
        }
        false
    }
}

/// Which of two entries of different sequences comes first: by time, as libsystemd has it.
pub(super) fn is_before(one: &Head, other: &Head) -> bool {
    let by_boot =
        if one.boot == other.boot { one.monotonic.cmp(&other.monotonic) } else { std::cmp::Ordering::Equal };
    let order = by_boot.then(one.realtime.cmp(&other.realtime)).then(one.xor.cmp(&other.xor));
    order.is_lt()
}
