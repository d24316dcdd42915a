"""The warm process: imports what notebooks import, then forks a kernel for each request.

It has one thread, no event loop and no connection but to its clients, so that a fork of it is whole. It leaves when its
owner is gone and the last of its kernels has ended. A kernel whose client is gone is killed. Beside it is a process
that draws charts for all of them, which ends with it.

A request comes over a Unix socket: four bytes of length, a JSON object (`argv`, `env`, `cwd`), and four file
descriptors: the kernel's standard streams, and its folder, whose path may mean another one here. Lines of JSON come
back: `{"pid": 1}` from the kernel once it has a session of its own, `{"status": 0}` when it has ended; or
`{"error": 13, "at": "..."}` where it may not enter its folder.
"""

import array
import ast
import gc
import importlib
import json
import os
import random
import selectors
import signal
import socket
import sys
import time
import warnings
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jupyter_client import localinterfaces

import cbs_analysis
from cbs_analysis.evidence import drawing
from cbs_analysis.home import NOTEBOOKS, data_dir, home, params_dir
from cbs_analysis.runner.cache_keys import code_cells, declared_tables

LENGTH = 4
LONGEST = 16 * 1024**2
SECONDS_TO_ASK = 5
DESCRIPTORS = 4
EDITION = "CBS_WARM_EDITION"
# What a kernel imports on its way to its first cell.
KERNEL = ("IPython.core.completer", "IPython.core.completerlib", "IPython.core.debugger", "IPython.core.logger",
          "IPython.core.oinspect", "IPython.core.pylabtools", "IPython.utils.wildcard", "ipykernel.debugger",
          "ipykernel.ipkernel", "ipykernel.kernelapp", "ipykernel.pylab.backend_inline", "ipykernel.zmqshell", "psutil",
          "sqlite3", "tornado.platform.asyncio", "zmq.utils.garbage")  # fmt: skip
PARENT = "JPY_PARENT_PID"  # by which Jupyter tells a kernel whose end is its own


def import_everything() -> None:
    for name in KERNEL:
        with suppress(ImportError):
            importlib.import_module(name)
    localinterfaces.local_ips()  # found out once, and kept by the module
    # A chapter that an analyst is in the middle of changing may not import; its cell will say so.
    with suppress(Exception):
        importlib.import_module("cbs_analysis.chapters")


def prepare(edition: str | None) -> None:
    """Make the findings of the geography's whole, for what they leave in `Pack.common`. What fails here fails again,
    and is said, in the notebook that needs it.
    """
    if not edition:
        return
    with suppress(Exception), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from cbs_analysis.edition import load_edition
        from cbs_analysis.pack import geographies

        chosen = load_edition(edition, params_dir())
        for tree in geographies(chosen, data_dir()):
            for chapter in chosen.chapters_at(tree.name, tree.whole.level):
                with suppress(Exception):
                    _prepare_chapter(edition, chapter, tree.whole.code)


def _prepare_chapter(edition: str, chapter: str, whole: str) -> None:
    """Make the findings of a notebook's cells that call a chapter of this package. A home's own modules are left alone:
    what is imported here would stay as it is now in every kernel.
    """
    from cbs_analysis.chapters import open_pack

    template = home() / NOTEBOOKS / f"{chapter}.ipynb"
    names: dict[str, object] = {"pack": open_pack(whole, edition, declared_tables(template)).common}
    package = Path(cbs_analysis.__file__).with_name("chapters")
    for call in (found for cell in code_cells(template) for found in _calls(cell)):
        module = call.func.value.id  # type: ignore[attr-defined]
        if module not in names and package.joinpath(f"{module}.py").exists():
            names[module] = importlib.import_module(f"cbs_analysis.chapters.{module}")
        with suppress(Exception):
            eval(compile(ast.Expression(call), str(template), "eval"), names)


def _calls(cell: str) -> list[ast.Call]:
    """The calls of a module's functions that stand alone on a line of a cell, such as `outlook.backtest(pack)`."""
    try:
        body = ast.parse(cell).body
    except SyntaxError:
        return []
    values = [statement.value for statement in body if isinstance(statement, ast.Expr)]
    return [
        value for value in values
        if isinstance(value, ast.Call) and isinstance(value.func, ast.Attribute)
        and isinstance(value.func.value, ast.Name)
    ]  # fmt: skip


@dataclass(frozen=True)
class Request:
    """What a client asks for: the arguments after `ipykernel_launcher`, and where the kernel is to live."""

    argv: list[str]
    env: dict[str, str]
    cwd: str
    streams: list[int]
    folder: int

    def close(self) -> None:
        for descriptor in (*self.streams, self.folder):
            os.close(descriptor)


class Server:
    """Forks kernels, tells their clients how they ended, and kills those whose client has left."""

    def __init__(self, listening: socket.socket, lifeline: int, drawers: int) -> None:
        self._pid = os.getpid()
        self._listening = listening
        self._lifeline = lifeline
        self._drawers = drawers
        self._clients: dict[int, socket.socket] = {}
        self._ends: dict[int, int] = {}
        self._selector = selectors.DefaultSelector()
        self._selector.register(listening, selectors.EVENT_READ, self._accept)
        self._selector.register(lifeline, selectors.EVENT_READ, self._retire)
        self._is_retired = False

    def serve(self) -> tuple[Request, socket.socket] | None:
        """None in the server, at its end. In each forked process, what it is to become and whom to tell."""
        while not (self._is_retired and not self._clients):
            for key, _ in self._selector.select():
                asked: tuple[Request, socket.socket] | None = key.data()
                if asked:
                    return asked
        return None

    def _accept(self) -> tuple[Request, socket.socket] | None:
        try:
            client, _ = self._listening.accept()
        except OSError:
            return None
        try:
            client.settimeout(SECONDS_TO_ASK)
            request = receive(client)
        except Exception:  # whatever was sent, the kernels of others go on
            client.close()
            return None
        try:
            pid = os.fork()
            if pid == 0:
                self._forget_everything()
                return request, client
            self._watch(pid, client)
        except OSError:  # no room for one more; its client does without
            client.close()
        finally:
            if os.getpid() == self._pid:
                request.close()
        return None

    def _watch(self, pid: int, client: socket.socket) -> None:
        client.setblocking(False)
        end = os.pidfd_open(pid)
        self._clients[pid], self._ends[pid] = client, end
        self._selector.register(client, selectors.EVENT_READ, lambda: self._hung_up(pid))
        self._selector.register(end, selectors.EVENT_READ, lambda: self._ended(pid))

    def _hung_up(self, pid: int) -> None:
        if pid not in self._clients:
            return  # its end was noticed in the same moment
        with suppress(BlockingIOError, ConnectionError):
            if self._clients[pid].recv(1):
                return  # a client has nothing more to say
        self._selector.unregister(self._clients[pid])
        _kill_session(pid)

    def _ended(self, pid: int) -> None:
        _, status = os.waitpid(pid, 0)
        client, end = self._clients.pop(pid), self._ends.pop(pid)
        self._selector.unregister(end)
        os.close(end)
        with suppress(KeyError):
            self._selector.unregister(client)
        with suppress(OSError):
            client.sendall(json.dumps({"status": os.waitstatus_to_exitcode(status)}).encode() + b"\n")
        client.close()

    def _retire(self) -> None:
        """The owner is gone, or wants no more kernels of this process: no more are made."""
        self._selector.unregister(self._lifeline)
        self._selector.unregister(self._listening)
        address = Path(self._listening.getsockname())
        self._listening.close()
        for path in address.parent.glob("*"):
            path.unlink(missing_ok=True)
        with suppress(OSError):
            address.parent.rmdir()
        self._is_retired = True

    def _forget_everything(self) -> None:
        """In the forked process: let go of all that is the server's."""
        self._selector.close()
        self._listening.close()
        os.close(self._lifeline)
        os.close(self._drawers)
        for client in self._clients.values():
            client.close()
        for end in self._ends.values():
            os.close(end)


def receive(client: socket.socket) -> Request:
    """Read one request. Raises ValueError where it is none, or is cut short."""
    descriptors = array.array("i")
    head, control, _, _ = client.recvmsg(
        LENGTH, socket.CMSG_SPACE(DESCRIPTORS * descriptors.itemsize), socket.MSG_WAITALL
    )
    for level, kind, content in control:
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
            descriptors.frombytes(content[: len(content) - len(content) % descriptors.itemsize])
    try:
        length = int.from_bytes(head, "big")
        asked = json.loads(_all_of(client, length if length <= LONGEST else 0))
        first, second, third, folder = descriptors
        return Request(**asked, streams=[first, second, third], folder=folder)
    except BaseException:
        for descriptor in descriptors:
            os.close(descriptor)
        raise


def _all_of(client: socket.socket, length: int) -> bytes:
    parts = []
    while length and (part := client.recv(length)):
        parts.append(part)
        length -= len(part)
    return b"".join(parts)


def _kill_session(pid: int) -> None:
    for kill in (os.killpg, os.kill):  # the second before it has a session of its own
        with suppress(ProcessLookupError, PermissionError):
            kill(pid, signal.SIGKILL)


def _become_kernel(request: Request, client: socket.socket, environment: dict[str, str], drawing_at: str) -> None:
    """Turn a forked process into the kernel that was asked for, as if it had been started afresh."""
    os.setsid()
    for number, stream in enumerate(request.streams):
        os.dup2(stream, number)
        os.close(stream)
    os.environ.clear()
    os.environ.update(environment | request.env | {PARENT: environment[PARENT]})
    drawing.draw_at(drawing_at)
    try:
        os.fchdir(request.folder)
        os.close(request.folder)
    except OSError as error:
        client.sendall(json.dumps({"error": error.errno, "at": request.cwd}).encode() + b"\n")
        os._exit(1)
    time.tzset()
    importlib.invalidate_caches()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    random.seed()
    if "numpy" in sys.modules:
        sys.modules["numpy"].random.seed()
    client.sendall(json.dumps({"pid": os.getpid()}).encode() + b"\n")
    client.close()
    from ipykernel import kernelapp

    sys.argv = ["ipykernel_launcher", *request.argv, f"--IPKernelApp.parent_handle={environment[PARENT]}"]
    kernelapp.launch_new_instance()


def _fork_drawer(listening: int, others: tuple[int, ...]) -> int:
    """Start the process that draws; gives the writing end of the pipe whose end is its end."""
    lifeline, held = os.pipe()
    if os.fork():
        os.close(lifeline)
        os.close(listening)  # so that where none draws any more, none is waited for
        return held
    try:
        for descriptor in (held, *others):
            os.close(descriptor)
        drawing.serve(socket.socket(fileno=listening), lifeline)
    finally:
        os._exit(0)


def main(listening: int, drawn: int, lifeline: int) -> Any:
    """Serve on one listening socket, and draw on another, until the lifeline, a pipe's reading end, is at its end."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    before, at = dict(os.environ), socket.socket(fileno=os.dup(drawn)).getsockname()
    drawers = _fork_drawer(drawn, (listening, lifeline))
    import_everything()
    prepare(os.environ.get(EDITION))
    # Libraries leave words to themselves in the environment.
    environment = {key: value for key, value in os.environ.items() if key not in before}
    environment[PARENT] = str(os.getpid())
    gc.collect()
    gc.freeze()
    asked = Server(socket.socket(fileno=listening), lifeline, drawers).serve()
    if asked:
        _become_kernel(*asked, environment, at)
