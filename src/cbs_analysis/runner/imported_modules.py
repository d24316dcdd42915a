"""Which modules a notebook can reach by its imports, read from their source without running any of it.

Two kinds of module are followed: those of this package, and an analyst's own beside the notebooks, which can be
imported by their plain name or as chapters of this package. An import counts wherever it stands, in a function too.
What cannot be told from the source counts as reached: `import_module` of a name that is not written out, a
`from … import *`, and anything in a cell that is not plain Python.
"""

import ast
import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from importlib.machinery import SOURCE_SUFFIXES, PathFinder, all_suffixes
from pathlib import Path

import cbs_analysis
from cbs_analysis.errors import UserError
from cbs_analysis.home import check_chapter_names, files_under

PACKAGE = "cbs_analysis"
CHAPTERS = f"{PACKAGE}.chapters"
# What every notebook of the batch uses, whatever its cells import.
ALWAYS = (CHAPTERS, f"{PACKAGE}.pack", f"{PACKAGE}.tables.declared")
IMPORTERS = {"import_module", "__import__"}
RUNNERS = {"exec", "eval", "run_module", "run_path", "exec_module", "load_module", "spec_from_file_location",
           "run_line_magic", "run_cell_magic", "run_cell"}  # fmt: skip
HARMLESS_MAGIC = re.compile(r"^%(matplotlib|config)\b.*$", re.MULTILINE)


@dataclass(frozen=True)
class Imports:
    """What a piece of source imports: names of modules (or of what is in them), names that it binds, which of their
    attributes it uses, and beginnings of names of which any may be imported (an empty one: any module at all).
    """

    names: frozenset[str] = frozenset()
    bound: frozenset[str] = frozenset()
    attributes: frozenset[str] = frozenset()
    beginnings: frozenset[str] = frozenset()


ANYTHING = Imports(beginnings=frozenset([""]))


class ImportedModules:
    """The modules of this package and of a home, and which of them each notebook of the home reaches."""

    def __init__(self, notebooks: Path) -> None:
        self._notebooks = notebooks
        self._package = Path(cbs_analysis.__file__).parent
        own = dict(_named(notebooks, module_files(notebooks)))
        self._files: dict[str, Path] = {
            **{f"{CHAPTERS}.{name}": path for name, path in own.items()},
            **own,
            **{f"{PACKAGE}.{name}".rstrip("."): path for name, path in _named(self._package, self.package)},
        }
        self._imports: dict[str, Imports] = {}

    @cached_property
    def package(self) -> list[Path]:
        """The source of this package, in the order of its paths."""
        return module_files(self._package)

    def reached(self, cells: Iterable[str]) -> dict[str, Path]:
        """The file of each module that these code cells reach, by a name to show, in the order of the names."""
        reached: set[str] = set()
        due = {*ALWAYS, *(name for cell in cells for name in self._wanted(_imports_of_cell(cell)))}
        while due:
            reached |= (new := {name for asked in due for name in self._with_parents(asked)} - reached)
            due = {wanted for name in new for wanted in self._wanted(self._imports_of(name))}
        return dict(sorted((self._shown(self._files[name]), self._files[name]) for name in reached))

    def _shown(self, path: Path) -> str:
        if path.is_relative_to(self._package):
            parts = path.relative_to(self._package.parent).with_suffix("").parts
            return ".".join((PACKAGE, *parts[1:])).removesuffix(".__init__")
        return f"{self._notebooks.name}/{path.relative_to(self._notebooks).as_posix()}"

    def _with_parents(self, name: str) -> Iterator[str]:
        """Those of a dotted name and what it lies in that are modules: the last part may be a name in a module."""
        parts = name.split(".")
        return (known for end in range(1, len(parts) + 1) if (known := ".".join(parts[:end])) in self._files)

    def _imports_of(self, name: str) -> Imports:
        if name not in self._imports:
            self._imports[name] = _imports_of_file(self._files[name], name)
        return self._imports[name]

    def _wanted(self, imports: Imports) -> set[str]:
        wanted, bound = set(imports.names), set(imports.bound)
        wanted |= {name for start in imports.beginnings for name in self._files if name.startswith(start)}
        while bound:  # a module within a package is its attribute once anything has imported it
            within = {f"{name}.{attribute}" for name in bound for attribute in imports.attributes} & self._files.keys()
            bound, wanted = within - wanted, wanted | within
        return wanted


def module_files(folder: Path) -> list[Path]:
    """Every file in a folder, and the folders in it, that Python can import, in the order of their paths."""
    return [path for path in files_under(folder) if path.name.endswith(tuple(all_suffixes()))]


def check_own_modules(notebooks: Path) -> None:
    """Raises UserError where a module beside the notebooks has the name of a chapter's module, of one of Python's or of
    a library's: which of the two an import gives would depend on where it stands.
    """
    check_chapter_names(notebooks, Path(cbs_analysis.__file__).with_name("chapters"))
    elsewhere = [entry for entry in sys.path if entry and Path(entry).resolve() != notebooks.resolve()]
    for name, path in _named(notebooks, module_files(notebooks)):
        if "." not in name and (name in sys.stdlib_module_names or PathFinder.find_spec(name, elsewhere)):
            shown = f"{notebooks.name}/{path.relative_to(notebooks).as_posix()}"
            raise UserError(f"{shown}: {name!r} is the name of an installed module; give yours another name")


def _named(root: Path, files: Iterable[Path]) -> Iterator[tuple[str, Path]]:
    """Each file with the dotted name of its module, counted from the root; the root's own is empty."""
    for path in files:
        folders, stem = path.relative_to(root).parent.parts, path.name.partition(".")[0]
        yield ".".join(folders if stem == "__init__" else (*folders, stem)), path


def _imports_of_cell(source: str) -> Imports:
    try:
        return _imports(ast.parse(HARMLESS_MAGIC.sub("", source)), "")
    except (SyntaxError, ValueError):
        return ANYTHING


def _imports_of_file(path: Path, name: str) -> Imports:
    if path.suffix not in SOURCE_SUFFIXES:
        return ANYTHING
    try:
        tree = ast.parse(path.read_bytes())
    except (SyntaxError, ValueError):  # importing it fails, and goes no further
        return Imports()
    return _imports(tree, name if path.stem == "__init__" else name.rpartition(".")[0])


def _imports(tree: ast.Module, package: str) -> Imports:
    """What a module of a package imports."""
    names: set[str] = set()
    bound: set[str] = set()
    attributes: set[str] = set()
    beginnings: set[str] = set()
    called: set[ast.expr] = set()
    for node in _executed(tree):
        match node:
            case ast.Import():
                names |= {alias.name for alias in node.names}
                bound |= {alias.name if alias.asname else alias.name.partition(".")[0] for alias in node.names}
            case ast.ImportFrom():
                source = _absolute(node.module or "", node.level, package)
                imported = {f"{source}.{alias.name}" for alias in node.names}
                names |= {source, *imported}
                bound |= imported
                beginnings |= {f"{source}." for alias in node.names if alias.name == "*"}
                beginnings |= {"" for alias in node.names if alias.name in IMPORTERS and alias.asname}
            case ast.Call(func=ast.Name() | ast.Attribute()) if _name(node.func) in IMPORTERS:
                called.add(node.func)
                start, is_whole = _leading_text(node.args[0] if node.args else None, package)
                (names if is_whole else beginnings).add(start)
            case ast.Name() | ast.Attribute():
                if _name(node) in RUNNERS or (_name(node) in IMPORTERS and node not in called):
                    beginnings.add("")
                elif isinstance(node, ast.Attribute):
                    attributes.add(node.attr)
    return Imports(frozenset(names), frozenset(bound), frozenset(attributes), frozenset(beginnings))


def _executed(tree: ast.Module) -> Iterator[ast.AST]:
    """Every part of the source, each before its own parts, without what only a type checker reads."""
    due: list[ast.AST] = [tree]
    while due:
        yield (node := due.pop())
        is_for_types = isinstance(node, ast.If) and _name(node.test) == "TYPE_CHECKING"
        due += node.orelse if is_for_types and isinstance(node, ast.If) else ast.iter_child_nodes(node)


def _name(node: ast.AST) -> str:
    return node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""


def _absolute(name: str, level: int, package: str) -> str:
    if not level:
        return name
    base = package.split(".")[: len(package.split(".")) - level + 1]
    return ".".join([*base, name] if name else base)


def _leading_text(node: ast.expr | None, package: str) -> tuple[str, bool]:
    """The text that the name of a module begins with, as far as it is written out, and whether that is all of it."""
    match node:
        case ast.Constant(value=str(text)):
            level = len(text) - len(text.lstrip("."))
            return (_absolute(text[level:], level, package) + "." * (text == "." * level) if level else text), True
        case ast.JoinedStr(
            values=[ast.FormattedValue(value=ast.Name(id="__package__")), ast.Constant(value=str(text)), *_]
        ):
            return f"{package}{text}", False
        case ast.JoinedStr(values=[first, *_]) | ast.BinOp(left=first, op=ast.Add()):
            return _leading_text(first, package)[0], False
    return "", False
