"""Warm kernels: ready at once, because they are forked from a process that has imported the libraries already.

A kernel provisioner, so any Jupyter client has them: the batch, `papermill -k cbs`, nbval, JupyterLab. Each kernel is a
process of its own, and to its client it behaves as a stock kernel does.

- `server` is the warm process: it imports, waits and forks, and does nothing else.
- `process` starts it, replaces it when it is stale or gone, and asks it for kernels: for Jupyter, as a provisioner.
"""

from cbs_analysis.runner.warm.process import ADDRESS, WarmProvisioner, close, keep_warm, kernel_spec

__all__ = ["ADDRESS", "WarmProvisioner", "close", "keep_warm", "kernel_spec"]
