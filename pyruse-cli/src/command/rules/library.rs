//! The library of rules: a directory with a folder for each service, and what of it a configuration uses.

use std::ffi::OsStr;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use pyruse_core::access;
use pyruse_core::config::{JsonContent, JsonNode, nearest, parse};

/// Where the package installs it.
const DEFAULT: &str = "/usr/share/pyruse/rules";

/// The rules in a folder.
const RULES: &str = "rules.json";

/// A folder of the library.
pub(super) struct Rule {
    pub(super) name: String,
    pub(super) directory: PathBuf,
}

/// See the module.
pub(super) struct Library {
    directory: PathBuf,
}

/// The names of all installed rules.
pub(in super::super) fn names() -> Vec<String> {
    let rules = Library::find(None).rules().unwrap_or_default();
    rules.into_iter().map(|rule| rule.name).collect()
}

impl Library {
    /// The library in that directory, or the one that was installed with this program.
    pub(super) fn find(explicit: Option<&Path>) -> Library {
        let beside = || {
            let program = std::env::current_exe().ok()?;
            let found = program.parent()?.parent()?.join("share/pyruse/rules");
            found.is_dir().then_some(found)
        };
        let directory = explicit.map(Path::to_owned).or_else(beside).unwrap_or_else(|| DEFAULT.into());
        Library { directory }
    }

    /// All rules, by name.
    pub(super) fn rules(&self) -> anyhow::Result<Vec<Rule>> {
        let failed = |e| anyhow::Error::msg(access::failure(&self.directory, &e));
        let mut found = Vec::new();
        for entry in fs::read_dir(&self.directory).map_err(failed)? {
            let directory = entry.map_err(failed)?.path();
            let name = directory.file_name().and_then(OsStr::to_str);
            if let Some(name) = name.filter(|_| directory.join(RULES).is_file()) {
                found.push(Rule { name: name.to_owned(), directory });
            }
        }
        found.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(found)
    }

    /// The rules of these names; without names, all.
    pub(super) fn named(&self, names: &[String]) -> anyhow::Result<Vec<Rule>> {
        let mut all = self.rules()?;
        if let Some(unknown) = names.iter().find(|name| !all.iter().any(|rule| rule.name == **name)) {
            let near = nearest(unknown, all.iter().map(|rule| rule.name.as_str()));
            let help = near.map_or_else(
                || "`pyruse rules list` prints all".to_owned(),
                |near| format!("did you mean `{near}`?"),
            );
            bail!("there are no rules `{unknown}` in {}: {help}", self.directory.display());
        }
        all.retain(|rule| names.is_empty() || names.contains(&rule.name));
        Ok(all)
    }
}

impl Rule {
    pub(super) fn file(&self) -> PathBuf {
        self.directory.join(RULES)
    }

    pub(super) fn text(&self) -> anyhow::Result<String> {
        let file = self.file();
        fs::read_to_string(&file).map_err(|e| anyhow::Error::msg(access::failure(&file, &e)))
    }

    /// The first sentence of the comment that the file begins with.
    pub(super) fn summary(&self) -> anyhow::Result<String> {
        let text = self.text()?;
        let comment = text.lines().map_while(|line| line.strip_prefix("//"));
        let paragraph: Vec<&str> = comment.map(str::trim).take_while(|line| !line.is_empty()).collect();
        let paragraph = paragraph.join(" ");
        Ok(paragraph
            .split_once(". ")
            .map_or(paragraph.as_str(), |(first, _)| first)
            .trim_end_matches('.')
            .to_owned())
    }

    /// Does a step of it ban?
    fn bans(&self) -> bool {
        let Some(rules) = self.text().ok().and_then(|text| parse(&text).ok()) else { return false };
        let chains = rules.get("actions").and_then(JsonNode::members).unwrap_or_default();
        let steps = chains.iter().filter_map(|chain| match &chain.value.content {
            JsonContent::Array(steps) => Some(steps),
            _ => None,
        });
        let mut actions = steps.flatten().filter_map(|step| step.get("action")?.as_text());
        actions.any(|action| action.ends_with("Ban"))
    }

    /// Is that path this file, or a link to it?
    pub(super) fn is(&self, path: &Path) -> bool {
        matches!((path.canonicalize(), self.file().canonicalize()), (Ok(one), Ok(other)) if one == other)
    }
}

/// What has the name of a rule in the directory of enabled rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Nothing,
    /// A link to the rule of the library.
    Link,
    /// A link that leads nowhere, for example to a library that was removed.
    Broken,
    /// Something else, which is the administrator's.
    Other,
}

/// The directory of enabled rules, beside a configuration.
pub(super) struct Enabled {
    pub(super) directory: PathBuf,
}

impl Enabled {
    pub(super) fn beside(config: &Path) -> Enabled {
        Enabled { directory: config.with_file_name("rules.d") }
    }

    /// Where the link to a rule is. Rules that ban come behind those that only report: they stop the entries of their
    /// program, because nothing is left to say about them.
    pub(super) fn path(&self, rule: &Rule) -> PathBuf {
        let order = if rule.bans() { 50 } else { 20 };
        self.directory.join(format!("{order}-{}.json", rule.name))
    }

    pub(super) fn look(&self, rule: &Rule) -> Place {
        let path = self.path(rule);
        match path.symlink_metadata() {
            Err(_) => Place::Nothing,
            Ok(found) if found.is_symlink() && rule.is(&path) => Place::Link,
            Ok(found) if found.is_symlink() && !path.exists() => Place::Broken,
            Ok(_) => Place::Other,
        }
    }

    /// Links to a rule; a link that leads nowhere is replaced.
    pub(super) fn link(&self, rule: &Rule) -> anyhow::Result<()> {
        if self.look(rule) == Place::Broken {
            self.unlink(rule)?;
        }
        match fs::create_dir(&self.directory) {
            Err(e) if e.kind() != ErrorKind::AlreadyExists => {
                bail!(access::failure(&self.directory, &e));
            }
            _ => {}
        }
        // What the link leads to stays the same if the library is named by a relative path.
        let file = rule.file();
        let file = std::path::absolute(&file).with_context(|| file.display().to_string())?;
        let path = self.path(rule);
        std::os::unix::fs::symlink(file, &path).map_err(|e| anyhow::Error::msg(access::failure(&path, &e)))
    }

    /// Removes the link to a rule.
    pub(super) fn unlink(&self, rule: &Rule) -> anyhow::Result<()> {
        let path = self.path(rule);
        fs::remove_file(&path).map_err(|e| anyhow::Error::msg(access::failure(&path, &e)))
    }
}
