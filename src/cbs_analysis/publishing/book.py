"""The site of an edition: executed notebooks and hand-written pages, built by Jupyter Book into `build/site`.

For `cbs site`. The site is whole or absent: it is built beside and then put in place.
"""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from cbs_analysis.edition import Edition, load_edition, load_indicators
from cbs_analysis.errors import DataError, UserError, nearest
from cbs_analysis.geography import load_geography
from cbs_analysis.home import build_dir, data_dir, home, params_dir
from cbs_analysis.publishing.findings import ExecutedPack, is_made, read_pack
from cbs_analysis.publishing.pages import read_package
from cbs_analysis.publishing.staging import stage, written_pages
from cbs_analysis.publishing.summary import Edited

CHECKOUT = Path(__file__).resolve().parents[3]
LOG = "site.log"
EXAMPLES = "methods"
BENCHMARKS = "bench"
Execute = Callable[[list[Path], Path], None]
COLOUR = re.compile(r"\x1b\[[\d;]*m")
PROBLEM = re.compile(r"WARNING|ERROR|Error\b")
JUPYTER_BOOK = "from jupyter_book.cli.main import main; main()"


def build_site(edition: str, execute: Execute | None = None) -> Path:
    """Build the edition's site from its executed notebooks; returns the front page, `build/site/index.html`.

    `execute` runs the worked examples of the method pages, given them and the folder for the executed ones;
    without it, those that were executed before are shown. Packs that have not been made are listed as such.

    Raises UserError for an unknown edition or where no pack has been made, DataError where Jupyter Book does
    not finish without a warning; its log is then `build/site.log`.
    """
    build = build_dir()
    edited, packs = gather(load_edition(edition, params_dir()))
    staged, work = build / "book", build / ".site"
    for folder in (staged, work):
        shutil.rmtree(folder, ignore_errors=True)
    staged.parent.mkdir(parents=True, exist_ok=True)
    package, methods = read_package(data_dir()), own_or_checkout("book") / "methods"
    _check_methods(edited, methods)
    if execute:
        execute(sorted(methods.glob("*.ipynb")), build / EXAMPLES)
    stage(
        staged,
        own_or_checkout("book"),
        own_or_checkout("_config.yml"),
        edited,
        packs,
        package,
        params_dir(),
        build / EXAMPLES,
        build / BENCHMARKS,
    )
    _run_jupyter_book(staged, work, build / LOG)
    _put_in_place(work / "_build" / "html", build / "site")
    shutil.rmtree(work, ignore_errors=True)
    return build / "site" / "index.html"


def _check_methods(edited: Edited, methods: Path) -> None:
    """Every indicator's method has its page."""
    pages = [path.stem for path in written_pages(methods)]
    for key, indicator in edited.indicators.items():
        if indicator.method not in pages:
            shown = f"params/indicators.yml, {key}: method"
            raise UserError(
                f"{shown}: {indicator.method!r} has no page in book/methods; {nearest(indicator.method, pages)}"
            )


def gather(edition: Edition) -> tuple[Edited, dict[str, ExecutedPack]]:
    """What the edition's packs share, and every pack that has been made, in the geography's order."""
    geography = load_geography(edition.geography, data_dir())
    packs = {code: read_pack(edition, code) for code in geography.areas if is_made(edition, code)}
    if not packs:
        raise UserError(f"edition {edition.name}: no pack has been made; run cbs packs --edition {edition.name}")
    packs = with_known_titles(packs)
    made_by = {
        finding["indicator"]: chapter.name
        for pack in packs.values()
        for chapter in pack.chapters
        for finding in chapter.findings
        if finding["indicator"]
    }
    return Edited(edition, geography, load_indicators(params_dir()), made_by), packs


def with_known_titles(packs: dict[str, ExecutedPack]) -> dict[str, ExecutedPack]:
    """The packs, a failed chapter called what it is called in a pack where it did not fail."""
    titles = {chapter.name: chapter.title for pack in packs.values() for chapter in pack.chapters}
    return {
        code: replace(
            pack,
            failures=tuple(replace(item, title=titles.get(item.chapter, item.title)) for item in pack.failures),
        )
        for code, pack in packs.items()
    }


def own_or_checkout(name: str) -> Path:
    """A part of the book from the home in use, else from the checkout the package lies in."""
    for folder in (home(), CHECKOUT):
        if (folder / name).exists():
            return folder / name
    raise UserError(f"{name} is missing from {home()}; copy it from the handbook's own checkout")


def _run_jupyter_book(staged: Path, work: Path, log: Path) -> None:
    """Jupyter Book in a process of its own, warnings being errors."""
    command = [sys.executable, "-c", JUPYTER_BOOK, "build", str(staged), "--path-output", str(work)]
    options = ["--quiet", "--warningiserror", "--keep-going", "--all"]
    environment = {**os.environ, "PYTHONHASHSEED": "0", "PYTHONWARNINGS": "ignore"}
    with log.open("w", encoding="utf-8") as file:
        done = subprocess.run(
            [*command, *options],
            check=False,
            stdout=file,
            stderr=subprocess.STDOUT,
            env=environment,
            stdin=subprocess.DEVNULL,
        )
    if done.returncode != 0 or not (work / "_build" / "html" / "index.html").exists():
        raise DataError(f"the site was not built: {_first_problem(log)}; the whole log is {log.parent.name}/{log.name}")


def _first_problem(log: Path) -> str:
    """The log's first warning or error, in one line."""
    whole = COLOUR.sub("", log.read_text(encoding="utf-8", errors="replace"))
    lines = [line.strip() for line in whole.replace(f"{log.parent / 'book'}/", "").splitlines() if line.strip()]
    return next((line for line in lines if PROBLEM.search(line)), lines[-1] if lines else "no output")


def _put_in_place(made: Path, site: Path) -> None:
    (made / ".buildinfo").unlink(missing_ok=True)
    old = site.with_name(".site-before")
    shutil.rmtree(old, ignore_errors=True)
    if site.exists():
        site.rename(old)
    made.rename(site)
    shutil.rmtree(old, ignore_errors=True)
