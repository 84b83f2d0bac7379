#!/bin/sh
# Puts Python packages that read what Tableau reads (its engine Hyper, its reader of .tds files, polars) into the cache folder,
# once, and prints the folder for PYTHONPATH on standard output. Only the tests of the exports need them.
set -eu
cd "$(dirname "$0")/.."

requirements=analysis/tests/tableau/requirements.txt
cache=${RUSHES_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/rushes}
# Another list of packages is another folder.
part=$cache/tableau-python-$(cksum <"$requirements" | cut -d ' ' -f 1)

if [ ! -d "$part" ]; then
    echo "fetching Tableau's Hyper API and polars for Python into $part (once, 140 MB)" >&2
    mkdir -p "$cache"
    staging=$(mktemp -d "$cache/.tableau-python.XXXXXX")
    trap 'rm -rf "$staging"' EXIT
    # A shell that a signal ends does not run what is to be done at its exit.
    trap 'exit 130' INT
    trap 'exit 143' TERM
    # `user = true` in someone's pip.conf contradicts --target.
    if ! PIP_USER=0 PIP_ROOT_USER_ACTION=ignore python3 -m pip --disable-pip-version-check install --quiet --no-input \
        --no-deps --prefer-binary --target "$staging/packages" --requirement "$requirements" >&2; then
        echo "check the network and \`python3 -m pip --version\` (Debian, Ubuntu: apt-get install python3-pip)" >&2
        exit 1
    fi
    # Where two do this at once, the first one's folder stays.
    python3 -c 'import os, sys; os.rename(*sys.argv[1:])' "$staging/packages" "$part" 2>/dev/null || [ -d "$part" ]
fi
echo "$part"
