"""How fast is the batch, against a loop of stock Papermill and against its own cells? For whoever changes the runner.

    make bench             everything but England, some ten minutes
    make bench-england     an edition over all of England: its time, and its memory

Every run is of the command itself, in a process and a build folder of its own. Only the ratios mean anything on another
machine. What was measured is printed, and kept in build/bench for the book's page on speed.
"""

import argparse
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path

import psutil

from cbs_analysis.home import build_dir, home
from cbs_analysis.runner import Job, Plan, make_plan

LONDON, ENGLAND = "2011-12", "england-2011-12"
STOCK_STEP = 13  # every 13th notebook: 12 of London's 152, three of each chapter
SECONDS_A_SAMPLE = 0.5
GIB = 1024**3
PAGES_IN_BOOK = ("ipykernel", "jupyter-client", "nbclient", "pandas", "altair", "vl-convert-python", "papermill")


@dataclass(frozen=True)
class Row:
    """A line of the table: what, what is asked of it, what was measured, and whether that holds."""

    what: str
    bar: str
    measured: str
    is_met: bool | None


@dataclass(frozen=True)
class Ran:
    """One run of `cbs packs`: its wall time, the chapters of the notebooks it made, and the most memory it held.

    `parent` is the resident memory of the command's own process; `tree` that of it and all below it, where pages that
    processes share count once.
    """

    seconds: float
    made: list[str]
    parent: int
    tree: int


def packs(build: Path, *options: str, folder: Path | None = None, tree: bool = False) -> Ran:
    """Run the command, with its build folder at `build`; sampling the tree's memory slows it a little."""
    environment = {**os.environ, "CBS_BUILD": str(build), "CBS_HOME": str(folder or home())}
    command = [str(Path(sys.executable).with_name("cbs")), "packs", "--json", *options]
    started = time.perf_counter()
    with (
        subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process,
        _watched(process.pid, tree) as most,
    ):
        said = process.stdout.read() if process.stdout else ""
        process.wait()
    seconds = time.perf_counter() - started
    if process.returncode:
        sys.exit(f"{' '.join(command)} ended with {process.returncode}: {said[-2000:]}")
    events = [json.loads(line) for line in said.splitlines()]
    made = [event["chapter"] for event in events if event["event"] == "ended"]
    return Ran(seconds, made, most["parent"], most["tree"])


@contextmanager
def _watched(pid: int, tree: bool) -> Iterator[dict[str, int]]:
    most, ended = {"parent": 0, "tree": 0}, threading.Event()

    def sample() -> None:
        while not ended.wait(SECONDS_A_SAMPLE):
            try:
                parent = psutil.Process(pid)
                most["parent"] = max(most["parent"], parent.memory_info().rss)
                if tree:
                    most["tree"] = max(most["tree"], _proportional(parent))
            except psutil.Error:
                continue

    watcher = threading.Thread(target=sample, daemon=True)
    watcher.start()
    try:
        yield most
    finally:
        ended.set()
        watcher.join()


def _proportional(parent: psutil.Process) -> int:
    """The memory of a process and all below it, kernels among them, pages shared by n processes counting as one nth."""
    total = 0
    for process in [parent, *parent.children(recursive=True)]:
        try:
            total += process.memory_full_info().pss
        except psutil.Error:
            continue
    return total


def stock(jobs: Sequence[Job], folder: Path) -> list[float]:
    """Seconds of each notebook in a loop of stock Papermill."""
    import papermill

    found = []
    for job in jobs:
        started = time.perf_counter()
        papermill.execute_notebook(
            job.template,
            folder / f"{job.area_code}-{job.chapter}.ipynb",
            parameters={"area_code": job.area_code, "edition": job.edition},
            kernel_name="python3",
            progress_bar=False,
            cwd=job.template.parent,
        )
        found.append(time.perf_counter() - started)
        print(f"  stock Papermill: {job.area_code} {job.chapter} {found[-1]:.1f} s", file=sys.stderr)
    return found


def cell_seconds(plan: Plan) -> float:
    """The sum of the cells' time of every notebook of a plan, run one after another in one warmed process."""
    listed = json.dumps([(str(job.template), job.area_code, job.edition) for job in plan.jobs])
    ran = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("cells.py"))], input=listed, capture_output=True, text=True,
        check=True, env={**os.environ, "CBS_HOME": str(home()), "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
    )  # fmt: skip
    return float(ran.stdout.split()[-1])


def bench_london(work: Path) -> list[Row]:
    plan = make_plan(LONDON)
    print(f"A loop of stock Papermill over {len(plan.jobs[::STOCK_STEP])} notebooks", file=sys.stderr)
    each = statistics.mean(stock(plan.jobs[::STOCK_STEP], work))
    print(f"The London edition, {len(plan.jobs)} notebooks, cold", file=sys.stderr)
    cold = packs(work / "london")
    again = packs(work / "london")
    print("The cells alone, in one warmed process", file=sys.stderr)
    cells = cell_seconds(plan)
    cores = len(os.sched_getaffinity(0))
    times, over = each / (cold.seconds / len(plan.jobs)), cold.seconds / (cells / cores)
    print("One template edited", file=sys.stderr)
    edited = one_template_edited(work)
    chapters = sorted(set(edited.made))
    print("Memory, with two workers", file=sys.stderr)
    held = packs(work / "memory", "--jobs", "2", *_areas(plan, 12), tree=True)
    return [
        Row("London cold, against a loop of stock Papermill, per notebook", "20 times faster",
            f"{times:.1f} times: {cold.seconds:.1f} s for {len(plan.jobs)}, against {each:.2f} s each "
            f"(mean of {len(plan.jobs[::STOCK_STEP])})", times >= 20),
        Row("wall time against the cells' time in one warmed process over cores", "at most 2.0",
            f"{over:.2f}: {cold.seconds:.1f} s, against {cells:.1f} s over {cores} cores", over <= 2),
        Row("nothing changed", "under 2% of cold, and under 3 s",
            f"{again.seconds / cold.seconds:.1%}, {again.seconds:.2f} s",
            again.seconds < 3 and again.seconds < 0.02 * cold.seconds and not again.made),
        Row("one template edited", "only that chapter runs",
            f"{len(edited.made)} notebooks of {', '.join(chapters)}, {edited.seconds:.1f} s", chapters == ["outlook"]),
        Row("peak memory of the whole process tree, 2 workers", "under 1.5 GiB",
            f"{held.tree / GIB:.2f} GiB", held.tree < 1.5 * GIB),
    ]  # fmt: skip


def one_template_edited(work: Path) -> Ran:
    """An edition made in a copy of the home, whose outlook template then gets a word more."""
    folder = work / "home"
    for name in ("params", "data", "notebooks"):
        shutil.copytree(home() / name, folder / name)
    chosen = ("--area", "5LE", "--area", "SEL")
    packs(work / "edited", *chosen, folder=folder)
    template = folder / "notebooks" / "outlook.ipynb"
    template.write_text(template.read_text(encoding="utf-8").replace("# Outlook", "# The outlook", 1), encoding="utf-8")
    return packs(work / "edited", *chosen, folder=folder)


def bench_four_times(work: Path) -> list[Row]:
    """A quarter of England's areas, groups and leaves alike, then four times as many."""
    plan = make_plan(ENGLAND)
    areas = list(dict.fromkeys(job.area_code for job in plan.jobs))
    many = areas[: len(areas) // 4 * 4]
    print(f"England: {len(many[::4])} areas, then {len(many)}", file=sys.stderr)
    few = packs(work / "few", "--edition", ENGLAND, *_named(many[::4]))
    all_ = packs(work / "all", "--edition", ENGLAND, *_named(many))
    times, growth = all_.seconds / few.seconds, all_.parent / few.parent - 1
    return [
        Row("4 times the areas: time", "at most 4.2 times", f"{times:.2f} times: {few.seconds:.1f} s for "
            f"{len(few.made)} notebooks, {all_.seconds:.1f} s for {len(all_.made)}", times <= 4.2),
        Row("4 times the areas: memory of the parent", "grows less than 20%",
            f"{growth:+.1%}: {few.parent / GIB:.2f} and {all_.parent / GIB:.2f} GiB", growth < 0.2),
    ]  # fmt: skip


def bench_england(work: Path) -> list[Row]:
    plan = make_plan(ENGLAND)
    ran = packs(work / "england", "--edition", ENGLAND, tree=True)
    return [
        Row(f"England cold, {len(plan.jobs)} notebooks", "reported",
            f"{ran.seconds:.1f} s, {ran.seconds / len(plan.jobs):.2f} s each", None),
        Row("peak memory of the whole process tree", "reported", f"{ran.tree / GIB:.2f} GiB", None),
    ]  # fmt: skip


def _areas(plan: Plan, count: int) -> list[str]:
    """Options for the first areas of a plan: the widest come first."""
    return _named(list(dict.fromkeys(job.area_code for job in plan.jobs))[:count])


def _named(areas: Sequence[str]) -> list[str]:
    return [part for area in areas for part in ("--area", area)]


def keep(name: str, rows: Sequence[Row]) -> None:
    """Print the table, and put it where the book finds it."""
    for row in rows:
        met = {True: "met", False: "NOT MET", None: ""}[row.is_met]
        print(f"{row.what} · {row.bar} · {row.measured} · {met}")
    folder = build_dir() / "bench"
    folder.mkdir(parents=True, exist_ok=True)
    machine = f"{platform.system()} {platform.machine()}, {len(os.sched_getaffinity(0))} cores, "
    record = {
        "run": time.strftime("%Y-%m-%d"),
        "machine": machine + f"{psutil.virtual_memory().total / GIB:.0f} GiB",
        "versions": {"python": platform.python_version(), "cbs-analysis": version("cbs-analysis"),
                     **{library: version(library) for library in PAGES_IN_BOOK}},
        "rows": [asdict(row) for row in rows],
    }  # fmt: skip
    (folder / f"{name}.json").write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--england", action="store_true", help="only the edition over all of England")
    wanted = parser.parse_args()
    parts: list[tuple[str, Callable[[Path], list[Row]]]] = [("batch", bench_london), ("scale", bench_four_times)]
    for name, bench in [("england", bench_england)] if wanted.england else parts:
        with tempfile.TemporaryDirectory(prefix="cbs-bench-") as folder:
            keep(name, bench(Path(folder)))


if __name__ == "__main__":
    main()
