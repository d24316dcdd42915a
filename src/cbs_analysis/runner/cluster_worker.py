"""What a Dask worker does with the notebooks that a batch hands it.

A worker lives long: before each notebook it makes sure that it still has the batch's inputs, and the code that it was
started with. Where it has not, it says so in its log and leaves the cluster, and the notebook goes to another.
"""

import io
import logging
import os
import shutil
import tempfile
import time
import zipfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

from cbs_analysis.errors import UserError
from cbs_analysis.files import stamp
from cbs_analysis.runner.cache_keys import (
    Stamps,
    are_unchanged,
    digest_of_home,
    files_of_home,
    made_with,
    package_files,
)
from cbs_analysis.runner.execute import Result
from cbs_analysis.runner.limits import Limits
from cbs_analysis.runner.plan import Job

UNPACKED = "cbs-inputs-"
SECONDS_TO_KEEP = 7 * 24 * 3600  # inputs that no batch has used for longer are removed by the next that unpacks

_log = logging.getLogger("distributed.worker")
_code: Stamps = {path: stamp(path) for path in package_files()}
_homes: dict[tuple[str, Path], tuple[Path, Stamps]] = {}


def made_with_here() -> dict[str, str]:
    """The code and libraries that this worker makes notebooks with. Raises UserError where they are not those that it
    was started with.
    """
    _check_code()
    return made_with()


def _check_code() -> None:
    if not are_unchanged(_code):
        raise UserError("its code was changed after it was started; restart it")


def work_at(digest: str, inputs: bytes, work: Callable[[Job, Limits], Result], job: Job, limits: Limits) -> Result:
    """Run a job on the inputs that have this digest, from where the batch has them or unpacked here.

    Where code or inputs were changed here meanwhile, what was made is dropped and the job is run again.
    """
    try:
        _check_code()
        folder = _home_with(digest, inputs, job.home)
        before = _homes[digest, job.home][1]
        result = work(job.at(folder), limits)
        _check_code()
    except (UserError, OSError, zipfile.BadZipFile) as error:
        _leave(error)
    if _stamps(folder) != before:
        _run_again()
    return result


def _leave(why: Exception) -> NoReturn:
    from distributed import get_worker

    here = get_worker()
    _log.error("this worker cannot run a batch's notebooks and leaves: %s", why)
    here.loop.add_callback(here.close_gracefully, reason=str(why))
    _run_again()


def _run_again() -> NoReturn:
    from distributed import Reschedule

    raise Reschedule


def _home_with(digest: str, inputs: bytes, there: Path) -> Path:
    """A folder that holds these inputs. One that was found to hold them is not read again while nothing is written to
    its files.
    """
    folder, stamps = _homes.get((digest, there), (there, None))
    if stamps is None or stamps != _stamps(folder):
        before = _stamps(there)
        folder = there if _is_same(there, digest) else _unpack(digest, inputs)
        _homes[digest, there] = folder, before if folder == there else _stamps(folder)
    if folder != there:
        with suppress(OSError):
            os.utime(folder)
    return folder


def _stamps(folder: Path) -> Stamps:
    return {path: stamp(path) for path in files_of_home(folder)}


def _is_same(folder: Path, digest: str) -> bool:
    try:
        return folder.is_dir() and digest_of_home(folder) == digest
    except UserError:
        return False


def _unpack(digest: str, inputs: bytes) -> Path:
    """Into a folder named after the digest, whole or not at all: workers of one machine share it. Where what is there
    was changed, or is another user's, this worker keeps a folder of its own.
    """
    folder = Path(tempfile.gettempdir()) / f"{UNPACKED}{digest}"
    _remove_unused(folder)
    own = Path(tempfile.mkdtemp(prefix=UNPACKED))
    is_kept = False
    try:
        zipfile.ZipFile(io.BytesIO(inputs)).extractall(own)
        if is_right := _is_same(own, digest):
            with suppress(OSError):  # another worker was there first
                own.replace(folder)
            is_kept = not _is_same(folder, digest)
    finally:
        if not is_kept:
            shutil.rmtree(own, ignore_errors=True)
    if not is_right:
        wanted = "set the worker up from the batch's checkout and lock file"
        raise UserError(f"the code here is not that of the batch, or its inputs came damaged; {wanted}")
    return own if is_kept else folder


def _remove_unused(kept: Path) -> None:
    """Remove the inputs of batches long ago, and what a killed worker left half unpacked."""
    for folder in kept.parent.glob(f"{UNPACKED}*"):
        with suppress(OSError):
            if folder != kept and folder.stat().st_mtime < time.time() - SECONDS_TO_KEEP:
                shutil.rmtree(folder, ignore_errors=True)
