"""What passes between the run's machine and a seat, without a cluster: a seat in this process."""

import asyncio
from contextlib import closing, contextmanager

import pytest
from brightness import SMALL
from console import curves

from mbsweep.accuracy.cluster import parcels, seat, talking
from mbsweep.accuracy.cluster.members import Member, TakenSeat
from mbsweep.accuracy.cluster.seat import Seat
from mbsweep.accuracy.cluster.talking import Talking
from mbsweep.accuracy.datasets import open_dataset
from mbsweep.accuracy.datasets.imagefolder import ImageFolder
from mbsweep.accuracy.settings import Recipe
from mbsweep.space.variant import Variant


class Here(TakenSeat):
    """Called as Ray would call it."""

    async def call(self, method, *arguments):
        """What a method of the seat returns."""
        return getattr(self.handle, method)(*arguments)


@contextmanager
def asked(told):
    """Call it with a method; the answer of a new seat, which has begun."""
    taken, talking = Here(1, Member("1", "here"), Seat(1, "cpu"), 1), Talking()
    asyncio.run(taken.value("open"))
    with taken.handle._stack, closing(taken.handle._worker):
        asyncio.run(talking.answer(taken, "begin", told))
        yield lambda method: asyncio.run(talking.answer(taken, method, {}))


@pytest.fixture
def told(images, tmp_path):
    """The beginning of a training, as a run tells it."""
    dataset = open_dataset(ImageFolder(name="imagefolder", path=str(images)), [16])
    recipe = Recipe(epochs=3, batch=16, learning_rate=0.02, warmup_pct=10)
    variant = Variant(width=0.1, resolution=16, depth=0, num_classes=3)
    assert variant.id == SMALL
    files = {"checkpoint": str(tmp_path / "net.checkpoint"), "weights": str(tmp_path / "net.safetensors")}
    job = {"variant": variant.as_dict(), "recipe": recipe.settings, "seed": 0, "attempt": 0}
    return job | files | {"dataset": dataset.as_dict()}


def test_large_files_pass_in_pieces(told, undisturbed, tmp_path, monkeypatch):
    """A checkpoint comes back and goes to another seat, from which the training goes on; then its weights."""
    for module in (parcels, seat, talking):
        monkeypatch.setattr(module, "PIECE_BYTES", 10_000)

    with asked(told) as ask:
        first = [ask("epoch") for _ in range(2)]
    assert (tmp_path / "net.checkpoint").stat().st_size > 30_000
    with asked(told) as ask:
        rows, end, outcome = [ask("epoch") for _ in range(3)], ask("epoch"), ask("finish")
    known = {key[3]: value for key, value in curves(undisturbed).items() if key[:3] == (SMALL, 0, 0)}
    names = "learning_rate", "train_loss", "train_top1_pct", "validation_loss", "validation_top1_pct"
    assert {row["epoch"]: tuple(row[name] for name in names) for row in rows} == known
    assert first == rows[:2]
    assert end is None
    assert outcome["images"] == 60
    assert (tmp_path / "net.safetensors").stat().st_size > 10_000
