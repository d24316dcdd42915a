"""The manifest of a record store: which files hold its records, what was sent, and which months are closed."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

from cbs_analysis.errors import DataError, UserError
from cbs_analysis.tables.derived import FOLDER, MANIFEST

VERSION = 1
OURS = ("feed=", "quarantine", FOLDER, ".lock", ".staging", f".{MANIFEST}.")


class Part(NamedTuple):
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
    quarantine: Part | None = None


Parts = Mapping[str, Mapping[str, Part]]


@dataclass(frozen=True)
class Manifest:
    """`feeds`: of each feed its files by provider and month, both "" in a list."""

    feeds: Mapping[str, Parts] = field(default_factory=dict)
    submissions: Sequence[Submission] = ()
    closed: Sequence[str] = ()

    def parts(self, feed: str) -> Iterator[tuple[str, str, Part]]:
        """Provider, month and file, in that order."""
        for provider, months in sorted(self.feeds.get(feed, {}).items()):
            for month, part in sorted(months.items()):
                yield provider, month, part

    def with_submission(self, submission: Submission, feed: str, changed: Mapping[str, Mapping[str, Part]]) -> Manifest:
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
        feed: {provider: {month: Part(*part) for month, part in months.items()} for provider, months in parts.items()}
        for feed, parts in values["feeds"].items()
    }
    return Manifest(feeds, tuple(_submission(each) for each in values["submissions"]), tuple(values["closed"]))


def _submission(values: dict[str, Any]) -> Submission:
    given = dict(values)
    given["files"] = tuple(SentFile(*file) for file in given["files"])
    given["quarantine"] = None if given["quarantine"] is None else Part(*given["quarantine"])
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
