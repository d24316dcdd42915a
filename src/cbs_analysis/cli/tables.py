"""The `cbs tables` commands: an analyst's own figures taken in, with a description."""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(
    name="tables",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Tables of figures: draft the description of a new one.",
)


@app.callback()
def _tables() -> None:
    """Tables of figures: draft the description of a new one."""


@app.command()
def describe(
    file: Annotated[Path, typer.Argument(metavar="FILE.csv", help="Comma-separated text, UTF-8, with a header.")],
    name: Annotated[
        str, typer.Option("--name", metavar="NAME", help="What notebooks call the table. [default: the file's name]")
    ] = "",
    title: Annotated[str, typer.Option("--title", metavar="TEXT", help="Its title for readers.")] = "",
    add: Annotated[
        bool, typer.Option("--add", help="Copy the file to data/published, and add the draft to data/datapackage.json.")
    ] = False,
) -> None:
    """Draft a table's description: types, key, limits, kinds of area, time steps and checks, as the file shows them.

    What only you know says TO COMPLETE; `cbs check` counts what is left. Read all of it: a draft describes this file,
    and a rule that holds here by chance may not be one. Exit status: 0 drafted, 1 the file cannot be used, 2 a mistake
    in what was asked.

    \b
    Examples:
      cbs tables describe bed-days.csv
      cbs tables describe bed-days.csv --name bed_days --title "Bed days by borough" --add
    """
    from cbs_analysis.home import data_dir
    from cbs_analysis.tables import drafting

    drafted = drafting.draft(file, data_dir(), name, title)
    for note in drafted.notes:
        typer.echo(note, err=True)
    if not add:
        typer.echo(drafting.as_json(drafted.entry).encode("utf-8"), nl=False)
        return
    copy = drafting.add(drafted, file, data_dir())
    typer.echo(f"Figures: {copy}")
    typer.echo(f"Description: {data_dir() / 'datapackage.json'}, table {drafted.entry['name']}")
    typer.echo("Next: complete what says TO COMPLETE, then cbs check")
