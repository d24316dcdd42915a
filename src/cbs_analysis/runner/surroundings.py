"""What a kernel is started in, so that every notebook is executed under the same conditions."""

import os
from pathlib import Path

from cbs_analysis.home import build_dir

# One thread for each numerical library: several notebooks run at once and would fight over the cores.
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS"), "1")
# Hash order must not reach an output; debugpy's warning about frozen modules must not reach the terminal.
SAME_EVERY_TIME = {"PYTHONHASHSEED": "0", "PYDEVD_DISABLE_FILE_VALIDATION": "1"}


def kernel_environment(home: Path, scratch: Path | None = None) -> dict[str, str]:
    """The environment of a kernel: this handbook's home, one thread, and no profile or history of the user's.

    `scratch` is the folder for the kernel's own files, made where it is missing.
    """
    folders = {"CBS_HOME": home, "CBS_BUILD": build_dir(home)}
    if scratch:
        private = {"IPYTHONDIR": scratch / "ipython", "JUPYTER_RUNTIME_DIR": scratch / "runtime"}
        for folder in private.values():
            folder.mkdir(parents=True, exist_ok=True)
        folders |= private
    return os.environ | ONE_THREAD | SAME_EVERY_TIME | {key: str(folder) for key, folder in folders.items()}
