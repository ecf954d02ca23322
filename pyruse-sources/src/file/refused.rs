//! Files that are not read, and why; and files that strangers may write.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::Metadata;
use std::path::{Path, PathBuf};

use pyruse_core::losses::Losses;
use pyruse_core::plugin::LeftOut;

use crate::writable::writable;

/// The most of them that are named.
const LIMIT: usize = 100;

/// See the module.
#[derive(Default)]
pub(super) struct Refused {
    why: BTreeMap<PathBuf, String>,
    /// How many more there are.
    more: usize,
    writable: BTreeSet<PathBuf>,
}

impl Refused {
    /// A file cannot be read, for this reason.
    pub(super) fn note(&mut self, path: &Path, text: String, losses: &mut Losses) {
        if self.why.get(path) == Some(&text) || (self.why.len() >= LIMIT && !self.why.contains_key(path)) {
            return;
        }
        losses.log(format!("a log file is not read: {text}"));
        self.why.insert(path.to_owned(), text);
    }

    /// It can be read.
    pub(super) fn forget(&mut self, path: &Path) {
        self.why.remove(path);
    }

    /// These match a pattern and are no files; replaces those of before.
    pub(super) fn set_others(&mut self, others: &BTreeSet<PathBuf>, losses: &mut Losses) {
        const NO_FILE: &str = "it is not a regular file";
        let is_there = |path: &Path| path.symlink_metadata().is_ok();
        self.why.retain(
            |path, text| {
                if text.ends_with(NO_FILE) { others.contains(path) } else { is_there(path) }
            },
        );
        for path in others.iter().take(LIMIT) {
            let text = format!("{}: {NO_FILE}", path.display());
            if self.why.len() < LIMIT && self.why.insert(path.clone(), text).is_none() && self.why.len() <= 3
            {
                losses.log_notice(format!("{} is not read: {NO_FILE}", path.display()));
            }
        }
        let more = others.len().saturating_sub(LIMIT);
        if more > self.more {
            losses.log_notice(format!(
                "{} names match the configured paths and are not regular files",
                others.len()
            ));
        }
        self.more = more;
    }

    /// Says if anybody may write to the file.
    pub(super) fn check_mode(&mut self, path: &Path, metadata: &Metadata, losses: &mut Losses) {
        if let Some(text) = writable(path, metadata)
            && self.writable.len() < LIMIT
            && self.writable.insert(path.to_owned())
        {
            losses.log_notice(text);
        }
    }

    pub(super) fn left_out(&self) -> Vec<LeftOut> {
        let of = |(path, text): (&PathBuf, &String)| LeftOut {
            file: path.clone(),
            why: text.strip_prefix(&format!("{}: ", path.display())).unwrap_or(text).to_owned(),
            text: format!("a log file is not read: {text}"),
        };
        self.why.iter().map(of).collect()
    }
}
