#!/bin/sh
# JupyterLab on notebooks/, inside `stack run`. A worker that a notebook has started ends with it, as its servers do.
set -eu
cd "$(dirname "$0")/.."

RUSHES_STATE_DIR=${RUSHES_STATE_DIR:-$PWD/target/notebook/worker}
export RUSHES_STATE_DIR
trap 'target/release/ingest stop >/dev/null || true' EXIT
# Jupyter refuses root, unless told that this is meant (containers).
root=
[ "$(id -u)" -ne 0 ] || root=--allow-root
# What the kernel is made of is not an analyst's.
hidden="['kernel', 'evcxr.toml', 'constraints.txt', 'requirements*.txt', '__pycache__', '.*']"
# shellcheck disable=SC2086 # one word or none
.venv/bin/jupyter lab $root --notebook-dir=notebooks --ContentsManager.hide_globs="$hidden" "$@"
