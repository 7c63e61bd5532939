"""Executes each notebook of a folder in a kernel of its own and compares it with what is checked in.

Usage: notebooks-test.py FOLDER; with UPDATE_EXPECTED=1 the notebooks are written. A notebook is checked in as it is after a
fresh execution from top to bottom, without what differs from machine to machine: the program's version, timings, identifiers.
"""

import copy
import difflib
import os
import re
import sys
import time
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}
# Outputs that are looked at on a forge and read in a difference are small.
LARGEST = 100_000


def execute(notebook: nbformat.NotebookNode, folder: Path) -> nbformat.NotebookNode:
    """The notebook after a fresh execution, stripped."""
    fresh = copy.deepcopy(notebook)
    for number, cell in enumerate(fresh.cells):
        cell.id = f"cell-{number + 1}"
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    client = NotebookClient(
        fresh, timeout=600, kernel_name="python3", record_timing=False, resources={"metadata": {"path": str(folder)}},
        # The kernel talks over the loopback, and would say at each start that it does.
        extra_arguments=["--IPKernelApp.log_level=ERROR"],
    )
    client.execute()
    fresh.metadata = nbformat.from_dict(METADATA)
    for cell in fresh.cells:
        cell.metadata = nbformat.from_dict({})
        for output in cell.get("outputs", []):
            if "metadata" in output:
                output.metadata = nbformat.from_dict({})
    return fresh


def complaints(notebook: nbformat.NotebookNode) -> list[str]:
    """What a reader should not have to see: warnings, and paths of this machine."""
    found = []
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            if output.get("name") == "stderr":
                found.append(f"{cell.id} writes to standard error: {output.text.strip()[:500]}")
            if str(Path.cwd()) in str(output):
                found.append(f"{cell.id} shows the folder it was run in")
    return found


def check(path: Path, update: bool) -> list[str]:
    """What is wrong with the notebook, after executing it."""
    before = path.read_text(encoding="utf-8")
    try:
        fresh = execute(nbformat.reads(before, as_version=4), path.parent)
    except CellExecutionError as error:
        return [re.sub(r"\x1b\[[0-9;]*m", "", str(error))[-3000:]]
    found = complaints(fresh)
    after = nbformat.writes(fresh, indent=1) + "\n"
    if len(after) > LARGEST:
        found.append(f"{len(after)} bytes: more than {LARGEST}")
    if update:
        path.write_text(after, encoding="utf-8")
    elif before != after:
        lines = difflib.unified_diff(
            before.splitlines(), after.splitlines(), "checked in", "executed now", lineterm="", n=1
        )
        found.append("\n".join(line[:200] for line in list(lines)[:60]))
        found.append("UPDATE_EXPECTED=1 scripts/notebooks-test writes what it is now; read the difference")
    return found


def main() -> int:
    update = os.environ.get("UPDATE_EXPECTED") == "1"
    notebooks = sorted(Path(sys.argv[1]).resolve().glob("*.ipynb"))
    if not notebooks:
        print("FAIL there is no notebook")
        return 1
    failures = 0
    for path in notebooks:
        began = time.monotonic()
        found = check(path, update)
        print(f"{'FAIL' if found else 'ok  '} {path.name} ({time.monotonic() - began:.0f} s)", flush=True)
        for text in found:
            print(text)
        failures += bool(found)
    return 1 if failures else 0


sys.exit(main())
