#!/bin/sh
# The whole way once, inside `stack run`: files → Kafka → MongoDB → rollups → charts and CSV.
#
# usage: stack run -- sh scripts/demo.sh OUT ROWS [DATA]
set -eu

out=$1
rows=$2
data=${3:-}
bin=target/release

# Names of its own: the servers may be the user's, with a topic and a database in use.
export RUSHES_TOPIC="${RUSHES_TOPIC:-reviews_demo}" RUSHES_GROUP="${RUSHES_GROUP:-rushes_demo}"
export RUSHES_DATABASE="${RUSHES_DATABASE:-rushes_demo}"

step() { printf '\n== %s\n' "$*"; }

mkdir -p "$out"
if [ -z "$data" ]; then
    data=$out/reviews
    step "generate $rows reviews"
    "$bin/ingest" generate "$data" --rows "$rows" --seed 7
fi

step "files into Kafka: $data"
"$bin/ingest" produce "$data"

step "Kafka into MongoDB, to the end of the topic"
# Not piped: the exit code of a pipe is that of its last command.
"$bin/ingest" run --until-end >"$out/counts.json"
cat "$out/counts.json"

step "every rollup against a GROUP BY over the stored events"
"$bin/ingest" audit

step "tables"
"$bin/analysis" tables

step "charts"
"$bin/analysis" chart reviews_by_month --kind line --y rating_mean --title "Mean rating by month" \
    -o "$out/rating-by-month.svg" -o "$out/rating-by-month.png"
"$bin/analysis" chart reviews_by_month --kind stacked-bar --every year --y rating_1..rating_10 --title "Reviews by year and rating" \
    -o "$out/ratings-by-year.svg" -o "$out/ratings-by-year.png"
"$bin/analysis" chart reviews_by_month --kind heat-map --every year --y rating_1..rating_10 --title "Ratings by year" \
    -o "$out/ratings-heat-map.svg" -o "$out/ratings-heat-map.png"

step "files for Tableau"
"$bin/analysis" export "$out/csv"

step "done"
echo "charts  $out/*.svg and *.png"
echo "tables  $out/csv"
echo "counts  $out/counts.json"
