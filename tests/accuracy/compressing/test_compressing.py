"""Compression in a run: each step a file that is what the table says, each on the disk before the next."""

import json
import os
import shutil
import signal
from pathlib import Path

import numpy as np
import pytest
from brightness import LARGE, SMALL, sweep_text
from console import call, execute, query, refusal

import mbsweep
from mbsweep.accuracy.compressing.files import open_compressed
from mbsweep.accuracy.compressing.worker import CompressingWorker
from mbsweep.accuracy.datasets import open_dataset
from mbsweep.accuracy.datasets.imagefolder import ImageFolder
from mbsweep.accuracy.training.checkpoint import open_checkpoint
from mbsweep.accuracy.training.evaluating import evaluate
from mbsweep.formats.compressed.file import read
from mbsweep.sweep.sweep import parse_sweep

SCHEMES = """\
compress:
  - {sparsity: 0.8, bits: {conv: 4, depthwise: 6, fc: 5}, prune_epochs: 1, fine_tune_epochs: 1}
  - {sparsity: 0.8, prune_epochs: 1, fine_tune_epochs: 1}
"""
ONE_STEP = "compress: [{bits: 3, share_epochs: 0, huffman: false}]\n"
PRUNED = "80 % pruned in 1 + 1 epochs"
SHARED = f"{PRUNED}, conv 4, depthwise 6, fc 5 bits"
STEPS = [PRUNED, SHARED, f"{SHARED}, Huffman", f"{PRUNED}, Huffman"]


class Told:
    """Keeps what a run tells, and may do something with each line."""

    def __init__(self, then=None):
        self.messages, self._then, self.standings = [], then, []

    def say(self, message):
        """One line for the user."""
        self.messages.append(message)
        if self._then:
            self._then(message)

    def begin(self, task, total, done=0):
        """A part of the run begins."""

    def reach(self, standing):
        """So far the part is."""
        self.standings.append(standing)


def go_on(images, folder, told=None, schemes=SCHEMES, **options):
    sweep = parse_sweep(sweep_text(images) + schemes, "trained")
    return mbsweep.run(sweep, folder, progress=told or Told(), jobs=2, **options)


@pytest.fixture(scope="module")
def compressed(images, undisturbed, tmp_path_factory):
    """A run whose two networks with two seeds are compressed by two schemes. Not to be changed."""
    folder = Path(shutil.copytree(undisturbed, tmp_path_factory.mktemp("compressed") / "run"))
    told = Told()
    go_on(images, folder, told)
    return folder, told


def rows(folder):
    """(words of the step, variant, seed) -> file, bytes, which images were right."""
    found = query(
        folder,
        "SELECT words, variant, seed, file, file_bytes, hex(correct), images FROM compressed "
        "JOIN compression_steps USING (step)",
    )
    return {row[:3]: row[3:] for row in found}


def weights(folder, words, variant=LARGE, seed=0):
    content = (folder / rows(folder)[words, variant, seed][0]).read_bytes()
    return read(content, "file").tensors


def test_every_step_of_every_network_is_kept(compressed):
    """Two networks, two seeds, four different steps: pruned once for both schemes; files as told."""
    folder, told = compressed
    found = rows(folder)
    assert set(found) == {(words, v, seed) for words in STEPS for v in (SMALL, LARGE) for seed in (0, 1)}
    for file, file_bytes, *_ in found.values():
        assert (folder / file).stat().st_size == file_bytes
    assert sum("bytes, " in message for message in told.messages) == 16
    assert [told.standings[-1].done, told.standings[-1].total] == [16, 16]
    assert sorted(standing.share for standing in told.standings) == [s.share for s in told.standings]


def test_a_file_answers_as_the_table_says(compressed, images):
    """To the last image, of the file that was written, read back."""
    folder, _ = compressed
    dataset = open_dataset(ImageFolder(name="imagefolder", path=str(images)), [16])
    for words in (PRUNED, f"{SHARED}, Huffman"):
        file, _, correct, count = rows(folder)[words, LARGE, 1]
        net, about = open_compressed(folder / file)
        outcome = evaluate(net, dataset.part("test", 16), (about["mean"], about["std"]))
        assert np.packbits(outcome.correct).tobytes().hex() == correct.lower()
        assert len(outcome.correct) == count
        assert about["classes"] == ["class0", "class1", "class2"]


def test_a_compressed_file_is_evaluated_as_any_network(compressed, tmp_path):
    """By the command, on the images that the file names: as many right as the run has kept."""
    folder, _ = compressed
    file, _, correct, count = rows(folder)[f"{SHARED}, Huffman", LARGE, 0]
    told = json.loads(call("evaluate", folder / file, "--json").stdout)
    right = np.unpackbits(np.frombuffer(bytes.fromhex(correct), np.uint8), count=count).sum()
    assert told["top1_pct"] == pytest.approx(100 * right / count)
    (tmp_path / "broken.mbz").write_bytes((folder / file).read_bytes()[:-1])
    assert "truncated or altered" in refusal(call("evaluate", tmp_path / "broken.mbz"))


def kind_of(name):
    """Of the layer whose kernel or matrix a tensor is; empty where it is none."""
    is_weight = name.endswith((".conv.weight", ".linear.weight"))
    return ("dw" if "_dw." in name else "other") if is_weight else ""


def test_pruned_weights_are_zero_but_depthwise_ones(compressed):
    """80 % of each layer; batch normalisation and biases as they were learnt."""
    folder, _ = compressed
    for name, tensor in weights(folder, PRUNED).items():
        zeros = np.count_nonzero(tensor == 0)
        assert zeros == (round(0.8 * tensor.size) if kind_of(name) == "other" else 0), name


def test_shared_weights_have_few_values_and_zeros_stay(compressed):
    """16 and 32 beside zero, 64 of depthwise kernels; what was pruned is zero still."""
    folder, _ = compressed
    before, after = weights(folder, PRUNED), weights(folder, SHARED)
    for name, tensor in after.items():
        values = np.unique(tensor[tensor != 0])
        if kind_of(name):
            assert len(values) <= (64 if kind_of(name) == "dw" else 32 if "linear" in name else 16)
            assert ((tensor == 0) == (before[name] == 0)).all()
            assert not np.array_equal(tensor, before[name])


def test_huffman_coding_changes_bytes_and_no_weight(compressed):
    """To the last bit; of shared weights it saves some."""
    folder, _ = compressed
    before, after = weights(folder, SHARED), weights(folder, f"{SHARED}, Huffman")
    assert {name: tensor.tobytes() for name, tensor in before.items()} == {
        name: tensor.tobytes() for name, tensor in after.items()
    }
    found = rows(folder)
    assert found[f"{SHARED}, Huffman", LARGE, 0][1] < found[SHARED, LARGE, 0][1] < found[PRUNED, LARGE, 0][1]


def test_each_step_leaves_an_ordinary_network_too(compressed):
    """Its file says what was done; the trained network's stays as it is."""
    folder, _ = compressed
    state = open_checkpoint((folder / rows(folder)[PRUNED, SMALL, 0][0]).with_suffix(".safetensors"))
    assert state.about["compressed"]["sparsity"] == {"conv": 0.8, "fc": 0.8}
    assert state.about["variant"]["width"] == 0.1


def test_what_is_done_is_not_done_again(compressed, images, tmp_path):
    """Nor what another scheme has in common with it: of a new one only the step that is new."""
    folder = Path(shutil.copytree(compressed[0], tmp_path / "run"))
    before, told = rows(folder), Told()
    go_on(images, folder, told)
    assert rows(folder) == before
    assert not any("bytes, " in message for message in told.messages)
    more = SCHEMES + "  - {sparsity: 0.8, bits: 3, prune_epochs: 1, fine_tune_epochs: 1, huffman: false}\n"
    go_on(images, folder, told, more)
    after = rows(folder)
    assert {key[0] for key in set(after) - set(before)} == {f"{PRUNED}, 3 bits"}
    assert after.items() >= before.items()


def test_an_interrupted_run_ends_as_if_nothing_had_happened(compressed, images, undisturbed, tmp_path):
    """After the third step: what was done is there, the rest follows, files and answers are the same."""
    folder = Path(shutil.copytree(undisturbed, tmp_path / "run"))
    seen = []

    def stop(message):
        seen.extend([message] if "bytes, " in message else [])
        if len(seen) == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        go_on(images, folder, Told(stop))
    assert len(rows(folder)) == 3
    go_on(images, folder)
    assert rows(folder) == rows(compressed[0])
    for file, *_ in rows(folder).values():
        assert (folder / file).read_bytes() == (compressed[0] / file).read_bytes()


def test_a_killed_process_costs_one_network(images, undisturbed, tmp_path, monkeypatch):
    """By SIGKILL: the others go on, it stays with its reason, and --retry compresses it."""
    folder, do = Path(shutil.copytree(undisturbed, tmp_path / "run")), CompressingWorker.do

    def killed(worker, step, before, *asked):
        if SMALL in before.name and "seed1" in before.name:
            os.kill(worker._process.pid, signal.SIGKILL)
        do(worker, step, before, *asked)

    monkeypatch.setattr(CompressingWorker, "do", killed)
    run = go_on(images, folder, schemes=ONE_STEP)
    assert {key[1:] for key in rows(folder)} == {(SMALL, 0), (LARGE, 0), (LARGE, 1)}
    ((key, why),) = run.failures().items()
    assert key == (SMALL, "compress")
    assert (
        why.reason == "seed 1, 3 bits in 0 epochs: the compression's process ended: SIGKILL (out of memory?)"
    )
    monkeypatch.setattr(CompressingWorker, "do", do)
    assert go_on(images, folder, schemes=ONE_STEP, retry=True).failures() == {}
    assert len(rows(folder)) == 4


def test_a_network_that_stalled_has_rows_with_its_reason(images, undisturbed, tmp_path):
    """It is not compressed; the others are."""
    folder = Path(shutil.copytree(undisturbed, tmp_path / "run"))
    execute(folder, "UPDATE trainings SET state = 'stalled' WHERE variant = ?", [SMALL])
    table = go_on(images, folder, schemes="compress: [{bits: 4, share_epochs: 0}]\n").compressed()
    small = table[table["variant"] == SMALL]
    assert small["top1_pct"].isna().all()
    assert small["reason"].str.startswith("seed 0 stalled at chance").all()
    assert table[table["variant"] == LARGE]["reason"].isna().all()


def test_the_table_of_a_run_that_compresses_nothing(undisturbed):
    """One line that says what to do."""
    told = refusal(call("table", undisturbed, "--compressed"))
    assert told == f"{undisturbed} has no compressed networks; its sweep needs a `compress`"
    assert "--layers goes with --compressed" in refusal(call("table", undisturbed, "--layers"))


def test_plan_and_run_say_what_is_done(compressed, images, tmp_path):
    """Before and after; and what to call next."""
    path = tmp_path / "trained.yaml"
    path.write_text(sweep_text(images) + SCHEMES, encoding="utf-8")
    words = "2 schemes of 4 different steps, for 4 trained networks"
    assert f"compress   {words}; 0 of 16 done" in call("plan", path, "--out", tmp_path / "new").stdout
    open_dataset(ImageFolder(name="imagefolder", path=str(images)), [16])  # which this test's cache lacks
    told = call("plan", path, "--out", compressed[0]).stdout
    assert f"compress   {words}; 16 of 16 done" in told
    assert "nothing is left to train" in told
    folder = shutil.copytree(compressed[0], tmp_path / "run")
    said = call("run", path, "--out", folder, "--jobs", "2").stdout
    assert f"{folder}: 2 variants, 0 latency configurations, 0 visits, 20 networks trained or tested" in said
    assert "nothing was left to measure or train" in said
    assert f"  mbsweep table {folder} --compressed\n" in said
