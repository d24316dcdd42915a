"""A chart as a picture and as a specification, with nothing in either that changes from run to run.

For the executed notebook and everything read out of it. The picture is plain SVG: no script, no font file,
no address, no identifier that another picture on the page may have. The specification is Vega-Lite 5, which
JupyterLab draws.
"""

import re
from typing import Any
from xml.etree import ElementTree

import altair

from cbs_analysis.evidence import theme
from cbs_analysis.evidence.drawing import Drawing, drawn

VEGA_LITE_MIME = "application/vnd.vegalite.v5+json"
# The house width and the margins on both sides.
_PAGE_WIDTH = theme.WIDTH + 8.0
_SVG = "http://www.w3.org/2000/svg"
_ID_PREFIX = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")
_URL = re.compile(r"url\(#([^)]+)\)")
_NUMBER = re.compile(r"-?\d*\.?\d+(?:e[-+]?\d+)?")
_UNWRITABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ufffe\uffff]")

# Attributes that hold lengths: these are rounded. Weights and opacities are left as they are.
_GEOMETRY = frozenset({"d", "transform", "x", "y", "x1", "y1", "x2", "y2", "width", "height", "cx", "cy", "r"})
# Drawn by the renderer for tools that style or read its output part by part; a picture has no use for them.
_NOISE = frozenset({"class", "pointer-events", "role", "aria-roledescription", "aria-label", "aria-hidden"})
_DEFAULTS = {
    "opacity": "1",
    "font-weight": "normal",
    "font-style": "normal",
    "fill-opacity": "1",
    "stroke-opacity": "1",
}
_INHERITED = (
    "fill",
    "font-family",
    "font-size",
    "font-style",
    "font-weight",
    "stroke",
    "stroke-dasharray",
    "stroke-width",
    "text-anchor",
)


def vega_lite(chart: Drawing | altair.TopLevelMixin) -> dict[str, Any]:
    """The chart as a Vega-Lite 5 specification with its data inside, whatever Altair theme is switched on."""
    if isinstance(chart, Drawing):
        return chart.specification
    with altair.theme.enable("none"):
        specification: dict[str, Any] = chart.to_dict()
    return {**specification, "$schema": theme.VEGA_LITE_SCHEMA}


def labelled(specification: dict[str, Any], label: str) -> dict[str, Any]:
    """A specification of `vega_lite` with a label as the last line under its title, so that the label is in whatever is
    drawn from it; without a label, as it is.
    """
    if not label:
        return specification
    given = specification.get("title")
    if not given:
        title: dict[str, Any] = {"text": label}
    else:
        title = dict(given) if isinstance(given, dict) else {"text": given}
        under = title.get("subtitle") or []
        title["subtitle"] = [*([under] if isinstance(under, str) else under), label]
    return {**specification, "title": title, "description": described(specification.get("description", ""), label)}


def described(description: str, label: str) -> str:
    """A chart's description in words, a label after it."""
    return f"{description.rstrip(' .')}. {label}." if description.strip() else f"{label}."


def svg(specification: dict[str, Any], id_prefix: str, alt: str) -> str:
    """A specification of `vega_lite` as one `<svg>` element as wide as its place; a screen reader says `alt`.

    `id_prefix` starts every identifier in it, and so has to differ between pictures on a page. Raises
    ValueError unless it is a letter followed by letters, digits, hyphens or underscores.
    """
    if not _ID_PREFIX.fullmatch(id_prefix):
        raise ValueError(f"id prefix {id_prefix!r} must be a letter, then letters, digits, - or _")
    root = ElementTree.fromstring(drawn(specification))
    view_box = _full_width(root)
    _simplify(root)
    _rename_ids(root, id_prefix)
    attributes = {
        "viewBox": view_box,
        "width": "100%",
        "role": "img",
        "aria-label": " ".join(_UNWRITABLE.sub("", alt).split()),
    }
    body = "".join(ElementTree.tostring(child, encoding="unicode") for child in root)
    frame = ElementTree.tostring(ElementTree.Element("svg", {"xmlns": _SVG, **attributes}), encoding="unicode")
    return frame.removesuffix(" />") + ">" + body + "</svg>"


def _full_width(root: ElementTree.Element) -> str:
    """Widen a narrow drawing's page, so that text is of one size in all of them; gives the view box."""
    width, height = max(float(root.get("width", 0)), _PAGE_WIDTH), float(root.get("height", 0))
    page = root.find(f"{{{_SVG}}}rect")
    if page is not None:
        page.set("width", str(width))
    return f"0 0 {_brief(width)} {_brief(height)}"


def _simplify(root: ElementTree.Element) -> None:
    """Drop what draws nothing, say once what many say, round lengths to a tenth."""
    for element in root.iter():
        element.tag = str(element.tag).removeprefix(f"{{{_SVG}}}")
        kept = {k: v for k, v in element.attrib.items() if k not in _NOISE and _DEFAULTS.get(k) != v}
        element.attrib.clear()
        element.attrib.update({k: _rounded(v) if k in _GEOMETRY else v for k, v in kept.items()})
    _prune(root)


def _prune(parent: ElementTree.Element) -> None:
    """From the leaves up: drop the invisible, unwrap idle groups, hoist what all children share."""
    children: list[ElementTree.Element] = []
    for child in parent:
        _prune(child)
        if _draws_nothing(child):
            continue
        if child.tag == "g" and child.get("transform") == "translate(0,0)":
            del child.attrib["transform"]
        children.extend(child if child.tag == "g" and not child.attrib else [child])
    parent[:] = children
    if parent.tag != "g" or not children:
        return
    for name in _INHERITED:
        values = {child.get(name) for child in children}
        if len(values) == 1 and None not in values:
            parent.set(name, str(values.pop()))
            for child in children:
                del child.attrib[name]


def _draws_nothing(element: ElementTree.Element) -> bool:
    if element.get("display") == "none":
        return True
    if element.tag in ("g", "defs"):
        return len(element) == 0
    return element.tag == "path" and element.get("d") in ("", "M0,0h0v0h0Z")


def _rounded(text: str) -> str:
    """Every number in an attribute to one decimal, written as briefly as it can be."""
    return _NUMBER.sub(lambda found: _brief(float(found.group())), text)


def _brief(number: float) -> str:
    text = f"{number:.1f}".removesuffix(".0")
    return "0" if text == "-0" else text


def _rename_ids(root: ElementTree.Element, prefix: str) -> None:
    """Number identifiers from 0, in order: the renderer counts on through the life of a process."""
    found = [element for element in root.iter() if "id" in element.attrib]
    renamed = {element.attrib["id"]: f"{prefix}-{i}" for i, element in enumerate(found)}
    for element in root.iter():
        for name, value in element.attrib.items():
            if name == "id":
                element.set(name, renamed[value])
            elif "url(#" in value:
                element.set(name, _URL.sub(lambda m: f"url(#{renamed[m.group(1)]})", value))
