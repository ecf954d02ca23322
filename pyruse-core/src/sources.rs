//! The sources that are read: their readers, which of them is next, and their positions in the state.
//!
//! In a backlog, the source whose next record is the oldest comes first; when all are read to their ends, whichever has
//! a record. So records of several sources are in order as far as the sources are; nothing may depend on more.

use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::config::{Config, Diagnostics, ModuleKind, Node, SourceSpan};
use crate::entry::{FieldTable, FieldTables, Fields, Record};
use crate::losses::LossTotal;
use crate::plugin::{
    Begin, Begun, Compile, Compiled, LeftOut, Next, Plugin, Reader, Readiness, Registry, Settings, Setup,
    Source, SourceError,
};
use crate::state::{Position, State};
use crate::time::Timestamp;

/// How long to wait before reading a source again after an error.
const RETRY: Duration = Duration::from_secs(1);

/// A source of a configuration, not opened.
pub struct ConfiguredSource {
    /// Its name.
    pub name: String,
    /// The source.
    pub source: Box<dyn Source>,
    /// What it knows about fields.
    table: &'static dyn FieldTable,
    module: &'static str,
    args: Option<Node>,
    span: SourceSpan,
}

impl ConfiguredSource {
    /// Makes a source that no configuration names: for commands.
    pub fn of(
        registry: &Registry,
        name: &str,
        module: &str,
        args: &serde_json::Value,
    ) -> Result<ConfiguredSource, SourceError> {
        let json =
            serde_json::json!({"actions": {"none": []}, "sources": {name: {"source": module, "args": args}}});
        let text = crate::config::Source { name: name.to_owned(), text: json.to_string() };
        let mut diagnostics = Diagnostics::default();
        let config = Config::read(&text, &[], &mut Diagnostics::default());
        let config =
            config.ok_or_else(|| SourceError(format!("`{name}` is not a valid name of a source")))?;
        let settings = Settings::default();
        let from = Configure { text: &text, config: &config, registry, settings: &settings };
        let made = configure(&from, &mut Fields::default(), &mut Setup::default(), &mut diagnostics).pop();
        made.ok_or_else(|| {
            let found = diagnostics.in_order();
            SourceError(found.first().map(|finding| finding.message.clone()).unwrap_or_default())
        })
    }

    /// Returns the position of an argument in the configuration.
    pub(crate) fn span(&self, path: &str) -> SourceSpan {
        self.args.as_ref().map_or(&self.span, |args| &args.at(path).span).clone()
    }

    /// Returns `true` if both read the same, as far as the configuration says.
    fn is_same_as(&self, other: &Identity) -> bool {
        self.identity() == *other
    }

    fn identity(&self) -> Identity {
        Identity { module: self.module, args: self.args.as_ref().map(Node::to_json) }
    }
}

/// What makes a source another one although its name is the same.
#[derive(PartialEq)]
struct Identity {
    module: &'static str,
    args: Option<serde_json::Value>,
}

/// Inputs of [`configure`].
pub(crate) struct Configure<'a> {
    pub(crate) text: &'a crate::config::Source,
    pub(crate) config: &'a Config,
    pub(crate) registry: &'a Registry,
    pub(crate) settings: &'a Settings,
}

/// Compiles the sources of a configuration; without `sources`, that is the default source.
pub(crate) fn configure(
    from: &Configure<'_>,
    fields: &mut Fields,
    setup: &mut Setup,
    diagnostics: &mut Diagnostics,
) -> Vec<ConfiguredSource> {
    let Configure { config, registry, .. } = from;
    let mut compile =
        |name: &str, plugin: &'static Plugin, args: Option<&Node>, node: &Node, title: String| {
            let mut cx = Compile {
                source: from.text,
                diagnostics,
                fields,
                setup,
                settings: from.settings,
                facts: &mut Vec::new(),
                node: args.unwrap_or(node),
                place: None,
                title,
            };
            let Some(Compiled::Source(source)) = (plugin.compile)(args, &mut cx) else { return None };
            let (name, args, span) = (name.to_owned(), args.cloned(), node.span.clone());
            Some(ConfiguredSource { name, source, table: plugin.fields?, module: plugin.name, args, span })
        };
    let default = registry.default_source();
    if config.top("sources").is_none() {
        let Some((name, plugin)) = default else { return Vec::new() };
        let root = config.root();
        let start =
            Node { span: root.span.start..root.span.start + 1, content: crate::config::Content::Null };
        let title = format!("settings of `{name}`");
        return compile(name, plugin, config.top(name), &start, title).into_iter().collect();
    }
    let mut sources = Vec::new();
    for source in &config.sources {
        if let Some(plugin) = registry.plugin(ModuleKind::Source, &source.module.text) {
            let title = format!("arguments of `{}`", plugin.name);
            sources.extend(compile(&source.name.text, plugin, source.args.as_ref(), &source.node, title));
        }
    }
    for source in &config.sources {
        if registry.plugin(ModuleKind::Source, &source.module.text).is_none() {
            registry.report_unknown(ModuleKind::Source, &source.module, None, diagnostics);
        }
    }
    if let Some((name, plugin)) = default
        && let Some(node) = config.top(name)
    {
        let message = format!("`{name}` has no effect if there is a key `sources`");
        diagnostics.error(node.span.clone(), None, message).help(format!(
            "move it into `sources`: `\"{name}\": {{\"source\": \"{}\", \"args\": …}}`",
            plugin.name
        ));
    }
    sources
}

/// Returns what these sources know about fields.
pub(crate) fn tables(sources: &[ConfiguredSource]) -> FieldTables {
    sources.iter().map(|source| (source.name.clone(), source.table)).collect()
}

struct OpenSource {
    name: String,
    identity: Identity,
    reader: Box<dyn Reader>,
    /// The time of the record that comes next, if the reader stands on it.
    head: Option<Timestamp>,
    /// Whether the reader was at its end when it was last asked.
    is_at_end: bool,
    /// When to ask it again, if it said so.
    later: Option<Duration>,
    /// The number of records that were read since the last [`Sources::store_positions`].
    fresh: u64,
    /// The last error, and when to try again.
    failed: Option<(String, Instant)>,
}

/// How a source is doing.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct SourceStatus {
    /// Its name.
    pub name: String,
    /// Whether what the configuration names does not exist yet.
    pub is_missing: bool,
    /// Where reading stopped.
    pub position: Option<Position>,
    /// What was lost since the start.
    pub losses: Vec<LossTotal>,
    /// What cannot be read.
    pub left_out: Vec<LeftOut>,
    /// The last error, if it cannot be read.
    pub error: Option<String>,
}

/// The sources that are read.
#[derive(Default)]
pub struct Sources {
    open: Vec<OpenSource>,
    entries: u64,
}

/// An open source, with its name.
pub type NamedReader = (String, Box<dyn Reader>);

type NewReader = (Identity, Box<dyn Reader>);

/// Sources that are opened, but not read yet; see [`Sources::prepare`].
pub(crate) struct Prepared {
    /// For each configured source, in order: a new reader, or `None` if the present one goes on.
    readers: Vec<(String, Option<NewReader>)>,
    positions: Vec<(String, Position)>,
}

/// Adds the name of the source to its error, where there are several.
fn named(name: &str, are_several: bool, error: SourceError) -> SourceError {
    if are_several { SourceError(format!("source `{name}`: {error}")) } else { error }
}

/// Opens readers of these sources, without a state: for commands.
pub fn readers(configured: &[ConfiguredSource]) -> Result<Vec<NamedReader>, SourceError> {
    let open = |source: &ConfiguredSource| {
        let opened = source.source.open().map_err(|e| named(&source.name, configured.len() > 1, e));
        Ok((source.name.clone(), opened?))
    };
    configured.iter().map(open).collect()
}

impl Sources {
    /// Opens all sources where the state says; those that the state does not know at `since`, or at their ends. The
    /// state then has a position for each of them.
    pub fn open(
        configured: &[ConfiguredSource],
        state: &mut State,
        since: Option<Timestamp>,
    ) -> Result<Sources, SourceError> {
        let mut sources = Sources::default();
        let prepared = sources.prepare(configured, state, since)?;
        sources.adopt(prepared, state);
        Ok(sources)
    }

    /// Opens sources that read from these readers, whatever the state says.
    pub fn of_readers(readers: Vec<NamedReader>) -> Sources {
        let open = readers
            .into_iter()
            .map(|(name, reader)| OpenSource::new(name, Identity { module: "", args: None }, reader));
        Sources { open: open.collect(), entries: 0 }
    }

    /// Opens what differs from what is read now. Changes nothing.
    pub(crate) fn prepare(
        &self,
        configured: &[ConfiguredSource],
        state: &State,
        since: Option<Timestamp>,
    ) -> Result<Prepared, SourceError> {
        let (mut readers, mut positions) = (Vec::new(), Vec::new());
        for source in configured {
            let name = &source.name;
            if self.open.iter().any(|open| open.name == *name && source.is_same_as(&open.identity)) {
                readers.push((name.clone(), None));
                continue;
            }
            if self.open.iter().any(|open| open.name == *name) {
                tracing::info!("the configuration names another {name} now; it is opened");
            }
            let failed = |e: SourceError| named(name, configured.len() > 1, e);
            let mut reader = source.source.open().map_err(failed)?;
            if reader.is_missing() {
                tracing::warn!("the configured {name} does not exist yet; waiting for it");
            }
            let begin = match (state.position(name), since) {
                (Some(position), None) => Begin::Behind(position),
                (Some(position), Some(_)) => {
                    return Err(SourceError(format!(
                        "reading stopped at {} and resumes there; --since applies only to the first start, or with \
                         --dry-run",
                        position.time.local()
                    )));
                }
                (None, Some(since)) => Begin::Since(since),
                (None, None) => Begin::Tail,
            };
            if let Begun::Near(text) = reader.resume(begin).map_err(failed)? {
                tracing::warn!("{text}");
            }
            match begin {
                Begin::Since(time) => positions.push((name.clone(), Position { place: Vec::new(), time })),
                Begin::Tail => positions.push((name.clone(), reader.position())),
                Begin::Behind(_) | Begin::Head => {}
            }
            readers.push((name.clone(), Some((source.identity(), reader))));
        }
        Ok(Prepared { readers, positions })
    }

    /// Reads what was prepared from now on, and forgets the positions in what is no longer read.
    pub(crate) fn adopt(&mut self, prepared: Prepared, state: &mut State) {
        let mut former: Vec<OpenSource> = std::mem::take(&mut self.open);
        for (name, reader) in prepared.readers {
            let known = former.iter().position(|open| open.name == name).map(|at| former.swap_remove(at));
            self.open.push(match (reader, known) {
                (None, Some(open)) => open,
                (None, None) => continue,
                (Some((identity, reader)), known) => {
                    let mut open = OpenSource::new(name, identity, reader);
                    if let Some(mut known) = known {
                        *open.reader.losses() = std::mem::take(known.reader.losses());
                    }
                    open
                }
            });
        }
        for mut gone in former {
            gone.reader.losses().flush();
        }
        for (name, position) in prepared.positions {
            state.set_position(&name, position);
        }
        let unread = state.positions().filter(|(name, _)| !self.open.iter().any(|open| open.name == *name));
        let unread: Vec<_> = unread.map(|(name, position)| (name.to_owned(), position.time)).collect();
        for (name, time) in unread {
            tracing::warn!(
                "source `{name}` is no longer configured: its position, at {}, is deleted",
                time.local()
            );
            state.forget_position(&name);
        }
    }

    /// Goes to the record that comes next; returns the number of its source, for [`Sources::record`]. `None`: there is
    /// none for now.
    pub fn advance(&mut self) -> Result<Option<usize>, SourceError> {
        let are_several = self.open.len() > 1;
        let mut first: Option<(Timestamp, usize)> = None;
        for (n, open) in self.open.iter_mut().enumerate() {
            if open.head.is_none() {
                open.advance().map_err(|e| named(&open.name, are_several, e))?;
            }
            if let Some(time) = open.head
                && first.is_none_or(|(earliest, _)| time < earliest)
            {
                first = Some((time, n));
            }
        }
        Ok(first.map(|(_, n)| n))
    }

    /// Returns the record that [`Sources::advance`] has found, and the name of its source. It then counts as read.
    pub fn record(&mut self, source: usize) -> (&str, &mut dyn Record) {
        let open = &mut self.open[source];
        open.head = None;
        open.fresh += 1;
        self.entries += 1;
        (&open.name, open.reader.record())
    }

    /// Returns how long to wait before [`Sources::advance`] may find a record that is not complete yet, if there is one.
    pub fn later(&self) -> Option<Duration> {
        self.open.iter().filter_map(|open| open.later).min()
    }

    /// Returns the number of records that were read.
    pub fn entries(&self) -> u64 {
        self.entries
    }

    /// Sets the positions in the state to what was read.
    pub(crate) fn store_positions(&mut self, state: &mut State) {
        for open in self.open.iter_mut().filter(|open| open.fresh > 0) {
            open.fresh = 0;
            state.set_position(&open.name, open.reader.position());
        }
    }

    /// Does what is due beside reading; see [`Reader::tend`]. Returns `true` if a source must be read again at once.
    pub fn tend(&mut self, is_drained: bool) -> bool {
        let mut again = false;
        for open in &mut self.open {
            if open.reader.tend(is_drained && open.is_at_end) {
                open.head = None;
                again = true;
            }
        }
        again
    }

    /// Takes the lines about losses that were logged since the last call.
    pub(crate) fn take_logged(&mut self) -> Vec<String> {
        self.open.iter_mut().flat_map(|open| open.reader.losses().take_logged()).collect()
    }

    /// Logs all losses that are not logged yet.
    pub fn flush_losses(&mut self) {
        self.open.iter_mut().for_each(|open| open.reader.losses().flush());
    }

    /// Returns what to wait for, for each source.
    pub fn readiness(&self) -> impl Iterator<Item = Readiness<'_>> {
        self.open.iter().map(|open| {
            let mut readiness = open.reader.readiness();
            let retry = open.failed.as_ref().map(|(_, at)| at.saturating_duration_since(Instant::now()));
            readiness.patience = [readiness.patience, retry].into_iter().flatten().min();
            readiness
        })
    }

    /// Tells a source that this one of its descriptors is readable.
    pub fn wake(&mut self, source: usize, descriptor: usize) {
        self.open[source].reader.wake(descriptor);
    }

    /// Returns how all sources are doing.
    pub fn status(&mut self, state: &State) -> Vec<SourceStatus> {
        let status = |open: &mut OpenSource| SourceStatus {
            name: open.name.clone(),
            is_missing: open.reader.is_missing(),
            position: state.position(&open.name).cloned(),
            losses: open.reader.losses().totals(),
            left_out: open.reader.left_out(),
            error: open.failed.as_ref().map(|(error, _)| error.clone()),
        };
        self.open.iter_mut().map(status).collect()
    }

    /// Moves all readers to where reading begins, whatever the state says.
    pub fn resume(&mut self, begin: Begin<'_>) -> Result<(), SourceError> {
        let are_several = self.open.len() > 1;
        for open in &mut self.open {
            open.head = None;
            open.reader.resume(begin).map_err(|e| named(&open.name, are_several, e))?;
        }
        Ok(())
    }

    /// Returns `true` if no record is earlier than the one before it.
    pub fn is_in_order(&self) -> bool {
        self.open.iter().all(|open| open.reader.is_in_order())
    }

    /// Returns the time of the last record that counts as read, of all sources.
    pub fn last_time(&mut self) -> Option<Timestamp> {
        self.open.iter_mut().map(|open| open.reader.position().time).max()
    }

    /// Returns how many bytes have been read and how many there are, if there is one source and it knows.
    pub fn progress(&self) -> Option<(u64, Option<u64>)> {
        match self.open.as_slice() {
            [open] => open.reader.progress(),
            _ => None,
        }
    }
}

impl OpenSource {
    fn new(name: String, identity: Identity, reader: Box<dyn Reader>) -> OpenSource {
        OpenSource {
            name,
            identity,
            reader,
            head: None,
            is_at_end: false,
            later: None,
            fresh: 0,
            failed: None,
        }
    }

    /// Goes to its next record. After an error, it is left alone for [`RETRY`].
    fn advance(&mut self) -> Result<(), SourceError> {
        if self.failed.as_ref().is_some_and(|(_, again)| Instant::now() < *again) {
            return Ok(());
        }
        (self.is_at_end, self.later) = (false, None);
        match self.reader.next() {
            Ok(Next::Record(time)) => self.head = Some(time),
            Ok(Next::End) => self.is_at_end = true,
            Ok(Next::Later(wait)) => self.later = Some(wait),
            Err(e) => {
                let is_new = self.failed.as_ref().is_none_or(|(text, _)| *text != e.0);
                self.failed = Some((e.0.clone(), Instant::now() + RETRY));
                // The same error is returned once, not every second.
                return if is_new { Err(e) } else { Ok(()) };
            }
        }
        self.failed = None;
        Ok(())
    }
}
