//! The loop: read a batch, run it, commit it, send couriers, wait.
//!
//! This is one thread, which waits only in its poll: for sources, for signals, for replies of couriers, and for the
//! earliest deadline. A batch ends when all sources are drained or a limit is reached; live, it is usually one entry.

mod answering;
mod ban_log;
mod clock_set;
mod control;
mod import;
mod manager;
mod metrics;
mod tally;
mod unix_socket;
mod waiting;
mod wake;
mod watch;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::Context;
use pyruse_cli::storage::{self, Storage};
use pyruse_cli::{configuration, load};
use pyruse_core::config::Diagnostics;
use pyruse_core::engine::Engine;
use pyruse_core::plugin::Registry;
use pyruse_core::pump::{BatchLimit, Pump};
use pyruse_core::sources::Sources;
use pyruse_core::state::State;
use pyruse_core::time::{Now, Steady, Timestamp};

use self::ban_log::BanLog;
use self::clock_set::ClockSet;
use self::control::Control;
use self::import::Imports;
use self::manager::ServiceManager;
use self::metrics::Metrics;
use self::tally::Tally;
pub(crate) use self::waiting::wait;
pub(crate) use self::wake::Wake;
use self::watch::{ErrorLog, Watch};

/// How much is read before everything else is done: a signal or a ban must not wait for a long backlog.
const BATCH: BatchLimit = BatchLimit { entries: 2000, time: Duration::from_millis(50) };

/// How often to try again while the state cannot be written.
const COMMIT_RETRY: Duration = Duration::from_secs(1);

/// How often a daemon without its state logs that.
const REMINDER_INTERVAL: Duration = Duration::from_secs(24 * 3600);

/// What happens without the state, for the log.
const WITHOUT_STATE: &str = "Until then Pyruse runs without it: it reads what is written from now on, bans, mails and \
                       reports; but it does not know earlier bans, counts and mails, and loses the new ones when it \
                       stops";

/// How long a due service waits for a backlog to be read.
const MAX_BACKLOG_DELAY: Duration = Duration::from_secs(300);

/// How long to wait at the end for couriers that are delivering; what they have not delivered stays queued.
const STOP_TIMEOUT: Duration = Duration::from_millis(300);

/// The daemon.
pub(crate) struct Daemon {
    /// Dropped before the lock in `storage`: otherwise it could remove the socket of the next daemon.
    control: Option<Control>,
    pub(crate) config_path: PathBuf,
    pub(crate) registry: Registry,
    pub(crate) pump: Pump,
    optimize: bool,
    pub(crate) storage: Storage,
    pub(crate) wake: Wake,
    errors: ErrorLog,
    bans: BanLog,
    /// How often each step was run, if metrics are wanted.
    hits: Tally,
    metrics: Metrics,
    manager: ServiceManager,
    clock_set: ClockSet,
    since: Steady,
    loaded: Steady,
    /// Why the state cannot be written, if it cannot.
    unwritten: Option<String>,
}

/// The parts of a daemon.
pub(crate) struct Parts {
    pub(crate) config_path: PathBuf,
    pub(crate) registry: Registry,
    pub(crate) engine: Engine,
    pub(crate) storage: Storage,
    pub(crate) state: State,
    /// It already receives signals.
    pub(crate) wake: Wake,
    /// Whether to optimise the workflow, also after a reload.
    pub(crate) optimize: bool,
}

impl Daemon {
    /// Opens the sources at the stored positions, else at `since`, else at their ends; puts stored bans back in force.
    pub(crate) fn start(parts: Parts, since: Option<Timestamp>) -> anyhow::Result<Daemon> {
        let Parts { config_path, registry, mut engine, mut storage, mut state, wake, optimize } = parts;
        let begins = state.positions().next().is_none();
        let sources = Sources::open(&engine.sources, &mut state, since)?;
        if let Some(why) = &storage.lost {
            tracing::error!("{why}. {WITHOUT_STATE}");
        } else if begins {
            let from = if since.is_some() { "at the time of --since" } else { "with new entries" };
            let directory = engine.config.storage.display();
            tracing::info!(
                "there was no state in {directory}: this is the first start, and reading begins {from}"
            );
        }
        // The content of imported files must be stored before the files are renamed.
        let imports = if storage.lost.is_none() {
            let (services, directory) = (&mut engine.services, &engine.config.storage);
            Some(Imports::import(services, directory, storage.owner, &mut state)?)
        } else {
            None
        };
        let pump = Pump::new(engine, state, wake.caller()).context("starting couriers")?;
        let mut pump = pump.with_sources(sources);
        let now = pump.state.tick();
        pump.boot(now.wall);
        // The first positions are stored before an entry is read: so a crash from here on loses nothing.
        pump.state.commit()?;
        if let Some(imports) = imports {
            imports.rename_files(&mut pump.state);
        }
        let control = control::control_socket(&mut storage, &pump.engine.config.storage, &wake);
        let metrics = Metrics::start(pump.engine.settings.get(), wake.caller(), &mut pump.state);
        let sites = pump.engine.workflow.sites();
        let (errors, hits) = (ErrorLog::new(sites), Tally::of(sites));
        Ok(Daemon {
            config_path,
            registry,
            pump,
            optimize,
            storage,
            wake,
            errors,
            bans: BanLog::default(),
            hits,
            metrics,
            control,
            manager: ServiceManager::new(),
            clock_set: ClockSet::new().context("watching changes of the clock")?,
            since: now.steady,
            loaded: now.steady,
            unwritten: None,
        })
    }

    /// Follows the sources until a signal ends it.
    pub(crate) fn run(mut self) -> anyhow::Result<()> {
        tracing::info!("following {} with {}", self.pump.sources.in_words(), self.config_path.display());
        ServiceManager::ready(&self.status_line());
        let mut remind = Instant::now() + REMINDER_INTERVAL;
        let mut committed = Ok(());
        loop {
            // One reading of the clocks for the whole round: with two, something could be due by one and not by the other.
            let now = self.pump.state.tick();
            let began = Instant::now();
            let drained = committed.is_err() || self.read_batch();
            let again = self.pump.tend(drained && committed.is_ok());
            self.pump.collect(now);
            if committed.is_ok() {
                self.call_services(now.wall, drained);
            }
            let answered = self.answer_requests(now.wall);
            committed = self.commit_and_dispatch(now, committed.is_err());
            self.reply(answered);
            self.publish_metrics();
            if committed.as_ref().is_err_and(storage::is_loss) {
                // The next start runs without the state; waiting here would protect nobody.
                return committed.context("the state was damaged while it was in use");
            }
            if let Some(why) = self.storage.lost.as_ref().filter(|_| Instant::now() >= remind) {
                remind = Instant::now() + REMINDER_INTERVAL;
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
            let watchdog = self.manager.notify_watchdog();
            if drained && !again {
                self.wait(now, began, watchdog, committed.is_err())?;
            }
        }
        self.stop()
    }

    /// Reads until the sources are drained or the batch is full; returns whether they are drained.
    fn read_batch(&mut self) -> bool {
        if self.metrics.are_wanted() { self.read::<true>() } else { self.read::<false>() }
    }

    fn read<const HITS: bool>(&mut self) -> bool {
        let Daemon { errors, bans, hits, .. } = self;
        let mut watch = Watch::<HITS> { errors, bans, hits };
        let wake = &mut self.wake;
        self.pump.batch(BATCH, &mut watch, || wake.stop())
    }

    /// Calls the services whose deadline has come. During a backlog they wait for up to [`MAX_BACKLOG_DELAY`]: a report
    /// should contain all that was written before it was due.
    fn call_services(&mut self, now: Timestamp, drained: bool) {
        if drained || self.pump.overdue(now) > MAX_BACKLOG_DELAY {
            self.pump.due(now);
        }
    }

    /// Commits, and hands out messages. While the disk is full, reading stops and the changes stay in memory; they are
    /// written when there is space.
    fn commit_and_dispatch(&mut self, now: Now, failing: bool) -> anyhow::Result<()> {
        let committed = self.pump.settle(now);
        match &committed {
            Err(e) if !failing => {
                tracing::error!("the state cannot be written; reading waits until it can: {e}");
                ServiceManager::status("waiting: the state cannot be written");
            }
            Ok(()) if failing => {
                tracing::info!("the state can be written again");
                ServiceManager::status(&self.status_line());
            }
            _ => {}
        }
        self.unwritten = committed.as_ref().err().map(ToString::to_string);
        Ok(committed?)
    }

    /// Waits for a source, a signal, a courier, a set clock, or the earliest deadline. `now` and `began` are when this
    /// round began.
    fn wait(
        &mut self,
        now: Now,
        began: Instant,
        watchdog: Option<Duration>,
        failing: bool,
    ) -> anyhow::Result<()> {
        // While nothing can be committed, overdue work cannot be done: its deadline would make the loop spin.
        let deadline = if failing { None } else { self.pump.deadline(now) };
        let deadline = deadline.map(|left| left.saturating_sub(began.elapsed()));
        let retry = failing.then_some(COMMIT_RETRY);
        let timeout = [deadline, watchdog, retry, self.errors.left(), self.bans.left(), self.metrics.left()];
        let own = [self.wake.as_fd(), self.clock_set.as_fd()];
        // For the same reason, sources do not wake the loop; nor while nothing may be read.
        let sources = if failing || self.pump.is_held() { None } else { Some(&mut self.pump.sources) };
        let [wake, clock_set] = wait(own, sources, timeout.into_iter().flatten().min()).context("waiting")?;
        if wake {
            self.wake.clear();
        }
        if clock_set {
            self.clock_set.clear();
        }
        Ok(())
    }

    /// Puts the changed configuration in force and keeps all state. If it has errors, they are logged, and the old one
    /// stays in force.
    fn reload(&mut self) {
        ServiceManager::reloading();
        let reloaded = self.try_reload();
        match &reloaded {
            Ok(true) => tracing::info!("reloaded {}", self.config_path.display()),
            Ok(false) => {
                tracing::error!(
                    "{} has errors; the old configuration stays in force",
                    self.config_path.display()
                );
            }
            Err(e) => tracing::error!("not reloaded; the old configuration stays in force: {e:#}"),
        }
        if !matches!(reloaded, Ok(true)) {
            // A reload may follow a reload of the firewall, whose sets are then empty: the bans are put back even if the
            // configuration has errors.
            let now = self.pump.state.tick();
            self.pump.boot(now.wall);
        }
        ServiceManager::ready(&self.status_line());
    }

    /// Returns the status line for systemd.
    fn status_line(&self) -> String {
        let lost = " WITHOUT ITS STATE, which is lost or damaged: see the log";
        let trouble = if self.storage.lost.is_some() { lost } else { "" };
        format!("following {}{trouble}", self.pump.sources.in_words())
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
            tracing::warn!("`storage` has changed: this takes effect at the next start");
        }
        let now = self.pump.state.tick();
        let metrics = self.metrics.prepare(plan.engine().settings.get())?;
        let sites = self.pump.engine.workflow.sites();
        let (hits, errors) = (self.hits.by_step(sites), self.errors.counts.by_step(sites));
        self.pump.reload(plan, now.wall)?;
        self.metrics.adopt(metrics, &mut self.pump.state);
        let sites = self.pump.engine.workflow.sites();
        self.hits.resume(hits, sites);
        self.errors.counts.resume(errors, sites);
        self.errors.flush();
        self.loaded = now.steady;
        Ok(true)
    }

    fn stop(mut self) -> anyhow::Result<()> {
        ServiceManager::stopping();
        self.control = None;
        self.errors.flush();
        self.bans.flush();
        let entries = self.pump.sources.entries();
        let written = self.pump.stop(STOP_TIMEOUT);
        tracing::info!("stopped after {entries} entries, {} errors", self.errors.total());
        written.context("what was read last is not stored; the next start reads it again")
    }
}
