//! A progress bar on standard error, for long work on a terminal.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressFinish, ProgressStyle};
use pyruse_core::time::Timestamp;

use super::text::grouped;

/// The bar is updated once per this many entries; a power of two.
const EVERY: u64 = 4096;

/// No bar is shown before this time.
const PATIENCE: Duration = Duration::from_millis(700);

/// The progress so far.
pub(crate) struct Way {
    pub(crate) done: u64,
    /// `None` if it is unknown.
    pub(crate) whole: Option<u64>,
}

impl Way {
    /// Computes the progress from one time to another.
    pub(crate) fn of_time(first: Timestamp, at: Timestamp, last: Timestamp) -> Way {
        let micros = |to: Timestamp| u64::try_from(first.until(to).as_micros()).unwrap_or(u64::MAX);
        Way { done: micros(at), whole: Some(micros(last)) }
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
    pub(crate) fn entry(&mut self, time: Timestamp, way: impl FnOnce() -> Way) {
        self.entries += 1;
        if self.entries.is_multiple_of(EVERY) && self.wanted && self.start.elapsed() >= PATIENCE {
            self.show(time, &way());
        }
    }

    fn show(&mut self, time: Timestamp, way: &Way) {
        let bar = self.bar.get_or_insert_with(|| new_bar(way.whole));
        // The input may grow meanwhile.
        bar.set_position(way.whole.map_or(way.done, |whole| way.done.min(whole)));
        bar.set_message(format!("{} entries, {}", grouped(self.entries), time.local()));
    }
}

fn new_bar(whole: Option<u64>) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(whole, ProgressDrawTarget::stderr());
    let template = match whole {
        Some(_) => "{bar:24} {percent:>3} %  {msg}  {eta} left",
        None => "{spinner} {msg}",
    };
    // The template is a constant; if it were wrong, the default would be used.
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    bar.with_style(style).with_finish(ProgressFinish::AndClear)
}
