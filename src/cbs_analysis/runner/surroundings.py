"""What a kernel is started in: its environment, and where what it says on the side goes.

For whatever of the runner starts a kernel, so that every notebook is executed under the same conditions.
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from cbs_analysis.home import build_dir

# One thread for each numerical library: several notebooks run at once and would fight over the cores.
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS"), "1")
# Hash order must not reach an output; debugpy's warning about frozen modules must not reach the terminal.
SAME_EVERY_TIME = {"PYTHONHASHSEED": "0", "PYDEVD_DISABLE_FILE_VALIDATION": "1"}


@contextmanager
def kernel_surroundings(home: Path, scratch: Path, log: Path) -> Iterator[None]:
    """While it lasts, a kernel started here finds the handbook at `home`, keeps its own files in `scratch`, and
    what it and this process write to the terminal goes into `log`. Changes the environment of this process.
    """
    with _environment(_kernel_environment(home, scratch)), _output_to(log):
        yield


def _kernel_environment(home: Path, scratch: Path) -> dict[str, str]:
    """What a kernel is started with: this handbook's home, one thread, and no profile or history of the
    user's.
    """
    private = {"IPYTHONDIR": scratch / "ipython", "JUPYTER_RUNTIME_DIR": scratch / "runtime"}
    for folder in private.values():
        folder.mkdir()
    folders = {"CBS_HOME": home, "CBS_BUILD": build_dir(), **private}
    return ONE_THREAD | SAME_EVERY_TIME | {key: str(folder) for key, folder in folders.items()}


@contextmanager
def _environment(values: Mapping[str, str]) -> Iterator[None]:
    before = {key: os.environ.get(key) for key in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for key, value in before.items():
            if value is None:
                os.environ.pop(key, None)
            else:
                os.environ[key] = value


@contextmanager
def _output_to(log: Path) -> Iterator[None]:
    """Send what this process and its kernel write to the terminal into a file instead."""
    with log.open("ab") as file:
        saved = {stream: os.dup(stream) for stream in (1, 2)}
        for stream in saved:
            os.dup2(file.fileno(), stream)
        try:
            yield
        finally:
            for stream, copy in saved.items():
                os.dup2(copy, stream)
                os.close(copy)
