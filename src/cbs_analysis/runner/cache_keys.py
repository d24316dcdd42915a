"""What a notebook is made from, part by part, as digests: the key that says whether it has to be made again.

The parts are the template, the edition, the definitions of indicators and series, every table that the notebook
declares with its description, the reference tables, the modules that its cells can reach, what runs it, the lock file
and the libraries. Nothing else may reach an executed notebook, so the same key means the same bytes.
"""

import ast
import json
import platform
import sys
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

import cbs_analysis
from cbs_analysis.errors import DataError, UserError, nearest
from cbs_analysis.files import digest, stamp
from cbs_analysis.home import NOTEBOOKS, files_under
from cbs_analysis.runner.imported_modules import ImportedModules, module_files
from cbs_analysis.tables import derived

DESCRIPTION = "datapackage.json"
REFERENCE = "reference"
NAME = "tables"
FOLDERS = ("params", "data", NOTEBOOKS)
MADE_BY_TOOLS = {"__pycache__", ".ipynb_checkpoints"}
RUNNER = "runner"  # the package's folder of what runs a notebook, which counts for all
MOST_NAMED = 5
STORE = "records"
"""Where a copy of a home has what was derived from the record store in use."""
Parts = Mapping[str, str]
Stamps = Mapping[Path, tuple[int, ...]]


class CacheKeys:
    """The files of a home and of this installation, each read and digested once.

    Each file is stamped before it is read, so that a change while notebooks are made is seen, even where it is undone.
    """

    def __init__(self, home: Path, edition: str) -> None:
        self.home, self.edition = home, edition
        self._store = derived.store_in_use(home)
        self._data = home / "data"
        self._edition = home / "params" / "editions" / f"{edition}.yml"
        self._definitions = [home / "params" / name for name in ("indicators.yml", "series.yml")]
        self._lock = home / "requirements.lock"
        everything = [*files_of_home(home), *package_files(), self._lock, self._data / REFERENCE]
        self._stamps = {path: stamp(path) for path in everything}
        self._imports = ImportedModules(home / NOTEBOOKS)
        self._digests: dict[Path, str] = {}
        self._modules: dict[str, dict[str, Path]] = {}
        self._notebooks: dict[str, dict[str, str]] = {}

    def parts(self, chapter: str) -> dict[str, str]:
        """Each part of what a chapter of the edition is made from, with its digest; the same for every area."""
        if chapter not in self._notebooks:
            template = self._template(chapter)
            self._notebooks[chapter] = {
                "notebook": _digest_of(template),
                **{f"figures: {table}": self._table(table, template) for table in declared_tables(template)},
                **{f"module {name}": self._digest(path) for name, path in self._reached(chapter).items()},
                **self._shared,
            }
        return self._notebooks[chapter]

    def stamps(self, chapter: str) -> Stamps:
        """Each file that a chapter of the edition is made from, with its stamp from before it was read."""
        template = self._template(chapter)
        tables = {self._file_of(table) for table in declared_tables(template)}
        reference = {self._data / REFERENCE, *files_under(self._data / REFERENCE)}
        of_store = {self._store / derived.DESCRIPTION, self._store / derived.MANIFEST}
        code = {*self._reached(chapter).values(), *_runner_files()}
        shared = {self._edition, *self._definitions, self._lock, self._data / DESCRIPTION, *of_store}
        return {path: self._stamps.get(path, ()) for path in {template} | tables | reference | shared | code}

    @cached_property
    def _shared(self) -> dict[str, str]:
        tables = {path.name: _digest_of(path) for path in files_under(self._data / REFERENCE)}
        described = {name: entry for name, entry in self._described.items() if entry["path"].startswith(REFERENCE)}
        return {
            "edition": self._choices(),
            "indicators and series": digest([_digest_of(path) for path in self._definitions if path.exists()]),
            "reference tables": digest(tables, described),
            "lock file": _digest_of(self._lock) if self._lock.exists() else "none",
            "runner": digest(files=_runner_files()),
            "libraries": _libraries(),
        }

    @cached_property
    def _described(self) -> dict[str, Any]:
        try:
            package = json.loads((self._data / DESCRIPTION).read_text(encoding="utf-8"))
            return {entry["name"]: entry for entry in package["resources"]} | dict(derived.descriptions(self._store))
        except (OSError, ValueError, KeyError, TypeError):
            raise DataError(f"data/{DESCRIPTION} is missing or broken; it must describe every table") from None

    def _table(self, table: str, template: Path) -> str:
        if table not in self._described:
            if table in derived.TABLES:
                raise DataError(f"notebooks/{template.name}: {derived.missing(table, self._store)}")
            near = nearest(table, self._described)
            raise UserError(f"notebooks/{template.name}: {NAME}: {table!r} is not a table; {near}")
        of_store = derived.store_stamp(self._store) if table in derived.TABLES else None
        entry = self._described[table]
        return digest(entry, of_store.digest if of_store else "", self._digest(self._file_of(table)))

    def _file_of(self, table: str) -> Path:
        if table in derived.TABLES:
            return derived.path_of(table, self._store)
        return self._data / self._described[table]["path"]

    def _choices(self) -> str:
        """Of the edition without its list of chapters: one that is added makes no other out of date."""
        try:
            choices = yaml.safe_load(self._edition.read_bytes())
        except (OSError, yaml.YAMLError) as error:
            raise DataError(f"params/editions/{self._edition.name} cannot be read: {error}") from None
        if isinstance(choices, dict) and isinstance(chapters := choices.get("chapters"), list):
            choices["chapters"] = [entry for entry in chapters if not isinstance(entry, str)]
        return digest(repr(choices))

    def _reached(self, chapter: str) -> dict[str, Path]:
        """The modules that a chapter's cells can reach, by their names."""
        if chapter not in self._modules:
            self._modules[chapter] = self._imports.reached(code_cells(self._template(chapter)))
        return self._modules[chapter]

    def _digest(self, path: Path) -> str:
        if path not in self._digests:
            self._digests[path] = _digest_of(path)
        return self._digests[path]

    def _template(self, chapter: str) -> Path:
        return self.home / NOTEBOOKS / f"{chapter}.ipynb"


def named_files(home: Path, store: Path | None = None) -> dict[str, Path]:
    """Every file of parameters, figures and notebooks, and what was derived from a record store (the home's own where
    none is given), each under its name in a copy of the home.
    """
    folder = store or derived.store_in_use(home)
    of_home = {path.relative_to(home).as_posix(): path for name in FOLDERS for path in files_under(home / name)}
    of_home = {name: path for name, path in of_home.items() if not MADE_BY_TOOLS & {*Path(name).parts}}
    return of_home | {f"{STORE}/{path.relative_to(folder).as_posix()}": path for path in derived.files(folder)}


def files_of_home(home: Path, store: Path | None = None) -> list[Path]:
    """The files of `named_files`, in the order of their names."""
    return list(named_files(home, store).values())


def digest_of_home(home: Path, store: Path | None = None) -> str:
    """One digest of all parameters, figures, notebooks and code, and of what was derived from the record store: while
    it stands, a plan made once stands.
    """
    named = {name: _digest_of(path) for name, path in named_files(home, store).items()}
    return digest(named, made_with())


def declared_tables(template: Path) -> tuple[str, ...]:
    """The tables that a notebook declares: the list that one of its code cells calls `tables`.

    Raises UserError where there is none, or it is not a plain list of names.
    """
    shown = f"notebooks/{template.name}"
    found = [value for source in code_cells(template) for value in _assigned(source)]
    if len(found) != 1:
        wanted = f'say once which tables the chapter reads, as {NAME} = ["monthly_activity_return"]'
        raise UserError(f"{shown}: {len(found) or 'no'} cells set {NAME}; {wanted}")
    try:
        tables = ast.literal_eval(found[0])
    except (ValueError, TypeError):
        tables = None
    if not isinstance(tables, list) or not all(isinstance(table, str) for table in tables):
        raise UserError(f"{shown}: {NAME} must be a plain list of table names, which can be read without running it")
    return tuple(dict.fromkeys(tables))


def are_unchanged(stamps: Stamps) -> bool:
    """Whether nothing was written to these files since they were stamped."""
    return all(stamp(path) == before for path, before in stamps.items())


def why(before: Parts | None, now: Parts) -> str:
    """What has changed between the parts of an earlier run and those of now, in words."""
    if not before:
        return "what it was made from is not known, or was changed while it was made"
    changed = [name for name in now if name in before and before[name] != now[name]]
    new, gone = [name for name in now if name not in before], [name for name in before if name not in now]
    groups = ((changed, "changed"), (new, "new"), (gone, "gone"))
    return "; ".join(f"{_named(names)} {what}" for names, what in groups if names)


def _named(names: Sequence[str]) -> str:
    more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    return f"{', '.join(names[:MOST_NAMED])}{more}"


def package_files() -> list[Path]:
    """The source of this package, in the order of its paths."""
    return module_files(Path(cbs_analysis.__file__).parent)


def made_with() -> dict[str, str]:
    """The code that makes notebooks, as it is on the disk now: this package's source, and every library with its
    version.
    """
    root = Path(cbs_analysis.__file__).parent
    source = {path.relative_to(root).as_posix(): _digest_of(path) for path in package_files()}
    return {"package": digest(source), "libraries": _libraries()}


def _libraries() -> str:
    found = {path.name for folder in map(Path, sys.path) if folder.is_dir() for path in folder.glob("*.dist-info")}
    return digest(platform.python_version(), sorted(found))


def _runner_files() -> list[Path]:
    return module_files(Path(cbs_analysis.__file__).with_name(RUNNER))


def _digest_of(path: Path) -> str:
    try:
        return digest(path.read_bytes())
    except OSError as error:
        raise DataError(f"{path.parent.name}/{path.name} cannot be read: {error.strerror}") from None


def code_cells(template: Path) -> list[str]:
    cells = json.loads(template.read_text(encoding="utf-8"))["cells"]
    return ["".join(cell["source"]) for cell in cells if cell.get("cell_type") == "code"]


def _assigned(source: str) -> Sequence[ast.expr]:
    try:
        body = ast.parse(source).body
    except SyntaxError:  # a magic, or a cell that will fail when it is run
        return []
    return [
        statement.value
        for statement in body
        if isinstance(statement, ast.Assign | ast.AnnAssign | ast.AugAssign)
        and statement.value
        and NAME in _names(statement)
    ]


def _names(statement: ast.Assign | ast.AnnAssign | ast.AugAssign) -> list[str]:
    targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
    return [target.id for target in targets if isinstance(target, ast.Name)]
