//! The top-level key `dailyReport`: when the report is sent, and what it looks like.

use std::path::PathBuf;

use jiff::civil::Time;
use pyruse_core::plugin::{ModuleSettings, SettingsPlugin};
use pyruse_core::schemars::JsonSchema;
use pyruse_core::serde::Deserialize;

use super::history::MAX_BLIND_DAYS;

/// When the daily report is sent, and its form.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(crate = "pyruse_core::serde", deny_unknown_fields, default)]
#[schemars(crate = "pyruse_core::schemars")]
pub(super) struct ReportSettings {
    /// The local time of day, `HH:MM` or `HH:MM:SS`. If the clock skips it, the report is sent directly after.
    pub(super) at: String,
    /// A template (minijinja) that replaces the built-in one for the text part.
    #[serde(rename = "textTemplate")]
    pub(super) text_template: Option<PathBuf>,
    /// A template (minijinja) that replaces the built-in one for the HTML part.
    #[serde(rename = "htmlTemplate")]
    pub(super) html_template: Option<PathBuf>,
    /// Whether lines of the same shape are one row, with what is new first. `false`: the form of the first program, a row
    /// for each different message.
    pub(super) group: bool,
    /// The subject: `{host}`, `{verdict}` and `{date}` are replaced. It is used if `email.subject` is not set.
    pub(super) subject: String,
    /// How long a shape of lines is remembered after its last line, in days from 1 to 366: a shape that is not remembered
    /// is new.
    #[serde(rename = "memoryDays")]
    pub(super) memory_days: u32,
    /// A rule that acted regularly is reported if it has not acted for this many days although its program still writes;
    /// from 1 to 30.
    #[serde(rename = "blindDays")]
    pub(super) blind_days: u32,
    /// The maximum size of the whole mail, encoded, in bytes, at least 32768: the least important rows are left out and
    /// counted. If that of a template is larger whatever its rows, the text is sent alone, and cut.
    #[serde(rename = "maxBytes")]
    pub(super) max_bytes: u32,
    /// What is attached, compressed, in up to half of `maxBytes`: `none`; `cut`, all rows if some are left out; `all`, every
    /// recorded line.
    pub(super) attach: Attach,
    /// How many lines the section OTHER shows with `group: false`; for the rest, it shows the number and the time range.
    #[serde(rename = "maxLines")]
    pub(super) max_lines: u32,
    /// How many different messages the sections WARN and INFO show each with `group: false`; for the rest, they show the number.
    #[serde(rename = "maxMessages")]
    pub(super) max_messages: u32,
}

/// What is attached to the mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(crate = "pyruse_core::serde", rename_all = "lowercase")]
#[schemars(crate = "pyruse_core::schemars")]
pub(super) enum Attach {
    /// Nothing.
    None,
    /// All rows of the digest, if some are left out of the mail.
    Cut,
    /// All recorded lines.
    All,
}

impl Default for ReportSettings {
    fn default() -> Self {
        ReportSettings {
            at: "00:00".into(),
            text_template: None,
            html_template: None,
            group: true,
            subject: "{host}: {verdict}".into(),
            memory_days: 30,
            blind_days: 3,
            max_bytes: 512 * 1024,
            attach: Attach::None,
            max_lines: 5000,
            max_messages: 2000,
        }
    }
}

impl ReportSettings {
    /// Returns the time of day; `None` if the text is not one.
    pub(super) fn time(&self) -> Option<Time> {
        let plain = |text: &str| text.bytes().all(|b| b.is_ascii_digit() || b == b':');
        let format = if self.at.len() > 5 { "%H:%M:%S" } else { "%H:%M" };
        plain(&self.at).then(|| Time::strptime(format, &self.at).ok())?
    }
}

impl ModuleSettings for ReportSettings {
    const KEY: &'static str = "dailyReport";

    fn check(&self, report: &mut dyn FnMut(&str, String)) {
        if self.time().is_none() {
            report("at", format!("`{}` is not a time of day: write `HH:MM`, e.g. `06:30`", self.at));
        }
        if self.subject.chars().any(char::is_control) {
            report("subject", "a subject must be one line, without control characters".into());
        }
        if !(1..=366).contains(&self.memory_days) {
            report("memoryDays", "write a number of days from 1 to 366".into());
        }
        if !(1..=MAX_BLIND_DAYS).contains(&(self.blind_days as usize)) {
            report("blindDays", format!("write a number of days from 1 to {MAX_BLIND_DAYS}"));
        }
        if self.max_bytes < 32 * 1024 {
            report("maxBytes", "a mail needs at least 32768 bytes".into());
        }
        for (key, path) in [("textTemplate", &self.text_template), ("htmlTemplate", &self.html_template)] {
            if let Some(path) = path.as_ref().filter(|path| !path.is_file()) {
                report(key, format!("there is no file {}", path.display()));
            }
        }
    }
}

pyruse_core::inventory::submit!(SettingsPlugin::of::<ReportSettings>());

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_of_day_is_taken_and_nothing_else() {
        let time = |at: &str| ReportSettings { at: at.into(), ..ReportSettings::default() }.time();
        assert_eq!(time("00:00"), Some(Time::midnight()));
        assert_eq!(time("06:30:15"), Some(jiff::civil::time(6, 30, 15, 0)));
        for at in ["", "24:00", "6", "noon", "06:60", "06:30 ", "-1:00", "06:30:15:00"] {
            assert_eq!(time(at), None, "{at}");
        }
    }
}
