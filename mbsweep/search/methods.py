"""The search methods by name."""

from mbsweep.search.method import Method
from mbsweep.search.simple import Exhaustive, Random

METHODS: dict[str, type[Method]] = {
    "random": Random,
    "exhaustive": Exhaustive,
}
