"""Figures as a page has them: drawn by plotly from JSON, each with its title and its caption."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from inspect import cleandoc
from typing import Any

import pandas as pd
import plotly.graph_objects as go
from markupsafe import Markup

from mbsweep.reporter.compressed import OF_COMPRESSED
from mbsweep.reporter.curves import combined, learning_curves, thinned_words
from mbsweep.reporter.figures import FIGURES
from mbsweep.reporter.parts import Part
from mbsweep.reporter.search_figures import OF_SEARCH

NAMES = (*OF_SEARCH, *OF_COMPRESSED, *FIGURES, "curves")  # of the figures of a page of one run


@dataclass(frozen=True)
class Drawn:
    """A figure of a page. name: its id there, and part of the name of its picture."""

    name: str
    title: str
    caption: str
    figure: go.Figure

    @property
    def data(self) -> Markup:
        """It as JSON for a <script> element."""
        return for_script(self.figure.to_json())

    @property
    def height(self) -> int:
        """In pixels."""
        return int(self.figure.layout.height)


def stills(parts: Sequence[Part], table: pd.DataFrame) -> list[Drawn]:
    """The figures of a page's rows. table: those that the page has."""
    compressed = combined([part.name for part in parts], [part.run.compressed() for part in parts])
    epochs = combined([part.name for part in parts], [part.run.curves() for part in parts])
    found = [*_drawn(OF_COMPRESSED, compressed), *_drawn(FIGURES, table)]
    return [*found, *_drawn({"curves": learning_curves}, epochs, more=thinned_words(epochs))]


def of_searches(parts: Sequence[Part]) -> list[list[Drawn]]:
    """For each of a page's runs the figures of its search; none where it searches nothing."""
    found: list[list[Drawn]] = []
    for part in parts:
        number = 1 + sum(map(bool, found))
        ending = f"-{number}" if number > 1 else ""
        found.append([*_drawn(OF_SEARCH, part.search, ending)] if part.search else [])
    return found


def _drawn(
    figures: dict[str, Callable[[Any], go.Figure | None]], rows: Any, ending: str = "", more: str = ""
) -> Iterator[Drawn]:
    """ending: of their names. more: that their captions say."""
    for name, make in figures.items():
        figure = make(rows)
        if figure is not None:
            title, _, caption = cleandoc(make.__doc__ or "").partition("\n")
            yield Drawn(name + ending, title.rstrip("."), f"{caption.strip()} {more}".strip(), figure)


def for_script(data: str) -> Markup:
    """JSON for a <script> element: no text in it can end the element or open a comment."""
    return Markup(data.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e"))  # noqa: S704
