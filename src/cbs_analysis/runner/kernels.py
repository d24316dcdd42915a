"""The kernel that notebooks of a batch run in: always the Python that runs the batch, with the packages it was installed with."""

from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from traitlets import default


class OwnKernelManager(AsyncKernelManager):
    """Starts `python3` with this interpreter, whatever kernel of that name is installed for the user or the machine.

    A kernel specification found on disk may name another Python; with no folders to look in, jupyter_client falls
    back on ipykernel's own, which names the interpreter that asks.
    """

    @default("kernel_spec_manager")
    def _own_kernel_only(self) -> KernelSpecManager:
        return KernelSpecManager(parent=self, kernel_dirs=[])
