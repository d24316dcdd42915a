"""Rows that were refused: from which file and line, why, and what stood there, for the sender to put right."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

LONGEST_RAW = 2_000
"""Characters kept of what stood in the file."""
MOST_IN_MEMORY = 20_000
FIRST_SHOWN = 5
QUARANTINE_COLUMNS = pa.schema(
    [
        ("submission", pa.int32()),
        ("feed", pa.string()),
        ("file", pa.string()),
        ("row", pa.int64()),
        ("reason", pa.string()),
        ("detail", pa.string()),
        ("raw", pa.string()),
    ]
)


class RefusedRow(NamedTuple):
    """A row: its line of a CSV file or its row of a Parquet file, from 1; why, in the same words for all rows of one
    reason; what is wrong in this row, and what would be right; the row as it came.
    """

    row: int
    reason: str
    detail: str
    raw: str


class Refusals:
    """Refused rows in the order in which they were added, of which no more than a few are held in memory."""

    def __init__(self, spool: Path) -> None:
        self.spool = spool
        self.reasons: Counter[str] = Counter()
        self.first: list[tuple[str, RefusedRow]] = []
        self._held: list[tuple[str, RefusedRow]] = []
        self._spooled = 0

    @property
    def rows(self) -> int:
        return sum(self.reasons.values())

    def add(self, file: str, refused: Iterable[RefusedRow]) -> None:
        for each in refused:
            self.reasons[each.reason] += 1
            if len(self.first) < FIRST_SHOWN:
                self.first.append((file, each))
            self._held.append((file, each))
        if len(self._held) >= MOST_IN_MEMORY:
            self._spool()

    def extend(self, others: Refusals) -> None:
        """Those of another after these."""
        for batch in others.batches():
            self._take(batch)
        room = FIRST_SHOWN - len(self.first)
        self.first += others.first[:room]
        self.reasons.update(others.reasons)

    def batches(self) -> Iterator[list[tuple[str, RefusedRow]]]:
        for number in range(self._spooled):
            rows = pq.read_table(self._spool_file(number)).to_pylist()
            yield [(row["file"], RefusedRow(row["row"], row["reason"], row["detail"], row["raw"])) for row in rows]
        if self._held:
            yield self._held

    def write(self, path: Path, submission: int, feed: str) -> None:
        """Every refused row as one Parquet file of `QUARANTINE_COLUMNS`."""
        with pq.ParquetWriter(path, QUARANTINE_COLUMNS, compression="zstd", store_schema=False) as writer:
            for batch in self.batches():
                writer.write_table(as_table(batch, submission, feed))

    def _take(self, batch: list[tuple[str, RefusedRow]]) -> None:
        self._held += batch
        if len(self._held) >= MOST_IN_MEMORY:
            self._spool()

    def _spool(self) -> None:
        pq.write_table(as_table(self._held, 0, ""), self._spool_file(self._spooled), compression="zstd")
        self._spooled += 1
        self._held = []

    def _spool_file(self, number: int) -> Path:
        return self.spool.with_name(f"{self.spool.name}-{number}.parquet")


def as_table(rows: list[tuple[str, RefusedRow]], submission: int, feed: str) -> pa.Table:
    columns = {
        "submission": [submission] * len(rows),
        "feed": [feed] * len(rows),
        "file": [file for file, _ in rows],
        "row": [each.row for _, each in rows],
        "reason": [each.reason for _, each in rows],
        "detail": [each.detail for _, each in rows],
        "raw": [each.raw for _, each in rows],
    }
    return pa.table(columns, schema=QUARANTINE_COLUMNS)
