"""The files of one provider after a submission: its months read, merged with the rows that were sent, and written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from cbs_analysis.records.feeds import Feed
from cbs_analysis.records.manifest import Part
from cbs_analysis.records.merging import LOADED, NOT_THERE, RECORD_CLOSED, REPLACED, by_month, merge
from cbs_analysis.records.quarantine import LONGEST_RAW, Refusals, Refused
from cbs_analysis.records.reading import LONGEST_CODE
from cbs_analysis.records.store import Store, stored_schema
from cbs_analysis.records.typed_rows import FILE_ID, IS_DELETE, MONTH, NO_MONTH, ROW_NUMBER, month_name, month_number

WHY = {
    NOT_THERE: ("no such record", "a delete of a record that is not there; send what was inserted before"),
    RECORD_CLOSED: ("its record is in a closed month", "its record is in a month that is closed, and stays as it is"),
}


@dataclass
class Result:
    """What a submission made of one provider: counts, all of its files, those written, and, by month, the rows that
    came to stand with the file that they are in.
    """

    provider: str
    loaded: int
    replaced: int
    removed: int
    parts: dict[str, Part]
    months: dict[str, tuple[int, str]] = field(default_factory=dict)
    written: list[Path] = field(default_factory=list)
    late: list[tuple[str, Refused]] = field(default_factory=list)

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
    feed: Feed
    bulk: bool
    file_names: Mapping[int, str]

    def result(self, provider: str, sent: pa.Table) -> Result:
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
        result = Result(provider, int(became[LOADED]), int(became[REPLACED]), merged.removed, before)
        if became[NOT_THERE] or became[RECORD_CLOSED]:
            result.late = self._late(rows, merged.became)
        self._write(result, rows, np.flatnonzero(merged.stands), months, old_months, merged.kept)
        return result

    def _write(
        self, result: Result, rows: pa.Table, standing: NDArray, months: NDArray, old_months: NDArray, kept: NDArray
    ) -> None:  # fmt: skip
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
            result.parts[name] = Part(file, table.num_rows, size)
            result.written.append(folder / file)
            if month in slices:
                result.months[name] = (slices[month].num_rows, file)

    def _kept(self, result: Result, month: str, kept: NDArray) -> pa.Table | None:
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

    def _old(self, provider: str, parts: Mapping[str, Part]) -> tuple[pa.Array, NDArray]:
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

    def _late(self, rows: pa.Table, became: NDArray) -> list[tuple[str, Refused]]:
        """Refused rows, as the feed has them, since what stood in the file is no longer at hand."""
        found = []
        for at in np.flatnonzero(became >= NOT_THERE).tolist():
            row = rows.slice(at, 1).to_pylist()[0]
            reason, said = WHY[int(became[at])]
            raw = self.feed.delimiter.join("" if row[name] is None else str(row[name]) for name in self.feed.by_name)
            detail = f"{self.feed.key} {row[self.feed.key]}: {said}"
            found.append((self.file_names[row[FILE_ID]], Refused(row[ROW_NUMBER], reason, detail, raw[:LONGEST_RAW])))
        return found
