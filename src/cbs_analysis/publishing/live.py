"""Charts that answer to the pointer: a picture for everyone, and beside it the same chart as Vega-Lite for a script.

The picture is what shows without JavaScript, in print and while the page loads. The specification travels in the page,
data and all, compressed, because a chart's own text is times the size of what it says; `charts.js` of the book's theme
unpacks it. It is no script to a browser, so that a policy that allows none in a page lets it stand.
"""

import base64
import json
import zlib
from collections.abc import Mapping
from functools import cache
from typing import Any

import vl_convert

# The version that goes with the Vega it is bundled with. House charts are Vega-Lite 5; it draws them to the letter as
# the version that draws their pictures does.
VEGA_LITE = "6.4"
PACKED = "application/vnd.vegalite.v5+json+deflate"
FIGURE = '<figure class="cbs-chart"'
END = "</figure>"


def figure(picture: str, specification: Mapping[str, Any]) -> str:
    """A chart's `<figure>` from its SVG and its specification."""
    return f'{FIGURE} tabindex="0">{picture}{packed(specification)}{END}'


def packed(specification: Mapping[str, Any]) -> str:
    """A specification as an element that a page may hold: raw deflate, in base64."""
    text = json.dumps(specification, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
    squeezed = zlib.compress(text.encode("utf-8", "replace"), 9, wbits=-zlib.MAX_WBITS)
    return f'<script type="{PACKED}">{base64.b64encode(squeezed).decode("ascii")}</script>'


def unpacked(element: str) -> dict[str, Any]:
    """The specification in an element made by `packed`."""
    content = element.partition(">")[2].rpartition("</script>")[0]
    found: dict[str, Any] = json.loads(zlib.decompress(base64.b64decode(content), wbits=-zlib.MAX_WBITS))
    return found


@cache
def chart_library() -> str:
    """Vega, Vega-Lite and Vega-Embed as one script, as the package that draws the pictures brings them."""
    library: str = vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;", vl_version=VEGA_LITE)
    return library
