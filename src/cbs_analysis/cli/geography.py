"""The `cbs geography` commands: areas grouped in ways of one's own."""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(
    name="geography",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Geographies: group areas in a way of your own.",
)


@app.callback()
def _geography() -> None:
    """Geographies: group areas in a way of your own."""


@app.command()
def redraw(
    file: Annotated[
        Path, typer.Argument(metavar="GROUPS.csv", help="Columns area (a code or name) and group (any name).")
    ],
    name: Annotated[
        str, typer.Option("--name", metavar="NAME", help="Of the geography and edition. [default: the file's name]")
    ] = "",
    edition: Annotated[
        str,
        typer.Option(
            "--edition", metavar="NAME", help="The edition whose areas and choices are taken. [default: the first]"
        ),
    ] = "",
    title: Annotated[
        str, typer.Option("--title", metavar="TEXT", help="Of the grouping, for readers. [default: from its name]")
    ] = "",
) -> None:
    """Make any grouping of an edition's smallest areas a geography, and an edition over it.

    Every area must be in one group. Rows are added to the tables of data/reference, and params/editions/NAME.yml is a
    copy of the edition's choices over the new geography. The same file again changes nothing.

    \b
    Examples:
      cbs geography redraw our-places.csv
      cbs geography redraw places.csv --name our_places --title "Our four places"
      cbs packs --edition our_places
      cbs publish --edition our_places
    """
    from cbs_analysis.edition import first_edition
    from cbs_analysis.home import data_dir, params_dir
    from cbs_analysis.redrawing import redraw as redrawn

    result = redrawn(file, name, edition or first_edition(params_dir()), title, data_dir(), params_dir())
    leaves = len(result.geography.peers)
    groups = ", ".join(f"{area.code} {area.name} ({len(area.members)})" for area in result.groups)
    if result.was_there:
        typer.echo(f"Geography {result.geography.name} and its edition are there already; nothing was changed")
    else:
        typer.echo(f"Geography {result.geography.name}: {leaves} areas in {len(result.groups)} groups: {groups}")
        typer.echo(f"Edition params/editions/{result.edition}.yml: a copy of {result.copied_from}")
    typer.echo(f"Next: cbs packs --edition {result.edition}, then cbs publish --edition {result.edition}")
