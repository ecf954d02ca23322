//! Where the entries of a jail come from: tests of journal fields, or a source of log files; and the text of an entry as
//! fail2ban's expressions expect it.

use serde_json::{Value, json};

use super::chain::{Chain, Step};
use super::date::{self, Cut};
use super::jail::Jail;
use super::joined;
use super::named;

/// The comment at the text of a line.
const WITHOUT_DATE: &str = "As fail2ban sees the line: without its date.";

/// The name of the source for the journal of the machine.
pub(super) const JOURNAL: &str = "journal";

/// A source of log files, or of another journal than that of the machine. Several jails may share it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Source {
    pub(super) name: String,
    module: &'static str,
    args: Value,
}

impl Source {
    fn new(module: &'static str, args: serde_json::Map<String, Value>) -> Source {
        Source { name: String::new(), module, args: Value::Object(args) }
    }

    /// Whether it reads the same as that one, in the same way.
    pub(super) fn reads_the_same(&self, other: &Source) -> bool {
        (self.module, &self.args) == (other.module, &other.args)
    }

    /// Returns its value in `sources`.
    pub(super) fn settings(&self) -> Value {
        json!({"source": self.module, "args": self.args})
    }
}

/// Where entries come from.
#[derive(Clone, Debug)]
pub(super) enum Origin {
    /// A journal: alternatives of tests that must all pass; and its source, if it is not that of the machine.
    Journal(Vec<Vec<Step>>, Option<Source>),
    /// Log files.
    Files(Source),
    /// The lines that `action_log` writes in place of fail2ban's own log.
    Bans,
}

/// How a ban is logged, for jails that read fail2ban's log. `{0}` is the jail.
pub(super) fn ban_line(jail: &str, address: &str) -> String {
    let jail = jail.replace('{', "{{").replace('}', "}}");
    format!("[{jail}] Ban {{{address}}}")
}

/// The field with the text that expressions search.
pub(super) fn line_field(prefix: &str) -> String {
    format!("{prefix}_line")
}

impl Origin {
    /// Returns it; or why the jail has nothing to read. `log` is the file that fail2ban logs to.
    pub(super) fn of(
        jail: &Jail,
        log: Option<&str>,
        are_several_journals: bool,
        notes: &mut Vec<String>,
    ) -> Result<Origin, String> {
        if reads_bans(jail, log) {
            notes.push("it reads the bans that Pyruse logs, in place of fail2ban's own log".into());
            return Ok(Origin::Bans);
        }
        if jail.reads_journal() {
            let source = journal(jail, notes);
            let mut alternatives = alternatives(&jail.journalmatch, notes);
            for steps in &mut alternatives {
                if are_several_journals || source.is_some() || steps.is_empty() {
                    steps.insert(
                        0,
                        Step::filter("filter_equals", json!({"field": "_SOURCE", "value": JOURNAL})),
                    );
                }
            }
            return Ok(Origin::Journal(alternatives, source));
        }
        if jail.logpaths.is_empty() {
            return Err("it has no `logpath`".into());
        }
        if !jail.logpaths.iter().any(|path| is_there(path)) {
            notes.push(format!(
                "none of its log files is there now (`{}`): they are read as soon as they are",
                jail.logpaths.join("`, `")
            ));
        }
        Ok(Origin::Files(files(jail, notes)))
    }

    /// The first chains of the jail: an entry of its origin leads to `next`, with its text in `line`.
    pub(super) fn chains(&self, label: &str, line: &str, next: &str, jail: &Jail) -> Vec<Chain> {
        let text =
            |template: &str| Step::action("action_set", json!({"field": line, "value": template})).then(next);
        let first = |steps: Vec<Step>| vec![Chain { label: label.to_owned(), steps }];
        match self {
            Origin::Files(source) => {
                let ours = Step::filter("filter_equals", json!({"field": "_SOURCE", "value": source.name}));
                let whole = text(" {MESSAGE}").comment(WITHOUT_DATE);
                let Some(Cut { expression, line: cut }) = date::cut(jail, line) else {
                    return first(vec![ours, whole]);
                };
                let (dated, undated) = (format!("{label}: date"), format!("{label}: no date"));
                let date = Step::filter("filter_pcre", json!({"field": "MESSAGE", "re": expression}));
                let mut chains = first(vec![ours, date.then(&dated).otherwise(&undated)]);
                chains.push(Chain { label: dated, steps: vec![text(&cut).comment(WITHOUT_DATE)] });
                chains.push(Chain { label: undated, steps: vec![whole] });
                chains
            }
            Origin::Bans => first(vec![
                Step::filter("filter_equals", json!({"field": "_SYSTEMD_UNIT", "value": "pyruse.service"})),
                Step::filter("filter_equals", json!({"field": "SYSLOG_IDENTIFIER", "value": "pyruse"})),
                Step::filter("filter_pcre", json!({"field": "MESSAGE", "re": r"^\[[^\]]+\] Ban \S+$"})),
                text(" fail2ban.actions [1]: NOTICE {MESSAGE}")
                    .comment("As in the log of fail2ban, without its date."),
            ]),
            Origin::Journal(alternatives, _) => {
                let found = text("{_HOSTNAME} {SYSLOG_IDENTIFIER}[{_PID}]: {MESSAGE}")
                    .comment("As fail2ban sees an entry of the journal.");
                if let [steps] = alternatives.as_slice() {
                    return first(steps.iter().cloned().chain([found]).collect());
                }
                let name =
                    |n: usize| if n == 0 { label.to_owned() } else { format!("{label}: match {}", n + 1) };
                let entry = format!("{label}: entry");
                let mut chains: Vec<Chain> = Vec::new();
                for (n, steps) in alternatives.iter().enumerate() {
                    let is_last_alternative = n + 1 == alternatives.len();
                    let last = steps.len() - 1;
                    let steps = steps.iter().cloned().enumerate().map(|(at, step)| {
                        let step = if is_last_alternative { step } else { step.otherwise(&name(n + 1)) };
                        if at == last { step.then(&entry) } else { step }
                    });
                    chains.push(Chain { label: name(n), steps: steps.collect() });
                }
                chains.push(Chain { label: entry, steps: vec![found] });
                chains
            }
        }
    }
}

/// Returns the alternatives of a match: `A=1 A=2 B=3 + C=4` is (A is 1 or 2, and B is 3) or (C is 4).
fn alternatives(matches: &[String], notes: &mut Vec<String>) -> Vec<Vec<Step>> {
    let mut all: Vec<Vec<Step>> = Vec::new();
    for group in matches.split(|word| word == "+") {
        let mut fields: Vec<(&str, Vec<Value>)> = Vec::new();
        for word in group {
            let Some((field, value)) = word.split_once('=') else {
                notes.push(format!("`{word}` in `journalmatch` is no match, and was left out"));
                continue;
            };
            let value = match value.parse::<i64>() {
                Ok(number) if is_number(field) => json!(number),
                _ => json!(value),
            };
            match fields.iter_mut().find(|(name, _)| *name == field) {
                Some((_, values)) => values.push(value),
                None => fields.push((field, vec![value])),
            }
        }
        if fields.is_empty() {
            continue;
        }
        let steps = fields.into_iter().map(|(field, values)| match values.as_slice() {
            [value] => Step::filter("filter_equals", json!({"field": field, "value": value})),
            _ => Step::filter("filter_in", json!({"field": field, "values": values})),
        });
        all.push(steps.collect());
    }
    if all.is_empty() {
        notes.push("it has no `journalmatch`: every entry of the journal is searched".into());
        all.push(Vec::new());
    }
    all
}

/// Fields of the journal that are numbers here.
fn is_number(field: &str) -> bool {
    const NUMBERS: [&str; 8] =
        ["PRIORITY", "SYSLOG_FACILITY", "SYSLOG_PID", "_PID", "_UID", "_GID", "ERRNO", "_SYSTEMD_OWNER_UID"];
    NUMBERS.contains(&field)
}

/// Whether there is a file of that name, or of that pattern.
fn is_there(path: &str) -> bool {
    glob::glob(path).into_iter().flatten().flatten().any(|path| path.exists())
}

/// Whether the jail reads what fail2ban itself logs, in the file of that name or in the journal.
pub(super) fn reads_bans(jail: &Jail, log: Option<&str>) -> bool {
    if jail.reads_journal() {
        return jail.journalmatch.iter().any(|word| word == "_SYSTEMD_UNIT=fail2ban.service");
    }
    let of_bans = |path: &String| Some(path.as_str()) == log || path.ends_with("/fail2ban.log");
    !jail.logpaths.is_empty() && jail.logpaths.iter().all(of_bans)
}

/// Whether the jail reads another journal than that of the machine.
pub(super) fn has_own_journal(jail: &Jail) -> bool {
    jail.reads_journal() && journal(jail, &mut Vec::new()).is_some()
}

/// Returns the source for the options of the backend, as in `systemd[journalpath=/srv/journal]`; `None`: the journal of
/// the machine.
fn journal(jail: &Jail, notes: &mut Vec<String>) -> Option<Source> {
    let mut args = serde_json::Map::new();
    for (key, value) in named::parse(&jail.backend).options {
        let (argument, value) = match (key.as_str(), value.as_str()) {
            ("journalpath", path) => ("directory", json!(path)),
            ("journalfiles", paths) => {
                let paths = paths.split(',').map(str::trim).filter(|path| !path.is_empty());
                ("files", json!(paths.collect::<Vec<_>>()))
            }
            ("namespace", name) => ("namespace", json!(name)),
            // The system's entries only, which is the default; with those of users.
            ("journalflags", "4") => continue,
            ("journalflags", "0" | "1") => ("scope", json!("all")),
            _ => {
                notes.push(format!("the option `{key}={value}` of its backend was not taken over"));
                continue;
            }
        };
        args.insert(argument.into(), value);
    }
    (!args.is_empty()).then(|| Source::new("source_journal", args))
}

/// Returns the source of a jail's log files.
fn files(jail: &Jail, notes: &mut Vec<String>) -> Source {
    let mut args = serde_json::Map::new();
    args.insert("paths".into(), json!(jail.logpaths));
    if let Some(time) = jail.datepattern.as_deref().and_then(|pattern| date::time_of(pattern, notes)) {
        args.insert("time".into(), json!(time));
    }
    if let Some(second) = joined::following(jail) {
        args.insert("first_line".into(), json!(format!("^(?!{second})")));
    }
    if let Some(zone) = &jail.logtimezone {
        match date::zone_of(zone) {
            Some(zone) => drop(args.insert("zone".into(), json!(zone))),
            None => notes.push(format!("the time zone `{zone}` was not understood: the machine's is used")),
        }
    }
    if let Some(encoding) = jail.logencoding.as_deref().filter(|e| !matches!(*e, "auto" | "utf-8" | "UTF-8"))
    {
        notes.push(format!("the log is read as UTF-8, not as {encoding}"));
    }
    Source::new("source_file", args)
}

#[cfg(test)]
mod tests {
    use super::{Origin, has_own_journal, reads_bans};
    use crate::command::import::fail2ban::jail::Jail;

    #[test]
    fn the_options_of_the_backend_name_another_journal() {
        let of = |backend: &str| {
            let jail = Jail { backend: backend.into(), ..Jail::new("j") };
            let mut notes = Vec::new();
            let origin = Origin::of(&jail, None, false, &mut notes);
            let Ok(Origin::Journal(_, source)) = origin else { panic!("{origin:?}") };
            assert_eq!(source.is_some(), has_own_journal(&jail));
            (source.map(|source| source.settings().to_string()), notes.len())
        };
        // That there is no `journalmatch` is noted.
        assert_eq!(of("systemd"), (None, 1));
        assert_eq!(of("systemd[journalflags=4]"), (None, 1));
        assert_eq!(of("systemd[x=1]"), (None, 2));
        for (options, args) in [
            ("journalpath=/srv/journal", r#"{"directory":"/srv/journal"}"#),
            (r#"journalfiles="/a.journal, /b.journal""#, r#"{"files":["/a.journal","/b.journal"]}"#),
            ("namespace=web, journalflags=1", r#"{"namespace":"web","scope":"all"}"#),
        ] {
            let settings = format!(r#"{{"args":{args},"source":"source_journal"}}"#);
            assert_eq!(of(&format!("systemd[{options}]")), (Some(settings), 1));
        }
    }

    #[test]
    fn a_jail_reads_bans_in_the_file_that_fail2ban_logs_to() {
        let of = |path: &str| Jail { logpaths: vec![path.into()], ..Jail::new("j") };
        assert!(reads_bans(&of("/var/log/fail2ban.log"), None));
        assert!(reads_bans(&of("/srv/f.log"), Some("/srv/f.log")) && !reads_bans(&of("/srv/f.log"), None));
        assert!(!reads_bans(&Jail::new("j"), None));
    }
}
