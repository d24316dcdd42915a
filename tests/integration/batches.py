"""What the tests of whole batches share: `cbs` as a process, what it leaves behind, and processes by their mark."""

import json
import os
import subprocess
import sys
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil

EDITION = "2011-12"
MARK = "CBS_TEST_MARK"
SECONDS = 40


class Batch:
    """`cbs packs` at work on a home, with a mark that every process it starts inherits."""

    def __init__(self, home: Path, build: Path, *options: str, **environment: str) -> None:
        self.mark = uuid.uuid4().hex
        command = [sys.executable, "-c", "from cbs_analysis.cli import main; main()", "packs", *options]
        self.process = subprocess.Popen(
            command,
            env={**os.environ, "CBS_HOME": str(home), "CBS_BUILD": str(build), MARK: self.mark, **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def ended(self) -> tuple[int, str, str]:
        out, error = self.process.communicate(timeout=200)
        return self.process.returncode, out, error

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate(timeout=SECONDS)

    @property
    def left(self) -> list[psutil.Process]:
        """Processes that it started, itself aside, and that still run."""
        return [each for each in psutil.process_iter() if each.pid != self.process.pid and self._is_marked(each)]

    def _is_marked(self, process: psutil.Process) -> bool:
        try:
            is_dead = process.status() == psutil.STATUS_ZOMBIE
            return not is_dead and process.environ().get(MARK) == self.mark
        except psutil.Error:
            return False


def run_to_its_end(home: Path, build: Path, *options: str, **environment: str) -> str:
    status, out, error = Batch(home, build, *options, **environment).ended()
    assert status == 0, out + error
    return out


def until(holds: Callable[[], bool], what: str, seconds: float = SECONDS) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, f"not in {seconds} seconds: {what}"
        time.sleep(0.05)


def notebooks(build: Path) -> dict[str, bytes]:
    """Every file that passes for an executed notebook."""
    folder = build / "editions" / EDITION
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.glob("*/*.ipynb"))}


def recorded(build: Path) -> list[dict[str, Any]]:
    """The records of a finished run, but for the time each notebook took."""
    run = json.loads((build / "editions" / EDITION / "run.json").read_text(encoding="utf-8"))
    records = [one | {"made_from": run["made_from"][one["made_from"]]} for one in run["notebooks"]]
    return [{key: value for key, value in one.items() if key != "seconds"} for one in records]
