//! Tests which source is asked when, and what comes of errors.

use std::cell::Cell;
use std::collections::VecDeque;
use std::rc::Rc;

use super::*;
use crate::entry::MemoryRecord;
use crate::losses::Losses;
use crate::plugin::Next;

/// A source in memory. At its end, it gives these results over and over.
struct Memory {
    results: VecDeque<Result<Next, SourceError>>,
    at_end: fn(u64) -> Result<Next, SourceError>,
    asked: Rc<Cell<u64>>,
    record: MemoryRecord,
    losses: Losses,
}

impl Reader for Memory {
    fn resume(&mut self, _: Begin<'_>) -> Result<Begun, SourceError> {
        Ok(Begun::Exactly)
    }

    fn next(&mut self) -> Result<Next, SourceError> {
        self.asked.set(self.asked.get() + 1);
        self.results.pop_front().unwrap_or_else(|| (self.at_end)(self.asked.get()))
    }

    fn record(&mut self) -> &mut dyn Record {
        &mut self.record
    }

    fn position(&mut self) -> Position {
        Position { place: Vec::new(), time: Timestamp(0) }
    }

    fn is_in_order(&self) -> bool {
        true
    }

    fn losses(&mut self) -> &mut Losses {
        &mut self.losses
    }
}

/// Returns a source with records of these times, and how often it was asked.
fn source(
    times: impl IntoIterator<Item = i64>,
    at_end: fn(u64) -> Result<Next, SourceError>,
) -> (Box<dyn Reader>, Rc<Cell<u64>>) {
    let asked = Rc::new(Cell::new(0));
    let results = times.into_iter().map(|time| Ok(Next::Record(Timestamp(time)))).collect();
    let (record, losses) = (MemoryRecord::default(), Losses::default());
    (Box::new(Memory { results, at_end, asked: asked.clone(), record, losses }), asked)
}

fn of(readers: Vec<Box<dyn Reader>>) -> Sources {
    let named = |(n, reader): (usize, _)| (n.to_string(), reader);
    Sources::of_readers(readers.into_iter().enumerate().map(named).collect())
}

/// Reads all records; returns the source of each.
fn read(sources: &mut Sources) -> Vec<usize> {
    let mut read = Vec::new();
    while let Some(source) = sources.advance().unwrap() {
        sources.record(source);
        read.push(source);
    }
    read
}

#[test]
fn the_oldest_record_comes_first_and_of_equal_ones_that_of_the_first_source() {
    let end = |_| Ok(Next::End);
    let mut sources = of(vec![source([1, 5, 5, 9], end).0, source([2, 5, 3, 8], end).0]);
    assert_eq!(read(&mut sources), [0, 1, 0, 0, 1, 1, 1, 0]);
}

#[test]
fn a_source_without_records_is_asked_less_often_while_another_has_some() {
    let (busy, _) = source(0..10_000, |_| Ok(Next::End));
    let (idle, asked) = source([], |_| Ok(Next::End));
    let (unfinished, asked_unfinished) = source([], |_| Ok(Next::Later(Duration::from_millis(1))));
    let mut sources = of(vec![busy, idle, unfinished]);
    assert_eq!(read(&mut sources).len(), 10_000);
    let most = 10_000 / ASK_AGAIN_AFTER + 1;
    assert!((most - 1..=most).contains(&asked.get()), "{}", asked.get());
    assert_eq!(asked_unfinished.get(), asked.get());
    assert_eq!(sources.later(), Some(Duration::from_millis(1)));
    // When no source has a record, all are asked at every turn.
    let before = asked.get();
    assert_eq!((sources.advance().unwrap(), sources.advance().unwrap()), (None, None));
    assert_eq!(asked.get(), before + 2);
}

#[test]
fn a_record_that_comes_while_another_source_has_a_backlog_does_not_wait_for_its_end() {
    let late = |asked| Ok(if asked == 3 { Next::Record(Timestamp(1)) } else { Next::End });
    let mut sources = of(vec![source(0..1000, |_| Ok(Next::End)).0, source([], late).0]);
    let at = read(&mut sources).iter().position(|source| *source == 1).expect("it is read");
    assert!(at <= 2 * usize::try_from(ASK_AGAIN_AFTER).unwrap(), "{at}");
}

#[test]
fn a_finished_source_is_not_asked_again() {
    let (finished, asked) = source(0..1000, |_| Ok(Next::End));
    let mut sources = of(vec![finished, source(500..1000, |_| Ok(Next::End)).0]);
    assert_eq!(sources.advance().unwrap(), Some(0));
    sources.record(0);
    sources.finish_in_order(0);
    assert_eq!(read(&mut sources), [1; 500]);
    assert_eq!(asked.get(), 1);
    sources.resume(Begin::Head).unwrap();
    assert_eq!(sources.advance().unwrap(), Some(0));
}

#[test]
fn a_repeated_error_is_the_same_one_until_the_end_is_reached_once() {
    let (x, record) = (|| Err(SourceError("x".into())), || Ok(Next::Record(Timestamp(1))));
    let results = VecDeque::from([x(), record(), x(), Ok(Next::End), x(), record()]);
    let (record, losses) = (MemoryRecord::default(), Losses::default());
    let asked = Rc::new(Cell::new(0));
    let reader = Memory { results, at_end: |_| Ok(Next::End), asked, record, losses };
    let mut sources = of(vec![Box::new(reader)]);
    let mut said = String::new();
    for _ in 0..7 {
        match sources.advance() {
            Ok(Some(source)) => {
                sources.record(source);
                said += "record ";
            }
            Ok(None) => said += "none ",
            Err(e) => said.extend([e.0.as_str(), " "]),
        }
        let status = sources.status(&State::in_memory());
        said += if status[0].error.is_some() { "failing, " } else { "well, " };
        (sources.open[0].retry, sources.open[0].is_idle) = (None, false);
    }
    assert_eq!(
        said,
        "x failing, record failing, none failing, none well, x failing, record failing, none well, "
    );
}

/// Has a source that failed be asked again at once, 100 times; returns the errors that [`Sources::advance`] returned.
fn errors(sources: &mut Sources) -> Vec<String> {
    let mut errors = Vec::new();
    for _ in 0..100 {
        match sources.advance() {
            Ok(found) => assert_eq!(found, None),
            Err(e) => errors.push(e.0),
        }
        sources.open[0].retry = Some(Instant::now());
    }
    errors
}

#[test]
fn an_error_that_lasts_is_returned_once_and_many_different_ones_not_all() {
    let mut same = of(vec![source([], |_| Err(SourceError("x".into()))).0]);
    assert_eq!(errors(&mut same), ["x"]);
    let (failing, healthy) =
        (source([], |n| Err(SourceError(format!("line {n}")))).0, source([], |_| Ok(Next::End)).0);
    let mut different = of(vec![failing, healthy]);
    let expected: Vec<_> = (1..=open::LOGGED).map(|n| format!("source `0`: line {n}")).collect();
    assert_eq!(errors(&mut different), expected);
    let status = different.status(&State::in_memory());
    assert!(status[0].error.as_ref().unwrap().starts_with("line "), "{status:?}");
    assert_eq!(status[1].error, None);
}

#[test]
fn a_source_that_fails_does_not_keep_the_others_from_being_read() {
    let failing = |_| Err(SourceError("x".into()));
    let mut sources = of(vec![source([1], failing).0, source(0..300, |_| Ok(Next::End)).0]);
    let (mut read, mut errors) = ([0, 0], 0);
    loop {
        match sources.advance() {
            Ok(None) => break,
            Ok(Some(source)) => {
                sources.record(source);
                read[source] += 1;
            }
            Err(_) => errors += 1,
        }
    }
    assert_eq!((read, errors), ([1, 300], 1));
}
