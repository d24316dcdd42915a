"""Files that are whole or absent: nothing under `build/` is ever seen half written, whatever is stopped
when.
"""

import json
import os
import tempfile
import time
from collections.abc import Iterable
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path


def write_atomically(path: Path, content: str | bytes) -> None:
    """Put `content` at `path` in one step, and have it on the disk before returning: readers see the old file or the
    new one, never a part, even after a power cut.

    Makes the folder where it is missing. Raises OSError, with nothing left behind, where it cannot be written.
    """
    written = content.encode("utf-8") if isinstance(content, str) else content
    make_folder(path.parent)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent)
    draft = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(written)
            file.flush()
            os.fsync(handle)
        draft.chmod(0o666 & ~_umask())
        draft.replace(path)
    except BaseException:
        with suppress(OSError):
            draft.unlink()
        raise
    keep_name(path.parent)


def make_folder(folder: Path) -> None:
    """Have a folder, and those it lies in, with their names on the disk."""
    if not folder.is_dir():
        make_folder(folder.parent)
        folder.mkdir(exist_ok=True)
        keep_name(folder.parent)


def digest(*values: object, files: Iterable[Path] = ()) -> str:
    """A short digest of values, the same in any order of keys, and of what files hold with their names.

    Values are bytes, or what JSON can write. Raises TypeError where one is neither, OSError where a file cannot be
    read.
    """
    written = json.dumps(values, sort_keys=True, default=_digest_of_bytes)
    digested = blake2b(written.encode(), digest_size=12)
    for path in files:
        digested.update(f"\0{path.name}\0{_digest_of_bytes(path.read_bytes())}".encode())
    return digested.hexdigest()


def digest_of_files(files: Iterable[Path], *values: object) -> str:
    return digest(*values, files=files)


def _digest_of_bytes(value: object) -> str:
    if not isinstance(value, bytes):
        raise TypeError(f"{type(value).__name__} has no digest")
    return blake2b(value, digest_size=12).hexdigest()


def stamp(path: Path) -> tuple[int, ...]:
    """What every write to a file changes, even one that puts its old content back: inode, size, and the times of its
    last change and last write in nanoseconds. Empty where there is no file.
    """
    try:
        found = path.stat()
    except OSError:
        return ()
    return found.st_ino, found.st_size, found.st_ctime_ns, found.st_mtime_ns


def remove_drafts(folder: Path, older_than: float = 0.0) -> None:
    """Remove what writers that were killed left in a folder and the folders in it, so many seconds ago or more."""
    for draft in folder.glob("**/.*.tmp"):
        with suppress(OSError):
            if draft.stat().st_mtime <= time.time() - older_than:
                draft.unlink()


def keep_name(folder: Path) -> None:
    """Have the folder's list of names on the disk too, where a folder can be opened."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _umask() -> int:
    """The process's mask, which can only be read by setting it."""
    mask = os.umask(0o022)
    os.umask(mask)
    return mask
