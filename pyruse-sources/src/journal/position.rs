//! A position in the journal, and how it is stored: as the text of a cursor. A position that the reader of files has
//! stored is accepted too: reading resumes behind the entry that it read last.

use pyruse_core::state::Position;
use pyruse_core::time::Timestamp;

use super::direct::Place;

/// The prefix of a stored cursor if the entry is not read yet. No cursor begins with this character.
const BEFORE: u8 = b'<';

/// A position in the journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct JournalPosition {
    /// The cursor of an entry; `None` if only a time is known.
    pub(super) cursor: Option<String>,
    /// Whether the position is right before that entry, not behind it.
    pub(super) is_before: bool,
    /// The time of that entry.
    pub(super) time: Timestamp,
}

impl JournalPosition {
    pub(super) fn at(time: Timestamp) -> JournalPosition {
        JournalPosition { cursor: None, is_before: false, time }
    }

    pub(super) fn behind(cursor: String, time: Timestamp) -> JournalPosition {
        JournalPosition { cursor: Some(cursor), is_before: false, time }
    }

    pub(super) fn read(position: &Position) -> JournalPosition {
        if let Some(place) = Place::read(&position.place) {
            return JournalPosition { cursor: place.cursor(), is_before: false, time: position.time };
        }
        let (is_before, place) = match position.place.as_slice() {
            [BEFORE, place @ ..] => (true, place),
            place => (false, place),
        };
        let cursor = std::str::from_utf8(place).ok().filter(|cursor| !cursor.is_empty());
        JournalPosition {
            cursor: cursor.map(str::to_owned),
            is_before: is_before && cursor.is_some(),
            time: position.time,
        }
    }

    pub(super) fn stored(self) -> Position {
        let mut place = self.cursor.unwrap_or_default().into_bytes();
        if self.is_before {
            place.insert(0, BEFORE);
        }
        Position { place, time: self.time }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_read_as_it_was_stored() {
        let behind = JournalPosition::behind("s=1;i=2".into(), Timestamp(7));
        for position in [
            JournalPosition { is_before: true, ..behind.clone() },
            behind,
            JournalPosition::at(Timestamp(-1)),
        ] {
            assert_eq!(JournalPosition::read(&position.clone().stored()), position);
        }
        for garbage in [b"<".as_slice(), b"\xff\xfe", b""] {
            let position = Position { place: garbage.into(), time: Timestamp(7) };
            assert_eq!(JournalPosition::read(&position), JournalPosition::at(Timestamp(7)), "{garbage:?}");
        }
    }
}
