//! The files of fail2ban, as Python's `configparser` reads them: sections with options, of which a file that is read
//! later replaces those of an earlier one.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read as _;
use std::path::Path;

/// The largest file, in bytes.
const MAX_SIZE: u64 = 4 << 20;

/// Includes within includes.
const MAX_DEPTH: usize = 10;

/// How deep options name each other.
const MAX_INTERPOLATION: usize = 20;

/// The longest value, in bytes.
const MAX_VALUE: usize = 1 << 20;

/// The section that all others take their defaults from.
pub(super) const DEFAULT: &str = "DEFAULT";

/// Sections and their options.
#[derive(Clone, Debug, Default)]
pub(super) struct Sections {
    options: BTreeMap<String, BTreeMap<String, String>>,
    /// The names of the sections, as they were read first.
    order: Vec<String>,
}

impl Sections {
    /// Reads a file, those that it includes, and the file beside it whose name ends in `.local`. A file that is not there
    /// has no sections.
    pub(super) fn read(&mut self, path: &Path) -> Result<(), String> {
        self.read_one(path, 0)?;
        if path.extension().is_some_and(|extension| extension == "conf") {
            self.read_one(&path.with_extension("local"), 0)?;
        }
        Ok(())
    }

    pub(super) fn read_one(&mut self, path: &Path, depth: usize) -> Result<(), String> {
        if depth > MAX_DEPTH {
            return Err(format!("{}: more than {MAX_DEPTH} files include each other", path.display()));
        }
        let Some(text) = text_of(path)? else { return Ok(()) };
        let parsed = parse(&text).map_err(|(line, why)| format!("{}:{line}: {why}", path.display()))?;
        let included = |key: &str| -> Vec<String> {
            let names = parsed.options.get("INCLUDES").and_then(|section| section.get(key));
            names.map(|names| names.split_whitespace().map(str::to_owned).collect()).unwrap_or_default()
        };
        let directory = path.parent().unwrap_or(Path::new("."));
        let read = |this: &mut Sections, name: &str| -> Result<(), String> {
            let path = directory.join(name);
            this.read_one(&path, depth + 1)?;
            if path.extension().is_some_and(|extension| extension == "conf") {
                this.read_one(&path.with_extension("local"), depth + 1)?;
            }
            Ok(())
        };
        for name in included("before") {
            read(self, &name)?;
        }
        for section in &parsed.order {
            let known = self.section(section);
            for (key, value) in &parsed.options[section] {
                if let Some(before) = known.insert(key.clone(), value.clone()) {
                    known.insert(format!("known/{key}"), before);
                }
            }
        }
        for name in included("after") {
            read(self, &name)?;
        }
        Ok(())
    }

    /// The names of all sections, in their order.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.order.iter().map(String::as_str)
    }

    /// Returns a section, which is added if there is none.
    fn section(&mut self, name: &str) -> &mut BTreeMap<String, String> {
        if !self.options.contains_key(name) {
            self.order.push(name.to_owned());
        }
        self.options.entry(name.to_owned()).or_default()
    }

    /// The names of the options of a section, without those of the defaults.
    pub(super) fn options(&self, section: &str) -> impl Iterator<Item = &str> {
        self.options.get(section).into_iter().flat_map(|options| options.keys()).map(String::as_str)
    }

    /// Sets an option.
    pub(super) fn set(&mut self, section: &str, key: &str, value: &str) {
        self.section(section).insert(key.to_owned(), value.to_owned());
    }

    fn raw(&self, section: &str, key: &str) -> Option<&str> {
        let of = |section: &str| self.options.get(section)?.get(key).map(String::as_str);
        of(section).or_else(|| of(DEFAULT))
    }

    /// Returns the value of an option, in which `%(name)s` is replaced.
    pub(super) fn get(&self, section: &str, key: &str) -> Result<Option<String>, String> {
        let Some(raw) = self.raw(section, key) else { return Ok(None) };
        self.interpolated(section, raw, 0).map(Some)
    }

    fn interpolated(&self, section: &str, text: &str, depth: usize) -> Result<String, String> {
        if depth > MAX_INTERPOLATION {
            return Err(format!("options of [{section}] name each other without end"));
        }
        let mut out = String::new();
        let mut rest = text;
        while let Some(at) = rest.find('%') {
            out.push_str(&rest[..at]);
            rest = &rest[at + 1..];
            if let Some(behind) = rest.strip_prefix('%') {
                out.push('%');
                rest = behind;
                continue;
            }
            let named = rest.strip_prefix('(').and_then(|name| name.split_once(")s"));
            let Some((name, behind)) = named else {
                return Err(format!("`%` in [{section}] is neither `%%` nor `%(name)s`"));
            };
            out += &self.named(section, &name.to_ascii_lowercase(), name, depth + 1)?;
            if out.len() > MAX_VALUE {
                return Err(format!("an option of [{section}] is too long"));
            }
            rest = behind;
        }
        Ok(out + rest)
    }

    /// The value of an option that another one names: `name`, `known/name`, or `section/name`.
    fn named(&self, section: &str, key: &str, written: &str, depth: usize) -> Result<String, String> {
        if key == "__name__" {
            return Ok(section.to_owned());
        }
        // What was known before the section had it are the defaults.
        let before = || self.raw(DEFAULT, key.strip_prefix("known/")?);
        if let Some(raw) = self.raw(section, key).or_else(before) {
            return self.interpolated(section, raw, depth);
        }
        if let Some((other, key)) = written.rsplit_once('/') {
            let other = if other == "default" { DEFAULT } else { other };
            if let Some(raw) = self.raw(other, &key.to_ascii_lowercase()) {
                return self.interpolated(section, raw, depth);
            }
        }
        Err(format!("there is no option `{written}` for [{section}]"))
    }
}

fn text_of(path: &Path) -> Result<Option<String>, String> {
    let failed = |e: std::io::Error| format!("{}: {e}", path.display());
    let file = match fs::File::open(path) {
        Ok(file) => file,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(failed(e)),
    };
    let mut bytes = Vec::new();
    file.take(MAX_SIZE + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > MAX_SIZE {
        return Err(format!("{} is larger than {} MiB", path.display(), MAX_SIZE >> 20));
    }
    Ok(Some(String::from_utf8_lossy(&bytes).into_owned()))
}

/// Parses a file. An error has the number of its line.
fn parse(text: &str) -> Result<Sections, (usize, String)> {
    let mut sections = Sections::default();
    let mut section: Option<String> = None;
    // The option that goes on in lines that are indented, and how much its own line is.
    let mut open: Option<(String, usize)> = None;
    for (n, line) in text.lines().enumerate() {
        let trimmed = line.trim();
        if trimmed.starts_with(['#', ';']) {
            continue;
        }
        let indent = line.len() - line.trim_start().len();
        let value = without_comment(trimmed);
        if let (Some(name), Some((key, own))) = (&section, &open)
            && (trimmed.is_empty() || indent > *own)
        {
            let text = sections.section(name).entry(key.clone()).or_default();
            text.push('\n');
            text.push_str(value);
            continue;
        }
        open = None;
        if trimmed.is_empty() {
            continue;
        }
        if let Some(name) = trimmed.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            section = Some(name.0.to_owned());
            sections.section(name.0);
            continue;
        }
        let Some(name) = &section else { return Err((n + 1, "this is in no section".into())) };
        let Some((key, value)) = value.split_once(['=', ':']) else {
            return Err((n + 1, "this is neither a section nor `option = value`".into()));
        };
        let key = key.trim().to_ascii_lowercase();
        sections.section(name).insert(key.clone(), value.trim().to_owned());
        open = Some((key, indent));
    }
    for options in sections.options.values_mut() {
        for value in options.values_mut() {
            *value = value.trim_end().to_owned();
        }
    }
    Ok(sections)
}

/// Cuts a comment: `;` behind a space.
fn without_comment(line: &str) -> &str {
    let at = line.match_indices(';').find(|(at, _)| line[..*at].ends_with(char::is_whitespace));
    at.map_or(line, |(at, _)| line[..at].trim_end())
}

#[cfg(test)]
mod tests {
    use super::{Sections, parse};

    #[test]
    fn options_have_lines_comments_and_other_options() {
        let text = "[DEFAULT]\nd: 1 ; x\n[a]\nK = one\n # no\n  two;x\n\n  three\nl = %(k)s|%(d)s|%(b/m)s|%%|%(__name__)s\n\
                    loop = %(loop)s\nno = %(nosuch)s\n[b]\nm=n%(d)s\n";
        let sections = parse(text).unwrap();
        assert_eq!(sections.get("a", "l"), Ok(Some("one\ntwo;x\n\nthree|1|n1|%|a".into())));
        assert_eq!(sections.get("a", "d"), Ok(Some("1".into())));
        assert!(sections.get("a", "loop").is_err() && sections.get("a", "no").is_err());
        assert_eq!(sections.get("a", "nosuch"), Ok(None));
        assert_eq!(parse("x = 1\n").unwrap_err().0, 1);
        assert_eq!(parse("[a]\n\nx\n").unwrap_err().0, 3);
    }

    #[test]
    fn a_later_file_replaces_options_and_what_was_known_is_still_named() {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        std::fs::write(
            path("c.conf"),
            "[INCLUDES]\nbefore = b.conf\nafter = x.local\n[a]\nk = c%(known/k)s\n",
        )
        .unwrap();
        std::fs::write(path("b.conf"), "[a]\nk = b\n").unwrap();
        std::fs::write(path("c.local"), "[a]\nz = %(k)s!\n").unwrap();
        let mut sections = Sections::default();
        sections.read(&path("c.conf")).unwrap();
        assert_eq!(sections.get("a", "z"), Ok(Some("cb!".into())));
        std::fs::write(path("b.conf"), "[INCLUDES]\nbefore = b.conf\n").unwrap();
        assert!(Sections::default().read(&path("c.conf")).is_err());
    }
}
