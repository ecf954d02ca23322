//! The fields of entries of log files: which are integers, and who can set them.
//!
//! Only `_SOURCE`, `_FILE` and `_FILE_UID` are set by the source. Whatever a line contains gets a name without a leading
//! `_`, so no line can forge them. They identify the writer where only one program writes to a file. The exception is
//! syslog: its file is written by one program, but with what any user of the machine has sent it.

use pyruse_core::entry::{FieldTable, Origin, ValueType};

use super::entry::{FILE, FILE_UID};
use super::format::Form;

/// The names that lines give to fields, beside the known ones.
#[derive(PartialEq)]
enum Named {
    Never,
    /// Structured data of RFC 5424: `ID.NAME`.
    WithDot,
    Anyhow,
}

/// What is known about the fields of one format.
pub(super) struct LogFields {
    named: Named,
    has_one_writer: bool,
}

/// Of any format.
pub(super) static OF_ALL: LogFields = LogFields { named: Named::Anyhow, has_one_writer: false };

static OF_LINES: LogFields = LogFields { named: Named::Never, has_one_writer: true };
static OF_SYSLOG: LogFields = LogFields { named: Named::WithDot, has_one_writer: false };
static OF_OBJECTS: LogFields = LogFields { named: Named::Anyhow, has_one_writer: true };

/// Returns what is known about the fields of this format.
pub(super) fn fields_of(form: Form) -> &'static LogFields {
    match form {
        Form::Text | Form::Access => &OF_LINES,
        Form::Syslog => &OF_SYSLOG,
        Form::Json | Form::Docker => &OF_OBJECTS,
    }
}

const INTEGERS: &[&str] = &["BYTES", "PRIORITY", "STATUS", "SYSLOG_FACILITY", "SYSLOG_PID", FILE_UID];

/// Likewise, where lines name their fields.
const INTEGERS_OF_OBJECTS: &[&str] =
    &["bytes", "code", "pid", "port", "size", "status", "status_code", "uid"];

const TEXTS: &[&str] = &[
    "HOSTNAME",
    "MESSAGE",
    "METHOD",
    "PATH",
    "PROTOCOL",
    "REFERER",
    "REMOTE_ADDR",
    "REMOTE_USER",
    "STREAM",
    "SYSLOG_IDENTIFIER",
    "SYSLOG_MSGID",
    "USER_AGENT",
    "VHOST",
    FILE,
];

impl FieldTable for LogFields {
    fn names(&self) -> Vec<&'static str> {
        INTEGERS.iter().chain(TEXTS).copied().collect()
    }

    fn value_type(&self, name: &str) -> ValueType {
        if INTEGERS.contains(&name) || (self.named == Named::Anyhow && INTEGERS_OF_OBJECTS.contains(&name)) {
            ValueType::Integer
        } else {
            ValueType::Text
        }
    }

    fn may_hold(&self, name: &str) -> bool {
        if name.starts_with('_') || name.is_empty() {
            return name == FILE || name == FILE_UID;
        }
        // A constant field of the configuration has any name in capitals.
        name.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_')
            || match self.named {
                Named::Never => false,
                Named::WithDot => name.contains('.'),
                Named::Anyhow => true,
            }
    }

    fn origin(&self, name: &str) -> Origin {
        match name {
            FILE | FILE_UID if self.has_one_writer => Origin::Identity,
            FILE | FILE_UID => Origin::Source,
            "SYSLOG_IDENTIFIER" | "HOSTNAME" => Origin::Claim,
            _ => Origin::Writer,
        }
    }

    fn has_one_writer(&self) -> bool {
        self.has_one_writer
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_source_sets_names_that_begin_with_an_underscore() {
        for table in [&OF_ALL, &OF_LINES, &OF_SYSLOG, &OF_OBJECTS] {
            for name in table.names() {
                assert!(table.may_hold(name), "{name}");
                assert_eq!(name.starts_with('_'), table.origin(name) >= Origin::Source, "{name}");
            }
            for name in ["_SYSTEMD_UNIT", "_UID", "_", "__CURSOR", ""] {
                assert!(!table.may_hold(name), "{name}");
            }
        }
        assert!(OF_OBJECTS.may_hold("request.remote_ip") && !OF_LINES.may_hold("thatIP"));
        assert_eq!(OF_ALL.origin(FILE), Origin::Source);
    }
}
