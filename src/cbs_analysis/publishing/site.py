"""The site of an edition: executed notebooks and hand-written pages, built by Jupyter Book into `build/site`.

For `cbs publish`. Pages are laid together in one folder, written, generated and executed ones, and nothing that no page
shows, so that Sphinx reads little and the same inputs give the same pages. The site is whole or absent: it is built
beside and then put in place. Pages whose source has not changed are not built again, unless something has that all
pages show: the theme, the contents, the glossary.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from importlib.metadata import version
from pathlib import Path
from typing import Any

import yaml

from cbs_analysis.errors import DataError, UserError, nearest
from cbs_analysis.home import build_dir, data_dir, files_under, home, params_dir
from cbs_analysis.parameters import load_commentary
from cbs_analysis.publishing import synthetic
from cbs_analysis.publishing.chapter_page import chapter_page, chart_library, failed_chapter_page
from cbs_analysis.publishing.contents import contents, navigation_json, search_entries, toc
from cbs_analysis.publishing.downloads import Download, offered
from cbs_analysis.publishing.front_page import front_page
from cbs_analysis.publishing.handbook_pages import catalogue_page, method_page, read_package, speed_page
from cbs_analysis.publishing.indicator_page import indicator_page, indicators_page
from cbs_analysis.publishing.indicators import IndicatorValues
from cbs_analysis.publishing.pack_page import pack_page
from cbs_analysis.publishing.packs import EditionContext, ExecutedPack, before_packs, gather, licence_line
from cbs_analysis.publishing.theme import ENTRIES, GLOSSARY, NAVIGATION

PACKAGE = Path(__file__).resolve().parents[1]
# What every home's book has: in the wheel beside the package's modules, else in the checkout.
HANDBOOK = PACKAGE / "shared" if (PACKAGE / "shared").exists() else PACKAGE.parents[1]
STARTER = PACKAGE / "starter" / "home" / "book"
CONFIG = "_config.yml"
LEFT_OUT = re.compile(r"(^|/)(_build/|\.|README)")
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


# What shows on every page, beside the theme.
EVERY_PAGE = ("_config.yml", "_toc.yml", NAVIGATION, GLOSSARY)


@dataclass(frozen=True)
class Sources:
    """Where the parts of a book are that are not made from packs: hand-written files by place, `_config.yml`,
    parameters with the local commentary, executed method pages (one that is not there is shown without results),
    records of benchmarks.
    """

    book: Mapping[str, Path]
    config: Path
    params: Path
    examples: Path
    benchmarks: Path


def build_site(edition: str, execute: Execute | None = None) -> Path:
    """Build the edition's site from its executed notebooks; returns the front page, `build/site/index.html`.

    `execute` runs the worked examples of the method pages, given them and the folder for the executed ones;
    without it, those that were executed before are shown. Packs that have not been made are listed as such.

    Raises UserError where no pack has been made, DataError where Jupyter Book does not finish without a warning; its
    log is then `build/site.log`.
    """
    build = build_dir()
    context, packs = gather(edition)
    book = hand_written(home())
    methods = [path for name, path in book.items() if name.startswith("methods/")]
    _check_methods(packs, methods)
    if execute:
        execute([path for path in methods if path.suffix == ".ipynb"], build / EXAMPLES)
    files_offered = offered(context, packs)
    staged, fresh, work, site = (build / name for name in ("book", ".book", ".site", "site"))
    shutil.rmtree(fresh, ignore_errors=True)
    config = next(path for path in (home() / CONFIG, HANDBOOK / CONFIG) if path.exists())
    sources = Sources(book, config, params_dir(), build / EXAMPLES, build / BENCHMARKS)
    stage(fresh, sources, context, packs, read_package(data_dir()), files_offered)
    files = {**_notebooks(packs), **_offered_files(files_offered)}
    digest = _digest([fresh], [*files.values(), *THEME])
    if not _is_current(site, digest):
        _adopt(fresh, staged)
        build_pages(staged, work, build / LOG)
        _put_in_place(work / "_build" / "html", site, files, digest)
    shutil.rmtree(fresh, ignore_errors=True)
    return site / "index.html"


def hand_written(home: Path) -> dict[str, Path]:
    """Every file of a home's book by its place in it: the home's own, else the handbook's own where every home has it:
    how to read a pack, the glossary, the pages of methods, the style.
    """
    own, shared = home / "book", HANDBOOK / "book"
    folders = [(STARTER, STARTER), *((shared / name, shared) for name in ("methods", "_static")), (own, own)]
    found = {path.relative_to(book).as_posix(): path for folder, book in folders for path in files_under(folder)}
    return {name: found[name] for name in sorted(found) if not LEFT_OUT.search(name)}


def _check_methods(packs: Mapping[str, ExecutedPack], methods: Iterable[Path]) -> None:
    """Every method that a finding or its indicator names has its page."""
    pages = [path.stem for path in methods]
    for pack in packs.values():
        for finding in pack.findings:
            for method in finding.get("methods", ()):
                if method not in pages:
                    shown = f"{finding['id']}: methods: {method!r}"
                    raise UserError(f"{shown} has no page in book/methods; {nearest(method, pages)}")


# ---- Laying the pages together


def stage(
    folder: Path,
    sources: Sources,
    context: EditionContext,
    packs: Mapping[str, ExecutedPack],
    package: Mapping[str, Any],
    files_offered: Mapping[str, Sequence[Download]],
) -> None:
    """Fill `folder`, which must not exist, with everything Jupyter Book needs.

    `package` describes the data, `files_offered` are those that can be downloaded: of an area by its code, of the
    edition under an empty one.
    """
    for name, path in sources.book.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, folder / name)
    for page in sorted((folder / "methods").glob("*.ipynb")):
        executed = sources.examples / page.name
        _write(page, method_page(executed if executed.exists() else page))
    _write(folder / "_static" / "vega.js", chart_library())
    titles = {resource["name"]: resource["title"] for resource in package["resources"]}
    findings = [finding for pack in packs.values() for finding in pack.findings]
    _write(folder / "index.md", front_page(context, packs, files_offered.get("", ())))
    _write(folder / "catalogue.md", catalogue_page(package))
    _write(folder / "indicators.md", indicators_page(context.indicators, titles, synthetic.indicators_of(findings)))
    values = IndicatorValues(context, packs)
    for key, indicator in context.indicators.items():
        _write(folder / "indicator" / f"{key}.md", indicator_page(indicator, values, context, titles))
    _write(folder / "speed.md", speed_page(sources.benchmarks))
    before = before_packs(context.edition.previous, packs)
    for code, pack in packs.items():
        local = load_commentary(code, sources.params)
        first = pack_page(pack, context, local, packs, files_offered.get(code, ()), before.get(code))
        _stage_pack(folder / "packs" / code, pack, context, first)
    groups = contents(context, packs, folder)
    _write(folder / "_toc.yml", toc(groups))
    _write(folder / NAVIGATION, _json(navigation_json(groups)))
    _write(folder / ENTRIES, _json(search_entries(context, packs, package)))
    _write(folder / "_config.yml", configuration(sources.config, context, licence_line(findings)))


def _stage_pack(place: Path, pack: ExecutedPack, context: EditionContext, first: str) -> None:
    area = context.geography.area(pack.area_code)
    _write(place / "index.md", first)
    for chapter in pack.chapters:
        _write(place / f"{chapter.name}.ipynb", chapter_page(chapter, area, context, pack.version))
    for failure in pack.failures:
        _write(place / f"{failure.chapter}.md", failed_chapter_page(area, failure))


def configuration(config: Path, context: EditionContext, licence: str) -> str:
    """The book's `_config.yml` with this edition's title and the lines at the foot of every page."""
    values = yaml.safe_load(config.read_text(encoding="utf-8"))
    values["title"] = context.edition.title
    line = f"{context.edition.title}. Geography: {context.geography.title}."
    values["sphinx"]["config"]["html_context"] = {"edition_line": line, "licence_line": licence}
    return yaml.safe_dump(values, allow_unicode=True, sort_keys=False, width=1_000)


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, indent=1)


def _write(path: Path, content: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content, encoding="utf-8")


def _notebooks(packs: Mapping[str, ExecutedPack]) -> dict[str, Path]:
    return {f"packs/{code}/{item.path.name}": item.path for code, pack in packs.items() for item in pack.chapters}


def _offered_files(offered_by_area: Mapping[str, Iterable[Download]]) -> dict[str, Path]:
    places = {code: f"packs/{code}" if code else "downloads" for code in offered_by_area}
    return {f"{places[code]}/{item.path.name}": item.path for code, items in offered_by_area.items() for item in items}


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
