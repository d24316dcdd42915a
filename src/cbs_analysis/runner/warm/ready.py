"""What the warm process has ready: the libraries, and of one edition what all of its areas rest on.

Only package code is run for it, never a notebook's, and nothing of a cell is there before a cell is run: what is ready
is what `Pack.common` holds, which is made anew wherever a file of parameters or figures has changed since.
"""

import importlib
import warnings
from contextlib import suppress

from jupyter_client import localinterfaces

from cbs_analysis.home import data_dir, home, params_dir
from cbs_analysis.runner.cache_keys import NOTEBOOKS, declared_sources

EDITION = "CBS_WARM_EDITION"
# What a kernel imports on its way to its first cell.
KERNEL = ("IPython.core.completer", "IPython.core.completerlib", "IPython.core.debugger", "IPython.core.logger",
          "IPython.core.oinspect", "IPython.core.pylabtools", "IPython.utils.wildcard", "ipykernel.debugger",
          "ipykernel.ipkernel", "ipykernel.kernelapp", "ipykernel.pylab.backend_inline", "ipykernel.zmqshell", "psutil",
          "sqlite3", "tornado.platform.asyncio", "zmq.utils.garbage")  # fmt: skip


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
        from cbs_analysis.geography import load_geography

        chosen = load_edition(edition, params_dir())
        geography = load_geography(chosen.geography, data_dir())
        whole = geography.whole.code
        for chapter in chosen.chapters:
            with suppress(Exception):
                _prepare_chapter(edition, chapter, whole, geography.leaves(whole)[0])


def _prepare_chapter(edition: str, chapter: str, whole: str, leaf: str) -> None:
    from cbs_analysis.chapters import open_pack

    module = importlib.import_module(f"cbs_analysis.chapters.{chapter}")
    sources = declared_sources(home() / NOTEBOOKS / f"{chapter}.ipynb")
    open_pack(leaf, edition, sources)  # finds for every leaf those most like it
    pack = open_pack(whole, edition, sources).common
    for name in module.__all__:
        with suppress(Exception):
            getattr(module, name)(pack)
