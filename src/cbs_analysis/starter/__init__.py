"""A home to start from: its folders and files, and a small made-up health system that shows what goes into them.

For `cbs init`. What is written needs nothing but the installed package: `cbs packs` and `cbs publish` in the new folder
make its packs and its site.
"""

import json
import shutil
from pathlib import Path

from cbs_analysis.errors import UserError
from cbs_analysis.files import write_atomically
from cbs_analysis.starter.example import example_files

TEMPLATE = Path(__file__).parent / "home"
PUBLISHED = "published/"
DESCRIPTION = Path("data", "datapackage.json")


def write_home(folder: Path, with_example: bool = False) -> list[Path]:
    """Write a home into a folder that is absent or empty, and give the files written, by their places in it.

    `with_example` fills it with six made-up districts in two localities, three years by month. Without it the tables of
    areas are there and empty, and no published table is described. Raises UserError where the folder is not empty or
    cannot be written.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UserError(f"{folder} is not an empty folder; name one that is absent or empty")
    try:
        for source in sorted(path for path in TEMPLATE.rglob("*") if path.is_file()):
            target = folder / source.relative_to(TEMPLATE)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target)
        (folder / "data" / "published").mkdir(parents=True, exist_ok=True)
        if with_example:
            for name, content in example_files().items():
                write_atomically(folder / name, content)
        else:
            write_atomically(folder / DESCRIPTION, _without_published(folder / DESCRIPTION))
    except OSError as error:
        raise UserError(f"{folder} cannot be written: {error.strerror}") from None
    return sorted(path.relative_to(folder) for path in folder.rglob("*") if path.is_file())


def _without_published(description: Path) -> str:
    """The description of the tables of areas alone."""
    package = json.loads(description.read_text(encoding="utf-8"))
    package["resources"] = [table for table in package["resources"] if not table["path"].startswith(PUBLISHED)]
    return json.dumps(package, indent=2, ensure_ascii=False) + "\n"
