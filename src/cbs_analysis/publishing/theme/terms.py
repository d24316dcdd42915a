"""Glossary terms explained where they stand: the first time a page uses one, its definition opens beside it.

For a reader who meets 'FFCE' in a board meeting. The definition is a popover of the browser's own: no script, reached
and left by keyboard. Made from the glossary page, so the two cannot differ.
"""

import html
import re
from collections.abc import Mapping
from dataclasses import dataclass

_TAG = re.compile(r"(<[^>]*>)")
_NAME = re.compile(r"</?([a-zA-Z0-9]+)")
_EXPLAINED_IN = frozenset({"p", "li", "dd"})
_LEFT_ALONE = frozenset(
    {"a", "button", "code", "dt", "figure", "form", "h1", "h2", "h3", "h4", "label", "math", "nav", "pre", "script",
     "select", "summary", "svg", "table", "title"}
)  # fmt: skip
# Names of parts of this handbook: common words, which a reader meets at every step.
_PLAIN_WORDS = frozenset({"area", "chapter", "edition", "finding", "function", "pack", "sector", "source", "spread"})


@dataclass(frozen=True)
class Term:
    """A word with its definition, as plain text, and the spellings that are explained."""

    name: str
    definition: str
    spellings: tuple[str, ...]

    @property
    def id(self) -> str:
        return "term-" + re.sub(r"[^a-z0-9]+", "-", self.name.lower()).strip("-")


def read_terms(glossary: str) -> list[Term]:
    """The terms of a glossary page, a MyST definition list. 'LSOA, lower super output area' has two spellings."""
    found = []
    for block in re.findall(r"^(\S[^\n]*)\n: (.+?)(?=\n\n|\Z)", glossary, re.MULTILINE | re.DOTALL):
        name, definition = block[0].strip(), " ".join(block[1].split())
        if name.lower() not in _PLAIN_WORDS:
            found.append(Term(name, definition.replace("*", ""), tuple(part.strip() for part in name.split(", "))))
    return found


class Explainer:
    """Marks the first use of each term in a page's HTML and adds the definitions at its end."""

    def __init__(self, terms: list[Term]) -> None:
        self._by_spelling: Mapping[str, Term] = {word.lower(): term for term in terms for word in term.spellings}
        longest_first = sorted(self._by_spelling, key=lambda word: (-len(word), word))
        alternatives = "|".join(re.escape(html.escape(word, quote=False)) for word in longest_first)
        self._pattern = re.compile(rf"\b({alternatives})(s?)\b", re.IGNORECASE) if terms else None

    def explained(self, body: str) -> str:
        """The page with its first uses marked. Only running text is: no heading, link, table or chart."""
        if self._pattern is None:
            return body
        used: dict[str, Term] = {}
        inside, barred, parts = 0, 0, _TAG.split(body)
        for place, part in enumerate(parts):
            if place % 2 == 0:
                if inside and not barred:
                    parts[place] = self._pattern.sub(lambda found: self._marked(found, used), part)
                continue
            name = _NAME.match(part)
            step = 0 if not name or part.endswith("/>") else -1 if part[1] == "/" else 1
            tag = name.group(1).lower() if name else ""
            inside += step * (tag in _EXPLAINED_IN)
            barred += step * (tag in _LEFT_ALONE)
        return "".join(parts) + "".join(_definition(term) for term in used.values())

    def _marked(self, found: re.Match[str], used: dict[str, Term]) -> str:
        term = self._by_spelling[html.unescape(found.group(1)).lower()]
        if term.id in used:
            return found.group()
        used[term.id] = term
        return f'<button type="button" class="hb-term" popovertarget="{term.id}">{found.group()}</button>'


def _definition(term: Term) -> str:
    return (
        f'<div class="hb-definition" id="{term.id}" popover role="note"><strong>{html.escape(term.name)}</strong> '
        f"{html.escape(term.definition)}</div>"
    )
