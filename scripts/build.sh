#!/bin/sh
# Builds the programs, and says beforehand when that will take a while.
set -eu

if [ ! -x target/release/analysis ]; then
    echo "building everything once; polars and librdkafka take most of 13 to 18 minutes on two cores"
fi
exec cargo build --release --locked
