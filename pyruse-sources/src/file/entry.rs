//! An entry of a log file: the fields of a line, as ranges of its bytes.

use std::rc::Rc;

use pyruse_core::entry::{FIELD_LIMIT, Record, Sink};
use pyruse_core::time::Timestamp;

/// The field with the path of the file.
pub(super) const FILE: &str = "_FILE";

/// The field with the user that owns the file.
pub(super) const FILE_UID: &str = "_FILE_UID";

/// The fields that an entry has in front of those of its line.
const FIXED: [&str; 4] = ["SYSLOG_IDENTIFIER", "MESSAGE", FILE, FILE_UID];

/// The most fields that are taken of one entry; journald has the same limit.
const FIELDS_LIMIT: usize = 1024;

/// The most bytes of one entry: what several lines are joined to, and decoded values.
const BYTES_LIMIT: usize = 2 * FIELD_LIMIT;

/// The most names of which it is remembered whether they are wanted.
const NAMES_LIMIT: usize = 32;

/// Fields of all entries of a source.
#[derive(Debug, Default)]
pub(super) struct Constant {
    /// `SYSLOG_IDENTIFIER` where a line has none.
    pub(super) identifier: Option<String>,
    pub(super) fields: Vec<(String, String)>,
}

/// A range of the bytes of an entry.
#[derive(Clone, Copy, Debug)]
pub(super) struct Part {
    start: u32,
    end: u32,
}

impl Part {
    /// The part of a stored line that is this part of the line.
    pub(super) fn within(self, line: &[u8], part: &[u8]) -> Part {
        let from = (part.as_ptr() as usize).saturating_sub(line.as_ptr() as usize);
        let at = |offset: usize| self.start.saturating_add(number(offset)).min(self.end);
        Part { start: at(from), end: at(from + part.len()) }
    }
}

#[derive(Clone, Copy, Debug)]
enum Name {
    Known(&'static str),
    Own(Part),
}

/// Which names the workflow wants: to look them up for each line would take longer than to parse it.
#[derive(Debug, Default)]
struct Wanted {
    generation: u64,
    names: Vec<(&'static str, bool)>,
}

impl Wanted {
    fn has(&mut self, name: &'static str, sink: &Sink<'_>) -> bool {
        if self.generation != sink.generation() {
            self.generation = sink.generation();
            self.names.clear();
        }
        // A name is always the same place in memory. If there were two, both would be found out.
        if let Some((_, is_wanted)) = self.names.iter().find(|(known, _)| std::ptr::eq(*known, name)) {
            return *is_wanted;
        }
        let is_wanted = sink.wants(name.as_bytes());
        if self.names.len() < NAMES_LIMIT {
            self.names.push((name, is_wanted));
        }
        is_wanted
    }
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct LogEntry {
    time: Timestamp,
    /// The line, and what was decoded of it.
    bytes: Vec<u8>,
    fields: Vec<(Name, Part)>,
    message: Option<Part>,
    has_identifier: bool,
    constant: Rc<Constant>,
    file: Vec<u8>,
    owner: String,
    /// The offset in the file behind the entry.
    offset: u64,
    next: usize,
    wanted: Wanted,
}

fn number(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}

impl LogEntry {
    pub(super) fn new(constant: Rc<Constant>, file: Vec<u8>) -> LogEntry {
        LogEntry { constant, file, ..LogEntry::default() }
    }

    /// Sets the owner of the file that the next entries are from.
    pub(super) fn set_owner(&mut self, uid: u32) {
        self.owner = uid.to_string();
    }

    /// Begins another entry.
    pub(super) fn clear(&mut self) {
        self.bytes.clear();
        if self.bytes.capacity() > BYTES_LIMIT {
            self.bytes.shrink_to(FIELD_LIMIT);
        }
        self.fields.clear();
        self.message = None;
        self.has_identifier = false;
        self.next = 0;
    }

    pub(super) fn time(&self) -> Timestamp {
        self.time
    }

    pub(super) fn set_time(&mut self, time: Timestamp) {
        self.time = time;
    }

    /// Stores the offset behind the entry, and begins to give it out.
    pub(super) fn begin(&mut self, offset: u64) {
        self.offset = offset;
        self.next = 0;
    }

    /// Stores bytes, for [`LogEntry::field`].
    pub(super) fn push(&mut self, bytes: &[u8]) -> Part {
        let start = self.bytes.len();
        let room = BYTES_LIMIT.saturating_sub(start);
        self.bytes.extend_from_slice(&bytes[..bytes.len().min(room)]);
        Part { start: number(start), end: number(self.bytes.len()) }
    }

    /// The part that begins at this length of the bytes.
    fn since(&self, start: usize) -> Part {
        Part { start: number(start), end: number(self.bytes.len()) }
    }

    /// Adds a field of a known name.
    pub(super) fn field(&mut self, name: &'static str, value: Part) {
        if self.fields.len() >= FIELDS_LIMIT {
            return;
        }
        self.has_identifier |= name == "SYSLOG_IDENTIFIER";
        self.fields.push((Name::Known(name), value));
    }

    /// Adds a field of a known name with a value that is not stored yet.
    pub(super) fn value(&mut self, name: &'static str, value: &[u8]) {
        let value = self.push(value);
        self.field(name, value);
    }

    /// Adds a field whose name the line gives. A leading `_` is removed from the name: nobody can choose the fields that
    /// the source sets.
    pub(super) fn own(&mut self, name: &[u8], value: &[u8]) {
        let trusted = name.iter().take_while(|byte| **byte == b'_').count();
        let name = &name[trusted..];
        if name.is_empty() || self.fields.len() >= FIELDS_LIMIT {
            return;
        }
        self.has_identifier |= name == b"SYSLOG_IDENTIFIER";
        let (name, value) = (self.push(name), self.push(value));
        self.fields.push((Name::Own(name), value));
    }

    /// Sets the message.
    pub(super) fn set_message(&mut self, message: Part) {
        self.message = Some(message);
    }

    /// Sets the message to these pieces of a line.
    pub(super) fn message_of(&mut self, pieces: [&[u8]; 2]) {
        let start = self.bytes.len();
        for piece in pieces {
            self.push(piece);
        }
        self.message = Some(self.since(start));
    }

    /// Appends to the message; returns `false` if not all of it has room.
    pub(super) fn append(&mut self, pieces: [&[u8]; 2]) -> bool {
        let Some(Part { start, end }) = self.message else { return false };
        if end as usize != self.bytes.len() {
            let message = self.bytes[start as usize..end as usize].to_vec();
            self.message = Some(self.push(&message));
        }
        let Some(Part { start, .. }) = self.message else { return false };
        let room = FIELD_LIMIT.saturating_sub(self.bytes.len() - start as usize);
        let fits = pieces.iter().map(|piece| piece.len()).sum::<usize>() <= room;
        let mut room = room;
        for piece in pieces {
            let piece = &piece[..piece.len().min(room)];
            room -= piece.len();
            self.bytes.extend_from_slice(piece);
        }
        self.message = Some(self.since(start as usize));
        fits
    }

    /// The message.
    pub(super) fn message(&self) -> &[u8] {
        self.message.map_or(b"", |message| self.part(message))
    }

    /// Do both have the same value of this field, or none?
    pub(super) fn has_same(&self, name: &'static str, other: &LogEntry) -> bool {
        let value = |entry: &LogEntry| {
            let found =
                entry.fields.iter().find(|(known, _)| matches!(known, Name::Known(known) if *known == name));
            found.map(|(_, value)| entry.part(*value).to_vec())
        };
        value(self) == value(other)
    }

    fn part(&self, part: Part) -> &[u8] {
        &self.bytes[part.start as usize..part.end as usize]
    }

    fn put(&mut self, n: usize, sink: &mut Sink<'_>) -> Option<bool> {
        let fixed = FIXED.len() + self.constant.fields.len();
        let name = match FIXED.get(n) {
            Some(name) => Some(*name),
            None if n < fixed => None,
            None => match self.fields.get(n - fixed)?.0 {
                Name::Known(name) => Some(name),
                Name::Own(_) => None,
            },
        };
        if name.is_some_and(|name| !self.wanted.has(name, sink)) {
            return Some(false);
        }
        Some(match n {
            0 => {
                let identifier = self.constant.identifier.as_deref().filter(|_| !self.has_identifier);
                identifier.is_some_and(|value| sink.field(b"SYSLOG_IDENTIFIER", value.as_bytes()))
            }
            1 => self.message.is_some_and(|message| sink.field(b"MESSAGE", self.part(message))),
            2 => sink.field(FILE.as_bytes(), &self.file),
            3 => sink.field(FILE_UID.as_bytes(), self.owner.as_bytes()),
            n if n < fixed => {
                let (name, value) = &self.constant.fields[n - FIXED.len()];
                sink.field(name.as_bytes(), value.as_bytes())
            }
            n => {
                let (name, value) = self.fields[n - fixed];
                let name = match name {
                    Name::Known(name) => name.as_bytes(),
                    Name::Own(name) => self.part(name),
                };
                sink.field(name, self.part(value))
            }
        })
    }
}

impl Record for LogEntry {
    fn realtime(&mut self) -> Timestamp {
        self.time
    }

    fn monotonic(&mut self) -> Option<i64> {
        None
    }

    /// The file, and the offset behind the entry in it.
    fn cursor(&mut self) -> Option<String> {
        Some(format!("{}:{}", String::from_utf8_lossy(&self.file), self.offset))
    }

    fn next_field(&mut self, sink: &mut Sink<'_>) -> bool {
        // What nobody wants is passed over here.
        while let Some(is_wanted) = self.put(self.next, sink) {
            self.next += 1;
            if is_wanted {
                return true;
            }
        }
        false
    }
}

#[cfg(test)]
pub(super) mod tests {
    use pyruse_core::entry::{Buffers, EightBit, Fields};
    use pyruse_core::jiff::tz::TimeZone;

    use super::*;

    /// The texts of these fields of an entry.
    pub(in crate::file) fn texts(entry: &mut LogEntry, names: &[&str]) -> Vec<Option<String>> {
        let mut fields = Fields::default();
        let slots: Vec<_> = names.iter().map(|name| fields.slot(name)).collect();
        let mut buffers = Buffers::new(fields, EightBit::default(), TimeZone::UTC);
        entry.begin(0);
        let mut entry = buffers.entry(entry);
        slots.into_iter().map(|slot| entry.text(slot).map(str::to_owned)).collect()
    }

    #[test]
    fn no_line_sets_a_field_that_rules_trust() {
        let constant = Constant { identifier: Some("app".into()), fields: vec![("A".into(), "1".into())] };
        let mut entry = LogEntry::new(Rc::new(constant), b"/var/log/x".to_vec());
        entry.set_owner(33);
        entry.clear();
        for name in ["_FILE", "__CURSOR", "_FILE_UID", "_", "b"] {
            entry.own(name.as_bytes(), b"forged");
        }
        entry.message_of([b"one", b" two"]);
        assert!(entry.append([b"\n", b"three"]));
        let names = ["_FILE", "_FILE_UID", "A", "SYSLOG_IDENTIFIER", "MESSAGE", "b", "FILE", "CURSOR"];
        let found = texts(&mut entry, &names);
        let expected = ["/var/log/x", "33", "1", "app", "one two\nthree", "forged", "forged", "forged"];
        assert_eq!(found, expected.map(|text| Some(text.to_owned())));
        entry.clear();
        entry.value("SYSLOG_IDENTIFIER", b"sshd");
        assert_eq!(texts(&mut entry, &["SYSLOG_IDENTIFIER"]), [Some("sshd".to_owned())]);
    }

    #[test]
    fn the_same_entry_gives_what_each_of_several_workflows_wants() {
        let mut entry = LogEntry::new(Rc::default(), b"/var/log/x".to_vec());
        let both = ["MESSAGE", "HOSTNAME"];
        for names in [&both[..1], &both[1..], &both, &["_FILE"], &both] {
            entry.clear();
            entry.value("HOSTNAME", b"host");
            entry.message_of([b"one", b""]);
            let expected = names.iter().map(|name| match *name {
                "MESSAGE" => Some("one".to_owned()),
                "HOSTNAME" => Some("host".to_owned()),
                _ => Some("/var/log/x".to_owned()),
            });
            assert_eq!(texts(&mut entry, names), expected.collect::<Vec<_>>());
        }
    }

    #[test]
    fn an_entry_is_bounded() {
        let mut entry = LogEntry::default();
        entry.clear();
        entry.message_of([b"", b""]);
        let piece = [b'x'; 10_000];
        let fitting = (0..20).filter(|_| entry.append([&piece, b"y"])).count();
        assert_eq!(fitting, 6);
        for _ in 0..5000 {
            entry.own(b"a", &piece);
        }
        assert!(entry.bytes.len() <= BYTES_LIMIT && entry.fields.len() <= FIELDS_LIMIT);
    }
}
