//! A jail of fail2ban, as its configuration says it is: the common form of what `fail2ban-client -d` prints and of what
//! is read from the files.

use std::collections::BTreeMap;

/// A jail, with everything resolved but the tags of expressions and actions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Jail {
    pub(super) name: String,
    /// `systemd`, `auto`, …, with its options in brackets.
    pub(super) backend: String,
    /// `yes`, `warn`, `no` or `raw`.
    pub(super) use_dns: String,
    pub(super) prefregex: Option<String>,
    pub(super) failregex: Vec<String>,
    pub(super) ignoreregex: Vec<String>,
    pub(super) datepattern: Option<String>,
    /// Matches of the journal, in their order, with `+` between alternatives.
    pub(super) journalmatch: Vec<String>,
    pub(super) logpaths: Vec<String>,
    pub(super) logtimezone: Option<String>,
    pub(super) logencoding: Option<String>,
    pub(super) maxlines: u64,
    pub(super) maxretry: u64,
    /// Seconds.
    pub(super) findtime: u64,
    /// Seconds; `None`: for ever.
    pub(super) bantime: Option<u64>,
    pub(super) increment: Increment,
    pub(super) ignoreip: Vec<String>,
    pub(super) ignoreself: bool,
    pub(super) ignorecommand: Option<String>,
    pub(super) actions: Vec<Action>,
    /// What of the jail could not be read, in words.
    pub(super) unread: Vec<String>,
}

impl Jail {
    pub(super) fn new(name: &str) -> Jail {
        Jail {
            name: name.into(),
            backend: "auto".into(),
            use_dns: "warn".into(),
            maxlines: 1,
            maxretry: 3,
            findtime: 600,
            bantime: Some(600),
            ignoreself: true,
            ..Jail::default()
        }
    }

    /// Whether it reads the journal. `auto` never does.
    pub(super) fn reads_journal(&self) -> bool {
        self.backend == "systemd" || self.backend.starts_with("systemd[")
    }
}

/// How bans grow (`bantime.increment` and what belongs to it).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Increment {
    pub(super) enabled: bool,
    /// Seconds.
    pub(super) maxtime: Option<u64>,
    pub(super) factor: Option<String>,
    pub(super) formula: Option<String>,
    pub(super) multipliers: Vec<u64>,
    pub(super) rndtime: Option<String>,
    pub(super) overalljails: bool,
}

/// An action of a jail.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Action {
    pub(super) name: String,
    pub(super) properties: BTreeMap<String, String>,
}

impl Action {
    /// Returns a property; `<tag>`s in it stand for other properties.
    pub(super) fn get(&self, name: &str) -> &str {
        self.properties.get(name).map_or("", String::as_str)
    }
}

/// Parses a duration: a number of seconds, or numbers with units. A negative one means for ever: `None` within.
pub(super) fn seconds(text: &str) -> Result<Option<u64>, String> {
    let wrong = || format!("`{text}` is no duration");
    let text = text.trim();
    if let Some(positive) = text.strip_prefix('-') {
        return positive.parse::<u64>().map(|_| None).map_err(|_| wrong());
    }
    let mut total = 0u64;
    let mut rest = text;
    if rest.is_empty() {
        return Err(wrong());
    }
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        let number: u64 = rest[..digits].parse().map_err(|_| wrong())?;
        rest = rest[digits..].trim_start();
        let letters = rest.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(rest.len());
        let unit = match &rest[..letters] {
            "" | "s" | "ss" | "se" | "sec" | "secs" | "second" | "seconds" => 1,
            "m" | "mm" | "mi" | "min" | "mins" | "minute" | "minutes" => 60,
            "h" | "hh" | "ho" | "hou" | "hour" | "hours" => 3600,
            "d" | "dd" | "da" | "day" | "days" => 86_400,
            "w" | "ww" | "we" | "wee" | "week" | "weeks" => 604_800,
            // A year of 365.25 days, and a twelfth of it.
            "mo" | "mon" | "month" | "months" => 2_629_800,
            "y" | "yy" | "ye" | "yea" | "year" | "years" => 31_557_600,
            _ => return Err(wrong()),
        };
        total = number.checked_mul(unit).and_then(|n| total.checked_add(n)).ok_or_else(wrong)?;
        rest = rest[letters..].trim_start();
    }
    Ok(Some(total))
}

/// Parses a boolean as `configparser` does.
pub(super) fn boolean(text: &str) -> Option<bool> {
    match text.trim().to_ascii_lowercase().as_str() {
        "1" | "yes" | "true" | "on" => Some(true),
        "0" | "no" | "false" | "off" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::seconds;

    #[test]
    fn durations_have_the_units_of_fail2ban() {
        for (text, expected) in [
            ("600", 600),
            ("10m", 600),
            ("1h30m", 5400),
            ("1d 12h", 129_600),
            ("1w", 604_800),
            ("2 minutes", 120),
            ("1y 6mo", 31_557_600 + 6 * 2_629_800),
        ] {
            assert_eq!(seconds(text), Ok(Some(expected)), "{text}");
        }
        assert_eq!(seconds("-1"), Ok(None));
        for wrong in ["", "x", "10x", "1.5h", "99999999999999999999"] {
            assert!(seconds(wrong).is_err(), "{wrong}");
        }
    }
}
