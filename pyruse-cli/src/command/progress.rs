//! A progress bar on standard error, for long work on a terminal.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressFinish, ProgressStyle};
use pyruse_core::time::Timestamp;

use super::text::grouped;

/// The bar is updated once per this many entries; a power of two.
const UPDATE_INTERVAL: u64 = 4096;

/// No bar is shown before this time.
const DELAY: Duration = Duration::from_millis(700);

/// The progress so far.
pub(crate) struct Amount {
    pub(crate) done: u64,
    /// `None` if it is unknown.
    pub(crate) total: Option<u64>,
}

impl Amount {
    /// Computes the progress from one time to another.
    pub(crate) fn of_time(first: Timestamp, at: Timestamp, last: Timestamp) -> Amount {
        let micros = |to: Timestamp| u64::try_from(first.until(to).as_micros()).unwrap_or(u64::MAX);
        Amount { done: micros(at), total: Some(micros(last)) }
    }
}

/// The bar, shown as soon as it is needed, and removed when this is dropped.
pub(crate) struct Progress {
    wanted: bool,
    start: Instant,
    entries: u64,
    bar: Option<ProgressBar>,
}

impl Progress {
    /// Creates a bar; `alone`: nothing else is printed meanwhile.
    pub(crate) fn new(alone: bool) -> Progress {
        let wanted = alone && std::io::stderr().is_terminal();
        Progress { wanted, start: Instant::now(), entries: 0, bar: None }
    }

    /// Returns `true` if there will be a bar for long work.
    pub(crate) fn is_wanted(&self) -> bool {
        self.wanted
    }

    /// Counts one more entry, of that time.
    pub(crate) fn entry(&mut self, time: Timestamp, amount: impl FnOnce() -> Amount) {
        self.entries += 1;
        if self.entries.is_multiple_of(UPDATE_INTERVAL) && self.wanted && self.start.elapsed() >= DELAY {
            self.show(time, &amount());
        }
    }

    fn show(&mut self, time: Timestamp, amount: &Amount) {
        let bar = self.bar.get_or_insert_with(|| new_bar(amount.total));
        // The input may grow meanwhile.
        bar.set_position(amount.total.map_or(amount.done, |total| amount.done.min(total)));
        bar.set_message(format!("{} entries, {}", grouped(self.entries), time.local()));
    }
}

fn new_bar(total: Option<u64>) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(total, ProgressDrawTarget::stderr());
    let template = match total {
        Some(_) => "{bar:24} {percent:>3} %  {msg}  {eta} left",
        None => "{spinner} {msg}",
    };
    // The template is a constant; if it were wrong, the default would be used.
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    bar.with_style(style).with_finish(ProgressFinish::AndClear)
}
