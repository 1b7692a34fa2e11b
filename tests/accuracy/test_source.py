"""What a search asks of an accuracy source: some variants at a time, and by which figure it may choose."""

import math
from contextlib import closing

import brightness
import numpy as np
import pytest
import stand_in_training
from brightness import LARGE, SMALL
from console import query

import mbsweep
from mbsweep.accuracy.datasets import open_dataset
from mbsweep.accuracy.datasets.imagefolder import ImageFolder
from mbsweep.accuracy.source import SettingError
from mbsweep.accuracy.training import worker
from mbsweep.accuracy.training.checkpoint import open_checkpoint
from mbsweep.accuracy.training.evaluating import evaluate
from mbsweep.accuracy.training.extracting import extract
from mbsweep.accuracy.training.processes import LocalPool
from mbsweep.base.progress import Silent
from mbsweep.space.variant import Variant
from mbsweep.storage.store import Store
from mbsweep.sweep.counted import count_space
from mbsweep.sweep.sweep import parse_sweep

TF_SLIM = "tf-slim-2018-08-02"
TRAININGS = "SELECT variant, seed, state, correct FROM trainings ORDER BY variant, seed"


def opened(text):
    """The source of a sweep, and its variants."""
    sweep = parse_sweep(text, "s.yaml")
    space = count_space(sweep)
    return sweep.accuracy.open(space, lambda message: None), space.variants()


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """Images that are learnt at once."""
    return brightness.write_images(tmp_path_factory.mktemp("brightness") / "images")


def supernet_text(root):
    return (
        f"space: {{{brightness.SPACE}}}\naccuracy:\n  source: supernet\n"
        f'  dataset: {{name: imagefolder, path: "{root}"}}\n  recipe: {{{brightness.RECIPE}}}\n'
        f"  alone: {{count: 0, recipe: {{{brightness.RECIPE}}}}}\n"
    )


def test_what_is_looked_up_is_seen_as_it_is_published(tmp_path):
    """70.9 % and 41.5 % of TF-Slim's table; in the order asked for, also of a network that is named twice;
    NaN where the table has none.
    """
    space = "{width: [0.25, 0.3, 1.0], resolution: [128, 224]}"
    source, _ = opened(f"space: {space}\naccuracy: {{source: published, table: {TF_SLIM}}}\n")
    asked = [Variant(width=0.25, resolution=128), Variant(width=0.3), Variant(), Variant()]
    with Store.write(tmp_path) as store:
        source.prepare(store, LocalPool(), Silent())
        source.evaluate(asked, store, LocalPool(), Silent())
        found = source.seen_pct(asked, store)
        source.finish(store, asked, None, Silent())
    assert np.array_equal(found, [41.5, math.nan, 70.9, 70.9], equal_nan=True)


@pytest.mark.usefixtures("one_core", "as_in_a_worker")
def test_a_supernets_networks_are_tested_as_they_are_asked_for(root, tmp_path):
    """None before; then each as it is extracted, to the last image, whatever was tested before and by which
    process. What is seen is the validation part. One that is trained alone enters the report.
    """
    text = supernet_text(root)
    source, variants = opened(text)
    small, large = sorted(variants, key=lambda variant: variant.width)
    with Store.write(tmp_path) as store:
        with closing(source):
            source.prepare(store, LocalPool(), Silent())
            assert store.trainings(source.name) == []
            source.evaluate([large], store, LocalPool(), Silent())
            assert [row.variant for row in store.trainings(source.name)] == [LARGE]
            assert np.isnan(source.seen_pct([small, large], store)).tolist() == [True, False]
            (file,) = tmp_path.glob("weights/*/supernet_*.safetensors")
            whole = file.read_bytes()
        file.write_bytes(whole[:-100])  # it is trained anew
        again, _ = opened(text)  # as after a kill
        again.prepare(store, LocalPool(), Silent())
        with closing(again):
            again.evaluate([small, large], store, LocalPool(), Silent())
            seen_pct = again.seen_pct([small, large], store)
            again.finish(store, [small, large], LocalPool(), Silent())
            assert store.supernets()[source.name]["networks"] == 0
            (alone,) = again.alone([large], store, LocalPool(1), Silent())
        assert store.supernets()[source.name]["networks"] == 1
        rows = store.trainings(source.name)
    tested = {row.variant: row.hits for row in rows}
    kept = query(tmp_path, "SELECT kind, top1_pct, shared_note FROM accuracies")
    assert (alone.kind, alone.top1_pct) in [row[:2] for row in kept]
    assert {note[:17] for _, _, note in kept} == {"", "against 1 network"}  # of those alone, of the supernet
    state = open_checkpoint(file)
    (epochs,) = {row.epochs for row in rows}
    assert len(state.curve) == epochs  # whole again
    dataset = open_dataset(ImageFolder(name="imagefolder", path=str(root)), [16])
    moments = state.about["mean"], state.about["std"]
    for variant, pct in zip([small, large], seen_pct, strict=True):
        own = extract(state, variant, dataset.part("train", 16))
        assert pct == pytest.approx(
            100 * evaluate(own, dataset.part("validation", 16), moments).correct.sum() / 36
        )
        assert np.array_equal(evaluate(own, dataset.part("test", 16), moments).correct, tested[variant.id])


@pytest.mark.usefixtures("one_core")
def test_a_test_that_fails_is_kept_and_the_next_goes_on(root, tmp_path, monkeypatch):
    """The process ends under one network: its accuracy has the reason, it is NaN to the search, and another
    process tests the next; asked again, it is not tried again.
    """
    source, variants = opened(supernet_text(root))
    small, large = sorted(variants, key=lambda variant: variant.width)
    with Store.write(tmp_path) as store, closing(source):
        source.prepare(store, LocalPool(), Silent())
        with pytest.MonkeyPatch.context() as patched:
            usual = worker.TrainingWorker.measure
            patched.setattr(
                worker.TrainingWorker,
                "measure",
                lambda self, variant: self.kill() if variant == small else usual(self, variant),
            )
            source.evaluate([small, large], store, LocalPool(), Silent())
        source.evaluate([small], store, LocalPool(), Silent())
        assert np.isnan(source.seen_pct([small, large], store)).tolist() == [True, False]
    rows = dict(query(tmp_path, "SELECT variant, reason FROM accuracies WHERE kind = 'supernet'"))
    assert rows == {SMALL: "the training's process ended: SIGKILL (out of memory?)", LARGE: ""}


@pytest.mark.usefixtures("one_core")
def test_networks_trained_batch_by_batch_are_seen_by_their_best_epoch(root, tmp_path):
    """The mean over the seeds of the best validation epoch; hits on the test part are those of a run of the
    whole sweep, in which the other network was trained before.
    """
    text = brightness.sweep_text(root)
    source, variants = opened(text)
    small, large = sorted(variants, key=lambda variant: variant.width)
    with Store.write(tmp_path / "run") as store:
        for batch in ([large], [small]):
            source.evaluate(batch, store, LocalPool(1), Silent())
        seen_pct = source.seen_pct([small, large], store)
        source.finish(store, [small, large], LocalPool(1), Silent())
        alone = source.alone([large], store, LocalPool(1), Silent())
        assert (source.at_once(LocalPool(1)), source.at_once(LocalPool(4))) == (1, 2)  # of two seeds each
    entered = dict(query(tmp_path / "run", "SELECT variant, top1_pct FROM accuracies"))
    assert [accuracy.top1_pct for accuracy in alone] == [entered[LARGE]]
    best = query(
        tmp_path / "run",
        "SELECT avg(best) FROM (SELECT variant, max(validation_top1_pct) AS best FROM epochs "
        "GROUP BY variant, seed) GROUP BY variant ORDER BY variant",
    )
    assert seen_pct == pytest.approx([row[0] for row in best])  # w0.1 comes before w0.25
    mbsweep.run(parse_sweep(text, "s.yaml"), tmp_path / "whole", jobs=1)
    assert query(tmp_path / "run", TRAININGS) == query(tmp_path / "whole", TRAININGS)
    entered = "SELECT variant, top1_pct, low_pct, high_pct FROM accuracies ORDER BY variant"
    assert query(tmp_path / "run", entered) == query(tmp_path / "whole", entered)


def test_a_network_that_stalls_is_no_number_and_the_others_go_on(root, tmp_path, monkeypatch):
    """At chance in each epoch, a third of three classes: with its reason. The other has 90 and 80 %."""
    source, variants = opened(brightness.sweep_text(root))
    small, large = sorted(variants, key=lambda variant: variant.width)
    curves = {"0.1": [100 / 3], "0.25/0": [40, 90, 70], "0.25/1": [80]}
    monkeypatch.setattr(worker, "COMMAND", stand_in_training.toy(curves=curves))
    with Store.write(tmp_path) as store:
        source.evaluate([small, large], store, LocalPool(1), Silent())
        found = source.seen_pct([small, large], store)
    assert np.array_equal(found, [math.nan, 85], equal_nan=True)
    reasons = dict(query(tmp_path, "SELECT variant, reason FROM accuracies"))
    assert reasons[SMALL].startswith("seed 0 stalled at chance with 33.3 % on the validation part")
    assert reasons[LARGE] == ""


def test_a_budget_ends_no_trainings_of_a_search(root):
    """The number of evaluations says what is trained; without a budget nothing is refused."""
    for more, is_refused in (("  budget: {minutes: 1}\n", True), ("", False)):
        sweep = parse_sweep(brightness.sweep_text(root, more=more), "s.yaml")
        space = count_space(sweep)
        if is_refused:
            with pytest.raises(SettingError, match="ends trainings; a search says") as refused:
                sweep.accuracy.check_search(space)
            assert refused.value.key == "budget"
        else:
            sweep.accuracy.check_search(space)
