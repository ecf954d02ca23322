//! The report for programs: one JSON object of what is recorded and counted.
//!
//! The formats for people group, bound and word the content. Here each line is independent, with the same keys as in an
//! effect, and texts are as they were recorded. The code that prints the object must protect the terminal.

use pyruse_core::state::{State, StateError};
use pyruse_core::time::Timestamp;
use serde_json::{Value, json};

use super::digest::Digest;
use super::kinds::{Frequent, Kind, Kinds};
use super::{Line, Recorded, ReportLevel};

/// What the object contains besides the counts.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Contained {
    /// Also each line, each ban and each kind.
    Lines,
    /// Only the digest: what the pages of a kept report show.
    Digest,
}

/// Returns the object; empty if nothing is recorded.
pub(super) fn of(
    state: &mut State,
    recorded: Recorded,
    now: Timestamp,
    contained: Contained,
    digest: impl FnOnce(&State) -> Option<Digest>,
) -> Result<String, StateError> {
    let mut lines = Vec::new();
    let mut scan = |_: &[u8], value: &[u8]| {
        let Ok(line) = serde_json::from_slice::<Line>(value) else { return };
        lines.push(json!({
            "at": line.time.to_string(),
            "level": line.level,
            "message": line.message,
            "details": line.details.name(),
        }));
    };
    if contained == Contained::Lines {
        state.scan(recorded.lines, &mut scan)?;
    }
    let digest = digest(state);
    let day = state.get(recorded.day);
    let totals = &day.totals;
    if recorded.is_empty(state) {
        return Ok(String::new());
    }
    let of_levels = |count: &dyn Fn(usize) -> u64| -> Value {
        ReportLevel::ALL.iter().map(|level| (level.to_string(), count(*level as usize))).collect()
    };
    let counts = json!({
        "entries": totals.entries,
        "lines": of_levels(&|n| totals.lines[n]),
        "bans": totals.bans,
        "mails": totals.mails,
    });
    let since = totals.since.map(|since| since.to_string());
    if contained == Contained::Digest {
        return Ok(
            json!({"since": since, "until": now.to_string(), "counts": counts, "digest": digest}).to_string()
        );
    }
    let bans = day.bans().iter().map(|ban| {
        json!({
            "at": ban.at.to_string(),
            "ip": ban.ip,
            "set": ban.set,
            "chain": ban.chain,
            "until": ban.until.map(|until| until.to_string()),
        })
    });
    let identifiers = day.busiest(usize::MAX).into_iter();
    let kinds = state.get(recorded.kinds);
    let object = json!({
        "since": since,
        "until": now.to_string(),
        "counts": counts,
        "identifiers": identifiers.collect::<Value>(),
        "bans": bans.collect::<Vec<_>>(),
        "digest": digest,
        "kinds": of_kinds(kinds),
        "lines": lines,
        "notKept": {"lines": of_levels(&|n| totals.overflow[n].count), "bans": totals.bans - day.bans().len() as u64},
    });
    Ok(object.to_string())
}

/// Returns the kinds of lines, in order of their first lines, and how many lines belong to kinds that were removed.
fn of_kinds(kinds: &Kinds) -> Value {
    let values = |values: &Frequent<'_>| {
        let values = values.values.iter().map(|(value, count)| json!({"value": value, "count": count}));
        Value::from(values.collect::<Vec<_>>())
    };
    let kind = |kind: &Kind| {
        let (owner, identifier) = kinds.origin_of(kind);
        json!({
            "level": kind.level,
            "priority": kind.priority,
            "owner": owner,
            "identifier": identifier,
            "shape": kind.shape(),
            "count": kind.count,
            "first": kind.first.to_string(),
            "last": kind.last.to_string(),
            "example": kind.example,
            "values": kind.values.frequent().map(|of| (of.mask.name().to_owned(), values(&of))).collect::<Value>(),
        })
    };
    let mut all: Vec<&Kind> = kinds.iter().collect();
    all.sort_by(|a, b| a.first.cmp(&b.first).then_with(|| a.example.cmp(&b.example)));
    let removed = kinds.removed().iter().map(|((owner, identifier), removed)| {
        json!({"owner": owner, "identifier": identifier, "lines": removed.count})
    });
    json!({"known": all.into_iter().map(kind).collect::<Vec<_>>(), "removed": removed.collect::<Vec<_>>()})
}
