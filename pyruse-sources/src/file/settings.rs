//! The arguments of `source_file`.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::rc::Rc;

use pyruse_core::jiff::tz::TimeZone;
use pyruse_core::pattern::Pattern;
use pyruse_core::plugin::{Compile, Invalid};
use pyruse_core::schemars::JsonSchema;
use pyruse_core::serde::Deserialize;

use super::date::Style;
use super::entry::Constant;
use super::format::Form;
use super::globs::PathPattern;

/// Standard input, as a path.
pub(super) const STANDARD_INPUT: &str = "-";

/// The log files.
#[derive(Deserialize, JsonSchema)]
#[serde(crate = "pyruse_core::serde", deny_unknown_fields)]
#[schemars(crate = "pyruse_core::schemars")]
pub(super) struct Args {
    /// The files, as absolute paths; `*`, `?` and `[…]` match a part of one name. Files that come later are read from
    /// their beginning. What a rotation makes of a file (`access.log.1`, `access.log-20261118.gz`) belongs to that file.
    paths: Vec<String>,
    /// The format of their lines.
    #[serde(default)]
    format: Form,
    /// How the time of a line is written: `auto`; `iso` (`2026-11-18 12:06:40`), `syslog` (`Nov 18 12:06:40`), `clf`
    /// (`18/Nov/2026:12:06:40 +0100`), `ctime` (`Wed Nov 18 12:06:40 2026`), `rfc2822`, `epoch`, `tai64n`; a format of
    /// strptime(3), such as `%d.%m.%Y %H:%M:%S`; or `arrival`: an entry counts as written when it is read.
    #[serde(default = "auto")]
    time: String,
    /// The time zone of times that do not say theirs, such as `UTC` or `Europe/Paris`; the default is that of this
    /// machine.
    zone: Option<String>,
    /// With the format `json`: the member that has the time, if it has an unusual name.
    time_field: Option<String>,
    /// `SYSLOG_IDENTIFIER` of entries that do not say which program wrote them.
    identifier: Option<String>,
    /// Fields of all entries. Names are in capitals.
    #[serde(default)]
    fields: BTreeMap<String, String>,
    /// With the formats `text` and `syslog`: an entry begins at a line in which this expression is found, and contains
    /// the lines that follow it.
    first_line: Option<String>,
    /// The directory to which a rotation moves files (`olddir` of logrotate), if it is another one: an absolute path, or
    /// one relative to the directory of each file. Names there are as beside the file.
    rotated: Option<PathBuf>,
    /// Read the files once, as they are: a last line without its end is a line, and rotated files are not looked for.
    /// `replay --file` does that. Only then, `fields` may have names that begin with `_`.
    #[serde(default)]
    once: bool,
    /// `paths` have no wildcards, whatever characters they contain.
    #[serde(default)]
    literal: bool,
}

fn auto() -> String {
    "auto".to_owned()
}

/// The arguments, compiled.
pub(super) struct Settings {
    pub(super) patterns: Vec<PathPattern>,
    pub(super) reads_standard_input: bool,
    pub(super) form: Form,
    pub(super) style: Style,
    pub(super) zone: TimeZone,
    pub(super) time_field: Option<String>,
    pub(super) constant: Rc<Constant>,
    pub(super) first_line: Option<Pattern>,
    pub(super) rotated: Option<PathBuf>,
    pub(super) once: bool,
}

impl Settings {
    pub(super) fn compile(args: Args, cx: &mut Compile<'_>) -> Result<Settings, Invalid> {
        let mut patterns = Vec::new();
        let reads_standard_input = args.paths == [STANDARD_INPUT];
        if args.paths.is_empty() {
            return Err(cx.error_with_help(
                "paths",
                "no file is named",
                "name files, e.g. `/var/log/nginx/*.log`",
            ));
        }
        if !reads_standard_input {
            for (n, path) in args.paths.iter().enumerate() {
                patterns.push(
                    PathPattern::parse(path, args.literal).map_err(|e| cx.error(&format!("paths.{n}"), e))?,
                );
            }
        }
        let style = Style::parse(&args.time).map_err(|e| cx.error("time", e))?;
        let zone = match &args.zone {
            None => TimeZone::system(),
            Some(name) => TimeZone::get(name).map_err(|_| {
                let message = format!("there is no time zone `{name}`");
                cx.error_with_help("zone", message, "write a name such as `UTC` or `Europe/Paris`")
            })?,
        };
        for name in args.fields.keys() {
            let path = format!("fields.{name}");
            if name.starts_with('_') && !args.once {
                let message = "names that begin with `_` are those of fields that only a source sets";
                return Err(cx.error(&path, message));
            }
            let plain = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_';
            if name.is_empty() || name == "MESSAGE" || !name.bytes().all(plain) {
                return Err(cx.error(&path, "write another name, in capitals, digits and `_`"));
            }
        }
        if args.time_field.is_some() && args.format != Form::Json {
            return Err(cx.error("time_field", "only the format `json` has members"));
        }
        let first_line = match &args.first_line {
            Some(_) if !matches!(args.format, Form::Text | Form::Syslog) => {
                return Err(cx.error("first_line", "in this format, every line is an entry"));
            }
            Some(expression) => Some(cx.pattern("first_line", expression)?),
            None => None,
        };
        if args.rotated.as_ref().is_some_and(|rotated| rotated.as_os_str().is_empty()) {
            return Err(cx.error_with_help("rotated", "no directory is named", "leave it out, or name it"));
        }
        let constant = Constant { identifier: args.identifier, fields: args.fields.into_iter().collect() };
        Ok(Settings {
            patterns,
            reads_standard_input,
            form: args.format,
            style,
            zone,
            time_field: args.time_field,
            constant: Rc::new(constant),
            first_line,
            rotated: args.rotated,
            once: args.once || reads_standard_input,
        })
    }

    /// The texts of the patterns.
    pub(super) fn pattern_texts(&self) -> Vec<String> {
        self.patterns.iter().map(|pattern| pattern.text().to_owned()).collect()
    }

    /// The paths without wildcards.
    pub(super) fn literals(&self) -> impl Iterator<Item = PathBuf> {
        self.patterns.iter().filter_map(PathPattern::literal)
    }
}
