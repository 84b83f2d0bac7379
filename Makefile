# make demo           files → Kafka → MongoDB → charts and CSV, with generated reviews, into out/demo
# make demo DATA=DIR  the same with your own files
# make test           everything that checks the project; what CI runs
# make bench          all measurements, also of Kafka Connect and Python, in one table; half an hour
#                     (ROUNDS=3; BENCH="--only raw ingest" for some parts, see target/release/bench --help)
# make faults SEED=1  breaks workers, servers and networks 200 times by a seeded schedule, and checks the result
#                     (FAULTS=200, RECORDS=300000; about a quarter of an hour)
# make simulate       the commit protocol under 10,000 seeded schedules, without servers (SEEDS=100, SEED=4711)
# make fuzz           coverage-guided fuzzing of all readers for an hour, with findings in target/fuzz
#                     (FUZZ_SECONDS=600, FUZZ_TARGETS="decode sql"; docs/testing.md)
# make deny           licences, sources and unwanted crates of all dependencies (DENY=advisories: known vulnerabilities,
#                     from github.com); installs cargo-deny once, which takes minutes
# make notebook       JupyterLab with Rust notebooks over the rollups, with its own Kafka and MongoDB
# make report         notebooks/02-reviews-over-time as an HTML page and pictures, into out/report
# make bench-notebook latencies of a notebook, beside Python
# make help           this list

SHELL := /bin/sh
BIN := target/release
OUT ?= out/demo
REPORT ?= out/report
ROWS ?= 100000
ROUNDS ?=
BENCH ?=
DATA ?=
SEED ?= 1
FAULTS ?= 200
RECORDS ?= 300000
SEEDS ?= 10000
FUZZ_SECONDS ?= 3600
FUZZ_TARGETS ?=
DENY ?= bans licenses sources

# One selection of packages and one profile for everything: cargo unifies the features of shared dependencies over the
# selection, so another one would compile polars and librdkafka again.
CARGO_BUILD := cargo build --release --locked
CARGO_TEST := cargo test --release --locked

.PHONY: help demo build test bench bench-smoke deny faults test-faults simulate fuzz fmt clippy doc clean prerequisites notebook notebook-setup test-notebooks report bench-notebook

help:
	@sed -n '/^$$/q; s/^# //p' Makefile

prerequisites:
	@sh scripts/prerequisites.sh

build: prerequisites
	@sh scripts/build.sh

demo: build
	@$(BIN)/stack run -- sh scripts/demo.sh "$(OUT)" "$(ROWS)" "$(DATA)"

test: fmt clippy doc unit-and-integration test-faults test-notebooks bench-smoke

unit-and-integration: build
	$(CARGO_TEST) --no-run
	$(BIN)/stack run -- $(CARGO_TEST) --no-fail-fast

fmt: prerequisites
	cargo fmt --check

clippy: prerequisites
	cargo clippy --release --locked --all-targets -- -D warnings

doc: prerequisites
	RUSTDOCFLAGS="-D warnings" cargo doc --release --locked --no-deps

bench: build
	$(BIN)/stack run -- $(BIN)/bench $(if $(ROUNDS),--rounds $(ROUNDS)) $(BENCH)

bench-smoke: build
	$(BIN)/stack run --private -- $(BIN)/bench --quick --skip connect python analysis --output /dev/null

# Not part of `test`, because compiling cargo-deny takes minutes.
deny: prerequisites
	@cargo deny --version >/dev/null 2>&1 || cargo install --locked cargo-deny@0.20.2
	cargo deny check $(DENY)

# Each kind of fault once.
test-faults: build
	@$(BIN)/faults --seed 1 --faults 19 --records 40000

faults: build
	@$(BIN)/faults --seed $(SEED) --faults $(FAULTS) --records $(RECORDS)

simulate: build
	@$(BIN)/simulate --seeds $(SEEDS) --seed $(SEED)

# Builds an instrumented program; third-party crates are shared with the other builds.
fuzz: build
	@FUZZ_SECONDS="$(FUZZ_SECONDS)" sh scripts/fuzz.sh $(FUZZ_TARGETS)

notebook-setup: build
	@sh scripts/notebook-setup.sh

notebook: notebook-setup
	@$(BIN)/stack run -- sh scripts/notebook-lab.sh

test-notebooks: notebook-setup
	.venv/bin/python -m unittest discover --start-directory notebooks/kernel --pattern 'test_*.py'
	$(BIN)/stack run --private -- .venv/bin/python scripts/notebook-run.py notebooks/*.ipynb

report: notebook-setup
	@$(BIN)/stack run -- sh scripts/notebook-report.sh "$(REPORT)"

bench-notebook: build
	@sh scripts/notebook-setup.sh --bench
	$(BIN)/stack run --private -- .venv/bin/python scripts/notebook-bench.py

clean:
	rm -rf out
	cargo clean
