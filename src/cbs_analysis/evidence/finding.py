"""A finding: one piece of evidence, and how it displays itself in any Jupyter front end.

A finding is a sentence with its numbers, comparison, uncertainty, table, chart, source and caveats. Its MIME bundle
carries HTML and plain text to read, the Vega-Lite chart, the table as a tabular data resource, and the whole
finding as `application/vnd.cbs.finding+json`, from which the book, workbook and summary are made.
"""

import html
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import altair as alt

from cbs_analysis.evidence import rendering
from cbs_analysis.evidence.comparing import Comparison, Range
from cbs_analysis.evidence.drawing import Drawing
from cbs_analysis.evidence.peers import Funnel
from cbs_analysis.evidence.tables import Table

if TYPE_CHECKING:
    from cbs_analysis.edition import Indicator

MIME = "application/vnd.cbs.finding+json"
TABLE_MIME = "application/vnd.dataresource+json"
CHART_MIME = rendering.VEGA_LITE_MIME
SYNTHETIC_LABEL = "Synthetic records"
SYNTHETIC = f"{SYNTHETIC_LABEL}: made by this project, of no real person."
SYNTHETIC_ENDING = " (synthetic records)"
"""The label of what rests on synthetic records; what a finding says of it; how a title ends."""


@dataclass(frozen=True)
class Citation:
    """Where figures come from: the table in the data catalogue, its publisher, and what its licence asks to be said.
    `licences` are those that have a name, as in the table's description: name, title and path. `synthetic` says that
    the figures are of nobody, but made up.
    """

    table: str
    title: str
    publisher: str
    licence: str
    synthetic: bool = False
    licences: tuple[Mapping[str, str], ...] = ()


@dataclass(frozen=True)
class Definition:
    """An indicator as it was defined when a finding was made: what it counts, how it is read and judged, and the words
    that it is found by (`also_called`). `decimals` is for reading; numbers in findings are never rounded.
    """

    id: str
    name: str
    short_name: str
    unit: str
    decimals: int
    numerator: str
    denominator: str
    method: str
    sources: tuple[str, ...]
    period: str
    definition: str
    per: int = 1
    polarity: str = "none"
    interval: str = "estimate"
    also_called: tuple[str, ...] = ()

    @property
    def is_size(self) -> bool:
        """Whether it says only how large an area is, which no comparison can judge."""
        return self.denominator == "none" and self.polarity == "none"

    @classmethod
    def of(cls, indicator: "Indicator") -> "Definition":
        return cls(**{name: getattr(indicator, name) for name in cls.__dataclass_fields__})

    @classmethod
    def from_json(cls, definition: Mapping[str, Any]) -> "Definition":
        """The definition of `to_json`. Raises TypeError where it is not whole."""
        lists = {name: tuple(definition[name]) for name in ("sources", "also_called") if name in definition}
        return cls(**{**definition, **lists})

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "sources": list(self.sources), "also_called": list(self.also_called)}


@dataclass(frozen=True)
class Chart:
    """A chart and what it shows, in words, for those who cannot see it. `label` is a last line under its title."""

    chart: Drawing | alt.TopLevelMixin
    description: str
    label: str = ""

    @cached_property
    def specification(self) -> dict[str, Any]:
        """The chart as Vega-Lite, worked out once for the picture and the specification."""
        return rendering.labelled(rendering.vega_lite(self.chart), self.label)

    def labelled(self, label: str) -> "Chart":
        """The chart with a label in its picture and in its description."""
        return replace(self, label=label, description=rendering.described(self.description, label))


@dataclass(frozen=True)
class Finding:
    """One piece of evidence about one area. Numbers are unrounded; None is missing.

    `spread` is the standard deviation of the indicator over the PCTs compared, `peers` their range; `people` how many
    people or events lie between the area's value and its headline comparator's. Spread and people serve to put messages
    in order of evidence. `synthetic` says in a sentence that it rests on synthetic records; it is empty where it rests
    on published figures alone. `definition` is that of its indicator, where it is one; `fifth` the area's own among the
    leaves (see `peers.fifth`); `funnel` that of the leaves, where the area is the whole (see `peers.peer_funnel`).
    """

    id: str
    title: str
    area_code: str
    area_name: str
    level: str
    chapter: str
    function: str
    statement: str
    indicator: str | None
    value: float | None
    lower: float | None
    upper: float | None
    unit: str
    period: str
    numerator: float | None
    denominator: float | None
    comparisons: tuple[Comparison, ...]
    headline: str
    spread: float | None
    peers: Range | None
    people: float | None
    flagged: bool
    flag_reason: str
    caution: str
    source: tuple[Citation, ...]
    methods: tuple[str, ...]
    caveats: tuple[str, ...]
    key_figures: Table | None
    table: Table | None
    members: Table | None
    chart: Chart | None
    synthetic: str = ""
    definition: Definition | None = None
    fifth: int | None = None
    funnel: Funnel | None = None

    @property
    def anchor(self) -> str:
        return self.id.rpartition(".")[2]

    def labelled(self) -> "Finding":
        """The finding as it is, or where any figure it cites is synthetic, with that said by it, its tables and chart.

        Meant for a finding that does not say so yet; one that does comes back as it is.
        """
        if self.synthetic or not any(item.synthetic for item in self.source):
            return self
        key_figures, table, members = (
            replace(each, title=f"{each.title}{SYNTHETIC_ENDING}") if each else None
            for each in (self.key_figures, self.table, self.members)
        )
        chart = self.chart.labelled(SYNTHETIC_LABEL) if self.chart else None
        return replace(self, synthetic=SYNTHETIC, key_figures=key_figures, table=table, members=members, chart=chart)

    def to_json(self) -> dict[str, Any]:
        """The whole finding as JSON types; tables as tabular data resources."""
        plain = ("key_figures", "table", "members")
        data = {
            name: getattr(self, name) for name in self.__dataclass_fields__ if name not in (*plain, "chart", "source")
        }
        data["comparisons"] = [
            {**asdict(item), "comparator_members": list(item.comparator_members)} for item in self.comparisons
        ]
        data["peers"] = asdict(self.peers) if self.peers else None
        data["source"] = [{**asdict(item), "licences": list(item.licences)} for item in self.source]
        data["definition"] = self.definition.to_json() if self.definition else None
        data["funnel"] = self.funnel.to_json() if self.funnel else None
        data["methods"], data["caveats"] = list(self.methods), list(self.caveats)
        data.update({name: table.to_resource() if (table := getattr(self, name)) else None for name in plain})
        data["chart_description"] = self.chart.description if self.chart else ""
        return data

    def to_html(self) -> str:
        """The finding as one block: sentence, key figures, chart, tables a click away, source and caveats. Where there
        are neither key figures nor a chart, its table is what there is to see, and is open.
        """
        text = html.escape
        label = f'<p class="cbs-synthetic"><strong>{text(self.synthetic)}</strong></p>' if self.synthetic else ""
        flag = f'<p class="cbs-flag"><strong>Flagged.</strong> {text(self.flag_reason)}</p>' if self.flagged else ""
        if self.caution:
            flag += f'<p class="cbs-flag"><strong>Check before acting.</strong> {text(self.caution)}</p>'
        figure = ""
        if self.chart:
            drawn = rendering.svg(self.chart.specification, id_prefix=self.anchor, alt=self.chart.description)
            figure = f'<figure class="cbs-chart" tabindex="0">{drawn}</figure>'
        is_open = "" if self.chart or self.key_figures else " open"
        tables = "".join(
            f"<details{shown}><summary>{text(table.title)}</summary>{table.to_html()}</details>"
            for table, shown in ((self.table, is_open), (self.members, ""))
            if table
        )
        sources = "; ".join(f"{text(item.title)}, {text(item.publisher)}" for item in self.source)
        caveats = "".join(f"<li>{text(caveat)}</li>" for caveat in self.caveats)
        notes = f'<ul class="cbs-caveats">{caveats}</ul>' if caveats else ""
        return (
            f'<section class="cbs-finding" id="{text(self.anchor)}" aria-label="{text(self.title)}">'
            f'{label}<p class="cbs-statement">{text(self.statement)}</p>{flag}'
            f"{self.key_figures.to_html() if self.key_figures else ''}{figure}{tables}"
            f'<p class="cbs-source">Period: {text(self.period)}. Source: {sources}.</p>'
            f"{notes}</section>"
        )

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        bundle: dict[str, Any] = {
            "text/plain": f"{self.synthetic} {self.statement}" if self.synthetic else self.statement,
            "text/html": self.to_html(),
            MIME: self.to_json(),
        }
        if self.table:
            bundle[TABLE_MIME] = self.table.to_resource()
        if self.chart:
            bundle[CHART_MIME] = self.chart.specification
        return bundle


@dataclass(frozen=True)
class Note:
    """A cell's answer where there is no finding for this area: one sentence that says why."""

    text: str

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        return {"text/plain": self.text, "text/html": f'<p class="cbs-note">{html.escape(self.text)}</p>'}
