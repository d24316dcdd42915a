"""Starts the warm process, replaces it when it is stale or gone, and asks it for kernels.

A process has one warm process at most, made when it is first wanted. One that is started by another, a worker of a
batch, uses the other's: its address and what it was made from are in the environment variable ADDRESS.
"""

import array
import asyncio
import json
import logging
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from hashlib import blake2b
from pathlib import Path
from typing import Any

from jupyter_client.connect import KernelConnectionInfo
from jupyter_client.provisioning.local_provisioner import LocalProvisioner

import cbs_analysis
from cbs_analysis.runner.warm import server

ADDRESS = "CBS_WARM_PROCESS"
SAID = "CBS_STOCK_KERNELS"  # set where another process has said that kernels are stock ones
SECONDS_A_POLL = 0.005
POLLS_AFTER_A_KILL = 100
SECONDS_TO_START = 120
LONGEST_ADDRESS = 100  # of a Unix socket, in bytes
# Read by a library once, when it is imported: a process that was started with other values is of no use.
READ_AT_IMPORT = ("PYTHON", "LD_", "LC_", "LANG", "MPL", "NUMBA")
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")
# A process that is forked has one thread; and debugpy is not to warn on the terminal of frozen modules.
AS_NEEDED = {**dict.fromkeys(THREADS, "1"), "PYDEVD_DISABLE_FILE_VALIDATION": "1"}


class NotToBeHadError(Exception):
    """No warm kernel can be had here; a stock kernel can."""


@dataclass
class WarmProcess:
    """A running warm process: where it listens, what it was made from, and the pipe whose end is its end."""

    address: str
    made_from: str
    lifeline: int | None = None
    process: "subprocess.Popen[bytes] | None" = field(default=None, repr=False)

    def close(self) -> None:
        """Let it end when its last kernel has ended; its address is gone at once."""
        if self.lifeline is not None:
            os.close(self.lifeline)
            self.lifeline = None
            shutil.rmtree(Path(self.address).parent, ignore_errors=True)


class ForkedKernel:
    """A kernel that the warm process forked, with what Jupyter uses of `subprocess.Popen`."""

    stdin = stdout = stderr = None

    def __init__(self, connection: socket.socket, pid: int) -> None:
        self._connection = connection
        self._heard = b""
        self.pid = pid
        self.returncode: int | None = None

    def poll(self) -> int | None:
        if self.returncode is None:
            self._connection.setblocking(False)
            with suppress(BlockingIOError):
                self._listen()
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Raises subprocess.TimeoutExpired where it has not ended in `timeout` seconds."""
        if self.returncode is None:
            self._connection.settimeout(timeout)
            try:
                self._listen()
            except TimeoutError:
                raise subprocess.TimeoutExpired("kernel", timeout or 0.0) from None
        return self.returncode or 0

    def send_signal(self, signum: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, signum)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def _listen(self) -> None:
        """Take in what the warm process says. One that is gone takes its kernels with it."""
        while self.returncode is None:
            try:
                part = self._connection.recv(200)
            except ConnectionError:
                part = b""
            self._heard += part
            if self._heard.endswith(b"\n"):
                self.returncode = json.loads(self._heard)["status"]
            elif not part:
                self.returncode = -signal.SIGKILL
        self._connection.close()


_log = logging.getLogger("cbs_analysis")
_said: set[str] = set()
_own: WarmProcess | None = None
_lock = threading.Lock()


def is_possible() -> bool:
    """Whether this system can fork a process and watch its end: Linux can."""
    return all(hasattr(os, name) for name in ("fork", "pidfd_open")) and hasattr(socket, "SCM_RIGHTS")


def kernel_spec() -> Path:
    """The folder of the kernel specification `cbs`, which names the warm provisioner."""
    return Path(__file__).parent


def launch(
    command: Sequence[str], env: Mapping[str, str], cwd: "str | os.PathLike[str] | None", streams: Sequence[int]
) -> ForkedKernel:
    """A kernel with these standard streams, from the warm process; one is started where none is of use. It lives in the
    folder `cwd`, which may be relative to this process's own; None for that one itself.

    Raises NotToBeHadError where the system, the command or the warm process does not allow it, OSError where the
    folder is not there.
    """
    arguments = _arguments(command)
    with _lock:
        before = _current(env)
        folder = os.open("." if cwd is None else cwd, os.O_PATH | os.O_DIRECTORY)
        request = {"argv": arguments, "env": dict(env), "cwd": os.fsdecode(cwd or ".")}
        try:
            return _ask(before, request, [*streams, folder])
        except NotToBeHadError:
            close()  # it died, or was killed, since
            os.environ.pop(ADDRESS, None)
            return _ask(_current(env), request, [*streams, folder])
        finally:
            os.close(folder)


def keep_warm(env: Mapping[str, str], edition: str = "") -> dict[str, str]:
    """Have a warm process for kernels of this environment, and give what other processes need to use it too.

    Where one has to be started it makes ready what the areas of the edition share. Returns at once, while it still
    imports. Where the system does not allow one that is said, and the others need not say it again.
    """
    with _lock:
        try:
            warm = _current({**env, server.EDITION: edition})
        except NotToBeHadError as reason:
            say_once(reason)
            return {SAID: "1"}
    return {ADDRESS: f"{warm.made_from}:{warm.address}"}


def say_once(reason: NotToBeHadError) -> None:
    """Say that kernels are stock ones, and why, where neither this process nor the one that started it has yet."""
    if str(reason) not in _said and SAID not in os.environ:
        _said.add(str(reason))
        _log.warning("stock kernels are used, which start slowly: %s", reason)


def close() -> None:
    """Let this process's warm process go."""
    global _own
    if _own is not None:
        _own.close()
        _own = None


def made_from(env: Mapping[str, str]) -> str:
    """What a warm process is made from: interpreter, the package's source, settings that libraries read at import."""
    settings = {key: value for key, value in env.items() if key in THREADS or key.startswith(READ_AT_IMPORT)}
    seen = repr((sys.executable, sys.version, sorted(settings.items()), source_stamp()))
    return blake2b(seen.encode(), digest_size=12).hexdigest()


def source_stamp() -> list[tuple[str, int, int]]:
    """Each file of the package with its time of change in nanoseconds and its size in bytes."""
    root = Path(cbs_analysis.__file__).parent
    found = ((path, path.stat()) for path in sorted(root.rglob("*.py")))
    return [(str(path), stat.st_mtime_ns, stat.st_size) for path, stat in found]


def _current(env: Mapping[str, str]) -> WarmProcess:
    global _own
    wanted = made_from(env)
    others, _, address = os.environ.get(ADDRESS, "").partition(":")
    if others == wanted and address:
        return WarmProcess(address, others)
    if _own is not None and (_own.made_from != wanted or (_own.process and _own.process.poll() is not None)):
        close()
    if _own is None:
        _own = _start(env, wanted)
    return _own


def _start(env: Mapping[str, str], wanted: str) -> WarmProcess:
    if not is_possible():
        raise NotToBeHadError("this system cannot fork a ready process")
    lifeline, owners = os.pipe()
    folder = ""
    try:
        folder = tempfile.mkdtemp(prefix="cbs-warm-", dir=_short_folder())
        address = str(Path(folder) / "warm")
        listening, drawing = _listening(address), _listening(str(Path(folder) / "draw"))
        handed = listening.fileno(), drawing.fileno(), lifeline
        # Nothing is imported from the folder it runs in; the option -P for that would be its kernels' too.
        run = f"import sys; del sys.path[0]; from cbs_analysis.runner.warm.server import main; main{handed}"
        process = subprocess.Popen(
            [sys.executable, "-c", run],
            stdin=subprocess.DEVNULL,
            env={**AS_NEEDED, **{key: value for key, value in env.items() if key != ADDRESS}},
            stdout=subprocess.DEVNULL,
            cwd="/",
            pass_fds=handed,
            start_new_session=True,
        )
    except OSError as error:
        os.close(owners)
        shutil.rmtree(folder, ignore_errors=True)
        raise NotToBeHadError(f"the warm process did not start: {error}") from None
    finally:
        os.close(lifeline)
    listening.close()
    drawing.close()
    return WarmProcess(address, wanted, owners, process)


def _listening(address: str) -> socket.socket:
    found = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    found.bind(address)
    found.listen(64)
    return found


def _ask(warm: WarmProcess, request: Mapping[str, object], descriptors: Sequence[int]) -> ForkedKernel:
    body = json.dumps(request).encode()
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connection.settimeout(SECONDS_TO_START)
        connection.connect(warm.address)
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", descriptors))]
        connection.sendmsg([len(body).to_bytes(server.LENGTH, "big")], rights)
        connection.sendall(body)
        said = b""
        while not said.endswith(b"\n"):
            part = connection.recv(1)
            if not part:
                raise ConnectionResetError("it ended before it had forked the kernel")
            said += part
    except OSError as error:
        connection.close()
        raise NotToBeHadError(f"the warm process did not answer: {error}") from None
    answer = json.loads(said)
    if "pid" not in answer:
        connection.close()
        raise OSError(answer["error"], os.strerror(answer["error"]), answer["at"])
    return ForkedKernel(connection, answer["pid"])


def _arguments(command: Sequence[str]) -> list[str]:
    """The arguments of `ipykernel_launcher`, where a command starts it with this interpreter."""
    interpreter, *rest = command
    if rest[:1] == ["-Xfrozen_modules=off"]:  # for debuggers, which do without here
        rest = rest[1:]
    if interpreter != sys.executable or rest[:2] != ["-m", "ipykernel_launcher"]:
        raise NotToBeHadError("the kernel is not this interpreter's ipykernel")
    return rest[2:]


@cache
def _short_folder() -> str | None:
    """Where a socket's path is short enough: None for the usual folder for temporary files."""
    longest = len(os.fsencode(tempfile.gettempdir())) + len("/cbs-warm-12345678/warm")
    return None if longest <= LONGEST_ADDRESS else "/tmp"


class WarmProvisioner(LocalProvisioner):
    """Kernels by fork. Signals, polling and exit status are those of a child"""

    async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> KernelConnectionInfo:
        try:
            kernel = await self._forked(cmd, kwargs)
        except NotToBeHadError as reason:
            say_once(reason)
            return await super().launch_kernel(cmd, **kwargs)
        self.process = kernel  # type: ignore[assignment]  # it has what the base class uses of a Popen
        self.pid = self.pgid = kernel.pid
        self.cwd = kwargs.get("cwd") or Path.cwd()
        return self.connection_info

    async def wait(self) -> int | None:
        while await self.poll() is None:
            await asyncio.sleep(SECONDS_A_POLL)
        return await super().wait()

    async def kill(self, restart: bool = False) -> None:
        """Also waits for the end, which is near: Jupyter itself looks for it every tenth of a second only."""
        await super().kill(restart)
        for _ in range(POLLS_AFTER_A_KILL):
            if await self.poll() is not None:
                return
            await asyncio.sleep(SECONDS_A_POLL)

    async def _forked(self, cmd: list[str], kwargs: dict[str, Any]) -> ForkedKernel:
        given = [kwargs.get(name) for name in ("stdin", "stdout", "stderr")]
        env = kwargs.get("env") or dict(os.environ)
        null = os.open(os.devnull, os.O_RDWR)
        try:
            streams = [_descriptor(stream, default, null) for stream, default in zip(given, (null, 1, 2), strict=True)]
            return await asyncio.to_thread(launch, cmd, env, kwargs.get("cwd"), streams)
        finally:
            os.close(null)


def _descriptor(stream: Any, default: int, null: int) -> int:
    if stream is None:
        return default
    if stream == subprocess.DEVNULL:
        return null
    if stream in (subprocess.PIPE, subprocess.STDOUT):
        raise NotToBeHadError("the client wants a pipe to the kernel")
    return stream if isinstance(stream, int) else stream.fileno()
