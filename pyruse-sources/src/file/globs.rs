//! The paths that the configuration names, which may have wildcards, and the files that they match now.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use glob::{MatchOptions, Pattern};

use super::input::Packing;
use super::siblings::is_rotation_of;

/// The largest number of names that are looked at, in all directories together.
const NAMES_LIMIT: usize = 200_000;

/// As a shell: a wildcard matches no leading dot.
const OPTIONS: MatchOptions =
    MatchOptions { case_sensitive: true, require_literal_separator: true, require_literal_leading_dot: true };

/// A component of a path.
enum Component {
    Name(String),
    Wildcard(Pattern),
}

/// A path that may have wildcards.
pub(super) struct PathPattern {
    text: String,
    components: Vec<Component>,
}

/// What patterns match.
#[derive(Default)]
pub(super) struct Matches {
    /// The files, and names without wildcards whether there is such a file or not.
    pub(super) files: BTreeSet<PathBuf>,
    /// What matches and is no file.
    pub(super) others: BTreeSet<PathBuf>,
    /// Where other files may come.
    pub(super) directories: BTreeSet<PathBuf>,
    /// Directories that cannot be read, and links that lead nowhere.
    pub(super) failures: Vec<(PathBuf, io::Error)>,
    names: usize,
}

impl PathPattern {
    /// Parses the absolute path. `is_literal`: it has no wildcards.
    pub(super) fn parse(text: &str, is_literal: bool) -> Result<PathPattern, String> {
        let Some(rest) = text.strip_prefix('/') else {
            return Err("this path is relative: begin it with `/`".to_owned());
        };
        let mut components = Vec::new();
        for name in rest.split('/').filter(|name| !name.is_empty() && *name != ".") {
            if name == ".." || name == "**" {
                return Err(format!("`{name}` is not supported in a path of log files"));
            }
            components.push(if !is_literal && name.contains(['*', '?', '[']) {
                Component::Wildcard(
                    Pattern::new(name).map_err(|e| format!("`{name}` is not a pattern: {}", e.msg))?,
                )
            } else {
                Component::Name(name.to_owned())
            });
        }
        if components.is_empty() || text.ends_with('/') {
            return Err("this is a directory: name files, e.g. with `/*.log`".to_owned());
        }
        Ok(PathPattern { text: text.to_owned(), components })
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// Returns the path, if it has no wildcards.
    pub(super) fn literal(&self) -> Option<PathBuf> {
        let mut path = PathBuf::from("/");
        for component in &self.components {
            let Component::Name(name) = component else { return None };
            path.push(name);
        }
        Some(path)
    }

    /// Does it match this path?
    pub(super) fn matches(&self, path: &Path) -> bool {
        let mut names = path.components().skip(1).map(|name| name.as_os_str().to_string_lossy());
        let all = self.components.iter().all(|component| {
            names.next().is_some_and(|name| match component {
                Component::Name(known) => name == known.as_str(),
                Component::Wildcard(pattern) => pattern.matches_with(&name, OPTIONS),
            })
        });
        all && names.next().is_none()
    }

    /// Is this path one that it matches, or one of a directory above?
    pub(super) fn may_be_below(&self, path: &Path) -> bool {
        let names: Vec<_> =
            path.components().skip(1).map(|name| name.as_os_str().to_string_lossy()).collect();
        names.len() <= self.components.len()
            && names.iter().zip(&self.components).all(|(name, component)| match component {
                Component::Name(known) => name == known.as_str(),
                Component::Wildcard(pattern) => pattern.matches_with(name, OPTIONS),
            })
    }

    fn expand(&self, at: &Path, components: &[Component], matches: &mut Matches) {
        let Some((first, rest)) = components.split_first() else { return };
        match first {
            Component::Name(name) if rest.is_empty() => {
                matches.directories.insert(at.to_owned());
                matches.files.insert(at.join(name));
            }
            Component::Name(name) => {
                let below = at.join(name);
                if below.is_dir() {
                    self.expand(&below, rest, matches);
                } else {
                    // It may come.
                    matches.directories.insert(at.to_owned());
                    if let Some(path) = self.literal() {
                        matches.files.insert(path);
                    }
                }
            }
            Component::Wildcard(pattern) => {
                matches.directories.insert(at.to_owned());
                let entries = match fs::read_dir(at) {
                    Ok(entries) => entries,
                    Err(e) => {
                        matches.failures.push((at.to_owned(), e));
                        return;
                    }
                };
                for entry in entries.flatten() {
                    matches.names += 1;
                    if matches.names > NAMES_LIMIT {
                        if matches.names == NAMES_LIMIT + 1 {
                            let text = format!("more than {NAMES_LIMIT} names; others are not looked at");
                            matches.failures.push((at.to_owned(), io::Error::other(text)));
                        }
                        return;
                    }
                    let name = entry.file_name();
                    if !pattern.matches_with(&name.to_string_lossy(), OPTIONS) {
                        continue;
                    }
                    let (path, Ok(mut kind)) = (entry.path(), entry.file_type()) else { continue };
                    if kind.is_symlink() {
                        match path.metadata() {
                            Ok(metadata) => kind = metadata.file_type(),
                            Err(e) => {
                                matches.failures.push((path, e));
                                continue;
                            }
                        }
                    }
                    if !rest.is_empty() {
                        if kind.is_dir() {
                            self.expand(&path, rest, matches);
                        }
                        continue;
                    }
                    let found = if kind.is_file() { &mut matches.files } else { &mut matches.others };
                    found.insert(path);
                }
            }
        }
    }
}

/// Looks for the files. What a rotation has made of a file that is found, and what is compressed, is left out, unless
/// its name has no wildcards.
pub(super) fn expand(patterns: &[PathPattern]) -> Matches {
    let mut matches = Matches::default();
    let mut named = BTreeSet::new();
    for pattern in patterns {
        pattern.expand(Path::new("/"), &pattern.components, &mut matches);
        named.extend(pattern.literal());
    }
    let is_rotated = |path: &PathBuf| {
        let (Some(directory), Some(name)) = (path.parent(), path.file_name()) else { return false };
        bases(name)
            .into_iter()
            .any(|base| is_rotation_of(base.as_ref(), name) && matches.files.contains(&directory.join(base)))
    };
    let dropped: Vec<_> = matches
        .files
        .iter()
        .filter(|path| !named.contains(*path) && (Packing::of(path).is_some() || is_rotated(path)))
        .cloned()
        .collect();
    for path in dropped {
        matches.files.remove(&path);
    }
    matches
}

/// The names that the file may have had before a rotation.
fn bases(name: &std::ffi::OsStr) -> Vec<String> {
    let name = name.to_string_lossy();
    let marks =
        name.char_indices().filter(|(at, c)| *at > 0 && matches!(c, '.' | '-' | '_')).map(|(at, _)| at);
    let marks: Vec<usize> = marks.collect();
    let mut bases: Vec<String> = marks.iter().map(|at| name[..*at].to_owned()).collect();
    // access-20261118.log
    if let Some(last) = marks.last() {
        bases.extend(
            marks.iter().filter(|at| *at < last).map(|at| format!("{}{}", &name[..*at], &name[*last..])),
        );
    }
    bases
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(directory: &Path, patterns: &[&str]) -> Vec<String> {
        let parse =
            |text: &&str| PathPattern::parse(&format!("{}/{text}", directory.display()), false).unwrap();
        let patterns: Vec<_> = patterns.iter().map(parse).collect();
        let matches = expand(&patterns);
        for path in &matches.files {
            assert!(patterns.iter().any(|pattern| pattern.matches(path)), "{path:?}");
        }
        let name = |path: &PathBuf| path.strip_prefix(directory).unwrap().to_string_lossy().into_owned();
        matches.files.iter().map(name).collect()
    }

    #[test]
    fn files_are_found_and_rotated_ones_are_not_read_as_others() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path();
        for name in [
            "a.log",
            "a.log.1",
            "a.log.2.gz",
            "a-20261118.log",
            "b-1.log",
            ".c.log",
            "d/e.log",
            "f/e.log",
            "g.gz",
        ] {
            let file = path.join(name);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, "").unwrap();
        }
        assert_eq!(found(path, &["*"]), ["a.log", "b-1.log"]);
        assert_eq!(found(path, &["*.log", "*/e.log"]), ["a.log", "b-1.log", "d/e.log", "f/e.log"]);
        assert_eq!(
            found(path, &["nothing.log", "none/x.log", "g.gz"]),
            ["g.gz", "none/x.log", "nothing.log"]
        );
        assert_eq!(found(path, &["[ab]*.log.1"]), ["a.log.1"]);
    }

    #[test]
    fn mistakes_in_paths_are_said() {
        for wrong in ["a.log", "/", "", "/var/log/", "/var/../x", "/var/**/x", "/var/[/x"] {
            assert!(PathPattern::parse(wrong, false).is_err(), "{wrong}");
        }
    }
}
