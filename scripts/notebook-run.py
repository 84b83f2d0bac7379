"""Runs notebooks from top to bottom, and fails where a cell does.

usage: notebook-run.py [--write | --into FOLDER] NOTEBOOK…

`--write` keeps the new outputs in the notebooks themselves, `--into` in copies. evcxr reports an error that a `?` has
returned, and a panic, as text on stderr and calls the cell a success; so anything on stderr counts as a failure.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellControlSignal

KERNEL = "rushes"
INGEST = Path(__file__).resolve().parents[1] / "target" / "release" / "ingest"
# A cell may wait for a stream.
CELL_TIMEOUT_S = 300


def run(path: Path) -> tuple[nbformat.NotebookNode, str | None]:
    """The notebook with its outputs, and what failed."""
    notebook = nbformat.read(path, as_version=4)
    client = NotebookClient(
        notebook,
        kernel_name=KERNEL,
        timeout=CELL_TIMEOUT_S,
        startup_timeout=CELL_TIMEOUT_S,
        record_timing=False,
        resources={"metadata": {"path": str(path.parent)}},
    )
    try:
        client.execute()
    except (CellControlSignal, RuntimeError) as error:  # a cell failed, or took too long, or the kernel died
        return notebook, str(error)
    return notebook, next((complaint for cell in notebook.cells if (complaint := on_stderr(cell))), None)


def on_stderr(cell: nbformat.NotebookNode) -> str | None:
    said = [output.text for output in cell.get("outputs", []) if output.get("name") == "stderr"]
    return f"{cell.source}\n--\n{''.join(said)}" if said else None


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--into", type=Path)
    parser.add_argument("notebooks", type=Path, nargs="+")
    arguments = parser.parse_args()
    # A worker that runs already belongs to other servers, and one that a notebook leaves running ends with this program.
    with tempfile.TemporaryDirectory() as state:
        os.environ["RUSHES_STATE_DIR"] = state
        try:
            failures = sum([run_and_report(path, arguments) for path in arguments.notebooks])
        finally:
            subprocess.run([INGEST, "stop"], stdout=subprocess.DEVNULL, check=False)
    sys.exit(failures > 0)


def run_and_report(path: Path, arguments: argparse.Namespace) -> bool:
    """Whether it failed."""
    begun = time.monotonic()
    notebook, failure = run(path)
    print(f"{'FAILED' if failure else 'ok    '} {path} ({time.monotonic() - begun:.0f} s)", flush=True)
    if failure:
        print(failure, file=sys.stderr)
    if arguments.write and not failure:
        nbformat.write(notebook, path)
    elif arguments.into:
        arguments.into.mkdir(parents=True, exist_ok=True)
        nbformat.write(notebook, arguments.into / path.name)
    return failure is not None


if __name__ == "__main__":
    main()
