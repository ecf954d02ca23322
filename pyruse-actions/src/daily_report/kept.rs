//! The last reports: kept in the state, so that they can be shown and exported after they were sent.
//!
//! They are on the disk only; each is compressed.

use std::io::{Read as _, Write as _};

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use pyruse_core::plugin::KeptReport;
use pyruse_core::state::{Handle, Log, State, StateError};

/// How many reports are kept.
pub(super) const KEPT: u64 = 30;

/// The maximum size of a kept report, unpacked.
const LIMIT: u64 = 64 << 20;

/// Keeps a report; the oldest one is forgotten if there are too many.
pub(super) fn keep(state: &mut State, log: Handle<Log>, report: &KeptReport) {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    // A struct of texts can always be serialized, and writing to memory does not fail.
    let json = serde_json::to_vec(report).unwrap_or_default();
    let packed = encoder.write_all(&json).and_then(|()| encoder.finish());
    let log = state.get_mut(log);
    log.append(packed.unwrap_or_default());
    log.drain(log.next_number().saturating_sub(KEPT));
}

/// Returns the kept reports, the oldest first.
pub(super) fn all(state: &mut State, log: Handle<Log>) -> Result<Vec<KeptReport>, StateError> {
    let mut reports = Vec::new();
    state.scan(log, |_, value| {
        let mut json = Vec::new();
        let read = GzDecoder::new(value).take(LIMIT).read_to_end(&mut json);
        if let (Ok(_), Ok(report)) = (read, serde_json::from_slice(&json)) {
            reports.push(report);
        }
    })?;
    Ok(reports)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_reports_are_kept_and_no_more() {
        let mut state = State::in_memory();
        let log = state.open("kept").unwrap();
        for n in 0..KEPT + 5 {
            let report = KeptReport { date: n.to_string(), text: "é".repeat(1000), ..KeptReport::default() };
            keep(&mut state, log, &report);
            state.commit().unwrap();
        }
        let dates: Vec<String> =
            all(&mut state, log).unwrap().into_iter().map(|report| report.date).collect();
        assert_eq!(dates, (5..KEPT + 5).map(|n| n.to_string()).collect::<Vec<_>>());
    }
}
