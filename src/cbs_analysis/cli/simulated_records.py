"""Simulated records for the commands: their extracts made, imported into a store of their own, and made again where
anything that they are made from has changed.
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
from cbs_analysis.records.store import Store
from cbs_analysis.records.submissions import import_files
from cbs_analysis.simulation import is_simulated, load_world, write_extracts
from cbs_analysis.simulation.extracts import FEEDS, PRACTICES

MADE_FROM = ".made_from"
"""The file of the store that says what it was made from: written when everything is in the store."""


def described() -> bool:
    """Whether this home describes simulated records at all."""
    return is_simulated(params_dir())


def extracts() -> Path:
    """Where extracts are put unless another folder is named."""
    return build_dir() / "synthetic"


def make(out: Path, areas: list[str] | None, first: str | None, last: str | None, share: float) -> str:
    """Make extracts, with a bar; what was made in one line. The first and last months are the world's where None."""
    months = _months(first, last)
    with progress_bar("areas simulated") as tell:
        made = write_extracts(
            out, data=data_dir(), params=params_dir(), areas=areas, months=months, share=share, on_progress=tell
        )
    counts = ", ".join(f"{rows:,} {feed}" for feed, rows in made.rows.items())
    return f"Simulated records: {counts}: {out}"


def _months(first: str | None, last: str | None) -> tuple[str, str]:
    usual = load_world(params_dir()).figures.months
    return first or usual[0], last or usual[1]


@contextmanager
def one_at_a_time() -> Iterator[None]:
    """Only one command makes simulated records; others wait, and find them made."""
    from filelock import FileLock, Timeout

    make_folder(build_dir())
    lock = FileLock(build_dir() / ".simulated_records.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        typer.echo("Waiting for another command that makes simulated records")
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def store(areas: list[str] | None, first: str | None, last: str | None, share: float) -> Store:
    """The store of simulated records, made and imported unless it is there and made from the same inputs."""
    folder = synthetic_records_dir()
    key, noted = _key(areas, _months(first, last), share), folder / MADE_FROM
    if noted.exists() and noted.read_text(encoding="utf-8") == key:
        return Store(folder)
    _empty(folder, noted)
    typer.echo(make(extracts(), areas, first, last, share))
    made = Store(folder)
    for feed in (PRACTICES, *FEEDS):
        files = [extracts() / f"{feed}.parquet"] if feed == PRACTICES else sorted((extracts() / feed).iterdir())
        with progress_bar(f"files of {feed} imported") as tell:
            outcome = import_files(made, feed, files, protocol="bulk", params=params_dir(), on_progress=tell)
        typer.echo(outcome.sentence())
    write_atomically(noted, key)
    return made


def _empty(folder: Path, noted: Path) -> None:
    """Delete a store made from other inputs, or not wholly imported: everything in it was made here. The note goes
    first, so that what is left where this is interrupted is not taken for whole.
    """
    noted.unlink(missing_ok=True)
    for path in folder.iterdir() if folder.exists() else ():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()


def _key(areas: list[str] | None, months: tuple[str, str], share: float) -> str:
    """What the records are made from: what was asked for, parameters, figures, and the code that makes them."""
    folders = (params_dir() / "simulation", params_dir() / "feeds", data_dir() / "published", data_dir() / "reference")
    files = [path for folder in folders for path in files_under(folder)]
    code = sorted((Path(cbs_analysis.__file__).parent / "simulation").rglob("*.py"))
    return digest_of_files([*files, *code], areas, months, share)
