"""Trainings on many nodes: simulated ones, with a clock of their own, and the real queue and store."""

from contextlib import closing
from sqlite3 import connect

import pytest
from console import query

from benchmarks.simulated_nodes import SimulatedPool, SimulatedTeam, SimulatedWorker
from benchmarks.simulated_run import SEEDS, made_up, some_space
from mbsweep.accuracy.settings import Budget, Recipe
from mbsweep.accuracy.trained import TrainedSource
from mbsweep.accuracy.training.trainings import Trainings
from mbsweep.base.progress import Silent
from mbsweep.storage.store import Store

VARIANTS, EPOCHS = 60, 3


class Told(Silent):
    """Counts how often it is told how far the run is; may interrupt it where so many epochs are done."""

    def __init__(self, until=None):
        self.times, self.until = 0, until

    def reach(self, standing):
        """So far."""
        self.times += 1
        if self.until is not None and standing.done >= self.until:
            raise KeyboardInterrupt


def train(folder, progress, speed=1, variants=VARIANTS, minutes=None):
    """All trainings of a run on ten nodes; what is done of it is done."""
    space = some_space(variants)
    pool = SimulatedPool(10, 60.0, 0.0, dict(zip(space.ids(), space.macs.tolist(), strict=True)), speed)
    budget = Budget(minutes=minutes) if minutes else Budget()
    config = TrainedSource(source="trained", recipe=Recipe(epochs=EPOCHS), seeds=SEEDS, budget=budget)
    with Store.write(folder / "run") as store:
        Trainings(store, config, made_up(folder / "images"), space, pool, progress).run()


def known(folder):
    """variant -> the seeds that its accuracy is of."""
    return dict(query(folder / "run", "SELECT variant, seeds FROM accuracies WHERE top1_pct IS NOT NULL"))


def test_what_has_ended_has_an_accuracy_at_any_moment(tmp_path):
    """The intervals of all are found anew after every twentieth more: in between a run that is killed has
    the accuracy of each training, with the seeds that it had. Gone on with, it ends as one that was not.
    """
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path, Told(until=VARIANTS * len(SEEDS) * EPOCHS * 2 // 3))
    ended = {}
    for variant, seed in query(tmp_path / "run", "SELECT variant, seed FROM trainings ORDER BY seed"):
        ended.setdefault(variant, []).append(seed)
    assert 30 < len(ended) < VARIANTS
    assert known(tmp_path) == {variant: ", ".join(map(str, seeds)) for variant, seeds in ended.items()}
    train(tmp_path, Silent())
    train(tmp_path / "other", Silent())
    rows = [query(folder / "run", "SELECT * FROM accuracies") for folder in (tmp_path, tmp_path / "other")]
    assert rows[0] == rows[1]
    assert len(known(tmp_path)) == VARIANTS


def test_an_epoch_is_on_the_disk_before_the_next_begins(tmp_path, monkeypatch):
    """Also where many workers answer at once, whose epochs are written together: their clock goes a hundred
    thousand times as fast as ours.
    """
    epoch, asked, answered = SimulatedWorker.epoch, [], []
    take = Trainings._take

    def checked(self):
        with closing(connect(tmp_path / "run" / "run.sqlite")) as sql:
            key = self._key
            sql_ = "SELECT count(*) FROM epochs WHERE variant = ? AND seed = ? AND attempt = ?"
            assert sql.execute(sql_, key).fetchone() == (self._done,)
        asked.append(key)
        epoch(self)

    def counted(self, team, workers):
        answered.append(len(workers))
        take(self, team, workers)

    monkeypatch.setattr(SimulatedWorker, "epoch", checked)
    monkeypatch.setattr(Trainings, "_take", counted)
    train(tmp_path, Silent(), speed=1e5)
    assert len(asked) == VARIANTS * len(SEEDS) * (EPOCHS + 1)  # once more: there is none
    assert max(answered) > 3


def test_of_many_trainings_it_is_told_less_often(tmp_path):
    """To look at all after each epoch would take longer than the epochs: of 120 trainings it is told every
    half a second, and after each epoch of the last hundred.
    """
    told = Told()
    train(tmp_path, told)
    assert 90 * EPOCHS < told.times < 110 * EPOCHS


def test_nodes_that_go_make_what_is_done_no_dearer(tmp_path, monkeypatch):
    """A budget of 20 minutes has them, although for five epochs one node is left of the ten: these five count
    whole, of all others a tenth.
    """
    size = property(lambda team: 1 if 20 <= team.tally.epochs < 25 else 10)
    monkeypatch.setattr(SimulatedTeam, "size", size)
    train(tmp_path, Silent(), minutes=20)
    seconds = [row[0] for row in query(tmp_path / "run", "SELECT seconds FROM epochs ORDER BY id")]
    spent_s = sum(seconds[:20]) / 10 + sum(seconds[20:25]) + sum(seconds[25:]) / 10
    assert 19 * 60 < spent_s < 22 * 60  # those that were on their way have ended
