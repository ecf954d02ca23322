//! Templates: Python's format strings, parsed once and rendered with many sets of values.
//!
//! In: a text like `Failed login of {user!r} from {ip} at {when:%H:%M}` and, for each rendering, a function that looks
//! values up. Out: the text that Python 3.11 gives for `text.format_map(values)`, where a missing value is `None`.
//!
//! When a template is parsed, its text becomes pieces (`parse`), and each spec is checked for every type that a value
//! may have. `spec` does this: it passes its `parts` to `text`, to `integer` with `float` (both laid out by `frame`),
//! and to `time` with `strftime` and `calendar`. When a template is rendered, the pieces are written in order
//! (`template`); nothing is parsed again.
//!
//! Differences from Python:
//! - a name may contain `.`: there are no attributes;
//! - parsing refuses positions, indexes, fields inside specs, and widths or precisions over 10,000, also in
//!   the directives of times;
//! - `!r` and `!a` of a time print it like `!s`: nobody wants `datetime.datetime(…)` in a mail;
//! - `%s` of a time prints the moment itself. Python has the C library guess it from the civil time and the process's
//!   own zone. `%EZ` and similar directives print the given zone, not the process's zone;
//! - a number printed as a character (`c`) cannot be a surrogate;
//! - a time outside of the years 1 to 9999, or in the last two days of them, cannot be printed.

mod calendar;
mod error;
mod float;
mod frame;
mod integer;
mod moment;
mod padding;
mod parse;
mod parts;
mod placeholder;
mod refusal;
mod repr;
mod spec;
mod strftime;
mod template;
mod text;
mod time;
mod unicode;
mod value;

pub use self::error::{RenderError, TemplateError};
pub use self::moment::show_time;
pub use self::placeholder::placeholder;
pub use self::template::{Part, Template};
pub use self::value::Value;
