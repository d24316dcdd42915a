"""A small feed, submissions of it, and what a store holds, for the tests of the record warehouse."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from cbs_analysis.records.store import Store
from cbs_analysis.records.submissions import ImportOutcome, import_files

MEMORY = Path("/dev/shm")

VISITS = """
title: Visits
record: visit
key: cds_unique_identifier
month_of: visit_date
delimiter: ","
encoding: utf-8
dates: ["%Y-%m-%d"]
fields:
  - {name: cds_unique_identifier, type: text, required: true, longest: 12, means: Key}
  - {name: provider_code, type: text, required: true, longest: 5, means: Trust}
  - {name: age, type: integer, means: Years}
  - {name: visit_date, type: date, required: true, means: Day}
  - {name: hrg_code, type: text, longest: 5, means: Group}
"""
PRACTICES = """
title: Practices
record: practice
key: gp_practice_code
fields:
  - {name: gp_practice_code, type: text, required: true, longest: 6, means: Practice}
  - {name: pct_code, type: text, required: true, longest: 5, means: PCT}
"""
OWN = """
title: Visits, as a trust extracts them
feed: visits
delimiter: ";"
encoding: cp1252
dates: ["%d/%m/%Y"]
columns:
  - {name: Number, field: cds_unique_identifier}
  - {name: Remark, field: null}
  - {name: Day, field: visit_date}
  - {name: Group, field: hrg_code, values: {none: ""}}
constants: {provider_code: RJZ}
"""
HEADER = "cds_unique_identifier,provider_code,age,visit_date,hrg_code"
NET_HEADER = f"record_action,{HEADER}"


def make_params(folder: Path) -> Path:
    (folder / "feeds").mkdir(parents=True)
    for name, text in (("visits", VISITS), ("practices", PRACTICES), ("own", OWN)):
        (folder / "feeds" / f"{name}.yml").write_text(text)
    return folder


@contextmanager
def fast_folder() -> Iterator[Path]:
    """A folder that is gone afterwards, in memory where there is such a place: many small writes are slow on a disk."""
    folder = Path(tempfile.mkdtemp(prefix="cbs-test-", dir=MEMORY if MEMORY.is_dir() else None))
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


def write(path: Path, rows: Sequence[str], header: str | None = HEADER) -> Path:
    path.write_text("".join(f"{line}\n" for line in ([header] if header else []) + list(rows)))
    return path


def send(
    store: Store, params: Path, path: Path, rows: Sequence[str] | None = None, protocol: Any = "bulk", **more: Any
) -> ImportOutcome:
    """Import one file of visits, written first where its rows are given."""
    if rows is not None:
        write(path, rows, NET_HEADER if protocol == "net" else HEADER)
    return import_files(store, more.pop("feed", "visits"), [path], protocol=protocol, params=params, **more)


def held(store: Store, feed: str = "visits") -> list[dict[str, Any]]:
    """Every record of the store, as a reader of it alone would find them."""
    fresh = Store(store.folder)
    return [
        row
        for path in fresh.files(feed)
        for row in pq.ParquetFile(path, pre_buffer=False).read(use_threads=False).to_pylist()
    ]


def keys(store: Store) -> set[tuple[str, str, str]]:
    """Provider, key and month of every record; a record that stands twice fails."""
    rows = [(row["provider_code"], row["cds_unique_identifier"], row["month"]) for row in held(store)]
    assert len({row[:2] for row in rows}) == len(rows)
    return set(rows)


def contents(folder: Path) -> dict[str, bytes]:
    """The manifest of a store and every file that it names, by its path."""
    store = Store(folder)
    files = [path for feed in store.manifest.feeds for path in store.files(feed)]
    files += [path for path in folder.glob("quarantine/*") if path.name in store.manifest.written().decode()]
    return {str(path.relative_to(folder)): path.read_bytes() for path in [*folder.glob("manifest.json"), *files]}


def adds_up(outcome: ImportOutcome) -> bool:
    return outcome.sent == outcome.loaded + outcome.replaced + outcome.quarantined
