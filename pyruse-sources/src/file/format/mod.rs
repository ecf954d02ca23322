//! The formats of log files: a line becomes an entry.
//!
//! A line that does not have its format is an entry, too: all of it is the `MESSAGE`. So nobody can hide a line by
//! writing something odd.

mod access;
mod form;
mod json;
mod object;
mod parsed;
mod syslog;

pub(super) use self::form::Form;
use self::parsed::dated;
pub(super) use self::parsed::{DateOf, Parsed};
use super::date::Dates;
use super::entry::LogEntry;

/// Makes an entry of a line. `time_field` is the name of the member with the time, in JSON.
pub(super) fn parse(
    form: Form,
    time_field: Option<&str>,
    line: &[u8],
    entry: &mut LogEntry,
    dates: &mut Dates,
) -> Parsed {
    entry.clear();
    let parsed = match form {
        Form::Text => Some(text(line, entry, dates)),
        Form::Syslog => syslog::parse(line, entry, dates),
        Form::Json => json::parse(time_field, line, entry, dates),
        Form::Docker => json::parse_docker(line, entry, dates),
        Form::Access => access::parse(line, entry, dates),
    };
    parsed.unwrap_or_else(|| {
        entry.clear();
        Parsed { is_odd: true, ..text(line, entry, dates) }
    })
}

fn text(line: &[u8], entry: &mut LogEntry, dates: &mut Dates) -> Parsed {
    let found = dates.find(line);
    let cut = found.as_ref().map_or(0..0, |found| found.cut.clone());
    entry.message_of([&line[..cut.start], &line[cut.end..]]);
    dated(found.map(|found| (found.time, found.is_ahead)), entry, dates)
}

#[cfg(test)]
mod tests {
    use pyruse_core::jiff::tz::TimeZone;

    use super::super::date::Style;
    use super::super::entry::tests::texts;
    use super::*;

    pub(super) fn dates() -> Dates {
        Dates::new(Style::parse("auto").unwrap(), TimeZone::get("Europe/Paris").unwrap())
    }

    /// What these fields of the line's entry are, and its second.
    pub(super) fn read(form: Form, line: &[u8], names: &[&str]) -> (Parsed, i64, Vec<Option<String>>) {
        let mut entry = LogEntry::default();
        let parsed = parse(form, None, line, &mut entry, &mut dates());
        (parsed, entry.time().seconds(), texts(&mut entry, names))
    }

    #[test]
    fn what_has_another_format_is_a_message() {
        for form in [Form::Syslog, Form::Json, Form::Docker, Form::Access] {
            let (parsed, _, found) = read(form, b"2026-11-18 12:06:40 what is this", &["MESSAGE"]);
            if form != Form::Syslog {
                assert!(parsed.is_odd, "{form:?}");
                assert_eq!(found, [Some("what is this".to_owned())]);
            }
        }
        let (parsed, _, found) = read(Form::Syslog, b"what is this", &["MESSAGE"]);
        assert!(parsed.is_odd && parsed.date == DateOf::None);
        assert_eq!(found, [Some("what is this".to_owned())]);
    }

    proptest::proptest! {
        #[test]
        fn no_line_panics(
            line in "(<\\d{1,3}>1? ?)?(2026-11-18T12:06:40Z |Nov 18 12:06:40 |\\{\"|192.0.2.1 - - \\[)?[\\[\\]{}\":,\\\\a-z0-9 =.-]{0,60}",
            bytes: Vec<u8>,
        ) {
            for form in [Form::Text, Form::Syslog, Form::Json, Form::Docker, Form::Access] {
                for line in [line.as_bytes(), &bytes] {
                    read(form, line, &["MESSAGE"]);
                }
            }
        }
    }
}
