"""Which characters the PDF's fonts can show. PDF/UA allows no other, so a mark stands in the place of each."""

import re
from typing import Any, Final

# Latin, Greek, Cyrillic, punctuation, currencies, arrows, mathematics and shapes: all of them are in Source Sans Pro or
# in the fonts within Typst, which a test holds.
SHOWN: Final = (
    "\u0020-\u007e\u00a0-\u02ff\u0300-\u036f\u0384-\u0386\u0388-\u038a\u038c\u038e-\u03a1\u03a3-\u03ff\u0400-\u04ff"
    "\u1e00-\u1eff\u2010-\u2027\u2030-\u203e\u20a0-\u20bf\u2116\u2122\u2190-\u21ff\u2200-\u22ff\u2500-\u25ff\ufffd"
)
# What is surely shown, whatever stands beside what: no combining marks, no scripts.
PLAIN: Final = "\u0020-\u007e\u00a0-\u017f\u2010-\u2027\u2190-\u2193\u2212\u25a0-\u25ff\ufffd"
REPLACEMENT: Final = "\N{REPLACEMENT CHARACTER}"


def replaced(text: str, shown: str = SHOWN) -> str:
    """Text with white space as single spaces and a replacement character for each that cannot be shown."""
    return re.sub(f"[^{shown}]", REPLACEMENT, re.sub(r"[\s\x1c-\x1f]+", _space, text))


def _space(found: re.Match[str]) -> str:
    """A space; one that holds words together stays."""
    return "\N{NO-BREAK SPACE}" if set(found.group()) == {"\N{NO-BREAK SPACE}"} else " "


def all_replaced(value: Any, shown: str = SHOWN) -> Any:
    """The same JSON with every text `replaced`."""
    if isinstance(value, str):
        return replaced(value, shown)
    if isinstance(value, list):
        return [all_replaced(item, shown) for item in value]
    if isinstance(value, dict):
        return {key: all_replaced(item, shown) for key, item in value.items()}
    return value
