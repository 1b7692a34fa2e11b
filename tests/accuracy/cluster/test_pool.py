"""Trainings on a cluster: the numbers of a local run, whatever happens to its nodes."""

from brightness import sweep_text
from console import query

from mbsweep import pipeline
from mbsweep.accuracy.cluster.pool import RayPool
from mbsweep.sweep.sweep import parse_sweep


class Told:
    """Keeps what a run tells."""

    def __init__(self, after=None):
        self.messages, self.epochs, self._first, self._after = [], 0, None, after

    def say(self, message):
        """One line for the user."""
        self.messages.append(message)

    def begin(self, task, total, done=0):
        """A part of the run begins."""
        self._first = None

    def advance(self, done, steps=1):
        """A test of a supernet's variant is done."""

    def note(self, words):
        """What is still open."""

    def reach(self, standing):
        """So far the run is; epochs that are done are in the store."""
        self._first = standing.done if self._first is None else self._first
        while self.epochs < standing.done - self._first:
            self.epochs += 1
            if self._after:
                self._after(self.epochs)


def run(text, folder, address, told=None, jobs=None):
    """Run a sweep on a cluster."""
    with RayPool(address, jobs) as pool:
        return pipeline._run(parse_sweep(text, "trained"), folder, False, told or Told(), pool, None, 0)


def curves(folder):
    """(variant, seed, attempt, epoch) -> what that epoch gave, but for its seconds."""
    rows = query(
        folder,
        "SELECT variant, seed, attempt, epoch, learning_rate, train_loss, train_top1_pct, validation_loss, "
        "validation_top1_pct FROM epochs",
    )
    return {row[:4]: row[4:] for row in rows}


def trainings(folder):
    """(variant, seed) -> state, attempt, epochs, which images were right."""
    rows = query(folder, "SELECT variant, seed, state, attempt, epochs, threads, correct FROM trainings")
    return {row[:2]: row[2:] for row in rows}


def test_two_nodes_give_the_very_numbers_of_a_local_run(cluster, nodes, images, undisturbed, tmp_path):
    """Every epoch and every image that is tested, to the last digit."""
    nodes(), nodes()
    told = Told()
    run(sweep_text(images), tmp_path / "run", cluster.address, told)
    assert curves(tmp_path / "run") == curves(undisturbed)
    assert trainings(tmp_path / "run") == trainings(undisturbed)
