"""Executed packs made up for tests of what is published: two areas, hostile words wherever there are words."""

import json
import re

import pandas as pd

from cbs_analysis.edition import load_edition, load_indicators
from cbs_analysis.evidence import charts
from cbs_analysis.evidence.comparing import Comparison, value_range
from cbs_analysis.evidence.finding import Chart, Citation, Definition, Finding
from cbs_analysis.evidence.pack_facts import MIME as PACK_MIME
from cbs_analysis.evidence.pack_facts import pack_facts
from cbs_analysis.evidence.rendering import svg
from cbs_analysis.evidence.tables import Column, Table
from cbs_analysis.geography import load_geography
from cbs_analysis.home import data_dir, params_dir
from cbs_analysis.parameters import LocalCommentary
from cbs_analysis.publishing.packs import EditionContext, ExecutedChapter, ExecutedPack, Failure

HOSTILE = "=cmd|' /C calc'!A0 </script><script>alert(1)</script> {{x}} #let `b` $y$ \N{RIGHT-TO-LEFT OVERRIDE}abc"
SENTENCE = "Synthetic records: made by this project, of no real person."
LABEL, ENDING = "Synthetic records", " (synthetic records)"
ANY = re.compile("synthetic", re.IGNORECASE)
MADE_UP, PUBLISHED = "readmission_ratio", "daycase_rate_pct"
LOCAL = LocalCommentary(priorities=(f"+{HOSTILE}",), commentary=f"@{HOSTILE}\n\nSecond.")


LICENCE = {"name": "OGL-UK-3.0", "title": "Open Government Licence v3.0", "path": "https://example.org/ogl"}


def facts(code="5LE", name="2011-12"):
    edition = load_edition(name, params_dir())
    geography = load_geography(edition.geography, data_dir())
    return pack_facts(code, edition, geography, load_indicators(params_dir(), edition))


def definitions(name="2011-12"):
    known = load_indicators(params_dir(), load_edition(name, params_dir()))
    return {key: Definition.of(item) for key, item in known.items()}


def edited(name="2011-12"):
    known = facts(name=name)
    made_by = {"daycase_rate_pct": "planned_care", "population": "planned_care"}
    return EditionContext(known.edition, known.geography, definitions(), made_by)


def facts_output(known):
    """What the opening cell of a notebook shows of its pack."""
    bundle = {"text/plain": known.sentence, PACK_MIME: known.to_json()}
    return {"output_type": "execute_result", "data": bundle, "metadata": {}, "execution_count": None}


def with_facts(folder, name="2011-12"):
    """Give executed notebooks of areas' packs what later versions record: the pack's facts, and definitions."""
    known = definitions()
    for path in folder.glob("*/*.ipynb"):
        notebook = json.loads(path.read_text(encoding="utf-8"))
        outputs = [output for cell in notebook["cells"] for output in cell.get("outputs", [])]
        if any(PACK_MIME in output.get("data", {}) for output in outputs):
            continue
        for output in outputs:
            if found := output.get("data", {}).get("application/vnd.cbs.finding+json"):
                item = known.get(found["indicator"])
                found |= {"definition": item and item.to_json(), "fifth": None, "funnel": None}
        next(cell for cell in notebook["cells"] if cell["cell_type"] == "code")["outputs"] = [
            facts_output(facts(path.parent.name, name))
        ]
        path.write_text(json.dumps(notebook), encoding="utf-8")


def finding(code="5LE", name="Southwark", words="", indicator="daycase_rate_pct", **changes):
    table = Table(
        f"Rates {words}",
        pd.DataFrame({"area": [f"{words}{name}", "London"], "rate": [80.123456789, None], "events": [1234.0, -5.0]}),
        {"area": Column("Area"), "rate": Column("Rate", "%", 1), "events": Column(f"Events {words}", decimals=0)},
        emphasis=name,
    )
    frame = pd.DataFrame({"name": [f"{words}{name}", "Lambeth"], "value": [80.0, 70.0], "lower": [79.0, 69.0],
                          "upper": [81.0, 71.0], "role": ["area", "peer"]})  # fmt: skip
    values = {
        "id": "planned_care.daycases", "title": f"Day case rate {words}".strip(), "area_code": code, "area_name": name,
        "level": "pct", "chapter": "planned_care", "function": "provider management",
        "statement": f"{name} had 80.1% day cases. {words}", "indicator": indicator, "value": 80.123456789,
        "lower": 79.0, "upper": 81.5, "unit": "%", "period": f"2010/11 {words}".strip(), "numerator": 1234.0,
        "denominator": 1540.0, "comparisons": (Comparison("London", "LON", 78.5, None, None, "better", "higher"),),
        "headline": "LON", "spread": 2.0, "peers": value_range(pd.Series([60.0, 72.0, 78.0, 80.0])), "people": 500.0,
        "flagged": False, "flag_reason": "", "caution": words,
        "source": (Citation("monthly_activity_return", f"Activity {words}".strip(), "Department of Health", "OGL",
                            licences=(LICENCE,)),),
        "methods": ("proportions",), "caveats": (f"Case mix is not adjusted. {words}",), "key_figures": table,
        "table": table, "members": None,
        "chart": Chart(charts.ranked_intervals(frame, title=f"T {words}", value_title="Rate (%)"), f"Dots. {words}"),
    }  # fmt: skip
    given = {**values, **changes}
    definition = definitions().get(given["indicator"])
    return Finding(**{"definition": definition, **given})


def pack(*findings, code="5LE", failures=(), path=None):
    """A pack of one chapter with these findings; its notebook is written where a `path` is given."""
    found = findings or (finding(code),)
    written = [json.loads(json.dumps(each.to_json())) for each in found]
    pictures = {
        each.id: svg(each.chart.specification, each.anchor, each.chart.description) for each in found if each.chart
    }
    if path:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({"cells": [each["statement"] for each in written]}), encoding="utf-8")
    chapter = ExecutedChapter("planned_care", "Planned care", path, tuple(written), ("Nothing more.",), pictures)
    return ExecutedPack(code, (chapter,), tuple(failures))


FAILED = Failure("outlook", "Outlook", 4, "ValueError: no value for 2010-07")


def made_up(code="5LE", name="Southwark", **changes):
    source = (Citation("benchmark_areas", "Adjusted ratios", "this handbook", "MIT", synthetic=True),)
    members = Table("PCTs side by side", pd.DataFrame({"area": [name]}), {"area": Column("Area")})
    values = {
        "id": "planned_care.readmissions", "title": "Readmissions", "indicator": MADE_UP, "source": source,
        "statement": f"{name} had 1.2 readmissions for each expected.", "members": members,
    }  # fmt: skip
    return finding(code, name, **{**values, **changes}).labelled()


def both(code="5LE", name="Southwark"):
    return pack(finding(code, name), made_up(code, name), code=code)


def words(svg_or_html):
    return " ".join(re.sub(r"<[^>]*>", " ", svg_or_html).split())
