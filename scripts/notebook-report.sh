#!/bin/sh
# notebooks/02-reviews-over-time run anew, as one HTML page and its pictures. The range is in FROM and TO.
#
# usage: stack run -- sh scripts/notebook-report.sh FOLDER
set -eu
cd "$(dirname "$0")/.."

name=02-reviews-over-time
.venv/bin/python scripts/notebook-run.py --into "$1" "notebooks/$name.ipynb"
.venv/bin/python scripts/notebook-page.py "$1/$name.ipynb" "$1"
rm "$1/$name.ipynb"
echo "page      $1/$name.html"
echo "pictures  $1/pictures"
