#!/bin/sh
# Runs libFuzzer over each target (all of them, or those named) for an equal share of FUZZ_SECONDS. docs/testing.md.
set -eu
cd "$(dirname "$0")/.."

work=target/fuzz
seconds=${FUZZ_SECONDS:-3600}

RUSTC_WORKSPACE_WRAPPER=$PWD/scripts/fuzz-rustc.sh cargo build --release --locked --workspace --bin fuzz-engine

[ $# -gt 0 ] || set -- $(ls fuzz/corpus)
share=$((seconds / $#))
[ "$share" -gt 0 ] || share=1
mkdir -p "$work/crashes"
# The targets that read files write many small ones.
[ ! -w /dev/shm ] || export TMPDIR=/dev/shm
found=
for target in "$@"; do
    mkdir -p "$work/$target"
    echo "$target: $share s, log in $work/$target.log"
    FUZZ_TARGET=$target target/release/fuzz-engine \
        -max_total_time="$share" -timeout=20 -rss_limit_mb=4096 -max_len=4096 -print_final_stats=1 \
        -dict="fuzz/words/$target.dict" -artifact_prefix="$work/crashes/$target-" \
        "$work/$target" "fuzz/corpus/$target" >"$work/$target.log" 2>&1 || found="$found $target"
    sed -n 's/^stat::number_of_executed_units: */  executions: /p; s/^stat::new_units_added: */  inputs with new coverage: /p' "$work/$target.log"
done
[ -n "$found" ] || exit 0
echo "failed:$found; the inputs are in $work/crashes, docs/testing.md says how to run them again" >&2
exit 1
