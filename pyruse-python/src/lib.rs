//! Python's regular expressions and format strings, with Python's meaning, in bounded time.
//!
//! Rules, log formats and message templates that people wrote for a Python program are worth keeping when the program
//! is rewritten in Rust. Two languages stand in the way: Python's `re` is not the language of the Rust engines, though
//! it looks like it, and `str.format` is not `format!`. This crate reads both as Python 3.11 does, and gives what
//! Python gives: the same match, the same groups, the same text. What it cannot do with Python's meaning, it refuses
//! with a message when the expression or the template is compiled; it never runs it with another meaning.
//!
//! It depends on no other crate of Pyruse, the program that it was written for.
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
//! // What Python refuses is refused in Python's words, with the byte that is wrong.
//! let error = Pattern::new("a**").unwrap_err();
//! assert_eq!((error.message.as_str(), error.offset), ("multiple repeat", 2));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! *Supported* is all of Python's syntax: groups with and without names, flags for the whole or for a part, greedy,
//! lazy and possessive repetitions, atomic groups, look-ahead and look-behind, back-references and conditions. `\w`,
//! `\d`, `\s`, `\b` and `(?i)` follow Python's tables, not those of the Rust engines. [`re::Candidates`] tells which of
//! hundreds of expressions a text is worth being searched for.
//!
//! *Refused*, though Python takes it, is what would not have Python's meaning, or no bound: character names (`\N{…}`),
//! half characters (surrogates), some loops over groups that may be empty, a few forms that Python 3.11 itself gets
//! wrong, groups nested deeper than 200, and what is too large. [`re`] has the whole list.
//!
//! *Time*: an expression without look-around, back-references and the like is run by `regex-automata`. Everything else
//! is run by a machine that backtracks in Python's order, but remembers what failed, so that its time grows with the
//! length of the text. It counts its steps and gives up after some milliseconds ([`re::MatchError`]). Of what people
//! write, only expressions that refer to what their own groups took come near that limit.
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
//! *Memory*: an expression whose program would take more than 10 MiB is refused. What searches keep for the next one is
//! bounded for each expression; for those of usual size, it is some hundred KiB. A single search of the machine may
//! take some tens of MiB, and gives them back. Equal expressions that are in use at the same time are compiled once.
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
//! *Supported* are fields with names, the conversions `!s`, `!r` and `!a`, and the whole mini-language of specs for
//! texts and integers; for times, `strftime` as Python on Linux with glibc has it. A value that is missing prints as
//! `None`.
//!
//! *Refused* are positions (`{}`, `{0}`), attributes (`{a.b}`), indexes (`{a[0]}`), and fields within specs: a template
//! comes from a configuration file, and should not be able to reach into a program. Widths and precisions end at
//! 10,000, which bounds the time and the memory of a rendering by the template and the values alone.
//! [`format`](mod@format) has the few other differences.
//!
//! # How it is held to Python
//!
//! The tests compare with tables that Python 3.11 wrote (`tests/expressions`, `tests/templates`); beside them are the
//! scripts that write the tables, and campaigns that send random expressions, texts, templates and values through both.

#![warn(missing_docs)]

pub mod format;
pub mod re;
