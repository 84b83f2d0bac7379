#!/bin/sh
# Everything that `make notebook` needs, each part once: rust-src, evcxr_jupyter, JupyterLab, the kernel "Rust (Rushes)", and
# the library that its cells link. Says what it does and how long that takes; says nothing where all is there.
#
# usage: sh scripts/notebook-setup.sh [--bench]    (--bench: also the Python packages of `make bench-notebook`)
set -eu
cd "$(dirname "$0")/.."

EVCXR_VERSION=0.22.0
# Oldest Python that the versions in constraints.txt run on.
PYTHON_WANTED='(3, 11)'

say() { echo "notebook: $*" >&2; }
have() { command -v "$1" >/dev/null 2>&1; }

# As `stack` finds it.
cache=${RUSHES_CACHE:-${XDG_CACHE_HOME:+$XDG_CACHE_HOME/rushes}}
cache=${cache:-$HOME/.cache/rushes}

# rust-analyzer inside evcxr reads the standard library's sources, of the very same compiler.
need_rust_src() {
    [ ! -e "$(rustc --print sysroot)/lib/rustlib/src/rust/library/core" ] || return 0
    if have rustup; then
        say "adding the standard library's sources to Rust (rustup component add rust-src; seconds)"
        rustup component add rust-src >&2
    else
        say "the standard library's sources are missing; with conda: conda install rust-src, on Debian: apt-get install rust-src"
        exit 1
    fi
}

# Sets $evcxr: the one of the active conda environment if it is of this version, else one in the cache.
need_evcxr() {
    evcxr=$cache/evcxr_jupyter-$EVCXR_VERSION/bin/evcxr_jupyter
    [ ! -x "$evcxr" ] || return 0
    if ls "${CONDA_PREFIX:-/nowhere}/conda-meta/evcxr-$EVCXR_VERSION"-*.json >/dev/null 2>&1; then
        evcxr=$CONDA_PREFIX/bin/evcxr_jupyter
        return 0
    fi
    say "building evcxr_jupyter $EVCXR_VERSION, once for all projects: 7 to 15 minutes on two cores, into $cache"
    mkdir -p "$cache"
    staging=$(mktemp -d "$cache/.evcxr-XXXXXX")
    trap 'rm -rf "$staging"' EXIT
    # A shell that a signal ends does not run what is to be done at its exit.
    trap 'exit 130' INT
    trap 'exit 143' TERM
    # As in Cargo.toml: less to compile.
    CARGO_PROFILE_RELEASE_LTO=off \
        cargo install --quiet --locked --root "$staging" --target-dir "$staging/build" "evcxr_jupyter@$EVCXR_VERSION"
    rm -rf "$staging/build" "$cache/evcxr_jupyter-$EVCXR_VERSION"
    mv "$staging" "$cache/evcxr_jupyter-$EVCXR_VERSION"
    trap - EXIT INT TERM
}

# Installs pinned packages into .venv where the list has changed since the last time.
need_packages() { # LIST
    stamp=.venv/$(basename "$1")
    ! cmp -s "$1" "$stamp" || return 0
    say "installing $(grep -v '^#' "$1" | tr '\n' ' ')into .venv (under a minute)"
    # `--without-pip`, because Debian's Python has no ensurepip.
    [ -x .venv/bin/python ] || python3 -m venv --without-pip .venv
    python3 -m pip --disable-pip-version-check --python .venv/bin/python install --quiet --no-input \
        --requirement "$1" --constraint notebooks/constraints.txt
    cp "$1" "$stamp"
}

need_python() {
    python3 -c "import sys; sys.exit(sys.version_info < $PYTHON_WANTED)" && return 0
    say "notebooks need Python 3.11 or later; found $(python3 --version)"
    exit 1
}

write_kernelspec() {
    kernel=.venv/share/jupyter/kernels/rushes
    mkdir -p "$kernel"
    cat >"$kernel/kernel.json.new" <<JSON
{
  "argv": ["$PWD/.venv/bin/python", "$PWD/notebooks/kernel/launch.py", "$evcxr", "{connection_file}"],
  "display_name": "Rust (Rushes)",
  "language": "rust",
  "interrupt_mode": "message"
}
JSON
    mv "$kernel/kernel.json.new" "$kernel/kernel.json"
}

# No question about news at the first start, and no look for them at each.
write_settings() {
    mkdir -p .venv/share/jupyter/lab/settings
    cat >.venv/share/jupyter/lab/settings/overrides.json <<'JSON'
{ "@jupyterlab/apputils-extension:notification": { "fetchNews": "false", "checkForUpdates": false } }
JSON
}

need_python
need_rust_src
need_evcxr
need_packages notebooks/requirements.txt
[ "${1:-}" != --bench ] || need_packages notebooks/requirements-bench.txt
write_kernelspec
write_settings
.venv/bin/python notebooks/kernel/library.py
