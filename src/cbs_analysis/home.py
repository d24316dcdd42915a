"""Where the handbook's figures and parameters are read, and where what it makes is written.

A home is a folder with `params/editions` and `data` in it: this checkout, or another health system's own.
"""

import os
from pathlib import Path

from cbs_analysis.errors import UserError

MARK = Path("params", "editions")
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


def data_dir() -> Path:
    return home() / "data"


def params_dir() -> Path:
    return home() / "params"


def build_dir(of: Path | None = None) -> Path:
    """Where everything made is written: `CBS_BUILD`, else `build` in the home, or in another one."""
    named = os.environ.get("CBS_BUILD")
    return Path(named).expanduser().resolve() if named else (of or home()) / "build"


def records_dir() -> Path:
    """Where hospital records are stored: `CBS_RECORDS`, else `records` in the build folder."""
    named = os.environ.get("CBS_RECORDS")
    return Path(named).expanduser().resolve() if named else build_dir() / "records"


def synthetic_records_dir() -> Path:
    """Where the records of a synthetic London are stored: apart from those that anybody imported, to be made anew."""
    return build_dir() / "synthetic-records"
