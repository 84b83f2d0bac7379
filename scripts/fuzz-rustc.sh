#!/bin/sh
# rustc for the crates of this workspace in a fuzzing build (RUSTC_WORKSPACE_WRAPPER): counts the edges that an input takes and checks
# arithmetic. The crates of others are compiled as ever, so none of them is compiled again.
set -eu
rustc=$1
shift
for argument in "$@"; do
    # A build script is linked without libFuzzer, which has what the counters call.
    [ "$argument" != build_script_build ] || exec "$rustc" "$@"
done
exec "$rustc" "$@" \
    -Cpasses=sancov-module \
    -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
    -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares \
    -Cdebug-assertions=yes -Coverflow-checks=yes
