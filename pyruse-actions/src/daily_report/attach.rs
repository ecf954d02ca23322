//! What is attached to the mail of a report: a compressed text, below a bound.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;
use pyruse_core::state::{Handle, Log, State, StateError};

use super::content::printable;
use super::line::Line;
use super::settings::{Attach, ReportSettings};
use crate::email::Attachment;

/// Which part of the mail's bound the attachment may take.
pub(super) const ATTACHED: usize = 2;

/// How much a compressor can still hold, in bytes.
const WINDOW: usize = 16 * 1024;

/// Returns the attachment: all rows, or all lines. What exceeds the bound is left out, and counted. `whole` is the text
/// with all rows, if the mail leaves some out.
pub(super) fn attachment(
    state: &mut State,
    whole: Option<&str>,
    lines: Handle<Log>,
    settings: &ReportSettings,
) -> Result<Option<Attachment>, StateError> {
    // Base64 makes three bytes four, and adds line ends.
    let bound = settings.max_bytes as usize / ATTACHED * 2 / 3;
    let mut packed =
        Packed { encoder: GzEncoder::new(Vec::new(), Compression::default()), bound, left_out: 0 };
    let name = match settings.attach {
        Attach::None => return Ok(None),
        Attach::Cut => {
            let Some(whole) = whole else { return Ok(None) };
            whole.lines().for_each(|line| packed.add(line));
            "report.txt.gz"
        }
        Attach::All => {
            state.scan(lines, |_, value| {
                let Ok(line) = serde_json::from_slice::<Line>(value) else { return };
                let message = printable(&line.message);
                packed.add(&format!("{} {} {message}", line.time, line.level));
            })?;
            "lines.txt.gz"
        }
    };
    Ok(packed.finish().map(|content| Attachment::new(name, content)))
}

/// A text that is compressed up to a bound.
struct Packed {
    encoder: GzEncoder<Vec<u8>>,
    bound: usize,
    left_out: u64,
}

impl Packed {
    fn add(&mut self, line: &str) {
        // What the compressor still holds is at most its window, and is mostly much less.
        let is_full = self.encoder.get_ref().len() + WINDOW > self.bound;
        if is_full || self.left_out > 0 || writeln!(self.encoder, "{line}").is_err() {
            self.left_out += 1;
        }
    }

    fn finish(mut self) -> Option<Vec<u8>> {
        if self.left_out > 0 {
            // Writing to memory does not fail.
            let _ = writeln!(self.encoder, "… and {} more lines", self.left_out);
        }
        self.encoder.finish().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_packed_stays_below_its_bound_and_says_what_is_missing() {
        let bound = 100_000;
        let mut packed =
            Packed { encoder: GzEncoder::new(Vec::new(), Compression::default()), bound, left_out: 0 };
        let mut random: u64 = 1;
        for _ in 0..20_000 {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            packed.add(&format!("{random:x}{:x}", random.rotate_left(17)));
        }
        let content = packed.finish().unwrap();
        assert!((bound / 2..bound).contains(&content.len()), "{}", content.len());
        let mut text = String::new();
        std::io::Read::read_to_string(&mut flate2::read::GzDecoder::new(content.as_slice()), &mut text)
            .unwrap();
        let (lines, last) = text.trim_end().rsplit_once('\n').unwrap();
        assert_eq!(last, format!("… and {} more lines", 20_000 - lines.lines().count()));
    }
}
