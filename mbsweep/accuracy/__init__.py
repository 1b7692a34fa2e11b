"""What a network is worth, and where that number comes from."""

from collections.abc import Callable, Sequence
from typing import Any

from mbsweep.accuracy.predicted import predicted_accuracies
from mbsweep.accuracy.published import published_accuracies
from mbsweep.accuracy.trained import not_yet_trained
from mbsweep.accuracy.value import Accuracy
from mbsweep.space.variant import Variant

# source -> a function from variants, the sweep's `accuracy` and a precision to one Accuracy each
SOURCES: dict[str, Callable[[Sequence[Variant], Any, str], list[Accuracy]]] = {
    "published": published_accuracies,
    "predicted": predicted_accuracies,
    "supernet": not_yet_trained,  # until `mbsweep.accuracy.training.supernets` has trained them
    "trained": not_yet_trained,  # until `mbsweep.accuracy.training.trainings` has trained them
}
