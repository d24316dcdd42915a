"""Runs notebooks' cells one after another in this one process, and prints the seconds that the cells took in all.

For `bench_batch.py`, which hands over a list of template, area and edition as JSON. The first notebook of each template
is run once before, so that the process is warm.
"""

import json
import sys
import time
from pathlib import Path

from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output


def cells_of(template: str) -> list[str]:
    cells = json.loads(Path(template).read_text(encoding="utf-8"))["cells"]
    return ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]


def run(shell: InteractiveShell, template: str, area: str, edition: str) -> float:
    """Seconds of a notebook's cells, each with the display of what it gives."""
    _, *rest = cells_of(template)
    shell.reset(new_session=False)
    started = time.perf_counter()
    with capture_output():
        for source in (f"area_code = {area!r}\nedition = {edition!r}", *rest):
            shell.run_cell(source).raise_error()
    return time.perf_counter() - started


def main() -> None:
    shell = InteractiveShell.instance()
    jobs = json.load(sys.stdin)
    for template, area, edition in {job[0]: job for job in reversed(jobs)}.values():
        run(shell, template, area, edition)
    print(sum(run(shell, *job) for job in jobs))


if __name__ == "__main__":
    main()
