//! Metrics for Prometheus: a file that is written each minute, and answers over HTTP.
//!
//! The loop collects the values between two batches, from what `status` uses too, and only if the file is due or a client
//! has asked. Threads write the file and talk to clients. Without the top-level key `metrics`, nothing is counted for it.

mod http;
mod listener;
mod settings;
mod textfile;
mod values;

use std::sync::Arc;
use std::time::{Duration, Instant};

use prometheus_client::metrics::histogram::Histogram;
use pyruse_core::plugin::WakeLoop;
use pyruse_core::state::State;

use self::listener::Listener;
use self::settings::MetricsSettings;
use self::textfile::Textfile;
pub(super) use self::values::Values;
use self::values::{Format, durations, text_of};

/// How often the file is written, and an address that is in use is tried again.
const INTERVAL: Duration = Duration::from_secs(60);

/// The published metrics.
pub(super) struct Metrics {
    settings: Arc<MetricsSettings>,
    wake: WakeLoop,
    textfile: Option<Textfile>,
    listener: Option<Listener>,
    /// How long commits took.
    commits: Histogram,
    /// When the file is to be written.
    next: Instant,
}

/// What another configuration needs, opened already.
pub(super) struct Prepared {
    settings: Arc<MetricsSettings>,
    textfile: Change<Textfile>,
    listener: Change<Listener>,
}

/// Whether another configuration changes where metrics are published.
enum Change<T> {
    Same,
    To(Option<T>),
}

impl<T> Change<T> {
    fn apply(self, to: &mut Option<T>) {
        if let Change::To(new) = self {
            *to = new;
        }
    }
}

impl Metrics {
    /// Opens what the settings name. What cannot be opened is logged and tried again: another program that uses the
    /// address, even one of a user without rights, must not keep the machine unprotected.
    pub(super) fn start(settings: Arc<MetricsSettings>, wake: WakeLoop, state: &mut State) -> Metrics {
        let mut metrics = Metrics {
            settings: Arc::default(),
            wake,
            textfile: None,
            listener: None,
            commits: durations(),
            next: Instant::now(),
        };
        let textfile = open_textfile(&settings);
        let textfile = textfile.unwrap_or_else(|e| {
            tracing::error!("the metrics are not written to a file: {e}");
            None
        });
        let listener = metrics.open_listener(&settings);
        let listener = listener.unwrap_or_else(|e| {
            tracing::error!("{e}; this is tried again each minute");
            None
        });
        metrics.adopt(
            Prepared { settings, textfile: Change::To(textfile), listener: Change::To(listener) },
            state,
        );
        metrics
    }

    fn open_listener(&self, settings: &MetricsSettings) -> std::io::Result<Option<Listener>> {
        let address = settings.address().and_then(Result::ok);
        address.map(|address| Listener::open(&address, self.wake.clone())).transpose()
    }

    /// Opens what other settings need beside what is open. Changes nothing. An address that is not new, but could not be
    /// opened at the start, is no error now either.
    pub(super) fn prepare(&self, settings: Arc<MetricsSettings>) -> std::io::Result<Prepared> {
        let textfile = if settings.textfile == self.settings.textfile {
            Change::Same
        } else {
            Change::To(open_textfile(&settings)?)
        };
        let listener = if settings.listen == self.settings.listen {
            Change::Same
        } else {
            Change::To(self.open_listener(&settings)?)
        };
        Ok(Prepared { settings, textfile, listener })
    }

    /// Puts them in force; the file is written at once.
    pub(super) fn adopt(&mut self, prepared: Prepared, state: &mut State) {
        let Prepared { settings, textfile, listener } = prepared;
        self.settings = settings;
        textfile.apply(&mut self.textfile);
        listener.apply(&mut self.listener);
        self.next = Instant::now();
        let commits = self.commits.clone();
        state.on_commit(if self.are_wanted() {
            Some(Box::new(move |took: Duration| commits.observe(took.as_secs_f64())))
        } else {
            None
        });
    }

    /// Returns `true` if the configuration wants metrics.
    pub(super) fn are_wanted(&self) -> bool {
        *self.settings != MetricsSettings::default()
    }

    /// Returns how long the loop may wait.
    pub(super) fn left(&self) -> Option<Duration> {
        self.has_schedule().then(|| self.next.saturating_duration_since(Instant::now()))
    }

    /// Returns `true` if [`Metrics::publish`] is to be called.
    pub(super) fn is_due(&mut self) -> bool {
        self.is_time() || self.listener.as_mut().is_some_and(Listener::is_asked)
    }

    /// Whether there is something to do each minute: a file, or an address that is tried again.
    fn has_schedule(&self) -> bool {
        self.textfile.is_some() || self.settings.listen.is_some() && self.listener.is_none()
    }

    fn is_time(&self) -> bool {
        self.has_schedule() && Instant::now() >= self.next
    }

    /// Writes the file if it is time, and answers the clients.
    pub(super) fn publish(&mut self, values: Values) {
        let values = Arc::new(values);
        if self.is_time() {
            self.next = Instant::now() + INTERVAL;
            if let Some(textfile) = &self.textfile {
                textfile.write(text_of(&values, &self.commits, &Format::Prometheus));
            }
            if self.listener.is_none()
                && let Ok(Some(listener)) = self.open_listener(&self.settings)
            {
                let address = self.settings.listen.as_deref().unwrap_or_default();
                tracing::info!("the metrics are served at {address} now");
                self.listener = Some(listener);
            }
        }
        if let Some(listener) = &mut self.listener
            && listener.is_asked()
        {
            listener.answer(&text_of(&values, &self.commits, &Format::OpenMetrics));
        }
    }
}

fn open_textfile(settings: &MetricsSettings) -> std::io::Result<Option<Textfile>> {
    settings.textfile.clone().map(Textfile::start).transpose()
}
