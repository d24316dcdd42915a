"""A whole small site, built twice: from executed notebooks with hostile names to pages that load nothing from
elsewhere.
"""

import csv
import json
import re
import shutil
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import nbformat
import pandas as pd
import pytest
import yaml

from cbs_analysis.edition import load_edition, load_indicators
from cbs_analysis.evidence.comparing import Comparison, value_range
from cbs_analysis.evidence.finding import Citation, Definition, Finding, Note
from cbs_analysis.evidence.pack_facts import MIME as PACK_MIME
from cbs_analysis.evidence.pack_facts import pack_facts
from cbs_analysis.evidence.tables import Column, Table
from cbs_analysis.geography import load_geography
from cbs_analysis.home import data_dir, home, params_dir
from cbs_analysis.publishing.site import build_site

HOSTILE = (
    "=cmd </script><script>alert(1)</script> {x} {{y}} $y$ | \"q\" 'z' `b` ``` *i* [l](javascript:1) &amp; Ynys Môn "
    "\N{HOSPITAL} \N{RIGHT-TO-LEFT OVERRIDE}abc"
)
TOP, NAMED = "LON", "5LE"
LOADS = {
    *((tag, "src") for tag in ("script", "img", "iframe", "video", "audio", "embed", "source")),
    *(("link", "href"), ("use", "href"), ("image", "href"), ("object", "data"), ("source", "srcset")),
}


@dataclass
class Page(HTMLParser):
    """What a test asks of a page: its text, links, anchors, what it loads and its scripts."""

    text: str = ""
    title: str = ""
    links: list[str] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    loads: list[str] = field(default_factory=list)
    tags: list[str] = field(default_factory=list)
    inline_script: str = ""

    def __post_init__(self):
        super().__init__(convert_charrefs=True)
        self.inside = ""

    def handle_starttag(self, tag, attrs):
        values = dict(attrs)
        self.tags.append(tag)
        self.inside = tag if tag in ("script", "title", "style") else ""
        if tag == "script" and values.get("type", "").startswith("application/"):
            self.inside = "data"  # a browser does not run it
        self.ids += [values["id"]] if values.get("id") else []
        self.links += [values["href"]] if tag == "a" and "href" in values else []
        self.loads += [value for name, value in attrs if (tag, name) in LOADS]
        self.tags += [name for name in values if name.startswith("on")]

    def handle_endtag(self, tag):
        self.inside = ""

    def handle_data(self, data):
        if self.inside == "script":
            self.inline_script += data.strip()
        elif self.inside == "title":
            self.title += data
        elif self.inside not in ("style", "data"):
            self.text += data


def read(path: Path) -> Page:
    page = Page()
    page.feed(path.read_text(encoding="utf-8"))
    return page


@pytest.fixture(scope="module")
def small_home(tmp_path_factory):
    """A handbook of three areas, one with a hostile name and commentary, with made-up findings in executed
    notebooks.
    """
    folder = tmp_path_factory.mktemp("home")
    shutil.copytree(home() / "book", folder / "book")
    shutil.copy(home() / "_config.yml", folder / "_config.yml")
    shutil.copytree(home() / "data" / "reference", folder / "data" / "reference")
    shutil.copy(home() / "data" / "datapackage.json", folder / "data" / "datapackage.json")
    _write_rows(
        folder / "data" / "reference" / "areas.csv",
        lambda row: (
            {**row, "area_name": HOSTILE, "organisation_name": f"{HOSTILE} PCT"} if row["area_code"] == NAMED else row
        ),
    )
    tree = [("pct", NAMED, TOP), ("pct", "5LD", TOP), ("region", TOP, "")]
    rows = [{"geography": "small", "area_code": code, "level": level, "parent_code": up} for level, code, up in tree]
    _write_rows(folder / "data" / "reference" / "geographies.csv", lambda row: row, rows)
    names = [{"geography": "small", "title": HOSTILE, "year": "2009", "note": HOSTILE}]
    _write_rows(folder / "data" / "reference" / "geography_names.csv", lambda row: row, names)
    params = folder / "params"
    (params / "editions").mkdir(parents=True)
    (params / "areas").mkdir()
    for name in ("indicators.yml", "series.yml"):
        shutil.copy(home() / "params" / name, params / name)
    edition = yaml.safe_load((home() / "params" / "editions" / "2011-12.yml").read_text(encoding="utf-8"))
    edition |= {"geographies": ["small"], "chapters": ["planned_care", "outlook"], "title": f"Evidence {HOSTILE}"}
    (params / "editions" / "small.yml").write_text(yaml.safe_dump(edition), encoding="utf-8")
    local = {"priorities": [HOSTILE], "commentary": f"{HOSTILE}\n```\n# not a heading\n\n{HOSTILE}"}
    (params / "areas" / f"{NAMED}.yml").write_text(yaml.safe_dump(local), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def sites(small_home, tmp_path_factory):
    """The same site built in two different places."""
    return [_build(small_home, tmp_path_factory.mktemp("build")) for _ in range(2)]


@pytest.fixture(scope="module")
def pages(sites):
    return {str(path.relative_to(sites[0])): read(path) for path in sorted(sites[0].rglob("*.html"))}


def test_every_kind_of_page_is_there(pages):
    expected = {
        "index.html",
        "catalogue.html",
        "indicators.html",
        "glossary.html",
        "methods/index.html",
        "search.html",
    }
    assert expected <= set(pages)
    assert {f"packs/{code}/index.html" for code in (TOP, NAMED, "5LD")} <= set(pages)


def test_no_page_loads_anything_from_another_host_and_none_has_a_script_of_its_own(pages):
    for name, page in pages.items():
        assert page.loads, name
        assert [address for address in page.loads if urlsplit(address).scheme or urlsplit(address).netloc] == [], name
        assert page.inline_script == "", name
        assert [tag for tag in page.tags if tag.startswith("on")] == [], name


def test_styles_load_nothing_from_another_host(sites):
    for path in sites[0].rglob("*.css"):
        assert not re.search(r"url\(\s*['\"]?(https?:)?//|@import", path.read_text(encoding="utf-8")), path.name


def test_hostile_names_and_commentary_are_shown_as_text(pages):
    assert HOSTILE in pages["index.html"].text
    first = pages[f"packs/{NAMED}/index.html"]
    assert first.text.count(HOSTILE) > 4
    assert "# not a heading" in first.text
    assert pages[f"packs/{NAMED}/planned_care.html"].text.count(f"{HOSTILE}: planned care") >= 1
    assert HOSTILE in first.title
    for name, page in pages.items():
        assert [address for address in page.links if address.lower().startswith("javascript:")] == [], name


def test_the_search_index_holds_packs_findings_and_sections_as_text_with_their_addresses(sites):
    index = (sites[0] / "_static" / "search-index.js").read_text(encoding="utf-8")
    entries = json.loads(index.removeprefix("window.handbookIndex = ").removesuffix(";\n"))
    assert [HOSTILE, f"Pack, {NAMED}", f"packs/{NAMED}/index.html", ""] in [entry[:4] for entry in entries]
    where = [HOSTILE, "Planned care", f"packs/{NAMED}/planned_care.html#daycases"]
    assert ["Day case rate", " \N{MIDDLE DOT} ".join(where[:2]), where[2]] in [entry[:3] for entry in entries]
    assert any(entry[2].startswith("reading-a-pack.html#") and "interval" in entry[3] for entry in entries)


def test_links_and_anchors_inside_the_book_are_not_dead(pages, sites):
    dead = []
    for name, page in pages.items():
        for address in page.links:
            parts = urlsplit(address)
            if parts.scheme or parts.netloc:
                continue
            target = _resolve(name, unquote(parts.path))
            known = target in pages and (not parts.fragment or unquote(parts.fragment) in pages[target].ids)
            known = known or (not target.endswith(".html") and (sites[0] / target).is_file())
            dead += [] if known else [(name, address)]
    assert dead == []


def test_no_page_has_an_id_twice(pages):
    assert {name: sorted({i for i in page.ids if page.ids.count(i) > 1}) for name, page in pages.items()} == {
        name: [] for name in pages
    }


def test_code_is_hidden_and_the_evidence_is_shown(pages):
    page = pages[f"packs/{NAMED}/planned_care.html"]
    assert "open_pack" not in page.text
    assert "daycases" in page.ids
    assert "Nothing to say about the City." in page.text


def test_a_failed_chapter_says_so_on_its_page_the_first_page_and_the_front_page(pages):
    for name in (f"packs/{NAMED}/outlook.html", f"packs/{NAMED}/index.html", "index.html"):
        assert "The chapter failed at cell 4: ValueError: no value for 2010-07." in pages[name].text, name


def test_formulas_are_mathml(pages):
    formulas = [name for name, page in pages.items() if name.startswith("methods/") and "math" in page.tags]
    assert formulas


def test_pages_are_light(sites):
    assert max(path.stat().st_size for path in sites[0].rglob("*.html")) < 300_000


def test_the_same_inputs_give_the_same_bytes_wherever_they_are_built(sites):
    first, second = (
        {str(path.relative_to(site)): path.read_bytes() for path in site.rglob("*") if path.is_file()} for site in sites
    )
    assert first.keys() == second.keys()
    assert [name for name in first if first[name] != second[name]] == []


def test_a_page_that_has_changed_is_built_again_as_if_all_were(small_home, tmp_path):
    _build(small_home, tmp_path / "once")
    before = (tmp_path / "once" / "site" / "packs" / "5LD" / "planned_care.html").stat().st_mtime_ns
    kept = tmp_path / "once" / ".site" / "_build" / "html" / "glossary.html"
    untouched = kept.stat().st_mtime_ns
    again = _build(small_home, tmp_path / "once", lambeth="Lambeth & more")
    afresh = _build(small_home, tmp_path / "afresh", lambeth="Lambeth & more")
    assert "Lambeth &amp; more had 80.0%" in (again / "packs" / "5LD" / "planned_care.html").read_text(encoding="utf-8")
    assert (again / "packs" / "5LD" / "planned_care.html").stat().st_mtime_ns > before
    assert kept.stat().st_mtime_ns == untouched
    first, second = (
        {str(path.relative_to(site)): path.read_bytes() for path in site.rglob("*") if path.is_file()}
        for site in (again, afresh)
    )
    assert [name for name in first | second if first.get(name) != second.get(name)] == []


def test_a_site_that_is_up_to_date_is_left_alone(small_home, tmp_path):
    site = _build(small_home, tmp_path)
    before = {path: path.stat().st_mtime_ns for path in site.rglob("*.html")}
    assert {path: path.stat().st_mtime_ns for path in _build(small_home, tmp_path).rglob("*.html")} == before


def _build(folder: Path, build: Path, lambeth: str = "Lambeth") -> Path:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CBS_HOME", str(folder))
        patch.setenv("CBS_BUILD", str(build))
        edition = build / "editions" / "small"
        for code, name in ((NAMED, HOSTILE), ("5LD", lambeth), (TOP, "London")):
            _notebook(edition / code / "planned_care.ipynb", code, name)
        failed = {
            "area_code": NAMED,
            "chapter": "outlook",
            "status": "failed",
            "seconds": 1.0,
            "cell": 4,
            "error": "ValueError",
            "message": "no value for 2010-07",
            "traceback": "",
        }
        (edition / "run.json").write_text(json.dumps({"notebooks": [failed]}), encoding="utf-8")
        return build_site("small").parent


def _notebook(path: Path, code: str, name: str) -> None:
    v4 = nbformat.v4
    cells = [
        v4.new_markdown_cell("# Planned care\n\nWhy it matters.", id="title"),
        v4.new_code_cell("pack = open_pack(area_code, edition)\npack", id="open", outputs=[_facts(code)]),
        v4.new_markdown_cell("## Daycases", id="why"),
    ]
    for number, shown in enumerate((_finding(code, name), Note("Nothing to say about the City."))):
        data = shown._repr_mimebundle_()
        output = v4.new_output("execute_result", data=data, execution_count=number + 1)
        cells.append(v4.new_code_cell("chapter.finding(pack)", id=f"cell{number}", outputs=[output]))
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(v4.new_notebook(cells=cells), path)


def _facts(code: str) -> nbformat.NotebookNode:
    edition = load_edition("small", params_dir())
    geography = load_geography(edition.geography, data_dir())
    facts = pack_facts(code, edition, geography, load_indicators(params_dir(), edition))
    data = {"text/plain": facts.sentence, PACK_MIME: facts.to_json()}
    return nbformat.v4.new_output("execute_result", data=data, execution_count=1)


def _finding(code: str, name: str) -> Finding:
    other = Comparison("England", "ENG", 70.0, None, None, "better", "higher")
    table = Table(
        f"Rates of {name}",
        pd.DataFrame({"area": [name], "rate": [80.0]}),
        {"area": Column("Area"), "rate": Column("Rate", decimals=1)},
        emphasis=name,
    )
    return Finding(
        id="planned_care.daycases",
        title="Day case rate",
        area_code=code,
        area_name=name,
        level="pct",
        chapter="planned_care",
        function="provider management",
        statement=f"{name} had 80.0% day cases.",
        indicator="daycase_rate_pct",
        value=80.0,
        lower=79.0,
        upper=81.0,
        unit="%",
        period="2010/11",
        numerator=8.0,
        denominator=10.0,
        comparisons=(other,),
        headline="ENG",
        spread=2.0,
        peers=value_range(pd.Series([60.0, 72.0, 78.0, 80.0])),
        people=500.0,
        flagged=False,
        flag_reason="",
        caution="",
        methods=("proportions",),
        source=(Citation("monthly_activity_return", "Activity", "Department of Health", "OGL"),),
        caveats=(f"Case mix of {name} is not adjusted.",),
        key_figures=table,
        table=table,
        members=None,
        chart=None,
        definition=Definition.of(
            load_indicators(params_dir(), load_edition("small", params_dir()))["daycase_rate_pct"]
        ),
    )


def _write_rows(path: Path, change, more=()) -> None:
    with path.open(encoding="utf-8", newline="") as file:
        rows = [change(row) for row in csv.DictReader(file)] + list(more)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def _resolve(page: str, path: str) -> str:
    if not path or path == "#":
        return page
    parts = page.split("/")[:-1]
    for part in path.split("/"):
        parts = parts[:-1] if part == ".." else parts if part in (".", "") else [*parts, part]
    return "/".join(parts)
