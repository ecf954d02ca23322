//! `source_nats`: reads a stream of NATS JetStream.
//!
//! The position is the number of a message in the stream. It is committed with all that the message has caused: so each
//! message has its effects once, and nothing is acknowledged.

mod entry;
mod feed;
mod fields;
mod handover;
mod place;
mod reader;

use std::sync::Arc;

use pyruse_core::entry::FieldTable;
use pyruse_core::plugin::{
    Compile, Example, Expected, Inspection, Invalid, Module, Plugin, Reader, Severity, Source, SourceError,
    SourceModule,
};
use pyruse_core::schemars::JsonSchema;
use pyruse_core::serde::Deserialize;
use pyruse_core::state::Position;

use self::feed::Selection;
use self::fields::{StreamFields, fields_of};
use self::place::Place;
pub(crate) use self::place::WINDOW;
use self::reader::StreamReader;
use crate::connection::Link;
use crate::{inspect, loops, subject};

#[derive(Deserialize, JsonSchema)]
#[serde(crate = "pyruse_core::serde", deny_unknown_fields)]
#[schemars(crate = "pyruse_core::schemars")]
struct Args {
    /// The connection, a name in the top-level key `nats`.
    connection: String,
    /// The name of the stream.
    stream: String,
    /// The subjects that are read, such as `fail.*.ssh` or `fail.>`; absent: all that the stream has.
    #[serde(default)]
    subjects: Vec<String>,
    /// Which token of the subject names the sender, from 1: with 2, `fail.web-1.ssh` is from `web-1`. It gets into the
    /// field `_SENDER`, which filters trust. So the server's permissions must let each sender use only its own name.
    #[serde(rename = "senderToken", default)]
    sender_token: Option<usize>,
    /// Whether only one program may publish what is read, as the server's permissions say: then a filter on `_SOURCE`
    /// proves who has written an entry.
    #[serde(rename = "oneWriter", default)]
    one_writer: bool,
    /// Whether a new source reads what the stream already has, too: for a stream with the newest word about each address,
    /// such as bans. Otherwise it begins with what is published from then on.
    #[serde(rename = "fromFirst", default)]
    from_first: bool,
}

/// The configured source.
struct Stream {
    link: Arc<Link>,
    selection: Selection,
    sender_token: Option<usize>,
    from_first: bool,
    fields: &'static StreamFields,
}

impl Module for Stream {
    const NAME: &'static str = "source_nats";
    const DOC: &'static str =
        "Reads a stream of NATS JetStream: each message is a JSON object, whose members are fields.";
    const SETTINGS: &'static [&'static str] = &["nats"];
    const EXAMPLE_SETTINGS: &'static str =
        r#"{"nats": {"fleet": {"servers": ["tls://nats.example.org:4222"]}}}"#;
    type Args = Args;

    fn compile(args: Args, cx: &mut Compile<'_>) -> Result<Self, Invalid> {
        let link = Link::compile("connection", &args.connection, cx);
        let stream = check_stream("stream", &args.stream, cx);
        let mut checked = Ok(());
        for (n, subject) in args.subjects.iter().enumerate() {
            if let Err(why) = subject::check(subject, true) {
                checked = Err(cx.error(&format!("subjects.{n}"), why));
            }
        }
        let mut sender_token = None;
        if let Some(n) = args.sender_token {
            match n.checked_sub(1) {
                Some(index) => sender_token = Some(index),
                None => checked = Err(cx.error("senderToken", "the tokens of a subject are counted from 1")),
            }
        }
        let link = link?;
        stream?;
        checked?;
        loops::note_source(&args.connection, &args.subjects, cx);
        Ok(Stream {
            link,
            selection: Selection { stream: args.stream, subjects: args.subjects },
            sender_token,
            from_first: args.from_first,
            fields: fields_of(sender_token.is_some(), args.one_writer),
        })
    }

    fn examples() -> Vec<Example> {
        vec![
            Example {
                title: "the failures of all hosts",
                args: r#"{"connection": "fleet", "stream": "FAIL", "senderToken": 2}"#,
                entry: &[],
                expected: Expected::Nothing,
            },
            Example {
                title: "the bans of the only host that may publish them",
                args: r#"{"connection": "fleet", "stream": "BAN", "subjects": ["ban.>"], "oneWriter": true, "fromFirst": true}"#,
                entry: &[],
                expected: Expected::Nothing,
            },
        ]
    }
}

/// Checks the name of a stream.
pub(crate) fn check_stream(path: &str, name: &str, cx: &mut Compile<'_>) -> Result<(), Invalid> {
    let is_plain = |c: char| c.is_ascii_graphic() && !".*>/\\".contains(c);
    if name.is_empty() || name.len() > subject::LONGEST || !name.chars().all(is_plain) {
        let what =
            "the name of a stream must not be empty, and must not contain spaces, `.`, `*`, `>`, `/` or `\\`";
        return Err(cx.error(path, what));
    }
    Ok(())
}

impl SourceModule for Stream {
    const FIELDS: &'static dyn FieldTable = &fields::OF_ALL;
}

impl Source for Stream {
    fn open(&self) -> Result<Box<dyn Reader>, SourceError> {
        Ok(Box::new(StreamReader::new(&self.link, &self.selection, self.sender_token, self.from_first)?))
    }

    fn fields(&self) -> Option<&'static dyn FieldTable> {
        Some(self.fields)
    }

    fn describe(&self) -> Option<String> {
        Some(format!("the stream {} of the NATS connection `{}`", self.selection.stream, self.link.name))
    }

    fn show(&self, position: &Position) -> Option<String> {
        match place::read(position).0 {
            Place::Behind { sequence, .. } => Some(format!("{}:{sequence}", self.selection.stream)),
            _ => None,
        }
    }

    fn inspect(&self, inspection: &mut Inspection) {
        let asked = inspect::stream(&self.link, &self.selection.stream, &self.selection.subjects, inspection);
        for finding in asked {
            inspection.argument(
                finding.argument.unwrap_or("connection"),
                finding.severity,
                finding.message,
                finding.help,
            );
        }
        if self.selection.subjects.is_empty() && self.fields.has_one_writer() {
            let help =
                "write them into `subjects`: then somebody who adds a subject to the stream adds no writer";
            inspection.argument("oneWriter", Severity::Warning, "all subjects of the stream are read", help);
        }
    }
}

pyruse_core::inventory::submit!(Plugin::source::<Stream>());
