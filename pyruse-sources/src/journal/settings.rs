//! The arguments of `source_journal`, and the top-level key `journal`: which journal is read.

use std::path::PathBuf;

use pyruse_core::schemars::JsonSchema;
use pyruse_core::serde::Deserialize;

/// The scope of the journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(crate = "pyruse_core::serde", rename_all = "lowercase")]
#[schemars(crate = "pyruse_core::schemars")]
pub(super) enum Scope {
    /// Only the journal of the system and its services.
    System,
    /// Also the journals of users.
    All,
}

/// The program code that reads the files of the journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(crate = "pyruse_core::serde", rename_all = "lowercase")]
#[schemars(crate = "pyruse_core::schemars")]
pub(super) enum ReaderKind {
    /// The library libsystemd.
    Libsystemd,
    /// Pyruse's own reader.
    Files,
}

/// The journal to read. The default is the machine's system journal.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(crate = "pyruse_core::serde", deny_unknown_fields, default)]
#[schemars(crate = "pyruse_core::schemars")]
pub(super) struct JournalSettings {
    /// `system` (default) or `all`; with `directory`, the default is `all`. A system service that runs under a user
    /// account (UID 1000 and above) writes to that user's journal, which only `all` reads.
    pub(super) scope: Option<Scope>,
    /// Read the journal files of this directory.
    pub(super) directory: Option<PathBuf>,
    /// Read these journal files. If journald rotates one of them, earlier entries are read from the archived file.
    pub(super) files: Vec<PathBuf>,
    /// Read the journal of this namespace (`LogNamespace=` of systemd.exec(5)).
    pub(super) namespace: Option<String>,
    /// Read only matching entries, as with `journalctl`: `FIELD=value`; for one field any value must match, all fields
    /// must match; `+` separates alternatives.
    pub(super) matches: Vec<String>,
    /// `files` (default): Pyruse reads the files itself, which is faster, and reads every entry once, whatever its time.
    /// If a file has a format that it does not know, it uses `libsystemd`, as with that value.
    pub(super) reader: Option<ReaderKind>,
}

impl JournalSettings {
    /// Returns which journal it is, as a phrase for people.
    pub(super) fn describe(&self) -> String {
        let journal = match (&self.directory, &*self.files, &self.namespace) {
            (Some(directory), ..) => format!("the journal in {}", directory.display()),
            (None, [], Some(namespace)) => format!("the journal of the namespace {namespace}"),
            (None, [], None) => "the journal of this machine".to_owned(),
            (None, [file], _) => format!("the journal file {}", file.display()),
            (None, [first, rest @ ..], _) => {
                format!("the journal files {} and {} more", first.display(), rest.len())
            }
        };
        let is_partial = self.files.is_empty() && self.reads_only_the_system();
        let scope = if is_partial { ", without the journals of users" } else { "" };
        let matches = if self.matches.is_empty() { "" } else { ", only " };
        format!("{journal}{scope}{matches}{}", self.matches.join(" "))
    }

    /// Returns `true` if the journals of users are not read.
    pub(super) fn reads_only_the_system(&self) -> bool {
        match self.scope {
            Some(scope) => scope == Scope::System && self.namespace.is_none(),
            None => self.directory.is_none() && self.namespace.is_none(),
        }
    }

    /// Reports, with the path of a member, errors that the types cannot express.
    pub(super) fn check(&self, report: &mut dyn FnMut(&str, String)) {
        let places = usize::from(self.directory.is_some())
            + usize::from(!self.files.is_empty())
            + usize::from(self.namespace.is_some());
        if places > 1 {
            report("", "`directory`, `files` and `namespace` exclude each other".into());
        }
        if let Some(namespace) = &self.namespace {
            let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
            if namespace.is_empty() || namespace.starts_with('.') || !namespace.chars().all(plain) {
                report("namespace", format!("`{namespace}` is not a valid journal namespace"));
            }
        }
        for (n, text) in self.matches.iter().enumerate() {
            let field = text.split_once('=').map(|(field, _)| field);
            let plain = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
            if text != "+" && !field.is_some_and(|field| !field.is_empty() && field.chars().all(plain)) {
                report(
                    &format!("matches.{n}"),
                    format!("`{text}` is not a match: write `FIELD=value`, or `+`"),
                );
            }
        }
    }
}
