"""Papermill's own way of executing, with two things made sure of: which Python runs the cells, and that they
end.

A Papermill engine is its documented place for this. Stock tools still run the same notebooks without it.
"""

import time
from math import ceil
from typing import Any

from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from nbclient.exceptions import CellExecutionComplete, CellTimeoutError
from papermill.clientwrap import PapermillNotebookClient
from papermill.engines import NBClientEngine, papermill_engines
from papermill.log import logger
from traitlets import default

ENGINE = "cbs"
MOST_PRINTED = 2_000_000  # characters a notebook may print: ours print nothing, and memory is not endless
LAST_OUTPUT_SECONDS = 30  # nbclient's own 4 is too short for a machine with every core at work


class Watch:
    """Follows an execution: which code cell is running, and how many of the notebook's seconds are left."""

    def __init__(self, timeout: int) -> None:
        self.timeout = timeout
        self.deadline = time.monotonic() + timeout
        self.position = -1
        self.number: int | None = None
        self.source = ""
        self.printed = 0
        self.is_unread = False

    def cell_started(self, cell: Any, cell_index: int) -> None:
        self.position, self.source = cell_index, str(cell.source)
        self.number = (self.number or 0) + 1

    def seconds_left(self, cell: Any) -> int:
        """At least 1, because nbclient takes 0 for no limit."""
        return max(1, ceil(self.deadline - time.monotonic()))

    @property
    def is_over(self) -> bool:
        return time.monotonic() > self.deadline

    @property
    def first_line(self) -> str:
        return next((line.strip() for line in self.source.splitlines() if line.strip()), "")


class OwnKernelManager(AsyncKernelManager):
    """Starts `python3` with this interpreter, whatever kernel of that name is installed for the user or the
    machine.

    A kernel specification found on disk may name another Python; with no folders to look in, jupyter_client
    falls back on ipykernel's own, which names the interpreter that asks.
    """

    @default("kernel_spec_manager")
    def _own_kernel_only(self) -> KernelSpecManager:
        return KernelSpecManager(parent=self, kernel_dirs=[])


class WatchedClient(PapermillNotebookClient):
    """Bounds what is read of a cell that prints without end, which would keep nbclient from its own time
    limit.
    """

    watch: Watch

    def process_message(self, msg: Any, *args: Any, **kwargs: Any) -> Any:
        if self.watch.is_over:
            self.watch.is_unread = True
            raise CellExecutionComplete  # ends the reading; the wait for the cell runs into its own limit
        if msg["msg_type"] == "stream":
            self.watch.printed += len(msg["content"]["text"])
            if self.watch.printed > MOST_PRINTED:
                return None
        return super().process_message(msg, *args, **kwargs)

    def execute(self, **kwargs: Any) -> Any:
        try:
            notebook = super().execute(**kwargs)
        finally:
            if self.km is not None and self.km.has_kernel:  # interrupted while it started: not in nbclient's hands
                self._cleanup_kernel()
        if self.watch.is_unread:
            raise CellTimeoutError("the last cell ended, but its output came too late")
        return notebook


class WatchedEngine(NBClientEngine):
    @classmethod
    def execute_managed_notebook(
        cls, nb_man: Any, kernel_name: str, *, watch: Watch, start_timeout: int, **unused: Any
    ) -> Any:
        client = WatchedClient(
            nb_man,
            log=logger,
            kernel_name=kernel_name,
            kernel_manager_class=OwnKernelManager,
            startup_timeout=start_timeout,
            timeout=watch.timeout,
            timeout_func=watch.seconds_left,
            on_cell_execute=watch.cell_started,
            iopub_timeout=LAST_OUTPUT_SECONDS,
            coalesce_streams=True,
            shutdown_kernel="immediate",
        )
        client.watch = watch
        return client.execute()


papermill_engines.register(ENGINE, WatchedEngine)
