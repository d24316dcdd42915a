"""What `cbs publish` is asked for, and how its work is told."""

from collections.abc import Iterable, Mapping, Sequence

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from cbs_analysis.errors import UserError
from cbs_analysis.evidence.wording import listed, plural
from cbs_analysis.publishing.downloads import publish
from cbs_analysis.publishing.formats import FORMATS, published_folder
from cbs_analysis.publishing.packs import EditionContext, ExecutedPack

SITE = "site"
NAMED = 3


def chosen_formats(only: Iterable[str]) -> tuple[list[str], bool]:
    """Which formats are wanted, and whether the site is. Raises UserError for one that is not known."""
    asked = list(only) or [*FORMATS, SITE]
    for name in asked:
        if name not in (*FORMATS, SITE):
            raise UserError(f"--only: {name!r} is not a format; choose from {', '.join((SITE, *FORMATS))}")
    return [name for name in FORMATS if name in asked], SITE in asked


def missing_chapters(context: EditionContext, packs: Mapping[str, ExecutedPack], areas: Sequence[str]) -> str:
    """What is published without, in a line; empty where no pack lacks a chapter."""
    failures = [(code, failure) for code in areas or packs if code in packs for failure in packs[code].failures]
    if not failures:
        return ""
    shown = listed(f"{code} {failure.chapter}" for code, failure in failures[:NAMED])
    more = f" and {len(failures) - NAMED} more" if len(failures) > NAMED else ""
    run = f"cbs packs --edition {context.edition.name}"
    return f"published without {plural(len(failures), 'chapter')}, failed or not made: {shown}{more}; {run}"


def make_files(
    context: EditionContext,
    packs: Mapping[str, ExecutedPack],
    formats: Sequence[str],
    areas: Sequence[str],
    console: Console,
) -> Mapping[str, str]:
    """Make the packs' files behind a bar, and say what was made; gives what went wrong by area.

    Raises UserError for an area that is not in the geography, or whose pack has not been made.
    """
    for code in areas:
        context.geography.area(code)
        if code not in packs:
            raise UserError(f"area {code}: no pack in edition {context.edition.name}; run cbs packs --area {code}")
    bar = Progress(
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TextColumn("packs"),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )
    with bar:
        task = bar.add_task("", total=len(areas or packs))
        done = publish(context, packs, formats, areas, lambda code: bar.advance(task))
    kept = f", {done.kept} as before" if done.kept else ""
    console.print(
        f"Files: {plural(done.made, 'file')} made{kept}: {published_folder(context.edition.name)}",
        soft_wrap=True,
        highlight=False,
    )
    return done.failed
