# The main targets: `make run` shows Pyruse at work, safely; `make test` runs all tests. Both first install what they need
# (with apt, as root or with sudo) and print that. The other targets are for developers.

.PHONY: run test build lint crash-campaign log-campaign rules-campaign report-campaign conformance-campaign fleet-campaign fuzz expression-campaign bench bench-units bench-latency reference record

# Shows the main task: see examples/demo/run.sh.
run: build
	@examples/demo/run.sh $(PYRUSE)

# Where rustup installs programs; a shell that was opened before does not have it in its PATH.
export PATH := $(HOME)/.cargo/bin:$(PATH)

# PROFILE=campaign builds in half the time, for a slightly slower program: use it to try the package.
PROFILE ?= release

build:
	@.ci/install build
	cargo build --profile $(PROFILE) --target-dir target --package pyruse-bin

# The tests start their own journald and firewalls, which needs root; a user without root runs them with sudo.
test:
	@.ci/install test
	@if [ "$$(id -u)" != 0 ]; then export CARGO_BUILD_TARGET="$$(rustc -vV | sed -n 's/^host: //p')"; \
	    export "CARGO_TARGET_$$(echo $$CARGO_BUILD_TARGET | tr a-z- A-Z_)_RUNNER=sudo -E"; fi; \
	if cargo nextest --version >/dev/null 2>&1; then \
	    cargo nextest run --workspace --lib --bins --tests --examples && cargo test --workspace --doc; \
	else \
	    cargo test --workspace --lib --bins --tests --examples && cargo test --workspace --doc; \
	fi

# Measures the whole program as ratios to the raw reading of a journal, in one table (docs/performance.md); needs root and a
# quarter of an hour.
bench:
	@.ci/install test
	cargo bench -p pyruse-bin --bench whole

# Measures the components one by one: `make bench-units`, or `cargo bench -p pyruse-bin --bench units -- template`.
bench-units:
	@.ci/install build
	cargo bench -p pyruse-bin --bench units

# Measures the time from a journal write to the element in the kernel, and ten thousand bans at once: with netlink and nft.
bench-latency:
	@.ci/install test
	cargo bench -p pyruse-bin --bench latency
	cargo bench -p pyruse-bin --bench burst

lint:
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- -D warnings

# Writes the generated pages: docs/reference, docs/lints.md, packaging/man, docs/interface.md, docs/third-party.md.
reference:
	@.ci/install build
	cargo run --quiet -p pyruse-bin --example generate
	UPDATE_DOCS=1 cargo test --quiet -p pyruse-bin --test layers --test third_party fresh

# Kills the program at random moments: a hundred times with a large state, two hundred times with every kind of effect, a
# hundred times beside a program that is never killed and must remember the same; takes minutes.
crash-campaign:
	@.ci/install test
	PYRUSE_KILLS=100 cargo test --profile campaign -p pyruse-bin --test crash -- --nocapture
	PYRUSE_KILLS=200 cargo test --profile campaign -p pyruse-bin --test crash_all -- --nocapture
	PYRUSE_KILLS=100 cargo test --profile campaign -p pyruse-bin --test crash_report -- --nocapture
	PYRUSE_KILLS=100 cargo test --profile campaign -p pyruse-bin --test crash_lists -- --nocapture

# Writes log files for a minute, 100,000 lines a second where the machine can, rotates them in every way, and kills the
# program at random moments.
log-campaign:
	@.ci/install test
	PYRUSE_LOG_SECONDS=60 PYRUSE_LOG_BATCH=250 cargo test --profile campaign -p pyruse-bin --test log_files -- --nocapture --test-threads 1 every_line

# Records 300,000 different lines, of which 100,000 have characters of three bytes, and makes the report in every form; then
# a million, and prints the time and the memory.
report-campaign:
	@.ci/install test
	PYRUSE_REPORT_LINES=300000 cargo test --profile campaign -p pyruse-bin --test digest -- --nocapture however_many
	PYRUSE_REPORT_LINES=1000000 cargo test --profile campaign -p pyruse-bin --test digest -- --nocapture memory

# Compares the program with the tests' simple interpreter: 200,000 entries, 20,000 random workflows; takes minutes.
conformance-campaign:
	@.ci/install test
	PYRUSE_ENTRIES=200000 PYRUSE_CASES=20000 cargo test --profile campaign -p pyruse-bin \
	    --test conformance --test random_chains -- --nocapture

# A fleet: the time from a line in the journal of one host to the bans of another, a hundred kills of hosts, aggregator and
# servers of the broker, a day without the broker, 400,000 messages, 2,000 subscribers, a hostile host; takes a quarter of
# an hour. The figures of docs/fleet.md.
fleet-campaign:
	@.ci/install test
	ulimit -n 16384 && PYRUSE_BANS=300 PYRUSE_KILLS=100 PYRUSE_MESSAGES=400000 PYRUSE_SUBSCRIBERS=2000 \
	    PYRUSE_HOSTILE_MESSAGES=100000 cargo test --profile campaign -p pyruse-bin --test fleet_campaign \
	    --test fleet_hostile -- --nocapture --test-threads 1

# Looks for bytes on which reading goes wrong: cargo-fuzz, which sees what the program does with them, on journal files and
# on log files in every format, beginning with files that systemd and the tests make; then journal files that are damaged
# at random while they are read. PYRUSE_FUZZ_SECONDS each, or a minute. It needs a nightly compiler and cargo-fuzz:
# `rustup toolchain install nightly --profile minimal && cargo install cargo-fuzz`.
fuzz: export PYRUSE_FUZZ_SECONDS ?= 60
fuzz:
	@.ci/install test
	PYRUSE_CORPUS="$(CURDIR)/fuzz/corpus" cargo test --workspace --lib seeds_of_the_fuzz_target -- --ignored
	cd fuzz && cargo +nightly fuzz run journal -- -max_total_time=$$PYRUSE_FUZZ_SECONDS -max_len=131072 -timeout=20
	cd fuzz && cargo +nightly fuzz run log_file -- -max_total_time=$$PYRUSE_FUZZ_SECONDS -max_len=4096 -timeout=20
	cargo test --profile campaign -p pyruse-sources --lib campaign -- --ignored --nocapture

# Attacks the real programs of several Debian releases, and records what they write, for the rules in examples: as
# root, with the network; takes half an hour. A recording in the tree is replaced only if a program says something else.
# Packages and recordings are kept in this directory.
export PYRUSE_RECORDING_CACHE ?= $(CURDIR)/target/recording
record:
	@.ci/install record
	for script in examples/rules/*/record; do $$script || exit 1; done

# Records them again, and tests the rules with it.
rules-campaign: record
	@.ci/install test
	PYRUSE_RECORDED=$(PYRUSE_RECORDING_CACHE)/recorded cargo test --workspace --test recorded --test examples

# Compares random expressions and texts with Python 3.11, which must be installed; then runs hostile ones, none of which may
# take more than 200 ms of processor time on a quiet machine; takes minutes.
expression-campaign:
	cargo build --profile campaign -p pyruse-python --example search_lines
	for mode in grammar hard plain noise loops; do \
	    python3.11 pyruse-python/tests/expressions/fuzz_against_python.py --cases 100000 --mode $$mode --seed $${SEED:-1} \
	        --binary $${CARGO_TARGET_DIR:-target}/campaign/examples/search_lines || exit 1; \
	done
	PYRUSE_CASES=3000 PYRUSE_MILLISECONDS=200 cargo test --profile campaign -p pyruse-python --lib --test re_hostile \
	    -- no_search --nocapture

# make install, uninstall, deb, rpm.
include packaging/install.mk
