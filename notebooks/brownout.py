"""What the notebooks share: calling the program, reading its tables, and showing tables and charts that repeat themselves.

The program writes plain files, so nothing here knows the simulator: a scenario is a text, a result is JSON, and a sweep is
two CSV tables that polars reads.
"""

import io
import json
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

import matplotlib
import polars as pl
from IPython.display import SVG, Markdown, display

matplotlib.use("agg")
import matplotlib.pyplot as plt  # noqa: E402 (the backend is chosen before)

ROOT = Path(__file__).resolve().parent.parent

# Wong's palette (Nature Methods 8, 441, 2011), which colour-blind readers can tell apart.
BLUE, ORANGE, GREEN, PURPLE = "#0072b2", "#d55e00", "#009e73", "#cc79a7"

plt.rcParams.update({
    "figure.figsize": (7.2, 3.6),
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#e3e6ea",
    "axes.axisbelow": True,
    "legend.frameon": False,
    # Text stays text, and identifiers come from the content, so that the same figures give the same file.
    "svg.fonttype": "none",
    "svg.hashsalt": "brownout",
})


def binary() -> str:
    """The program: `BROWNOUT`, else the one on PATH, else the one that `cargo build --release` has left.

    Raises FileNotFoundError where there is none.
    """
    named = os.environ.get("BROWNOUT")
    built = ROOT / "target" / "release" / "brownout"
    found = named or shutil.which("brownout") or (str(built) if built.exists() else None)
    if found is None:
        raise FileNotFoundError("no brownout: set BROWNOUT, or run `cargo build --release`")
    return found


def scenario(name: str) -> str:
    """The text of a scenario of the repository: `retry-storm`."""
    return (ROOT / "scenarios" / f"{name}.yaml").read_text(encoding="utf-8")


def call(*arguments: str, text: str) -> str:
    """What the program prints for the scenario `text`, which it reads from standard input as `-`.

    Raises RuntimeError with the program's own words where it fails.
    """
    done = subprocess.run(
        [binary(), *arguments, "--quiet", "-"], input=text, capture_output=True, encoding="utf-8", check=False
    )
    if done.returncode != 0:
        raise RuntimeError(f"brownout {' '.join(arguments)}\n{done.stderr or done.stdout}")
    return done.stdout


def run(text: str, *arguments: str) -> dict:
    """The result of one run, as `brownout run --format json` prints it."""
    return json.loads(call("run", *arguments, "--format", "json", text=text))


def over_time(result: dict) -> pl.DataFrame:
    """The time series of a run: `at_s`, when a window begins, and a column for each figure."""
    series = result["series"]
    return pl.DataFrame({"at_s": series["at_s"], **series["columns"]}, strict=False)


def sweep(text: str, *arguments: str) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The tables of a sweep: a row for each run (points.csv), and a row for each point with means (summary.csv)."""
    with tempfile.TemporaryDirectory() as folder:
        call("sweep", *arguments, "--out", folder, "--no-progress", text=text)
        points, summary = (pl.read_csv(Path(folder) / name, infer_schema_length=None) for name in ("points.csv", "summary.csv"))
    failed = points.filter(pl.col("error").is_not_null())
    if failed.height:
        raise RuntimeError(f"{failed.height} runs failed: {failed['error'][0]}")
    return points, summary


def find(text: str, *arguments: str) -> dict:
    """The answer of `brownout find --format json`."""
    return json.loads(call("find", *arguments, "--format", "json", "--no-progress", text=text))


def table(frame: pl.DataFrame, decimals: int = 1) -> None:
    """Shows a table whole."""
    with pl.Config(
        tbl_formatting="MARKDOWN", tbl_hide_column_data_types=True, tbl_hide_dataframe_shape=True, tbl_rows=-1,
        tbl_cols=-1, tbl_width_chars=400, fmt_str_lengths=100, float_precision=decimals, tbl_cell_numeric_alignment="RIGHT",
    ):
        display(Markdown(str(frame)))


def chart(figure: plt.Figure) -> None:
    """Shows a chart as a small SVG, whose coordinates are rounded to what can be seen."""
    text = io.StringIO()
    figure.savefig(text, format="svg", bbox_inches="tight", metadata={"Date": None, "Creator": None})
    plt.close(figure)
    drawing = re.sub(r"-?\d+\.\d{3,}", lambda number: f"{float(number[0]):.2f}", text.getvalue())
    display(SVG(drawing[drawing.index("<svg"):]))
