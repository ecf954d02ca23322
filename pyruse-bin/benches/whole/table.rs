//! The table of results: each measurement with its target (at most) and its stricter goal (aim).

use super::measure::Cost;

/// Prints each row at once, and collects the missed targets.
pub struct Table {
    missed: Vec<String>,
}

impl Table {
    pub fn new() -> Table {
        println!("| what | processor | clock | at most | aim | |");
        println!("|---|---:|---:|---:|---:|---|");
        Table { missed: Vec::new() }
    }

    /// A ratio of two costs. Processor time and clock time must both meet the target.
    pub fn ratio(&mut self, what: &str, found: Cost, most: f64, aim: f64) {
        let worse = found.cpu.max(found.wall);
        let (cpu, wall) = (format!("{:.2}", found.cpu), format!("{:.2}", found.wall));
        self.row(what, &[&cpu, &wall, &format!("{most}"), &format!("{aim}")], verdict(worse, most, aim));
    }

    /// A ratio of clock times, of work that only this process does.
    pub fn timed(&mut self, what: &str, found: f64, most: f64, aim: f64) {
        let shown = format!("{found:.2}");
        self.row(what, &["", &shown, &format!("{most}"), &format!("{aim}")], verdict(found, most, aim));
    }

    /// A value that is not a ratio.
    pub fn value(&mut self, what: &str, found: f64, unit: &str, most: f64) {
        let shown = format!("{found:.1} {unit}");
        self.row(what, &["", &shown, &format!("{most} {unit}"), ""], verdict(found, most, most));
    }

    /// A value without a target.
    pub fn note(&mut self, what: &str, found: &str) {
        self.row(what, &["", found, "", ""], "");
    }

    fn row(&mut self, what: &str, columns: &[&str; 4], verdict: &str) {
        println!("| {what} | {} | {verdict} |", columns.join(" | "));
        if verdict == MISSED {
            self.missed.push(what.to_owned());
        }
    }

    pub fn end(self) {
        if self.missed.is_empty() {
            println!("\nAll targets are met.");
        } else {
            println!("\nMissed: {}.", self.missed.join("; "));
        }
    }
}

const MISSED: &str = "**missed**";

fn verdict(found: f64, most: f64, aim: f64) -> &'static str {
    match found {
        found if found <= aim => "aim",
        found if found <= most => "met",
        _ => MISSED,
    }
}
