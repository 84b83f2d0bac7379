#!/bin/sh
# notebooks/02-reviews-over-time run anew, as one HTML page and its pictures. The range is in FROM and TO.
#
# usage: stack run -- sh scripts/notebook-report.sh FOLDER
set -eu
cd "$(dirname "$0")/.."

name=02-reviews-over-time
.venv/bin/python scripts/notebook-run.py --into "$1" "notebooks/$name.ipynb"
# The page has its pictures inside; Markdown is how nbconvert writes them as files.
.venv/bin/jupyter nbconvert --log-level ERROR --to html --no-input --output-dir "$1" "$1/$name.ipynb"
.venv/bin/jupyter nbconvert --log-level ERROR --to markdown --no-input --output-dir "$1/pictures" "$1/$name.ipynb"
find "$1/pictures" -type f \( -name '*.png' -o -name '*.svg' \) -exec mv {} "$1/pictures" \;
rm -rf "$1/pictures/$name.md" "$1/pictures/${name}_files" "$1/$name.ipynb"
echo "page      $1/$name.html"
echo "pictures  $1/pictures"
