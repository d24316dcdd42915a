"""The site of an edition: executed notebooks and hand-written pages, built by Jupyter Book into `build/site`.

For `cbs publish`. The site is whole or absent: it is built beside and then put in place. Pages whose source has not
changed are not built again, unless something has that all pages show: the theme, the contents, the glossary.
"""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping
from hashlib import blake2b
from importlib.metadata import version
from pathlib import Path

from cbs_analysis.edition import load_edition
from cbs_analysis.errors import DataError, UserError, nearest
from cbs_analysis.home import build_dir, data_dir, files_under, home, params_dir
from cbs_analysis.publishing.downloads import Download, offered
from cbs_analysis.publishing.edited import Edited, gather
from cbs_analysis.publishing.findings import ExecutedPack, is_made, read_pack
from cbs_analysis.publishing.pages import read_package
from cbs_analysis.publishing.staging import EVERY_PAGE, Inputs, stage, written_pages

CHECKOUT = Path(__file__).resolve().parents[3]
LOG = "site.log"
STAMP = ".made-from"
EXAMPLES = "methods"
BENCHMARKS = "bench"
Execute = Callable[[list[Path], Path], None]
COLOUR = re.compile(r"\x1b\[[\d;]*m")
PROBLEM = re.compile(r"WARNING|ERROR|Error\b")
JUPYTER_BOOK = "from jupyter_book.cli.main import main; main()"
THEME = [path for path in files_under(Path(__file__).parent) if path.suffix in (".py", ".html", ".conf")]
BUILDERS = ("jupyter-book", "sphinx", "myst-nb", "myst-parser", "latex2mathml")


def build_site(edition: str, execute: Execute | None = None) -> Path:
    """Build the edition's site from its executed notebooks; returns the front page, `build/site/index.html`.

    `execute` runs the worked examples of the method pages, given them and the folder for the executed ones;
    without it, those that were executed before are shown. Packs that have not been made are listed as such.

    Raises UserError for an unknown edition or where no pack has been made, DataError where Jupyter Book does
    not finish without a warning; its log is then `build/site.log`.
    """
    build = build_dir()
    edited, packs = gather(load_edition(edition, params_dir()))
    methods = own_or_checkout("book") / "methods"
    _check_methods(edited, packs, methods)
    if execute:
        execute(sorted(methods.glob("*.ipynb")), build / EXAMPLES)
    taken = offered(edited, packs)
    staged, fresh, work, site = (build / name for name in ("book", ".book", ".site", "site"))
    shutil.rmtree(fresh, ignore_errors=True)
    stage(
        fresh,
        Inputs(
            own_or_checkout("book"), own_or_checkout("_config.yml"), params_dir(), build / EXAMPLES, build / BENCHMARKS
        ),
        edited, packs, _before(edited, packs), read_package(data_dir()), taken,
    )  # fmt: skip
    files = {**_notebooks(packs), **_offered_files(taken)}
    seen = _digest([fresh], [*files.values(), *THEME])
    if not _is_current(site, seen):
        _adopt(fresh, staged)
        build_pages(staged, work, build / LOG)
        _put_in_place(work / "_build" / "html", site, files, seen)
    shutil.rmtree(fresh, ignore_errors=True)
    return site / "index.html"


def _check_methods(edited: Edited, packs: Mapping[str, ExecutedPack], methods: Path) -> None:
    """Every indicator's method has its page, and every finding's."""
    pages = [path.stem for path in written_pages(methods)]
    named = {f"params/indicators.yml, {key}: method": item.method for key, item in edited.indicators.items()}
    for pack in packs.values():
        for finding in pack.findings:
            named |= {f"{finding['id']}: methods": method for method in finding.get("methods", ())}
    for shown, method in named.items():
        if method not in pages:
            raise UserError(f"{shown}: {method!r} has no page in book/methods; {nearest(method, pages)}")


def _before(edited: Edited, packs: Mapping[str, ExecutedPack]) -> dict[str, ExecutedPack]:
    """The packs of the edition before, of those areas that have one now and then."""
    before = edited.before
    return {code: read_pack(before, code) for code in packs if before and is_made(before, code)} if before else {}


def _notebooks(packs: Mapping[str, ExecutedPack]) -> dict[str, Path]:
    return {f"packs/{code}/{item.path.name}": item.path for code, pack in packs.items() for item in pack.chapters}


def _offered_files(taken: Mapping[str, Iterable[Download]]) -> dict[str, Path]:
    places = {code: f"packs/{code}" if code else "downloads" for code in taken}
    return {f"{places[code]}/{item.path.name}": item.path for code, items in taken.items() for item in items}


def own_or_checkout(name: str) -> Path:
    """A part of the book from the home in use, else from the checkout the package lies in."""
    for folder in (home(), CHECKOUT):
        if (folder / name).exists():
            return folder / name
    raise UserError(f"{name} is missing from {home()}; copy it from the handbook's own checkout")


def _digest(folders: Iterable[Path], files: Iterable[Path] = ()) -> str:
    """Of every file in these folders, by its place in them, of single files, and of what builds pages from them."""
    digest = blake2b(" ".join(version(name) for name in BUILDERS).encode(), digest_size=16)
    for folder in folders:
        for path in files_under(folder):
            digest.update(os.fsencode(path.relative_to(folder)) + b"\0" + path.read_bytes())
    for path in files:
        digest.update(os.fsencode(path.name) + b"\0" + path.read_bytes())
    return digest.hexdigest()


def _is_current(site: Path, seen: str) -> bool:
    stamp = site / STAMP
    return stamp.exists() and stamp.read_text(encoding="utf-8") == seen


def _adopt(fresh: Path, staged: Path) -> None:
    """Put what was staged in the place of what was staged before; files that are the same keep their times."""
    for path in files_under(fresh):
        old = staged / path.relative_to(fresh)
        if old.exists() and old.read_bytes() == path.read_bytes():
            stat = old.stat()
            os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    shutil.rmtree(staged, ignore_errors=True)
    fresh.rename(staged)


def build_pages(staged: Path, work: Path, log: Path) -> None:
    """Pages from what is staged: all where something has changed that all show, else those that have changed."""
    stamp, seen = work / STAMP, _digest([], [*THEME, *(staged / name for name in EVERY_PAGE)])
    if not _is_current(work, seen):
        shutil.rmtree(work, ignore_errors=True)
    stamp.unlink(missing_ok=True)
    _run_jupyter_book(staged, work, log)
    stamp.write_text(seen, encoding="utf-8")


def _run_jupyter_book(staged: Path, work: Path, log: Path) -> None:
    """Jupyter Book in a process of its own, warnings being errors."""
    command = [sys.executable, "-c", JUPYTER_BOOK, "build", str(staged), "--path-output", str(work)]
    options = ["--quiet", "--warningiserror", "--keep-going"]
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


def _put_in_place(made: Path, site: Path, files: Mapping[str, Path], seen: str) -> None:
    """The pages, with the files they offer beside them, in the place of the site that was."""
    coming, old = site.with_name(".site-coming"), site.with_name(".site-before")
    for folder in (coming, old):
        shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(made, coming, ignore=shutil.ignore_patterns(".buildinfo"))
    for place, path in files.items():
        (coming / place).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, coming / place)
    (coming / STAMP).write_text(seen, encoding="utf-8")
    if site.exists():
        site.rename(old)
    coming.rename(site)
    shutil.rmtree(old, ignore_errors=True)
