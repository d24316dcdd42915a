"""A pack's tables as CSV with a `datapackage.json`, for whoever takes the figures on into a tool of their own.

One file a table of each finding, and `findings.csv`, a row a finding. Numbers are those of the executed notebooks,
unrounded; an empty cell is a figure that is not available.
"""

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from cbs_analysis.evidence.finding import SYNTHETIC, SYNTHETIC_LABEL
from cbs_analysis.parameters import LocalCommentary
from cbs_analysis.publishing import synthetic
from cbs_analysis.publishing.archive import zipped
from cbs_analysis.publishing.messages import headline_comparison
from cbs_analysis.publishing.packs import EditionContext, ExecutedPack, FindingJson, cited_tables, licences

KINDS = ("key_figures", "table", "members")
PACKAGE = "datapackage.json"
FINDINGS = "findings"
FINDING_FIELDS: Mapping[str, tuple[str, str]] = {
    "id": ("string", "Chapter and finding"),
    "title": ("string", "Title"),
    "indicator": ("string", "Id of the indicator, where it is one"),
    "value": ("number", "Value, in the finding's unit"),
    "lower": ("number", "95% lower limit"),
    "upper": ("number", "95% upper limit"),
    "unit": ("string", "Unit"),
    "period": ("string", "Period"),
    "numerator": ("number", "Numerator"),
    "denominator": ("number", "Denominator"),
    "comparator": ("string", "Main comparator"),
    "comparator_value": ("number", "The comparator's value"),
    "status": ("string", "Better, similar, worse or not compared"),
    "direction": ("string", "Higher, lower or similar"),
    "flagged": ("boolean", "Published and not believed"),
    "flag_reason": ("string", "Why it is not believed"),
    "statement": ("string", "The finding in words"),
    "synthetic": ("string", "Says so where the finding rests on synthetic records, which are of no real person"),
}
SYNTHETIC_FIELD = {"name": "synthetic", "type": "string", "title": "Says in every row that the records are synthetic"}


def write_tables(path: Path, pack: ExecutedPack, context: EditionContext, local: LocalCommentary) -> None:
    """Write the pack's tables to `path`, as a zip archive."""
    path.write_bytes(zipped(table_files(pack, context)))


def table_files(pack: ExecutedPack, context: EditionContext) -> dict[str, bytes]:
    """File names and contents: every table of the pack as CSV, and the description of them all."""
    area, edition = context.geography.area(pack.area_code), context.edition
    files = {f"{FINDINGS}.csv": _csv(list(FINDING_FIELDS), (_finding_row(finding) for finding in pack.findings))}
    resources = [_findings_resource(pack.findings)]
    for finding in pack.findings:
        for kind in KINDS:
            if table := finding[kind]:
                name = f"{finding['chapter']}-{finding['id'].rpartition('.')[2]}-{kind.replace('_', '-')}"
                fields = table["schema"]["fields"]
                names = [field["name"] for field in fields]
                whole = {field["name"] for field in fields if field.get("decimals") == 0}
                rows = [[_whole(row[key]) if key in whole else row[key] for key in names] for row in table["data"]]
                if synthetic.is_synthetic(finding):
                    name, fields, names = f"{name}-synthetic", [*fields, SYNTHETIC_FIELD], [*names, "synthetic"]
                    rows = [[*row, SYNTHETIC_LABEL] for row in rows]
                files[f"{name}.csv"] = _csv(names, rows)
                described = " ".join([finding["title"], *(f"– {note}" for note in table.get("notes", ()))])
                missing = table["schema"].get("missingValues", [""])
                resources.append(_resource(name, table["title"], fields, finding["source"], described, missing))
    package = {
        "profile": "tabular-data-package",
        "name": f"{pack.area_code}-{edition.name}".lower(),
        "title": f"{area.name}: {edition.title}",
        "description": f"What the published figures say about {area.name}. Made by cbs-analysis {pack.version}."
        f"{_about_synthetic(pack.findings)}",
        "licenses": [dict(licence) for licence in licences(pack.findings)],
        "resources": resources,
    }
    files[PACKAGE] = (json.dumps(package, ensure_ascii=False, indent=1) + "\n").encode("utf-8", "replace")
    return files


def _about_synthetic(findings: Sequence[FindingJson]) -> str:
    if not synthetic.ending(*findings):
        return ""
    return f" {SYNTHETIC} Files whose names end in -synthetic hold them, and rows of {FINDINGS}.csv that say so."


def _findings_resource(findings: Sequence[FindingJson]) -> dict[str, Any]:
    fields = [{"name": name, "type": kind, "title": title} for name, (kind, title) in FINDING_FIELDS.items()]
    cited = cited_tables(findings).values()
    return _resource(FINDINGS, "Every finding of the pack", fields, cited, "A row a finding")


def _resource(
    name: str,
    title: str,
    fields: Sequence[Mapping[str, Any]],
    sources: Iterable[Mapping[str, Any]],
    described: str,
    missing: Sequence[str] = ("",),
) -> dict[str, Any]:
    return {
        "profile": "tabular-data-resource",
        "name": name.lower().replace("_", "-"),
        "path": f"{name}.csv",
        "title": title,
        "description": described,
        "format": "csv",
        "encoding": "utf-8",
        "schema": {"fields": [dict(field) for field in fields], "missingValues": list(missing)},
        "sources": [{"title": f"{item['title']}, {item['publisher']}"} for item in sources],
    }


def _finding_row(finding: FindingJson) -> list[Any]:
    compared = headline_comparison(finding) or {}
    beside = {"comparator": "comparator", "comparator_value": "value", "status": "status", "direction": "direction"}
    own = {**finding, "synthetic": synthetic.sentence(finding)}
    return [compared.get(beside[name]) if name in beside else own[name] for name in FINDING_FIELDS]


def _csv(heads: Sequence[str], rows: Iterable[Sequence[Any]]) -> bytes:
    """UTF-8, a line feed after each row, numbers as Python writes them shortest."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(heads)
    writer.writerows([_cell(value) for value in row] for row in rows)
    return out.getvalue().encode("utf-8", "replace")


def _whole(value: Any) -> Any:
    """A rank or a count without the '.0' that it has where a column has gaps."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _cell(value: Any) -> Any:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):  # a carriage return by itself would end a row for some readers
        return value.replace("\r\n", "\n").replace("\r", "\n")
    return "" if value is None else value
