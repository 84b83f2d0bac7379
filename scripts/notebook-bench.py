"""How quick a notebook is: Rust (Rushes) beside Python with polars and matplotlib, doing the same to the same rollups.

Each round starts a fresh kernel, waits until it answers, draws a first chart from MongoDB, and runs more cells of two kinds: those
that use this project's library, and those that use polars in the cell itself. Prints medians, and writes them to
bench/notebook.json.

usage: stack run -- python scripts/notebook-bench.py [ROUNDS]
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from jupyter_client.manager import KernelManager

ROOT = Path(__file__).resolve().parents[1]
INGEST = ROOT / "target" / "release" / "ingest"
RESULT = ROOT / "bench" / "notebook.json"
REVIEWS = 20_000


@dataclass(frozen=True)
class Side:
    """A kernel and the same work in its language."""

    kernel: str
    first_chart: str
    later: list[str]
    with_polars: list[str]


RUST = Side(
    kernel="rushes",
    first_chart="""\
let store = connect()?;
let months = store.rollup("reviews_by_month").collect()?;
Figure::line(&months).y("rating_mean").title("Mean rating by month")""",
    later=[
        """let ten_days = store.rollup("reviews_by_ten_day").from("2019").collect()?;""",
        """Figure::bar(&ten_days).y("reviews").title("Reviews by ten days")""",
        """Table::new(&months)""",
        """Figure::line(&months).y("reviews").title("Reviews by month")""",
    ],
    with_polars=[
        """let busy = months.clone().lazy().filter(col("reviews").gt(lit(50))).collect()?;""",
        """let years = months.clone().lazy().group_by([col("window_start").dt().year()]).agg([col("reviews").sum()]).collect()?;""",
        """Figure::bar(&years).x("window_start").y("reviews").title("Reviews by year")""",
        """months.clone().lazy().select([col("window_start"), col("rating_sum") / col("rated")]).collect()?""",
    ],
)

PYTHON = Side(
    kernel="python3",
    first_chart="""\
import os
import matplotlib.pyplot as plt
import polars as pl
from pymongo import MongoClient
database = MongoClient(os.environ["MONGODB_URI"])["rushes"]
def read(table, query={}):
    return pl.DataFrame(list(database[table].find(query, {"_id": 0}).sort("window_start", 1)))
months = read("reviews_by_month")
plt.plot(months["window_start"], months["rating_mean"]); plt.title("Mean rating by month"); plt.show()""",
    later=[
        """from datetime import datetime; ten_days = read("reviews_by_ten_day", {"window_start": {"$gte": datetime(2019, 1, 1)}})""",
        """plt.bar(ten_days["window_start"], ten_days["reviews"]); plt.title("Reviews by ten days"); plt.show()""",
        """months""",
        """plt.plot(months["window_start"], months["reviews"]); plt.title("Reviews by month"); plt.show()""",
    ],
    with_polars=[
        """busy = months.filter(pl.col("reviews") > 50)""",
        """years = months.group_by(pl.col("window_start").dt.year()).agg(pl.col("reviews").sum())""",
        """plt.bar(years["window_start"], years["reviews"]); plt.title("Reviews by year"); plt.show()""",
        """months.select(pl.col("window_start"), pl.col("rating_sum") / pl.col("rated"))""",
    ],
)


@dataclass
class Times:
    """Seconds, one value per round (or per round and cell)."""

    ready: list[float] = field(default_factory=list)
    first_chart: list[float] = field(default_factory=list)
    later: list[float] = field(default_factory=list)
    with_polars: list[float] = field(default_factory=list)


def one_round(side: Side, times: Times) -> None:
    begun = time.perf_counter()
    manager = KernelManager(kernel_name=side.kernel)
    manager.start_kernel(cwd=str(ROOT / "notebooks"))
    client = manager.client()
    client.start_channels()
    try:
        client.wait_for_ready(timeout=300)
        times.ready.append(time.perf_counter() - begun)
        run(client, side.first_chart, chart=True)
        times.first_chart.append(time.perf_counter() - begun)
        times.later += [run(client, cell) for cell in side.later]
        times.with_polars += [run(client, cell) for cell in side.with_polars]
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


def run(client, code: str, chart: bool = False) -> float:
    """Seconds that the cell took. A cell that fails ends the program: its time would mean nothing."""
    outputs: list[dict] = []
    begun = time.perf_counter()
    reply = client.execute_interactive(code, output_hook=outputs.append, timeout=300)
    took = time.perf_counter() - begun
    complaints = [output["content"] for output in outputs if output["content"].get("name") == "stderr"]
    if reply["content"]["status"] != "ok" or complaints:
        sys.exit(f"this cell failed:\n{code}\n{reply['content']}\n{complaints}")
    if chart and not any("image/png" in output["content"].get("data", {}) for output in outputs):
        sys.exit(f"this cell drew no chart:\n{code}")
    return took


def fill_database(folder: str) -> None:
    for arguments in (["generate", folder, "--rows", str(REVIEWS), "--seed", "7"], ["produce", folder], ["run", "--until-end"]):
        subprocess.run([INGEST, *arguments], check=True, capture_output=True)


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    with tempfile.TemporaryDirectory() as folder:
        fill_database(os.path.join(folder, "reviews"))
    rust, python = Times(), Times()
    # The first kernel after a build compiles what the later ones find; nobody waits for it twice.
    one_round(RUST, Times())
    one_round(PYTHON, Times())
    for _ in range(rounds):
        one_round(RUST, rust)
        one_round(PYTHON, python)
    result = {"rounds": rounds}
    for prefix, times in (("", rust), ("python_", python)):
        result[f"{prefix}kernel_ready_s"] = round(median(times.ready), 2)
        result[f"{prefix}first_chart_s"] = round(median(times.first_chart), 2)
        result[f"{prefix}later_cell_s"] = round(median(times.later), 2)
        result[f"{prefix}later_polars_cell_s"] = round(median(times.with_polars), 2)
    RESULT.write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
