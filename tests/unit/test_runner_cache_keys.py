"""The key of a notebook: every file that it is made from changes it, and no other file does."""

import json
import os
import re
import shutil
from pathlib import Path

import pytest

import cbs_analysis
from cbs_analysis.errors import DataError, UserError
from cbs_analysis.files import digest
from cbs_analysis.runner.cache_keys import (
    CacheKeys,
    are_unchanged,
    declared_tables,
    digest_of_home,
    files_of_home,
    why,
)

CARE = 'import own\ntables = ["activity", "people"]'
TABLES = {"activity": "published/activity.csv", "people": "published/people.csv", "unread": "published/unread.csv",
          "areas": "reference/areas.csv"}  # fmt: skip
EVERY_PART = {"notebook", "figures: activity", "figures: people", "edition", "indicators and series",
              "reference tables", "lock file", "module cbs_analysis", "module cbs_analysis.chapters",
              "module cbs_analysis.pack", "module cbs_analysis.stats.rates", "module notebooks/own.py", "runner",
              "libraries"}  # fmt: skip


@pytest.fixture
def home(tmp_path: Path, write_template, monkeypatch) -> Path:
    """A home of three tables and a reference table; two chapters, the second of which reads nothing. The package
    and the libraries are stand-ins.
    """
    home = tmp_path / "home"
    write_template(home / "notebooks" / "care.ipynb", CARE, "1")
    write_template(home / "notebooks" / "plain.ipynb", "2")
    (home / "params" / "editions").mkdir(parents=True)
    (home / "params" / "areas").mkdir()
    for name in ("editions/e.yml", "editions/other.yml", "areas/5LE.yml", "indicators.yml", "series.yml"):
        (home / "params" / name).write_text(f"{name}: 1\nchapters: [care, plain]\n")
    for path in TABLES.values():
        (home / "data" / path).parent.mkdir(parents=True, exist_ok=True)
        (home / "data" / path).write_text(f"code\n{path}\n")
    resources = [{"name": name, "path": path, "title": f"About {name}"} for name, path in TABLES.items()]
    (home / "data" / "datapackage.json").write_text(json.dumps({"title": "ours", "resources": resources}))
    (home / "requirements.lock").write_text("numpy==2.0\n")
    (home / "README.md").write_text("about")
    package, libraries = tmp_path / "package", tmp_path / "libraries"
    package.mkdir()
    (home / "notebooks" / "own.py").write_text("from cbs_analysis.stats import rates\n")
    (home / "notebooks" / "other.py").write_text("others = 1\n")
    for name in ("__init__", "pack", "chapters/__init__", "chapters/other", "stats/rates", "stats/trend", "runner/run"):
        (package / f"{name}.py").parent.mkdir(exist_ok=True)
        (package / f"{name}.py").write_text(f"name = {name!r}\n")
    (libraries / "numpy-2.0.dist-info").mkdir(parents=True)
    monkeypatch.setattr(cbs_analysis, "__file__", str(package / "__init__.py"))
    monkeypatch.syspath_prepend(str(libraries))
    return home


def parts_of(home: Path, chapter: str = "care", edition: str = "e") -> dict[str, str]:
    return CacheKeys(home, edition).parts(chapter)


def described(home: Path, table: str, **fields: str) -> None:
    path = home / "data" / "datapackage.json"
    package = json.loads(path.read_text())
    next(one for one in package["resources"] if one["name"] == table).update(fields)
    path.write_text(json.dumps(package))


def in_edition(home: Path, line: str) -> None:
    path = home / "params" / "editions" / "e.yml"
    kept = [each for each in path.read_text().splitlines() if each.partition(":")[0] != line.partition(":")[0]]
    path.write_text("\n".join([*kept, line]) + "\n")


def append(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"\n")


def new_library(home: Path) -> None:
    (home.parent / "libraries" / "numpy-2.0.dist-info").rename(home.parent / "libraries" / "numpy-2.1.dist-info")


CHANGES = {
    "the template": (lambda home: append(home / "notebooks" / "care.ipynb"), {"notebook"}),
    "a declared table": (lambda home: append(home / "data" / TABLES["activity"]), {"figures: activity"}),
    "another declared table": (lambda home: append(home / "data" / TABLES["people"]), {"figures: people"}),
    "its description": (lambda home: described(home, "activity", title="x"), {"figures: activity"}),
    "the edition": (lambda home: in_edition(home, "title: other"), {"edition"}),
    "a new chapter of the edition": (lambda home: in_edition(home, "chapters: [care, plain, new]"), set()),
    "a note in the edition": (lambda home: in_edition(home, "# a note"), set()),
    "the indicators": (lambda home: append(home / "params" / "indicators.yml"), {"indicators and series"}),
    "the series": (lambda home: append(home / "params" / "series.yml"), {"indicators and series"}),
    "a reference table": (lambda home: append(home / "data" / TABLES["areas"]), {"reference tables"}),
    "a new reference table": (
        lambda home: (home / "data" / "reference" / "new.csv").write_text("x"),
        {"reference tables"},
    ),
    "a reference table's description": (lambda home: described(home, "areas", title="x"), {"reference tables"}),
    "the lock file": (lambda home: append(home / "requirements.lock"), {"lock file"}),
    "no lock file": (lambda home: (home / "requirements.lock").unlink(), {"lock file"}),
    "a module that it imports": (lambda home: append(home / "notebooks" / "own.py"), {"module notebooks/own.py"}),
    "a module that this imports": (
        lambda home: append(home.parent / "package" / "stats" / "rates.py"),
        {"module cbs_analysis.stats.rates"},
    ),
    "what opens a pack": (lambda home: append(home.parent / "package" / "pack.py"), {"module cbs_analysis.pack"}),
    "what runs it": (lambda home: append(home.parent / "package" / "runner" / "run.py"), {"runner"}),
    "a new module of what runs it": (lambda home: (home.parent / "package" / "runner" / "x.py").touch(), {"runner"}),
    "a module that it does not import": (lambda home: append(home.parent / "package" / "stats" / "trend.py"), set()),
    "another chapter's module": (lambda home: append(home.parent / "package" / "chapters" / "other.py"), set()),
    "another module beside it": (lambda home: append(home / "notebooks" / "other.py"), set()),
    "a new module": (lambda home: (home.parent / "package" / "more.py").write_text(""), set()),
    "a new module beside it": (lambda home: (home / "notebooks" / "more.py").write_text(""), set()),
    "a library's version": (new_library, {"libraries"}),
    "an undeclared table": (lambda home: append(home / "data" / TABLES["unread"]), set()),
    "an undeclared table's description": (lambda home: described(home, "unread", title="x"), set()),
    "another template": (lambda home: append(home / "notebooks" / "plain.ipynb"), set()),
    "another edition": (lambda home: append(home / "params" / "editions" / "other.yml"), set()),
    "an area's own words": (lambda home: append(home / "params" / "areas" / "5LE.yml"), set()),
    "a file of no kind": (lambda home: append(home / "README.md"), set()),
}


def test_the_parts_are_named_after_what_they_are(home):
    parts = parts_of(home)
    assert set(parts) == EVERY_PART
    assert len(set(parts.values())) == len(parts), "no two parts are digests of the same thing"
    own = ("figures", "module notebooks", "module cbs_analysis.stats")
    assert set(parts_of(home, "plain")) == {name for name in EVERY_PART if not name.startswith(own)}


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_is_a_change_of_its_own_part_and_of_no_other(home, change):
    make, wanted = CHANGES[change]
    before = parts_of(home)
    make(home)
    after = parts_of(home)
    assert {name for name in EVERY_PART if after[name] != before[name]} == wanted
    assert set(after) == EVERY_PART


@pytest.mark.parametrize("change", ["a declared table", "its description", "the template", "an undeclared table"])
def test_figures_that_a_chapter_does_not_read_leave_its_key_alone(home, change):
    before = parts_of(home, "plain")
    CHANGES[change][0](home)
    assert parts_of(home, "plain") == before


def test_a_home_elsewhere_and_a_later_time_change_nothing(home, tmp_path):
    before, everything = parts_of(home), digest_of_home(home)
    copy = tmp_path / "somewhere else"
    shutil.copytree(home, copy, copy_function=shutil.copy)
    assert parts_of(copy) == before
    assert digest_of_home(copy) == everything


def test_another_order_of_keys_in_a_description_is_no_change(home):
    path = home / "data" / "datapackage.json"
    before, package = parts_of(home), json.loads(path.read_text())
    package["resources"] = [dict(reversed(one.items())) for one in reversed(package["resources"])]
    path.write_text(json.dumps(package, indent=2))
    assert parts_of(home) == before


def test_a_library_that_is_found_twice_counts_once(home, tmp_path, monkeypatch):
    before = parts_of(home)
    link = tmp_path / "again"
    link.symlink_to(home.parent / "libraries")
    monkeypatch.syspath_prepend(str(link))
    assert parts_of(home) == before


def test_a_plan_stands_until_any_file_of_the_home_changes(home):
    before = digest_of_home(home)
    names = {path.relative_to(home).as_posix() for path in files_of_home(home)}
    assert names >= {"params/areas/5LE.yml", "data/published/unread.csv", "notebooks/plain.ipynb"}
    assert "README.md" not in names
    append(home / "README.md")
    assert digest_of_home(home) == before
    for name in sorted(names):
        append(home / name)
        after = digest_of_home(home)
        assert after != before, name
        before = after


def test_figures_in_a_folder_that_is_a_link_are_figures_of_the_home(home):
    (home / "data" / "published").rename(home.parent / "elsewhere")
    (home / "data" / "published").symlink_to(home.parent / "elsewhere")
    assert home / "data" / TABLES["activity"] in files_of_home(home)
    before = digest_of_home(home)
    append(home.parent / "elsewhere" / "activity.csv")
    assert digest_of_home(home) != before


NOT_STAMPED = {
    "a new module of what runs it",
    "a library's version",
}  # neither is read by a process that is at work already
# As it stands in one file with what counts.
STAMPED_BESIDE = {"an undeclared table's description", "a new chapter of the edition", "a note in the edition"}


@pytest.mark.parametrize("change", [name for name in CHANGES if name not in NOT_STAMPED])
def test_the_files_that_are_watched_while_a_notebook_is_made_are_those_it_is_made_from(home, change):
    make, parts = CHANGES[change]
    stamps = CacheKeys(home, "e").stamps("care")
    assert are_unchanged(stamps)
    make(home)
    assert are_unchanged(stamps) == (not parts and change not in STAMPED_BESIDE)


def test_a_change_that_is_undone_is_a_change(home):
    path = home / "data" / TABLES["activity"]
    stamps, content, times = CacheKeys(home, "e").stamps("care"), path.read_bytes(), path.stat()
    path.write_bytes(b"other")
    path.write_bytes(content)
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert not are_unchanged(stamps)


def test_a_file_is_digested_once_for_all_areas_and_chapters(home):
    inputs = CacheKeys(home, "e")
    first = inputs.parts("care")
    for path in files_of_home(home):
        append(path)
    assert inputs.parts("care") == first
    assert inputs.parts("plain")["edition"] == first["edition"]


@pytest.mark.parametrize(
    ("before", "now", "said"),
    [
        ({"edition": "1", "package": "1"}, {"edition": "2", "package": "1"}, "edition changed"),
        ({"edition": "1", "package": "1"}, {"edition": "2", "package": "2"}, "edition, package changed"),
        ({"edition": "1"}, {"edition": "1", "figures: people": "1"}, "figures: people new"),
        ({"edition": "1", "figures: people": "1"}, {"edition": "1"}, "figures: people gone"),
        ({"a": "1", "b": "1"}, {"a": "2", "c": "1"}, "a changed; c new; b gone"),
        ({"a": "1"}, {"a": "1"}, ""),
        ({}, {"a": "1"}, "what it was made from is not known, or was changed while it was made"),
        (None, {"a": "1"}, "what it was made from is not known, or was changed while it was made"),
    ],
)
def test_what_changed_is_said_in_words(before, now, said):
    assert why(before, now) == said


def test_a_digest_tells_apart_what_differs_and_not_what_is_the_same():
    assert digest({"a": 1, "b": 2}) == digest({"b": 2, "a": 1})
    assert digest(["a", "b"]) != digest(["b", "a"])


@pytest.mark.parametrize(
    ("cells", "tables"),
    [
        (['tables = ["a", "b"]'], ("a", "b")),
        (["tables = ['a', 'b', 'a']"], ("a", "b")),
        (["tables = []"], ()),
        (["other = [1]", 'import os\ntables = ["a"]\npack = 1'], ("a",)),
        (["%matplotlib inline\nimport os", 'tables = ["a"]'], ("a",)),
        (["def broken(:", "!ls", 'tables = ["a"]'], ("a",)),
        (['def inner():\n    tables = ["b"]', 'tables = ["a"]'], ("a",)),
        (['tables = tables = ["a"]'], ("a",)),
        (['tables: list[str] = ["a"]  # tables ='], ("a",)),
    ],
)
def test_the_list_that_a_notebook_sets_is_what_it_declares(tmp_path, write_template, cells, tables):
    assert declared_tables(write_template(tmp_path / "care.ipynb", *cells, "tables_of = 1")) == tables


@pytest.mark.parametrize(
    ("cells", "said"),
    [
        (["pack = open_pack(tables=1)  # tables ="], "no cells set tables"),
        (["%time tables = ['a']  # tables ="], "no cells set tables"),
        (['tables = ["a"]', 'tables = ["b"]'], "2 cells set tables"),
        (['tables = ["a"]\ntables = ["b"]'], "2 cells set tables"),
        (['tables = ["a"]', 'tables += ["b"]'], "2 cells set tables"),
        (['tables = "a"'], "plain list of table names"),
        (['tables = ("a", "b")'], "plain list of table names"),
        (["tables = [1]"], "plain list of table names"),
        (["tables = [name for name in 'ab']"], "plain list of table names"),
        (["tables = tables()"], "plain list of table names"),
        (["tables = None"], "plain list of table names"),
        (["tables = ['a', *more]"], "plain list of table names"),
        (["tables = [{[]}]"], "plain list of table names"),
    ],
)
def test_a_notebook_that_does_not_declare_plainly_is_named(tmp_path, write_template, cells, said):
    path = write_template(tmp_path / "care.ipynb", *cells)
    with pytest.raises(UserError, match=re.escape(said)) as caught:
        declared_tables(path)
    assert str(caught.value).startswith("notebooks/care.ipynb: ")
    assert caught.value.exit_status == 2


def test_a_declared_table_that_is_none_is_named_with_the_nearest(home, write_template):
    write_template(home / "notebooks" / "care.ipynb", 'tables = ["activty"]')
    with pytest.raises(UserError, match=r"notebooks/care.ipynb: tables: 'activty' is not a table; nearest: activity"):
        parts_of(home)


def test_figures_that_cannot_be_read_are_named(home):
    (home / "data" / TABLES["people"]).unlink()
    with pytest.raises(DataError, match=r"published/people.csv cannot be read: No such file"):
        parts_of(home)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"resources": [{"path": "x"}]}'])
def test_a_broken_description_of_the_data_is_named(home, text):
    (home / "data" / "datapackage.json").write_text(text)
    with pytest.raises(DataError, match=r"data/datapackage.json is missing or broken"):
        parts_of(home)
