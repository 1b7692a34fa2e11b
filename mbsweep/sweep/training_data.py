"""The images that a sweep's networks learn, as far as they are known before they are read. Loads no torch."""

from __future__ import annotations

from mbsweep.accuracy.datasets.source import ImageSource
from mbsweep.base.errors import MbsweepError
from mbsweep.sweep.sweep import Sweep


def look_at(sweep: Sweep) -> tuple[Sweep, ImageSource | None]:
    """What a sweep trains on, if it does; and the sweep with as many `num_classes` as that has.

    Raises MbsweepError, with file and line, where there are no such images, or the sweep says other classes.
    """
    config = sweep.accuracy.images if sweep.accuracy else None
    if config is None:
        return sweep, None
    try:
        source = config.source()
        seen = source.seen()
    except MbsweepError as error:
        raise sweep.problem(("accuracy", "dataset"), f"cannot be had: {error}") from None
    return sweep.with_classes(seen.class_count, f"the data set has {seen.class_words}"), source
