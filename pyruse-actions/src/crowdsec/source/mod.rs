//! `source_crowdsec`: the decisions of a Local API as entries, one when a decision is made, and one when it ends or is
//! deleted.
//!
//! The API is asked at intervals by a thread of its own (`poll`), which streams each answer into a bounded batch
//! (`intake`), hands it over through a bounded channel, and wakes the loop through a socket (`reader`). What was read is
//! known by the numbers of decisions (`progress`).
//!
//! The API remembers for each key what it has given out. So only a program that follows the source asks it, and a
//! command that looks back, such as `replay`, finds nothing there.

mod answer;
mod fields;
mod intake;
mod poll;
mod progress;
mod reader;

use std::path::PathBuf;
use std::time::Duration;

use pyruse_core::entry::FieldTable;
use pyruse_core::plugin::{
    Compile, Example, Expected, Inspection, Invalid, Module, Plugin, Reader, Severity, Source, SourceError,
    SourceModule,
};
use pyruse_core::schemars::JsonSchema;
use pyruse_core::seconds::Seconds;
use pyruse_core::secret;
use pyruse_core::serde::Deserialize;
use pyruse_core::state::Position;

use self::fields::DecisionFields;
use self::poll::{Questions, ask_for_one};
use self::progress::Progress;
use super::api::Failure;
use super::settings::{URL, check_reach, origin};
use crate::http::inspect::denied;

/// The longest interval between two questions, in seconds: a day.
const LONGEST_INTERVAL: u64 = 86_400;

/// The argument `scopes` holds at most this many, each of at most so many bytes.
const MOST_SCOPES: usize = 20;
const LONGEST_SCOPE: usize = 32;

#[derive(Deserialize, JsonSchema)]
#[serde(crate = "pyruse_core::serde", deny_unknown_fields)]
#[schemars(crate = "pyruse_core::schemars")]
struct Args {
    /// The URL of the Local API. Another host than those of a private network needs `https://`.
    #[serde(default = "url")]
    url: String,
    /// The file whose first line is the key of a bouncer, from `cscli bouncers add pyruse`. No other program may use this
    /// key: the API gives each decision once. It is read for each question, and only Pyruse should be able to read it.
    #[serde(rename = "apiKeyFile")]
    key_file: PathBuf,
    /// How often to ask, in seconds or as `1m`, 10 seconds by default.
    #[serde(rename = "pollSeconds", default = "poll_seconds")]
    poll: Seconds,
    /// The scopes of the decisions to read, such as `["Ip", "Range", "Country"]`; the default is what the API gives to
    /// bouncers: addresses and networks.
    #[serde(default)]
    scopes: Vec<String>,
    /// Also read the decisions that `action_crowdsec` has written, here or on another machine: those whose scenario
    /// begins with `pyruse/`.
    #[serde(default)]
    own: bool,
    /// A file of certificates (PEM) of authorities that are trusted in addition to those of the system.
    #[serde(rename = "caFile", default)]
    ca_file: Option<PathBuf>,
    /// The time limit for one answer, in seconds or as `1m`, 60 seconds by default.
    #[serde(rename = "timeoutSeconds", default = "timeout_seconds")]
    timeout: Seconds,
}

fn url() -> String {
    URL.to_owned()
}

fn poll_seconds() -> Seconds {
    Seconds(10)
}

fn timeout_seconds() -> Seconds {
    Seconds(60)
}

/// The configured source.
struct Decisions(Questions);

impl Module for Decisions {
    const NAME: &'static str = "source_crowdsec";
    const DOC: &'static str =
        "Reads the decisions of CrowdSec's Local API: bans of other machines, and blocklists.";
    type Args = Args;

    fn compile(args: Args, cx: &mut Compile<'_>) -> Result<Self, Invalid> {
        let mut checked = Ok(());
        check_reach(&args.url, args.ca_file.as_deref(), args.timeout, &mut |path, what| {
            checked = Err(cx.error(path, what));
        });
        if !(1..=LONGEST_INTERVAL).contains(&args.poll.0) {
            checked = Err(cx.error("pollSeconds", format!("the interval is from 1 to {LONGEST_INTERVAL} s")));
        }
        let is_scope = |scope: &String| {
            (1..=LONGEST_SCOPE).contains(&scope.len()) && scope.bytes().all(|b| b.is_ascii_alphanumeric())
        };
        if args.scopes.len() > MOST_SCOPES || !args.scopes.iter().all(is_scope) {
            let what = "these are not scopes, such as `Ip`, `Range`, `Country` and `AS`";
            checked = Err(cx.error("scopes", what));
        }
        if args.key_file.is_relative() {
            let what = "this path is relative";
            checked = Err(cx.error_with_help("apiKeyFile", what, "begin it with `/`"));
        } else if let Some(warning) = secret::exposure(&args.key_file, "key") {
            let length = args.key_file.as_os_str().len();
            cx.warning_within("apiKeyFile", 0..length, warning, "it should belong to Pyruse alone");
        }
        checked?;
        Ok(Decisions(Questions {
            // It was checked.
            origin: origin(&args.url).unwrap_or_default(),
            key_file: args.key_file,
            ca_file: args.ca_file,
            limit: Duration::from_secs(args.timeout.0),
            interval: Duration::from_secs(args.poll.0),
            scopes: args.scopes,
            own: args.own,
        }))
    }

    fn examples() -> Vec<Example> {
        let of = |title, args| Example { title, args, entry: &[], expected: Expected::Nothing };
        vec![
            of("the API of this machine", r#"{"apiKeyFile": "/etc/pyruse/crowdsec.key"}"#),
            of(
                "another machine, seldom",
                r#"{"url": "https://lapi.example.org:8443", "apiKeyFile": "/etc/pyruse/crowdsec.key", "pollSeconds": "1m"}"#,
            ),
        ]
    }
}

impl SourceModule for Decisions {
    const FIELDS: &'static dyn FieldTable = &DecisionFields;
}

impl Source for Decisions {
    fn open(&self) -> Result<Box<dyn Reader>, SourceError> {
        Ok(Box::new(reader::OpenDecisions::new(self.0.clone()).map_err(SourceError::of)?))
    }

    fn inspect(&self, inspection: &mut Inspection) {
        if let Some((severity, message)) = denied(&self.0.key_file, inspection) {
            let help = "no decision is read until it can be read";
            inspection.argument("apiKeyFile", severity, message, help);
        }
        if let Err(failure) = ask_for_one(&self.0) {
            let argument = if matches!(failure, Failure::Denied(_)) { "apiKeyFile" } else { "url" };
            let help = "no decision is read until the API can be used";
            inspection.argument(argument, Severity::Error, failure.into_text(), help);
        }
    }

    fn describe(&self) -> Option<String> {
        Some(format!("the decisions of CrowdSec's Local API at {}", self.0.origin))
    }

    fn show(&self, position: &Position) -> Option<String> {
        let last = Progress::of(position).last();
        (last > 0).then(|| format!("decision {last}"))
    }
}

pyruse_core::inventory::submit!(Plugin::source::<Decisions>());
