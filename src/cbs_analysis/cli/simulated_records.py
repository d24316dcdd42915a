"""A synthetic London for the commands: its extracts made, imported into a store of their own, and made anew where what
they are made from has changed.
"""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import typer

import cbs_analysis
from cbs_analysis.cli.show import progress_bar
from cbs_analysis.files import digest_of_files, make_folder, write_atomically
from cbs_analysis.home import build_dir, data_dir, files_under, params_dir, synthetic_records_dir
from cbs_analysis.records.importing import import_files
from cbs_analysis.records.store import Store
from cbs_analysis.simulation import make as make_world

MADE_FROM = ".made_from"
"""The file of a synthetic London's store that says from what it was made: put there when all of it is in the store."""


def extracts() -> Path:
    """Where extracts are put unless another folder is named."""
    return build_dir() / "synthetic"


def make(out: Path, areas: list[str] | None, months: tuple[str, str], share: float) -> str:
    """Make extracts, with a bar; what was made in one line."""
    with progress_bar("PCTs made") as tell:
        made = make_world(
            out, data=data_dir(), params=params_dir(), areas=areas, months=months, share=share, on_progress=tell
        )
    counts = ", ".join(f"{rows:,} {feed}" for feed, rows in made.rows.items())
    return f"Synthetic records of nobody: {counts}: {out}"


@contextmanager
def one_at_a_time() -> Iterator[None]:
    """One command alone makes a synthetic London; others wait, and find it made."""
    from filelock import FileLock, Timeout

    make_folder(build_dir())
    lock = FileLock(build_dir() / ".synthetic.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        typer.echo("Waiting for another command that makes a synthetic London")
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def store(areas: list[str] | None, months: tuple[str, str], share: float) -> Store:
    """Its records, made and imported unless they are there and of this very world."""
    folder = synthetic_records_dir()
    key, noted = _key(areas, months, share), folder / MADE_FROM
    if noted.exists() and noted.read_text(encoding="utf-8") == key:
        return Store(folder)
    _empty(folder, noted)
    typer.echo(make(extracts(), areas, months, share))
    made = Store(folder)
    for feed in ("practices", "apc", "op", "ae"):
        files = [extracts() / "practices.parquet"] if feed == "practices" else sorted((extracts() / feed).iterdir())
        with progress_bar(f"files of {feed} imported") as tell:
            outcome = import_files(made, feed, files, protocol="bulk", params=params_dir(), on_progress=tell)
        typer.echo(outcome.sentence())
    write_atomically(noted, key)
    return made


def _empty(folder: Path, noted: Path) -> None:
    """Take away a store of another world, or one that was not wholly imported: all in it was made here. The note goes
    first, so that what is left where this is cut off is not taken for whole.
    """
    noted.unlink(missing_ok=True)
    for path in folder.iterdir() if folder.exists() else ():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()


def _key(areas: list[str] | None, months: tuple[str, str], share: float) -> str:
    """What a world is made from: what was asked for, parameters, figures, and the code that makes it."""
    folders = (params_dir() / "simulation", params_dir() / "feeds", data_dir() / "published", data_dir() / "reference")
    files = [path for folder in folders for path in files_under(folder)]
    code = sorted((Path(cbs_analysis.__file__).parent / "simulation").rglob("*.py"))
    return digest_of_files([*files, *code], areas, months, share)
