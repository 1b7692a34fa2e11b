"""What `plan` says of a real cluster."""

import json

from brightness import sweep_text
from console import call, contents

from mbsweep.profiler.device import instructions, this_device


def test_plan_looks_at_each_node_and_leaves_nothing(cluster, nodes, images, tmp_path):
    """Two nodes of one CPU on this machine, with its processor and versions; no run is made."""
    path = tmp_path / "trained.yaml"
    path.write_text(sweep_text(images), encoding="utf-8")
    for _ in range(2):
        nodes()
    before = contents(tmp_path)
    called = call("plan", path, "--out", tmp_path / "run", "--ray", cluster.address, "--json")
    assert called.exit_code == 0, called.stderr
    found = json.loads(called.stdout)["cluster"]
    assert found["at_once"] == 2
    used = [node for node in found["nodes"] if node["cpus"]]
    assert [(node["cpus"], node["gpus"], node["why_not"]) for node in used] == [(1, 0, "")] * 2
    for node in used:
        assert node["processor"].startswith(this_device().processor)
        assert all(name in node["processor"] for name in instructions())
        assert {"python", "mbsweep", "torch"} <= set(node["versions"])
    assert contents(tmp_path) == before
