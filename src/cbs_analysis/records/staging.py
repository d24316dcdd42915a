"""Rows on their way into the store, kept by provider: in memory while they are few, else in files beside the store.

However many rows a submission has, those of one provider can be had together and in the order in which they were sent.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Condition, Lock

import numpy as np
import pyarrow as pa

from cbs_analysis.records.feeds import PROVIDER

MOST_IN_MEMORY = 128 << 20
"""Bytes."""
Place = tuple[int, int]
"""A lot's file, and its own number in the file."""


@dataclass
class Runs:
    """Lots of rows, each sorted by provider. May be added to from several threads."""

    folder: Path
    parts: dict[str, list[tuple[Place, _Batch]]] = field(default_factory=lambda: defaultdict(list))
    held: int = 0
    lock: Lock = field(default_factory=Lock)

    def add(self, place: Place, table: pa.Table) -> None:
        """The readable rows of one lot, as `typed_rows.typed` gives them."""
        if table.num_rows == 0:
            return
        groups = _by_provider(table.unify_dictionaries().combine_chunks())
        size = sum(batch.nbytes for _, batch in groups)
        with self.lock:
            stays = self.held + size <= MOST_IN_MEMORY
            self.held += size if stays else 0
        found = [_Batch(batch=batch) for _, batch in groups] if stays else self._spilt(place, [b for _, b in groups])
        with self.lock:
            for (provider, _), batch in zip(groups, found, strict=True):
                self.parts[provider].append((place, batch))

    def providers(self) -> list[str]:
        """Most rows first, so that none of many is left for the end."""
        return sorted(self.parts, key=lambda provider: (-self.rows(provider), provider))

    def rows(self, provider: str) -> int:
        return sum(part.rows for _, part in self.parts[provider])

    def take(self, provider: str) -> pa.Table:
        """The provider's rows in the order in which they were sent. They are given once."""
        parts = sorted(self.parts.pop(provider), key=lambda part: part[0])
        batches = [part.read(self.lock) for _, part in parts]
        return pa.Table.from_batches(batches)

    def _spilt(self, place: Place, batches: Iterable[pa.RecordBatch]) -> list[_Batch]:
        path = self.folder / f"{place[0]}-{place[1]}.arrow"
        rows = []
        with pa.OSFile(str(path), "wb") as sink:
            writer = None
            for batch in batches:
                writer = writer or pa.ipc.new_file(sink, batch.schema)
                writer.write_batch(batch)
                rows.append(len(batch))
            if writer:
                writer.close()
        file = _File(path)
        return [_Batch(file=file, number=number, size=size) for number, size in enumerate(rows)]


@dataclass
class _File:
    path: Path
    reader: pa.RecordBatchFileReader | None = None

    def batch(self, number: int) -> pa.RecordBatch:
        if self.reader is None:
            self.reader = pa.ipc.open_file(pa.OSFile(str(self.path)))
        return self.reader.get_batch(number)


@dataclass
class _Batch:
    """One provider's rows of one lot, in memory or in a file."""

    batch: pa.RecordBatch | None = None
    file: _File | None = None
    number: int = 0
    size: int = 0

    @property
    def rows(self) -> int:
        return len(self.batch) if self.batch is not None else self.size

    def read(self, lock: Lock) -> pa.RecordBatch:
        if self.batch is not None:
            return self.batch
        assert self.file is not None
        with lock:
            return self.file.batch(self.number)


class Room:
    """Room for so many rows at once in several threads; more than that alone, so that none waits for ever."""

    def __init__(self, rows: int) -> None:
        self._most, self._held = rows, 0
        self._changed = Condition()

    @contextmanager
    def held(self, rows: int) -> Iterator[None]:
        with self._changed:
            self._changed.wait_for(lambda: not self._held or self._held + rows <= self._most)
            self._held += rows
        try:
            yield
        finally:
            with self._changed:
                self._held -= rows
                self._changed.notify_all()


def _by_provider(table: pa.Table) -> list[tuple[str, pa.RecordBatch]]:
    """Rows of each provider in their order; all under "" where the feed has no providers."""
    if PROVIDER not in table.column_names:
        return [("", table.to_batches()[0])]
    codes = table[PROVIDER].chunk(0)
    places = codes.indices.to_numpy()
    counts = np.bincount(places, minlength=len(codes.dictionary))
    present = np.flatnonzero(counts)
    if len(present) > 1:
        table = table.take(pa.array(np.argsort(places, kind="stable")))
    batch = table.combine_chunks().to_batches()[0]
    ends = np.cumsum(counts[present])
    return [
        (codes.dictionary[int(code)].as_py(), batch.slice(int(end - counts[code]), int(counts[code])))
        for code, end in zip(present, ends, strict=True)
    ]
