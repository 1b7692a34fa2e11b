"""`mbsweep reproduce`: published tables beside exact counts, with a mark on what does not follow."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from mbsweep.accuracy.published import AccuracyFigure, accuracy_figures
from mbsweep.base.printing import Table, say
from mbsweep.space.counting import count

# (table, place in it, title)
TABLES = (
    ("paper", "Table 4", "Table 4. Depthwise separable against full convolution MobileNet"),
    ("paper", "Table 5", "Table 5. Narrow against shallow MobileNet"),
    ("paper", "Table 6", "Table 6. Width multiplier"),
    ("paper", "Table 7", "Table 7. Resolution"),
    ("tf-slim-2018-08-02", "checkpoint table", "TF-Slim model zoo, 2018-08-02: the sixteen networks"),
)
MILLION = 1_000_000
FOLLOWS, ROUNDED, SLIP = "", "~", "!="

# What we found out about single figures: (place, model, column) -> note
NOTES = {
    ("Table 4", "Conv MobileNet", "macs_m"): (
        "Table 4, Conv MobileNet: 4866 M is the sum without the classifier's 1.024 M; "
        "the 569 M of the row below includes it."
    ),
    ("checkpoint table", "MobileNet_v1_0.75_224", "macs_m"): (
        "TF-Slim, 0.75: all four mult-add figures are 2.6 % below what the shapes give; "
        "the paper itself prints 325 M for 0.75-224, which follows."
    ),
    ("checkpoint table", "MobileNet_v1_0.25_192", "macs_m"): (
        "TF-Slim, 0.25-192: 34 M is printed where the shapes give 30.2 M."
    ),
}


@dataclass(frozen=True)
class Comparison:
    """One published size beside ours."""

    figure: AccuracyFigure
    column: str  # macs_m or params_m
    exact: int
    verdict: str  # FOLLOWS, ROUNDED: within one unit of its last digit but not the nearest, or SLIP


def verdict(printed: str, exact: int) -> str:
    """How a figure printed in millions relates to the exact count, judged at its last printed digit."""
    figure = Decimal(printed.removesuffix(".0"))  # the file writes whole numbers as 569.0
    unit = Decimal(1).scaleb(int(figure.as_tuple().exponent))
    difference = abs(figure - Decimal(exact) / MILLION)
    if difference <= unit / 2:
        return FOLLOWS
    return ROUNDED if difference < unit else SLIP


def comparisons(table: str, place: str) -> list[Comparison]:
    """Every size printed in one published table, at fp32, beside the exact count."""
    found = []
    for figure in accuracy_figures():
        if (figure.table, figure.place, figure.precision) == (table, place, "fp32") and figure.variant:
            counts = count(figure.variant)
            for column, exact in (("macs_m", counts.macs), ("params_m", counts.params)):
                found.append(Comparison(figure, column, exact, verdict(getattr(figure, column), exact)))
    return found


def printed_sizes(variants: Collection[str]) -> list[dict[str, Any]]:
    """Every size that the tables print for some variants, as rows beside the exact counts.

    source, model, number, printed (millions, as text), exact, delta_pct (printed - exact), mark, note.
    """
    found = []
    for table, place, _ in TABLES:
        for row in comparisons(table, place):
            figure, printed = row.figure, getattr(row.figure, row.column)
            if figure.variant is None or figure.variant.id not in variants:
                continue
            note = NOTES.get((place, figure.model, row.column)) if row.verdict == SLIP else None
            found.append(
                {
                    "source": f"{table}, {place}",
                    "model": figure.model,
                    "number": "mult-adds" if row.column == "macs_m" else "parameters",
                    "printed": printed.removesuffix(".0"),
                    "exact": row.exact,
                    "delta_pct": 100 * (float(printed) * MILLION / row.exact - 1),
                    "mark": row.verdict,
                    "note": note,
                }
            )
    return found


def print_tables() -> None:
    """Print the tables, the legend of the marks and what is known about the marked figures."""
    notes = []
    marked = {ROUNDED: 0, SLIP: 0, FOLLOWS: 0}
    for table, place, title in TABLES:
        rows = comparisons(table, place)
        say(title, style="bold")
        _table(rows).print()
        say()
        for row in rows:
            marked[row.verdict] += 1
            note = NOTES.get((place, row.figure.model, row.column))
            notes += [note] if note and row.verdict == SLIP else []
    say(
        f"Accuracies are as published. Of {sum(marked.values())} sizes, {marked[FOLLOWS]} follow from the "
        f"shapes; {marked[ROUNDED]} marked ~ lie within one unit of\ntheir last digit but are not "
        f"the nearest; {marked[SLIP]} marked != do not follow:"
    )
    for note in notes:
        say(f"  {note}")


def _table(rows: list[Comparison]) -> Table:
    columns = ["Model", "Top-1 %", "Mult-adds (M)", "exact", "", "Parameters (M)", "exact", ""]
    table = Table(columns)
    for macs, params in zip(rows[::2], rows[1::2], strict=True):
        figure = macs.figure
        table.add(
            figure.model,
            f"{figure.top1_pct:.1f}",
            figure.macs_m.removesuffix(".0"),
            f"{macs.exact:,}",
            macs.verdict,
            figure.params_m,
            f"{params.exact:,}",
            params.verdict,
        )
    return table
