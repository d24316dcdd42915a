"""The record store: Parquet files by feed, provider and month, and the one manifest that says which of them count.

New files are written beside the old under names made from their content, then the manifest is replaced in one step:
whatever is stopped when, the store is as before or as after. Files that no manifest names go at the next write.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pyarrow as pa
import pyarrow.parquet as pq
from filelock import FileLock, Timeout

from cbs_analysis.errors import DataError, UserError
from cbs_analysis.files import keep_name, make_folder, write_atomically
from cbs_analysis.home import params_dir
from cbs_analysis.records.feeds import Feed, load_feed
from cbs_analysis.records.manifest import Manifest, Part, Submission, read_manifest
from cbs_analysis.records.quarantine import COLUMNS as QUARANTINE_COLUMNS
from cbs_analysis.tables.derived import MANIFEST

if TYPE_CHECKING:
    import pandas as pd

STAGING, LOCK, QUARANTINE = ".staging", ".lock", "quarantine"
FEW_FILES = 48
"""Files that are put on the disk one by one; more are put there all at once."""
TYPES = {"text": pa.string(), "integer": pa.int32(), "date": pa.date32()}
PRACTICES = pa.schema([("gp_practice_code", pa.string()), ("pct_code", pa.string())])


def stored_schema(feed: Feed) -> pa.Schema:
    """The columns of a feed's files: its fields, then month (text, YYYY-MM; not of a list), file_id, row_number."""
    fields = [(field.name, TYPES[field.type]) for field in feed.fields]
    month = [] if feed.is_list else [("month", pa.string())]
    return pa.schema([*fields, *month, ("file_id", pa.int32()), ("row_number", pa.int64())])


class Store:
    """A record store as it was when this object was made, or last wrote. Only `writing` changes it.

    Raises UserError where the folder holds something else, or a store of a newer version; DataError where its manifest
    is broken.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.manifest = read_manifest(folder)
        self._checked: Manifest | None = None

    @property
    def state(self) -> str:
        """A digest of what the store holds and how it came there: the same after the same submissions."""
        return blake2b(self.manifest.written(), digest_size=16).hexdigest()

    @property
    def is_synthetic(self) -> bool:
        """Whether anything in the store says of itself that it is made up."""
        return any(each.is_synthetic for each in self.manifest.submissions)

    @property
    def submissions(self) -> Sequence[Submission]:
        return self.manifest.submissions

    @property
    def closed_months(self) -> Sequence[str]:
        return self.manifest.closed

    def files(
        self, feed: str, providers: Collection[str] | None = None, months: Collection[str] | None = None
    ) -> list[Path]:
        """The files of a feed, or of some providers and months of it.

        Raises DataError where a file of the store is not as it was left.
        """
        self.check()
        return [
            self.path(feed, provider, month, part)
            for provider, month, part in self.manifest.parts(feed)
            if (providers is None or provider in providers) and (months is None or month in months)
        ]

    def rows(self, feed: str) -> int:
        return sum(part.rows for _, _, part in self.manifest.parts(feed))

    def table(self, feed: str, connection: Any) -> Any:
        """The records of a feed as an Ibis table of a connection to DuckDB or Spark; no rows where there are none."""
        import ibis

        files = [str(path) for path in self.files(feed)]
        if not files:
            return ibis.memtable(stored_schema(load_feed(feed, params_dir())).empty_table())
        if connection.name != "pyspark":
            return connection.read_parquet(files, hive_partitioning=False)
        # Ibis reads one path with Spark; Spark itself reads many, and takes no columns from the names of folders above.
        name = f"records_{feed}_{self.state}"
        connection._session.read.parquet(*files).createOrReplaceTempView(name)
        return connection.table(name)

    def practices(self) -> pd.DataFrame:
        """General practices: gp_practice_code, pct_code."""
        tables = [pq.read_table(path, columns=PRACTICES.names) for path in self.files("practices")]
        return pa.concat_tables([PRACTICES.empty_table(), *tables]).to_pandas()

    def received(self) -> pd.DataFrame:
        """What was sent, over all submissions, by feed: sent, loaded, replaced, quarantined."""
        import pandas as pd

        columns = ["feed", "sent", "loaded", "replaced", "quarantined"]
        rows = [(each.feed, each.sent, each.loaded, each.replaced, each.quarantined) for each in self.submissions]
        return pd.DataFrame(rows, columns=columns).groupby("feed", as_index=False).sum()

    def refused(self) -> pd.DataFrame:
        """Why rows were refused, over all submissions: feed, reason, rows."""
        import pandas as pd

        rows = [(each.feed, reason, rows) for each in self.submissions for reason, rows in each.reasons.items()]
        return pd.DataFrame(rows, columns=["feed", "reason", "rows"]).groupby(["feed", "reason"], as_index=False).sum()

    def quarantine(self) -> pa.Table:
        """Every row that was refused: submission, feed, file, row, reason, detail, raw."""
        self.check()
        names = [each.quarantine.file for each in self.submissions if each.quarantine is not None]
        tables = [pq.read_table(self.folder / QUARANTINE / name) for name in names]
        return pa.concat_tables([QUARANTINE_COLUMNS.empty_table(), *tables])

    def path(self, feed: str, provider: str, month: str, part: Part) -> Path:
        return self.part_folder(feed, provider, month) / part.file

    def part_folder(self, feed: str, provider: str, month: str) -> Path:
        folder = self.folder / f"feed={feed}"
        return folder / f"provider={quote(provider, safe='')}" / f"month={month}" if month else folder

    def check(self) -> None:
        """Raises DataError where a file that the manifest names is missing, or not of the size it had."""
        if self._checked is self.manifest:
            return
        for path, part in self._named():
            try:
                size = path.stat().st_size
            except OSError:
                size = -1
            if size != part.size:
                said = "is missing" if size < 0 else f"has {size:,} bytes where it had {part.size:,}"
                shown = path.relative_to(self.folder)
                raise DataError(
                    f"record store {self.folder}: {shown} {said}; "
                    "put it back from a copy, or remove the store and import again"
                )
        self._checked = self.manifest

    @contextmanager
    def writing(self) -> Iterator[Path]:
        """The right to change the store, for one process at a time, and a folder for what is not to last.

        The store is read anew. Raises UserError where another process writes, or nothing can be written; whatever
        fails, the store is as before.
        """
        try:
            make_folder(self.folder)
            lock = FileLock(self.folder / LOCK)
            lock.acquire(timeout=0)
        except Timeout:
            raise UserError(
                f"record store {self.folder}: another command is writing to it; wait until it has ended"
            ) from None
        except OSError as error:
            raise _not_written(self.folder, error) from None
        try:
            self.manifest = read_manifest(self.folder)
            self.check()
            self._remove_strays()
            staging = self.folder / STAGING
            staging.mkdir()
            try:
                yield staging
            finally:
                shutil.rmtree(staging, ignore_errors=True)
        except OSError as error:
            self._remove_strays()
            raise _not_written(self.folder, error) from None
        except BaseException:
            self._remove_strays()
            raise
        finally:
            lock.release()

    def put(self, folder: Path, content: bytes | pa.Buffer) -> tuple[str, int]:
        """Write a data file under a name made from its content, and give its name and size. It does not count yet."""
        name = f"{blake2b(content, digest_size=16).hexdigest()}.parquet"
        folder.mkdir(parents=True, exist_ok=True)
        draft = folder / f".{name}.tmp"
        with draft.open("wb") as file:
            file.write(content)
        draft.replace(folder / name)
        return name, len(content)

    def commit(self, manifest: Manifest, written: Sequence[Path]) -> None:
        """Have the files on the disk, then make the manifest that names them the one that counts."""
        _keep(written)
        write_atomically(self.folder / MANIFEST, manifest.written())
        self.manifest = self._checked = manifest

    def _named(self) -> Iterator[tuple[Path, Part]]:
        for feed in self.manifest.feeds:
            for provider, month, part in self.manifest.parts(feed):
                yield self.path(feed, provider, month, part), part
        for each in self.manifest.submissions:
            if each.quarantine is not None:
                yield self.folder / QUARANTINE / each.quarantine.file, each.quarantine

    def _remove_strays(self) -> None:
        """Remove what the manifest does not name: files that were replaced, and those of a write that was stopped."""
        named = {str(path) for path, _ in self._named()}
        with suppress(OSError):
            shutil.rmtree(self.folder / STAGING, ignore_errors=True)
            for pattern in ("feed=*", QUARANTINE):
                for top in self.folder.glob(pattern):
                    for root, _, names in os.walk(top):
                        for name in names:
                            if (path := f"{root}/{name}") not in named:
                                Path(path).unlink()
            for draft in self.folder.glob(f".{MANIFEST}.*.tmp"):
                draft.unlink()


def _keep(written: Sequence[Path]) -> None:
    """Have files, and their names, on the disk."""
    if len(written) > FEW_FILES:
        os.sync()
        return
    for path in written:
        with path.open("rb") as file:
            os.fsync(file.fileno())
    for folder in {ancestor for path in written for ancestor in list(path.parents)[:4]}:
        keep_name(folder)


def _not_written(folder: Path, error: OSError) -> UserError:
    said = os.strerror(error.errno) if error.errno else " ".join(str(error).split())
    hint = "; make room and import again" if "space" in said.lower() or "quota" in said.lower() else ""
    return UserError(f"record store {folder}: cannot be written: {said.lower()}{hint}; the store is as before")
