"""A submission's rows by provider, merged with the records that the store has of each, and written.

Rows are kept by provider: in memory while they are few, else in files beside the store. A record is known by its key
within its provider, whatever its month. Rows of a submission count in the order in which they were sent, and the last
of a key stands. A record in a closed month is not touched.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Condition, Lock

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from cbs_analysis.records.feeds import PROVIDER, RecordFeed
from cbs_analysis.records.quarantine import LONGEST_RAW, Refusals, RefusedRow
from cbs_analysis.records.store import Store, StoredFile, stored_schema
from cbs_analysis.records.submitted_files import LONGEST_CODE
from cbs_analysis.records.typed_rows import FILE_ID, IS_DELETE, MONTH, NO_MONTH, ROW_NUMBER, month_name, month_number

MOST_IN_MEMORY = 128 << 20
"""Bytes."""
Place = tuple[int, int]
"""A lot's file, and its own number in the file."""


@dataclass
class SubmittedRows:
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


class RowLimit:
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


Mask = NDArray[np.bool_]
Numbers = NDArray[np.int64]

LOADED, REPLACED, NOT_THERE, RECORD_CLOSED = 0, 1, 2, 3
"""What became of a row: a new record; took a record's place, or took it away, or gave way to a later row; refused."""


@dataclass(frozen=True)
class MergeResult:
    """`became`: of each row, one of the four. `stands`: whether the row is in the store from here on. `kept`: of each
    record in the store, whether it stays. `removed`: records that the store has no longer, under any row.
    """

    became: NDArray[np.int8]
    stands: Mask
    kept: Mask
    removed: int


def merge(
    keys: pa.Array, months: NDArray[np.int32], deletes: Mask, old_keys: pa.Array, old_months: NDArray[np.int32],
    closed: Collection[int], bulk: bool,
) -> MergeResult:  # fmt: skip
    """What a submission's rows do to the records of one provider.

    `keys`, `months` and `deletes` have an entry a row, in order; `old_keys`, each once, and `old_months` an entry a
    record. In bulk, the records of a month that any row is of are replaced whole.
    """
    codes, old_codes = _numbered(keys, old_keys)
    size = int(max(codes.max(initial=-1), old_codes.max(initial=-1))) + 1
    in_store, is_closed = np.zeros(size, bool), np.zeros(size, bool)
    in_store[old_codes] = True
    if closed and len(old_codes):
        is_closed[old_codes[np.isin(old_months, list(closed))]] = True
    became, stands = _sequence(codes, deletes, in_store, is_closed[codes])
    touched = np.zeros(size, bool)
    touched[codes[became <= REPLACED]] = True
    kept = ~touched[old_codes]
    still = np.zeros(size, bool)
    still[codes[stands]] = True
    gone = in_store & touched & ~still
    removed = int(gone.sum())
    if bulk and len(old_codes):
        whole = np.isin(old_months, np.unique(months[became <= REPLACED]))
        removed += int((kept & whole).sum())
        kept &= ~whole
    return MergeResult(became, stands, kept, removed)


def _sequence(codes: Numbers, deletes: Mask, in_store: Mask, is_closed: Mask) -> tuple[NDArray[np.int8], Mask]:
    """What becomes of each row, row after row of one key."""
    became = np.full(len(codes), REPLACED, dtype=np.int8)
    became[is_closed] = RECORD_CLOSED
    stands = np.zeros(len(codes), bool)
    open_rows = np.flatnonzero(~is_closed)
    order = open_rows[np.argsort(codes[open_rows], kind="stable")]
    same = codes[order[1:]] == codes[order[:-1]]
    is_first = np.concatenate([[True], ~same])[: len(order)]
    is_last = np.concatenate([~same, [True]])[-len(order) :] if len(order) else is_first
    before = np.concatenate([[False], ~deletes[order[:-1]]])[: len(order)]
    is_there = np.where(is_first, in_store[codes[order]], before)
    became[order[deletes[order] & ~is_there]] = NOT_THERE
    last = order[is_last & ~deletes[order]]
    stands[last] = True
    became[last[~in_store[codes[last]]]] = LOADED
    return became, stands


def _numbered(keys: pa.Array, old_keys: pa.Array) -> tuple[Numbers, Numbers]:
    """Each key as a number, the same for the same key."""
    together = pa.concat_arrays([old_keys, keys]).dictionary_encode()
    numbers = together.indices.to_numpy().astype(np.int64)
    return numbers[len(old_keys) :], numbers[: len(old_keys)]


def by_month(months: NDArray[np.int32]) -> Mapping[int, Numbers]:
    """The places of each month's entries, in order."""
    if not len(months):
        return {}
    order = np.argsort(months, kind="stable")
    found, starts = np.unique(months[order], return_index=True)
    return {int(month): places for month, places in zip(found, np.split(order, starts[1:]), strict=True)}


WHY = {
    NOT_THERE: ("no such record", "a delete of a record that is not there; send what was inserted before"),
    RECORD_CLOSED: ("its record is in a closed month", "its record is in a month that is closed, and stays as it is"),
}


@dataclass
class ProviderResult:
    """What a submission made of one provider: counts, all of its files, those written, and, by month, the rows that
    came to stand with the file that they are in.
    """

    provider: str
    loaded: int
    replaced: int
    removed: int
    parts: dict[str, StoredFile]
    months: dict[str, tuple[int, str]] = field(default_factory=dict)
    written: list[Path] = field(default_factory=list)
    late: list[tuple[str, RefusedRow]] = field(default_factory=list)

    def refused(self, staging: Path) -> Refusals:
        """Rows that could be read, and that the records in the store do not allow."""
        refusals = Refusals(staging / "late")
        for file, each in self.late:
            refusals.add(file, [each])
        return refusals


@dataclass(frozen=True)
class ProviderMerge:
    """Merges one provider at a time; providers share nothing, so several may be merged at once."""

    store: Store
    feed: RecordFeed
    bulk: bool
    file_names: Mapping[int, str]

    def result(self, provider: str, sent: pa.Table) -> ProviderResult:
        """`sent` are the provider's readable rows in the order in which they were sent."""
        rows = sent.unify_dictionaries().combine_chunks()
        del sent  # of a large provider memory for one copy alone
        months = rows[MONTH].to_numpy()
        before = dict(self.store.manifest.feeds.get(self.feed.name, {}).get(provider, {}))
        old_keys, old_months = self._old(provider, before)
        closed = [month_number(name) for name in self.store.closed_months]
        deletes = rows[IS_DELETE].to_numpy()
        merged = merge(self._keys(rows), months, deletes, old_keys, old_months, closed, self.bulk)
        became = np.bincount(merged.became, minlength=4)
        result = ProviderResult(provider, int(became[LOADED]), int(became[REPLACED]), merged.removed, before)
        if became[NOT_THERE] or became[RECORD_CLOSED]:
            result.late = self._late(rows, merged.became)
        self._write(result, rows, np.flatnonzero(merged.stands), months, old_months, merged.kept)
        return result

    def _write(
        self,
        result: ProviderResult,
        rows: pa.Table,
        standing: NDArray,
        months: NDArray,
        old_months: NDArray,
        kept: NDArray,
    ) -> None:
        """Write every month that changes, and leave out those in which nothing is left."""
        new = by_month(months[standing])
        in_order = np.concatenate(list(new.values())) if new else standing[:0]
        is_in_order = len(in_order) == rows.num_rows and bool((np.diff(in_order) == 1).all())
        in_months = rows if is_in_order else rows.take(pa.array(standing[in_order]))
        start = 0
        slices = {}
        for month, places in new.items():
            slices[month] = in_months.slice(start, len(places))
            start += len(places)
        for month in sorted({*new, *np.unique(old_months[~kept]).tolist()}):
            name = "" if month == NO_MONTH else month_name(month)
            old = self._kept(result, name, kept[old_months == month])
            table = self._stored(slices.get(month), old, name)
            if table.num_rows == 0:
                result.parts.pop(name)
                continue
            folder = self.store.part_folder(self.feed.name, result.provider, name)
            file, size = self.store.put(folder, self._as_parquet(table))
            result.parts[name] = StoredFile(file, table.num_rows, size)
            result.written.append(folder / file)
            if month in slices:
                result.months[name] = (slices[month].num_rows, file)

    def _kept(self, result: ProviderResult, month: str, kept: NDArray) -> pa.Table | None:
        """The records of a month that stay."""
        if not kept.any():
            return None
        path = self.store.path(self.feed.name, result.provider, month, result.parts[month])
        table = pq.ParquetFile(path, pre_buffer=False).read(use_threads=False)
        return table if kept.all() else table.filter(pa.array(kept))

    def _stored(self, new: pa.Table | None, old: pa.Table | None, month: str) -> pa.Table:
        schema = stored_schema(self.feed)
        tables = [schema.empty_table()] if old is None else [old.cast(schema)]
        if new is not None:
            named = new.drop_columns([MONTH, IS_DELETE])
            if month:
                named = named.add_column(len(self.feed.fields), MONTH, pa.repeat(month, new.num_rows))
            tables.append(named.cast(schema))
        return pa.concat_tables(tables)

    def _as_parquet(self, table: pa.Table) -> pa.Buffer:
        """Lists of words only where words come again, and limits only of numbers and days: both take time to make."""
        sink = pa.BufferOutputStream()
        unlike = [field.name for field in self.feed.fields if (field.longest or 0) > LONGEST_CODE]
        numbers = [field.name for field in table.schema if not pa.types.is_string(field.type)]
        pq.write_table(
            table, sink, compression="zstd", compression_level=1, store_schema=False, write_statistics=numbers,
            use_dictionary=[name for name in table.column_names if name not in (*unlike, ROW_NUMBER)],
        )  # fmt: skip
        return sink.getvalue()

    def _old(self, provider: str, parts: Mapping[str, StoredFile]) -> tuple[pa.Array, NDArray]:
        """The key and the month of each record of the provider."""
        keys, months = [pa.array([], pa.string())], [np.array([], dtype=np.int32)]
        for month, part in parts.items():
            path = self.store.path(self.feed.name, provider, month, part)
            found = pq.ParquetFile(path, pre_buffer=False).read([self.feed.key], use_threads=False).column(0)
            keys += found.chunks
            months.append(np.full(len(found), month_number(month) if month else NO_MONTH, dtype=np.int32))
        return pa.concat_arrays(keys), np.concatenate(months)

    def _keys(self, rows: pa.Table) -> pa.Array:
        return rows[self.feed.key].combine_chunks().cast(pa.string())

    def _late(self, rows: pa.Table, became: NDArray) -> list[tuple[str, RefusedRow]]:
        """Refused rows, as the feed has them, since what stood in the file is no longer at hand."""
        found = []
        for at in np.flatnonzero(became >= NOT_THERE).tolist():
            row = rows.slice(at, 1).to_pylist()[0]
            reason, said = WHY[int(became[at])]
            raw = self.feed.delimiter.join("" if row[name] is None else str(row[name]) for name in self.feed.by_name)
            detail = f"{self.feed.key} {row[self.feed.key]}: {said}"
            found.append(
                (self.file_names[row[FILE_ID]], RefusedRow(row[ROW_NUMBER], reason, detail, raw[:LONGEST_RAW]))
            )
        return found
