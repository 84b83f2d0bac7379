"""Runs notebooks from top to bottom, and fails where a cell does.

usage: notebook-run.py [--write | --into FOLDER] NOTEBOOK…

`--write` keeps the new outputs in the notebooks themselves, `--into` in copies.

evcxr reports an error that a `?` has returned, and a panic, as text on stderr, calls the cell a success, and does not wait until
the text has arrived. So anything on stderr counts as a failure, and so does a cell that shows something of another kind than it
does in the notebook as it is stored.
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
CELL_TIMEOUT_S = 900


def run(path: Path) -> tuple[nbformat.NotebookNode, str | None]:
    """The notebook with its outputs, and what failed."""
    notebook = nbformat.read(path, as_version=4)
    stored = [kinds_of_output(cell) for cell in notebook.cells]
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
        number_outputs_as_inputs(notebook)
    except (CellControlSignal, RuntimeError) as error:  # a cell failed, or took too long, or the kernel died
        return notebook, str(error)
    complaints = (on_stderr(cell) or other_than(before, cell) for before, cell in zip(stored, notebook.cells, strict=True))
    return notebook, next(filter(None, complaints), None)


def kinds_of_output(cell: nbformat.NotebookNode) -> list[list[str]]:
    return [sorted(output.get("data", {})) for output in cell.get("outputs", [])]


def other_than(before: list[list[str]], cell: nbformat.NotebookNode) -> str | None:
    now = kinds_of_output(cell)
    # A new notebook has no outputs yet.
    return f"{cell.source}\n--\nshows {now}, where it was {before}" if before and now != before else None


def number_outputs_as_inputs(notebook: nbformat.NotebookNode) -> None:
    """evcxr gives an output the number of the next input."""
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            if output.output_type == "execute_result":
                output.execution_count = cell.execution_count


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
            # The first failure ends it; so does a signal, which nbclient turns into a failure of the cell.
            failed = any(run_and_report(path, arguments) for path in arguments.notebooks)
        finally:
            subprocess.run([INGEST, "stop"], stdout=subprocess.DEVNULL, check=False)
    sys.exit(failed)


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
