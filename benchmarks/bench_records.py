"""How fast are hospital records made, imported, checked and prepared, and in how much memory? For whoever changes them.

    make bench-records     some ten minutes, and 2 GB of disk while it runs
    make bench-records SIZES="1 2 4"

Each step is the command itself, in a process of its own, over so many times the records of London. The rules are held
against the same rules written in pandas, over the same rows in the same run. Only ratios mean anything on another
machine. Printed, and kept in build/bench for the book's page on speed.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import ibis
import pandas as pd
import psutil
import pyarrow as pa
import pyarrow.parquet as pq
from bench_batch import GIB, Row, keep

from cbs_analysis.home import data_dir, home, params_dir
from cbs_analysis.records.quality_checks import check_records
from cbs_analysis.records.quality_rules import QualityRule, load_rules
from cbs_analysis.records.reference_data import ReferenceData, load_reference_data

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "unit"))
import pandas_rules

CBS = str(Path(sys.executable).with_name("cbs"))
FEEDS = ("apc", "op", "ae")
MOST_MEMORY = 4 * GIB
FASTER_THAN_PANDAS = 10
SECONDS_A_SAMPLE = 0.2


@dataclass(frozen=True)
class Step:
    """One command: what it did, over how many rows, in what time, and the most memory its processes held together."""

    what: str
    rows: int
    seconds: float
    memory: int

    def row(self, size: float) -> Row:
        rate = f"{self.rows / self.seconds:,.0f} rows a second" if self.rows else ""
        measured = f"{self.seconds:.1f} s, {rate}, peak {self.memory / GIB:.2f} GiB"
        return Row(f"{size:g} times London: {self.what}", "under 4 GiB", measured, self.memory < MOST_MEMORY)


def steps(work: Path, size: float) -> Iterator[Step]:
    """Make, import, check and prepare so many times London."""
    at = {"CBS_HOME": str(_home_in(work)), "CBS_BUILD": str(work / "build")}
    seconds, memory = _run(at, "records", "make", "--share", f"{size:g}")
    folder = work / "build" / "synthetic"
    rows = {feed: sum(_rows(path) for path in (folder / feed).glob("*.parquet")) for feed in FEEDS}
    yield Step("make", sum(rows.values()), seconds, memory)
    _run(at, "records", "import", "practices", str(folder / "practices.parquet"))
    for feed in FEEDS:
        files = [str(path) for path in sorted((folder / feed).glob("*.parquet"))]
        seconds, memory = _run(at, "records", "import", feed, *files)
        yield Step(f"import {feed}", rows[feed], seconds, memory)
    seconds, memory = _run(at, "records", "check")
    yield Step("check with every rule", sum(rows.values()), seconds, memory)
    seconds, memory = _run(at, "records", "prepare")
    yield Step("prepare what chapters read, the rules again among it", sum(rows.values()), seconds, memory)


def against_pandas(folder: Path) -> Row:
    """The row and window rules over all of London's records: ours, and the same in pandas, from the files to counts by
    trust, PCT and month, pounds at stake, and the records that break each rule.
    """
    rules = tuple(rule for rule in load_rules(params_dir()) if rule.is_of_records)
    practices = pd.read_parquet(folder / "practices.parquet")
    references = load_reference_data(data_dir(), practices)
    files = {feed: sorted((folder / feed).glob("*.parquet")) for feed in FEEDS}
    started = time.perf_counter()
    connection = ibis.duckdb.connect()
    tables = {}
    for feed, paths in files.items():
        table = connection.read_parquet(paths)
        tables[feed] = table.mutate(month=table[pandas_rules.MONTH_OF[feed]].strftime("%Y-%m"))
    check_records(tables, references, rules)
    ours = time.perf_counter() - started
    started = time.perf_counter()
    # One PCT after another: all at once would take pandas more memory than this machine may have.
    for feed, paths in files.items():
        for path in paths:
            _check_in_pandas(feed, _as_pandas(feed, path), references, rules)
    theirs = time.perf_counter() - started
    ratio = theirs / ours
    rows = sum(_rows(path) for paths in files.values() for path in paths)
    measured = f"{ratio:.1f} times: {ours:.1f} s against {theirs:.1f} s, {rows:,} rows"
    return Row("the rules against the same in pandas", "10 times faster", measured, ratio >= FASTER_THAN_PANDAS)


def _check_in_pandas(
    feed: str, frame: pd.DataFrame, references: ReferenceData, rules: Sequence[QualityRule]
) -> tuple[pd.DataFrame, ...]:
    """What our check gives too: records that break each rule and their price, by place; and those records themselves.

    Only the way to a price is shorter here: one for each HRG.
    """
    found = pandas_rules.failures(feed, frame, references)
    told = {rule.id: rule for rule in rules if rule.id in found}
    shown = {
        name: frame.loc[found[name], list(dict.fromkeys(["cds_unique_identifier", *rule.fields]))]
        for name, rule in told.items()
        if not rule.is_only_counted
    }
    values = pd.DataFrame()
    if feed == "apc":
        price = frame["hrg_code"].map(references.hrgs.set_index("hrg_code")["elective"]).fillna(0)
        priced = {name: price * found[name] for name, rule in told.items() if rule.value == "price"}
        values = pandas_rules.counts(frame, priced)
    return pandas_rules.counts(frame, found), values, pd.concat(shown)


def _as_pandas(feed: str, path: Path) -> pd.DataFrame:
    """The records as an analyst has them in pandas: text as text, dates as dates."""
    table = pq.read_table(path)
    plain = [field.type.value_type if pa.types.is_dictionary(field.type) else field.type for field in table.schema]
    frame = table.cast(pa.schema(zip(table.column_names, plain, strict=True))).to_pandas(date_as_object=False)
    return frame.assign(month=frame[pandas_rules.MONTH_OF[feed]].dt.strftime("%Y-%m"))


def _home_in(work: Path) -> Path:
    """The checkout's home with tables of its own prepared from records."""
    folder = work / "home"
    (folder / "data").mkdir(parents=True, exist_ok=True)
    for name in ["params", "notebooks", *(f"data/{path.name}" for path in data_dir().iterdir())]:
        if not (folder / name).exists():
            (folder / name).symlink_to(home() / name)
    return folder


def _rows(path: Path) -> int:
    import pyarrow.parquet as pq

    return pq.read_metadata(path).num_rows


def _run(environment: dict[str, str], *command: str) -> tuple[float, int]:
    started = time.perf_counter()
    its = {**os.environ, **environment}
    with (
        subprocess.Popen([CBS, *command], env=its, stdout=subprocess.DEVNULL) as process,
        _most_memory(process.pid) as most,
    ):
        status = process.wait()
    if status:
        sys.exit(f"cbs {' '.join(command[:3])} ended with {status}")
    return time.perf_counter() - started, most["tree"]


@contextmanager
def _most_memory(pid: int) -> Iterator[dict[str, int]]:
    most, ended = {"tree": 0}, threading.Event()

    def watch() -> None:
        while not ended.wait(SECONDS_A_SAMPLE):
            most["tree"] = max(most["tree"], _tree(pid))

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield most
    finally:
        ended.set()
        watcher.join()


def _tree(pid: int) -> int:
    """Bytes that a process and those below it hold, those that they share counted once."""
    try:
        parent = psutil.Process(pid)
        return sum(process.memory_full_info().pss for process in [parent, *parent.children(recursive=True)])
    except psutil.Error:
        return 0


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument(
        "sizes", nargs="*", type=float, default=[1.0], help="how many times London; 1 where none is given"
    )
    rows: list[Row] = []
    for size in parser.parse_args(arguments).sizes or [1.0]:
        with tempfile.TemporaryDirectory(prefix="cbs-bench-") as name:
            for step in steps(Path(name), size):
                rows.append(step.row(size))
                print(rows[-1].what, rows[-1].measured, flush=True)
            if size == 1:
                rows.append(against_pandas(Path(name) / "build" / "synthetic"))
    keep("records", rows)


if __name__ == "__main__":
    main()
