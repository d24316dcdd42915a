"""The warm process is replaced, retires and falls back when it has to, and outlives whatever is sent to it."""

import array
import gc
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import pytest
from jupyter_client.manager import KernelManager
from kernels import (
    SECONDS,
    WARM,
    as_stock_and_warm,
    is_gone,
    own_warm_process,
    shared_environment,
    started,
    until,
    warm_process_pid,
)

from cbs_analysis.runner.warm import process

pytestmark = pytest.mark.skipif(not process.is_possible(), reason="this system cannot fork a ready process")

COMMAND = [sys.executable, "-m", "ipykernel_launcher"]
CLIENT = """
import sys
from jupyter_client.manager import KernelManager
from cbs_analysis.runner.warm import process
manager = KernelManager(kernel_name="cbs")
manager.start_kernel()
print(manager.provisioner.pid, flush=True)
sys.stdin.read()
"""


@pytest.fixture(scope="module", autouse=True)
def warm_process(tmp_path_factory):
    with own_warm_process(tmp_path_factory.mktemp("kernels")):
        process.keep_warm(os.environ)
        yield


def address() -> str:
    return process.keep_warm(os.environ)[process.ADDRESS].partition(":")[2]


def launched_and_ended() -> int:
    """The exit status of a warm kernel that has only its version to tell."""
    with Path(os.devnull).open("r+b") as null:
        return process.launch([*COMMAND, "--version"], os.environ, "/", [null.fileno()] * 3).wait(SECONDS)


@contextmanager
def client_of_its_own(env: dict[str, str]) -> Iterator[tuple[subprocess.Popen, int]]:
    """Another process that has started a kernel, and the kernel's pid."""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    with subprocess.Popen([sys.executable, "-c", CLIENT], env=env, **pipes) as client:
        try:
            yield client, int(client.stdout.readline())
        finally:
            client.kill()


def link(descriptor: int | str, pid: int | str = "self") -> str:
    """What a descriptor of a process leads to; empty where it has just been closed."""
    with suppress(FileNotFoundError):
        return str(Path(f"/proc/{pid}/fd/{descriptor}").readlink())
    return ""


def open_pipes_and_sockets(pid: int) -> set[str]:
    links = {link(descriptor.name, pid) for descriptor in Path(f"/proc/{pid}/fd").iterdir()}
    return {each for each in links if each.startswith(("socket:", "pipe:"))}


# --- several clients -----------------------------------------------------------------------------------------


def test_clients_that_ask_at_once_all_get_a_kernel_of_the_same_process():
    def seen(number: int) -> tuple[int, int, int]:
        with started() as kernel:
            kernel.run(f"number = {number}")
            return kernel.pid, kernel.parent, kernel.value("number")

    with ThreadPoolExecutor(6) as pool:
        pids, parents, numbers = zip(*pool.map(seen, range(6)), strict=True)
    assert len(set(pids)) == 6
    assert len(set(parents)) == 1
    assert numbers == tuple(range(6))


def test_another_process_uses_the_warm_process_that_it_is_told_of():
    with client_of_its_own(shared_environment()) as (_, kernel):
        assert psutil.Process(kernel).ppid() == warm_process_pid()


@as_stock_and_warm
def test_a_kernel_holds_nothing_that_its_parent_or_its_client_has_open(name):
    with started() as other, started(name) as kernel:
        own = open_pipes_and_sockets(kernel.pid)
        assert own
        for pid in (other.pid, other.parent, os.getpid()):
            assert own & open_pipes_and_sockets(pid) <= set(map(link, (0, 1, 2)))


def test_many_launches_leave_nothing_open():
    warm = psutil.Process(warm_process_pid())

    def launch() -> None:
        manager = KernelManager(kernel_name=WARM)
        manager.start_kernel()
        manager.shutdown_kernel(now=True)

    def opened() -> list[int]:
        gc.collect()
        return [process.num_fds() for process in (warm, psutil.Process())]

    launch()
    before, beside = opened(), warm.children()
    for _ in range(20):
        launch()
    until(lambda: all(now <= then for now, then in zip(opened(), before, strict=True)), "as many as before are open")
    assert warm.children() == beside


# --- what is sent to it --------------------------------------------------------------------------------------


def request(**other: object) -> bytes:
    return json.dumps({"argv": ["--version"], "env": {}, "cwd": "/", **other}).encode()


def with_length(body: bytes) -> bytes:
    return len(body).to_bytes(4, "big") + body


MALFORMED = {
    "nothing": (b"", 0),
    "a length cut short": (b"\x00\x00", 4),
    "a body cut short": (b"\x00\x00\x00\x7f{", 4),
    "far too long": (b"\xff\xff\xff\xff{}", 4),
    "no JSON": (with_length(b"garbage"), 4),
    "no UTF-8": (with_length(b'{"argv": "\xff"}'), 4),
    "a list": (with_length(b"[]"), 4),
    "a number": (with_length(b"1"), 4),
    "a field too few": (with_length(b'{"argv": []}'), 4),
    "a field too many": (with_length(request(more=1)), 4),
    "brackets without end": (with_length(b"[" * 100_000), 4),
    "no descriptors": (with_length(request()), 0),
    "three descriptors": (with_length(request()), 3),
    "five descriptors": (with_length(request()), 5),
    "arguments that are none": (with_length(request(argv=5)), 4),
    "an environment that is none": (with_length(request(env={"A": 1})), 4),
    "a folder that is none": (with_length(request(cwd=5)), 4),
    "a request whose client does not wait": (with_length(request()), 4),
}


@pytest.mark.parametrize("what", MALFORMED)
def test_the_warm_process_outlives_what_is_sent_to_it(what):
    sent, descriptors = MALFORMED[what]
    before = address()
    assert launched_and_ended() == 0
    with socket.socket(socket.AF_UNIX) as client, Path(os.devnull).open("r+b") as null:
        client.connect(before)
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [null.fileno()] * descriptors))]
        client.sendmsg([sent], rights if descriptors else [])
    assert launched_and_ended() == 0
    assert address() == before


def test_it_outlives_a_kernel_and_its_client_that_are_killed_at_once():
    with started() as bystander, client_of_its_own(shared_environment()) as (client, kernel):
        warm = psutil.Process(bystander.parent)
        warm.suspend()
        try:
            os.kill(kernel, signal.SIGKILL)
            until(lambda: is_gone(kernel), "the kernel is dead")
            client.kill()
            client.wait(SECONDS)
        finally:
            warm.resume()
        until(lambda: not psutil.pid_exists(kernel), "the end of the kernel is noticed")
        assert launched_and_ended() == 0
        assert bystander.manager.is_alive()
        assert not is_gone(warm.pid)


# --- clients and processes that go ---------------------------------------------------------------------------


def test_a_kernel_ends_with_its_client_and_the_warm_process_of_another_goes_on():
    with client_of_its_own(shared_environment()) as (client, kernel):
        warm = psutil.Process(kernel).ppid()
        assert not is_gone(kernel)
        client.kill()
        until(lambda: is_gone(kernel), "the kernel has ended")
    assert not is_gone(warm)
    assert launched_and_ended() == 0


def test_nothing_is_left_of_a_killed_client_that_had_a_warm_process_of_its_own(tmp_path):
    with client_of_its_own({**os.environ, "TMPDIR": str(tmp_path)}) as (client, kernel):
        warm = psutil.Process(kernel).ppid()
        assert warm != client.pid
        assert len(list(tmp_path.glob("cbs-warm-*/warm"))) == 1
        client.kill()
        until(lambda: is_gone(kernel) and is_gone(warm), "kernel and warm process have ended")
        until(lambda: not list(tmp_path.glob("cbs-warm-*")), "the folder of the socket is gone")


def test_a_warm_process_that_was_killed_is_replaced_and_its_kernels_are_dead():
    with started() as kernel:
        pid, parent = kernel.pid, kernel.parent
        os.kill(parent, signal.SIGKILL)
        until(lambda: not kernel.manager.is_alive(), "the kernel is known to be dead")
        assert kernel.process.returncode == -signal.SIGKILL
        until(lambda: is_gone(pid), "the kernel has ended")
        with started() as another:
            assert another.parent not in (parent, os.getpid())


def test_a_change_of_the_source_is_noticed(tmp_path, monkeypatch):
    copy = shutil.copytree(Path(process.cbs_analysis.__file__).parent, tmp_path / "cbs_analysis")
    monkeypatch.setattr(process.cbs_analysis, "__file__", str(copy / "__init__.py"))
    before = process.made_from(os.environ)
    assert process.made_from(os.environ) == before
    (copy / "home.py").write_text((copy / "home.py").read_text(encoding="utf-8") + "\n", encoding="utf-8")
    changed = process.made_from(os.environ)
    (copy / "added.py").touch()
    assert len({before, changed, process.made_from(os.environ)}) == 3


@pytest.mark.parametrize(("key", "is_read"), [("PYTHONPATH", True), ("OMP_NUM_THREADS", True), ("JPY_SESSION", False)])
def test_settings_that_are_read_at_import_take_a_process_of_their_own(key, is_read):
    own = process.made_from({**os.environ, key: "/elsewhere"})
    assert (own != process.made_from(os.environ)) is is_read


# --- where there is none -------------------------------------------------------------------------------------


@pytest.fixture
def nothing_said(monkeypatch, caplog):
    monkeypatch.setattr(process, "_said", set())
    return caplog


def said(log: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in log.records if record.name == "cbs_analysis"]


def test_where_no_process_can_be_forked_stock_kernels_start_and_it_is_said_once(nothing_said, monkeypatch):
    monkeypatch.setattr(process, "is_possible", lambda: False)
    monkeypatch.setattr(process, "_own", None)
    assert process.keep_warm(os.environ) == {process.SAID: "1"}
    for _ in range(2):
        with started() as kernel:
            assert kernel.parent == os.getpid()
            assert isinstance(kernel.process, subprocess.Popen)
    assert said(nothing_said) == ["stock kernels are used, which start slowly: this system cannot fork a ready process"]


def test_a_worker_does_not_say_again_what_its_batch_has_said(nothing_said, monkeypatch):
    monkeypatch.setattr(process, "is_possible", lambda: False)
    monkeypatch.setattr(process, "_own", None)
    monkeypatch.setenv(process.SAID, "1")
    with started() as kernel:
        assert isinstance(kernel.process, subprocess.Popen)
    assert said(nothing_said) == []


def test_a_client_that_wants_a_pipe_gets_a_stock_kernel(nothing_said):
    with started(stdout=subprocess.PIPE) as kernel:
        assert kernel.parent == os.getpid()
        kernel.run("import os; os.system('echo hello')")
        assert kernel.process.stdout.readline() == b"hello\n"
    assert said(nothing_said) == ["stock kernels are used, which start slowly: the client wants a pipe to the kernel"]


@pytest.mark.parametrize(
    ("command", "shown", "expected"),
    [
        (["env", "MARK=1", *COMMAND], "__import__('os').environ.get('MARK')", "1"),
        (["python", "-Xdev", *COMMAND[1:]], "__import__('sys').flags.dev_mode", True),
        (["python", "-Xfrozen_modules=off", *COMMAND[1:]], "1", 1),
    ],
    ids=["another program", "an option of the interpreter", "an option that only debuggers need"],
)
def test_a_kernel_is_what_its_specification_says(command, shown, expected, tmp_path, monkeypatch):
    spec = json.loads((process.kernel_spec() / "kernel.json").read_text(encoding="utf-8"))
    folder = tmp_path / "kernels" / "other"
    folder.mkdir(parents=True)
    (folder / "kernel.json").write_text(json.dumps(spec | {"argv": [*command, "-f", "{connection_file}"]}))
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path))
    with started("other") as kernel:
        assert kernel.value(shown) == expected


# --- a change of the source: last, because it costs the tests their warm process --------------------------------


def test_after_a_change_of_the_source_kernels_come_from_a_new_process_and_the_old_one_retires(monkeypatch):
    with started() as old:
        old.run("kept = 5")
        old_process = old.parent
        monkeypatch.setattr(process, "source_stamp", lambda: [("changed.py", 1, 1)])
        with started() as new:
            assert new.parent not in (old_process, os.getpid())
        assert old.value("kept") == 5
        assert not is_gone(old_process)
    until(lambda: is_gone(old_process), "the old warm process has ended with its last kernel")
