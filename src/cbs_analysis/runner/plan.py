"""What a run is to make: one job for each area and chapter asked for, after everything that a person can get
wrong was checked.

No kernel starts before the whole plan stands: edition, chapters, templates, every
source against its rules, then the areas that those sources describe, and what each says of itself.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cbs_analysis.errors import DataError, UserError, nearest
from cbs_analysis.files import digest, write_atomically
from cbs_analysis.home import NOTEBOOKS, build_dir, data_dir, home, params_dir
from cbs_analysis.runner.cache_keys import STORE, CacheKeys, Parts, Stamps, declared_tables, digest_of_home
from cbs_analysis.runner.imported_modules import check_own_modules
from cbs_analysis.tables import derived

if TYPE_CHECKING:
    from cbs_analysis.edition import Edition
    from cbs_analysis.geography import Geography
    from cbs_analysis.tables.schema_checks import CheckResult


@dataclass(frozen=True)
class Limits:
    """What a notebook may take: seconds for all of it, and bytes of memory that its kernel may write to (None for no
    limit).
    """

    seconds: int = 300
    memory: int | None = 2 * 1024**3


@dataclass(frozen=True)
class Job:
    """One notebook to execute: a chapter's template for one area of one edition, and where the result
    goes. `leaves` is how many leaf areas the area has, which is what a notebook's time depends on; `store` is the
    record store that derived tables are read from.
    """

    edition: str
    area_code: str
    chapter: str
    template: Path
    output: Path
    home: Path
    leaves: int = 1
    store: Path | None = None

    @property
    def failed_output(self) -> Path:
        """Where a partly executed notebook is kept when a cell failed."""
        return self.output.with_name(f"{self.chapter}.failed.ipynb")

    def at(self, home: Path) -> "Job":
        """The same job with its inputs in another home, which is a copy."""
        if home == self.home:
            return self
        return replace(self, home=home, template=home / NOTEBOOKS / self.template.name, store=home / STORE)


@dataclass(frozen=True)
class Plan:
    """The jobs of a run, every (area code, chapter) the edition offers, in pack order, and what each chapter's
    notebooks are made from: the digests, and the files with their stamps.
    """

    edition: str
    jobs: tuple[Job, ...]
    offered: tuple[tuple[str, str], ...]
    parts: Mapping[str, Parts] = field(default_factory=dict)
    stamps: Mapping[str, Stamps] = field(default_factory=dict)


@dataclass(frozen=True)
class _Offer:
    """What an edition offers, once all of it was checked: area codes with their number of leaves, the chapters that
    each area has, and a digest of its groups of similar areas, empty where it has none.
    """

    areas: Mapping[str, int]
    chapters: Mapping[str, Sequence[str]]
    similar_areas: str = ""

    @property
    def every_chapter(self) -> list[str]:
        return list(dict.fromkeys(chapter for each in self.chapters.values() for chapter in each))


def make_plan(
    edition: str,
    areas: Sequence[str] = (),
    chapters: Sequence[str] = (),
    *,
    on_check: Callable[[], object] = lambda: None,
) -> Plan:
    """The jobs for these areas and chapters of an edition; none named means all of them.

    What was checked once is not checked again until a file of the home or the code changes; `on_check` is called where
    it is, which takes seconds. Raises UserError naming
    what was asked for, or the file and key, with the nearest valid values; DataError where a source does not pass its
    checks.
    """
    keys = CacheKeys(home(), edition)
    offer = _checked_before(keys)
    if offer is None or not set(areas) <= set(offer.areas) or not set(chapters) <= set(offer.every_chapter):
        on_check()
        offer, areas = _checked_now(edition, areas, chapters)
        if not chapters:
            _note_checked(keys, offer)
    wanted = [
        (area, chapter)
        for area in dict.fromkeys(areas) or offer.areas
        for chapter in offer.chapters[area]
        if not chapters or chapter in chapters
    ]
    made = dict.fromkeys(chapter for _, chapter in wanted)
    return Plan(
        edition=edition,
        jobs=tuple(_job(edition, area, chapter, offer.areas[area]) for area, chapter in wanted),
        offered=tuple((area, chapter) for area in offer.areas for chapter in offer.chapters[area]),
        parts={chapter: _with_similar_areas(keys.parts(chapter), offer) for chapter in made},
        stamps={chapter: keys.stamps(chapter) for chapter in made},
    )


def _checked_now(edition: str, areas: Sequence[str], chapters: Sequence[str]) -> tuple[_Offer, list[str]]:
    """What the edition offers, and the codes of the areas asked for, after every check."""
    from cbs_analysis.edition import load_edition
    from cbs_analysis.pack import geographies
    from cbs_analysis.pack.checks import check_periods, check_similar_areas
    from cbs_analysis.pack.similar_areas import similar_areas_by_leaf

    params, data = params_dir(), data_dir()
    chosen = load_edition(edition, params)
    check_own_modules(home() / NOTEBOOKS)
    wanted = _chosen_chapters(chosen, chapters)
    for chapter in wanted:
        _check_template(_template(chapter), edition)
    tables = _tables_of(chosen, wanted)
    _check_indicators(chosen, params, tables)
    _check_tables(tables, data)
    check_periods(chosen, tables, params, data)
    trees = geographies(chosen, data)
    check_similar_areas(chosen, trees[0])
    codes = [_area_code(code, trees) for code in areas]
    _check_commentary(params, data)
    leaves = {code: len(tree.leaves(code)) for tree in trees for code in tree.areas}
    offered = {code: chosen.chapters_at(tree.name, area.level) for tree in trees for code, area in tree.areas.items()}
    groups = similar_areas_by_leaf(edition)
    return _Offer(leaves, offered, digest(groups) if groups else ""), codes


def _with_similar_areas(parts: Parts, offer: _Offer) -> Parts:
    """What a chapter is made from, with the groups that areas are compared with: made from figures that it need not
    declare.
    """
    return {**parts, "similar areas": offer.similar_areas} if offer.similar_areas else parts


def _area_code(code: str, trees: "Sequence[Geography]") -> str:
    return code if any(code in tree.areas for tree in trees) else trees[0].area(code).code


def _tables_of(edition: "Edition", chapters: Iterable[str]) -> list[str]:
    """The tables that the chapters' notebooks declare, and those that similar areas are chosen by."""
    tables = [table for chapter in chapters for table in declared_tables(_template(chapter))]
    if edition.similar_areas:
        from cbs_analysis.pack.similar_areas import feature

        tables += [table for name in edition.similar_areas.features for table in feature(name).tables]
        tables += [edition.deprivation.table] if edition.deprivation else []
    return list(dict.fromkeys(tables))


def _noted(edition: str) -> Path:
    return build_dir() / "cache" / f"checked-{edition}.json"


def _checked_before(keys: CacheKeys) -> _Offer | None:
    with suppress(OSError, ValueError, KeyError, TypeError):
        noted = json.loads(_noted(keys.edition).read_text(encoding="utf-8"))
        if noted["everything"] == digest_of_home(keys.home):
            return _Offer(noted["areas"], noted["chapters"], noted["similar_areas"])
    return None


def _note_checked(keys: CacheKeys, offer: _Offer) -> None:
    noted = {"everything": digest_of_home(keys.home), "areas": dict(offer.areas), "chapters": dict(offer.chapters),
             "similar_areas": offer.similar_areas}  # fmt: skip
    with suppress(OSError):  # it only saves time
        write_atomically(_noted(keys.edition), json.dumps(noted))


def _job(edition: str, area_code: str, chapter: str, leaves: int) -> Job:
    output = build_dir() / "editions" / edition / area_code / f"{chapter}.ipynb"
    return Job(edition, area_code, chapter, _template(chapter), output, home(), leaves, derived.store_in_use())


def _template(chapter: str) -> Path:
    return home() / NOTEBOOKS / f"{chapter}.ipynb"


def _chosen_chapters(edition: "Edition", chapters: Iterable[str]) -> list[str]:
    wanted = list(dict.fromkeys(chapters))
    for chapter in wanted:
        if chapter not in edition.chapter_names:
            near = nearest(chapter, edition.chapter_names)
            raise UserError(f"chapter: {chapter!r} is not in edition {edition.name}; {near}")
    return wanted or list(edition.chapter_names)


def _check_indicators(edition: "Edition", params: Path, tables: Sequence[str]) -> None:
    """Indicators and series are well formed, and name tables that the data catalogue has, or will have once tables are
    derived from records; each table in use is one of them, and all that are not are named at once.
    """
    from cbs_analysis.edition import load_indicators, load_series
    from cbs_analysis.tables import table_descriptions

    known = [*(about.table for about in table_descriptions()), *derived.TABLES]
    missing = [table for table in tables if table not in known]
    if missing:
        raise UserError(
            f"data/datapackage.json: describes no table {', '.join(missing)}, which notebooks of edition "
            f"{edition.name} read; {nearest(missing[0], known)}"
        )
    for key, indicator in load_indicators(params, edition).items():
        for table in indicator.sources:
            if table not in known:
                raise UserError(
                    f"params/indicators.yml, {key}: sources: {table!r} is not a table; {nearest(table, known)}"
                )
    for key, series in load_series(params, edition).items():
        if series.table not in known:
            near = nearest(series.table, known)
            raise UserError(f"params/series.yml, {key}: table: {series.table!r} is not a table; {near}")


def _check_commentary(params: Path, data: Path) -> None:
    """Every area's own file is readable and belongs to an area of some geography."""
    from cbs_analysis.parameters import load_commentary

    known: set[str] | None = None
    for path in sorted((params / "areas").glob("[!.]*")):
        if path.suffix != ".yml":
            raise UserError(f"params/areas/{path.name}: must be named after an area's code and end in .yml")
        load_commentary(path.stem, params)
        known = known or _every_area(data)
        if path.stem not in known:
            near = nearest(path.stem, known)
            raise UserError(f"params/areas/{path.name}: {path.stem!r} is not an area of any geography; {near}")


def _every_area(data: Path) -> set[str]:
    from cbs_analysis.geography import geography_names, load_geography

    trees = [load_geography(name, data) for name in geography_names(data)]
    return {code for tree in trees for code in tree.areas}


def _check_template(path: Path, edition: str) -> None:
    """A template is a notebook with a cell tagged `parameters`, after which an area's values are put."""
    shown = f"notebooks/{path.name}"
    try:
        notebook = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        near = nearest(path.stem, (other.stem for other in path.parent.glob("*.ipynb")))
        raise UserError(
            f"params/editions/{edition}.yml: chapters: {path.stem!r} has no notebook {shown}; {near}"
        ) from None
    except ValueError as error:
        raise UserError(f"{shown}: not readable as a notebook: {error}") from None
    cells = notebook.get("cells") if isinstance(notebook, dict) else None
    if not isinstance(cells, list):
        raise UserError(f"{shown}: not a notebook: it has no list of cells")
    if not any("parameters" in _tags(cell) for cell in cells):
        raise UserError(f"{shown}: no cell is tagged 'parameters'; tag the cell that sets area_code and edition")


def _tags(cell: dict[str, Any]) -> list[str]:
    tags = cell.get("metadata", {}).get("tags", [])
    return tags if cell.get("cell_type") == "code" else []


def _check_tables(tables: Sequence[str], data: Path) -> None:
    from cbs_analysis.tables import check_tables

    faults = list(dict.fromkeys(_fault(result) for result in check_tables(data, tables) if result.status == "failed"))
    if faults:
        more = f" (and {len(faults) - 1} more: see cbs check)" if len(faults) > 1 else ""
        raise DataError(f"{faults[0]}{more}")


def _fault(result: "CheckResult") -> str:
    """What failed, in one line: table, rule, row. A table that cannot be read says so itself, file and line
    first.
    """
    said = (*result.rows, result.found)[0]
    return said if said == result.found else f"{result.table}: {result.rule}: {said}"
