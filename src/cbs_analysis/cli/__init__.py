"""The `cbs` command: makes evidence packs and the site, and shows findings, areas and checks at a terminal.

Each command imports what it needs when it runs, so that `cbs --help` answers at once. A mistake that a user
can put right is one line on standard error: exit status 2 for what was asked, 1 for a source that failed its
checks.
"""

import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated

import typer

from cbs_analysis.cli import geography as geography_commands
from cbs_analysis.cli import records, tables
from cbs_analysis.errors import UserError
from cbs_analysis.publishing.formats import FORMATS

if TYPE_CHECKING:
    from cbs_analysis.geography import Geography
    from cbs_analysis.runner.batch import Pool

INTERRUPTED = 128 + signal.SIGINT

app = typer.Typer(
    name="cbs",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

app.add_typer(records.app)
app.add_typer(tables.app)
app.add_typer(geography_commands.app)


def _named_edition(name: str) -> str:
    from cbs_analysis.edition import first_edition
    from cbs_analysis.home import params_dir

    return name or first_edition(params_dir())


EditionOption = Annotated[
    str,
    typer.Option(
        "--edition",
        metavar="NAME",
        callback=_named_edition,
        help="A file of params/editions, without its ending. [default: the first]",
    ),
]


def main() -> None:
    """Run the command; what a user can put right is said in one line."""
    try:
        app()
    except UserError as error:
        _complain(str(error))
        sys.exit(error.exit_status)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)


def _complain(message: str) -> None:
    typer.echo(f"cbs: {' '.join(message.split())}", err=True)


def _say_version(wanted: bool) -> None:
    if wanted:
        from cbs_analysis import __version__

        typer.echo(f"cbs-analysis {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_say_version, is_eager=True, help="Say which version this is."),
    ] = False,
) -> None:
    """Evidence packs for every primary care trust, sector and London, from published figures.

    \b
    Examples:
      cbs packs                          every chapter for every area, into build/editions
      cbs packs --area 5LE --area SEL    two areas only
      cbs publish                        the book of packs and what it offers, into build/site
      cbs findings --area 5LE            what a pack says
      cbs COMMAND --help                 more about a command
    """


@app.command()
def init(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Where to write: absent, or empty.")],
    example: Annotated[
        bool, typer.Option("--example", help="Fill it with a small made-up health system, labelled as such.")
    ] = False,
) -> None:
    """Start a home: a folder of your own with an edition, areas, tables, indicators, notebooks and pages.

    \b
    Examples:
      cbs init mine --example            a home that works at once, to look at and to change
      cbs init mine                      the same without areas and figures, to fill with your own
    """
    from cbs_analysis.starter import write_home

    files = write_home(folder, example)
    typer.echo(f"{folder}: {len(files)} files written. Next: cd {folder}; cbs check; cbs packs; cbs publish")


@app.command()
def packs(
    edition: EditionOption = "",
    area: Annotated[
        list[str] | None, typer.Option("--area", metavar="CODE", help="Only this area; may be repeated.")
    ] = None,
    chapter: Annotated[
        list[str] | None,
        typer.Option("--chapter", metavar="NAME", help="Only this chapter; may be repeated."),
    ] = None,
    jobs: Annotated[
        int | None,
        typer.Option("--jobs", "-j", min=1, metavar="N", help="Notebooks at once. [default: one a core, and one more]"),
    ] = None,
    timeout: Annotated[
        int, typer.Option("--timeout", min=1, metavar="SECONDS", help="The longest a notebook may take.")
    ] = 300,
    memory: Annotated[
        float, typer.Option("--memory", min=0.5, metavar="GIB", help="The most memory a notebook may take.")
    ] = 2.0,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="Only the notebooks that failed when they were last run.")
    ] = False,
    explain: Annotated[
        bool, typer.Option("--explain", help="Say for each notebook why it would run, and run none.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Tell the run as lines of JSON, an event each.")] = False,
    cluster: Annotated[
        str | None,
        typer.Option("--cluster", metavar="ADDRESS", help="Run on the Dask cluster whose scheduler is at ADDRESS."),
    ] = None,
) -> None:
    """Make evidence packs: execute each chapter's notebook for each area.

    Parameters and figures are checked first, and nothing is made from any that fail. A notebook is run again only
    where something that it is made from has changed since. One that fails does not stop the others; run.json in the
    edition's folder under build/editions keeps its cell and its error. Exit status: 0 all made, 1 a notebook or a
    figure failed, 2 a mistake in what was asked.

    \b
    Examples:
      cbs packs
      cbs packs --area 5LE --area SEL
      cbs packs --chapter planned_care --jobs 2
      cbs packs --edition england-2011-12 --timeout 600
      cbs packs --explain                what would run, and why
      cbs packs --cluster tcp://10.0.0.5:8786
    """
    from cbs_analysis.cli import show
    from cbs_analysis.home import home
    from cbs_analysis.layouts import refuse_older_layout
    from cbs_analysis.runner import Limits, keep_warm, make_plan, run_path, run_plan
    from cbs_analysis.runner import explain as explained

    signal.signal(signal.SIGTERM, _leave)
    refuse_older_layout(home())
    runs_here = not (explain or cluster)
    plan = make_plan(
        edition, area or (), chapter or (), on_check=lambda: keep_warm(home(), edition) if runs_here else None
    )
    if explain:
        show.reasons(explained(plan, retry_failed))
        return
    from cbs_analysis.cli.progress import Events, Progress, finished

    started = time.monotonic()
    progress = Events(len(plan.jobs)) if as_json else Progress(len(plan.jobs), show.console())
    try:
        with progress, _workers(cluster, jobs) as (pool, workers):
            records = run_plan(
                plan,
                workers=workers,
                limits=Limits(timeout, int(memory * 1024**3)),
                only_failed=retry_failed,
                on_event=progress.tell,
                pool=pool,
            )
    except KeyboardInterrupt:
        _complain(f"stopped after {progress.ended} of {progress.total} notebooks; those that ended are kept")
        raise typer.Exit(INTERRUPTED) from None
    seconds = time.monotonic() - started
    failed = sum(record.status == "failed" for record in records)
    if as_json:
        made = len(records) - failed - progress.cached
        finished({"made": made, "cached": progress.cached, "failed": failed}, seconds)
    else:
        show.outcome(records, progress.cached, run_path(edition).parent, seconds)
    if failed:
        raise typer.Exit(1)


@app.command()
def verify(
    edition: EditionOption = "",
    area: Annotated[
        list[str] | None, typer.Option("--area", metavar="CODE", help="Only this area; may be repeated.")
    ] = None,
    chapter: Annotated[
        list[str] | None,
        typer.Option("--chapter", metavar="NAME", help="Only this chapter; may be repeated."),
    ] = None,
) -> None:
    """Prove that the same inputs give the same bytes: run an edition twice, into two places, and compare.

    The second run has its home elsewhere in the file system, other workers, and the notebooks in another order.
    What is under build/editions is left alone. Exit status: 0 all the same, 1 a notebook differs or failed.

    \b
    Examples:
      cbs verify
      cbs verify --area 5LE
    """
    from cbs_analysis.cli import show
    from cbs_analysis.cli.progress import Progress
    from cbs_analysis.runner import make_plan
    from cbs_analysis.runner.verify import verify as verified

    signal.signal(signal.SIGTERM, _leave)
    plan = make_plan(edition, area or (), chapter or ())
    with Progress(2 * len(plan.jobs), show.console()) as progress:
        differing = verified(plan, on_event=progress.tell)
    for name, what in differing:
        typer.echo(f"{name}: {what}")
    same = len(plan.jobs) - len(differing)
    typer.echo(f"{same} of {len(plan.jobs)} notebooks are the same bytes in both places")
    if differing:
        raise typer.Exit(1)


@app.command()
def publish(
    edition: EditionOption = "",
    only: Annotated[
        list[str] | None,
        typer.Option("--only", metavar="FORMAT", help=f"{', '.join(('site', *FORMATS))}; may be repeated."),
    ] = None,
    area: Annotated[
        list[str] | None,
        typer.Option("--area", metavar="CODE", help="Files of this area only, and the site; may be repeated."),
    ] = None,
) -> None:
    """Publish the packs that `cbs packs` made: the site, and of each pack a workbook, a PDF, its tables and an archive.

    What is up to date is not made again. The site offers the files that are there; the worked examples of its method
    pages are executed first. A pack whose files cannot be made keeps those it had, and does not stop the others. Exit
    status: 0 all made, 1 something failed, 2 a mistake in what was asked.

    \b
    Examples:
      cbs publish
      cbs publish --only site
      cbs publish --only workbook --only pdf --area 5LE
      cbs publish --edition england-2011-12
    """
    from cbs_analysis.cli import show
    from cbs_analysis.cli.publishing import chosen_formats, make_files, missing_chapters
    from cbs_analysis.edition import load_edition
    from cbs_analysis.home import home, params_dir
    from cbs_analysis.layouts import refuse_older_layout
    from cbs_analysis.publishing.packs import gather
    from cbs_analysis.publishing.site import build_site
    from cbs_analysis.runner import execute_examples

    signal.signal(signal.SIGTERM, _leave)
    formats, wants_site = chosen_formats(only or ())
    refuse_older_layout(home())
    context, packs = gather(load_edition(edition, params_dir()).name)
    failed = make_files(context, packs, formats, area or (), show.console()) if formats else {}
    if lacking := missing_chapters(context, packs, area or ()):
        _complain(lacking)
    for code, why in failed.items():
        _complain(f"{code}: its files were not made: {why}")
    if wants_site:
        page = build_site(edition, execute_examples)
        typer.echo(f"Site: {page}")
        typer.echo(f"Open: {page.as_uri()}")
    if failed:
        raise typer.Exit(1)


@app.command()
def findings(
    area: Annotated[str, typer.Option("--area", metavar="CODE", help="The area whose pack to read.")],
    edition: EditionOption = "",
    as_json: Annotated[bool, typer.Option("--json", help="As JSON, every field, numbers unrounded.")] = False,
) -> None:
    """Show all findings of an area, read out of its executed notebooks.

    \b
    Examples:
      cbs findings --area 5LE
      cbs findings --area SEL --json > sel.json
    """
    from cbs_analysis.cli import show
    from cbs_analysis.edition import load_edition
    from cbs_analysis.home import data_dir, params_dir
    from cbs_analysis.pack import geographies, known_area
    from cbs_analysis.publishing.packs import NOT_MADE, read_pack

    known_area(area, geographies(load_edition(edition, params_dir()), data_dir()))
    pack = read_pack(edition, area)
    if as_json:
        import json

        typer.echo(json.dumps(pack.findings, ensure_ascii=False, indent=2).encode("utf-8"))
    else:
        show.findings(pack.findings)
    for failure in pack.failures:
        _complain(f"{area} {failure.chapter} is not among these findings: {failure.reason}")
    if any(failure.reason != NOT_MADE for failure in pack.failures):
        raise typer.Exit(1)


@app.command()
def areas(
    edition: EditionOption = "",
    geography: Annotated[
        str | None,
        typer.Option("--geography", metavar="NAME", help="A named geography instead of the edition's."),
    ] = None,
) -> None:
    """List areas: code, name, level, the area each lies in, and how many it has in it.

    \b
    Examples:
      cbs areas
      cbs areas --geography turnberg_2006
    """
    from cbs_analysis.cli import show
    from cbs_analysis.edition import load_edition
    from cbs_analysis.home import params_dir

    name = geography or load_edition(edition, params_dir()).geography
    show.areas(_checked_geography(name))


@app.command()
def check(
    rows: Annotated[bool, typer.Option("--rows", help="Name every row of known differences and gaps.")] = False,
) -> None:
    """Check every source against its rules, and list what was checked and what was found.

    A known difference is the publisher's own, and kept; a gap is a figure that is missing, and stays missing.
    Exit status: 0 all may be used, 1 a source failed.

    \b
    Examples:
      cbs check
      cbs check --rows        name the rows of known differences and gaps too
    """
    from cbs_analysis.cli import show
    from cbs_analysis.home import data_dir, home
    from cbs_analysis.layouts import refuse_older_layout
    from cbs_analysis.tables import check_tables

    refuse_older_layout(home())
    results = check_tables(data_dir())
    show.checks(results, every_row=rows)
    if any(result.status == "failed" for result in results):
        raise typer.Exit(1)


@contextmanager
def _workers(address: str | None, jobs: int | None) -> "Iterator[tuple[Pool, int]]":
    """Where notebooks run, and how many at once: this machine's processes, or a cluster's."""
    from cbs_analysis.runner import default_workers, worker_pool

    if address is None:
        yield worker_pool, jobs or default_workers()
        return
    from cbs_analysis.runner.cluster import cluster

    with cluster(address) as found:
        yield found.pool, jobs or found.workers


def _checked_geography(name: str) -> "Geography":
    from cbs_analysis.geography import load_geography
    from cbs_analysis.home import data_dir
    from cbs_analysis.tables import read

    for table in ("areas", "geographies", "geography_names"):
        read(table, data_dir())
    return load_geography(name, data_dir())


def _leave(signum: int, frame: FrameType | None) -> None:
    """Ended from outside: leave by an exception, so that the runner stops its workers and kernels."""
    sys.exit(128 + signum)
