"""Machines made up for tests of what is on the disk: one that stops at a chosen moment, and one whose disk is full."""

import builtins
import errno
import io
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


def named(handle: int) -> Path:
    return Path(f"/proc/self/fd/{handle}").readlink()


class Crash(BaseException):
    """The machine stops here: nothing that comes after is done any more."""


class Machine:
    """A disk that stops at the nth moment that it could stop at. Where it lost its power, what was not made to stay
    is lost too: bytes that no fsync followed, and renamings that no fsync of the folder followed.
    """

    def __init__(self, folder: Path, stop_at: int) -> None:
        self.folder, self.stop_at = str(folder), stop_at
        self.moments: list[str] = []
        self.is_stopped = False
        self.synced: dict[int, bytes] = {}  # by inode
        self.written: dict[int, Path] = {}
        self.renamed: list[tuple[Path, bytes | None]] = []

    def moment(self, what: str) -> None:
        if self.is_stopped:
            raise Crash
        self.moments.append(what)
        if len(self.moments) == self.stop_at:
            self.is_stopped = True
            raise Crash(what)

    def is_ours(self, path: object) -> bool:
        return isinstance(path, str | os.PathLike) and os.fspath(path).startswith(self.folder)

    def lose_what_was_not_synced(self) -> None:
        for path, before in reversed(self.renamed):
            if before is None:
                path.unlink(missing_ok=True)
            else:
                path.write_bytes(before)
        for inode, path in self.written.items():
            if path.exists() and path.stat().st_ino == inode:
                path.write_bytes(self.synced.get(inode, b""))

    @contextmanager
    def running(self) -> Iterator[None]:
        with pytest.MonkeyPatch.context() as patch:
            for name in ("replace", "unlink", "mkdir", "chmod"):
                patch.setattr(os, name, self._whole(name, getattr(os, name)))
            patch.setattr(os, "fsync", self._fsync(os.fsync))
            patch.setattr(io, "open", self._opening(io.open))
            patch.setattr(builtins, "open", self._opening(builtins.open))
            patch.setattr(tempfile, "mkstemp", self._whole("mkstemp", tempfile.mkstemp))
            yield

    def _whole(self, name, real):
        def act(*arguments, **others):
            ours = any(map(self.is_ours, [*arguments, *others.values()]))
            if ours:
                self.moment(f"before {name}")
            if ours and name == "replace":
                target = Path(arguments[1])
                self.renamed.append((target, target.read_bytes() if target.exists() else None))
                self.written = {i: target if p == Path(arguments[0]) else p for i, p in self.written.items()}
            done = real(*arguments, **others)
            if ours:
                self.moment(f"after {name}")
            return done

        return act

    def _fsync(self, real):
        def act(handle):
            self.moment("before fsync")
            path = named(handle)
            real(handle)
            if path.is_dir():
                self.renamed = [(renamed, before) for renamed, before in self.renamed if renamed.parent != path]
            else:
                self.synced[path.stat().st_ino] = path.read_bytes()
            self.moment("after fsync")

        return act

    def _opening(self, real):
        def act(file, mode="r", *arguments, **others):
            path = named(file) if isinstance(file, int) else file
            if not self.is_ours(path) or not set(mode) & set("wax+"):
                return real(file, mode, *arguments, **others)
            if isinstance(file, int):
                return Slow(self, real(file, mode, buffering=0), Path(path))
            self.moment("before open")
            existed = Path(path).exists()
            opened = Slow(self, real(file, mode, buffering=0), Path(path))
            if existed:
                self.synced.setdefault(Path(path).stat().st_ino, Path(path).read_bytes())
            self.moment("after open")
            return opened

        return act


class Slow:
    """A file that takes its bytes in two parts, and may be cut off between them."""

    def __init__(self, machine: Machine, file, path: Path) -> None:
        self.machine, self.file = machine, file
        machine.written[os.fstat(file.fileno()).st_ino] = path

    def write(self, content: bytes) -> int:
        half = len(content) // 2
        self.machine.moment("before write")
        self.file.write(content[:half])
        self.machine.moment("half of write")
        self.file.write(content[half:])
        self.machine.moment("after write")
        return len(content)

    def flush(self) -> None:
        self.machine.moment("flush")

    def fileno(self) -> int:
        return self.file.fileno()

    def __enter__(self):
        return self

    def __exit__(self, *trace: object) -> None:
        self.file.close()


class Full:
    """A disk that takes no more bytes from the nth write on."""

    def __init__(self, file, left: list[int]) -> None:
        self.file, self.left = file, left

    def __getattr__(self, name):
        return getattr(self.file, name)

    def write(self, content: bytes) -> int:
        self.left[0] -= 1
        if self.left[0] < 0:
            self.file.write(content[:5])
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return self.file.write(content)

    def __enter__(self):
        return self

    def __exit__(self, *trace):
        self.file.close()
