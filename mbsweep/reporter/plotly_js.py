"""plotly.js as its Python package brings it, so that a browser reads it in one go."""

from __future__ import annotations

from functools import cache

from plotly.offline import get_plotlyjs

# The two functions around all of it. V8 parses a function that is written so, in brackets, as it comes by; an
# arrow function it first skims and parses when it is called: 4.8 MB twice, a sixth of the time to the first
# figure. (None of the two looks at `this` or `arguments`, by which such functions differ.)
_ARROWS = ', () => {\n"use strict";var Plotly=(()=>{', "\nreturn Plotly;\n}));"
_BRACKETED = ', (function () {\n"use strict";var Plotly=(function () {', "\nreturn Plotly;\n})));"


@cache
def plotly_js() -> str:
    """The script; of a version that is written otherwise as it is."""
    script: str = get_plotlyjs()
    if not all(script.count(arrow) == 1 for arrow in _ARROWS):
        return script
    for arrow, bracketed in zip(_ARROWS, _BRACKETED, strict=True):
        script = script.replace(arrow, bracketed)
    return script
