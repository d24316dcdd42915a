"""Runs jobs on a Dask cluster: any number of machines that have this package and these libraries.

Parameters, figures and notebooks travel with the batch; a worker that sees the same ones at the same path reads them
there. Results come back as bytes. A notebook whose worker is lost is run again on another.
"""

import io
import shutil
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cbs_analysis.errors import UserError
from cbs_analysis.home import home
from cbs_analysis.runner.execute import Result
from cbs_analysis.runner.inputs import digest_of_home, files_of_home, made_with
from cbs_analysis.runner.limits import Limits
from cbs_analysis.runner.plan import Job

if TYPE_CHECKING:
    from distributed import Client

SECONDS_TO_CONNECT = 20

_unpacked: dict[str, Path] = {}


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
        """Raises UserError where the scheduler is not there any more."""
        if self.client.status != "running":
            raise UserError(f"--cluster: the scheduler at {self.address} is gone; what ended before is kept")
        return ClusterExecutor(self)


class ClusterExecutor(Executor):
    """Hands jobs to the cluster, each with the inputs to run it on."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._executor = cluster.client.get_executor(pure=False)

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> "Future[Any]":
        return self._executor.submit(work_at, self._cluster.digest, self._cluster.inputs, fn, *args, **kwargs)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        self._executor.shutdown(wait=wait and not cancel_futures)


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
        inputs = client.submit(bytes, packed(home()), pure=False)
        yield Cluster(address, client, digest_of_home(home()), inputs)


def work_at(digest: str, inputs: bytes, work: Callable[[Job, Limits], Result], job: Job, limits: Limits) -> Result:
    """On a worker: run a job on the inputs that have this digest, from where the batch has them or unpacked here."""
    return work(job.at(_home_with(digest, inputs, job.home)), limits)


def packed(folder: Path) -> bytes:
    """Parameters, figures and notebooks of a home as a zip archive."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in files_of_home(folder):
            archive.write(path, path.relative_to(folder).as_posix())
    return content.getvalue()


def _home_with(digest: str, inputs: bytes, there: Path) -> Path:
    if digest not in _unpacked:
        _unpacked[digest] = there if _is_same(there, digest) else _unpack(digest, inputs)
    return _unpacked[digest]


def _is_same(folder: Path, digest: str) -> bool:
    try:
        return folder.is_dir() and digest_of_home(folder) == digest
    except UserError:
        return False


def _unpack(digest: str, inputs: bytes) -> Path:
    """Into a folder named after the digest, whole or not at all: workers of one machine share it."""
    folder = Path(tempfile.gettempdir()) / f"cbs-inputs-{digest}"
    draft = Path(tempfile.mkdtemp(prefix="cbs-inputs-"))
    try:
        zipfile.ZipFile(io.BytesIO(inputs)).extractall(draft)
        with suppress(OSError):  # another worker was there first
            draft.replace(folder)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    if not _is_same(folder, digest):
        raise UserError(f"{folder} on this worker does not hold the batch's inputs, or its code is another version")
    return folder


def _check_workers(client: "Client", address: str) -> None:
    ours = made_with()
    answers: dict[str, Any] = client.run(made_with, on_error="return")
    if not answers:
        raise UserError(f"--cluster: {address} has no workers; start some with `dask worker {address}`")
    for worker, theirs in sorted(answers.items()):
        if not isinstance(theirs, dict):
            raise UserError(f"--cluster: worker {worker} cannot run cbs-analysis: {theirs}")
        if different := [part for part in ours if theirs.get(part) != ours[part]]:
            wanted = "set it up from the same checkout and lock file"
            raise UserError(f"--cluster: worker {worker} differs in its {' and '.join(different)}; {wanted}")
