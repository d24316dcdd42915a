"""Pages made from the handbook's own descriptions: front page, data catalogue, indicators.

The front page is for whoever opens the book first; the others for a reader who asks what a number is and
where it is from.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cbs_analysis.edition import Indicator
from cbs_analysis.errors import DataError
from cbs_analysis.evidence.wording import level_name, listed, plural
from cbs_analysis.geography import Area, Geography
from cbs_analysis.publishing import markup
from cbs_analysis.publishing.findings import ExecutedPack
from cbs_analysis.publishing.markup import link, raw, text
from cbs_analysis.publishing.summary import Edited, in_reading_order, why

FAILURES_SHOWN = 20
POLARITY = {
    "high is good": "higher is better",
    "low is good": "lower is better",
    "none": "neither way is better, so it is not judged",
}
INTERVAL = {
    "estimate": "an estimate, with a 95% interval",
    "complete count": "a complete count, compared as it is",
    "not published": "published without an interval, so it is not judged",
}


def front_page(edited: Edited, packs: Mapping[str, ExecutedPack]) -> str:
    """What this is, for whom, the edition, and every pack as a link, grouped as the geography groups them."""
    geography, edition = edited.geography, edited.edition
    failed = sum(len(pack.failures) for pack in packs.values())
    return markup.page(
        markup.heading(edition.title, 1),
        raw(
            f'<p class="cbs-lead">Evidence for commissioning in {text(in_words(geography))}: what the '
            "published figures say about each area, held against its comparators, for the people who decide "
            "what care to buy.</p>",
            "<p>Open an area’s pack. Its first page gives the main messages in two minutes; its chapters "
            f"give the evidence. {link('reading-a-pack.html', 'How to read a pack')} explains the words and "
            "marks.</p>",
            _failed_note(failed, packs, geography),
        ),
        markup.heading("Packs"),
        raw(_pack_lists(geography, packs)),
        markup.heading("This edition"),
        raw(_edition_facts(edited), markup.bullets(map(text, edition.notes))),
    )


def in_words(geography: Geography) -> str:
    """What a geography holds: 'London: 31 PCTs in 6 sectors'."""
    *below, _ = geography.levels
    counts = []
    for level in below:
        count = len(geography.at_level(level))
        counts.append(f"{count} {level_name(level, plural=count != 1)}")
    return f"{geography.whole.name} ({' in '.join(counts)})" if counts else geography.whole.name


def _failed_note(failed: int, packs: Mapping[str, ExecutedPack], geography: Geography) -> str:
    if not failed:
        return ""
    where = [
        f"{link(f'packs/{code}/index.html', geography.area(code).name)}: {text(failure.title)}. {text(why(failure))}"
        for code, pack in packs.items()
        for failure in pack.failures
    ]
    shown = markup.bullets(where[:FAILURES_SHOWN])
    return (
        f'<div class="cbs-failed"><p><strong>{plural(failed, "chapter")} could not be made.</strong> '
        f"The packs concerned say which messages are therefore missing.</p>{shown}</div>"
    )


def _pack_lists(geography: Geography, packs: Mapping[str, ExecutedPack]) -> str:
    whole = geography.whole
    groups = [geography.area(code) for code in whole.members]
    if all(group.is_leaf for group in groups):
        return _group(whole, geography, packs)
    cards = "".join(_group(group, geography, packs) for group in groups)
    return f'<p class="cbs-whole">{_pack_link(whole, packs)}</p><div class="cbs-groups">{cards}</div>'


def _group(group: Area, geography: Geography, packs: Mapping[str, ExecutedPack]) -> str:
    items = [_pack_link(area, packs) for area in in_reading_order(group, geography)]
    return f'<section class="cbs-group"><h3>{_pack_link(group, packs)}</h3>{markup.bullets(items)}</section>'


def _pack_link(area: Area, packs: Mapping[str, ExecutedPack]) -> str:
    if area.code not in packs:
        return f'<span class="cbs-minor">{text(area.name)} (not made)</span>'
    return link(f"packs/{area.code}/index.html", area.name)


def _edition_facts(edited: Edited) -> str:
    edition, geography = edited.edition, edited.geography
    return markup.definitions(
        {
            "Prospectus year": text(edition.prospectus_year),
            "Geography": f"{text(geography.title)}. {text(geography.note)}",
            "Hospital activity": text(edition.activity_year),
            "Population": text(f"mid-{edition.population_year}"),
            "Emergency admissions": text(edition.emergency_year),
        }
    )


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


def indicators_page(indicators: Mapping[str, Indicator], titles: Mapping[str, str]) -> str:
    """Every indicator with its definition. `titles` are the catalogue's titles of tables by name."""
    entries: list[str] = []
    for key, item in indicators.items():
        facts = {
            "Unit": text(item.unit),
            "Numerator": _unless_none(item.numerator),
            "Denominator": _unless_none(item.denominator),
            "Period": text(item.period),
            "Polarity": text(POLARITY[item.polarity]),
            "Value": text(INTERVAL[item.interval]),
            "Method": link(f"methods/{item.method}.html", item.method.replace("-", " ")),
            "Source": ", ".join(link(f"catalogue.html#table-{name}", titles.get(name, name)) for name in item.sources),
            "Id": f"<code>{text(key)}</code>",
        }
        entries += [
            markup.heading(item.name),
            raw(f"<p>{text(item.definition)}</p>", markup.definitions(facts)),
        ]
    lead = "What each indicator counts, over what, from which source, and which way is better."
    return markup.page(markup.heading("Indicators", 1), raw(f'<p class="cbs-lead">{lead}</p>'), *entries)


def _unless_none(value: str) -> str:
    return "" if value == "none" else text(value)


def read_package(data: Path) -> dict[str, Any]:
    """The description of every table. Raises DataError where it is missing or not JSON."""
    try:
        return dict(json.loads((data / "datapackage.json").read_text(encoding="utf-8")))
    except FileNotFoundError:
        raise DataError("data/datapackage.json is missing") from None
    except ValueError:
        raise DataError("data/datapackage.json: not readable as JSON") from None


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
        f'<div class="cbs-scroll" tabindex="0" role="region" aria-label="{title}">'
        f'<table class="cbs-table"><caption>{title}</caption><thead><tr>{heads}</tr></thead>'
        f"<tbody>{rows}</tbody></table></div></details>"
    )
