"""Formulas as MathML, written when the book is built, so that no page needs a script to show one.

A Sphinx extension: `{math}` directives and roles are turned from LaTeX to MathML by latex2mathml.
"""

from typing import Any

from docutils import nodes  # type: ignore[import-untyped]
from latex2mathml.converter import convert
from sphinx.application import Sphinx
from sphinx.util import logging

logger = logging.getLogger(__name__)


def to_mathml(latex: str, display: str) -> str:
    """A `<math>` element. `display` is 'inline' or 'block'."""
    return str(convert(latex, display=display))


def visit_inline(writer: Any, node: nodes.math) -> None:
    writer.body.append(_converted(node, "inline"))
    raise nodes.SkipNode


def visit_block(writer: Any, node: nodes.math_block) -> None:
    anchors = "".join(f'<span id="{name}"></span>' for name in node["ids"])
    writer.body.append(f'<div class="cbs-formula">{anchors}{_converted(node, "block")}</div>\n')
    raise nodes.SkipNode


def _converted(node: nodes.Element, display: str) -> str:
    try:
        return to_mathml(node.astext(), display)
    except Exception as error:
        logger.warning("formula %r: %s", node.astext(), error, location=node)
        return ""


def setup(app: Sphinx) -> dict[str, Any]:
    app.add_html_math_renderer("mathml", (visit_inline, None), (visit_block, None))
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
