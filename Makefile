# make demo           files → Kafka → MongoDB → charts and CSV, on generated reviews, into out/demo
# make demo DATA=DIR  the same with your own files
# make test           everything that checks the project
# make bench          raw limit against `ingest run`, in one run
# make help           this list

SHELL := /bin/sh
BIN := target/release
OUT ?= out/demo
ROWS ?= 100000
DATA ?=

# One selection of packages and one profile for everything: cargo chooses the features of shared dependencies by what is
# selected, and another selection would compile polars and librdkafka again.
CARGO_BUILD := cargo build --release --locked
CARGO_TEST := cargo test --release --locked

.PHONY: help demo build test bench fmt clippy doc clean prerequisites

help:
	@sed -n 's/^# //p' Makefile

prerequisites:
	@sh scripts/prerequisites.sh

build: prerequisites
	@sh scripts/build.sh

demo: build
	@$(BIN)/stack run -- sh scripts/demo.sh "$(OUT)" "$(ROWS)" "$(DATA)"

test: fmt clippy doc unit-and-integration

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
	cargo build --release --locked -p bench
	$(BIN)/stack run -- $(BIN)/bench

clean:
	rm -rf out
	cargo clean
