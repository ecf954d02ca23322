//! A bar on standard error for work that takes long, where somebody sits in front of it.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressFinish, ProgressStyle};
use pyruse_core::time::Timestamp;

use super::text::grouped;

/// Looked at once in so many entries; a power of two.
const EVERY: u64 = 4096;

/// What is done sooner needs no bar.
const PATIENCE: Duration = Duration::from_millis(700);

/// How far it is.
pub(crate) struct Way {
    pub(crate) done: u64,
    /// None: nobody knows.
    pub(crate) whole: Option<u64>,
}

impl Way {
    /// From one point in time to another.
    pub(crate) fn of_time(first: Timestamp, at: Timestamp, last: Timestamp) -> Way {
        let micros = |to: Timestamp| u64::try_from(first.until(to).as_micros()).unwrap_or(u64::MAX);
        Way { done: micros(at), whole: Some(micros(last)) }
    }
}

/// The bar, as soon as there is need for one. It goes when this goes.
pub(crate) struct Progress {
    wanted: bool,
    start: Instant,
    entries: u64,
    bar: Option<ProgressBar>,
}

impl Progress {
    /// `alone`: nothing else is printed meanwhile.
    pub(crate) fn new(alone: bool) -> Progress {
        let wanted = alone && std::io::stderr().is_terminal();
        Progress { wanted, start: Instant::now(), entries: 0, bar: None }
    }

    /// Will there be a bar, if it takes long?
    pub(crate) fn is_wanted(&self) -> bool {
        self.wanted
    }

    /// One more entry, of that time, is done.
    pub(crate) fn entry(&mut self, time: Timestamp, way: impl FnOnce() -> Way) {
        self.entries += 1;
        if self.entries.is_multiple_of(EVERY) && self.wanted && self.start.elapsed() >= PATIENCE {
            self.show(time, &way());
        }
    }

    fn show(&mut self, time: Timestamp, way: &Way) {
        let bar = self.bar.get_or_insert_with(|| new_bar(way.whole));
        // What is read may grow meanwhile.
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
    // A template that is broken would be seen by whoever wrote it; the default will do.
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    bar.with_style(style).with_finish(ProgressFinish::AndClear)
}
