//! The date of a line: how it is written, its zone, and what fail2ban cuts from the line with it.

use pyruse_core::pattern::Pattern;

use super::jail::Jail;

/// A date as in the access log of a web server: `18/Nov/2026:12:06:40 +0100`.
const WEB_DATE: &str = r"\d{1,2}/\w+\.?/\d{4}:[\d:]+ ?(?:[+-]\d{4})?";

/// One of the usual forms of dates.
const DATE: &str = "{DATE}";

/// Forms that sources find by themselves.
const USUAL: [&str; 6] = [
    "%Y-%m-%d %H:%M:%S",
    "%d/%b/%Y:%H:%M:%S %z",
    "%d/%b/%Y %H:%M:%S",
    "%a %b %d %H:%M:%S %Y",
    "%b %d %H:%M:%S",
    r"(?:%a )?%b %d %H:%M:%S(?:\.%f)?(?: %Y)?",
];

/// How a line becomes the text that expressions search: an expression with the groups that are left, and a template.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Cut {
    pub(super) expression: String,
    pub(super) line: String,
}

/// Returns it; `None`: the date alone is cut, as our source does it. `field` begins the names of the groups.
pub(super) fn cut(jail: &Jail, field: &str) -> Option<Cut> {
    let groups = |before: &str, date: &str, behind: &str| {
        format!("^(?P<{field}_before>{before}){date}(?P<{field}_behind>{behind})$")
    };
    let line = format!("{{{field}_before}}{{{field}_behind}}");
    if has_date_within(jail) {
        // Our source may have left it, where a line has more words before it than others.
        return Some(Cut { expression: groups(r"[^\[]*\[", WEB_DATE, r"\].*"), line });
    }
    let (before, around) = jail.datepattern.as_deref()?.lines().find_map(around)?;
    let expression = groups(&before, &around, ".*");
    Pattern::new(&expression).ok()?;
    Some(Cut { expression, line: format!(" {line}") })
}

/// Returns what is before the part of a pattern that is cut, and that part without the date: a group, or all of it.
fn around(pattern: &str) -> Option<(String, String)> {
    let (before, behind) = beginning(pattern).split_once(DATE)?;
    let (kept, before, behind) = match before.rsplit_once('(') {
        Some((kept, before)) if !kept.ends_with('\\') && !before.starts_with('?') => {
            (kept, before, behind.split_once(')')?.0)
        }
        _ => ("", before, behind),
    };
    (!before.is_empty() || !behind.is_empty())
        .then(|| (kept.to_owned(), format!("{before}(?:{WEB_DATE})?{behind}")))
}

/// The pattern without its anchor.
fn beginning(pattern: &str) -> &str {
    pattern.trim().trim_start_matches("{^LN-BEG}").trim_start_matches('^')
}

/// Whether lines have a date within, as in an access log: fail2ban leaves its brackets, `192.0.2.1 - - [] "GET …`. Only
/// the expressions say how a line looks.
fn has_date_within(jail: &Jail) -> bool {
    let is_within = |expression: &String| {
        let at = expression.find(r"\[\]");
        at.is_some_and(|at| ["<HOST>", "<ADDR>"].iter().any(|tag| expression[..at].contains(tag)))
    };
    jail.prefregex.iter().chain(&jail.failregex).any(is_within)
}

/// What a pattern says about how dates are written.
enum Written {
    /// In a form that is found by itself.
    Usual,
    /// As the argument `time` says.
    As(String),
    /// In a form that `time` cannot describe.
    Otherwise,
}

/// Returns the argument `time` for a pattern, which has an alternative per line; `None`: dates are found by themselves.
pub(super) fn time_of(pattern: &str, notes: &mut Vec<String>) -> Option<String> {
    let mut times = Vec::new();
    let mut has_usual = false;
    for alternative in pattern.lines() {
        match written(beginning(alternative)) {
            Written::As(time) => times.push(time),
            Written::Usual => has_usual = true,
            Written::Otherwise => {
                notes.push(format!(
                    "`datepattern` `{alternative}` was not taken over: the usual forms of dates are found by \
                     themselves; if yours is not, set `time` of the source"
                ));
                has_usual = true;
            }
        }
    }
    let is_named = |time: &str| !time.contains('%');
    match times.as_slice() {
        // A form that has a name is found among the others, too.
        [time] if !(has_usual && is_named(time) && time != "arrival") => Some(time.clone()),
        [] | [_] => None,
        [time, ..] => {
            notes.push(format!("`datepattern` has several forms, of which `{time}` was taken over"));
            Some(time.clone())
        }
    }
}

fn written(pattern: &str) -> Written {
    let is_without_date = pattern.ends_with("()**");
    // One of the usual dates, perhaps behind something: they are found there, too.
    if is_without_date || pattern.contains(DATE) || pattern.contains("%ExY(?P<_sep>") {
        return Written::Usual;
    }
    match pattern {
        "" | "{DEFAULT}" => return Written::Usual,
        "{NONE}" => return Written::As("arrival".into()),
        _ => {}
    }
    for name in ["epoch", "tai64n"] {
        if pattern.eq_ignore_ascii_case(name) {
            return Written::As(name.into());
        }
    }
    // What encloses the date is found, too. These are years of four and of two digits, and what is left of a name.
    let plain = pattern.strip_prefix(r"\[").and_then(|rest| rest.strip_suffix(r"\]")).unwrap_or(pattern);
    let plain = plain.replace("%ExY", "%Y").replace("%Exy", "%y").replace("%b[^/]*", "%b");
    if USUAL.contains(&plain.as_str()) {
        Written::Usual
    } else if plain.contains('%') && !plain.contains(['(', '[', '{', '?', '*', '+', '|', '<', '\\']) {
        Written::As(plain)
    } else {
        Written::Otherwise
    }
}

/// Returns the name of a zone: `UTC+0200` is two hours before UTC.
pub(super) fn zone_of(zone: &str) -> Option<String> {
    let offset =
        zone.strip_prefix("UTC").or_else(|| zone.strip_prefix("GMT")).or_else(|| zone.strip_prefix('Z'))?;
    let digits = offset.trim_start_matches(['+', '-']).replace(':', "");
    let number: u32 = if digits.is_empty() { 0 } else { digits.parse().ok()? };
    if number == 0 {
        return Some("UTC".into());
    }
    // The names of the time zone database have the opposite sign, and whole hours only.
    let hours = match digits.len() {
        1 | 2 => number,
        _ if number.is_multiple_of(100) => number / 100,
        _ => return None,
    };
    let sign = if offset.starts_with('-') { '+' } else { '-' };
    (hours <= 14).then(|| format!("Etc/GMT{sign}{hours}"))
}

#[cfg(test)]
mod tests {
    use super::{WEB_DATE, cut, has_date_within, time_of, zone_of};
    use crate::command::import::fail2ban::jail::Jail;

    #[test]
    fn a_time_zone_with_an_offset_has_a_name_with_the_opposite_sign() {
        assert_eq!(zone_of("UTC").as_deref(), Some("UTC"));
        assert_eq!(zone_of("UTC+0200").as_deref(), Some("Etc/GMT-2"));
        assert_eq!(zone_of("GMT-01:00").as_deref(), Some("Etc/GMT+1"));
        assert_eq!(zone_of("UTC+0530"), None);
        assert_eq!(zone_of("Europe/Paris"), None);
    }

    #[test]
    fn a_format_of_strptime_is_taken_over_and_an_unknown_pattern_is_noted() {
        let mut notes = Vec::new();
        for (pattern, time) in [
            ("{^LN-BEG}", None),
            ("^%d.%m.%Y %H:%M:%S", Some("%d.%m.%Y %H:%M:%S")),
            ("{^LN-BEG}%b-%d-%Exy %H:%M:%S\n{^LN-BEG}", Some("%b-%d-%y %H:%M:%S")),
            ("^%b %d, %ExY %I:%M:%S %p\n^WARNING:()**\n{^LN-BEG}", Some("%b %d, %Y %I:%M:%S %p")),
            ("{^LN-BEG}Epoch", Some("epoch")),
            ("{^LN-BEG}Epoch\n{^LN-BEG}", None),
            (r"^\[%d/%b/%Y %H:%M:%S\]", None),
            ("{NONE}", Some("arrival")),
        ] {
            assert_eq!(time_of(pattern, &mut notes).as_deref(), time, "{pattern}");
        }
        assert!(notes.is_empty(), "{notes:?}");
        assert_eq!(time_of(r"^(?:\d+ )?%H.%M", &mut notes), None);
        assert_eq!(
            time_of("^%d.%m.%Y %H:%M:%S\n^%d|%m|%Y", &mut notes).as_deref(),
            Some("%d.%m.%Y %H:%M:%S")
        );
        assert_eq!(notes.len(), 2);
    }

    #[test]
    fn what_is_cut_with_the_date_is_the_group_or_the_whole_pattern() {
        let of = |pattern: &str| {
            let jail = Jail { datepattern: Some(pattern.into()), ..Jail::new("j") };
            cut(&jail, "l").map(|cut| cut.expression)
        };
        let around = |before: &str, behind: &str| Some(format!("{before}(?:{WEB_DATE})?{behind}"));
        assert_eq!(of("^<W>{DATE}"), around("^(?P<l_before>)<W>", "(?P<l_behind>.*)$"));
        assert_eq!(
            of("^[^\\[]*(\\[{DATE}\\s*\\])\n{^LN-BEG}"),
            around(r"^(?P<l_before>[^\[]*)\[", r"\s*\](?P<l_behind>.*)$")
        );
        for alone in ["^{DATE}", r"^[^\[]*\[({DATE})", "{^LN-BEG}", "^x(?:{DATE}", "^(((x{DATE})"] {
            assert_eq!(of(alone), None, "{alone}");
        }
    }

    #[test]
    fn expressions_say_whether_the_date_is_within_the_line() {
        let of = |expression: &str| {
            has_date_within(&Jail { failregex: vec![expression.into()], ..Jail::new("j") })
        };
        assert!(of(r"^<HOST> - - \[\] x"));
        assert!(!of(r"^\[\]\s\[error\] <HOST>"));
        assert!(!of(r"^(?:\[\])?\s*x <HOST>"));
    }
}
