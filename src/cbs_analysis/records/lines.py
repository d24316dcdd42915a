"""The lines of a file that may be compressed, of any size and any content, in a memory that does not grow with it."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from hashlib import blake2b
from pathlib import Path
from typing import Literal

from cbs_analysis.errors import UserError

LONGEST_LINE = 1_000_000
"""Bytes of a line that may be a record. A longer one is no record, and is not kept."""
CHUNK = 4 << 20
MOST_LINES = 32_768
"""Lines given at a time."""
GZIP = b"\x1f\x8b"
PARQUET = b"PAR1"
OTHER_KINDS = {
    b"PK\x03\x04": "a zip archive or a workbook; unpack it, or save it as CSV",
    b"\xff\xfe": "written in UTF-16; save it as CSV in UTF-8",
    b"\xfe\xff": "written in UTF-16; save it as CSV in UTF-8",
}


def kind_of(path: Path) -> Literal["csv", "gzip", "parquet"]:
    """What a file is, by its first bytes. Raises UserError where it cannot be read or is none of these."""
    try:
        with path.open("rb") as file:
            first = file.read(4)
    except FileNotFoundError:
        raise UserError(f"{path}: no such file") from None
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}") from None
    if not first:
        raise UserError(f"{path}: is empty; records of a feed with a header are wanted")
    for mark, said in OTHER_KINDS.items():
        if first.startswith(mark):
            raise UserError(f"{path}: is {said}")
    if first == PARQUET:
        return "parquet"
    if path.suffix == ".parquet":
        raise UserError(f"{path}: is named as Parquet and is not; send it again, or name it as CSV")
    return "gzip" if first.startswith(GZIP) else "csv"


def digest_of(path: Path) -> str:
    """Of the file's bytes as they lie there."""
    digest = blake2b(digest_size=16)
    try:
        with path.open("rb") as file:
            while chunk := file.read(CHUNK):
                digest.update(chunk)
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}") from None
    return digest.hexdigest()


def lines_of(path: Path) -> Iterator[list[bytes]]:
    """The lines in order, without their line feeds, many at a time.

    Of a line longer than `LONGEST_LINE` the first `LONGEST_LINE` + 1 bytes are given. Raises UserError where
    the file is cut off or damaged, which is known only where it ends.
    """
    rest = b""
    for chunk in _chunks(path):
        parts = (rest + chunk).split(b"\n")
        rest = parts.pop()
        rest = rest[: LONGEST_LINE + 1]
        for start in range(0, len(parts), MOST_LINES):
            yield [part[: LONGEST_LINE + 1] for part in parts[start : start + MOST_LINES]]
    if rest:
        yield [rest]


def _chunks(path: Path) -> Iterator[bytes]:
    is_gzip = kind_of(path) == "gzip"
    sort = "compressed by gzip, and cut off or damaged" if is_gzip else "cannot be read"
    try:
        with gzip.GzipFile(path) if is_gzip else path.open("rb") as stream:
            while chunk := stream.read(CHUNK):
                yield chunk
    except (EOFError, zlib.error, gzip.BadGzipFile):
        raise UserError(f"{path}: is {sort}; send it again") from None
    except OSError as error:
        raise UserError(f"{path}: {sort}: {error.strerror}") from None
