//! The loop: read a batch, run it, commit it, send couriers, wait.
//!
//! One thread. It waits for nothing but its poll: for the journal, for signals, for couriers that have come back, and
//! for the nearest deadline. A batch ends when the journal is drained or a bound is reached; live, it is one entry.

mod answering;
mod ban_log;
mod clock_set;
mod control;
mod import;
mod manager;
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
use pyruse_core::pump::{Limit, Pump};
use pyruse_core::sources::Sources;
use pyruse_core::state::State;
use pyruse_core::time::{Now, Steady, Timestamp};

use self::ban_log::BanLog;
use self::clock_set::ClockSet;
use self::control::Control;
use self::import::Imports;
use self::manager::ServiceManager;
pub(crate) use self::waiting::wait;
pub(crate) use self::wake::Wake;
use self::watch::{ErrorLog, Watch};

/// How much is read before everything else gets its turn: a signal or a ban never waits for a long backlog.
const BATCH: Limit = Limit { entries: 2000, time: Duration::from_millis(50) };

/// How often to try while the state cannot be written.
const COMMIT_RETRY: Duration = Duration::from_secs(1);

/// A daemon whose state is lost or damaged says so again after that time.
const REMINDER: Duration = Duration::from_secs(24 * 3600);

/// What it means to go without.
const WITHOUT: &str = "Until then Pyruse runs without it: it reads what is written from now on, bans, mails and \
                       reports; but it does not know earlier bans, counts and mails, and loses the new ones when it \
                       stops";

/// So long a deadline waits for a backlog to be read.
const BACKLOG_PATIENCE: Duration = Duration::from_secs(300);

/// How long couriers on their way are waited for at the end; what they carry stays queued.
const FAREWELL: Duration = Duration::from_millis(300);

/// The daemon.
pub(crate) struct Daemon {
    /// Goes before the lock does: else it would take away the socket of who takes over.
    control: Option<Control>,
    pub(crate) config_path: PathBuf,
    pub(crate) registry: Registry,
    pub(crate) pump: Pump,
    optimize: bool,
    pub(crate) storage: Storage,
    pub(crate) wake: Wake,
    errors: ErrorLog,
    bans: BanLog,
    manager: ServiceManager,
    clock_set: ClockSet,
    since: Steady,
    loaded: Steady,
    /// Why the state cannot be written, if it cannot.
    unwritten: Option<String>,
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
    /// Opens the sources where the state says, or at `since`, or at their ends; puts back what was in force.
    pub(crate) fn start(parts: Parts, since: Option<Timestamp>) -> anyhow::Result<Daemon> {
        let Parts { config_path, registry, mut engine, mut storage, mut state, wake, optimize } = parts;
        let begins = state.positions().next().is_none();
        let sources = Sources::open(&engine.sources, &mut state, since)?;
        if let Some(why) = &storage.lost {
            tracing::error!("{why}. {WITHOUT}");
        } else if begins {
            let from = if since.is_some() { "at the time of --since" } else { "with new entries" };
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
        let pump = Pump::new(engine, state, wake.caller()).context("starting couriers")?;
        let mut pump = pump.with_sources(sources);
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
            storage,
            wake,
            errors: ErrorLog::new(),
            bans: BanLog::default(),
            control,
            manager: ServiceManager::new(),
            clock_set: ClockSet::new().context("watching changes of the clock")?,
            since: now.steady,
            loaded: now.steady,
            unwritten: None,
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
            let again = self.pump.tend(drained && committed.is_ok());
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
            if drained && !again {
                self.wait(now, began, sign, committed.is_err())?;
            }
        }
        self.stop()
    }

    /// Reads until the sources are drained or the batch is full; are they drained?
    fn read_batch(&mut self) -> bool {
        let mut watch = Watch { errors: &mut self.errors, bans: &mut self.bans };
        let wake = &mut self.wake;
        self.pump.batch(BATCH, &mut watch, || wake.stop())
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
        let retry = failing.then_some(COMMIT_RETRY);
        let timeout = [deadline, sign_of_life, retry, self.errors.left(), self.bans.left()];
        let own = [self.wake.as_fd(), self.clock_set.as_fd()];
        // While nothing can be committed, nothing is read, and news from a source would only keep us busy.
        let sources = if failing { None } else { Some(&mut self.pump.sources) };
        let [wake, clock_set] = wait(own, sources, timeout.into_iter().flatten().min()).context("waiting")?;
        if wake {
            self.wake.clear();
        }
        if clock_set {
            self.clock_set.clear();
        }
        Ok(())
    }

    /// Takes up a new configuration and keeps all state; a broken one is reported, and the old one goes on.
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
            // A firewall that was loaded again makes us reload, and its sets are empty, even if our file has errors.
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
            tracing::warn!("`storage` has changed: this takes effect at the next start");
        }
        let now = self.pump.state.tick();
        self.pump.reload(plan, now.wall)?;
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
        let written = self.pump.stop(FAREWELL);
        tracing::info!("stopped after {entries} entries, {} errors", self.errors.total());
        written.context("what was read last is not stored; the next start reads it again")
    }
}
