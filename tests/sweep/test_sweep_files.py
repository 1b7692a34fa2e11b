"""Every file in sweeps/: it is read, and its plan is that of what it says."""

import re
from itertools import product
from math import prod
from pathlib import Path

import brightness
import pytest
import yaml
from console import call, refusal

FILES = sorted(Path(__file__).parents[2].glob("sweeps/*.yaml"))


def values(axis):
    """The values of one axis, written out: a list, one value, a range with both of its ends; with `each`,
    every combination over MobileNet v1's five stages.
    """
    if isinstance(axis, dict) and "each" in axis:
        return list(product(axis["each"], repeat=5))
    if isinstance(axis, dict):
        steps = round((axis["to"] - axis["from"]) / axis["step"])
        return [round(axis["from"] + step * axis["step"], 9) for step in range(steps + 1)]
    if not isinstance(axis, list):
        return [axis]
    return [tuple(value) if isinstance(value, list) else value for value in axis]


def asked(text):
    """How many different variants a file asks for."""
    told = yaml.safe_load(text)
    spaces = told.get("space", [])
    if isinstance(spaces, dict) and "variants" not in told:
        return prod(len(set(values(axis))) for axis in spaces.values())
    found = {tuple(sorted(variant.items())) for variant in told.get("variants", [])}
    for space in spaces if isinstance(spaces, list) else [spaces]:
        found |= {
            tuple(zip(sorted(space), combination, strict=True))
            for combination in product(*(values(space[name]) for name in sorted(space)))
        }
    return len(found)


@pytest.mark.parametrize("path", FILES, ids=[path.stem for path in FILES])
def test_a_sweep_file_is_planned(path, tmp_path, monkeypatch):
    """As many variants as its axes have combinations, a line for each of its latencies, the time, and what is
    done, which is nothing. It begins with its question, its command and its measured time.
    """
    monkeypatch.chdir(tmp_path)
    text = path.read_text(encoding="utf-8")
    words = rf"# Question: .+\n# Command:  mbsweep (run|plan) sweeps/{path.name}.*\n# Time:     .+\n"
    assert re.match(words, text)
    told = yaml.safe_load(text)
    if "path: images" in text:
        assert "images: there is no such folder; set the data set" in refusal(call("plan", path))
        brightness.write_images(Path("images"))
    result = call("plan", path)
    assert (result.exit_code, result.stderr) == (0, "")
    title, *lines = result.stdout.splitlines()
    assert title == told["title"]
    heads = [[*line.split(), ""][0] for line in lines]
    variants = lines[heads.index("variants")].split()[1]
    assert variants == f"{asked(text):,}"
    latencies = [line for line in lines if " % wide" in line]
    if confirm := told.get("search", {}).get("confirm"):  # what is predicted is measured whole, too
        predicted = [config for config in told["latency"] if config.get("kind") == "predicted"]
        latencies, whole = latencies[: -len(predicted)], latencies[-len(predicted) :]
        assert all(f"  0 of {confirm}  " in line for line in whole)
    assert len(latencies) == len(told.get("latency", []))
    assert all(f"  0 of {variants}  " in line for line in latencies)
    assert [line.split("-")[0] for line in latencies] == [
        config["backend"] for config in told.get("latency", [])
    ]
    assert ("accuracy" in heads) == ("accuracy" in told)
    assert ("at most about" in lines[heads.index("time")]) == bool(latencies)
    assert lines[-1].split() == ["run", f"runs/{path.stem}", "(new)"]
    assert sorted(path.name for path in tmp_path.iterdir()) == (["images"] if "path: images" in text else [])
