//! The loop: read a batch, run it, commit it, send couriers, wait.
//!
//! One thread. It waits for nothing but its poll: for the journal, for signals, for couriers that have come back, and
//! for the nearest deadline. A batch ends when the journal is drained or a bound is reached; live, it is one entry.

mod answering;
mod ban_log;
mod clock_set;
pub(crate) mod control;
mod import;
mod manager;
pub(crate) mod owner;
pub(crate) mod request;
pub(crate) mod storage;
mod wake;
mod watch;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::Context;
use nix::poll::{PollFd, PollFlags, ppoll};
use nix::sys::time::TimeSpec;
use pyruse_core::config::Diagnostics;
use pyruse_core::engine::{Engine, Plan};
use pyruse_core::entry::Fields;
use pyruse_core::plugin::Registry;
use pyruse_core::pump::Pump;
use pyruse_core::state::{Layout, Position, State};
use pyruse_core::time::{Now, Steady, Timestamp};

use self::ban_log::BanLog;
use self::clock_set::ClockSet;
use self::control::Control;
use self::import::Imports;
use self::manager::ServiceManager;
pub(crate) use self::storage::Storage;
pub(crate) use self::wake::Wake;
pub(crate) use self::watch::{ErrorLog, Watch};
use crate::configuration;
use crate::journal::{JournalSettings, Next, Resumed, Source};

/// A batch is at most so many entries …
const BATCH: u32 = 2000;

/// … and takes at most about so long, so that a signal or a ban never waits for a long backlog.
const BATCH_TIME: Duration = Duration::from_millis(50);

/// journald tells its readers of an entry up to 250 ms later, all of a burst at once. So for a while after an entry
/// we look for the next one ourselves, ever more seldom: after a silence of any length, within a thirty-second of it. When
/// that would hardly be sooner than journald's word, looking ends, and an idle journal wakes nobody.
const LOOKING: Duration = Duration::from_secs(2);

/// Never sooner than that: a look costs some ten microseconds.
const LOOK: Duration = Duration::from_micros(250);

/// How often to check whether the journal's directory was replaced, where nothing says so.
const MOVES: Duration = Duration::from_secs(5);

/// libsystemd keeps what it has read of the journal's files in our memory, hundreds of MiB in the end, and a buffer for
/// each file that held something compressed. After so many entries …
const LET_GO: u64 = 10_000;

/// … and so long a silence, the journal is opened anew, and all that is let go;
const LET_GO_SILENCE: Duration = Duration::from_millis(100);

/// in a backlog, where no silence comes, after so many: opening costs what some hundreds of entries do.
const LET_GO_IN_BACKLOG: u64 = 100_000;

/// While the state cannot be written, it is tried so often.
const COMMIT_RETRY: Duration = Duration::from_secs(1);

/// A daemon whose state is lost or damaged says so again after that time.
const REMINDER: Duration = Duration::from_secs(24 * 3600);

/// What it means to go without.
const WITHOUT: &str = "Until then Pyruse works without it: it reads what is written from now on, bans, mails and reports, \
    but knows nothing of earlier bans, counts and mails, and forgets the new ones when it ends";

/// So long a deadline waits for a backlog to be read.
const BACKLOG_PATIENCE: Duration = Duration::from_secs(300);

/// How long couriers on their way are waited for at the end; what they carry stays queued.
const FAREWELL: Duration = Duration::from_millis(300);

/// Compiles a configuration; without the findings that a comment allows.
pub(crate) fn load(
    source: &pyruse_core::config::Source,
    registry: &Registry,
    layout: Layout,
    diagnostics: &mut Diagnostics,
) -> anyhow::Result<Option<Plan>> {
    let plan = Engine::plan(source, registry, Fields::default(), layout, diagnostics)?;
    if let Some(plan) = &plan {
        pyruse_core::review::heed_allows(source, &plan.engine().config, diagnostics);
    }
    Ok(plan)
}

/// The daemon.
pub(crate) struct Daemon {
    /// Goes before the lock does: else it would take away the socket of who takes over.
    control: Option<Control>,
    pub(crate) config_path: PathBuf,
    pub(crate) registry: Registry,
    pub(crate) pump: Pump,
    optimize: bool,
    pub(crate) journal: Source,
    pub(crate) storage: Storage,
    pub(crate) wake: Wake,
    errors: ErrorLog,
    bans: BanLog,
    manager: ServiceManager,
    clock_set: ClockSet,
    since: Steady,
    loaded: Steady,
    entries: u64,
    /// Why the state cannot be written, if it cannot.
    unwritten: Option<String>,
    /// When an entry was read last.
    last_read: Instant,
    /// When the next entry must be looked at again, since journald has not finished it.
    unfinished: Option<Instant>,
    /// When it is looked next whether the journal has moved.
    next_look: Instant,
    /// So many entries had been read when the journal's pages were let go last.
    let_go: u64,
}

/// What a daemon is made of.
pub(crate) struct Parts {
    pub(crate) config_path: PathBuf,
    pub(crate) registry: Registry,
    pub(crate) engine: Engine,
    pub(crate) storage: Storage,
    pub(crate) state: State,
    /// Listens to signals already.
    pub(crate) wake: Wake,
    /// Is the workflow to be optimised?
    pub(crate) optimize: bool,
}

impl Daemon {
    /// Opens the journal where the state says, or at `since`, or at its end; puts back what was in force.
    pub(crate) fn start(parts: Parts, since: Option<Timestamp>) -> anyhow::Result<Daemon> {
        let Parts { config_path, registry, mut engine, mut storage, mut state, wake, optimize } = parts;
        let journal_settings = engine.settings.get::<JournalSettings>();
        let mut journal = Source::open(&journal_settings)?;
        if journal.is_nowhere() {
            tracing::warn!("there is no journal yet where the configuration says; waiting for it");
        }
        let begins = state.position().is_none();
        place(&mut journal, &mut state, since)?;
        if let Some(why) = &storage.lost {
            tracing::error!("{why}. {WITHOUT}");
        } else if begins {
            let from = if since.is_some() {
                "at the time that --since says"
            } else {
                "with what is written from now on"
            };
            let directory = engine.config.storage.display();
            tracing::info!(
                "there was no state in {directory}: this is the first start, and reading begins {from}"
            );
        }
        // What is taken over must be stored before its files are renamed.
        let imports = if storage.lost.is_none() {
            let (services, directory) = (&mut engine.services, &engine.config.storage);
            Some(Imports::take_over(services, directory, storage.owner, &mut state)?)
        } else {
            None
        };
        let mut pump = Pump::new(engine, state, wake.caller()).context("starting couriers")?;
        let now = pump.state.tick();
        pump.boot(now.wall);
        // Where we begin is on the disk before the first entry is read: a crash from here on loses nothing.
        pump.state.commit()?;
        if let Some(imports) = imports {
            imports.put_away(&mut pump.state);
        }
        let control = control::control_socket(&mut storage, &pump.engine.config.storage, &wake);
        Ok(Daemon {
            config_path,
            registry,
            pump,
            optimize,
            journal,
            storage,
            wake,
            errors: ErrorLog::new(),
            bans: BanLog::default(),
            control,
            manager: ServiceManager::new(),
            clock_set: ClockSet::new().context("listening to changes of the clock")?,
            since: now.steady,
            loaded: now.steady,
            entries: 0,
            unwritten: None,
            last_read: Instant::now(),
            unfinished: None,
            next_look: Instant::now(),
            let_go: 0,
        })
    }

    /// Follows the journal until a signal ends it.
    pub(crate) fn run(mut self) -> anyhow::Result<()> {
        tracing::info!("following the journal with {}", self.config_path.display());
        ServiceManager::ready(self.following());
        let mut remind = Instant::now() + REMINDER;
        let mut committed = Ok(());
        loop {
            // All that happens in this round happens now: of two readings, one may say "not yet" and the other "at once".
            let now = self.pump.state.tick();
            let began = Instant::now();
            let drained = committed.is_err() || self.read_batch();
            let again = self.tend_journal(drained && committed.is_ok());
            self.pump.collect(now);
            if committed.is_ok() {
                self.call_services(now.wall, drained);
            }
            let asked = self.take_questions(now.wall);
            committed = self.commit_and_dispatch(now, committed.is_err());
            self.reply(asked);
            if committed.as_ref().is_err_and(storage::is_loss) {
                // The next start goes without it; to wait here would protect nobody.
                return committed.context("the state was damaged while it was in use");
            }
            if let Some(why) = self.storage.lost.as_ref().filter(|_| Instant::now() >= remind) {
                remind = Instant::now() + REMINDER;
                tracing::error!("still without the state: {why}");
            }
            if self.wake.stop() {
                break;
            }
            if self.wake.take_reload() {
                self.reload();
            }
            self.errors.flush_if_over();
            self.bans.flush_if_over();
            let sign = self.manager.sign_of_life();
            let anew = self.let_go_of_pages() || (drained && self.follow_move());
            if drained && !anew && !again {
                self.wait(now, began, sign, committed.is_err())?;
            }
        }
        self.stop()
    }

    /// Reads until the journal is drained or the batch is full; is it drained?
    fn read_batch(&mut self) -> bool {
        let start = Instant::now();
        let mut read = 0;
        self.unfinished = None;
        let drained = loop {
            if read >= BATCH || (read > 0 && start.elapsed() >= BATCH_TIME) {
                break false;
            }
            match self.journal.poll() {
                Next::Entry => {}
                Next::End => break true,
                Next::Soon(wait) => {
                    self.unfinished = Some(Instant::now() + wait);
                    break true;
                }
            }
            read += 1;
            let mut watch = Watch { errors: &mut self.errors, bans: &mut self.bans };
            self.pump.run(&mut self.journal.record(), &mut watch);
            if self.wake.stop() {
                break false;
            }
        };
        if read > 0 {
            self.last_read = Instant::now();
            self.entries += u64::from(read);
            self.pump.state.set_position(self.journal.position());
        }
        drained
    }

    /// Looks whether the journal gave everything, and has what was lost reported. Must it be drained once more, at once?
    fn tend_journal(&mut self, drained: bool) -> bool {
        let again = self.journal.tend(drained && self.unfinished.is_none());
        for words in self.journal.losses().take_logged() {
            let now = self.pump.state.now().wall;
            self.pump.engine.services.remark(&words, &mut self.pump.state, now);
        }
        again
    }

    /// Calls services whose deadline has come. While there is a backlog, they wait a while for it: a report that is due
    /// should hold what was written before.
    fn call_services(&mut self, now: Timestamp, drained: bool) {
        if drained || self.pump.overdue(now) > BACKLOG_PATIENCE {
            self.pump.due(now);
        }
    }

    /// A full disk stops reading, not us: what is in memory is kept, and written when there is room.
    fn commit_and_dispatch(&mut self, now: Now, failing: bool) -> anyhow::Result<()> {
        let committed = self.pump.settle(now);
        match &committed {
            Err(e) if !failing => {
                tracing::error!("the state cannot be written; reading waits until it can: {e}");
                ServiceManager::status("waiting: the state cannot be written");
            }
            Ok(()) if failing => {
                tracing::info!("the state can be written again");
                ServiceManager::status(self.following());
            }
            _ => {}
        }
        self.unwritten = committed.as_ref().err().map(ToString::to_string);
        Ok(committed?)
    }

    /// Waits for the journal, a signal, a courier, somebody who sets the clock, or the nearest deadline. The round that ends
    /// here read the clocks when it began.
    fn wait(
        &mut self,
        now: Now,
        began: Instant,
        sign_of_life: Option<Duration>,
        failing: bool,
    ) -> anyhow::Result<()> {
        // While nothing can be committed, what is overdue stays so: it would only keep us busy.
        let deadline = if failing { None } else { self.pump.deadline(now) };
        let deadline = deadline.map(|left| left.saturating_sub(began.elapsed()));
        let silence = self.last_read.elapsed();
        let look = (!failing && silence < LOOKING).then(|| (silence / 32).max(LOOK));
        let retry = failing.then_some(COMMIT_RETRY);
        let unfinished = self.unfinished.filter(|_| !failing);
        let unfinished = unfinished.map(|again| again.saturating_duration_since(Instant::now()));
        let tend = self.journal.next_tend().filter(|_| !failing && self.unfinished.is_none());
        let arrivals = self.journal.arrivals();
        let moves = self.next_look.saturating_duration_since(Instant::now());
        let moves = arrivals.is_none().then_some(moves);
        let timeout = [
            deadline,
            sign_of_life,
            look,
            unfinished,
            tend,
            moves,
            retry,
            self.errors.left(),
            self.bans.left(),
        ]
        .into_iter()
        .flatten()
        .min();
        let timeout = timeout.map(TimeSpec::from_duration);
        let mut fds = [
            PollFd::new(self.wake.as_fd(), PollFlags::POLLIN),
            PollFd::new(self.clock_set.as_fd(), PollFlags::POLLIN),
            PollFd::new(self.journal.as_fd(), PollFlags::POLLIN),
            PollFd::new(arrivals.unwrap_or(self.journal.as_fd()), PollFlags::POLLIN),
        ];
        // While nothing can be committed, nothing is read, and news from the journal would only keep us busy.
        let watched = if failing { 2 } else { 3 + usize::from(arrivals.is_some()) };
        match ppoll(&mut fds[..watched], timeout, None) {
            Ok(_) | Err(nix::errno::Errno::EINTR) => {}
            Err(e) => return Err(e).context("waiting"),
        }
        let [wake, clock_set, journal, arrivals] = fds.map(|fd| fd.any().unwrap_or(false));
        if wake {
            self.wake.clear();
        }
        if clock_set {
            self.clock_set.clear();
        }
        if journal {
            self.journal.process();
        }
        if arrivals {
            self.journal.clear_arrivals();
            self.next_look = Instant::now();
        }
        Ok(())
    }

    /// A journal whose directory has come, or come again, since it was opened is opened anew; was it?
    fn follow_move(&mut self) -> bool {
        if Instant::now() < self.next_look {
            return false;
        }
        self.next_look = Instant::now() + MOVES;
        let settings = self.pump.engine.settings.get::<JournalSettings>();
        if !self.journal.has_moved(&settings) {
            return false;
        }
        match self.open_anew(&settings) {
            Ok(()) => {
                tracing::info!("the journal's directory is another one now; it is opened anew");
                true
            }
            Err(e) => {
                tracing::warn!("the journal's directory has changed, but cannot be opened: {e:#}");
                false
            }
        }
    }

    /// After much reading, the journal is opened anew, if possible in a silence, so that the memory that libsystemd has
    /// taken for it is given back; was it?
    fn let_go_of_pages(&mut self) -> bool {
        let read = self.entries - self.let_go;
        let is_silent = || self.last_read.elapsed() >= LET_GO_SILENCE;
        if read < LET_GO || (read < LET_GO_IN_BACKLOG && !is_silent()) {
            return false;
        }
        self.let_go = self.entries;
        let settings = self.pump.engine.settings.get::<JournalSettings>();
        match self.open_anew(&settings) {
            Ok(()) => tracing::debug!("the journal is opened anew, to give back its memory"),
            Err(e) => {
                tracing::debug!("opening the journal anew: {e:#}");
                return false;
            }
        }
        true
    }

    /// Opens the journal again where reading has come to; after an error the old one goes on.
    fn open_anew(&mut self, settings: &JournalSettings) -> anyhow::Result<()> {
        let journal = self.open_at_position(settings)?;
        self.go_on_with(journal);
        Ok(())
    }

    fn open_at_position(&mut self, settings: &JournalSettings) -> anyhow::Result<Source> {
        let mut journal = Source::open(settings)?;
        place(&mut journal, &mut self.pump.state, None)?;
        Ok(journal)
    }

    fn go_on_with(&mut self, mut journal: Source) {
        journal.succeed(&mut self.journal);
        self.journal = journal;
        self.unfinished = None;
    }

    /// Takes up a new configuration and keeps all state; a broken one is reported, and the old one goes on.
    fn reload(&mut self) {
        ServiceManager::reloading();
        let reloaded = self.try_reload();
        match &reloaded {
            Ok(true) => tracing::info!("reloaded {}", self.config_path.display()),
            Ok(false) => {
                tracing::error!("{} is broken; the old configuration goes on", self.config_path.display());
            }
            Err(e) => tracing::error!("not reloaded; the old configuration goes on: {e:#}"),
        }
        if !matches!(reloaded, Ok(true)) {
            // A firewall that was loaded anew has us reload, and its sets are empty, whatever our file looks like.
            let now = self.pump.state.tick();
            self.pump.boot(now.wall);
        }
        ServiceManager::ready(self.following());
    }

    /// What we do, for systemd.
    fn following(&self) -> &'static str {
        if self.storage.lost.is_some() {
            "following the journal WITHOUT ITS STATE, which is lost or damaged: see the log"
        } else {
            "following the journal"
        }
    }

    fn try_reload(&mut self) -> anyhow::Result<bool> {
        let source = configuration::read_trusted(&self.config_path)?;
        let mut diagnostics = Diagnostics::default();
        let plan = load(&source, &self.registry, self.pump.state.layout(), &mut diagnostics)?;
        let findings = source.draw(&diagnostics, false);
        let Some(mut plan) = plan else {
            tracing::error!("{}", findings.trim_end());
            return Ok(false);
        };
        if !diagnostics.is_empty() {
            tracing::warn!("{}", findings.trim_end());
        }
        if self.optimize {
            plan.optimize();
        }
        if plan.engine().config.storage != self.pump.engine.config.storage {
            tracing::warn!("`storage` has changed: that takes effect at the next start");
        }
        // What can fail comes first: until the new rules are in force, nothing of the old ones has changed.
        let settings = plan.engine().settings.get::<JournalSettings>();
        let is_other = *settings != *self.pump.engine.settings.get::<JournalSettings>();
        if is_other {
            tracing::info!("the configuration names another journal now; it is opened");
        }
        let journal = if is_other { Some(self.open_at_position(&settings)?) } else { None };
        let now = self.pump.state.tick();
        self.pump.reload(plan, now.wall)?;
        if let Some(journal) = journal {
            self.go_on_with(journal);
        }
        self.errors.flush();
        self.loaded = now.steady;
        Ok(true)
    }

    fn stop(mut self) -> anyhow::Result<()> {
        ServiceManager::stopping();
        self.control = None;
        self.errors.flush();
        self.bans.flush();
        self.journal.losses().flush();
        self.tend_journal(false);
        let written = self.pump.stop(FAREWELL);
        tracing::info!("stopped after {} entries, {} errors", self.entries, self.errors.total());
        written.context("what was read last is not stored; the next start reads it again")
    }
}

/// Puts the journal where reading goes on.
pub(crate) fn place(journal: &mut Source, state: &mut State, since: Option<Timestamp>) -> anyhow::Result<()> {
    let at = |first: Option<Timestamp>| {
        first.map_or_else(|| "with the next entry".to_owned(), |time| format!("at {}", time.local()))
    };
    match (state.position().cloned(), since) {
        (Some(position), None) => match journal.resume(&position)? {
            Resumed::Exactly => {}
            Resumed::Gap(first) => {
                tracing::warn!(
                    "the journal no longer holds the entry that was read last, of {}: reading goes on {}, \
                     and entries between may be lost",
                    position.realtime.local(),
                    at(first)
                );
            }
            Resumed::Ahead(first) => {
                tracing::warn!(
                    "the journal no longer holds the entry that was read last, and its time, {}, is ahead of the \
                     journal or of the clock: reading goes on with what was written since this machine was started, {}",
                    position.realtime.local(),
                    at(first)
                );
            }
        },
        (Some(position), Some(_)) => anyhow::bail!(
            "reading stopped at {} and goes on there; --since is for the first start, or with --dry-run",
            position.realtime.local()
        ),
        (None, Some(since)) => {
            journal.seek_time(since)?;
            state.set_position(Position { cursor: None, realtime: since });
        }
        (None, None) => {
            let position = journal.seek_tail()?;
            state.set_position(position);
        }
    }
    Ok(())
}
