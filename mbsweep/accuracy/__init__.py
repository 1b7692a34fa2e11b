"""What a network is worth, and where that number comes from."""

from collections.abc import Callable, Sequence

from mbsweep.accuracy.published import Accuracy, published_accuracies
from mbsweep.space.sweep import PublishedAccuracy
from mbsweep.space.variant import Variant

# source -> a function from variants, the sweep's `accuracy` and a precision to one Accuracy each
SOURCES: dict[str, Callable[[Sequence[Variant], PublishedAccuracy, str], list[Accuracy]]] = {
    "published": published_accuracies,
}
