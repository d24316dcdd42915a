"""Text made safe for pages: any name or commentary shows as it was written, whatever characters are in it.

Generated pages are MyST Markdown whose headings are escaped character by character and whose body is raw HTML
blocks.
"""

import html
import re
from collections.abc import Iterable, Mapping

from cbs_analysis.edition import Indicator
from cbs_analysis.evidence.wording import MISSING, number

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


def text(value: object) -> str:
    """Text for HTML: also safe inside a fenced block and an attribute."""
    return html.escape(str(value)).replace("`", "&#96;")


def markdown(value: object) -> str:
    """Text for one line of Markdown: every punctuation mark escaped, so none of it is markup."""
    return PUNCTUATION.sub(r"\\\1", " ".join(str(value).split()))


def raw(*parts: str) -> str:
    """A raw HTML block of a MyST page. `parts` are HTML whose text went through `text`."""
    return "```{raw} html\n" + "\n".join(part for part in parts if part) + "\n```\n"


def heading(value: object, level: int = 2) -> str:
    return f"{'#' * level} {markdown(value)}\n"


def page(*blocks: str) -> str:
    """A whole page from its blocks, a blank line between them."""
    return "\n".join(block for block in blocks if block)


def link(address: str, label: object) -> str:
    return f'<a href="{text(address)}">{text(label)}</a>'


def bullets(items: Iterable[str], css: str = "") -> str:
    """An unordered list of items that are HTML already; empty where there are none."""
    inner = "".join(f"<li>{item}</li>" for item in items)
    return f"<ul{_css(css)}>{inner}</ul>" if inner else ""


def definitions(pairs: Mapping[str, str], css: str = "cbs-facts") -> str:
    """A description list; values are HTML already, empty ones are left out."""
    inner = "".join(f"<dt>{text(term)}</dt><dd>{value}</dd>" for term, value in pairs.items() if value)
    return f"<dl{_css(css)}>{inner}</dl>"


def paragraphs(value: str, css: str = "") -> str:
    """Plain text as paragraphs, divided at blank lines."""
    parts = [part for part in re.split(r"\n\s*\n", value.strip()) if part.strip()]
    return "".join(f"<p{_css(css)}>{text(part)}</p>" for part in parts)


def mark(status: str) -> str:
    """A status as a shape and its word; the colour only repeats them."""
    shape, css = STATUSES[status]
    return f'<span class="cbs-mark cbs-{css}"><span aria-hidden="true">{shape}</span> {text(status)}</span>'


def arrow(direction: str, comparator: str) -> str:
    """'higher than London' with its arrow, as secondary text; empty where there is no direction."""
    if direction not in ARROWS:
        return ""
    words = f"{direction} than {text(comparator)}"
    return f'<span class="cbs-minor"><span aria-hidden="true">{ARROWS[direction]}</span> {words}</span>'


def reading(value: float | None, indicator: Indicator) -> str:
    """A number of this indicator as it is read, its unit said elsewhere."""
    shown = number(value, indicator.decimals)
    return f"{shown}%" if indicator.unit == "%" and shown != MISSING else shown


def _css(name: str) -> str:
    return f' class="{name}"' if name else ""
