#!/bin/sh
# Checks that everything is there that `make demo` cannot fetch itself. Where something is missing: installs it (root on
# Debian or Ubuntu), else prints the one line that does and ends with 1.
#
# Not looked for, because `stack` fetches it where it is missing: Java, mongod.
set -eu
cd "$(dirname "$0")/.."

missing=   # one line each, for people
packages=  # Debian's names
by_hand=   # what no package of the distribution gives

have() { command -v "$1" >/dev/null 2>&1; }

lacks() { # WHAT PACKAGES
    missing="$missing
  - $1"
    packages="$packages $2"
}

# Whether version $1 (as 1.95.0) is at least $2 (as 1.88).
at_least() {
    [ "$(printf '%s\n%s\n' "$2" "$1" | sort -t. -k1,1n -k2,2n | head -n 1)" = "$2" ]
}

check_rust() {
    wanted=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)
    found=$(rustc --version 2>/dev/null | cut -d ' ' -f 2) || true
    if ! have cargo || ! at_least "${found:-0.0}" "$wanted"; then
        by_hand="$by_hand
  - Rust $wanted or later (found: ${found:-none}): https://rustup.rs, or \`rustup update\`"
    fi
}

check_compiler() {
    have cc || lacks "a C compiler" build-essential
    have c++ || lacks "a C++ compiler (librdkafka's build asks for it)" build-essential
    have make || lacks "make" build-essential
    have bash || lacks "bash (librdkafka's configure is written for it)" bash
}

# librdkafka speaks TLS and SCRAM with the system's OpenSSL.
check_openssl() {
    have pkg-config || lacks "pkg-config, which finds OpenSSL" pkg-config
    have openssl || lacks "the command openssl, for certificates of the tests" openssl
    # Homebrew's is not on pkg-config's path; the build looks for it there, too.
    for folder in /opt/homebrew/opt /usr/local/opt; do
        [ ! -d "$folder/openssl@3" ] || return 0
    done
    if have pkg-config && pkg-config --exists openssl; then return 0; fi
    lacks "OpenSSL with its headers, for TLS to Kafka" libssl-dev
}

check_python() {
    if ! have python3; then
        lacks "Python 3.11 or later with pip" "python3 python3-pip"
        return
    fi
    state=$(python3 -c '
import importlib.util, sys
print("old" if sys.version_info < (3, 11) else "complete" if importlib.util.find_spec("pip") else "no pip")')
    case $state in
    complete) ;;
    old) by_hand="$by_hand
  - Python 3.11 or later (found: $(python3 --version))" ;;
    *) lacks "pip for $(command -v python3)" python3-pip ;;
    esac
}

check_maven() {
    [ -n "${KAFKA_BROKERS:-}" ] || have mvn || lacks "mvn (Maven), which fetches Kafka's jars" maven
}

# The mongod that is fetched on Linux is linked with it.
check_curl() {
    [ "$(uname -s)" = Linux ] || return 0
    [ -z "${MONGODB_URI:-}" ] || return 0
    if have mongod || ! PATH="$PATH:/sbin:/usr/sbin" have ldconfig; then return 0; fi
    PATH="$PATH:/sbin:/usr/sbin" ldconfig -p | grep -q 'libcurl\.so\.4' || lacks "libcurl.so.4, which mongod needs" libcurl4
}

check() {
    missing='' packages='' by_hand=''
    check_rust
    check_compiler
    check_openssl
    check_python
    check_maven
    check_curl
    # shellcheck disable=SC2086 # a list of names; each is wanted once
    packages=$(printf '%s\n' $packages | sort -u | tr '\n' ' ')
    [ -z "$missing$by_hand" ]
}

advise() {
    echo "missing:$missing$by_hand" >&2
    if [ -n "$missing" ]; then
        case $(uname -s) in
        Darwin) echo "install: xcode-select --install; brew install maven python openssl@3 pkgconf" >&2 ;;
        *) have apt-get && echo "install: sudo apt-get install -y --no-install-recommends $packages" >&2 ;;
        esac
    fi
    echo "or everything at once with conda: conda env create -f environment.yml && conda activate rushes" >&2
    exit 1
}

check && exit 0
if [ -n "$by_hand" ] || [ "$(id -u)" -ne 0 ] || ! have apt-get; then
    advise
fi
echo "missing:$missing"
echo "installing: $packages"
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
# shellcheck disable=SC2086 # a list of names
apt-get install -y -qq --no-install-recommends $packages >/dev/null
hash -r
check || advise
