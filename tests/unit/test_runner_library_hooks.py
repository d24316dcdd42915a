"""What the runner uses of libraries without their promise to keep it: here a new version fails first, and by name."""

import inspect
import tomllib
from pathlib import Path
from typing import Any

import nbformat
import pytest
from ipykernel.kernelapp import IPKernelApp, launch_new_instance
from jupyter_client.asynchronous.client import AsyncKernelClient
from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
from jupyter_client.localinterfaces import local_ips
from jupyter_client.manager import AsyncKernelManager
from jupyter_client.provisioning.local_provisioner import LocalProvisioner
from nbclient import NotebookClient
from papermill.clientwrap import PapermillNotebookClient
from papermill.engines import NBClientEngine, papermill_engines
from papermill.execute import execute_notebook, raise_for_execution_errors

# Each hook with the arguments that it is called or overridden with.
HOOKS: dict[str, tuple[Any, set[str]]] = {
    "wait for the reply to a request": (AsyncKernelClient._async_recv_reply, {"msg_id", "timeout"}),
    "take in a kernel's description": (AsyncKernelClient._handle_kernel_info_reply, {"msg"}),
    "whether a kernel is alive": (AsyncKernelClient._async_is_alive, set()),
    "wait until a kernel is ready": (AsyncKernelClient.wait_for_ready, {"timeout"}),
    "find a kernel": (KernelSpecManager.get_kernel_spec, {"kernel_name"}),
    "read a kernel specification": (KernelSpec.from_resource_dir, {"resource_dir"}),
    "addresses of this machine": (local_ips, set()),
    "start a kernel": (LocalProvisioner.launch_kernel, {"cmd", "kwargs"}),
    "wait for a kernel's end": (LocalProvisioner.wait, set()),
    "kill a kernel": (LocalProvisioner.kill, {"restart"}),
    "read a message": (NotebookClient.process_message, {"msg", "cell", "cell_index"}),
    "end a kernel": (NotebookClient._cleanup_kernel, set()),
    "Papermill's client": (PapermillNotebookClient.__init__, {"nb_man", "km"}),
    "Papermill's engine": (NBClientEngine.execute_managed_notebook, {"nb_man", "kernel_name"}),
    "run with an engine": (papermill_engines.execute_notebook_with_engine, {"engine_name", "nb", "kernel_name"}),
    "put parameters in": (execute_notebook, {"prepare_only", "parameters", "language"}),
    "raise for a cell that failed": (raise_for_execution_errors, {"nb", "output_path"}),
    "start IPython's kernel": (launch_new_instance, set()),
}
BOUND = {"ipykernel", "jupyter-client", "nbclient", "papermill"}


@pytest.mark.parametrize("hook", HOOKS)
def test_a_hook_takes_what_it_is_given(hook):
    function, arguments = HOOKS[hook]
    assert arguments <= set(inspect.signature(function).parameters)


def test_a_kernel_manager_makes_its_sockets_where_ours_does():
    assert callable(AsyncKernelManager()._context_default)


def test_displays_are_remembered_by_id_cell_and_position():
    client = NotebookClient(nbformat.v4.new_notebook())
    client.reset_execution_trackers()
    client.clear_before_next_output = False
    assert client._display_id_map == {}
    message = {
        "msg_type": "display_data", "header": {"msg_type": "display_data"}, "parent_header": {"msg_id": "1"},
        "content": {"data": {}, "metadata": {}, "transient": {"display_id": "a"}},
    }  # fmt: skip
    client.process_message(message, nbformat.v4.new_code_cell(), 3)
    assert client._display_id_map == {"a": {3: [0]}}


def test_a_provisioner_keeps_its_process_and_a_kernel_knows_its_parent():
    assert {"process", "pid", "pgid", "cwd"} <= set(dir(LocalProvisioner))
    assert IPKernelApp.parent_handle.metadata["config"]


def test_the_libraries_have_an_upper_bound():
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    bounded = {name.partition(">")[0] for name in project["dependencies"] if "<" in name}
    assert bounded >= BOUND
