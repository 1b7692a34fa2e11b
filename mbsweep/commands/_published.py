"""`mbsweep reproduce`: published tables beside exact counts, with a mark on what does not follow."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from mbsweep.accuracy.published import AccuracyFigure, accuracy_figures
from mbsweep.base.printing import Table, say
from mbsweep.commands._paper_body import body, shares
from mbsweep.space.families import architecture

ZOO = "checkpoint table"
# (table, place in it, title)
TABLES = (
    ("paper", "Table 4", "Table 4. Depthwise separable against full convolution MobileNet"),
    ("paper", "Table 5", "Table 5. Narrow against shallow MobileNet"),
    ("paper", "Table 6", "Table 6. Width multiplier"),
    ("paper", "Table 7", "Table 7. Resolution"),
    ("paper", "Table 8", "Table 8. MobileNet against popular networks"),
    ("paper", "Table 9", "Table 9. Smaller MobileNet against popular networks"),
    ("tf-slim-2018-08-02", ZOO, "TF-Slim model zoo, MobileNet v1, 2018-08-02"),
    ("tf-slim-v2", ZOO, "TF-Slim model zoo, MobileNet v2"),
    ("tf-slim-v3", ZOO, "TF-Slim model zoo, MobileNet v3"),
)
MILLION = 1_000_000
FOLLOWS, BARE, ROUNDED, SLIP = "", "bn", "~", "!="

_SMALL_V3 = (
    "TF-Slim, V3-Small: 2.9 M and 2.4 M follow with 1280 channels after the pooling, as in the first "
    "versions of its paper; the code and the weights have 1024. We know of nothing that gives 66 M and 65 M."
)
_GOOGLENET = (
    "Table 8, GoogleNet: 6.8 M is the sum of its own paper's Table 1, whose mult-adds add up to 1502 M. Here "
    "is the network whose weights are around, with batch normalisation and 3x3 in place of 5x5 kernels; with "
    "5x5, the shapes give 1583 M and 7.0 M."
)
_ALEXNET = (
    "Table 9, AlexNet: 720 M and 60 M are the two towers of 2012 at 227 px, 724.4 M and 60.97 M; here is the "
    "one tower of 2014, at 224 px."
)
# What we found out about single figures: (table, or place in the paper; model; column) -> note
NOTES = {
    ("Table 4", "Conv MobileNet", "macs_m"): (
        "Table 4, Conv MobileNet: 4866 M is the sum without the classifier's 1.024 M; "
        "the 569 M of the row below includes it."
    ),
    ("Table 8", "GoogleNet", "macs_m"): _GOOGLENET,
    ("Table 8", "GoogleNet", "params_m"): _GOOGLENET,
    ("Table 8", "VGG 16", "macs_m"): (
        "Table 8, VGG 16: 15300 M is the convolutions' 15,347 M to three digits, without the 124 M of the "
        "three linear layers."
    ),
    ("Table 9", "Squeezenet", "macs_m"): (
        "Table 9, Squeezenet: 1700 M are operations, two for a mult-add: 2 x 833 M at its authors' 227 px."
    ),
    ("Table 9", "AlexNet", "macs_m"): _ALEXNET,
    ("Table 9", "AlexNet", "params_m"): _ALEXNET,
    ("tf-slim-2018-08-02", "MobileNet_v1_0.75_224", "macs_m"): (
        "TF-Slim, 0.75: all four mult-add figures are 2.6 % below what the shapes give; "
        "the paper itself prints 325 M for 0.75-224, which follows."
    ),
    ("tf-slim-2018-08-02", "MobileNet_v1_0.25_192", "macs_m"): (
        "TF-Slim, 0.25-192: 34 M is printed where the shapes give 30.2 M."
    ),
    ("tf-slim-v3", "mobilenet_v3_small_1.0", "macs_m"): _SMALL_V3,
    ("tf-slim-v3", "mobilenet_v3_small_1.0", "params_m"): _SMALL_V3,
    ("tf-slim-v3", "mobilenet_v3_small_0.75", "params_m"): _SMALL_V3,
    ("tf-slim-v3", "mobilenet_v3_small_minimalistic_1.0", "macs_m"): _SMALL_V3,
}
BODY_NOTE = (
    "Table 1: the last depthwise layer is printed with stride 2; its sizes, 7x7 in and 7x7 out, and the "
    "mult-adds of Table 4 hold only with stride 1. The softmax has no weights, and is left to what uses the "
    "logits."
)
SHARES_NOTE = (
    "Table 2: 1.19 % is printed for Conv 3x3 where the shapes give 1.91 %, with which the column adds up to "
    "100. The shares of parameters are of weights alone, without batch normalisation and bias."
)


@dataclass(frozen=True)
class Comparison:
    """One published size beside ours."""

    figure: AccuracyFigure
    column: str  # macs_m or params_m
    exact: int
    # FOLLOWS; BARE: without batch normalisation; ROUNDED: within one unit of its last digit but not the
    # nearest; SLIP
    verdict: str

    @property
    def note(self) -> str | None:
        """What is known of a slip."""
        key = self.figure.place if self.figure.table == "paper" else self.figure.table
        return NOTES.get((key, self.figure.model, self.column)) if self.verdict == SLIP else None


def verdict(printed: str, exact: float, bare: float | None = None) -> str:
    """How a figure printed in millions relates to the exact count, judged at its last printed digit.

    bare: the same without batch normalisation.
    """
    figure = Decimal(printed)
    unit = Decimal(1).scaleb(int(figure.as_tuple().exponent))
    difference = abs(figure - Decimal(exact) / MILLION)
    if difference <= unit / 2:
        return FOLLOWS
    if bare is not None and abs(figure - Decimal(bare) / MILLION) <= unit / 2:
        return BARE
    return ROUNDED if difference < unit else SLIP


def comparisons(table: str, place: str) -> list[Comparison]:
    """Every size printed in one published table, at fp32, beside the exact count."""
    found = []
    for figure in accuracy_figures():
        if (figure.table, figure.place, figure.precision) == (table, place, "fp32"):
            net = architecture(figure.variant)
            bare = net.params - sum(2 * layer.out_channels for layer in net.layers if layer.norm)
            said = verdict(figure.macs_m, net.macs)
            found.append(Comparison(figure, "macs_m", net.macs, said))
            said = verdict(figure.params_m, net.params, bare)
            found.append(Comparison(figure, "params_m", net.params, said))
    return found


def printed_sizes(variants: Collection[str]) -> list[dict[str, Any]]:
    """Every size that the tables print for some variants, as rows beside the exact counts.

    source, model, number, printed (millions, as text), exact, delta_pct (printed - exact), mark, note.
    """
    found = []
    for table, place, _ in TABLES:
        for row in comparisons(table, place):
            figure, printed = row.figure, getattr(row.figure, row.column)
            if figure.variant.id not in variants:
                continue
            found.append(
                {
                    "source": f"{table}, {place}",
                    "model": figure.model,
                    "number": "mult-adds" if row.column == "macs_m" else "parameters",
                    "printed": printed,
                    "exact": row.exact,
                    "delta_pct": 100 * (float(printed) * MILLION / row.exact - 1),
                    "mark": row.verdict,
                    "note": row.note,
                }
            )
    return found


def print_tables() -> None:
    """Print the tables, the legend of the marks and what is known about the marked figures."""
    say("Table 1. Body architecture of MobileNet (arXiv:1704.04861)", style="bold")
    _body().print()
    say()
    say("Table 2. Where MobileNet's mult-adds and parameters are", style="bold")
    _shares().print()
    say()
    notes = [BODY_NOTE, SHARES_NOTE]
    marked = {FOLLOWS: 0, BARE: 0, ROUNDED: 0, SLIP: 0}
    for table, place, title in TABLES:
        rows = comparisons(table, place)
        say(title, style="bold")
        _table(rows).print()
        say()
        for row in rows:
            marked[row.verdict] += 1
            notes += [row.note] if row.note and row.note not in notes else []
    say(
        "Accuracies are as published, in percent; sizes in millions. Of the "
        f"{sum(marked.values())} of Tables 4 to 9 and the zoo,\n{marked[FOLLOWS]} follow from the shapes; "
        f"{marked[BARE]} marked {BARE} do without batch normalisation's scale and shift;\n{marked[ROUNDED]} "
        f"marked {ROUNDED} lie within one unit of their last digit but are not the nearest; {marked[SLIP]} "
        f"marked {SLIP} do not follow:"
    )
    for note in notes:
        say(f"  {note}")


def _body() -> Table:
    table = Table(["Type / stride", "Filter shape", "Input size", "here", ""], left=(0, 1, 2, 3))
    for printed, ours in body():
        differ = [mine for theirs, mine in zip(printed, ours, strict=True) if mine != theirs]
        table.add(*printed, ", ".join(differ) or "the same", SLIP if differ else FOLLOWS)
    return table


def _shares() -> Table:
    table = Table(["Type", "Mult-adds %", "exact", "", "Parameters %", "exact", ""])
    for row in shares():
        cells = []
        for printed, exact in ((row.macs_pct, row.our_macs_pct), (row.params_pct, row.our_params_pct)):
            cells += [printed, f"{exact:.3f}", verdict(printed, exact * MILLION)]
        table.add(row.name, *cells)
    return table


def _table(rows: list[Comparison]) -> Table:
    columns = ["Model", "Top-1 %", "Mult-adds (M)", "exact", "", "Parameters (M)", "exact", ""]
    table = Table(columns, left=(0, 4, 7))
    for macs, params in zip(rows[::2], rows[1::2], strict=True):
        figure = macs.figure
        table.add(
            figure.model,
            f"{figure.top1_pct:.1f}",
            figure.macs_m,
            f"{macs.exact:,}",
            macs.verdict,
            figure.params_m,
            f"{params.exact:,}",
            params.verdict,
        )
    return table
