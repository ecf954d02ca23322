//! The fields of entries from a stream, and who can set them.
//!
//! Only `_SOURCE`, `_SUBJECT` and `_SENDER` are set by the source. Whatever a message contains gets a name without a leading
//! `_`, so no message can forge them.

use pyruse_core::entry::{FieldTable, Origin, ValueType};

/// The subject of the message.
pub(super) const SUBJECT: &str = "_SUBJECT";

/// Who sent it, as its subject says.
pub(super) const SENDER: &str = "_SENDER";

/// What a name that begins with `_` gets in front of it, because only the source sets such names.
pub(super) const FOREIGN: &str = "REMOTE_";

/// The fields of `action_natsBan`, and those of the journal that people use most.
const TEXTS: &[&str] = &[
    "BAN_ACTION",
    "BAN_IP",
    "MESSAGE",
    "REMOTE__HOSTNAME",
    "REMOTE___CURSOR",
    "SYSLOG_IDENTIFIER",
    "thatIP",
    SENDER,
    SUBJECT,
];

const INTEGERS: &[&str] =
    &["BAN_SECONDS", "PRIORITY", "REMOTE__PID", "REMOTE__UID", "SYSLOG_FACILITY", "SYSLOG_PID"];

const TIMES: &[&str] = &["REMOTE___REALTIME_TIMESTAMP"];

/// What is known about the fields of a stream.
pub(super) struct StreamFields {
    /// Whether the subject proves who sent the message.
    has_sender: bool,
    /// Whether only one program can publish to the stream.
    has_one_writer: bool,
}

/// Of any stream.
pub(super) static OF_ALL: StreamFields = StreamFields { has_sender: false, has_one_writer: false };

static OF_SENDERS: StreamFields = StreamFields { has_sender: true, has_one_writer: false };
static OF_ONE_WRITER: StreamFields = StreamFields { has_sender: false, has_one_writer: true };
static OF_ONE_SENDER: StreamFields = StreamFields { has_sender: true, has_one_writer: true };

pub(super) fn fields_of(has_sender: bool, has_one_writer: bool) -> &'static StreamFields {
    match (has_sender, has_one_writer) {
        (false, false) => &OF_ALL,
        (true, false) => &OF_SENDERS,
        (false, true) => &OF_ONE_WRITER,
        (true, true) => &OF_ONE_SENDER,
    }
}

impl FieldTable for StreamFields {
    fn names(&self) -> Vec<&'static str> {
        TEXTS.iter().chain(INTEGERS).chain(TIMES).copied().collect()
    }

    fn value_type(&self, name: &str) -> ValueType {
        if INTEGERS.contains(&name) {
            ValueType::Integer
        } else if TIMES.contains(&name) {
            ValueType::Time
        } else {
            ValueType::Text
        }
    }

    fn may_hold(&self, name: &str) -> bool {
        name == SUBJECT || name == SENDER || is_name(name)
    }

    fn origin(&self, name: &str) -> Origin {
        match name {
            SENDER if self.has_sender => Origin::Identity,
            SENDER | SUBJECT => Origin::Source,
            "SYSLOG_IDENTIFIER" | "REMOTE__HOSTNAME" => Origin::Claim,
            _ => Origin::Writer,
        }
    }

    fn has_one_writer(&self) -> bool {
        self.has_one_writer
    }
}

/// The longest name of a field, in bytes, as in the journal.
const LONGEST_NAME: usize = 64;

/// Returns `true` if a field of an entry can have this name.
pub(super) fn is_name(name: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-$".contains(&byte);
    name.len() <= LONGEST_NAME
        && name.starts_with(|first: char| first.is_ascii_alphanumeric() || first == '$')
        && name.bytes().all(is_plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_source_sets_names_that_begin_with_an_underscore() {
        for table in [&OF_ALL, &OF_SENDERS, &OF_ONE_WRITER, &OF_ONE_SENDER] {
            for name in table.names() {
                assert!(table.may_hold(name), "{name}");
                assert_eq!(name.starts_with('_'), table.origin(name) >= Origin::Source, "{name}");
            }
            for name in ["_UID", "_", "__CURSOR", "", "a b", "a\nb", "é", &"a".repeat(65)] {
                assert!(!table.may_hold(name), "{name}");
            }
        }
        assert_eq!(OF_SENDERS.origin(SENDER), Origin::Identity);
        assert_eq!(OF_ALL.origin(SENDER), Origin::Source);
    }
}
