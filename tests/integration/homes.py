"""Homes of their own for tests that bring hospital records of their own, and the command run in one."""

import json
import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

CHECKOUT = Path(__file__).resolve().parents[2]
CBS = Path(sys.executable).with_name("cbs")
CHAPTERS = ("data_quality", "providers_and_market", "benchmarking")


def world() -> Path:
    """The small world's extracts."""
    return Path(os.environ["CBS_HOME"]) / "build" / "synthetic"


def linked_home(folder: Path) -> Path:
    """The checkout's figures, parameters and notebooks; feeds may be added."""
    (folder / "data").mkdir(parents=True)
    (folder / "params" / "feeds").mkdir(parents=True)
    (folder / "notebooks").symlink_to(CHECKOUT / "notebooks")
    for name in [*(f"data/{path.name}" for path in (CHECKOUT / "data").iterdir()),
                 *(f"params/{path.name}" for path in (CHECKOUT / "params").iterdir() if path.name != "feeds"),
                 *(f"params/feeds/{path.name}" for path in (CHECKOUT / "params" / "feeds").iterdir())]:  # fmt: skip
        (folder / name).symlink_to(CHECKOUT / name)
    return folder


def cbs(home: Path, *command: str, status: int = 0) -> str:
    """What the command printed; it must succeed or, where it must not, what it said of why."""
    environment = {key: value for key, value in os.environ.items() if key not in ("CBS_BUILD", "CBS_RECORDS")}
    done = subprocess.run(
        [CBS, *command], env={**environment, "CBS_HOME": str(home)}, capture_output=True, text=True, check=False
    )
    assert done.returncode == status, done.stderr
    return done.stderr if status else done.stdout


def findings(home: Path, areas: Iterable[str]) -> dict[str, list[dict[str, Any]]]:
    """The findings of the three chapters from records, made for these areas: by area."""
    asked = [part for area in areas for part in ("--area", area)]
    chosen = [part for chapter in CHAPTERS for part in ("--chapter", chapter)]
    assert f"{3 * len(asked) // 2} of {3 * len(asked) // 2} notebooks made" in cbs(home, "packs", *asked, *chosen)
    return {area: json.loads(cbs(home, "findings", "--area", area, "--json")) for area in areas}
