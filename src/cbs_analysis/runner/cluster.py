"""Runs jobs on a Dask cluster: any number of machines that have this package and these libraries.

Parameters, figures and notebooks travel with the batch; a worker that sees the same ones at the same path reads them
there. Results come back as bytes. A notebook whose worker is lost, or has other code, is run again on another.

A worker lives long: before each notebook it makes sure that it still has the batch's inputs, and the code that it was
started with. Where it has not, it says so in its log and leaves the cluster.
"""

import io
import logging
import os
import shutil
import tempfile
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from cbs_analysis.errors import UserError
from cbs_analysis.files import stamp
from cbs_analysis.home import home
from cbs_analysis.runner.cache_keys import (
    STORE,
    Stamps,
    are_unchanged,
    digest_of_home,
    files_of_home,
    made_with,
    named_files,
    package_files,
)
from cbs_analysis.runner.execute import Result
from cbs_analysis.runner.plan import Job, Limits

if TYPE_CHECKING:
    from distributed import Client

SECONDS_TO_CONNECT = 10
SECONDS_WITHOUT_WORKERS = 15  # one that was killed is started again sooner by its nanny
SECONDS_A_LOOK = 2
UNPACKED = "cbs-inputs-"
SECONDS_TO_KEEP = 7 * 24 * 3600  # inputs that no batch has used for longer are removed by the next that unpacks

_log = logging.getLogger("distributed.worker")
_code: Stamps = {path: stamp(path) for path in package_files()}
_homes: dict[tuple[str, Path], tuple[Path, Stamps]] = {}


@dataclass(frozen=True)
class Cluster:
    """A cluster whose workers were found to have this package and these libraries, and the inputs it was handed."""

    address: str
    client: "Client"
    digest: str
    inputs: Any

    @property
    def workers(self) -> int:
        """Notebooks that it can run at once: the threads of all its workers."""
        return sum(self.client.nthreads().values())

    def pool(self, workers: int) -> Executor:
        """Raises UserError where the scheduler or the last worker is not there any more."""
        if self.client.status != "running":
            raise UserError(f"--cluster: the scheduler at {self.address} is gone; what ended before is kept")
        if not self.workers:
            wanted = "their logs say why; what ended before is kept"
            raise UserError(f"--cluster: {self.address} has no workers any more: {wanted}")
        return ClusterExecutor(self)


class ClusterExecutor(Executor):
    """Hands jobs to the cluster, each with the inputs to run it on. Where no worker is left for a while, what is out is
    given up as lost.
    """

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._executor = cluster.client.get_executor(pure=False)
        self._out: set[Future[Any]] = set()
        self._is_over = threading.Event()
        threading.Thread(target=self._watch, daemon=True).start()

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> "Future[Any]":
        on_worker = work_at
        future = self._executor.submit(on_worker, self._cluster.digest, self._cluster.inputs, fn, *args, **kwargs)
        self._out.add(future)
        future.add_done_callback(self._out.discard)
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        self._is_over.set()
        self._executor.shutdown(wait=wait and not cancel_futures)

    def _watch(self) -> None:
        missed = 0
        while missed < SECONDS_WITHOUT_WORKERS:
            if self._is_over.wait(SECONDS_A_LOOK):
                return
            missed = 0 if self._has_workers() else missed + SECONDS_A_LOOK
        for future in list(self._out):
            future.cancel()

    def _has_workers(self) -> bool:
        """Also where it cannot be told: that the scheduler is lost is noticed elsewhere."""
        try:
            return bool(self._cluster.workers)
        except Exception:
            return True


@contextmanager
def cluster(address: str) -> Iterator[Cluster]:
    """A connection to the cluster whose scheduler is at `address`.

    Raises UserError where there is none, where it has no workers, or where a worker has other code or libraries.
    """
    try:
        from distributed import Client
    except ImportError:
        wanted = "pip install 'cbs-analysis[cluster]'"
        raise UserError(f"--cluster: Dask is not installed here; install it with {wanted}") from None
    try:
        client = Client(address, timeout=SECONDS_TO_CONNECT, set_as_default=False)
    except (OSError, ValueError, TimeoutError) as error:
        wanted = "an address is like tcp://10.0.0.5:8786, and `dask scheduler` prints its own"
        raise UserError(f"--cluster: no scheduler answers at {address!r} ({error}); {wanted}") from None
    with client:
        _check_workers(client, address)
        # Made by a task and not sent as data: it is made again where the only worker that held it is lost.
        content, digest = _packed_with_digest(home())
        yield Cluster(address, client, digest, client.submit(bytes, content, pure=False))


def _packed_with_digest(folder: Path) -> tuple[bytes, str]:
    digest = digest_of_home(folder)
    content = packed(folder)
    if digest_of_home(folder) != digest:
        raise UserError("--cluster: parameters, figures or notebooks were changed while they were packed; run it again")
    return content, digest


def packed(folder: Path) -> bytes:
    """Parameters, figures and notebooks of a home as a zip archive."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, path in named_files(folder).items():
            archive.write(path, name)
    return content.getvalue()


def _check_workers(client: "Client", address: str) -> None:
    ours = made_with()
    answers: dict[str, Any] = client.run(made_with_here, on_error="return")
    if not answers:
        raise UserError(f"--cluster: {address} has no workers; start some with `dask worker {address}`")
    for worker, theirs in sorted(answers.items()):
        if not isinstance(theirs, dict):
            raise UserError(f"--cluster: worker {worker} cannot run cbs-analysis: {theirs}")
        if different := [part for part in ours if theirs.get(part) != ours[part]]:
            wanted = "set it up from the same checkout and lock file"
            raise UserError(f"--cluster: worker {worker} differs in its {' and '.join(different)}; {wanted}")


# What a worker of the cluster does.


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
        folder = _home_with(digest, inputs, job.home, job.store)
        before = _homes[digest, job.home][1]
        result = work(job.at(folder), limits)
        _check_code()
    except (UserError, OSError, zipfile.BadZipFile) as error:
        _leave(error)
    if _stamps(folder, _store(folder, job.home, job.store)) != before:
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


def _home_with(digest: str, inputs: bytes, there: Path, store: Path | None = None) -> Path:
    """A folder that holds these inputs; `store` is the record store that goes with the batch's own. One that was found
    to hold them is not read again while nothing is written to its files.
    """
    folder, stamps = _homes.get((digest, there), (there, None))
    if stamps is None or stamps != _stamps(folder, _store(folder, there, store)):
        before = _stamps(there, _store(there, there, store))
        folder = there if _is_same(there, digest, _store(there, there, store)) else _unpack(digest, inputs)
        _homes[digest, there] = folder, before if folder == there else _stamps(folder, folder / STORE)
    if folder != there:
        with suppress(OSError):
            os.utime(folder)
    return folder


def _store(folder: Path, there: Path, store: Path | None) -> Path:
    """The record store that goes with a folder: the batch's own, or what came with unpacked inputs."""
    return store if store is not None and folder == there else folder / STORE


def _stamps(folder: Path, store: Path) -> Stamps:
    return {path: stamp(path) for path in files_of_home(folder, store)}


def _is_same(folder: Path, digest: str, store: Path) -> bool:
    try:
        return folder.is_dir() and digest_of_home(folder, store) == digest
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
        if is_right := _is_same(own, digest, own / STORE):
            with suppress(OSError):  # another worker was there first
                own.replace(folder)
            is_kept = not _is_same(folder, digest, folder / STORE)
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
