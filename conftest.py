"""Tests read hospital records of a small synthetic world: the checkout's own figures, with few records beside them.

The world is made once, in `build/small`, and again where what it is made from has changed. It is the home of every
test that does not make one of its own.
"""

import os
import subprocess
import sys
from pathlib import Path

import hypothesis
import pytest

CHECKOUT = Path(__file__).resolve().parent
SMALL = CHECKOUT / "build" / "small"
SHARE = "0.05"
OWN = ("build", "data")
# Searches for a case that fails give the same cases each time, but for `make fuzz`.
hypothesis.settings.register_profile("seeded", derandomize=True)
hypothesis.settings.register_profile("fuzz", derandomize=False, print_blob=True)
hypothesis.settings.load_profile("fuzz" if os.environ.get("CBS_FUZZ") else "seeded")


def pytest_configure(config: pytest.Config) -> None:
    """Have the small world before any test is collected; workers find it made."""
    if "CBS_HOME" in os.environ:
        return
    if not hasattr(config, "workerinput"):
        make_small_world()
    os.environ["CBS_HOME"] = str(SMALL)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark every search of Hypothesis `fuzz`, for `make fuzz`."""
    for item in items:
        if item.get_closest_marker("hypothesis"):
            item.add_marker(pytest.mark.fuzz)


def make_small_world() -> None:
    (SMALL / "data").mkdir(parents=True, exist_ok=True)
    linked = [path.name for path in CHECKOUT.iterdir() if not path.name.startswith(".") and path.name not in OWN]
    linked += [f"data/{path.name}" for path in (CHECKOUT / "data").iterdir()]
    for name in linked:
        link = SMALL / name
        if not link.is_symlink():
            link.symlink_to(CHECKOUT / name)
    environment = {key: value for key, value in os.environ.items() if key not in ("CBS_BUILD", "CBS_RECORDS")}
    command = [Path(sys.executable).with_name("cbs"), "records", "ready", "--share", SHARE]
    subprocess.run(command, env=environment | {"CBS_HOME": str(SMALL)}, check=True, stdout=subprocess.DEVNULL)


if __name__ == "__main__":
    make_small_world()
    sys.stdout.write(str(SMALL))
