//! The values of all metrics at one moment, and their text.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeGaugeValue, EncodeMetric, prometheus_text, text};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use pyruse_core::operation::Counts;
use pyruse_core::sources::SourceStatus;
use pyruse_core::time::Timestamp;

use crate::daemon::tally::Steps;

/// The upper bounds of the durations of commits, in seconds: from one that does not wait for the disk to a disk that
/// hangs.
const BUCKETS: [f64; 11] = [0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0];

/// Makes the histogram of the durations of commits.
pub(super) fn durations() -> Histogram {
    Histogram::new(BUCKETS)
}

/// The values of all metrics but the histogram.
#[derive(Debug)]
pub(in crate::daemon) struct Values {
    pub(in crate::daemon) now: Timestamp,
    /// When the daemon started.
    pub(in crate::daemon) since: Timestamp,
    /// When the configuration was loaded.
    pub(in crate::daemon) loaded: Timestamp,
    /// Whether changes of the state get to the disk.
    pub(in crate::daemon) is_stored: bool,
    /// How many entries came into each chain.
    pub(in crate::daemon) hits: BTreeMap<String, u64>,
    /// How many errors each step had.
    pub(in crate::daemon) errors: Steps,
    pub(in crate::daemon) sources: Vec<SourceStatus>,
    pub(in crate::daemon) counts: Counts,
}

/// A text of metrics.
pub(super) enum Format {
    /// That of node_exporter's textfile collector.
    Prometheus,
    OpenMetrics,
}

/// Returns the text of metrics.
pub(super) fn text_of(values: &Arc<Values>, commits: &Histogram, format: &Format) -> String {
    let mut registry = Registry::with_prefix("pyruse");
    let help = "Time for writing changes of the state to its file, in seconds, with the wait for the disk if there was one";
    registry.register("state_commit_duration_seconds", help, commits.clone());
    registry.register_collector(Box::new(values.clone()));
    let mut out = String::new();
    let encoded = match format {
        Format::Prometheus => prometheus_text::encode(&mut out, &registry),
        Format::OpenMetrics => text::encode(&mut out, &registry),
    };
    encoded.expect("writing to a String does not fail");
    out
}

/// The samples of a metric: the values of its labels, and its value.
type Samples<'a, const N: usize, V> = &'a mut dyn Iterator<Item = ([&'a str; N], V)>;

/// Writes metrics one after the other.
struct Writer<'a>(DescriptorEncoder<'a>);

impl Writer<'_> {
    fn counter<const N: usize>(
        &mut self,
        (name, help): (&str, &str),
        labels: [&'static str; N],
        samples: Samples<'_, N, u64>,
    ) -> fmt::Result {
        let mut metric = self.0.encode_descriptor(name, help, None, MetricType::Counter)?;
        for (values, count) in samples {
            let labels: [_; N] = std::array::from_fn(|n| (labels[n], values[n]));
            ConstCounter::new(count).encode(metric.encode_family(&labels)?)?;
        }
        Ok(())
    }

    fn gauge<const N: usize, V: EncodeGaugeValue>(
        &mut self,
        (name, help): (&str, &str),
        labels: [&'static str; N],
        samples: Samples<'_, N, V>,
    ) -> fmt::Result {
        let mut metric = self.0.encode_descriptor(name, help, None, MetricType::Gauge)?;
        for (values, value) in samples {
            let labels: [_; N] = std::array::from_fn(|n| (labels[n], values[n]));
            ConstGauge::new(value).encode(metric.encode_family(&labels)?)?;
        }
        Ok(())
    }

    fn single<V: EncodeGaugeValue>(&mut self, about: (&str, &str), value: V) -> fmt::Result {
        self.gauge(about, [], &mut std::iter::once(([], value)))
    }
}

/// Returns the time in seconds since 1970.
fn unix(time: Timestamp) -> f64 {
    Timestamp::from_seconds(0).until(time).as_secs_f64()
}

impl Collector for Values {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut out = Writer(encoder);
        let version = env!("CARGO_PKG_VERSION");
        let about = ("build_info", "The version of Pyruse; always 1");
        out.gauge(about, ["version"], &mut std::iter::once(([version], 1u64)))?;
        out.single(
            ("start_time_seconds", "When the daemon started, in seconds since 1970"),
            unix(self.since),
        )?;
        let about =
            ("config_load_time_seconds", "When the configuration in force was loaded, in seconds since 1970");
        out.single(about, unix(self.loaded))?;
        let about = (
            "state_stored",
            "Whether changes of the state get to the disk: 1, or 0 if they cannot be written",
        );
        out.single(about, u64::from(self.is_stored))?;
        self.encode_sources(&mut out)?;
        let hits = &mut self.hits.iter().map(|(chain, count)| ([chain.as_str()], *count));
        out.counter(("chain_hits", "Entries that came into the chain"), ["chain"], hits)?;
        let steps: Vec<String> = self.errors.keys().map(|(_, step)| step.to_string()).collect();
        let errors = self.errors.iter().zip(&steps);
        let errors = &mut errors.map(|(((chain, _), count), step)| ([chain.as_str(), step], *count));
        let about = (
            "step_errors",
            "Errors of the step, for steps that have had one; the first step of a chain is 0",
        );
        out.counter(about, ["chain", "step"], errors)?;
        self.encode_counts(&mut out)
    }
}

impl Values {
    fn encode_sources(&self, out: &mut Writer<'_>) -> fmt::Result {
        let sources = || self.sources.iter();
        let entries = &mut sources().map(|source| ([source.name.as_str()], source.entries));
        out.counter(("entries", "Entries that were read from the source"), ["source"], entries)?;
        let readable = |source: &SourceStatus| !source.is_missing && source.error.is_none();
        let up = &mut sources().map(|source| ([source.name.as_str()], u64::from(readable(source))));
        out.gauge(("source_up", "Whether the source exists and can be read: 1, or 0"), ["source"], up)?;
        let lag = |source: &SourceStatus| {
            let position = source.position.as_ref()?;
            Some(if source.is_at_end { 0.0 } else { position.time.until(self.now).as_secs_f64() })
        };
        let lags = &mut sources().filter_map(|source| Some(([source.name.as_str()], lag(source)?)));
        let about = (
            "source_lag_seconds",
            "How long ago the last entry that was read from the source was written; 0 if all were read",
        );
        out.gauge(about, ["source"], lags)?;
        let lost = &mut sources().flat_map(|source| {
            source.losses.iter().map(|lost| ([source.name.as_str(), lost.kind.as_str()], lost.count))
        });
        let about = (
            "lost",
            "Entries or fields that the source could not give as they were written, by the kind of loss",
        );
        out.counter(about, ["source", "kind"], lost)
    }

    fn encode_counts(&self, out: &mut Writer<'_>) -> fmt::Result {
        let bans = &mut self.counts.bans.iter().map(|set| ([set.module, set.set.as_str()], set.bans));
        out.gauge(("bans", "Bans in force in the set"), ["module", "set"], bans)?;
        let about = ("counted_keys", "Keys of all counters that have a count or a grace period");
        out.single(about, self.counts.counters)?;
        let queues = || self.counts.queues.iter();
        let waiting = &mut queues().map(|queue| ([queue.module], queue.waiting));
        let about = ("deliveries_waiting", "Deliveries of the module that wait or are on their way");
        out.gauge(about, ["module"], waiting)?;
        let given_up = &mut queues().map(|queue| ([queue.module], queue.given_up));
        let about = (
            "deliveries_given_up",
            "Deliveries of the module that were given up and not dropped by an operator yet",
        );
        out.gauge(about, ["module"], given_up)
    }
}
