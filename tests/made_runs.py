"""Runs whose samples are given, not measured: their tables can be known beforehand."""

import numpy as np

from mbsweep import count_space
from mbsweep.base.progress import Silent
from mbsweep.latency.yardsticks import choose, yardstick
from mbsweep.storage.store import Store
from mbsweep.sweep.entering import enter_sweep
from mbsweep.sweep.sweep import parse_sweep
from mbsweep.table.columns import COLUMNS, FIELDS, INNER, OF_CODE, OF_STAGES

# Of several families; fields that some lack, that are lists, and that are not said where they are as usual.
OF_FAMILIES = """\
variants:
  - {width: 0.25, kernels: [3, 5, 3, 3, 7], resolution: 64}
  - {family: mobilenet_v2, width: 0.35, stage_depths: [1, 2, 3, 4, 3, 3, 2]}
  - {family: mobilenet_v2, width: 1, resolution: 96, kernel: 5}
  - {family: mobilenet_v3_small, minimalistic: true}
  - {family: resnet18, num_classes: 10}
  - {depth: 0, block: fire}
"""
DEVICE = {"description": "Abacus, 2 cores, 4 GiB, Linux wood", "id": "abacus_2c_4g_torch-2.0"}


def as_samples(values_ms):
    """Milliseconds as the store keeps them."""
    return np.array([round(value * 1e6) for value in values_ms], dtype="<i8").tobytes()


def made_run(folder, sweep, visits_ms=(), yardsticks_ms=(), device=None, reference_ms=()):
    """The folder of a run of a sweep (its text), measured in one session.

    visits_ms: configuration -> for each variant, in the sweep's order, the visits, each a list of calls.
    yardsticks_ms: configuration -> visits to the yardsticks, each a list of calls: one list of visits for
    all of them, or yardstick -> visits.
    reference_ms: configuration -> yardstick -> its latency at the device's reference speed; those that are
    not named have none.
    """
    parsed = parse_sweep(sweep, "made.yaml")
    space = count_space(parsed)
    yardsticks = {name: yardstick(name) for name in choose(zip(space.params, space.macs, strict=True), 1)}
    opened = parsed.accuracy.open(space, print) if parsed.accuracy else None
    with Store.write(folder) as store:
        enter_sweep(store, parsed, space, opened, Silent())
        session = store.begin_session(device or DEVICE, {"torch": "2.0"})
        for config, variants in dict(visits_ms).items():
            for variant, visits in zip(space.ids(), variants, strict=False):
                for number, values_ms in enumerate(visits):
                    store.add_visit(config, variant, number, session, as_samples(values_ms))
        for config, visits in dict(yardsticks_ms).items():
            given = dict(dict(reference_ms).get(config, {}))
            store.set_calibration(
                config,
                [
                    (name, *subject.size, given[name] * 1e6 if name in given else None)
                    for name, subject in yardsticks.items()
                ],
            )
            of_each = visits if isinstance(visits, dict) else dict.fromkeys(yardsticks, visits)
            for name, of_one in of_each.items():
                for number, values_ms in enumerate(of_one):
                    store.add_yardstick(config, name, number, session, as_samples(values_ms))
    return folder


# The fields of networks that a table of MobileNet v1 has, unless kernels or depths of stages are unusual.
V1_FIELDS = [
    "block",
    "width",
    "resolution",
    "depth",
    "stage_channels",
    "num_classes",
    "divisor",
    "stem_stride",
]
V1_COLUMNS = [name for name in COLUMNS if name not in {*FIELDS, *OF_STAGES, *OF_CODE} or name in V1_FIELDS]
V1_TABLE = [*V1_COLUMNS, *INNER]  # in a table that is not written
