//! The top-level key `dailyReport`: when the report is sent, and what it looks like.

use std::path::PathBuf;

use jiff::civil::Time;
use pyruse_core::plugin::{ModuleSettings, SettingsPlugin};
use pyruse_core::schemars::JsonSchema;
use pyruse_core::serde::Deserialize;

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
    /// How many lines the section OTHER shows; for the rest, it shows the number and the time range.
    #[serde(rename = "maxLines")]
    pub(super) max_lines: u32,
    /// How many different messages the sections WARN and INFO show each; for the rest, they show the number.
    #[serde(rename = "maxMessages")]
    pub(super) max_messages: u32,
}

impl Default for ReportSettings {
    fn default() -> Self {
        ReportSettings {
            at: "00:00".into(),
            text_template: None,
            html_template: None,
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
