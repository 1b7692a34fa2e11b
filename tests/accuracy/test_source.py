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
from mbsweep.accuracy.training import worker
from mbsweep.accuracy.training.checkpoint import open_checkpoint
from mbsweep.accuracy.training.evaluating import evaluate
from mbsweep.accuracy.training.extracting import extract
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
        f"  alone: {{count: 1, recipe: {{{brightness.RECIPE}}}}}\n"
    )


def test_what_is_looked_up_is_seen_as_it_is_published(tmp_path):
    """70.9 % and 41.5 % of TF-Slim's table; in the order asked for, also of a network that is named twice;
    NaN where the table has none.
    """
    source, _ = opened(f"space: {{width: 1.0}}\naccuracy: {{source: published, table: {TF_SLIM}}}\n")
    asked = [Variant(width=0.25, resolution=128), Variant(width=0.3), Variant(), Variant()]
    with Store.write(tmp_path) as store:
        source.prepare(store, None, Silent())
        source.evaluate(asked, store, None, Silent())
        found = source.seen_pct(asked, store)
        source.finish(store, asked, None, Silent())
    assert np.array_equal(found, [41.5, math.nan, 70.9, 70.9], equal_nan=True)


@pytest.mark.usefixtures("one_core")
def test_a_supernets_networks_are_tested_one_by_one_as_all_at_once(root, tmp_path):
    """To the last image, whichever is asked for first, and in another process; none before it is asked for.
    What is seen is the validation part. One process tests all that is asked for until the end.
    """
    text = supernet_text(root)
    mbsweep.run(parse_sweep(text, "s.yaml"), tmp_path / "whole")
    whole = query(tmp_path / "whole", TRAININGS)
    source, variants = opened(text)
    small, large = sorted(variants, key=lambda variant: variant.width)
    with Store.write(tmp_path / "run") as store:
        with closing(source):
            source.prepare(store, None, Silent())
            assert store.trainings(source.name) == []
            source.evaluate([large], store, None, Silent())
            assert [row.variant for row in store.trainings(source.name)] == [LARGE]
            assert np.isnan(source.seen_pct([small, large], store)).tolist() == [True, False]
        again, _ = opened(text)  # as after a kill
        again.prepare(store, None, Silent())
        with closing(again):
            again.evaluate([small, large], store, None, Silent())
            seen_pct = again.seen_pct([small, large], store)
            again.finish(store, [small, large], None, Silent())
        assert store.supernets()[source.name]["networks"] == 1
    assert query(tmp_path / "run", TRAININGS) == whole
    (file,) = (tmp_path / "run" / "weights").glob("*/supernet_*.safetensors")
    state = open_checkpoint(file)
    dataset = open_dataset(ImageFolder(name="imagefolder", path=str(root)), [16])
    for variant, pct in zip([small, large], seen_pct, strict=True):
        own = extract(state, variant, dataset.part("train", 16))
        found = evaluate(own, dataset.part("validation", 16), (state.about["mean"], state.about["std"]))
        assert pct == pytest.approx(100 * found.correct.sum() / 36)


@pytest.mark.usefixtures("one_core")
def test_a_test_that_fails_is_kept_and_the_next_goes_on(root, tmp_path, monkeypatch):
    """The process ends under one network: its accuracy has the reason, it is NaN to the search, and another
    process tests the next; asked again, it is not tried again.
    """
    source, variants = opened(supernet_text(root))
    small, large = sorted(variants, key=lambda variant: variant.width)
    with Store.write(tmp_path) as store, closing(source):
        source.prepare(store, None, Silent())
        with pytest.MonkeyPatch.context() as patched:
            usual = worker.TrainingWorker.measure
            patched.setattr(
                worker.TrainingWorker,
                "measure",
                lambda self, variant: self.kill() if variant == small else usual(self, variant),
            )
            source.evaluate([small, large], store, None, Silent())
        source.evaluate([small], store, None, Silent())
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
            source.evaluate(batch, store, 1, Silent())
        seen_pct = source.seen_pct([small, large], store)
        source.finish(store, [small, large], 1, Silent())
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
        source.evaluate([small, large], store, 1, Silent())
        found = source.seen_pct([small, large], store)
    assert np.array_equal(found, [math.nan, 85], equal_nan=True)
    reasons = dict(query(tmp_path, "SELECT variant, reason FROM accuracies"))
    assert reasons[SMALL].startswith("seed 0 stalled at chance with 33.3 % on the validation part")
    assert reasons[LARGE] == ""
