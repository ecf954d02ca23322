//! What the pieces cost: `cargo bench -p pyruse-bin --bench units [-- FILTER]`.

#[path = "../cases/mod.rs"]
mod cases;
#[path = "../../tests/generator/mod.rs"]
mod generator;

use std::time::Duration;

use cases::Case;
use cases::expressions::Lines;
use cases::report;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

fn add(c: &mut Criterion, group: &str, name: &str, mut case: Case) {
    let mut group = c.benchmark_group(group);
    group.throughput(Throughput::Elements(1));
    group.bench_function(name, |bencher| bencher.iter_custom(&mut case));
}

fn workflow(c: &mut Criterion) {
    for (optimized, how) in [(true, "optimised"), (false, "as compiled")] {
        add(c, "entry dropped by its second filter", how, cases::ladder::dropped(optimized));
        for rungs in [5, 500] {
            let name = format!("{rungs} identifiers, {how}");
            add(c, "ladder", &name, cases::ladder::ladder(rungs, optimized));
        }
    }
}

fn expressions(c: &mut Criterion) {
    for (lines, what) in [(Lines::Matching, "lines that match"), (Lines::Others, "other lines")] {
        for count in [30, 300] {
            let name = format!("{count}, {what}");
            add(c, "filter_pcreAny", &name, cases::expressions::any_of(count, lines));
        }
    }
}

fn templates(c: &mut Criterion) {
    add(c, "template", "line of a report", cases::template::render(cases::template::LINE));
    add(c, "template", "mail", cases::template::render(cases::template::MAIL));
}

fn counters(c: &mut Criterion) {
    for keys in [100, 100_000] {
        add(c, "counter raised", &format!("{keys} keys"), cases::counter::raise(keys));
    }
}

fn mappings(c: &mut Criterion) {
    for (addresses, kind) in [(cases::dnat::IPV4, "IPv4"), (cases::dnat::IPV6, "IPv6")] {
        add(c, "connection captured and replaced", kind, cases::dnat::connections(addresses));
    }
}

fn states(c: &mut Criterion) {
    for (waits, how) in [(false, "NORMAL"), (true, "FULL")] {
        for rows in [1, 65, 2000] {
            add(c, "commit", &format!("{rows} rows, {how}"), cases::state::commit(rows, waits));
        }
    }
}

fn lists(c: &mut Criterion) {
    for networks in [100, 100_000] {
        add(c, "filter_inList", &format!("{networks} networks"), cases::lists::look_up(networks));
    }
}

fn reports(c: &mut Criterion) {
    for (html, form) in [(false, "text"), (true, "HTML")] {
        add(c, "report of 5,000 lines", form, report::render(5000, html));
    }
    for (lines, what) in [
        (report::Lines::Busy, "a busy server"),
        (report::Lines::New, "a new kind each"),
        (report::Lines::NewOfManyWords, "a new kind of 47 words each"),
    ] {
        add(c, "line recorded", what, report::record(lines));
    }
}

criterion_group! {
    name = units;
    config = Criterion::default().sample_size(50).warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(2));
    targets = workflow, expressions, templates, counters, mappings, states, reports, lists
}
criterion_main!(units);
