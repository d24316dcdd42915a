"""The `cbs records` commands: hospital records made, imported, held against rules, and prepared for chapters."""

import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

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

AreaOption = Annotated[
    list[str] | None, typer.Option("--area", metavar="CODE", help="Only people of this PCT; may be repeated.")
]
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
    first: FirstOption = "2008-04",
    last: LastOption = "2011-03",
    share: ShareOption = 1.0,
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

    store = _store()
    held, checked = checked_store(store, data_dir(), params_dir())
    records_shown.rules(checked, held)
    if letters:
        folder = build_dir() / "letters"
        trusts, pcts = write_letters(checked, held, folder, store.is_synthetic)
        typer.echo(f"{trusts} letters to trusts, {pcts} to PCTs: {folder}")


@app.command()
def prepare() -> None:
    """Make the tables that chapters read, from what is in the store; what is up to date is not made again."""
    _prepare()


@app.command()
def ready(
    area: AreaOption = None, first: FirstOption = "2008-04", last: LastOption = "2011-03", share: ShareOption = 1.0
) -> None:
    """Have the tables that chapters read: from the records in the store or, where it is empty, from a synthetic London,
    which is made and imported first. What is up to date is not made again.

    \b
    Examples:
      cbs records ready
      cbs records ready --share 0.05       a small world, for trying things
    """
    from cbs_analysis.files import write_atomically
    from cbs_analysis.home import params_dir
    from cbs_analysis.warehouse.importing import import_files
    from cbs_analysis.warehouse.manifest import MADE_FROM

    store, folder = _store(), _synthetic_folder()
    key, noted = _world_key(area, first, last, share), store.folder / MADE_FROM
    is_ours = store.is_synthetic and noted.exists()
    if not store.submissions or (is_ours and noted.read_text(encoding="utf-8") != key):
        if is_ours:
            shutil.rmtree(store.folder)  # it held another synthetic London, or one that was made another way
            store = _store()
        make(None, area, first, last, share)
        write_atomically(noted, "begun")
        for feed in ("practices", "apc", "op", "ae"):
            files = [folder / "practices.parquet"] if feed == "practices" else sorted((folder / feed).glob("*.parquet"))
            with _bar(f"files of {feed} imported") as tell:
                outcome = import_files(store, feed, files, protocol="bulk", params=params_dir(), on_progress=tell)
            typer.echo(outcome.sentence())
        write_atomically(noted, key)
    _prepare()


@app.command()
def status() -> None:
    """Say what the store holds: records by feed, what was sent, and what became of it."""
    from cbs_analysis.warehouse.describing import status as described

    typer.echo(described(_store()))


@app.command()
def close(
    month: Annotated[str, typer.Argument(metavar="MONTH", help="Such as 2010-03.")],
) -> None:
    """Close a month: records of it that are sent from here on go to quarantine, and those that are there stay."""
    from cbs_analysis.warehouse.closing import close_month

    close_month(_store(), month)
    typer.echo(f"{month} is closed: later records of it go to quarantine")


def _store() -> "Store":
    from cbs_analysis.home import records_dir
    from cbs_analysis.warehouse.store import Store

    return Store(records_dir())


def _world_key(area: list[str] | None, first: str, last: str, share: float) -> str:
    """What a synthetic London is made from: what was asked for, parameters, figures, and the code that makes it."""
    import cbs_analysis
    from cbs_analysis.files import digest_of
    from cbs_analysis.home import data_dir, files_under, params_dir

    folders = (params_dir() / "synthetic", params_dir() / "feeds", data_dir() / "published", data_dir() / "reference")
    code = sorted((Path(cbs_analysis.__file__).parent / "synthetic").rglob("*.py"))
    return digest_of([*(path for folder in folders for path in files_under(folder)), *code], area, first, last, share)


def _synthetic_folder() -> Path:
    from cbs_analysis.home import build_dir

    return build_dir() / "synthetic"


def _prepare() -> None:
    from cbs_analysis.home import data_dir, params_dir
    from cbs_analysis.prepared import FOLDER
    from cbs_analysis.warehouse.preparing import STEPS, prepare

    done = 0
    with _bar("of the tables that chapters read") as tell:

        def step(name: str) -> None:
            nonlocal done
            tell(done, len(STEPS))
            done += 1

        made = prepare(_store(), data_dir(), params_dir(), step)
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
