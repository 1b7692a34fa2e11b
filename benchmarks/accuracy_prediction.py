"""Predicted accuracies of published networks that the model has not seen; and 100,000 variants."""

import time

import numpy as np
from numpy.typing import NDArray

from mbsweep.accuracy.model import Model, Points, numbers_of
from mbsweep.accuracy.predicted import PredictedAccuracy
from mbsweep.accuracy.value import Accuracies
from mbsweep.space.grid import grids_of
from mbsweep.space.space import Space
from mbsweep.space.variant import Variant

TABLE = "tf-slim-2018-08-02"
OTHERS = ("tf-slim-2017-06-14", "tflite-hosted")


def main() -> None:
    """Print the errors and the coverage, network by network and by whole widths and resolutions left out."""
    for table in (TABLE, *OTHERS):
        points = Points.of_table(table)
        errors, covered = left_out(points, range(len(points.variants)))
        asked = " (mean at most 1)" if table == TABLE else ""
        print(
            f"{table}, each of {len(errors)} networks left out: mean absolute error {errors.mean():.2f} "
            f"points{asked}, worst {errors.max():.2f}; {covered.sum()} in their 95 % intervals"
        )
    points = Points.of_table(TABLE)
    for name, between in (("width", (0.5, 0.75)), ("resolution", (160, 192))):
        errors, covered = left_out(points, [getattr(variant, name) for variant in points.variants], between)
        print(
            f"{TABLE}, each {name} between the ends left out: mean absolute error {errors.mean():.2f} "
            f"points, worst {errors.max():.2f}; {covered.sum()} of {len(errors)} in their 95 % intervals"
        )
    config = PredictedAccuracy(source="predicted", table="paper", extrapolate=True)
    (shallow,) = predicted(config, Space.of([Variant(depth=0)]))
    print(f"extrapolated to the paper's shallow network: {shallow.top1_pct:.1f} %, published 65.3 %")
    print_time()


def left_out(
    points: Points, groups: object, among: tuple[float, ...] | None = None
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Of each network: how far a model without its group is off, and whether its interval holds it.

    groups: of each network the group that is left out with it. among: only these groups are.
    """
    group = np.array(groups)
    errors, covered = [], []
    for one in np.unique(group) if among is None else among:
        is_out = group == one
        kept = [variant for variant, out in zip(points.variants, is_out, strict=True) if not out]
        model = Model(kept, points.top1_pct[~is_out])
        unseen = [variant for variant, out in zip(points.variants, is_out, strict=True) if out]
        top1_pct, low_pct, high_pct = model.predict(numbers_of(unseen))
        known_pct = points.top1_pct[is_out]
        errors.append(abs(top1_pct - known_pct))
        covered.append((low_pct <= known_pct) & (known_pct <= high_pct))
    return np.concatenate(errors), np.concatenate(covered)


def print_time() -> None:
    """Predict a large space."""
    widths = tuple(0.25 + 0.0075 * width for width in range(100))
    axes = {"width": widths, "resolution": tuple(range(128, 228)), "depth": tuple(range(10))}
    space = Space.of([], grids_of("mobilenet_v1", axes))
    start = time.perf_counter()
    predicted(PredictedAccuracy(source="predicted", table=TABLE, extrapolate=True), space)
    print(f"{len(space):,} variants predicted in {time.perf_counter() - start:.1f} s (at most 5)")


def predicted(config: PredictedAccuracy, space: Space) -> Accuracies:
    """What a model gives the networks of a space."""
    return config.open(space, print).known("fp32")


if __name__ == "__main__":
    main()
