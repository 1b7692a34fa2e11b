"""Two nodes that stay: what a run knows of them, and the very numbers of a local run."""

import json
import shutil

from brightness import RECIPE, SMALL, SPACE, on_cores, sweep_text
from clusters import Told, check_same, run, soon, trainers, trainings
from console import call, contents, curves, execute, query

import mbsweep
from mbsweep.accuracy.training.checkpoint import open_checkpoint
from mbsweep.profiler.device import instructions, this_device
from mbsweep.sweep.sweep import parse_sweep


def sent(caches):
    """The files that nodes have been sent, but for their data sets."""
    return {path for cache in caches for path in (cache / "sent").glob("*/*")}


def test_plan_looks_at_each_node_and_leaves_nothing(cluster, pair, images, tmp_path):
    """Their CPUs, and this machine's processor and versions; how many networks they train at once. No run is
    made.
    """
    path = tmp_path / "trained.yaml"
    path.write_text(sweep_text(images), encoding="utf-8")
    before = contents(tmp_path)
    called = call("plan", path, "--out", tmp_path / "run", "--ray", cluster.address, "--json")
    assert called.exit_code == 0, called.stderr
    found = json.loads(called.stdout)["cluster"]
    assert found["at_once"] == 3
    assert sorted((node["cpus"], node["gpus"], node["why_not"]) for node in found["nodes"]) == [
        (1, 0, ""),
        (2, 0, ""),
    ]
    for node in found["nodes"]:
        assert node["name"]
        assert node["processor"].startswith(this_device().processor)
        assert all(name in node["processor"] for name in instructions())
        assert set(node["versions"]) == {"python", "mbsweep", "torch", "numpy", "safetensors"}
    assert contents(tmp_path) == before


def test_two_nodes_give_the_very_numbers_of_a_local_run(cluster, pair, images, undisturbed, tmp_path):
    """Each has a cache of its own, and gets the images once; when the run is over nothing is left of it
    there.
    """
    seen = []
    told = Told(lambda epoch: seen.append([len(trainers(cache)) for cache in pair]))
    run(sweep_text(images), tmp_path / "run", cluster.address, told)
    check_same(tmp_path / "run", undisturbed)
    assert [1, 2] in seen  # both are at work
    (dataset,) = {row[0] for row in query(tmp_path / "run", "SELECT dataset FROM accuracies")}
    for cache in pair:
        (kept,) = (cache / "datasets").iterdir()
        assert kept.name == dataset
        assert (kept / "images_16.u8").stat().st_size == 3 * (80 + 12 + 20) * 16 * 16 * 3
        soon(lambda cache=cache: not trainers(cache))
        soon(lambda cache=cache: not list((cache / "seats").iterdir()))
    devices = [json.loads(row[0]) for row in query(tmp_path / "run", "SELECT device FROM sessions")]
    assert all("_torch-" in device["id"] for device in devices if "id" in device)
    assert not [message for message in told.messages if "elsewhere" in message]


def test_a_supernet_is_tested_there(cluster, pair, images, tmp_path):
    """With the numbers of a local run, as is what it is compared with."""
    text = f"""\
space: {{{SPACE}}}
accuracy:
  source: supernet
  dataset: {{name: imagefolder, path: "{images}"}}
  recipe: {{{RECIPE}}}
  alone: {{count: 1, recipe: {{{RECIPE}}}}}
"""
    local, there = tmp_path / "local", tmp_path / "there"
    with on_cores(2):
        mbsweep.run(parse_sweep(text, "trained"), local, jobs=2)
    shutil.copytree(local, there)
    for rows in ("trainings", "validations", "accuracies", "epochs WHERE source NOT LIKE 'one supernet%'"):
        execute(there, f"DELETE FROM {rows}")  # noqa: S608
    before = sent(pair)
    run(text, there, cluster.address)
    tested = "SELECT source, variant, seed, state, epochs, threads, correct FROM trainings"
    assert sorted(query(there, tested)) == sorted(query(local, tested))
    assert len(query(there, tested)) == 3
    values = "SELECT * FROM validations"
    assert sorted(query(there, values)) == sorted(query(local, values))
    assert {path.name.split("_")[0] for path in sent(pair) - before} == {"supernet"}


def test_trainings_begin_there_from_weights_that_were_sent(cluster, pair, images, undisturbed, tmp_path):
    """With the numbers of a local run; what their files say of the weights is the same, too. The run comes
    through ray://.
    """
    (weights,) = (undisturbed / "weights").glob(f"*/{SMALL}_seed0.safetensors")
    start = shutil.copy(weights, tmp_path / "begin.safetensors")
    space = "width: 0.1, resolution: 16, depth: 0, num_classes: 3"
    text = sweep_text(images, seeds="[5]", recipe=f'{RECIPE}, start: "{start}"', space=space)
    local, there = tmp_path / "local", tmp_path / "there"
    with on_cores(2):
        mbsweep.run(parse_sweep(text, "trained"), local, jobs=2)
    before = sent(pair)
    run(text, there, cluster.client_address)
    assert curves(there) == curves(local)
    assert trainings(there) == trainings(local)
    one, other = (open_checkpoint(next(folder.glob("weights/*/*"))).about for folder in (there, local))
    assert one == other
    assert [path.name for path in sent(pair) - before] == ["begin.safetensors"]
