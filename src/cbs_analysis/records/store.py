"""The record store: Parquet files by feed, provider and month, and the one manifest that says which of them count.

New files are written beside the old under names made from their content, then the manifest is replaced in one step:
whatever is stopped when, the store is as before or as after. Files that no manifest names go at the next write.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import cached_property
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote

import pyarrow as pa
import pyarrow.parquet as pq
from filelock import FileLock, Timeout

from cbs_analysis.errors import DataError, UserError
from cbs_analysis.files import keep_name, make_folder, write_atomically
from cbs_analysis.home import params_dir
from cbs_analysis.records.feeds import RecordFeed, load_feed
from cbs_analysis.records.quarantine import QUARANTINE_COLUMNS
from cbs_analysis.tables.derived import FOLDER, MANIFEST

if TYPE_CHECKING:
    import pandas as pd


VERSION = 1
OURS = ("feed=", "quarantine", FOLDER, ".lock", ".staging", f".{MANIFEST}.")


class StoredFile(NamedTuple):
    """One file of the store: its name, which is a digest of its content; rows; bytes."""

    file: str
    rows: int
    size: int


class SentFile(NamedTuple):
    """One file that was sent: its number in the store, its name, a digest of its bytes, and its rows."""

    id: int
    name: str
    digest: str
    rows: int


@dataclass(frozen=True)
class Submission:
    """What was sent together, and what became of it. `months` are the rows that came to stand by provider and month;
    in bulk with the file that they made.
    """

    id: int
    feed: str
    mapping: str
    mapping_digest: str
    protocol: str
    files: tuple[SentFile, ...]
    sent: int
    loaded: int
    replaced: int
    quarantined: int
    removed: int
    reasons: Mapping[str, int]
    months: Mapping[str, Mapping[str, tuple[int, str]]]
    is_synthetic: bool
    quarantine: StoredFile | None = None


Parts = Mapping[str, Mapping[str, StoredFile]]


@dataclass(frozen=True)
class Manifest:
    """`feeds`: of each feed its files by provider and month, both "" in a list."""

    feeds: Mapping[str, Parts] = field(default_factory=dict)
    submissions: Sequence[Submission] = ()
    closed: Sequence[str] = ()

    def parts(self, feed: str) -> Iterator[tuple[str, str, StoredFile]]:
        """Provider, month and file, in that order."""
        for provider, months in sorted(self.feeds.get(feed, {}).items()):
            for month, part in sorted(months.items()):
                yield provider, month, part

    def with_submission(
        self, submission: Submission, feed: str, changed: Mapping[str, Mapping[str, StoredFile]]
    ) -> Manifest:
        """The manifest after a submission; `changed` has all files of the providers that it touched."""
        parts = {provider: months for provider, months in {**self.feeds.get(feed, {}), **changed}.items() if months}
        return replace(self, feeds={**self.feeds, feed: parts}, submissions=(*self.submissions, submission))

    @cached_property
    def file_ids(self) -> Mapping[str, int]:
        """The number of every file that was sent, by its digest."""
        return {file.digest: file.id for each in self.submissions for file in each.files}

    def written(self) -> bytes:
        feeds = {
            feed: {provider: dict(sorted(months.items())) for provider, months in sorted(parts.items())}
            for feed, parts in sorted(self.feeds.items())
        }
        values = {
            "version": VERSION,
            "feeds": feeds,
            "closed": list(self.closed),
            "submissions": [vars(each) for each in self.submissions],
        }
        return json.dumps(values, separators=(",", ":"), ensure_ascii=False).encode()


def read_manifest(folder: Path) -> Manifest:
    """The manifest of a store; an empty one where there is none yet.

    Raises UserError where the folder holds something else or a newer store, and DataError where it is broken.
    """
    path = folder / MANIFEST
    try:
        values = json.loads(path.read_bytes())
        version = values["version"]
        if isinstance(version, int) and version > VERSION:
            raise UserError(
                f"record store {folder}: of format {version}, and this version of cbs reads up to {VERSION}; "
                "update cbs, or name another folder in CBS_RECORDS"
            )
        return _manifest(values)
    except FileNotFoundError:
        _check_ours(folder)
        return Manifest()
    except OSError as error:
        raise UserError(f"record store {folder}: {MANIFEST} cannot be read: {error.strerror}") from None
    except (ValueError, KeyError, TypeError, AttributeError):
        raise DataError(
            f"record store {folder}: {MANIFEST} is broken; put it back from a copy, or remove the store, then import"
        ) from None


def _manifest(values: dict[str, Any]) -> Manifest:
    feeds = {
        feed: {
            provider: {month: StoredFile(*part) for month, part in months.items()} for provider, months in parts.items()
        }
        for feed, parts in values["feeds"].items()
    }
    return Manifest(feeds, tuple(_submission(each) for each in values["submissions"]), tuple(values["closed"]))


def _submission(values: dict[str, Any]) -> Submission:
    given = dict(values)
    given["files"] = tuple(SentFile(*file) for file in given["files"])
    given["quarantine"] = None if given["quarantine"] is None else StoredFile(*given["quarantine"])
    given["months"] = {
        provider: {month: (rows, file) for month, (rows, file) in months.items()}
        for provider, months in given["months"].items()
    }
    return Submission(**given)


def _check_ours(folder: Path) -> None:
    """A folder without a manifest may be new, or hold what a first import that was stopped left."""
    try:
        other = sorted(path.name for path in folder.iterdir() if not path.name.startswith(OURS))
    except FileNotFoundError:
        return
    except OSError as error:
        raise UserError(f"record store {folder}: cannot be read: {error.strerror}") from None
    if other:
        raise UserError(
            f"record store {folder}: holds {other[0]} and no {MANIFEST}; "
            "name a record store or a new folder in CBS_RECORDS"
        )


STAGING, LOCK, QUARANTINE = ".staging", ".lock", "quarantine"
FEW_FILES = 48
"""Files that are put on the disk one by one; more are put there all at once."""
TYPES = {"text": pa.string(), "integer": pa.int32(), "date": pa.date32()}
PRACTICES = pa.schema([("gp_practice_code", pa.string()), ("pct_code", pa.string())])


def stored_schema(feed: RecordFeed) -> pa.Schema:
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

    def path(self, feed: str, provider: str, month: str, part: StoredFile) -> Path:
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

    def _named(self) -> Iterator[tuple[Path, StoredFile]]:
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


def close_month(store: Store, month: str) -> None:
    """Close a month, YYYY-MM, for every feed and provider; what is there stays. Closing it again changes nothing.

    Raises UserError where it is no month, or the store cannot be written.
    """
    if not re.fullmatch(r"\d{4}-(0[1-9]|1[0-2])", month, re.ASCII):
        raise UserError(f"month: {month!r} is not a month; write it like 2010-03")
    with store.writing():
        if month not in store.closed_months:
            store.commit(replace(store.manifest, closed=sorted([*store.closed_months, month])), [])
