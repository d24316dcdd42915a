"""The `cbs records` commands: hospital records made, imported, held against rules, and prepared for chapters."""

import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from cbs_analysis.errors import UserError

if TYPE_CHECKING:
    from cbs_analysis.warehouse.store import Store

app = typer.Typer(
    name="records",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Hospital activity records: make synthetic ones, import, check, and prepare what chapters read.",
)

MADE_FROM = ".made_from"
"""The file of a synthetic London's store that says from what it was made: put there when all of it is in the store."""
AreaOption = Annotated[
    list[str] | None, typer.Option("--area", metavar="CODE", help="Only people of this PCT; may be repeated.")
]
WHOLE_WORLD = ("2008-04", "2011-03", 1.0)
FIRST, LAST, SHARE = WHOLE_WORLD
FirstOption = Annotated[str, typer.Option("--from", metavar="MONTH", help="The first month.")]
LastOption = Annotated[str, typer.Option("--to", metavar="MONTH", help="The last month.")]
ShareOption = Annotated[
    float, typer.Option("--share", min=0.001, max=10, help="Of the published counts: less than 1 is a small world.")
]


@app.command()
def make(
    folder: Annotated[
        Path | None, typer.Option("--out", metavar="FOLDER", help="Where to put the files. [default: build/synthetic]")
    ] = None,
    area: AreaOption = None,
    first: FirstOption = FIRST,
    last: LastOption = LAST,
    share: ShareOption = SHARE,
) -> None:
    """Make a synthetic London: hospital records of nobody, whose totals are the published ones.

    Its truths are in params/synthetic/world.yml; what was planted is in the folder truth beside the records. The same
    world gives the same bytes.

    \b
    Examples:
      cbs records make
      cbs records make --area 5LE --from 2010-04 --to 2010-06 --out small
    """
    from cbs_analysis.home import data_dir, params_dir
    from cbs_analysis.synthetic import make as make_world

    out = folder or _synthetic_folder()
    with _bar("PCTs made") as tell:
        made = make_world(
            out, data=data_dir(), params=params_dir(), areas=area, months=(first, last), share=share, on_progress=tell
        )
    counts = ", ".join(f"{rows:,} {feed}" for feed, rows in made.rows.items())
    typer.echo(f"Synthetic records of nobody: {counts}: {out}")


@app.command("import")
def import_(
    feed: Annotated[str, typer.Argument(metavar="FEED", help="apc, op, ae, practices, or a mapping of params/feeds.")],
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="CSV, CSV compressed by gzip, or Parquet.")],
    protocol: Annotated[
        Literal["bulk", "net"],
        typer.Option(help="bulk: each trust's month replaces what was there; net: insert, update, delete by key."),
    ] = "bulk",
) -> None:
    """Import one submission of a feed: all of its files or, where one cannot be read at all, none.

    A row that cannot be read goes to quarantine with file, line and reason. What was sent is always loaded, replaced or
    quarantined, and counted as such. The same submission twice changes nothing.

    \b
    Examples:
      cbs records import apc extract-2010-04.csv
      cbs records import apc changes.csv --protocol net
      cbs records import example_trust rjz-april.csv.gz
    """
    from cbs_analysis.home import params_dir
    from cbs_analysis.warehouse.importing import import_files

    with _bar("files") as tell:
        outcome = import_files(_store(), feed, files, protocol=protocol, params=params_dir(), on_progress=tell)
    typer.echo(outcome.sentence())


@app.command()
def check(
    letters: Annotated[
        bool,
        typer.Option(
            "--letters", help="Write queries to trusts and feedback to PCTs, a workbook each, to build/letters."
        ),
    ] = False,
) -> None:
    """Hold every record in the store against the rules of params/quality_rules.yml, and say how many break each.

    \b
    Examples:
      cbs records check
      cbs records check --letters
    """
    from cbs_analysis.cli import records_shown
    from cbs_analysis.home import build_dir, data_dir, params_dir
    from cbs_analysis.warehouse.letters import write_letters
    from cbs_analysis.warehouse.preparing import checked_store

    store = _store_in_use()
    held, checked = checked_store(store, data_dir(), params_dir())
    records_shown.rules(checked, held)
    if letters:
        folder = build_dir() / "letters"
        trusts, pcts = write_letters(checked, held, folder, store.is_synthetic)
        typer.echo(f"{trusts} letters to trusts, {pcts} to PCTs: {folder}")


@app.command()
def prepare() -> None:
    """Make the tables that chapters read, from what is in the store; what is up to date is not made again."""
    _prepare(_store_in_use())


@app.command()
def ready(
    area: AreaOption = None, first: FirstOption = FIRST, last: LastOption = LAST, share: ShareOption = SHARE
) -> None:
    """Have the tables that chapters read: from the records in the store or, where it is empty, from a synthetic London,
    which is made first, in a store of its own, and made anew where what it is made from has changed. What is up to date
    is not made again.

    \b
    Examples:
      cbs records ready
      cbs records ready --share 0.05       a small world, for trying things
    """
    own = _store()
    if own.submissions:
        if (area, first, last, share) != (None, *WHOLE_WORLD):
            raise UserError(
                f"record store {own.folder}: holds imported records, and --area, --from, --to and --share are of a "
                "synthetic London; leave them out, or name a new folder in CBS_RECORDS"
            )
        if own.is_synthetic:
            typer.echo(f"{own.folder} holds synthetic records; remove it to have a synthetic London made anew")
        _prepare(own)
        return
    with _one_at_a_time():
        _prepare(_synthetic_store(area, first, last, share))


@app.command()
def status() -> None:
    """Say what the store holds: records by feed, what was sent, and what became of it."""
    from cbs_analysis.warehouse.describing import status as described

    typer.echo(described(_store_in_use()))


@app.command()
def close(
    month: Annotated[str, typer.Argument(metavar="MONTH", help="Such as 2010-03.")],
) -> None:
    """Close a month: records of it that are sent from here on go to quarantine, and those that are there stay."""
    from cbs_analysis.warehouse.closing import close_month

    close_month(_store(), month)
    typer.echo(f"{month} is closed: later records of it go to quarantine")


def _store() -> "Store":
    """The store that records are imported into."""
    from cbs_analysis.home import records_dir
    from cbs_analysis.warehouse.store import Store

    return Store(records_dir())


def _store_in_use() -> "Store":
    """The store of imported records or, where nothing was imported, that of a synthetic London."""
    from cbs_analysis.home import synthetic_records_dir
    from cbs_analysis.warehouse.store import Store

    own = _store()
    return own if own.submissions or not synthetic_records_dir().exists() else Store(synthetic_records_dir())


@contextmanager
def _one_at_a_time() -> Iterator[None]:
    """One command alone makes a synthetic London; others wait, and find it made."""
    from filelock import FileLock, Timeout

    from cbs_analysis.files import make_folder
    from cbs_analysis.home import build_dir

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


def _synthetic_store(area: list[str] | None, first: str, last: str, share: float) -> "Store":
    """A synthetic London's records, made and imported unless they are there and of this very world."""
    from cbs_analysis.files import write_atomically
    from cbs_analysis.home import params_dir, synthetic_records_dir
    from cbs_analysis.warehouse.importing import import_files
    from cbs_analysis.warehouse.store import Store

    made, folder = _synthetic_folder(), synthetic_records_dir()
    key, noted = _world_key(area, first, last, share), folder / MADE_FROM
    if noted.exists() and noted.read_text(encoding="utf-8") == key:
        return Store(folder)
    if folder.exists():
        shutil.rmtree(folder)  # of another world, or not wholly imported: all of it was made here
    make(None, area, first, last, share)
    store = Store(folder)
    for feed in ("practices", "apc", "op", "ae"):
        files = [made / "practices.parquet"] if feed == "practices" else sorted((made / feed).glob("*.parquet"))
        with _bar(f"files of {feed} imported") as tell:
            outcome = import_files(store, feed, files, protocol="bulk", params=params_dir(), on_progress=tell)
        typer.echo(outcome.sentence())
    write_atomically(noted, key)
    return store


def _world_key(area: list[str] | None, first: str, last: str, share: float) -> str:
    """What a synthetic London is made from: what was asked for, parameters, figures, and the code that makes it."""
    import cbs_analysis
    from cbs_analysis.files import digest_of_files
    from cbs_analysis.home import data_dir, files_under, params_dir

    folders = (params_dir() / "synthetic", params_dir() / "feeds", data_dir() / "published", data_dir() / "reference")
    code = sorted((Path(cbs_analysis.__file__).parent / "synthetic").rglob("*.py"))
    return digest_of_files(
        [*(path for folder in folders for path in files_under(folder)), *code], area, first, last, share
    )


def _synthetic_folder() -> Path:
    from cbs_analysis.home import build_dir

    return build_dir() / "synthetic"


def _prepare(store: "Store") -> None:
    from cbs_analysis.home import data_dir, params_dir
    from cbs_analysis.prepared import FOLDER
    from cbs_analysis.warehouse.preparing import STEPS, prepare

    done = 0
    with _bar("of the tables that chapters read") as tell:

        def step(name: str) -> None:
            nonlocal done
            tell(done, len(STEPS))
            done += 1

        made = prepare(store, data_dir(), params_dir(), step)
    typer.echo(f"Tables for chapters {'made' if made else 'as before'}: {data_dir() / FOLDER}")


@contextmanager
def _bar(what: str) -> Iterator[Callable[[int, int], None]]:
    from rich import progress as bars

    from cbs_analysis.cli.show import console

    out = console()
    bar = bars.Progress(
        bars.BarColumn(bar_width=24),
        bars.MofNCompleteColumn(),
        bars.TextColumn(what, markup=False),
        bars.TimeElapsedColumn(),
        console=out,
        transient=True,
        disable=not out.is_terminal,
    )
    with bar:
        task = bar.add_task("", total=None)

        def tell(done: int, total: int) -> None:
            bar.update(task, completed=done, total=total)

        yield tell
        sys.stdout.flush()
