"""A warm kernel behaves as a stock one does and knows nothing of the kernels before it."""

import ast
import asyncio
import json
import os
import signal
import subprocess
import sys

import nbformat
import pytest
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import start_new_async_kernel
from kernels import (
    SECONDS,
    STOCK,
    WARM,
    as_stock_and_warm,
    is_gone,
    own_warm_process,
    shared_environment,
    started,
    until,
    warm_process_pid,
)

from cbs_analysis.runner.warm import process

pytestmark = pytest.mark.skipif(not process.is_possible(), reason="this system cannot fork a ready process")

# What a notebook can leave changed: how it changes it, and an expression that shows whether it is.
LEFT_BEHIND = {
    "global": ("left = 1", "'left' in globals()"),
    "builtin": ("import builtins; builtins.left = 1", "hasattr(__import__('builtins'), 'left')"),
    "pandas option": ("pd.set_option('display.max_rows', 3)", "pd.get_option('display.max_rows')"),
    "chart theme": ("alt.theme.enable('dark')", "alt.theme.active"),
    "chart data limit": ("alt.data_transformers.disable_max_rows()", "dict(alt.data_transformers.options)"),
    "environment": ("os.environ['CBS_LEFT'] = 'x'", "os.environ.get('CBS_LEFT')"),
    "folder": ("os.chdir('/usr')", "os.getcwd()"),
    "import path": ("sys.path.insert(0, '/nowhere')", "sys.path[:]"),
    "warnings": ("warnings.filterwarnings('error', 'left')", "[str(each) for each in warnings.filters]"),
    "attribute of a module": ("statistics.mean = len", "statistics.mean.__name__"),
    "module": ("sys.modules['left'] = os", "'left' in sys.modules"),
    "signal handler": ("signal.signal(signal.SIGUSR1, signal.SIG_IGN)", "int(signal.getsignal(signal.SIGUSR1))"),
    "file mode": ("os.umask(0o77)", "open('/proc/self/status').read().split('Umask:')[1].split()[0]"),
    "seed": ("random.seed(1), np.random.seed(1)", "np.random.get_state()[1][0].item() == 1"),
}
IMPORTS = "import os, random, signal, statistics, sys, warnings; import altair as alt, numpy as np, pandas as pd"
RANDOM = ("random.random()", "np.random.rand()", "np.random.default_rng().random()", "__import__('uuid').uuid4().hex")

ENDS = {
    "os._exit(7)": 7,
    "os.kill(os.getpid(), signal.SIGKILL)": -signal.SIGKILL,
    "os.kill(os.getpid(), signal.SIGTERM)": -signal.SIGTERM,
}

# Surroundings of a kernel that code in a cell can come to depend on.
SURROUNDINGS = {
    "import path": "sys.path",
    "flags of the interpreter": "str(sys.flags)",
    "names in the environment": "sorted(os.environ)",
    "signal handlers": "[str(signal.getsignal(each)) for each in sorted(signal.valid_signals())]",
    "blocked signals": "[int(each) for each in signal.pthread_sigmask(signal.SIG_BLOCK, [])]",
    "leads its session": "(os.getsid(0) == os.getpid(), os.getpgid(0) == os.getpid())",
    "main module": "sys.modules['__main__'].__dict__ is globals()",
    "encodings": "(sys.stdout.encoding, sys.getfilesystemencoding(), locale.getlocale())",
    "garbage collection": "(gc.isenabled(), gc.get_threshold())",
    "limits": "[resource.getrlimit(each) for each in range(10)] + [sys.getrecursionlimit()]",
    "interpreter": "sys.executable",
}


@pytest.fixture(scope="module", autouse=True)
def warm_process(tmp_path_factory):
    with own_warm_process(tmp_path_factory.mktemp("kernels")), pytest.MonkeyPatch.context() as patch:
        patch.setenv("CBS_OF_THE_WARM_PROCESS", "not to be inherited")
        process.keep_warm(os.environ)
        yield


@pytest.fixture(scope="module")
def one_after_another() -> list[dict[str, object]]:
    """What is seen in a kernel, in the next once it has changed everything, and in one after that."""
    found = []
    for changes in ([], [change for change, _ in LEFT_BEHIND.values()], []):
        with started() as kernel:
            kernel.run(IMPORTS)
            found.append({"random": [kernel.value(each) for each in RANDOM]})
            for change in changes:
                assert kernel.run(change)["status"] == "ok"
            found[-1] |= {name: kernel.value(shown) for name, (_, shown) in LEFT_BEHIND.items()}
            found[-1]["warm process"] = kernel.parent
    return found


@pytest.mark.parametrize("name", LEFT_BEHIND)
def test_what_a_notebook_changes_is_as_it_was_in_the_next_kernel(one_after_another, name):
    before, changed, after = (found[name] for found in one_after_another)
    assert changed != before
    assert after == before


def test_kernels_of_one_process_draw_different_random_numbers(one_after_another):
    assert len({found["warm process"] for found in one_after_another}) == 1
    for drawn in zip(*(found["random"] for found in one_after_another), strict=True):
        assert len(set(drawn)) == 3


@as_stock_and_warm
def test_a_kernel_has_the_environment_and_the_folder_that_its_client_asked_for(name, tmp_path):
    own = {"CBS_ASKED": "ä=\udcff\n'", "TZ": "Asia/Tokyo", "TMPDIR": str(tmp_path), "HOME": str(tmp_path)}
    others = {key: value for key, value in os.environ.items() if key != "CBS_OF_THE_WARM_PROCESS"}
    with started(name, env=others | own, cwd=tmp_path) as kernel:
        kernel.run("import os, pathlib, tempfile, time")
        environment = ast.literal_eval(kernel.value("ascii(dict(os.environ))"))
        assert {key: environment.get(key) for key in own} == own
        assert others.keys() <= environment.keys()
        assert "CBS_OF_THE_WARM_PROCESS" not in environment
        assert kernel.value("(os.getcwd(), tempfile.gettempdir(), str(pathlib.Path.home()))") == (str(tmp_path),) * 3
        assert kernel.value("time.tzname") == ("JST", "JST")


@as_stock_and_warm
def test_a_module_beside_the_notebook_can_be_imported(name, tmp_path):
    (tmp_path / "beside_it.py").write_text("answer = 42", encoding="utf-8")
    with started(name, cwd=tmp_path) as kernel:
        assert kernel.run("import beside_it")["status"] == "ok"
        assert kernel.value("beside_it.answer") == 42


@pytest.fixture(scope="module")
def surroundings() -> dict[str, dict[str, object]]:
    found = {}
    for name in (STOCK, WARM):
        with started(name) as kernel:
            kernel.run("import gc, locale, os, resource, signal, sys")
            found[name] = {what: kernel.value(shown) for what, shown in SURROUNDINGS.items()}
    return found


@pytest.mark.parametrize("what", SURROUNDINGS)
def test_surroundings_are_those_of_a_stock_kernel(surroundings, what):
    assert surroundings[WARM][what] == surroundings[STOCK][what]


@as_stock_and_warm
def test_a_folder_that_is_not_there_is_named(name, tmp_path):
    with pytest.raises(FileNotFoundError, match="gone"), started(name, cwd=tmp_path / "gone"):
        pass


@as_stock_and_warm
def test_an_interrupt_stops_the_cell_and_the_kernel_goes_on(name):
    with started(name) as kernel:
        kernel.run("import time; kept = 5")
        running = kernel.begin("time.sleep(60)")
        assert kernel.interrupted(running)["ename"] == "KeyboardInterrupt"
        assert kernel.value("kept + 1") == 6


@as_stock_and_warm
def test_an_interrupt_reaches_what_a_cell_has_started(name):
    with started(name) as kernel:
        running = kernel.begin("import subprocess, time", "child = subprocess.Popen(['sleep', '60'])", "time.sleep(60)")
        assert kernel.interrupted(running)["ename"] == "KeyboardInterrupt"
        assert kernel.value("child.wait(5)") == -signal.SIGINT


@as_stock_and_warm
def test_a_restart_gives_a_new_kernel(name):
    with started(name) as kernel:
        kernel.run("kept = 5")
        before = kernel.pid
        kernel.manager.restart_kernel(now=True)
        kernel.client.wait_for_ready(timeout=SECONDS)
        assert kernel.value("'kept' in globals()") is False
        assert kernel.pid != before
        assert is_gone(before)


@as_stock_and_warm
def test_a_shutdown_lets_a_kernel_end_by_itself(name, tmp_path):
    with started(name) as kernel:
        last = tmp_path / "last words"
        kernel.run("import atexit, pathlib", f"atexit.register(pathlib.Path({str(last)!r}).touch)")
        kernel.manager.shutdown_kernel()
        assert last.exists()
        assert kernel.process.returncode == 0
        assert not kernel.manager.is_alive()


@pytest.mark.parametrize(("end", "status"), ENDS.items())
@as_stock_and_warm
def test_a_kernel_that_ends_is_known_to_have_ended_and_how(name, end, status):
    with started(name) as kernel:
        with pytest.raises(subprocess.TimeoutExpired):
            kernel.process.wait(0.05)
        assert kernel.process.poll() is None
        assert kernel.manager.is_alive()
        kernel.client.execute(f"import os, signal; {end}")
        assert kernel.process.wait(SECONDS) == status
        assert kernel.process.poll() == status
        assert kernel.process.returncode == status
        assert asyncio.run(kernel.manager.provisioner.poll()) == status
        assert not kernel.manager.is_alive()


@as_stock_and_warm
def test_a_kernel_killed_by_its_client_takes_what_its_cells_have_started(name):
    with started(name) as kernel:
        kernel.run("import subprocess", "child = subprocess.Popen(['sleep', '60'])")
        pid, child = kernel.pid, kernel.value("child.pid")
        kernel.manager.shutdown_kernel(now=True)
        assert kernel.process.returncode == -signal.SIGKILL
        until(lambda: is_gone(pid) and is_gone(child), "kernel and child are gone")


@as_stock_and_warm
def test_standard_streams_are_those_that_the_client_gave(name, tmp_path):
    log, warnings = tmp_path / "log", tmp_path / "warnings"
    with log.open("wb") as out, warnings.open("wb") as error, started(name, stdout=out, stderr=error) as kernel:
        assert kernel.value("__import__('os').read(0, 1)") == b""
        kernel.run("import os; os.system('echo said; echo warned >&2')")
        until(lambda: "said" in log.read_text() and "warned" in warnings.read_text(), "both are written")


@as_stock_and_warm
def test_an_asynchronous_client_can_start_and_end_a_kernel(name):
    async def life() -> tuple[str, bool, int]:
        manager, client = await start_new_async_kernel(kernel_name=name, startup_timeout=SECONDS)
        reply = await client.execute("kept = 5", reply=True, timeout=SECONDS)
        process = manager.provisioner.process
        await manager.shutdown_kernel()
        client.stop_channels()
        return reply["content"]["status"], await manager.is_alive(), process.returncode

    assert asyncio.run(life()) == ("ok", False, 0)


@as_stock_and_warm
def test_a_relative_path_is_resolved_from_the_folder_of_the_kernel(name, tmp_path):
    (tmp_path / "cell.py").touch()
    with started(name, cwd=str(tmp_path)) as kernel:
        assert kernel.manager.resolve_path("cell.py") == str(tmp_path / "cell.py")


installed = pytest.mark.skipif(
    WARM not in KernelSpecManager().find_kernel_specs(), reason="the kernel specification is not installed"
)


def run_tool(*arguments: str, env: dict[str, str]) -> str:
    command = [sys.executable, "-m", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, env=env, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@installed
def test_jupyter_finds_the_kernel_as_the_package_describes_it():
    found = KernelSpecManager().get_kernel_spec(WARM)
    described = json.loads((process.kernel_spec() / "kernel.json").read_text(encoding="utf-8"))
    assert (found.argv, found.display_name) == (described["argv"], described["display_name"])
    assert found.metadata["kernel_provisioner"]["provisioner_name"] == "cbs-warm"


@installed
def test_papermill_runs_a_notebook_with_it(tmp_path, write_template):
    template = write_template(tmp_path / "in.ipynb", "import os", "(area_code, os.getppid())")
    made = tmp_path / "out.ipynb"
    run_tool(
        "papermill",
        "-k",
        WARM,
        "-l",
        "python",
        str(template),
        str(made),
        "-p",
        "area_code",
        "5LE",
        env=shared_environment(),
    )
    notebook = nbformat.read(made, as_version=4)
    assert notebook.cells[-1].outputs[0].data["text/plain"] == repr(("5LE", warm_process_pid()))


@installed
def test_nbval_compares_a_notebook_with_it(tmp_path):
    cell = nbformat.v4.new_code_cell("import os; os.getppid()", execution_count=1)
    cell.outputs = [
        nbformat.v4.new_output("execute_result", {"text/plain": str(warm_process_pid())}, execution_count=1)
    ]
    path = tmp_path / "with_outputs.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=[cell]), path)
    options = ["--nbval", "--nbval-kernel-name", WARM, "-p", "no:cacheprovider", "--rootdir", str(tmp_path)]
    assert "1 passed" in run_tool("pytest", *options, str(path), env=shared_environment())
