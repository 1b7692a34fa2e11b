"""What a backend makes of a network: a call that can be timed."""

from collections.abc import Callable
from dataclasses import dataclass

Call = Callable[[], object]


@dataclass(frozen=True)
class Prepared:
    """A network, ready to be timed in one runtime with one configuration.

    call: runs it once on its image, and returns the output when it is there: a NumPy array or a CPU tensor.
    file_bytes: size on disk of the file that the runtime loads; of the weights where it loads none.
    time_ns: runs it once and tells the duration itself, for devices that have a clock of their own.
        None: a clock around `call`.
    """

    call: Call
    file_bytes: int
    time_ns: Callable[[], int] | None = None
