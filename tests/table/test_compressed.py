"""The table of compressed networks: ratios, drops with their paired intervals, and the layers."""

import io
import json
import shutil

import numpy as np
import pandas as pd
import pytest
from brightness import LARGE, SMALL
from console import call, execute, query, refusal

from mbsweep.formats.compressed.layers import layer_sizes
from mbsweep.storage.compression_tables import CompressedRow
from mbsweep.storage.deployed_tables import DeployedRow
from mbsweep.storage.store import Store
from mbsweep.table.compressed import OTHERS, PENDING, int8_bytes, with_int8
from mbsweep.table.results import open_run

IMAGES = 60
PRUNED, CODED = "80 % pruned", "80 % pruned, Huffman"


@pytest.fixture(scope="module")
def run(undisturbed, tmp_path_factory):
    """A run in which one network of two was compressed: 3 and 6 of 60 images worse."""
    folder = shutil.copytree(undisturbed, tmp_path_factory.mktemp("table") / "run")
    draw = np.random.default_rng(0)
    stem = np.where(draw.random((8, 3, 3, 3)) < 0.2, draw.integers(1, 5, (8, 3, 3, 3)), 0).astype(np.float32)
    tensors = {
        "stem.conv.weight": stem,
        "stem.bn.weight": np.ones(8, np.float32),
        "stem.bn.bias": stem[:, 0, 0, 0],
    }
    layers = json.dumps(layer_sizes(tensors))
    with Store.write(folder) as store:
        source = store.last_sweep()["accuracy_sources"][0]
        store.set_compression_steps([("aa", "pruned", "", PRUNED), ("bb", "coded", "aa", CODED)])
        for row in store.trainings(source):
            worse = row.hits.copy()
            worse[np.flatnonzero(worse)[: 3 * (row.seed + 1)]] = False
            correct = np.packbits(worse).tobytes()
            for step, file_bytes in (("aa", 4000 + row.seed), ("bb", 3000)):
                told = (f"{step}.mbz", file_bytes, 1.0, None, IMAGES, correct, layers)
                if row.variant == LARGE:
                    store.add_compressed(source, CompressedRow(step, LARGE, row.seed, row.session, *told))
    return open_run(folder)


def test_bytes_ratio_and_drop(run):
    """Mean bytes of the seeds; against 4 bytes of each parameter; 3 and 6 of 60 images: 5, 10 points."""
    params = dict(query(run.path, "SELECT id, params FROM variants"))[LARGE]
    table = run.compressed().set_index(["variant", "scheme"]).loc[LARGE]
    assert list(table.index) == ["as trained", PRUNED, CODED]
    assert table["bytes"].tolist() == [4 * params, 4000.5, 3000]
    assert table["ratio"].tolist() == pytest.approx([1, 4 * params / 4000.5, 4 * params / 3000])
    assert np.isnan(table["top1_drop_pct"].iloc[0])
    assert table["top1_drop_pct"].iloc[1:].tolist() == pytest.approx([7.5, 7.5])
    assert table["top1_pct"].iloc[0] - table["top1_pct"].iloc[1] == pytest.approx(7.5)
    assert (table["top1_drop_low_pct"].iloc[1:] < 7.5).all()
    assert (table["top1_drop_high_pct"].iloc[1:] > 10).all()  # two seeds tell little
    assert (table["top1_low_pct"] < table["top1_pct"]).all()
    assert set(table["top1_seeds"]) == {"0, 1"}
    assert table["file"].iloc[1] == "aa.mbz"


def test_what_is_not_compressed_says_why(run):
    """Yet: run again. The trained network has its accuracy all the same."""
    table = run.compressed().set_index(["variant", "scheme"]).loc[SMALL]
    assert table["reason"].isna().tolist() == [True, False, False]
    assert table["reason"].tolist()[1:] == [PENDING, PENDING]
    assert table["top1_pct"].notna().tolist() == [True, False, False]


def test_the_accuracy_as_trained_is_that_of_the_runs_table(run):
    """And so is its interval."""
    ours = run.compressed().set_index("variant").query("step == 'trained'")
    table = run.table().set_index("variant")
    for name in ("top1_pct", "top1_low_pct", "top1_high_pct"):
        assert ours[name].tolist() == pytest.approx(table.loc[ours.index, name].tolist())


def test_int8_files_stand_beside_them(run):
    """A row of the run's table that knows the accuracy of an int8 file, behind the network's steps; its
    bytes are those of the file that was tested, not of the one that was timed."""
    table = run.table().assign(precision="int8", backend="onnxruntime", file_bytes=9000.0, top1_drop_pct=1.5)
    table.loc[table["variant"] == SMALL, "top1_pct"] = np.nan
    found = with_int8(run.compressed(), table, {(LARGE, "onnxruntime"): 2000, (SMALL, "onnxruntime"): 1000})
    assert found["step"].tolist() == ["trained", "pruned", "coded", "trained", "pruned", "coded", "int8"]
    int8 = found.iloc[-1]
    assert (int8["variant"], int8["scheme"], int8["goes_on_from"]) == (
        LARGE,
        "onnxruntime int8",
        "as trained",
    )
    assert (int8["bytes"], int8["ratio"]) == (2000, int8["fp32_bytes"] / 2000)
    assert int8["top1_drop_pct"] == 1.5
    assert with_int8(run.compressed(), table, {}).equals(run.compressed())


def test_bytes_of_int8_are_the_mean_of_the_tested_files(run, tmp_path):
    """Of the seeds; runtimes that load no file, and other precisions, have none."""
    folder = shutil.copytree(run.path, tmp_path / "run")
    with Store.write(folder) as store:
        source = store.last_sweep()["accuracy_sources"][0]
        for seed, runtime, file_bytes in (
            (0, ("onnxruntime", "int8", "cpu"), 2000),
            (1, ("onnxruntime", "int8", "cpu"), 2002),
            (0, ("onnxruntime", "fp32", "cpu"), 8000),
            (0, ("torch", "bf16", "cpu"), None),
        ):
            told = ("", 1, "", file_bytes, None, IMAGES, bytes(8))
            store.add_deployed(source, DeployedRow(LARGE, seed, *runtime, *told))
    with Store.read(folder) as store:
        assert int8_bytes(store) == {(LARGE, "onnxruntime"): 2001}


def test_a_seed_that_the_sweep_no_longer_has_counts_no_more(run, tmp_path):
    """In neither the accuracy nor the drop: 3 of 60 images of seed 0 are 5 points."""
    folder = shutil.copytree(run.path, tmp_path / "run")
    execute(folder, "UPDATE accuracies SET seeds = '0'")
    table = open_run(folder).compressed().set_index(["variant", "scheme"]).loc[LARGE]
    assert table["top1_seeds"].tolist() == ["0"] * 3
    assert table["top1_drop_pct"].iloc[1:].tolist() == pytest.approx([5, 5])
    assert table["bytes"].iloc[1] == 4000


def test_the_layers(run):
    """A row per layer by its name in the architecture, and one for all that is neither kernel nor matrix."""
    table = run.compressed_layers()
    assert len(table) == 2 * 2 * 2  # seeds, steps, rows
    stem, others = table.iloc[0], table.iloc[1]
    assert (stem["layer"], others["layer"]) == ("stem", OTHERS)
    assert stem["weights"] == 216
    assert 10 < stem["kept_pct"] < 30
    assert stem["shared_values"] == 4
    assert stem["value_bits"] == pytest.approx(2, abs=0.2)
    assert stem["packed_pct"] < 15
    assert others["weights"] == 16


def test_the_command_writes_and_prints_it(run, tmp_path):
    """CSV as the other tables, with columns and order as asked for; on a terminal the short names."""
    found = pd.read_csv(io.StringIO(call("table", run.path, "--compressed").stdout))
    assert found["ratio"].tolist() == pytest.approx(run.compressed()["ratio"].tolist(), nan_ok=True)
    file = tmp_path / "layers.csv"
    assert call("table", run.path, "--compressed", "--layers", "-o", file).exit_code == 0
    assert list(pd.read_csv(file)["layer"])[:2] == ["stem", OTHERS]
    words = ["--compressed", "--columns", "scheme,bytes", "--sort", "-bytes"]
    first = call("table", run.path, *words).stdout.splitlines()[:2]
    assert first[0] == "scheme,bytes"
    assert first[1].startswith("as trained,")
    told = refusal(call("table", run.path, "--compressed", "--columns", "ratioo"))
    assert told.startswith("--columns has 'ratioo'; expected of run, variant, ")
    assert told.endswith("did you mean 'ratio'?")
    text = call("table", run.path, "--compressed", "--format", "md").stdout
    assert PRUNED in text
