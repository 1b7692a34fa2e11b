"""How networks are trained, and on what: the settings of the accuracy sources that train."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field, field_validator, model_validator

from mbsweep.accuracy.datasets import AnyDataset
from mbsweep.accuracy.datasets.digits import Digits
from mbsweep.accuracy.weights.start import START, Start
from mbsweep.base.rules import SEED, Rule, choice, flag, integer, integers, number
from mbsweep.base.strict import Strict, fingerprint
from mbsweep.formats.ranges import METHODS
from mbsweep.space.sharing import digest
from mbsweep.space.space import Space

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

# What a recipe has that does not say them: the first batch of these with which there are so many steps, and
# the rate for the first of them, in proportion to the batch, up to twice of it.
BATCHES, LEAST_STEPS = (64, 32), 200
SGD_RATE, ADAMW_RATE = 0.8, 0.01


class Recipe(Strict):
    """How a network is trained."""

    added: ClassVar[frozenset[str]] = frozenset({"start", "freeze_epochs", "body_rate"})
    rules: ClassVar[dict[str, Rule]] = {
        "epochs": integer(1, 10_000, 12),
        "batch": integer(2, 4096, 64),
        "optimizer": choice(["sgd", "adamw"]),
        "learning_rate": number(0, 10, 0.8),
        "momentum": number(0, 0.9999, 0.9, with_low=True),
        "weight_decay": number(0, 1, 1e-4, with_low=True),
        "schedule": choice(["one_cycle", "cosine"]),
        "warmup_pct": number(0, 90, 20, with_low=True),
        "label_smoothing": number(0, 0.9, 0.1, with_low=True),
        "dropout": number(0, 0.9, 0.001, with_low=True),
        "flip": flag(),
        "crop_pct": number(0, 50, 10, with_low=True),
        "colour_pct": number(0, 100, 20, with_low=True),
        "depthwise_init": choice(["he", "identity"]),
        "pointwise_init": choice(["he", "identity"]),
        "bn_shift": number(-10, 10, 0.5, with_low=True),
        "clip_pct": number(0, 1e6, 2, with_low=True),
        "patience": integer(1, 10_000, 5),
        "start": START,
        "freeze_epochs": integer(0, 10_000, 2),
        "body_rate": number(0, 1, 0.1),
    }

    epochs: int = 12
    batch: int = 0  # 0, here and below: follows the number of training images, see `complete`
    optimizer: Literal["sgd", "adamw"] = "sgd"
    learning_rate: float = 0  # the highest of the schedule
    momentum: float = 0.9  # Nesterov's; of adamw: beta1
    weight_decay: float = 1e-4  # not on batch normalisation, biases and depthwise kernels
    schedule: Literal["one_cycle", "cosine"] = "one_cycle"
    warmup_pct: float = 20  # of the steps, in which the rate rises
    label_smoothing: float = 0.1
    dropout: float = 0.001  # before the classifier
    flip: bool = False  # left and right, in half of the images
    crop_pct: float = 0  # an image is moved by up to so much of its size
    colour_pct: float = 0  # brightness and contrast change by up to so much
    depthwise_init: Literal["he", "identity"] = "identity"  # how depthwise kernels begin
    pointwise_init: Literal["he", "identity"] = "identity"  # and pointwise ones: as copies of their inputs
    bn_shift: float = 0.5  # at which the shifts of batch normalisation begin
    clip_pct: float = 2  # of the norm of a layer's weights, that their gradient has at most; 0: any
    patience: int | None = None  # stop after so many epochs without a better validation accuracy
    start: Start | None = None  # weights to begin with, in place of random ones
    freeze_epochs: int = 0  # in which all but the classifier stays as it is
    body_rate: float = 1.0  # the learning rate of all but the classifier, as a share of its own

    @model_validator(mode="after")
    def _has_weights(self) -> Recipe:
        for name in ("freeze_epochs", "body_rate"):
            if self.start is None and getattr(self, name) != type(self).model_fields[name].default:
                raise ValueError(f"{name} is of networks that begin from weights: say `start`, too")
        return self

    @property
    def has_body(self) -> bool:
        """Whether the classifier is trained otherwise than all before it."""
        return bool(self.freeze_epochs) or self.body_rate != 1

    @property
    def words(self) -> str:
        """`12 epochs, batch 64, rate 0.8`; where they are left open, how they are found."""
        steps = {"batch": self.batch, "rate": self.learning_rate}
        said = [f"{self.epochs} epoch{'s' if self.epochs > 1 else ''}"]
        said += [f"{name} {value:g}" for name, value in steps.items() if value]
        if left := " and ".join(name for name, value in steps.items() if not value):
            said.append(f"{left} by the number of images")
        if self.start:
            said.append(f"from weights {self.start.sha256[:6]}".rstrip())
        return ", ".join(said)

    @property
    def key(self) -> str:
        """Six hexadecimal digits: two recipes have the same if they ask for the same."""
        return fingerprint(self, 6)

    def complete(self, images: int) -> Recipe:
        """The same with what was left open, batch and learning rate, for so many training images."""
        steps = {size: images * self.epochs / size for size in BATCHES}
        batch = self.batch or next((size for size in BATCHES if steps[size] >= LEAST_STEPS), BATCHES[-1])
        usual = ADAMW_RATE if self.optimizer == "adamw" else SGD_RATE * min(batch / BATCHES[0], 2)
        return self.model_copy(update={"batch": batch, "learning_rate": self.learning_rate or usual})


class Halving(Strict):
    """Successive halving over epochs: weak variants stop early."""

    rules: ClassVar[dict[str, Rule]] = {
        "min_epochs": integer(1, 10_000, 2),
        "factor": integer(2, 100, 3),
    }

    min_epochs: int = 2  # before the first variants are stopped
    factor: int = 3  # of so many variants one goes on, and gets so many times the epochs


class Budget(Strict):
    """What training may cost."""

    rules: ClassVar[dict[str, Rule]] = {"minutes": number(0, 1e6, 10)}

    minutes: float | None = None  # of epochs, over the number of processes, all sessions of a run together
    halving: Halving | None = None


class Quantization(Strict):
    """How trained networks become int8."""

    rules: ClassVar[dict[str, Rule]] = {
        "calibration": choice(METHODS),
        "images": integer(16, 1_000_000, 256),
    }

    calibration: Literal["min_max", "percentile", "entropy"] = "min_max"
    images: int = 256  # of the train part, from whose activations ranges are taken

    @property
    def key(self) -> str:
        """Six hexadecimal digits: two have the same if they ask for the same."""
        return fingerprint(self, 6)

    @property
    def words(self) -> str:
        """`min-max of 256 training images`."""
        return f"{self.calibration.replace('_', '-')} of {self.images:,} training images"


class TrainedAccuracy(Strict):
    """Each variant trained alone."""

    rules: ClassVar[dict[str, Rule]] = {
        "source": choice(["trained"]),
        "seeds": integers(None, 0, 2**32 - 1, (0, 1), or_none=False),
    }

    source: Literal["trained"]
    dataset: AnyDataset = Digits(name="digits")
    recipe: Recipe = Recipe()
    seeds: tuple[int, ...] = Field(default=(0, 1), max_length=100)
    budget: Budget = Budget()
    quantization: Quantization = Quantization()

    def name_on(self, dataset: str) -> str:
        """What tells accuracies apart that must not be on one front: data set and recipe.

        Of a complete recipe. dataset: its id. Seeds and a budget only say how much of it is done.
        """
        return f"trained on {dataset}, {self.recipe.words} (recipe {self.recipe.key})"

    def complete(self, images: int) -> TrainedAccuracy:
        """With a complete recipe, for so many training images."""
        return self.model_copy(update={"recipe": self.recipe.complete(images)})


def _from_nothing(recipe: Recipe) -> Recipe:
    if recipe.start is not None:
        raise ValueError("a supernet, and what it is compared with, begins from nothing: leave `start` out")
    return recipe


class Alone(Strict):
    """Variants that are also trained alone, to tell how far a supernet can be trusted."""

    rules: ClassVar[dict[str, Rule]] = {
        "count": integer(0, 1000, 6),
        "seeds": integers(None, 0, 2**32 - 1, (0,), or_none=False),
    }

    count: int = 6  # spread evenly over the variants by their mult-adds
    recipe: Recipe = Recipe()
    seeds: tuple[int, ...] = (0,)

    @field_validator("recipe")
    @classmethod
    def _begins_from_nothing(cls, recipe: Recipe) -> Recipe:
        return _from_nothing(recipe)


class SupernetAccuracy(Strict):
    """One training for all variants, which share its weights."""

    rules: ClassVar[dict[str, Rule]] = {
        "source": choice(["supernet"]),
        "seed": SEED,
        "min_tau": number(-1, 1, 0.7, with_low=True),
        "middle": integer(0, 16, 2),
        "labels_pct": number(0, 100, 50, with_low=True),
        "calibration_images": integer(64, 1_000_000, 2000),
    }

    source: Literal["supernet"]
    dataset: AnyDataset = Digits(name="digits")
    recipe: Recipe = Recipe()
    seed: int = 0
    alone: Alone = Alone()
    min_tau: float = 0.7  # below this rank correlation with those, the ranking is not to be relied on
    middle: int = 2  # variants picked at random in each step, the first of the highest resolution
    labels_pct: float = 50  # how far all but the largest learn from the labels; else from its answers
    calibration_images: int = 2000  # from which each variant gets its batch normalisation statistics
    quantization: Quantization = Quantization()

    @property
    def alone_as_trained(self) -> TrainedAccuracy:
        """The variants that are trained alone, as a sweep would ask for them."""
        return TrainedAccuracy(
            source="trained", dataset=self.dataset, recipe=self.alone.recipe, seeds=self.alone.seeds
        )

    def name_on(self, dataset: str, space: Space) -> str:
        """As that of `TrainedAccuracy`, of one training for all variants of a space.

        With others it were another training.
        """
        recipe = fingerprint(self, 6, without=("dataset", "alone", "min_tau", "quantization"))
        return (
            f"one supernet trained on {dataset}, {self.recipe.words} (recipe {recipe}, {len(space)} "
            f"networks {digest(space)[:6]})"
        )

    def step_cost(self, costs: NDArray[np.float64], resolutions: NDArray[np.int64]) -> float:
        """What a step costs on average, given the cost and the resolution of each variant.

        Costs of the largest, of the smallest and of `middle` others: `accuracy.training.supernet.picked`.
        """
        middle = min(self.middle, len(costs))
        ends = float(costs.max() + costs.min())
        if not middle:
            return ends
        first = float(costs[resolutions == resolutions.max()].mean())
        return ends + first + (middle - 1) * (float(costs.sum()) - first) / max(1, len(costs) - 1)

    def complete(self, images: int) -> SupernetAccuracy:
        """With complete recipes, for so many training images."""
        alone = self.alone.model_copy(update={"recipe": self.alone.recipe.complete(images)})
        return self.model_copy(update={"recipe": self.recipe.complete(images), "alone": alone})

    @field_validator("recipe")
    @classmethod
    def _no_patience(cls, recipe: Recipe) -> Recipe:
        if recipe.patience is not None:
            raise ValueError("a supernet has all of its epochs: leave `patience` out")
        return _from_nothing(recipe)
