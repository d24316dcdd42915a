"""Where the handbook's figures and parameters are read, and where what it makes is written.

A home is a folder with `params/editions` and `data` in it: this checkout, or another health system's own.
"""

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from cbs_analysis.errors import UserError

MARK = Path("params", "editions")
NOTEBOOKS = "notebooks"
SOURCES = "CBS_SOURCES"  # the environment variable that names, as JSON, the tables that a kernel of the batch may read


def home() -> Path:
    """The folder of figures and parameters in use.

    `CBS_HOME` where it is set; else the nearest folder at or above the working directory that holds
    `params/editions`; else the checkout that the package was installed from.
    Raises UserError where none of them is there.
    """
    if named := os.environ.get("CBS_HOME"):
        folder = Path(named).expanduser().resolve()
        if not (folder / MARK).is_dir():
            raise UserError(f"CBS_HOME: {named} holds no params/editions folder; name a handbook's own folder")
        return folder
    here = Path.cwd().resolve()
    for folder in (here, *here.parents, Path(__file__).resolve().parents[2]):
        if (folder / MARK).is_dir():
            return folder
    raise UserError(f"no handbook at or above {here}: no params/editions folder; set CBS_HOME to one")


def files_under(folder: Path) -> list[Path]:
    """Every file in a folder and the folders in it, links followed, in the order of their paths."""
    found = (Path(root, name) for root, _, names in os.walk(folder, followlinks=True) for name in names)
    return sorted(path for path in found if path.is_file())


class ChapterFolders(list[str]):
    """Where the chapters' modules lie: the package's own folder, then the notebooks of the home in use, looked up each
    time, because a kernel is forked from a process that knew of no home, or of another.

    Raises UserError where both have a module of one name.
    """

    def __iter__(self) -> Iterator[str]:
        folders = list(super().__iter__())
        with suppress(UserError, OSError):
            folders.append(str(home() / NOTEBOOKS))
        for own in folders[1:]:
            check_chapter_names(Path(own), Path(folders[0]))
        return iter(folders)


def check_chapter_names(notebooks: Path, package: Path) -> None:
    """Raises UserError where a module beside the notebooks has the name of one of the package's chapters."""
    taken = {path.stem for path in package.glob("*.py")}
    for path in sorted(notebooks.glob("*")):
        if path.stem in taken and (path.suffix == ".py" or (path / "__init__.py").exists()):
            name = f"{notebooks.name}/{path.name}"
            raise UserError(f"{name}: cbs_analysis.chapters has a module {path.stem!r} too; give yours another name")


def data_dir() -> Path:
    return home() / "data"


def params_dir() -> Path:
    return home() / "params"


def build_dir(of: Path | None = None) -> Path:
    """Where everything made is written: `CBS_BUILD`, else `build` in the home, or in another one."""
    named = os.environ.get("CBS_BUILD")
    return Path(named).expanduser().resolve() if named else (of or home()) / "build"


def records_dir(of: Path | None = None) -> Path:
    """Where hospital records are stored: `CBS_RECORDS`, else `records` in the build folder."""
    named = os.environ.get("CBS_RECORDS")
    return Path(named).expanduser().resolve() if named else build_dir(of) / "records"


def synthetic_records_dir(of: Path | None = None) -> Path:
    """Where the records of a synthetic London are stored: apart from those that anybody imported, to be made anew."""
    return build_dir(of) / "synthetic-records"
