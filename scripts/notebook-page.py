"""Makes a page of a notebook that was run: what it says and shows, without its code.

usage: notebook-page.py NOTEBOOK FOLDER

The page has its pictures inside; each of them is also a file in FOLDER/pictures, named by its chart's title. Cells with the tag `how`
explain the notebook to who works in it and are not on the page.
"""

from __future__ import annotations

import base64
import re
import sys
from pathlib import Path

import nbformat
from nbconvert import HTMLExporter
from traitlets.config import Config

# MIME type and ending of what is kept as a file.
PICTURES = {"image/svg+xml": "svg", "image/png": "png"}


def page(notebook: nbformat.NotebookNode) -> str:
    config = Config()
    config.HTMLExporter.exclude_input = True
    config.HTMLExporter.exclude_input_prompt = True
    config.HTMLExporter.exclude_output_prompt = True
    config.TagRemovePreprocessor.enabled = True
    config.TagRemovePreprocessor.remove_cell_tags = {"how"}
    return HTMLExporter(config=config).from_notebook_node(notebook)[0]


def pictures(notebook: nbformat.NotebookNode) -> dict[str, bytes]:
    """By the names of their files."""
    files: dict[str, bytes] = {}
    for cell in notebook.cells:
        for data in (output.get("data", {}) for output in cell.get("outputs", [])):
            forms = {ending: data[kind] for kind, ending in PICTURES.items() if kind in data}
            # A picture's text is its title and, in brackets, what it is: `Reviews by month (bar chart of 36 rows)`.
            name = name_of_file(re.sub(r" \([^()]*\)$", "", data.get("text/plain", "").strip()), files) if forms else ""
            for ending, content in forms.items():
                files[f"{name}.{ending}"] = content.encode() if ending == "svg" else base64.b64decode(content)
    return files


def name_of_file(title: str, taken: dict[str, bytes]) -> str:
    plain = "-".join(re.findall(r"\w+", title.lower())) or "picture"
    names = (f"{plain}-{number}" if number > 1 else plain for number in range(1, len(taken) + 2))
    return next(name for name in names if not any(file.startswith(f"{name}.") for file in taken))


def main() -> None:
    path, folder = map(Path, sys.argv[1:])
    notebook = nbformat.read(path, as_version=4)
    (folder / "pictures").mkdir(parents=True, exist_ok=True)
    (folder / f"{path.stem}.html").write_text(page(notebook), encoding="utf-8")
    for name, content in pictures(notebook).items():
        (folder / "pictures" / name).write_bytes(content)


if __name__ == "__main__":
    main()
