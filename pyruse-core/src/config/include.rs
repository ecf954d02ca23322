//! The top-level key `include`: further files of the configuration.
//!
//! First all files are read ([`ConfigText::read_included`]), then they become one object ([`merge`]): the members of an
//! included file stand where `include` stands. Chains, sources and lists of several files are joined; any other key can
//! be in one file only.

use std::collections::HashSet;
use std::io;
use std::path::{Path, PathBuf};

use glob::{MatchOptions, Pattern};

use super::diagnostic::Diagnostics;
use super::node::{JsonContent, JsonNode, Member, SourceSpan};
use super::text::{ConfigText, Include};
use super::vars::Vars;
use crate::access;

/// The largest number of files.
const FILES_LIMIT: usize = 1000;

/// The maximum size of all files together, in bytes.
const SIZE_LIMIT: u64 = 64 * 1024 * 1024;

/// Keys whose members are joined if several files have them.
const JOINED: [&str; 3] = ["actions", "sources", "lists"];

/// As in a shell: `*` matches neither `/` nor a leading dot.
const OPTIONS: MatchOptions =
    MatchOptions { case_sensitive: true, require_literal_separator: true, require_literal_leading_dot: true };

/// A file that is read.
struct Opened {
    /// Its path without symbolic links.
    path: PathBuf,
    /// The file that includes it, and where.
    by: Option<(usize, SourceSpan)>,
}

fn has_wildcard(path: &str) -> bool {
    path.contains(['*', '?', '['])
}

impl ConfigText {
    /// Reads the files that `include` names, and those that they include. `read` reads a file; its error names the file.
    ///
    /// Paths are relative to the directory of the file that names them, and may have wildcards. Each file is read once:
    /// a wildcard does not match a file that is read already. Whatever is wrong is reported by [`Config::read`].
    ///
    /// [`Config::read`]: super::Config::read
    pub fn read_included(&mut self, mut read: impl FnMut(&Path) -> Result<String, String>) {
        let mut opened = vec![Opened { path: canonical(Path::new(self.name())), by: None }];
        let mut size = self.text().len() as u64;
        let mut number = 0;
        while number < opened.len() {
            let directory = Path::new(self.file_name(number)).parent().unwrap_or(Path::new("")).to_owned();
            for (text, at) in self.included_by(number) {
                let files = self.open(&directory, &text, (number, &at), &mut opened, &mut size, &mut read);
                self.includes.push(Include { at, files });
            }
            number += 1;
        }
    }

    /// Does one of the files include others by a wildcard?
    pub(crate) fn has_include_pattern(&self) -> bool {
        let has = |number| self.included_by(number).iter().any(|(text, _)| has_wildcard(text));
        (0..self.names().count()).any(has)
    }

    /// The values of `include` in that file.
    fn included_by(&self, number: usize) -> Vec<(String, SourceSpan)> {
        let Ok(root) = &self.file(number).parsed else { return Vec::new() };
        let members = root.members().unwrap_or_default().iter();
        let values =
            members.filter(|member| member.key == "include").flat_map(|member| values(&member.value));
        values.filter_map(|value| Some((value.as_text()?.to_owned(), value.span.clone()))).collect()
    }

    /// Reads what one value names; returns the numbers of the files.
    fn open(
        &mut self,
        directory: &Path,
        text: &str,
        by: (usize, &SourceSpan),
        opened: &mut Vec<Opened>,
        size: &mut u64,
        read: &mut impl FnMut(&Path) -> Result<String, String>,
    ) -> Result<Vec<usize>, String> {
        if text.is_empty() || text.contains('\0') {
            return Err("this is not the path of a file".to_owned());
        }
        let path = directory.join(text);
        let is_pattern = has_wildcard(text) && path.symlink_metadata().is_err();
        let paths = if is_pattern { matching(directory, text)? } else { vec![path] };
        let mut numbers = Vec::new();
        for path in paths {
            let target = canonical(&path);
            if let Some(known) = opened.iter().position(|file| file.path == target) {
                if is_pattern {
                    continue;
                }
                return Err(self.read_already(known, by.0, opened));
            }
            if opened.len() >= FILES_LIMIT {
                return Err(format!("a configuration has at most {FILES_LIMIT} files"));
            }
            let metadata = path.metadata().map_err(|e| access::failure(&path, &e))?;
            if !metadata.is_file() {
                return Err(access::failure(&path, &io::Error::other("it is not a file")));
            }
            *size = size.saturating_add(metadata.len());
            if *size > SIZE_LIMIT {
                return Err(format!("with {}, the files have more than 64 MiB together", path.display()));
            }
            let content = read(&path)?;
            numbers.push(self.add(path.display().to_string(), &content));
            opened.push(Opened { path: target, by: Some((by.0, by.1.clone())) });
        }
        Ok(numbers)
    }

    /// Why a file cannot be included once more.
    fn read_already(&self, known: usize, by: usize, opened: &[Opened]) -> String {
        let name = self.file_name(known);
        let mut ancestor = Some(by);
        while let Some(number) = ancestor {
            if number == known {
                return format!("{name} includes itself");
            }
            ancestor = opened[number].by.as_ref().map(|(by, _)| *by);
        }
        match &opened[known].by {
            Some((_, at)) => {
                let at = self.position(at.start);
                format!("{name} is included already, in {}, line {}", at.file, at.line)
            }
            None => format!("{name} is the configuration itself"),
        }
    }
}

/// The path without symbolic links, if there is such a file.
fn canonical(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| path.to_owned())
}

/// The files that match, in alphabetical order.
fn matching(directory: &Path, text: &str) -> Result<Vec<PathBuf>, String> {
    let pattern = if text.starts_with('/') {
        text.to_owned()
    } else {
        format!("{}{text}", Pattern::escape(&directory.join("").to_string_lossy()))
    };
    let found =
        glob::glob_with(&pattern, OPTIONS).map_err(|e| format!("this is not a pattern: {}", e.msg))?;
    // The iterator walks directories: whatever the tree is, it ends.
    found.take(FILES_LIMIT + 1).map(|path| path.map_err(|e| access::failure(e.path(), e.error()))).collect()
}

/// The values of `include`: a text, or a list of texts.
fn values(node: &JsonNode) -> &[JsonNode] {
    match &node.content {
        JsonContent::Array(items) => items,
        _ => std::slice::from_ref(node),
    }
}

/// Makes one object of all files, with the values of variables in place of them. `None` if the main file cannot be
/// parsed. The second value is `false` if a part is missing: then further checks would report errors that are only
/// consequences.
pub(super) fn merge(text: &ConfigText, diagnostics: &mut Diagnostics) -> Option<(JsonNode, bool)> {
    let mut merge = Merge { text, diagnostics, members: Vec::new(), vars: Vars::default(), is_whole: true };
    merge.file(0, 0);
    let Merge { members, vars, is_whole, .. } = merge;
    let root = text.file(0).parsed.as_ref().ok().filter(|root| root.members().is_some())?;
    let mut merged = JsonNode { span: root.span.clone(), content: JsonContent::Object(members) };
    let is_complete = vars.insert_into(&mut merged, diagnostics);
    Some((merged, is_whole && is_complete))
}

struct Merge<'a> {
    text: &'a ConfigText,
    diagnostics: &'a mut Diagnostics,
    members: Vec<Member>,
    vars: Vars,
    /// Whether all files could be read.
    is_whole: bool,
}

impl Merge<'_> {
    /// `depth`: how many files are around it.
    fn file(&mut self, number: usize, depth: usize) {
        let root = match &self.text.file(number).parsed {
            Ok(root) => root,
            Err(e) => {
                let finding = self.diagnostics.error(e.span.clone(), None, e.message.clone());
                if let Some(label) = e.label {
                    finding.label(label);
                }
                if let Some(help) = e.help {
                    finding.help(help);
                }
                self.is_whole = false;
                return;
            }
        };
        let Some(members) = root.members() else {
            let message = format!("a configuration must be an object, not {}", root.type_name());
            self.diagnostics.error(root.span.clone(), None, message);
            self.is_whole = false;
            return;
        };
        let mut seen = HashSet::new();
        for member in members {
            let is_first = seen.insert(member.key.as_str());
            match member.key.as_str() {
                "include" | "vars" if !is_first => {
                    let message = format!("`{}` is given twice", member.key);
                    self.diagnostics.error(member.key_span.clone(), None, message);
                }
                "include" => self.include(&member.value, depth),
                "vars" => self.vars.add(&member.value, depth, self.text, self.diagnostics),
                // Each file has its own.
                "$schema" if depth > 0 => {}
                _ => self.member(member, is_first),
            }
        }
    }

    fn include(&mut self, value: &JsonNode, depth: usize) {
        for value in values(value) {
            let Some(include) = self.text.includes.iter().find(|include| include.at == value.span) else {
                let message = match value.as_text() {
                    None => format!("a file is named by its path, not by {}", value.type_name()),
                    Some(_) => "this program does not read further files".to_owned(),
                };
                self.fail(value, message);
                continue;
            };
            match &include.files {
                Ok(files) => files.iter().for_each(|file| self.file(*file, depth + 1)),
                Err(why) => self.fail(value, why.clone()),
            }
        }
    }

    fn fail(&mut self, value: &JsonNode, message: String) {
        self.diagnostics.error(value.span.clone(), None, message);
        self.is_whole = false;
    }

    fn member(&mut self, member: &Member, is_first: bool) {
        if is_first
            && JOINED.contains(&member.key.as_str())
            && let JsonContent::Object(more) = &member.value.content
            && let Some(known) = self.members.iter_mut().find(|known| known.key == member.key)
            && let JsonContent::Object(joined) = &mut known.value.content
        {
            joined.extend(more.iter().cloned());
            return;
        }
        self.members.push(member.clone());
    }
}
