//! What Pyruse itself could not do: errors of steps, what was lost, deliveries that wait or were given up.

use pyruse_core::serde::Serialize;
use pyruse_core::state::{MessageStatus, QueuedMessage};
use pyruse_core::text::{counted, grouped};

use super::rows::Clock;
use super::subject::Day;
use crate::daily_report::SERIES;
use crate::daily_report::content::printable;
use crate::daily_report::lost;
use crate::daily_report::notes::Sort;
use crate::email::{self, Outgoing};

/// The maximum number of troubles of each sort that are shown.
const SHOWN: usize = 10;

/// A loss, for programs; with its sentence among the troubles.
#[derive(Clone, Debug, Serialize)]
#[serde(crate = "pyruse_core::serde")]
pub(super) struct Loss {
    source: String,
    /// `null`: something that is not read, and has no count.
    kind: Option<String>,
    count: u64,
    from: String,
    until: String,
    text: String,
}

/// Returns what sources could not give.
pub(super) fn losses(day: &Day<'_>) -> Vec<Loss> {
    let loss = |loss: &lost::Loss| Loss {
        source: printable(&loss.source),
        kind: loss.kind.clone(),
        count: loss.count,
        from: loss.from.to_string(),
        until: loss.until.to_string(),
        text: printable(&loss.text),
    };
    day.state.get(day.recorded.lost).iter().map(loss).collect()
}

/// Returns the troubles, as sentences.
pub(super) fn troubles(day: &Day<'_>, clock: &Clock<'_>) -> Vec<String> {
    let mut troubles = errors(day, clock);
    troubles.extend(lost_sentences(day, clock));
    troubles.extend(bounds(day));
    for (name, queue) in day.state.queues() {
        troubles.extend(of_queue(day, name, queue.messages().map(|(_, message)| message)));
    }
    troubles
}

fn errors(day: &Day<'_>, clock: &Clock<'_>) -> Vec<String> {
    let errors = day.state.get(day.recorded.notes).of(Sort::Error);
    let mut sentences: Vec<String> = errors
        .iter()
        .take(SHOWN)
        .map(|(step, count)| {
            let range = clock.range(count.first, count.last);
            format!("{} ({range}): {}", counted(count.count, "error", "errors"), printable(step))
        })
        .collect();
    let left = errors.len().saturating_sub(SHOWN) as u64;
    if left > 0 {
        sentences.push(format!("… and {}", counted(left, "more kind of error", "more kinds of errors")));
    }
    sentences
}

fn lost_sentences(day: &Day<'_>, clock: &Clock<'_>) -> Vec<String> {
    let lost = day.state.get(day.recorded.lost);
    let sentence = |loss: &lost::Loss| {
        let text = printable(&loss.text);
        if loss.episodes == 1 {
            return text;
        }
        format!(
            "{text} (the last of {} times; {} in all, {})",
            grouped(loss.episodes),
            grouped(loss.count),
            clock.range(loss.from, loss.until)
        )
    };
    let mut sentences: Vec<String> = lost.iter().take(SHOWN).map(sentence).collect();
    let left = lost.iter().count().saturating_sub(SHOWN) as u64;
    if left > 0 {
        sentences.push(format!("… and {}", counted(left, "more kind of loss", "more kinds of losses")));
    }
    sentences
}

/// Returns what was left out because there was too much of it.
fn bounds(day: &Day<'_>) -> Vec<String> {
    let (kinds, memory) = (day.state.get(day.recorded.kinds), day.state.get(day.recorded.memory));
    let mut sentences = Vec::new();
    let removed = kinds.removed();
    let lines: u64 = removed.values().map(|removed| removed.count).sum();
    if lines > 0 {
        let from = removed.keys().map(|(owner, identifier)| match (owner.as_str(), identifier.as_str()) {
            ("", "") => "others".to_owned(),
            (owner, "") => format!("user {owner}"),
            (owner, identifier) => format!("{identifier} (user {owner})"),
        });
        let from: Vec<String> = from.take(3).collect();
        sentences.push(format!(
            "There were too many kinds of lines. {} are only counted; they are from {}{}.",
            counted(lines, "line", "lines"),
            printable(&from.join(", ")),
            if removed.len() > from.len() { " and others" } else { "" }
        ));
    }
    if memory.evicted() > 0 {
        sentences.push(format!(
            "There were too many shapes of lines to remember: {} forgotten early, and may be called new again.",
            if memory.evicted() == 1 { "1 was".to_owned() } else { format!("{} were", grouped(memory.evicted())) }
        ));
    }
    sentences
}

/// Returns what waits in a queue after failed tries, or was given up.
fn of_queue<'q>(day: &Day<'_>, name: &str, messages: impl Iterator<Item = &'q QueuedMessage>) -> Vec<String> {
    let (mut waiting, mut given_up, mut why) = (0, Vec::new(), None);
    for message in messages {
        match message.status {
            MessageStatus::GivenUp => given_up.push(message),
            _ if message.tries > 0 => waiting += 1,
            _ => continue,
        }
        why = message.error.as_deref().or(why);
    }
    let module = name.strip_prefix("action_").unwrap_or(name);
    let why = why.map_or_else(String::new, |why| format!(" The last error: {}", printable(why)));
    let mut sentences = Vec::new();
    if !given_up.is_empty() {
        sentences.push(format!(
            "{module}: {} given up; see `pyruse outbox list`.{why}",
            if given_up.len() == 1 {
                "1 delivery was".to_owned()
            } else {
                format!("{} deliveries were", grouped(given_up.len() as u64))
            }
        ));
        if name == email::QUEUE {
            sentences.extend(given_up_mails(day, &given_up));
        }
    } else if waiting > 0 {
        sentences.push(format!(
            "{module}: {} after failed tries.{why}",
            counted(waiting, "delivery waits", "deliveries wait")
        ));
    }
    sentences
}

/// Names the mails that were given up, the last ones first. The lines of a report are deleted when its mail is queued: the
/// report itself is kept, so this says how to see it.
fn given_up_mails(day: &Day<'_>, given_up: &[&QueuedMessage]) -> Vec<String> {
    let mails = given_up.iter().rev().filter_map(|message| Outgoing::read(&message.payload));
    let sentence = |mail: Outgoing| {
        let subject = printable(mail.subject());
        let date = day.date_of(mail.date());
        if mail.is_in_series(SERIES) {
            format!(
                "The report of {date} did not arrive (“{subject}”): `pyruse report show --date {date}` shows it."
            )
        } else {
            format!("The mail “{subject}” of {date} did not arrive.")
        }
    };
    let mut sentences: Vec<String> = mails.take(SHOWN).map(sentence).collect();
    let left = given_up.len().saturating_sub(SHOWN) as u64;
    if left > 0 {
        sentences.push(format!("… and {}", counted(left, "more mail", "more mails")));
    }
    sentences
}
