"""What the tests of kernels share: kernels started by name, asked for values, ended; and waiting with a limit."""

import ast
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from queue import Empty
from typing import Any

import psutil
import pytest
from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.manager import KernelManager, start_new_kernel

from cbs_analysis.runner.warm import process

WARM, STOCK = "cbs", "python3"
SECONDS = 30
TRIES = 3

as_stock_and_warm = pytest.mark.parametrize("name", [STOCK, WARM])


class Kernel:
    """A kernel that runs, with its manager and a client of it."""

    def __init__(self, manager: KernelManager, client: BlockingKernelClient) -> None:
        self.manager = manager
        self.client = client
        self.process: Any = manager.provisioner.process

    def run(self, *lines: str) -> dict[str, Any]:
        return self.client.execute("\n".join(lines), reply=True, timeout=SECONDS)["content"]

    def value(self, expression: str) -> Any:
        reply = self.client.execute("", user_expressions={"asked": expression}, reply=True, timeout=SECONDS)
        asked = reply["content"]["user_expressions"]["asked"]
        assert asked["status"] == "ok", asked
        return ast.literal_eval(asked["data"]["text/plain"])

    def begin(self, *lines: str) -> str:
        """Have a cell run until it has printed something; gives what to look for in its reply. Should it raise, what
        is asked next is answered all the same: a kernel else refuses what comes in the moment after.
        """
        code = "\n".join((*lines[:-1], "print('begun', flush=True)", lines[-1]))
        asked = self.client.execute(code, stop_on_error=False)
        while True:
            message = self.client.get_iopub_msg(timeout=SECONDS)
            if message["parent_header"].get("msg_id") == asked and message["msg_type"] == "stream":
                return asked

    def reply(self, asked: str, seconds: float = SECONDS) -> dict[str, Any]:
        while (message := self.client.get_shell_msg(timeout=seconds))["parent_header"].get("msg_id") != asked:
            pass
        return message["content"]

    def interrupted(self, asked: str) -> dict[str, Any]:
        """Interrupt a cell until it ends, as a person does; gives its reply. Python drops an interrupt that falls into
        what must not raise, such as the end of an object.
        """
        for _ in range(TRIES):
            self.manager.interrupt_kernel()
            with suppress(Empty):
                return self.reply(asked, SECONDS / TRIES)
        raise AssertionError(f"{TRIES} interrupts did not end the cell")

    @property
    def pid(self) -> int:
        return self.value("__import__('os').getpid()")

    @property
    def parent(self) -> int:
        return self.value("__import__('os').getppid()")


@contextmanager
def started(name: str = WARM, **how: Any) -> Iterator[Kernel]:
    manager, client = start_new_kernel(kernel_name=name, startup_timeout=SECONDS, **how)
    try:
        yield Kernel(manager, client)
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


@contextmanager
def own_warm_process(folder: Path) -> Iterator[None]:
    """No warm process but one that is started meanwhile, with the kernels' own files in `folder`."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv(process.ADDRESS, raising=False)
        patch.setenv("IPYTHONDIR", str(folder / "ipython"))
        patch.setenv("JUPYTER_RUNTIME_DIR", str(folder / "runtime"))
        process.close()
        try:
            yield
        finally:
            process.close()


def shared_environment() -> dict[str, str]:
    """The environment of another process that is to use this one's warm process."""
    return {**os.environ, **process.keep_warm(os.environ)}


def warm_process_pid() -> int:
    with started() as kernel:
        return kernel.parent


def until(holds: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + SECONDS
    while not holds():
        assert time.monotonic() < deadline, f"not in {SECONDS} seconds: {what}"
        time.sleep(0.02)


def is_gone(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True
