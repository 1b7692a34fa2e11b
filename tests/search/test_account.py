"""What a search has learnt, against a made-up accuracy that is known everywhere."""

import numpy as np
import pytest

from mbsweep.search.account import account, outlook
from mbsweep.search.axes import axes_of
from mbsweep.search.methods import METHODS
from mbsweep.search.problem import Evaluation, Problem, hypervolumes
from mbsweep.space.grid import Each, grids_of
from mbsweep.space.space import Space
from mbsweep.statistics.terraces import hypervolume_of_rows

NAN = float("nan")
# 1,024 networks, in which accuracy comes from the blocks of stage 3 and the width of stage 5 alone.
SPACE = Space.of(
    [],
    grids_of(
        "mobilenet_v1",
        {
            "stage_depths": Each((1, 2)),
            "stage_widths": Each((0.5, 1.0)),
            "width": (0.25,),
            "resolution": (32,),
        },
    ),
)
LOGITS = 1 + 1.0 * (SPACE.spread(lambda grid: grid.values["stage_depths"][2]) == 2)
LOGITS = LOGITS + 0.5 * (SPACE.spread(lambda grid: grid.values["stage_channels"][4]) == 1024)
TOP1_PCT = 100 / (1 + np.exp(-LOGITS))
PROBLEM = Problem(SPACE, SPACE.macs[:, None] / 1e6, ("macs",), np.ones(len(SPACE), dtype=bool))


@pytest.fixture(scope="module")
def history():
    """Forty evaluations, one of which failed."""
    method, found = METHODS["exact_costs"](PROBLEM, 0, 12), []
    while len(found) < 40:
        (choice,) = method.next(found, 1)
        found.append(Evaluation(len(found), choice.place, NAN if len(found) == 5 else TOP1_PCT[choice.place]))
    return found


def test_axes_are_what_variants_differ_in():
    """Each stage is one, with its values by size; `depth`, which a stage's blocks tell, is not repeated."""
    axes = axes_of(SPACE)
    assert [(axis.label, axis.values) for axis in axes] == [
        *(
            (f"stage_channels, stage {stage}", (2.0 ** (4 + stage), 2.0 ** (5 + stage)))
            for stage in range(1, 6)
        ),
        *((f"stage_depths, stage {stage}", (1, 2)) for stage in range(1, 6)),
    ]
    for axis in axes:
        stage = int(axis.label[-1]) - 1
        values = SPACE.column(axis.field)
        assert [axis.values[code] for code in axis.codes[:50]] == [value[stage] for value in values[:50]]


def test_the_axes_of_several_families():
    """A field that a family lacks has no value there; a family is an axis, too."""
    grids = [
        *grids_of("mobilenet_v2", {"width": (0.5, 1.0), "expansion": (3, 6)}),
        *grids_of("mobilenet_v1", {"width": (0.25, 1.0), "block": ("separable", "standard")}),
    ]
    axes = {axis.label: axis for axis in axes_of(Space.of([], grids))}
    assert axes["width"].values == (0.25, 0.5, 1.0)
    assert axes["width"].codes.tolist() == [1, 2, 1, 2, 0, 2, 0, 2]
    assert axes["family"].codes.tolist() == [0] * 4 + [1] * 4
    assert axes["expansion"].values == (3, 6, None)
    assert axes["expansion"].codes.tolist() == [0, 0, 1, 1, 2, 2, 2, 2]
    assert set(axes["block"].values) == {"separable", "standard", None}


def test_what_one_more_block_buys(history):
    """The two axes that matter come first, with the points that they buy in an interval of the right size,
    and the mult-adds that they take; the others are worth nothing.
    """
    first, second, *others = account(PROBLEM, history)
    assert (first.axis, first.before, first.after) == ("stage_depths, stage 3", 1, 2)
    assert (second.axis, second.before, second.after) == ("stage_channels, stage 5", 512, 1024)
    assert len(others) == 8
    for row, logits in ((first, 1.0), (second, 0.5)):
        at = [100 / (1 + np.exp(-logit)) for logit in np.unique(LOGITS)]
        steps = {0.5: (at[1] - at[0], at[3] - at[2]), 1.0: (at[2] - at[0], at[3] - at[1])}[logits]
        assert row.low <= max(steps)
        assert row.high >= min(steps)
        assert row.high - row.low < 6
        assert row.costs[0] > 0
    assert all(abs(row.points) < 1.5 for row in others)
    assert account(PROBLEM, []) == []
    assert account(PROBLEM, history[5:6]) == []


def test_how_far_the_front_is_from_the_true_one(history):
    """The share of the true front's hypervolume is in the interval, and so is the best accuracy at a cost."""
    whole = hypervolume_of_rows(PROBLEM.costs, TOP1_PCT, PROBLEM.reference)
    after = hypervolumes(PROBLEM, history) * PROBLEM.box / whole
    for count in (15, 25, 40):
        found = outlook(PROBLEM, history[:count])
        mean, low, high = found.reached
        assert low <= mean <= high <= 1
        assert low - 0.005 <= after[count - 1] <= high + 0.005
    costs = [step.cost for step in found.steps]
    assert costs == sorted(set(costs))
    assert len(costs) <= 60
    for step in found.steps:
        best = TOP1_PCT[PROBLEM.costs[:, 0] <= step.cost].max()
        assert step.low - 1 <= best <= step.high + 1
        assert step.low <= step.best <= step.high
    assert outlook(PROBLEM, []) is None


def test_an_axis_of_very_many_values():
    """Each variant has its own, in order."""
    widths = tuple(0.01 + number / 1e5 for number in range(40_000))
    (axis,) = axes_of(Space.of([], grids_of("mobilenet_v1", {"width": widths, "resolution": (32,)})))
    assert axis.values == widths
    assert axis.codes.tolist() == list(range(40_000))
