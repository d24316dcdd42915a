"""A batch on a real Dask cluster of two workers, processes of their own: the same bytes whatever becomes of them."""

import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from batches import Batch, notebooks, recorded, run_to_its_end, until

import cbs_analysis
from cbs_analysis.runner import Limits, batch, make_plan
from cbs_analysis.runner.cache_keys import digest_of_home
from cbs_analysis.runner.cluster import cluster, packed, work_at

pytest.importorskip("distributed", reason="Dask, which this tests, is not installed")

AREAS = ("--area", "5LE", "--area", "SEL", "--area", "LON")
SLOW = "import time; time.sleep(1)"
CHAPTERS = {name: [SLOW, f"[area_code, {name!r}] * 9"] for name in ("one", "two", "three")}


@pytest.fixture(scope="module")
def home(module_home) -> Path:
    return module_home(**CHAPTERS)


@contextmanager
def dask(folder: Path, *arguments: str, **environment: str) -> Iterator[subprocess.Popen]:
    """A part of a cluster, as `dask scheduler` and `dask worker` start it."""
    command = [sys.executable, "-m", "distributed.cli.dask_" + arguments[0], *arguments[1:], "--no-dashboard"]
    with (folder / "dask.log").open("ab") as log:
        process = subprocess.Popen(command, env={**os.environ, **environment}, cwd=folder, stdout=log, stderr=log)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


class Cluster:
    def __init__(self, folder: Path, parts: ExitStack) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.address, self._folder, self._parts = f"tcp://127.0.0.1:{port}", folder, parts
        local = ("--host", "127.0.0.1", "--port", str(port))
        self.scheduler = parts.enter_context(dask(folder, "scheduler", *local))
        until(self._answers, "the scheduler listens")
        self.workers = [self.add_worker() for _ in range(2)]
        until(lambda: self._log().count("Starting established connection") >= 2, "both workers are there")

    def add_worker(self, **environment: str) -> subprocess.Popen:
        options = ("--nthreads", "1", "--no-nanny", "--host", "127.0.0.1", "--local-directory", str(self._folder))
        return self._parts.enter_context(dask(self._folder, "worker", self.address, *options, **environment))

    def is_at_work(self, worker: subprocess.Popen) -> bool:
        from distributed import Client

        with Client(self.address, set_as_default=False) as client:
            addresses = [address for address, pid in client.run(os.getpid).items() if pid == worker.pid]
            return any(client.processing(addresses).values())

    def _answers(self) -> bool:
        host, _, port = self.address.removeprefix("tcp://").partition(":")
        with socket.socket() as client:
            return client.connect_ex((host, int(port))) == 0

    def _log(self) -> str:
        return (self._folder / "dask.log").read_text(encoding="utf-8", errors="replace")


@pytest.fixture
def running(tmp_path) -> Iterator[Cluster]:
    folder = tmp_path / "dask"
    folder.mkdir()
    with ExitStack() as parts:
        yield Cluster(folder, parts)


def test_the_notebooks_are_those_of_a_run_on_this_machine_though_a_worker_is_killed(home, running, tmp_path):
    run_to_its_end(home, tmp_path / "here", *AREAS)
    batch = Batch(home, tmp_path / "there", *AREAS, "--cluster", running.address)
    while "done" not in batch.process.stdout.readline():
        pass
    lost = running.workers[0]
    until(lambda: running.is_at_work(lost), "the worker that is to be lost runs a notebook")
    lost.send_signal(signal.SIGKILL)
    status, out, error = batch.ended()
    assert (status, error) == (0, ""), out
    assert "9 of 9 notebooks made" in out
    assert notebooks(tmp_path / "there") == notebooks(tmp_path / "here")
    assert recorded(tmp_path / "there") == recorded(tmp_path / "here")


def test_inputs_travel_to_workers_that_do_not_see_the_home(home, running, tmp_path, monkeypatch):
    monkeypatch.setenv("CBS_HOME", str(home))
    monkeypatch.setenv("CBS_BUILD", str(tmp_path / "build"))
    job = make_plan("2011-12", ["5LE"], ["one"]).jobs[0]
    elsewhere = job.at(tmp_path / "not there")
    with cluster(running.address) as found:
        assert found.workers == 2
        asked = (found.digest, packed(home), batch.work)
        here, there = (found.client.submit(work_at, *asked, one, Limits(60), pure=False) for one in (job, elsewhere))
        assert there.result(60).record.status == "done"
        assert there.result().notebook == here.result(60).notebook
        unpacked = list(Path(os.environ.get("TMPDIR", "/tmp")).glob(f"cbs-inputs-{digest_of_home(home)}"))
        assert unpacked, "what travelled was unpacked for the worker that does not see the home"
        for folder in unpacked:
            shutil.rmtree(folder)


def other_code(folder: Path) -> str:
    """A copy of the package that is not the same."""
    copy = shutil.copytree(Path(cbs_analysis.__file__).parent, folder / "other" / "cbs_analysis")
    (copy / "home.py").write_text((copy / "home.py").read_text(encoding="utf-8") + "\n", encoding="utf-8")
    return str(folder / "other")


def test_a_worker_with_other_code_is_refused_in_one_line(home, running, tmp_path):
    other = running.add_worker(PYTHONPATH=other_code(tmp_path))
    until(lambda: running._log().count("Starting established connection") >= 3, "the third worker is there")
    status, out, error = Batch(home, tmp_path / "build", *AREAS, "--cluster", running.address).ended()
    assert status == 2, out
    assert "differs in its package; set it up from the same checkout and lock file" in error
    assert len(error.strip().splitlines()) == 1
    other.kill()


def test_a_worker_with_other_code_that_joins_later_leaves_and_its_notebooks_run_elsewhere(home, running, tmp_path):
    code = other_code(tmp_path)
    batch = Batch(home, tmp_path / "build", *AREAS, "--cluster", running.address)
    while "done" not in batch.process.stdout.readline():
        pass
    late = running.add_worker(PYTHONPATH=code)
    status, out, error = batch.ended()
    assert (status, error) == (0, ""), out
    assert "9 of 9 notebooks made" in out
    if late.poll() is None:  # it was too late even for that
        status, out, error = Batch(home, tmp_path / "again", *AREAS, "--cluster", running.address).ended()
        assert "differs in its package" in error
    else:
        assert "this worker cannot run a batch's notebooks and leaves" in running._log()


def test_when_the_last_worker_is_gone_it_is_said_and_what_ended_is_kept(home, running, tmp_path):
    batch = Batch(home, tmp_path, *AREAS, "--cluster", running.address)
    while "done" not in batch.process.stdout.readline():
        pass
    for each in running.workers:
        each.kill()
    status, out, error = batch.ended()
    assert status == 2, out + error
    assert f"{running.address} has no workers any more: their logs say why; what ended before is kept" in error
    assert 0 < len(notebooks(tmp_path)) < 9


def test_when_the_scheduler_is_lost_it_is_said_and_what_ended_is_kept(home, running, tmp_path):
    batch = Batch(home, tmp_path, *AREAS, "--cluster", running.address)
    while "done" not in batch.process.stdout.readline():
        pass
    running.scheduler.kill()
    status, out, error = batch.ended()
    assert status == 2, out + error
    assert f"the scheduler at {running.address} is gone; what ended before is kept" in error
    assert 0 < len(notebooks(tmp_path)) < 9


def test_where_no_scheduler_answers_it_is_said_in_one_line(home, tmp_path, monkeypatch):
    status, out, error = Batch(home, tmp_path, *AREAS, "--cluster", "tcp://127.0.0.1:1").ended()
    assert status == 2, out
    assert "--cluster: no scheduler answers at 'tcp://127.0.0.1:1'" in error
    assert len(error.strip().splitlines()) == 1
