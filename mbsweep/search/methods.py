"""The search methods by name."""

from mbsweep.search.exact_costs import ExactCosts
from mbsweep.search.method import Method
from mbsweep.search.simple import Exhaustive, Random

METHODS: dict[str, type[Method]] = {
    "exact_costs": ExactCosts,
    "random": Random,
    "exhaustive": Exhaustive,
}
