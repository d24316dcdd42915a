"""Pages made from the handbook's own descriptions: the data catalogue, and what stands where a chapter failed."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cbs_analysis import prepared
from cbs_analysis.errors import DataError
from cbs_analysis.evidence.finding import SYNTHETIC
from cbs_analysis.evidence.wording import listed
from cbs_analysis.geography import Area
from cbs_analysis.publishing import markup
from cbs_analysis.publishing.markup import link, raw, text


def failed_chapter_page(area: Area, title: str, sentence: str) -> str:
    """The page that stands where a chapter should: it says that the chapter is missing, and why."""
    return markup.page(
        markup.heading(f"{area.name}: {lower_first(title)}", 1),
        raw(
            f'<div class="cbs-failed"><p><strong>This chapter is missing.</strong> {text(sentence)}</p></div>',
            f"<p>{link('index.html', f'Back to the first page of {area.name}')}</p>",
        ),
    )


def lower_first(title: str) -> str:
    """A title to stand after a colon: its first letter small, unless it begins an abbreviation."""
    return title if title[1:2].isupper() else title[:1].lower() + title[1:]


def read_package(data: Path) -> dict[str, Any]:
    """The description of every table, those made from hospital records last. Raises DataError where it is missing or
    not JSON.
    """
    try:
        package = dict(json.loads((data / "datapackage.json").read_text(encoding="utf-8")))
    except FileNotFoundError:
        raise DataError("data/datapackage.json is missing") from None
    except ValueError:
        raise DataError("data/datapackage.json: not readable as JSON") from None
    return {**package, "resources": [*package["resources"], *prepared.descriptions(data).values()]}


def catalogue_page(package: Mapping[str, Any]) -> str:
    """Every table of figures: who published it, its period, geography, licence, caveats and columns."""
    lead = text(package.get("description", ""))
    return markup.page(
        markup.heading("Data catalogue", 1),
        raw(f'<p class="cbs-lead">{lead}</p>'),
        *(block for resource in package["resources"] for block in _table_entry(resource)),
    )


def _table_entry(resource: Mapping[str, Any]) -> Sequence[str]:
    licences = listed(item.get("title") or item.get("name", "") for item in resource.get("licenses", []))
    facts = {
        "Publisher": text(resource.get("publisher", "")),
        "Period": text(resource.get("period", "")),
        "Geography": text(resource.get("geography", "")),
        "Licence": text(licences),
        "Attribution": text(resource.get("attribution", "")),
        "Source": text("; ".join(item["title"] for item in resource.get("sources", []))),
        "File": f"<code>data/{text(resource['path'])}</code>",
    }
    caveats = markup.bullets(map(text, resource.get("caveats", [])), "cbs-caveats")
    return (
        markup.heading(resource["title"]),
        raw(
            f'<span id="table-{text(resource["name"])}"></span>',
            f'<p class="cbs-synthetic"><strong>{text(SYNTHETIC)}</strong></p>' if resource.get("synthetic") else "",
            f"<p>{text(resource.get('description', ''))}</p>",
            markup.definitions(facts),
            f"<p><strong>Caveats</strong></p>{caveats}" if caveats else "",
            _columns(resource),
        ),
    )


def _columns(resource: Mapping[str, Any]) -> str:
    rows = "".join(
        f'<tr><th scope="row"><code>{text(column["name"])}</code></th><td>{text(column.get("type", ""))}</td>'
        f"<td>{text(column.get('unit', ''))}</td><td>{text(column.get('description', ''))}</td></tr>"
        for column in resource["schema"]["fields"]
    )
    title = text(f"Columns of {resource['title']}")
    heads = "".join(f'<th scope="col">{name}</th>' for name in ("Column", "Type", "Unit", "Meaning"))
    return (
        "<details><summary>Columns</summary>"
        f'<div class="cbs-scroll" tabindex="0" role="group" aria-label="{title}">'
        f'<table class="cbs-table"><caption>{title}</caption><thead><tr>{heads}</tr></thead>'
        f"<tbody>{rows}</tbody></table></div></details>"
    )
