"""What of the kernel can be checked without starting one. `make test-notebooks` runs this, and then every notebook."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

import library

NOTEBOOKS = sorted((library.ROOT / "notebooks").glob("*.ipynb"))


def pins(text: str) -> dict[str, str]:
    """`name==version` of a requirements file, `- name=version` of an environment."""
    return dict(re.findall(r"^(?:  - )?([\w-]+)==?(\d[\w.]*)", text, flags=re.MULTILINE))


class Facade(unittest.TestCase):
    def test_the_compiler_sees_the_dylib_and_rust_analyzer_the_modules(self):
        shown = library.facade("//! Text.\npub mod load;\nmod cell;\n\npub use polars;\n")
        self.assertIn("#[cfg(not(rust_analyzer))]\npub use rushes_library::analysis::*;", shown)
        for item in ("pub mod load;", "mod cell;", "pub mod polars;", "mod model;"):
            self.assertIn(f"#[cfg(rust_analyzer)]\n{item}", shown)

    def test_every_module_of_the_library_is_in_the_view(self):
        source = (library.ROOT / "analysis/src/lib.rs").read_text()
        shown = library.facade(source)
        modules = re.findall(r"^pub mod (\w+);", source, flags=re.MULTILINE)
        self.assertTrue(modules)
        for module in modules:
            self.assertIn(f"pub mod {module};", shown)

    def test_nothing_in_the_view_needs_polars_or_model(self):
        left = [
            (path.name, line)
            for path in (library.FACADE / "src").rglob("*.rs")
            for line in path.read_text().splitlines()
            if re.match(r"\s*(pub )?use (polars|model)::", line)
        ]
        self.assertEqual(left, [])


class Built(unittest.TestCase):
    def test_what_was_built_is_up_to_date(self):
        self.assertIsNone(library.what_is_wrong())

    def test_another_compiler_is_told_by_name(self):
        built = json.loads(library.BUILT.read_text())
        stamp = library.Stamp(**{**built["stamp"], "rustc": "rustc 1.0.0\nhost: x"})
        self.assertRegex(library.difference(stamp) or "", r"was built by rustc 1\.0\.0, and Rust is now rustc 1\.")


class Lists(unittest.TestCase):
    def test_conda_and_pip_install_the_same_versions(self):
        wanted = pins((library.ROOT / "notebooks/requirements.txt").read_text())
        self.assertIn("jupyterlab", wanted)
        environment = pins((library.ROOT / "environment.yml").read_text())
        self.assertEqual({name: environment.get(name) for name in wanted}, wanted)

    def test_what_is_required_is_what_was_tried(self):
        constraints = pins((library.ROOT / "notebooks/constraints.txt").read_text())
        wanted = pins((library.ROOT / "notebooks/requirements.txt").read_text())
        self.assertEqual({name: constraints.get(name) for name in wanted}, wanted)


class Notebooks(unittest.TestCase):
    def test_they_are_shown_with_outputs_and_need_no_types(self):
        self.assertTrue(NOTEBOOKS)
        for path in NOTEBOOKS:
            cells = [cell for cell in json.loads(path.read_text())["cells"] if cell["cell_type"] == "code"]
            with self.subTest(path.name):
                self.assertTrue(any(cell["outputs"] for cell in cells))
                source = "\n".join("".join(cell["source"]) for cell in cells)
                self.assertNotRegex(source, r":dep|let (mut )?\w+\s*:")

    def test_no_output_names_a_folder_of_the_machine_it_was_made_on(self):
        home = re.compile(re.escape(str(library.ROOT)) + r"|/root/|/home/|/Users/")
        for path in NOTEBOOKS:
            with self.subTest(path.name):
                self.assertIsNone(home.search(path.read_text()))

    def test_a_report_has_neither_code_nor_what_explains_it_and_pictures_have_names(self):
        program = library.ROOT / "scripts/notebook-page.py"
        with tempfile.TemporaryDirectory() as folder:
            report = library.ROOT / "notebooks/02-reviews-over-time.ipynb"
            subprocess.run([sys.executable, program, report, folder], check=True)
            page = (Path(folder) / f"{report.stem}.html").read_text()
            pictures = {path.name for path in (Path(folder) / "pictures").iterdir()}
        shown = page[page.index("<body") :]
        self.assertIn("<title>Reviews over time</title>", page)
        self.assertIn("How often each rating was given", shown)
        for hidden in ("store.rollup", "collect()", "This notebook reads what is stored", "jp-InputPrompt"):
            self.assertNotIn(hidden, shown)
        for name in ("all-reviews-by-month", "reviews-by-ten-days", "most-reviewed-movies"):
            self.assertLessEqual({f"{name}.svg", f"{name}.png"}, pictures)

    def test_every_notebook_is_in_the_list(self):
        listed = (Path(library.ROOT) / "notebooks/README.md").read_text()
        self.assertEqual([path.name for path in NOTEBOOKS if f"({path.name})" not in listed], [])


if __name__ == "__main__":
    unittest.main()
