"""The `cbs records` commands: hospital records made, imported, held against rules, and prepared for chapters."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from cbs_analysis.errors import UserError

if TYPE_CHECKING:
    from cbs_analysis.records.store import Store

app = typer.Typer(
    name="records",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Hospital activity records: simulate them, import, check, and prepare what chapters read.",
)

AreaOption = Annotated[
    list[str] | None, typer.Option("--area", metavar="CODE", help="Only people of this area; may be repeated.")
]
USUAL = "[default: as in params/simulation]"
FirstOption = Annotated[str | None, typer.Option("--from", metavar="MONTH", help=f"The first month. {USUAL}")]
LastOption = Annotated[str | None, typer.Option("--to", metavar="MONTH", help=f"The last month. {USUAL}")]
ShareOption = Annotated[
    float, typer.Option("--share", min=0.001, max=10, help="Of the published counts: less than 1 is a small world.")
]


@app.command()
def make(
    folder: Annotated[
        Path | None, typer.Option("--out", metavar="FOLDER", help="Where to put the files. [default: build/synthetic]")
    ] = None,
    area: AreaOption = None,
    first: FirstOption = None,
    last: LastOption = None,
    share: ShareOption = 1.0,
) -> None:
    """Make simulated hospital records: of no real patients, with totals as published.

    What is true of them is in params/simulation/world.yml; the errors planted are in the folder truth beside the
    records. The same world gives the same bytes.

    \b
    Examples:
      cbs records make
      cbs records make --share 0.05 --out small
    """
    from cbs_analysis.cli import simulated_records

    typer.echo(simulated_records.make(folder or simulated_records.extracts(), area, first, last, share))


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
    from cbs_analysis.cli.show import progress_bar
    from cbs_analysis.home import params_dir
    from cbs_analysis.records.submissions import import_files

    with progress_bar("files") as tell:
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
    from cbs_analysis.records.derived_tables import checked_store
    from cbs_analysis.records.letters import write_letters
    from cbs_analysis.records.submissions import named

    store = _store_in_use()
    held, checked = checked_store(store, data_dir(), params_dir())
    typer.echo(named(store))
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
    area: AreaOption = None, first: FirstOption = None, last: LastOption = None, share: ShareOption = 1.0
) -> None:
    """Make the tables that chapters read: from imported records or, where there are none, from simulated records, which
    are made first, in a store of their own, and again where anything they are made from has changed. What is up to date
    is not made again.

    \b
    Examples:
      cbs records ready
      cbs records ready --share 0.05       a small world, for trying things
    """
    from cbs_analysis.cli import simulated_records

    own = _store()
    if own.submissions:
        if (area, first, last, share) != (None, None, None, 1.0):
            raise UserError(
                f"record store {own.folder}: holds imported records, and --area, --from, --to and --share are for "
                "simulated records; leave them out, or name a new folder in CBS_RECORDS"
            )
        if own.is_synthetic:
            typer.echo(f"{own.folder} holds simulated records; remove it to have them made again")
        _prepare(own)
        return
    if not simulated_records.described():
        typer.echo("No hospital records: none are imported, and there is no params/simulation to simulate any from")
        return
    with simulated_records.one_at_a_time():
        _prepare(simulated_records.store(area, first, last, share))


@app.command()
def status() -> None:
    """Say what the store holds: records by feed, what was sent, and what became of it."""
    from cbs_analysis.records.submissions import status as described

    typer.echo(described(_store_in_use()))


@app.command()
def close(
    month: Annotated[str, typer.Argument(metavar="MONTH", help="Such as 2010-03.")],
) -> None:
    """Close a month: records of it that are sent from here on go to quarantine, and those that are there stay."""
    from cbs_analysis.records.store import close_month

    close_month(_store(), month)
    typer.echo(f"{month} is closed: later records of it go to quarantine")


def _store() -> "Store":
    """The store that records are imported into."""
    from cbs_analysis.home import records_dir
    from cbs_analysis.records.store import Store

    return Store(records_dir())


def _store_in_use() -> "Store":
    """The store of imported records or, where nothing was imported, that of simulated records."""
    from cbs_analysis.records.store import Store
    from cbs_analysis.tables.derived import store_in_use

    own = _store()
    return own if own.submissions or not store_in_use().exists() else Store(store_in_use())


def _prepare(store: "Store") -> None:
    from cbs_analysis.cli.show import progress_bar
    from cbs_analysis.home import data_dir, params_dir
    from cbs_analysis.records.derived_tables import STEPS, prepare
    from cbs_analysis.tables.derived import FOLDER

    done = 0
    with progress_bar("of the tables that chapters read") as tell:

        def step(name: str) -> None:
            nonlocal done
            tell(done, len(STEPS))
            done += 1

        made = prepare(store, data_dir(), params_dir(), step)
    typer.echo(f"Tables for chapters {'made' if made else 'as before'}: {store.folder / FOLDER}")
