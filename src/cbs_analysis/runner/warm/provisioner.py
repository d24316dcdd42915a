"""What Jupyter calls to start, watch and stop a kernel: as its own provisioner, but the kernel comes from the warm
process.

Named `cbs-warm` among the entry points `jupyter_client.kernel_provisioners`. Where no warm kernel is to be had it
starts a stock one, and says so once.
"""

import asyncio
import os
import subprocess
from pathlib import Path
from typing import Any

from jupyter_client.connect import KernelConnectionInfo
from jupyter_client.provisioning.local_provisioner import LocalProvisioner

from cbs_analysis.runner.warm import process

SECONDS_A_POLL = 0.005
POLLS_AFTER_A_KILL = 100


class WarmProvisioner(LocalProvisioner):
    """Kernels by fork. Signals, polling and exit status are those of a child process."""

    async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> KernelConnectionInfo:
        try:
            kernel = await self._forked(cmd, kwargs)
        except process.NotToBeHadError as reason:
            process.say_once(reason)
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

    async def _forked(self, cmd: list[str], kwargs: dict[str, Any]) -> process.ForkedKernel:
        given = [kwargs.get(name) for name in ("stdin", "stdout", "stderr")]
        env, cwd = kwargs.get("env") or dict(os.environ), os.fspath(kwargs.get("cwd") or Path.cwd())
        null = os.open(os.devnull, os.O_RDWR)
        try:
            streams = [_descriptor(stream, default, null) for stream, default in zip(given, (null, 1, 2), strict=True)]
            return await asyncio.to_thread(process.launch, cmd, env, cwd, streams)
        finally:
            os.close(null)


def _descriptor(stream: Any, default: int, null: int) -> int:
    if stream is None:
        return default
    if stream == subprocess.DEVNULL:
        return null
    if stream in (subprocess.PIPE, subprocess.STDOUT):
        raise process.NotToBeHadError("the client wants a pipe to the kernel")
    return stream if isinstance(stream, int) else stream.fileno()
