"""Under every public client of Jupyter a warm kernel gives what a stock one gives, whatever folder it is asked for."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import nbformat
import papermill
import pytest
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_server.services.kernels.kernelmanager import AsyncMappingKernelManager
from kernels import SECONDS, STOCK, WARM, own_warm_process, shared_environment
from nbclient import NotebookClient

from cbs_analysis.runner.warm import process

pytestmark = [
    pytest.mark.skipif(not process.is_possible(), reason="this system cannot fork a ready process"),
    pytest.mark.skipif(WARM not in KernelSpecManager().find_kernel_specs(), reason="the kernel is not installed"),
]

# Folders as a client may name them: `work` and the others lie in the client's own folder.
FOLDERS = {
    "not named": None,
    "absolute": "{here}/work",
    "relative": "work",
    "relative with dots": "../{name}/work/.",
    "the client's own": ".",
    "with a space": "with a space",
    "not ASCII": "Ynys Môn – £",
    "of bytes that are no text": os.fsdecode(b"not\xfftext"),
    "a link": "link",
    "empty": "",
    "missing": "missing",
    "missing and absolute": "{here}/missing",
    "a file": "file",
}
SEES = "import os; (os.getcwd(), os.path.exists('beside.txt'))"


@pytest.fixture(scope="module", autouse=True)
def warm_process(tmp_path_factory):
    with own_warm_process(tmp_path_factory.mktemp("kernels")):
        process.keep_warm(os.environ)
        yield


@pytest.fixture(scope="module")
def here(tmp_path_factory) -> Path:
    here = tmp_path_factory.mktemp("here")
    for name in ("work", "with a space", "Ynys Môn – £", os.fsdecode(b"not\xfftext")):
        (here / name).mkdir()
        (here / name / "beside.txt").touch()
    (here / "link").symlink_to("work")
    (here / "file").touch()
    return here


def notebook() -> Any:
    cell = nbformat.v4.new_code_cell(SEES, metadata={"tags": ["parameters"]}, id="only")
    return nbformat.v4.new_notebook(cells=[cell], metadata={"language_info": {"name": "python"}})


def nbclient(kernel: str, folder: str | None, here: Path) -> str:
    resources = {} if folder is None else {"metadata": {"path": folder}}
    made = NotebookClient(notebook(), kernel_name=kernel, resources=resources, timeout=SECONDS).execute()
    return made.cells[0].outputs[0]["data"]["text/plain"]


def papermill_python(kernel: str, folder: str | None, here: Path) -> str:
    nbformat.write(notebook(), here / "in.ipynb")
    made = papermill.execute_notebook(
        str(here / "in.ipynb"), None, cwd=folder, kernel_name=kernel, progress_bar=False, execution_timeout=SECONDS
    )
    return made.cells[0].outputs[0]["data"]["text/plain"]


def jupyter_server(kernel: str, folder: str | None, here: Path) -> str:
    """As JupyterLab starts a kernel: the folder is one below the server's root."""

    async def seen() -> str:
        manager = AsyncMappingKernelManager(root_dir=str(here))
        kernel_id = await manager.start_kernel(kernel_name=kernel, path=folder)
        client = manager.get_kernel(kernel_id).client()
        client.start_channels()
        try:
            await client.wait_for_ready(timeout=SECONDS)
            reply = await client.execute("", user_expressions={"seen": "__import__('os').getcwd()"}, reply=True)
            return reply["content"]["user_expressions"]["seen"]["data"]["text/plain"]
        finally:
            client.stop_channels()
            await manager.shutdown_kernel(kernel_id, now=True)

    return asyncio.run(seen())


CLIENTS: dict[str, Callable[[str, str | None, Path], str]] = {
    "nbclient": nbclient,
    "papermill": papermill_python,
    "Jupyter server": jupyter_server,
}


@contextmanager
def at(folder: Path) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        yield


def outcome(client: str, kernel: str, folder: str | None, here: Path) -> tuple[str, ...]:
    """What a cell sees, or the error of a client whose kernel did not start."""
    named = folder if folder is None else folder.format(here=here, name=here.name)
    with at(here):
        try:
            return ("seen", CLIENTS[client](kernel, named, here))
        except Exception as error:
            return (type(error).__name__, str(error))


@pytest.mark.parametrize("folder", FOLDERS)
@pytest.mark.parametrize("client", CLIENTS)
def test_a_folder_is_the_one_that_a_stock_kernel_has_or_the_same_error(client, folder, here):
    stock, warm = (outcome(client, kernel, FOLDERS[folder], here) for kernel in (STOCK, WARM))
    assert warm == stock
    assert (warm[0] == "seen") or folder in ("empty", "missing", "missing and absolute", "a file", *NOT_TEXT[client])


NOT_TEXT = {"nbclient": (), "papermill": (), "Jupyter server": ("relative with dots",)}
COMMANDS = {
    "papermill": ["papermill", "-k", "{kernel}", "-l", "python", "{path}", "out.ipynb", "--cwd", "{folder}"],
    "jupyter execute": ["jupyter", "execute", "--kernel_name={kernel}", "--output=out.ipynb", "{path}"],
    "nbval": ["pytest", "-q", "--nbval-lax", "--nbval-kernel-name={kernel}", "-p", "no:cacheprovider", "{path}"],
}


@pytest.mark.parametrize("path", ["./with a space/in.ipynb", "Ynys Môn – £/in.ipynb", "missing/in.ipynb"])
@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_ends_as_with_a_stock_kernel(command, path, here, tmp_path):
    folder = here / Path(path).parent
    if folder.exists():
        made = notebook()
        made.cells[0].source = "assert __import__('os').path.exists('beside.txt')"
        nbformat.write(made, folder / "in.ipynb")
    said = []
    for kernel in (STOCK, WARM):
        given = {"kernel": kernel, "path": path, "folder": Path(path).parent.as_posix()}
        arguments = [part.format(**given) for part in COMMANDS[command]]
        done = subprocess.run(
            [sys.executable, "-m", *arguments], cwd=here, env=shared_environment(), capture_output=True, check=False
        )
        said.append((done.returncode, b"FileNotFoundError" in done.stderr))
    assert said[0] == said[1]
    assert (said[0][0] == 0) is folder.exists()
