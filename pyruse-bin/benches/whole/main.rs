//! What the whole program costs, as ratios within one run: the comparisons take turns, and the result is the median
//! of the ratios of all rounds. So a machine that is busy with other things moves the figures less than the times.
//!
//! `cargo bench -p pyruse-bin --bench whole`. `PYRUSE_ENTRIES=20000` makes the parts of the journal smaller (200,000
//! entries), for a look; `PYRUSE_PARTS=2` makes fewer of them (10).

#[path = "../cases/mod.rs"]
mod cases;
#[path = "../../tests/common/mod.rs"]
mod common;
mod daemon;
#[path = "../../tests/generator/mod.rs"]
mod generator;
mod journals;
mod measure;
mod table;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use pyruse_core::time::Timestamp;

use cases::Case;
use cases::expressions::Lines;
use common::run;
use daemon::{CaughtUp, FULL, Ground};
use journals::Part;
use measure::{Cost, cost, median, medians};
use table::Table;

/// How often the whole programs take turns.
const ROUNDS: usize = 7;

fn main() {
    let number = |name: &str, usual| std::env::var(name).map_or(usual, |text| text.parse().unwrap());
    let (entries, parts): (u64, u64) = (number("PYRUSE_ENTRIES", 200_000), number("PYRUSE_PARTS", 10));
    let load = || fs::read_to_string("/proc/loadavg").unwrap_or_default();
    println!("load at the start: {}", load().trim());
    let directory = tempfile::tempdir().unwrap();
    let raw = compile_raw_loop(directory.path());

    // The last part first: it is what most is measured on.
    let mut end = Timestamp(Timestamp::now().0 - 1_000_000);
    let mut journal: Vec<Part> = Vec::new();
    let mut more = |journal: &mut Vec<Part>, seed: u64| {
        let part = journals::make(&directory.path().join(format!("part{seed:02}")), entries, seed, end);
        end = Timestamp(part.first.0 - 1_000_000);
        journal.insert(0, part);
    };
    more(&mut journal, 1);

    let mut table = Table::new();
    let programs = Programs { raw: &raw, directory: directory.path(), part: &journal[0] };
    programs.compare(&mut table);
    in_memory(entries, &mut table);
    let ground = Ground::new(&journal[0].files);
    table.value("start to ready, median of 9", daemon::start_to_ready(&ground) * 1000.0, "ms", 50.0);

    // Nothing else is to be measured while the large journal is made.
    std::thread::scope(|scope| {
        let idle = scope.spawn(|| daemon::idle_wake_ups(&ground));
        for seed in 2..=parts {
            more(&mut journal, seed);
        }
        #[allow(clippy::cast_precision_loss, reason = "few")]
        let woken = idle.join().unwrap() as f64;
        table.value("wake-ups of an idle daemon in 60 s", woken, "", 0.0);
    });
    drop(ground);
    large(&raw, &journal, &mut table);
    table.end();
    println!("\nload at the end: {}", load().trim());
}

fn compile_raw_loop(directory: &Path) -> PathBuf {
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/whole/raw_loop.c");
    let program = directory.join("raw_loop");
    let flags = run(Command::new("pkg-config").args(["--cflags", "--libs", "libsystemd"]));
    run(Command::new("cc").args(["-O2", "-o"]).arg(&program).arg(source).args(flags.split_whitespace()));
    program
}

/// Visits all entries of these files in the way of `mode`.
fn raw_loop(raw: &Path, mode: &str, files: &[PathBuf]) -> Cost {
    cost(Command::new(raw).arg(mode).args(files))
}

fn pyruse(config: &Path, args: &[&str], files: &[PathBuf]) -> Cost {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pyruse"));
    command.arg("--config").arg(config).args(args).arg("--file").args(files);
    cost(command.env("TZ", "UTC").env_remove("JOURNAL_STREAM"))
}

/// Those that read the same journal.
struct Programs<'a> {
    raw: &'a Path,
    directory: &'a Path,
    part: &'a Part,
}

impl Programs<'_> {
    fn compare(&self, table: &mut Table) {
        let files = &self.part.files;
        let dropping = self.directory.join("dropping.json");
        let rules = serde_json::json!({"actions": cases::ladder::dropping_rules()});
        fs::write(&dropping, rules.to_string()).unwrap();
        // No entry has that field: so all fields are looked at.
        let reading = self.directory.join("reading.json");
        let filter =
            serde_json::json!({"filter": "filter_equals", "args": {"field": "NOWHERE_AT_ALL", "value": "x"}});
        let rules = serde_json::json!({"actions": {"a": [filter, {"action": "action_noop"}]}});
        fs::write(&reading, rules.to_string()).unwrap();
        let ground = Ground::new(files);
        let full = Path::new(FULL);
        let count = run(Command::new(self.raw).arg("n").args(files));
        assert_eq!(count.trim(), self.part.entries.to_string(), "the journal holds what was written");

        let [mut raw, mut one, mut json, mut summary, mut dropped, mut read, mut export] =
            [const { Vec::new() }; 7];
        let [mut raw_by_json, mut raw_by_summary] = [const { Vec::new() }; 2];
        let mut caught_up: Vec<CaughtUp> = Vec::new();
        // The first round warms up.
        for round in 0..=ROUNDS {
            // A machine is faster at one moment than at another: what is compared most closely has the raw loop on both
            // sides.
            let before = raw_loop(self.raw, "e", files);
            let with_json = pyruse(full, &["replay", "--json"], files);
            let between = raw_loop(self.raw, "e", files);
            let with_summary = pyruse(full, &["replay"], files);
            let after = raw_loop(self.raw, "e", files);
            let mut costs = vec![
                (&mut raw, between),
                (&mut json, with_json),
                (&mut raw_by_json, before.mean(between)),
                (&mut summary, with_summary),
                (&mut raw_by_summary, between.mean(after)),
            ];
            let caught = daemon::catch_up(&ground, self.part.first, self.part.last);
            let mut journalctl = Command::new("journalctl");
            journalctl
                .args(["-q", "-o", "export"])
                .args(files.iter().map(|f| format!("--file={}", f.display())));
            costs.push((&mut export, cost(&mut journalctl)));
            costs.push((&mut one, raw_loop(self.raw, "g", files)));
            costs.push((&mut dropped, pyruse(&dropping, &["replay"], files)));
            costs.push((&mut read, pyruse(&reading, &["replay"], files)));
            if round > 0 {
                for (costs, cost) in costs {
                    costs.push(cost);
                }
                caught_up.push(caught);
            }
        }

        let own: Vec<Cost> = caught_up.iter().map(|caught| caught.own).collect();
        table.ratio("`replay --json` ÷ raw loop", ratios(&json, &raw_by_json), 0.6, 0.4);
        table.ratio("`replay` ÷ raw loop", ratios(&summary, &raw_by_summary), 0.6, 0.4);
        table.ratio(
            "reading alone, with the start of the program ÷ raw loop",
            ratios(&read, &raw),
            0.2,
            0.13,
        );
        table.ratio("`run` catching up ÷ raw loop", ratios(&own, &raw), 1.2, 0.8);
        table.ratio("`run` catching up ÷ `replay`", ratios(&own, &summary), 2.0, 1.3);
        table.ratio("`replay` ÷ `journalctl -o export`", ratios(&summary, &export), 0.12, 0.08);
        table.ratio("dropped by the second filter ÷ next + 1 get_data", ratios(&dropped, &one), 0.4, 0.25);
        #[allow(clippy::cast_precision_loss, reason = "far below 2^52")]
        let entries = self.part.entries as f64;
        for (what, costs) in [
            ("raw loop, every field", medians(&raw)),
            ("raw loop, one field", medians(&one)),
            ("`replay --json`", medians(&json)),
            ("`replay`", medians(&summary)),
            ("`replay`, all dropped by the second filter", medians(&dropped)),
            ("`run` catching up", medians(&own)),
            ("`journalctl -o export`", medians(&export)),
        ] {
            let micros = |seconds: f64| seconds * 1e6 / entries;
            let shown = format!("{:.2} µs processor, {:.2} µs", micros(costs.cpu), micros(costs.wall));
            table.note(&format!("{what}, an entry"), &shown);
        }
        let deliveries = median(caught_up.iter().map(|caught| caught.with_deliveries).collect());
        table.note("`run` with all programs that it started, processor", &format!("{deliveries:.2} s"));
        let [all, own] =
            [0, 1].map(|n| median(caught_up.iter().map(|caught| mib(caught.resident[n])).collect()));
        table.value(&format!("resident after {} entries, idle", self.part.entries), all, "MiB", 25.0);
        table.note(
            "of that, without pages of the journal's and the program's files",
            &format!("{own:.1} MiB"),
        );
    }
}

/// The medians of the ratios of each round.
fn ratios(costs: &[Cost], to: &[Cost]) -> Cost {
    medians(&costs.iter().zip(to).map(|(cost, to)| cost.per(*to)).collect::<Vec<_>>())
}

#[allow(clippy::cast_precision_loss, reason = "far below 2^52")]
fn mib(kib: u64) -> f64 {
    kib as f64 / 1024.0
}

/// Pieces of the engine side by side, without a journal.
fn in_memory(entries: u64, table: &mut Table) {
    let config = fs::read_to_string(FULL).unwrap();
    for (what, few, many, count, most, aim) in [
        (
            "300 expressions ÷ 30, lines that match",
            cases::expressions::any_of(30, Lines::Matching),
            cases::expressions::any_of(300, Lines::Matching),
            20_000,
            3.0,
            1.5,
        ),
        (
            "300 expressions ÷ 30, other lines",
            cases::expressions::any_of(30, Lines::Others),
            cases::expressions::any_of(300, Lines::Others),
            20_000,
            3.0,
            1.5,
        ),
        (
            "counter raised, 100,000 keys ÷ 100",
            cases::counter::raise(100),
            cases::counter::raise(100_000),
            20_000,
            2.0,
            1.2,
        ),
        (
            "ladder of 500 identifiers ÷ 5",
            cases::ladder::ladder(5, true),
            cases::ladder::ladder(500, true),
            50_000,
            3.0,
            1.2,
        ),
        (
            "an entry while 20,000 bans are held ÷ 0",
            cases::held::full(&config, 0, 0),
            cases::held::full(&config, 20_000, 0),
            20_000,
            1.2,
            1.05,
        ),
        (
            "an entry while the report has 50,000 lines ÷ 0",
            cases::held::full(&config, 0, 0),
            cases::held::full(&config, 0, 50_000),
            20_000,
            1.2,
            1.05,
        ),
    ] {
        table.timed(what, side_by_side(few, many, count.min(entries)), most, aim);
    }
}

/// How many times the first the second takes.
fn side_by_side(mut few: Case, mut many: Case, count: u64) -> f64 {
    let round = |_| (few(count), many(count));
    let times: Vec<_> = (0..=2 * ROUNDS).map(round).collect();
    median(times[1..].iter().map(|(few, many)| many.as_secs_f64() / few.as_secs_f64()).collect())
}

/// A journal of all parts against one of the last part.
fn large(raw: &Path, journal: &[Part], table: &mut Table) {
    let small = journal.last().unwrap();
    let files: Vec<PathBuf> = journal.iter().flat_map(|part| part.files.clone()).collect();
    #[allow(clippy::cast_precision_loss, reason = "few")]
    let times = journal.len() as f64;
    let entry = |large: Cost, small: Cost| {
        let all = large.per(small);
        Cost { cpu: all.cpu / times, wall: all.wall / times }
    };
    let full = Path::new(FULL);
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..3 {
        ours.push(entry(pyruse(full, &["replay"], &files), pyruse(full, &["replay"], &small.files)));
        theirs.push(entry(raw_loop(raw, "e", &files), raw_loop(raw, "e", &small.files)));
    }
    let total: u64 = journal.iter().map(|part| part.entries).sum();
    let what = format!("an entry of {total} ÷ of {}, `replay`", small.entries);
    table.ratio(&what, medians(&ours), 1.2, 1.05);
    let theirs = medians(&theirs);
    table.note("the same, raw loop", &format!("{:.2} processor, {:.2}", theirs.cpu, theirs.wall));

    let ground = Ground::new(&files);
    let caught = daemon::catch_up(&ground, journal[0].first, small.last);
    let way: Vec<String> = caught.on_the_way.iter().map(|kib| format!("{:.1}", mib(*kib))).collect();
    table.note(&format!("memory at each tenth of {total} entries"), &format!("{} MiB", way.join(", ")));
    let growth = caught.on_the_way.iter().skip(1).max().zip(caught.on_the_way.first());
    if let Some((most, first)) = growth {
        table.value("growth after the first tenth", mib(*most) - mib(*first), "MiB", 2.0);
    }
    table.value(&format!("resident after {total} entries, idle"), mib(caught.resident[0]), "MiB", 25.0);
}
