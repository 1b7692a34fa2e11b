"""What a network is worth, and where that number comes from."""

from typing import TYPE_CHECKING

from mbsweep.accuracy.predicted import PredictedAccuracy
from mbsweep.accuracy.published import PublishedAccuracy
from mbsweep.accuracy.source import Source
from mbsweep.accuracy.supernet import SupernetSource
from mbsweep.accuracy.trained import TrainedSource
from mbsweep.base.strict import one_of

# the `source` of a sweep's `accuracy` -> its settings, and what they ask for
SOURCES: dict[str, type[Source]] = {
    "published": PublishedAccuracy,
    "trained": TrainedSource,
    "supernet": SupernetSource,
    "predicted": PredictedAccuracy,
}
if TYPE_CHECKING:
    AnySource = Source
else:
    AnySource = one_of("source", SOURCES)
