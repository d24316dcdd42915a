"""Papermill's own way of executing, with three things made sure of: which Python runs the cells, that it is there at
once, and that the cells end and do not take all the memory.

A Papermill engine is its documented place for this. Stock tools still run the same notebooks without it.
"""

import os
import time
from contextlib import suppress
from math import ceil
from pathlib import Path
from typing import Any

import zmq
import zmq.asyncio
from jupyter_client.asynchronous.client import AsyncKernelClient
from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from nbclient.exceptions import CellExecutionComplete, CellTimeoutError, DeadKernelError
from nbformat.v4 import new_output
from papermill.clientwrap import PapermillNotebookClient
from papermill.engines import NBClientEngine, papermill_engines
from papermill.log import logger
from traitlets import Type, default

from cbs_analysis.runner import warm
from cbs_analysis.runner.plan import Limits

ENGINE = "cbs"
MOST_SHOWN = 20_000_000  # characters that a notebook may print and display: ours show less than a tenth of it
LAST_OUTPUT_SECONDS = 30  # nbclient's own 4 is too short for a machine with every core at work
HOLD_TO_SOURCES = "--IPKernelApp.extra_extensions=cbs_analysis.tables.declared"
MILLISECONDS_TO_CALL_AGAIN = 10
SECONDS_TO_HEAR = 0.02
LONGEST_SOCKET = 90  # characters of the path of a Unix socket, without its number


class TooMuchOutputError(Exception):
    """A notebook printed and displayed more than MOST_SHOWN characters."""


class Watch:
    """Follows an execution: which code cell is running, and how many of the notebook's seconds are left."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.deadline = time.monotonic() + limits.seconds
        self.position = -1
        self.number: int | None = None
        self.source = ""
        self.shown = 0
        self.is_unread = False
        self.notebook: Any = None

    def cell_started(self, cell: Any, cell_index: int) -> None:
        """Raises what ends the notebook where the cell before left no time for this one, or showed too much."""
        if self.is_flooded:
            raise TooMuchOutputError
        if self.is_over:
            raise CellTimeoutError("no time is left for the next cell")
        self.position, self.source = cell_index, str(cell.source)
        self.number = (self.number or 0) + 1

    def cell_failed(self, cell: Any, cell_index: int, execute_reply: Any) -> None:
        """Put the error into the cell's output where only the kernel's reply has it: the published message was not
        sent, or not read. Raises TooMuchOutputError where there is no room left for it.
        """
        if not self.is_flooded and not any(output.output_type == "error" for output in cell.outputs):
            reply = execute_reply["content"]
            error = new_output(
                "error", ename=reply.get("ename", "Error"), evalue=reply.get("evalue", ""),
                traceback=reply.get("traceback", []),
            )  # fmt: skip
            self.shown += _size(error)
            if not self.is_flooded:
                cell.outputs.append(error)
        if self.is_flooded:
            raise TooMuchOutputError

    def seconds_left(self, cell: Any) -> int:
        """At least 1, because nbclient takes 0 for no limit."""
        return max(1, ceil(self.deadline - time.monotonic()))

    @property
    def is_over(self) -> bool:
        return time.monotonic() > self.deadline

    @property
    def is_flooded(self) -> bool:
        return self.shown > MOST_SHOWN

    @property
    def first_line(self) -> str:
        return next((line.strip() for line in self.source.splitlines() if line.strip()), "")


class WarmKernel(KernelSpecManager):
    """Knows one kernel, this interpreter's, made ready by the warm process.

    A kernel specification found on disk may name another Python.
    """

    def get_kernel_spec(self, kernel_name: str) -> KernelSpec:
        return KernelSpec.from_resource_dir(str(warm.kernel_spec()))


class PromptClient(AsyncKernelClient):
    """Does not wait a fifth of a second for messages that a fresh kernel may have sent before it was asked."""

    async def wait_for_ready(self, timeout: float | None = None) -> None:
        deadline = time.monotonic() + (timeout or float("inf"))
        while time.monotonic() < deadline:
            asked = self.kernel_info()
            with suppress(TimeoutError):
                reply = await self._async_recv_reply(asked, timeout=1)
                self._handle_kernel_info_reply(reply)
                if await self._hears(asked):
                    return
            if not await self._async_is_alive():
                raise RuntimeError("Kernel died before replying to kernel_info")
        raise RuntimeError(f"Kernel didn't respond in {timeout} seconds")

    async def _hears(self, asked: str) -> bool:
        """Whether what the kernel says to all arrives here: that it is idle again after it was asked."""
        with suppress(Exception):
            while True:
                message = await self.iopub_channel.get_msg(timeout=SECONDS_TO_HEAR)
                if (
                    message["parent_header"].get("msg_id") == asked
                    and message["content"].get("execution_state") == "idle"
                ):
                    return True
        return False


class OwnKernelManager(AsyncKernelManager):
    """Starts this interpreter's kernel from the warm process, and talks to it over sockets in a folder of its own:
    nothing else can take its ports.
    """

    client_class = "cbs_analysis.runner.papermill_engine.PromptClient"
    client_factory = Type(PromptClient)

    @default("context")
    def _context_that_calls_again_soon(self) -> zmq.asyncio.Context:
        """A kernel's sockets are there a tenth of a second after it was forked; ZeroMQ's own next try is later."""
        context = super()._context_default()
        context.setsockopt(zmq.RECONNECT_IVL, MILLISECONDS_TO_CALL_AGAIN)
        return context

    @default("kernel_spec_manager")
    def _own_kernel_only(self) -> KernelSpecManager:
        return WarmKernel(parent=self)

    def talk_in(self, scratch: Path) -> None:
        self.connection_file = str(scratch / "k.json")
        if os.name == "posix" and len(os.fsencode(self.connection_file)) <= LONGEST_SOCKET:
            self.transport = "ipc"


class WatchedClient(PapermillNotebookClient):
    """Bounds what is read of a cell that prints or displays without end, which would take all the memory and keep
    nbclient from its own time limit.
    """

    watch: Watch

    def process_message(self, msg: Any, *args: Any, **kwargs: Any) -> Any:
        size = _size(msg["content"]) + sum(map(len, msg.get("buffers", ())))
        self.watch.shown += size * self._places(msg)
        if self.watch.is_flooded:
            self._kill_kernel()  # so that the cell ends; nbclient looks every second
            raise CellExecutionComplete
        if self.watch.is_over:
            self.watch.is_unread = True
            raise CellExecutionComplete  # ends the reading; the wait for the cell runs into its own limit
        return super().process_message(msg, *args, **kwargs)

    def _places(self, msg: Any) -> int:
        """How many outputs of the notebook a message writes: a display with an id also replaces earlier ones."""
        shown_as = (msg["content"].get("transient") or {}).get("display_id")
        earlier = sum(map(len, self._display_id_map.get(shown_as, {}).values()))
        return max(1, earlier + (msg["msg_type"] != "update_display_data"))

    def _kill_kernel(self) -> None:
        if process := getattr(self.km and self.km.provisioner, "process", None):
            with suppress(OSError):
                process.kill()

    def limit_memory(self, **unused: Any) -> None:
        """Hold the kernel to its memory from its first cell on, where the system can: Linux can."""
        provisioner = self.km.provisioner if self.km else None
        pid = getattr(provisioner, "pid", None)
        if pid and self.watch.limits.memory:
            limit_memory(pid, self.watch.limits.memory)

    def execute(self, **kwargs: Any) -> Any:
        try:
            notebook = super().execute(**kwargs)
        except DeadKernelError:
            if self.watch.is_flooded:
                raise TooMuchOutputError from None
            raise
        finally:
            if self.km is not None and self.km.has_kernel:  # interrupted while it started: not in nbclient's hands
                self._cleanup_kernel()
        if self.watch.is_flooded:
            raise TooMuchOutputError
        if self.watch.is_unread:
            raise CellTimeoutError("the last cell ended, but its output came too late")
        return notebook


def _size(content: Any) -> int:
    """The characters in a message, whatever it is made of."""
    if isinstance(content, str):
        return len(content)
    if isinstance(content, dict):
        return sum(map(_size, content.values()))
    return sum(map(_size, content)) if isinstance(content, list) else 1


def limit_memory(pid: int, memory: int) -> None:
    """Let a process write to no more than `memory` bytes of its own; asking for more raises MemoryError in it."""
    try:
        import resource

        resource.prlimit(pid, resource.RLIMIT_DATA, (memory, memory))
    except (ImportError, AttributeError, ProcessLookupError, ValueError, OSError):
        return


class WatchedEngine(NBClientEngine):
    @classmethod
    def execute_managed_notebook(
        cls, nb_man: Any, kernel_name: str, *, watch: Watch, start_timeout: int, scratch: Path, env: dict[str, str],
        folder: Path, log: Any, **unused: Any,
    ) -> Any:  # fmt: skip
        watch.notebook = nb_man.nb
        manager = OwnKernelManager(kernel_name=kernel_name)
        manager.talk_in(scratch)
        client = WatchedClient(
            nb_man,
            km=manager,
            log=logger,
            kernel_name=kernel_name,
            startup_timeout=start_timeout,
            timeout=watch.limits.seconds,
            timeout_func=watch.seconds_left,
            on_cell_execute=watch.cell_started,
            on_cell_error=watch.cell_failed,
            iopub_timeout=LAST_OUTPUT_SECONDS,
            shutdown_kernel="immediate",
            extra_arguments=["--HistoryManager.enabled=False", HOLD_TO_SOURCES],
        )
        client.on_notebook_start = client.limit_memory
        client.watch, client.owns_km = watch, True
        return client.execute(cwd=str(folder), env=env, stdout=log, stderr=log)


papermill_engines.register(ENGINE, WatchedEngine)
