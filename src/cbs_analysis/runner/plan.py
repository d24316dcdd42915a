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

from cbs_analysis import prepared
from cbs_analysis.errors import DataError, UserError, nearest
from cbs_analysis.files import write_atomically
from cbs_analysis.home import build_dir, data_dir, home, params_dir
from cbs_analysis.runner.inputs import NOTEBOOKS, Inputs, Parts, Stamps, digest_of_home

if TYPE_CHECKING:
    from cbs_analysis.edition import Edition
    from cbs_analysis.tables import CheckResult


@dataclass(frozen=True)
class Job:
    """One notebook to execute: a chapter's template for one area of one edition, and where the result
    goes. `leaves` is how many leaf areas the area has, which is what a notebook's time depends on.
    """

    edition: str
    area_code: str
    chapter: str
    template: Path
    output: Path
    home: Path
    leaves: int = 1

    @property
    def failed_output(self) -> Path:
        """Where a partly executed notebook is kept when a cell failed."""
        return self.output.with_name(f"{self.chapter}.failed.ipynb")

    def at(self, home: Path) -> "Job":
        """The same job with its inputs in another home."""
        return replace(self, home=home, template=home / NOTEBOOKS / self.template.name)


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
    """What an edition offers, once all of it was checked: area codes with their number of leaves, and chapters."""

    areas: Mapping[str, int]
    chapters: Sequence[str]


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
    inputs = Inputs(home(), edition)
    offer = _checked_before(inputs)
    if offer is None or not set(areas) <= set(offer.areas) or not set(chapters) <= set(offer.chapters):
        on_check()
        offer, areas = _checked_now(edition, areas, chapters)
        if not chapters:
            _note_checked(inputs, offer)
    wanted = [(area, chapter) for area in dict.fromkeys(areas) or offer.areas
              for chapter in dict.fromkeys(chapters) or offer.chapters]  # fmt: skip
    made = dict.fromkeys(chapter for _, chapter in wanted)
    return Plan(
        edition=edition,
        jobs=tuple(_job(edition, area, chapter, offer.areas[area]) for area, chapter in wanted),
        offered=tuple((area, chapter) for area in offer.areas for chapter in offer.chapters),
        parts={chapter: inputs.parts(chapter) for chapter in made},
        stamps={chapter: inputs.stamps(chapter) for chapter in made},
    )


def _checked_now(edition: str, areas: Sequence[str], chapters: Sequence[str]) -> tuple[_Offer, list[str]]:
    """What the edition offers, and the codes of the areas asked for, after every check."""
    from cbs_analysis.edition import load_edition
    from cbs_analysis.geography import load_geography

    params, data = params_dir(), data_dir()
    chosen = load_edition(edition, params)
    _check_indicators(params)
    for chapter in _chosen_chapters(chosen, chapters):
        _check_template(_template(chapter), edition)
    _check_sources(data)
    _check_years(chosen, data)
    geography = load_geography(chosen.geography, data, f"params/editions/{edition}.yml: ")
    _check_similar(chosen, len(geography.leaves(geography.whole.code)))
    codes = [geography.area(code).code for code in areas]
    _check_commentary(params, data)
    return _Offer({code: len(geography.leaves(code)) for code in geography.areas}, chosen.chapters), codes


def _noted(edition: str) -> Path:
    return build_dir() / "cache" / f"checked-{edition}.json"


def _checked_before(inputs: Inputs) -> _Offer | None:
    with suppress(OSError, ValueError, KeyError, TypeError):
        noted = json.loads(_noted(inputs.edition).read_text(encoding="utf-8"))
        if noted["everything"] == digest_of_home(inputs.home):
            return _Offer(noted["areas"], noted["chapters"])
    return None


def _note_checked(inputs: Inputs, offer: _Offer) -> None:
    noted = {"everything": digest_of_home(inputs.home), "areas": dict(offer.areas), "chapters": list(offer.chapters)}
    with suppress(OSError):  # it only saves time
        write_atomically(_noted(inputs.edition), json.dumps(noted))


def _job(edition: str, area_code: str, chapter: str, leaves: int) -> Job:
    output = build_dir() / "editions" / edition / area_code / f"{chapter}.ipynb"
    return Job(edition, area_code, chapter, _template(chapter), output, home(), leaves)


def _template(chapter: str) -> Path:
    return home() / NOTEBOOKS / f"{chapter}.ipynb"


def _chosen_chapters(edition: "Edition", chapters: Iterable[str]) -> list[str]:
    wanted = list(dict.fromkeys(chapters))
    for chapter in wanted:
        if chapter not in edition.chapters:
            near = nearest(chapter, edition.chapters)
            raise UserError(f"chapter: {chapter!r} is not in edition {edition.name}; {near}")
    return wanted or list(edition.chapters)


def _check_indicators(params: Path) -> None:
    """Every indicator names tables that the data catalogue has, or will have once records are prepared."""
    from cbs_analysis.edition import load_indicators
    from cbs_analysis.tables import sources

    tables = [*(source.table for source in sources()), *prepared.TABLES]
    for key, indicator in load_indicators(params).items():
        for table in indicator.sources:
            if table not in tables:
                raise UserError(
                    f"params/indicators.yml, {key}: sources: {table!r} is not a table; {nearest(table, tables)}"
                )


def _check_years(edition: "Edition", data: Path) -> None:
    """The years an edition names are years that its tables hold."""
    from cbs_analysis.tables import read

    months = read("monthly_activity_return", data)["month"]
    starts = (months.dt.year - (months.dt.month < 4)).unique()
    held = {
        "activity_year": [f"{start}/{(start + 1) % 100:02d}" for start in sorted(starts)],
        "population_year": sorted(read("population_by_age", data)["mid_year"].unique().tolist()),
        "emergency_year": sorted(read("emergency_admissions", data)["financial_year"].unique().tolist()),
    }
    for key, years in held.items():
        if (chosen := getattr(edition, key)) not in years:
            shown = f"params/editions/{edition.name}.yml: {key}"
            raise UserError(f"{shown}: the figures hold {years[0]} to {years[-1]}, not {chosen}")


def _check_commentary(params: Path, data: Path) -> None:
    """Every area's own file is readable and belongs to an area of some geography."""
    from cbs_analysis.edition import load_commentary

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


def _check_similar(edition: "Edition", leaves: int) -> None:
    """Fewer areas are like an area than all the others."""
    if edition.similar_areas and edition.similar_areas.count > max(1, leaves - 2):
        shown = f"params/editions/{edition.name}.yml: similar_areas.count"
        raise UserError(
            f"{shown}: {edition.similar_areas.count} is as many as all others or more: geography {edition.geography} "
            f"has {leaves} areas at its lowest level, so choose at most {max(1, leaves - 2)}"
        )


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


def _check_sources(data: Path) -> None:
    from cbs_analysis.tables import check_all

    faults = list(dict.fromkeys(_fault(result) for result in check_all(data) if result.status == "failed"))
    if faults:
        more = f" (and {len(faults) - 1} more: see cbs check)" if len(faults) > 1 else ""
        raise DataError(f"{faults[0]}{more}")


def _fault(result: "CheckResult") -> str:
    """What failed, in one line: table, rule, row. A table that cannot be read says so itself, file and line
    first.
    """
    said = (*result.rows, result.found)[0]
    return said if said == result.found else f"{result.table}: {result.rule}: {said}"
