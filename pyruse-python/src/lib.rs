//! Python's regular expressions and format strings, with Python's meaning, in bounded time.
//!
//! Rules, log formats and message templates that were written for a Python program remain useful when the program is
//! rewritten in Rust. Two languages make that difficult. Python's `re` looks like the language of the Rust engines, but
//! differs from it; and `str.format` is not `format!`. This crate reads both as Python 3.11 does, and returns what
//! Python returns: the same match, the same groups, the same text. What it cannot run with Python's meaning, it refuses
//! with a message when the expression or the template is compiled. It never runs it with another meaning.
//!
//! The crate was written for Pyruse, but depends on no other crate of it.
//!
//! # Expressions
//!
//! [`re::Pattern`] is `re.compile`, and [`search`](re::Pattern::search) is `re.search`, for texts (`str`).
//!
//! ```
//! use pyruse_python::re::{Groups, Pattern};
//!
//! let pattern = Pattern::new(r"Failed \w+ for (?P<user>\S+) from (?P<ip>(?!127\.)\S+)")?;
//! assert_eq!(pattern.group_names().collect::<Vec<_>>(), [(1, "user"), (2, "ip")]);
//!
//! let text = "Failed password for root from 192.0.2.7 port 22";
//! let mut groups = Groups::default();
//! assert!(pattern.search(text, &mut groups)?);
//! assert_eq!(groups.get(2).map(|span| &text[span]), Some("192.0.2.7"));
//!
//! // An error has Python's words and the byte offset of the mistake.
//! let error = Pattern::new("a**").unwrap_err();
//! assert_eq!((error.message.as_str(), error.offset), ("multiple repeat", 2));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! *Supported*: all of Python's syntax. That is groups with and without names, flags for the whole expression or for a
//! part, greedy, lazy and possessive repetitions, atomic groups, look-ahead and look-behind, back-references and
//! conditions. `\w`, `\d`, `\s`, `\b` and `(?i)` follow Python's tables, not those of the Rust engines.
//! [`re::Candidates`] selects, among hundreds of expressions, those that a text must be searched for.
//!
//! *Refused*, though Python accepts it: what would lose Python's meaning, or would be unbounded. That is character
//! names (`\N{…}`), half characters (surrogates), some loops over groups that may be empty, a few forms that Python
//! 3.11 itself gets wrong, groups nested deeper than 200, and what is too large. [`re`] has the whole list.
//!
//! *Time*: `regex-automata` runs expressions without look-around, back-references and the like. A backtracking machine
//! runs all others. It tries the ways in Python's order but remembers what failed, so its time grows with the length of
//! the text. It counts its steps and gives up after some milliseconds ([`re::MatchError`]). Of the expressions that
//! people write, only those that refer to what their own groups took come near that limit.
//!
//! ```
//! use pyruse_python::re::Pattern;
//!
//! // In Python, this search takes years.
//! let pattern = Pattern::new(r"(?=(a+)+$)x")?;
//! assert_eq!(pattern.is_match(&format!("{}b", "a".repeat(60))), Ok(false));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! *Memory*: an expression whose program needs more than 10 MiB is refused. What searches keep for the next search is
//! bounded for each expression; for usual expressions, it is a few hundred KiB. A single search of the machine may need
//! some tens of MiB, and releases them. Clones of an expression share its memory.
//!
//! # Format strings
//!
//! [`format::Template`] is a text for `str.format_map`, parsed once and rendered for many sets of values.
//!
//! ```
//! use jiff::tz::TimeZone;
//! use pyruse_python::format::{Template, Value};
//!
//! let template = Template::parse("{user!r:>10} failed {count:,} times, last at {when:%H:%M}")?;
//! assert_eq!(template.names(), ["user", "count", "when"]);
//!
//! let values = [Value::from("bob"), Value::from(1234), Value::Time { micros: 1_795_000_000_000_000 }];
//! let mut out = String::new();
//! template.render(&mut out, &TimeZone::UTC, |name| Some(values[name]))?;
//! assert_eq!(out, "     'bob' failed 1,234 times, last at 11:06");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! *Supported*: fields with names, the conversions `!s`, `!r` and `!a`, and the whole mini-language of specs for texts
//! and integers; for times, `strftime` as Python on Linux with glibc has it. A missing value prints as `None`.
//!
//! *Refused*: positions (`{}`, `{0}`), attributes (`{a.b}`), indexes (`{a[0]}`), and fields within specs. A template
//! comes from a configuration file, and must not reach into the program. Widths and precisions are at most 10,000, so
//! the template and the values alone bound the time and the memory of a rendering. [`format`](mod@format) lists the few
//! other differences.
//!
//! # How the crate is compared with Python
//!
//! The tests compare with tables that Python 3.11 wrote (`tests/expressions`, `tests/templates`). Beside the tables are
//! the scripts that write them, and campaigns that send random expressions, texts, templates and values through Python
//! and through this crate.

#![warn(missing_docs)]

pub mod format;
pub mod re;
