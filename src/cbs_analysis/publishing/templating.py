"""The templates of pages, and text made safe for them: any name shows as it was written, whatever characters are in it.

Pages are MyST Markdown whose headings are escaped character by character and whose body is raw HTML blocks. Templates
are Jinja2's, in `templates/`, and escape whatever is not `Markup`.
"""

import re
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from cbs_analysis.evidence.finding import Definition
from cbs_analysis.evidence.wording import MISSING, listed, number, plural, sentence_case

TEMPLATES = Path(__file__).with_name("templates")
PUNCTUATION = re.compile(r"([!-/:-@\[-`{-~])")
STATUSES = {
    "better": ("\N{BLACK CIRCLE}", "better"),
    "similar": ("\N{WHITE CIRCLE}", "similar"),
    "worse": ("\N{BLACK DIAMOND}", "worse"),
    "not compared": ("\N{EN DASH}", "neutral"),
    "flagged": ("!", "flagged"),
    "missing": ("!", "flagged"),
    "higher": ("\N{UPWARDS ARROW}", "way"),
    "lower": ("\N{DOWNWARDS ARROW}", "way"),
}
ARROWS = {way: STATUSES[way][0] for way in ("higher", "lower")}


def render(template: str, **values: Any) -> str:
    """A page or a part of one from its template, such as `front_page.md`."""
    return _environment().get_template(template).render(values)


def fragment(template: str, macro: str, *values: Any) -> Markup:
    """What one macro of a template gives, to stand in another page."""
    module: Any = _environment().get_template(template).module
    return Markup(getattr(module, macro)(*values))


def markdown(value: object) -> Markup:
    """Text for one line of Markdown: every punctuation mark escaped, so none of it is markup."""
    return Markup(PUNCTUATION.sub(r"\\\1", " ".join(str(value).split())))


def raw(html: str) -> Markup:
    """A raw HTML block of a MyST page. Nothing in the HTML, which is escaped already, can end the block."""
    lines = "\n".join(line for line in str(html).replace("`", "&#96;").split("\n") if line.strip())
    return Markup("```{raw} html\n" + lines + "\n```\n")


def link(address: str, label: object) -> Markup:
    return Markup('<a href="{}">{}</a>').format(address, label)


def bullets(items: Iterable[object], css: str = "") -> Markup:
    """An unordered list; empty where there are no items."""
    inner = Markup().join(Markup("<li>{}</li>").format(item) for item in items)
    opening = Markup('<ul class="{}">').format(css) if css else Markup("<ul>")
    return opening + inner + Markup("</ul>") if inner else Markup()


def definitions(pairs: Mapping[str, object], css: str = "cbs-facts") -> Markup:
    """A description list; empty values are left out."""
    inner = Markup().join(Markup("<dt>{}</dt><dd>{}</dd>").format(*pair) for pair in pairs.items() if pair[1])
    return Markup('<dl class="{}">{}</dl>').format(css, inner)


def mark(status: str) -> Markup:
    """A status as a shape and its word; the colour only repeats them."""
    shape, css = STATUSES[status]
    opening = Markup('<span class="cbs-mark cbs-{}"><span aria-hidden="true">{}</span> ').format(css, shape)
    return opening + status + Markup("</span>")


def reading(value: float | None, indicator: Definition) -> str:
    """A number of this indicator as it is read, its unit said elsewhere."""
    shown = number(value, indicator.decimals)
    return f"{shown}%" if indicator.unit == "%" and shown != MISSING else shown


def interval(finding: Mapping[str, Any] | None, indicator: Definition) -> str:
    """A finding's 95% interval as it is read, '1.2 to 1.4'; empty where there is none."""
    if finding is None or finding["lower"] is None or finding["upper"] is None:
        return ""
    return f"{number(finding['lower'], indicator.decimals)} to {number(finding['upper'], indicator.decimals)}"


def unit_apart(indicator: Definition) -> str:
    """The unit where it has to be named beside a value; empty for a percentage, which carries it, and a ratio."""
    return "" if indicator.unit in ("%", "ratio") else indicator.unit


def first_letter_lower(title: str) -> str:
    """A title to stand after a colon: its first letter small, unless it begins an abbreviation."""
    return title if title[1:2].isupper() else title[:1].lower() + title[1:]


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {"markdown": markdown, "raw": raw, "sentence_case": sentence_case, "listed": listed}
    environment.globals |= {
        "link": link, "bullets": bullets, "definitions": definitions, "mark": mark, "number": number,
        "plural": plural, "reading": reading, "interval": interval, "unit_apart": unit_apart,
    }  # fmt: skip
    return environment
