"""Learning curves: the validation accuracy of each training, epoch by epoch."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from mbsweep.reporter.bump import colour_of
from mbsweep.reporter.drawing import below_one_another, finish
from mbsweep.reporter.style import Style, Trace

MAX_LINES = 100  # more cannot be told apart, and make the page heavy
CURVE = ["run", "variant", "seed", "attempt"]  # what makes a line
NOT_DONE = {"stalled": "stalled at chance", "begun anew": "stalled or diverged, and was begun anew"}
ENDED = {"stopped": "stopped by halving", "": "not finished"} | NOT_DONE
HOVER = (
    "<b>%{customdata[0]}</b><br>Seed: %{customdata[1]}<br>Epoch: %{x}"
    "<br>Validation top-1: %{y:.2~f} &#37;<br>Training top-1: %{customdata[2]:.2~f} &#37;"
    "<br>Loss: %{customdata[3]:.3~f} on validation, %{customdata[4]:.3~f} in training%{customdata[5]}"
    "<extra></extra>"
)


def learning_curves(epochs: pd.DataFrame) -> go.Figure | None:
    """Learning curves.

    Accuracy on the validation part after each epoch, a line for each training; what the table reports is the
    test part, of the epoch that was best here. Dotted lines stalled at chance or diverged.
    """
    if epochs.empty:
        return None
    epochs = _thinned(epochs)
    panels = [(str(run), rows) for run, rows in epochs.groupby("run", sort=False)]
    figure, top, inner = below_one_another([run for run, _ in panels])
    style = Style(epochs)
    traces: list[Trace] = []
    axes: dict[str, dict[str, object]] = {}
    for place, (_, rows) in enumerate(panels):
        number = str(place + 1) if place else ""
        at = {"xaxis": f"x{number}", "yaxis": f"y{number}"}
        traces += [_line(line, style) | at for _, line in rows.groupby(CURVE, sort=False)]
        title = {"text": "Epoch", "font": {"size": 13}}
        look = {"ticks": "outside", "tickformat": "d", "rangemode": "tozero"}
        axes[f"xaxis{number}"] = {"title": title, **look}
        title = {"text": "Top-1 accuracy on the validation part (%)", "font": {"size": 13}}
        axes[f"yaxis{number}"] = {"title": title, "ticks": "outside"}
    dotted = {"begun anew or stalled": {"color": "#777", "width": 1.5, "dash": "dot"}}
    lines_drawn = dotted if epochs["state"].isin(list(NOT_DONE)).any() else None
    return finish(figure, traces, axes, style, top, inner, lines=lines_drawn)


def thinned_words(epochs: pd.DataFrame) -> str:
    """What the figure leaves out, in words."""
    count = epochs.groupby(CURVE).ngroups
    if count <= MAX_LINES:
        return ""
    return f"{MAX_LINES} of {count:,} trainings are drawn, evenly over the sweep."


def combined(names: Sequence[str], curves: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """The epochs of several runs as one table, with a column for the run's name."""
    return pd.concat([rows.assign(run=name) for name, rows in zip(names, curves, strict=True)])


def _thinned(epochs: pd.DataFrame) -> pd.DataFrame:
    number = epochs.groupby(CURVE, sort=False).ngroup()
    kept = np.linspace(0, number.max(), MAX_LINES).round().astype(int)
    return epochs[number.isin(kept)] if number.max() >= MAX_LINES else epochs


def _line(rows: pd.DataFrame, style: Style) -> Trace:
    first = rows.iloc[0]
    is_dotted = first["state"] in NOT_DONE
    said = [f"attempt {first['attempt'] + 1}"] if first["attempt"] or is_dotted else []
    said += [ENDED[first["state"]]] if first["state"] in ENDED else []
    words = f"<br>{', '.join(said).capitalize()}" if said else ""
    columns = ["train_top1_pct", "validation_loss", "train_loss"]
    data = [
        (first["variant"], int(first["seed"]), *numbers, words)
        for numbers in rows[columns].itertuples(index=False, name=None)
    ]
    look = {"color": colour_of(rows, style), "width": 1.5}
    return {
        "type": "scatter",
        "x": rows["epoch"],
        "y": rows["validation_top1_pct"],
        "mode": "lines+markers",
        "line": look | ({"dash": "dot"} if is_dotted else {}),
        "marker": style.marker(rows) | {"size": 7},
        "customdata": data,
        "hovertemplate": HOVER,
        "showlegend": False,
        "meta": {"mark": "last"},  # the page rings a chosen variant once for each line
    }
