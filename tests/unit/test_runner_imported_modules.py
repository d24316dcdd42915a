"""Which modules a notebook reaches: all that its imports can run, wherever they stand, and no others."""

import subprocess
import sys
import time

import pytest

import cbs_analysis
from cbs_analysis.errors import UserError
from cbs_analysis.home import NOTEBOOKS, home
from cbs_analysis.runner.cache_keys import code_cells
from cbs_analysis.runner.imported_modules import ImportedModules, check_own_modules

PACKAGE = {
    "__init__": "",
    "pack": "from cbs_analysis import errors",
    "errors": "",
    "chapters/__init__": "from cbs_analysis.chapters.similar import open_pack",
    "chapters/similar": "",
    "chapters/care": "from cbs_analysis.stats import rates\nfrom .parts import shown",
    "chapters/parts": "def shown():\n    import cbs_analysis.stats.trend",
    "chapters/other": "from cbs_analysis.records import store",
    "stats/__init__": "",
    "stats/rates": "",
    "stats/trend": "",
    "records/__init__": "",
    "records/store": "",
    "kinds/__init__": "import importlib\nget = lambda kind: importlib.import_module(f'{__package__}.{kind}')",
    "kinds/first": "",
    "kinds/second": "",
}
OWN = {
    "mine": "import helper",
    "helper": "from cbs_analysis.stats import trend",
    "unused": "import mine",
    "folder/__init__": "from . import inner",
    "folder/inner": "",
    "folder/unread": "",
    "plain/module": "",
    "broken": "def (:",
}
ALWAYS = {"cbs_analysis", "cbs_analysis.pack", "cbs_analysis.errors", "cbs_analysis.chapters",
          "cbs_analysis.chapters.similar"}  # fmt: skip
RATES = {"cbs_analysis.stats", "cbs_analysis.stats.rates"}
TREND = {"cbs_analysis.stats", "cbs_analysis.stats.trend"}
CARE = {"cbs_analysis.chapters.care", "cbs_analysis.chapters.parts"} | RATES | TREND
MINE = {"notebooks/mine.py", "notebooks/helper.py"} | TREND
FOLDER = {"notebooks/folder/__init__.py", "notebooks/folder/inner.py"}
KINDS = {"cbs_analysis.kinds", "cbs_analysis.kinds.first", "cbs_analysis.kinds.second"}
STORE = {"cbs_analysis.records", "cbs_analysis.records.store"}


@pytest.fixture
def modules(tmp_path, monkeypatch) -> ImportedModules:
    for folder, sources in ((tmp_path / "package", PACKAGE), (tmp_path / "notebooks", OWN)):
        for name, source in sources.items():
            path = folder / f"{name}.py"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(source + "\n", encoding="utf-8")
    (tmp_path / "notebooks" / "compiled.cpython-311-x86_64-linux-gnu.so").touch()
    monkeypatch.setattr(cbs_analysis, "__file__", str(tmp_path / "package" / "__init__.py"))
    return ImportedModules(tmp_path / "notebooks")


def everything() -> set[str]:
    package = {".".join(("cbs_analysis", *name.split("/"))).removesuffix(".__init__") for name in PACKAGE}
    return package | {f"notebooks/{name}.py" for name in OWN}


@pytest.mark.parametrize(
    ("cell", "reached"),
    [
        ("", set()),
        ("import pandas as pd\nfrom collections import abc", set()),
        ("from cbs_analysis.chapters import open_pack", set()),
        ("from cbs_analysis.chapters import care, open_pack", CARE),
        ("import cbs_analysis.chapters.care as care", CARE),
        ("def later():\n    from cbs_analysis.stats import rates", RATES),
        ("if True:\n    try:\n        import cbs_analysis.stats.rates\n    except ImportError:\n        pass", RATES),
        ("from cbs_analysis.stats.rates import crude_rate", RATES),
        ("from cbs_analysis import stats\nstats.rates.crude_rate", RATES),
        ("import cbs_analysis\ncbs_analysis.stats.rates.crude_rate", RATES),
        ("import cbs_analysis as ours\nours.stats.trend", TREND),
        ("from cbs_analysis.stats import *", RATES | TREND),
        ("from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import mine", set()),
        ("from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import unused\nelse:\n    import mine", MINE),
        ("import mine", MINE),
        ("from cbs_analysis.chapters import mine", MINE),
        ("from cbs_analysis.chapters.mine import something", MINE),
        ("import folder", FOLDER),
        ("from folder.unread import x", FOLDER | {"notebooks/folder/unread.py"}),
        ("import plain.module", {"notebooks/plain/module.py"}),
        ("from plain import module", {"notebooks/plain/module.py"}),
        ("import broken", {"notebooks/broken.py"}),
        ("import importlib\nimportlib.import_module('cbs_analysis.stats.rates')", RATES),
        ("__import__('mine')", MINE),
        ("import importlib\nimportlib.import_module(f'cbs_analysis.stats.{kind}')", RATES | TREND),
        ("import importlib\nimportlib.import_module('cbs_analysis.stats.' + kind)", RATES | TREND),
        ("from cbs_analysis import kinds", KINDS),
        ("%matplotlib inline\nimport mine", MINE),
    ],
)
def test_a_cell_reaches_what_its_imports_run_and_no_more(modules, cell, reached):
    assert set(modules.reached([cell])) == ALWAYS | reached


@pytest.mark.parametrize(
    "cell",
    [
        "import importlib\nimportlib.import_module(name)",
        "from importlib import import_module as get\nget('mine')",
        "from importlib import import_module\nlist(map(import_module, names))",
        "exec(code)",
        "%run mine.py",
        "!python mine.py",
        "get_ipython().run_line_magic('run', 'mine.py')",
        "this is no Python",
        "import compiled",
    ],
)
def test_what_cannot_be_told_counts_as_reached(modules, cell):
    assert set(modules.reached([cell])) >= everything()


def test_all_cells_count(modules):
    assert set(modules.reached(["import mine", "from cbs_analysis.chapters import care"])) == ALWAYS | MINE | CARE


def test_each_module_is_named_with_its_own_file(modules, tmp_path):
    reached = modules.reached(["from cbs_analysis.chapters import other, mine"])
    assert reached["cbs_analysis.records.store"] == tmp_path / "package" / "records" / "store.py"
    assert reached["notebooks/mine.py"] == tmp_path / "notebooks" / "mine.py"
    assert set(reached) == ALWAYS | MINE | STORE | {"cbs_analysis.chapters.other"}


@pytest.mark.parametrize("name", ["care.py", "care/__init__.py"])
def test_a_module_named_as_a_chapter_of_the_package_is_refused(modules, tmp_path, name):
    path = tmp_path / "notebooks" / name
    path.parent.mkdir(exist_ok=True)
    path.touch()
    with pytest.raises(UserError, match=r"^notebooks/care(.py)?: cbs_analysis.chapters has a module 'care' too"):
        check_own_modules(tmp_path / "notebooks")


@pytest.mark.parametrize("name", ["calendar", "pandas", "cbs_analysis"])
def test_a_module_named_as_an_installed_one_is_refused(modules, tmp_path, name):
    (tmp_path / "notebooks" / f"{name}.py").touch()
    with pytest.raises(UserError, match=rf"^notebooks/{name}.py: '{name}' is the name of an installed module"):
        check_own_modules(tmp_path / "notebooks")


def test_modules_with_names_of_their_own_are_allowed_also_where_the_folder_is_on_the_path(
    modules, tmp_path, monkeypatch
):
    monkeypatch.syspath_prepend(str(tmp_path / "notebooks"))
    check_own_modules(tmp_path / "notebooks")


def reached_by_chapters() -> dict[str, set[str]]:
    notebooks = home() / NOTEBOOKS
    modules = ImportedModules(notebooks)
    return {path.stem: set(modules.reached(code_cells(path))) for path in sorted(notebooks.glob("*.ipynb"))}


def test_each_chapter_of_ours_reaches_its_own_module_and_that_of_no_other():
    reached = reached_by_chapters()
    for chapter, names in reached.items():
        own = f"cbs_analysis.chapters.{chapter}"
        assert own in names
        assert [other for other in reached if other != chapter and own in reached[other]] == []


def test_no_chapter_reaches_what_makes_or_stores_records_or_publishes_packs():
    far = ("cbs_analysis.records", "cbs_analysis.simulation", "cbs_analysis.publishing", "cbs_analysis.cli")
    for names in reached_by_chapters().values():
        assert [name for name in names if name.startswith(far)] == []


def test_what_our_chapters_reach_is_known_well_within_a_second_of_work():
    before = time.process_time()
    reached_by_chapters()
    assert time.process_time() - before < 2  # a third of a second here


def test_what_is_imported_in_truth_is_among_what_is_reached():
    """Each chapter imported in a Python of its own brings in no module of ours that is not reached."""
    show = "import sys; print(*[name for name in sys.modules if name.split('.')[0] == 'cbs_analysis'])"
    for chapter, names in reached_by_chapters().items():
        run = f"from cbs_analysis.chapters import {chapter}; import cbs_analysis.tables.declared; {show}"
        done = subprocess.run([sys.executable, "-c", run], capture_output=True, text=True, check=True)
        assert set(done.stdout.split()) <= names
