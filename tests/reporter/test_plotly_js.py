"""plotly.js as a page has it."""

from plotly.offline import get_plotlyjs

from mbsweep.reporter import plotly_js


def test_a_browser_reads_plotly_in_one_go(monkeypatch):
    """The two functions around it are no arrow functions, which V8 would parse twice; all else is as it was.
    A version that is written otherwise is left as it is.
    """
    script = get_plotlyjs()
    start, _, rest = plotly_js.plotly_js().partition(
        'this, (function () {\n"use strict";var Plotly=(function () {'
    )
    body, _, end = rest.rpartition("\nreturn Plotly;\n")
    assert len(body) > 4e6
    assert script == f'{start}this, () => {{\n"use strict";var Plotly=(()=>{{{body}\nreturn Plotly;\n}}));'
    assert end == "})));"
    other = script.replace("var Plotly=", "let Plotly=")
    monkeypatch.setattr(plotly_js, "get_plotlyjs", lambda: other)
    assert plotly_js.plotly_js.__wrapped__() == other
