"""A run's variants as a table: each field of each family, as it is kept and as it is usual."""

import csv
import math

from console import call
from made_runs import OF_FAMILIES, made_run

from mbsweep import open_run


def table(folder, sweep):
    """The table of a run that counts a sweep, one row per variant."""
    return open_run(made_run(folder / "run", sweep)).table().set_index("variant")


def unknown_as_none(values):
    return [None if isinstance(value, float) and math.isnan(value) else value for value in values]


def test_a_column_for_each_field_of_the_families_that_are_there(tmp_path):
    """Empty where a family lacks it; what is not kept is as usual; of stages that differ one column each."""
    found = table(tmp_path, OF_FAMILIES)
    assert unknown_as_none(found["depth"]) == [5, None, None, None, None, 0]
    assert unknown_as_none(found["expansion"]) == [None, 6, 6, None, None, None]
    assert unknown_as_none(found["kernel"]) == [None, 3, 5, None, None, None]
    assert unknown_as_none(found["minimalistic"]) == [None, None, None, True, None, None]
    assert unknown_as_none(found["block"]) == ["separable", None, None, None, None, "fire"]
    assert found["num_classes"].tolist() == [1000, 1000, 1000, 1000, 10, 1000]
    assert unknown_as_none(found["kernels"]) == [
        "[3, 5, 3, 3, 7]",
        *[None] * 4,
        "[3, 3, 3, 3, 3]",
    ]
    assert unknown_as_none(found["kernels_5"]) == [7, None, None, None, None, 3]
    assert "kernels_1" not in found
    assert found.loc["mobilenet_v2_w0.35_r224_b1-2-3-4-3-3-2", "stage_depths"] == "[1, 2, 3, 4, 3, 3, 2]"
    assert unknown_as_none(found["stage_depths_7"])[1:3] == [2, 1]
    assert "cardinality" not in found


def test_fields_of_v1_that_are_as_usual_are_not_there(tmp_path):
    """Kernels that nobody changed have no column, and the depth alone tells no depths of stages."""
    found = table(tmp_path, "space: {depth: [0, 5], width: 0.25}")
    assert found["depth"].tolist() == [0, 5]
    assert not {"kernels", "stage_depths", "stage_depths_4", "expansion"} & set(found.columns)


def test_csv_has_whole_numbers_where_all_are(tmp_path):
    """Kernels and depths that some families lack stay whole; channels that a multiplier gave may not be."""
    sweep = """\
variants:
  - {stage_widths: [0.3, 1, 1, 1, 0.5], kernels: [5, 3, 3, 3, 3], resolution: 32}
  - {width: 0.5, resolution: 32}
  - {family: resnet18, resolution: 32}
"""
    run = made_run(tmp_path / "run", sweep)
    result = call("table", run)
    assert result.exit_code == 0, result.exception
    rows = list(csv.DictReader(result.stdout.splitlines()))
    assert [row["stage_channels_1"] for row in rows] == ["19.2", "64.0", ""]
    assert [row["stage_channels_5"] for row in rows] == ["512", "1024", ""]
    assert [row["kernels_1"] for row in rows] == ["5", "3", ""]
    assert [row["depth"] for row in rows] == ["5", "5", ""]
